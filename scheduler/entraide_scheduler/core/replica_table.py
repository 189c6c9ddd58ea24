"""Tables: the replicas of one model as columns, so that thousands are looked at together.

Decides nothing that ``placement`` does not define: the same products and comparisons, in the same
order, over all rows at once, with the same result to the last bit (IEEE 754: + - x and comparisons
are exact everywhere). Rows stand in the order of the nodes' names, so the first of equals is the
one whose name comes first.
"""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from entraide_scheduler.core.cost_model import CostModel
from entraide_scheduler.core.placement_request import PlacementRequest
from entraide_scheduler.core.rules import TEMPORARY_RULES

BLOCK = 32  # rows of which the least is taken when the least of all are looked for

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]
Rows = NDArray[np.intp]

(
    FREE_AT,
    START_S,
    INPUT_S,
    TOKEN_S,
    TTFT_EXCESS,
    QUEUED_EXCESS,
    TPOT_EXCESS,
    WAKE_UWH,
    INPUT_UWH,
    OUTPUT_UWH,
    WAKE_UG,
    INPUT_UG,
    OUTPUT_UG,
    FULL_PART,
    G_PER_KWH,
) = range(15)
SCALES_KEPT = 4  # confidences for which factors are kept: those of the classes


def _upper_bounds(cells: Floats, scale: float) -> Floats:
    """Returns what holds with a confidence, of one row or of all.

    Factors on the time to the first token, alone and behind other prompts; seconds a token.
    """
    uppers: Floats = 1.0 + cells[TTFT_EXCESS : TPOT_EXCESS + 1] * scale
    uppers[-1] *= cells[TOKEN_S]
    return uppers


def _index_names(names: list[str]) -> tuple[list[str], Rows]:
    """Returns the distinct names, sorted, and by row where its name stands among them."""
    distinct = sorted(set(names))
    order = {name: number for number, name in enumerate(distinct)}
    return distinct, np.array([order[name] for name in names], np.intp)


TableRow = tuple[CostModel, tuple[int, ...], str, str]


