"""Replica table: the replicas of one model as numpy columns.

Computes ``placement.predict`` for all rows at once, with the same operations in the same order, so
that the results agree bit for bit (IEEE 754 defines +, -, * and comparisons exactly). Rows are in
order of node name, so the first of equal rows has the first name.

Inputs: cost models, blocked bits, zones and co-ops. Outputs: predictions as columns, and the rows
of the least values.
"""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from entraide_scheduler.core.prediction import CostModel, PlacementRequest
from entraide_scheduler.core.rules import REQUESTER_MASKS, TEMPORARY_FILTERS, blocked_codes

BLOCK = 32  # rows per block minimum, in ``_selection_bound``

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Bits = NDArray[np.int64]
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
SCALES_KEPT = 4  # cached bounds: one per confidence of a class


def _upper_bounds(cells: Floats, scale: float) -> Floats:
    """Returns three upper bounds at a confidence, for one row or all rows.

    Factors on the time to the first token, alone and behind other prompts; seconds per token.
    """
    uppers: Floats = 1.0 + cells[TTFT_EXCESS : TPOT_EXCESS + 1] * scale
    uppers[-1] *= cells[TOKEN_S]
    return uppers


def _index_names(names: list[str]) -> tuple[list[str], Rows]:
    """Returns the sorted distinct names and, by row, the index of its name."""
    distinct = sorted(set(names))
    order = {name: number for number, name in enumerate(distinct)}
    return distinct, np.array([order[name] for name in names], np.intp)


def first_codes(bits: Bits) -> Codes:
    """Returns ``rules.first_code`` of each row."""
    codes = np.zeros(len(bits), np.int8)
    for place in reversed(range(len(TEMPORARY_FILTERS))):
        codes[bits & (1 << place) != 0] = place + 1
    return codes


TableRow = tuple[CostModel, int, str, str]


class ReplicaTable:
    """One model's replicas as columns.

    Attributes:
        cells: cost models, shape (15, rows); the constants above are the indices of its columns.
        column: the rows of ``cells``, one array per quantity.
        blocked_bits: by row, the temporary filters that exclude some job.
        blocked_by: the first filter's code, shape (4 requesters, rows).
        zones: by row, index in ``zone_names``.
        coops: by row, index in ``coop_names``.
        counts: by requester, number of rows with each code.
    """

    def __init__(self, rows: Sequence[TableRow]) -> None:
        self.cells: Floats = np.array([astuple(cost) for cost, *_ in rows], np.float64).T.copy()
        self.column: list[Floats] = list(self.cells)
        self.blocked_bits: Bits = np.array([bits for _, bits, *_ in rows], np.int64)
        self.blocked_by = np.array(
            [first_codes(self.blocked_bits & mask) for mask in REQUESTER_MASKS]
        )
        self.zone_names, self.zones = _index_names([zone for _, _, zone, _ in rows])
        self.coop_names, self.coops = _index_names([coop for *_, coop in rows])
        self._work: list[Floats] = list(np.empty((4, len(rows)), np.float64))
        self._uppers: dict[float, Floats] = {}
        self._codes = [blocked_codes(bits) for _, bits, *_ in rows]
        self.counts = [[0] * (len(TEMPORARY_FILTERS) + 1) for _ in REQUESTER_MASKS]
        for codes in self._codes:
            self._count(codes, 1)

    def write_row(self, row: int, cost: CostModel, bits: int) -> None:
        """Updates the row of a replica."""
        self.cells[:, row] = astuple(cost)
        for scale, uppers in self._uppers.items():
            uppers[:, row] = _upper_bounds(self.cells[:, row], scale)
        self.blocked_bits[row] = bits
        before, codes = self._codes[row], blocked_codes(bits)
        if codes != before:
            self._count(before, -1)
            self._count(codes, 1)
            self._codes[row] = codes
            self.blocked_by[:, row] = codes

    def _count(self, codes: tuple[int, ...], times: int) -> None:
        for counts, code in zip(self.counts, codes, strict=True):
            counts[code] += times

    def first_blocked(self, requester: int, code: int) -> int:
        """Returns the first row with a code; one must exist."""
        return int((self.blocked_by[requester] == code).argmax())

    def above_intensity(self, max_g_per_kwh: Mapping[str, float]) -> Bools:
        """Returns which rows have an intensity above the limit of their zone."""
        most = np.array([max_g_per_kwh.get(zone, 0.0) for zone in self.zone_names], np.float64)
        dearer: Bools = self.column[G_PER_KWH] > most[self.zones]
        return dearer

    def lent_left_uwh(self, left_uwh: Mapping[str, int]) -> Floats:
        """Returns by row the energy that its co-op still lends; infinite without a limit."""
        by_coop = np.array([left_uwh.get(coop, inf) for coop in self.coop_names], np.float64)
        by_row: Floats = by_coop[self.coops]
        return by_row

    def predict(self, request: PlacementRequest) -> tuple[Bools, Floats, Floats, Floats]:
        """Predicts one job on all rows; ``placement.predict`` is the definition.

        Returns:
            Whether each row meets the objectives; mean and upper seconds to the first token;
            micrograms. The arrays are reused by the next call.
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
        """Returns ``_upper_bounds`` of all rows, cached by scale."""
        bounds = self._uppers.get(scale)
        if bounds is None:
            if len(self._uppers) == SCALES_KEPT:
                self._uppers.clear()
            bounds = self._uppers[scale] = _upper_bounds(self.cells, scale)
        return bounds

    def energy_uwh(self, request: PlacementRequest, rows: Rows) -> Floats:
        """Returns the energy of one job on some rows, microwatt-hours."""
        column = self.column
        energy_uwh: Floats = column[INPUT_UWH].take(rows) * request.input_tokens
        energy_uwh += column[WAKE_UWH].take(rows)
        energy_uwh += column[OUTPUT_UWH].take(rows) * request.produced_tokens
        return energy_uwh


def min_value(values: Floats) -> float:
    """Returns the least value; faster than ``values.min()``, which calls through Python."""
    return float(np.minimum.reduce(values))


def smallest_rows(values: Floats, most: int) -> Rows:
    """Returns the rows of the least finite values in ascending order, the first of equals first.

    Args:
        values: one for each row.
        most: greatest number of rows.
    """
    bound = _selection_bound(values, most)
    few = (values <= bound if bound < inf else values < inf).nonzero()[0]
    smallest: Rows = few.take(values.take(few).argsort(kind="stable")[:most])
    return smallest


def _selection_bound(values: Floats, most: int) -> float:
    """Returns a value that at least ``most`` rows do not exceed.

    The value is the ``most``-th least of the minima of disjoint blocks: each minimum is one row.
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
