"""Tables: the lanes of one model as columns, so that thousands are looked at together.

Decides nothing that ``placement`` does not define: the same products and comparisons, in the same
order, over all rows at once, with the same result to the last bit (IEEE 754: + - x and comparisons
are exact everywhere). Rows stand in the order of the nodes' names, so the first of equals is the
one whose name comes first.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from entraide_scheduler.core.quote import Quote
from entraide_scheduler.core.rules import PASSING
from entraide_scheduler.core.want import Want

BLOCK = 32  # rows of which the least is taken when the least of all are looked for

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
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
    TTFT_FACTOR,
    QUEUED_FACTOR,
    TPOT_UPPER,
) = range(17)


def _cells(quote: Quote) -> tuple[float, ...]:
    """Returns a quote's column, with the upper factors for a confidence of nine in ten."""
    return (
        *astuple(quote),
        1.0 + quote.ttft_excess,
        1.0 + quote.queued_excess,
        quote.token_s * (1.0 + quote.tpot_excess),
    )


Row = tuple[Quote, tuple[int, ...], str]


class Table:
    """One model's lanes as columns.

    Attributes:
        cells: a column of numbers for each row, as the names above count them.
        shut: by view, the passing rule that a row breaks, or 0.
        places: by row, where its zone or site stands in ``place_names``.
        counts: by view, how many rows break each rule; 0 counts the open ones.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.cells: Floats = np.array([_cells(quote) for quote, _, _ in rows], np.float64).T.copy()
        self.shut = np.array([codes for _, codes, _ in rows], np.int8).T.copy()
        self.place_names = sorted({place for _, _, place in rows})
        order = {place: number for number, place in enumerate(self.place_names)}
        self.places = np.array([order[place] for _, _, place in rows], np.intp)
        self._work = np.empty((3, len(rows)), np.float64)
        self._codes = [codes for _, codes, _ in rows]
        self.counts = [[0] * (len(PASSING) + 1) for _ in range(self.shut.shape[0])]
        for codes in self._codes:
            self._count(codes, 1)

    def write(self, row: int, quote: Quote, codes: tuple[int, ...]) -> None:
        """Puts what a lane asks now in its place."""
        self.cells[:, row] = _cells(quote)
        before = self._codes[row]
        if codes != before:
            self._count(before, -1)
            self._count(codes, 1)
            self._codes[row] = codes
            self.shut[:, row] = codes

    def _count(self, codes: tuple[int, ...], times: int) -> None:
        for counts, code in zip(self.counts, codes, strict=True):
            counts[code] += times

    def example(self, view: int, code: int) -> int:
        """Returns the first row that breaks a rule; there must be one."""
        return int((self.shut[view] == code).argmax())

    def within(self, places: frozenset[str]) -> Bools:
        """Returns which rows stand in one of some zones or sites."""
        return np.array([place in places for place in self.place_names], np.bool_)[self.places]

    def look(self, want: Want) -> tuple[Bools, Floats, Floats, Floats]:
        """Predicts one job on all rows; see ``placement.predict`` for what each line means.

        Returns:
            Whether each row is expected to keep the promise; seconds to the first token, on average
            and with the asked confidence; grams. They stand until the next look.
        """
        cells, (ttft_s, carbon_ug, spare) = self.cells, self._work
        np.subtract(cells[FREE_AT], want.at, out=ttft_s)
        queued = ttft_s > 0.0
        np.maximum(ttft_s, 0.0, out=ttft_s)
        np.add(ttft_s, cells[START_S], out=ttft_s)
        np.multiply(cells[INPUT_S], want.input_tokens, out=spare)
        np.add(ttft_s, spare, out=ttft_s)
        if want.scale == 1.0:
            factor = np.where(queued, cells[QUEUED_FACTOR], cells[TTFT_FACTOR])
            tpot_upper_s = cells[TPOT_UPPER]
        else:
            factor = 1.0 + np.where(queued, cells[QUEUED_EXCESS], cells[TTFT_EXCESS]) * want.scale
            tpot_upper_s = cells[TOKEN_S] * (1.0 + cells[TPOT_EXCESS] * want.scale)
        upper_s: Floats = ttft_s * factor
        keeps = upper_s <= want.ttft_left_s
        keeps &= tpot_upper_s <= want.tpot_s
        if want.completion_left_s != inf:
            keeps &= upper_s + want.output_upper * tpot_upper_s <= want.completion_left_s
        np.multiply(cells[INPUT_UG], want.input_tokens, out=carbon_ug)
        np.add(carbon_ug, cells[WAKE_UG], out=carbon_ug)
        np.multiply(cells[OUTPUT_UG], want.produced_tokens, out=spare)
        np.add(carbon_ug, spare, out=carbon_ug)
        return keeps, ttft_s, upper_s, carbon_ug

    def energy_uwh(self, want: Want, rows: Rows | slice) -> Floats:
        """Returns the energy of one job on some rows."""
        cells = self.cells[:, rows]
        energy_uwh: Floats = cells[WAKE_UWH] + want.input_tokens * cells[INPUT_UWH]
        energy_uwh += want.produced_tokens * cells[OUTPUT_UWH]
        return energy_uwh


def least(values: Floats, most: int, upto: float = -inf) -> Rows:
    """Returns the rows of the least values, the least first.

    Infinite ones do not count; of equal ones the first row goes first.

    Args:
        values: of all rows.
        most: so many rows at most.
        upto: rows with values up to this one are returned too, however many.
    """
    few = (values <= max(upto, _bound(values, most))).nonzero()[0]
    there = values[few]
    order = there.argsort(kind="stable")
    wanted = max(most, int(there.searchsorted(upto, "right", order)))
    found: Rows = few[order[:wanted]]
    return found if values[found[-1]] < inf else found[values[found] < inf]


def _bound(values: Floats, most: int) -> float:
    """Returns a value that at least ``most`` rows do not exceed: the last of the least of blocks.

    Each block has a least one, so the least of many blocks are as many rows.
    """
    rows = len(values)
    if rows <= most:
        return inf
    least_of = values[: rows // BLOCK * BLOCK].reshape(BLOCK, -1).min(axis=0)
    if len(least_of) < most:
        least_of = values
    return float(np.partition(least_of, most - 1)[most - 1])