class ReplicaTable:
    """One model's replicas as columns.

    Attributes:
        cells: a column of numbers for each row, as the names above count them.
        column: the same, each by itself.
        blocked_by: by view, the passing rule that a row breaks, or 0.
        zones: by row, where its zone stands in ``zone_names``.
        coops: by row, where its co-op stands in ``coop_names``.
        counts: by view, how many rows break each rule; 0 counts the open ones.
    """

    def __init__(self, rows: Sequence[TableRow]) -> None:
        self.cells: Floats = np.array([astuple(cost) for cost, *_ in rows], np.float64).T.copy()
        self.column: list[Floats] = list(self.cells)
        self.blocked_by = np.array([codes for _, codes, *_ in rows], np.int8).T.copy()
        self.zone_names, self.zones = _index_names([zone for _, _, zone, _ in rows])
        self.coop_names, self.coops = _index_names([coop for *_, coop in rows])
        self._work: list[Floats] = list(np.empty((4, len(rows)), np.float64))
        self._uppers: dict[float, Floats] = {}
        self._codes = [codes for _, codes, *_ in rows]
        self.counts = [[0] * (len(TEMPORARY_RULES) + 1) for _ in range(self.blocked_by.shape[0])]
        for codes in self._codes:
            self._count(codes, 1)

    def write_row(self, row: int, cost: CostModel, codes: tuple[int, ...]) -> None:
        """Puts what a replica asks now in its place."""
        self.cells[:, row] = astuple(cost)
        for scale, uppers in self._uppers.items():
            uppers[:, row] = _upper_bounds(self.cells[:, row], scale)
        before = self._codes[row]
        if codes != before:
            self._count(before, -1)
            self._count(codes, 1)
            self._codes[row] = codes
            self.blocked_by[:, row] = codes

    def _count(self, codes: tuple[int, ...], times: int) -> None:
        for counts, code in zip(self.counts, codes, strict=True):
            counts[code] += times

    def first_blocked(self, requester: int, code: int) -> int:
        """Returns the first row that breaks a rule; there must be one."""
        return int((self.blocked_by[requester] == code).argmax())

    def above_intensity(self, max_g_per_kwh: Mapping[str, float]) -> Bools:
        """Returns which rows cost more now than is allowed in their zone."""
        most = np.array([max_g_per_kwh.get(zone, 0.0) for zone in self.zone_names], np.float64)
        dearer: Bools = self.column[G_PER_KWH] > most[self.zones]
        return dearer

    def lent_left_uwh(self, left_uwh: Mapping[str, int]) -> Floats:
        """Returns by row what its co-op still lends; infinite for those without a limit."""
        by_coop = np.array([left_uwh.get(coop, inf) for coop in self.coop_names], np.float64)
        by_row: Floats = by_coop[self.coops]
        return by_row

    def predict(self, request: PlacementRequest) -> tuple[Bools, Floats, Floats, Floats]:
        """Predicts one job on all rows; see ``placement.predict`` for what each line means.

        Returns:
            Whether each row is expected to keep the promise; seconds to the first token, on average
            and with the asked confidence; grams. They stand until the next look.
        """
        column, (ttft_s, upper_s, carbon_ug, spare) = self.column, self._work
        ttft_factor, queued_factor, tpot_upper_s = self._bounds_at(request.scale)
        np.subtract(column[FREE_AT], request.at, out=ttft_s)
        queued = ttft_s > 0.0
        np.maximum(ttft_s, 0.0, out=ttft_s)
        np.add(ttft_s, column[START_S], out=ttft_s)
        np.multiply(column[INPUT_S], request.input_tokens, out=spare)
        np.add(ttft_s, spare, out=ttft_s)
        np.multiply(ttft_s, np.where(queued, queued_factor, ttft_factor), out=upper_s)
        keeps = upper_s <= request.ttft_left_s
        if request.tpot_s != inf:
            keeps &= tpot_upper_s <= request.tpot_s
        if request.completion_left_s != inf:
            keeps &= upper_s + request.output_upper * tpot_upper_s <= request.completion_left_s
        np.multiply(column[INPUT_UG], request.input_tokens, out=carbon_ug)
        np.add(carbon_ug, column[WAKE_UG], out=carbon_ug)
        np.multiply(column[OUTPUT_UG], request.produced_tokens, out=spare)
        np.add(carbon_ug, spare, out=carbon_ug)
        return keeps, ttft_s, upper_s, carbon_ug

    def _bounds_at(self, scale: float) -> Floats:
        """Returns what ``_uppers`` says of every row, kept for the scales that are asked for."""
        bounds = self._uppers.get(scale)
        if bounds is None:
            if len(self._uppers) == SCALES_KEPT:
                self._uppers.clear()
            bounds = self._uppers[scale] = _upper_bounds(self.cells, scale)
        return bounds

    def energy_uwh(self, request: PlacementRequest, rows: Rows) -> Floats:
        """Returns the energy of one job on some rows."""
        column = self.column
        energy_uwh: Floats = column[INPUT_UWH].take(rows) * request.input_tokens
        energy_uwh += column[WAKE_UWH].take(rows)
        energy_uwh += column[OUTPUT_UWH].take(rows) * request.produced_tokens
        return energy_uwh


def min_value(values: Floats) -> float:
    """Returns the least value; quicker than ``values.min()``, which goes through Python."""
    return float(np.minimum.reduce(values))


def smallest_rows(values: Floats, most: int) -> Rows:
    """Returns the rows of the least values, the least first.

    Infinite ones do not count; of equal ones the first row goes first.

    Args:
        values: of all rows.
        most: so many rows at most.
    """
    bound = _selection_bound(values, most)
    few = (values <= bound if bound < inf else values < inf).nonzero()[0]
    smallest: Rows = few.take(values.take(few).argsort(kind="stable")[:most])
    return smallest


def _selection_bound(values: Floats, most: int) -> float:
    """Returns a value that at least ``most`` rows do not exceed: the last of the least of blocks.

    Each block has a least one, so the least of many blocks are as many rows.
    """
    rows = len(values)
    if rows <= most:
        return inf
    blocks = rows // BLOCK
    least_of = (
        np.minimum.reduce(values[: blocks * BLOCK].reshape(BLOCK, blocks))
        if blocks >= most
        else values.copy()
    )
    least_of.partition(most - 1)
    return float(least_of[most - 1])
