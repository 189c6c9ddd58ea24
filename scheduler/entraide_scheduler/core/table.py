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

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

(
    FREE_AT,
    START_S,
    INPUT_S,
    TOKEN_S,
    TTFT_EXCESS,
    TPOT_EXCESS,
    WAKE_UWH,
    INPUT_UWH,
    OUTPUT_UWH,
    WAKE_UG,
    INPUT_UG,
    OUTPUT_UG,
) = range(12)


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
        self.cells: Floats = np.array([astuple(quote) for quote, _, _ in rows], np.float64).T.copy()
        self.shut = np.array([codes for _, codes, _ in rows], np.int8).T.copy()
        self.place_names = sorted({place for _, _, place in rows})
        order = {place: number for number, place in enumerate(self.place_names)}
        self.places = np.array([order[place] for _, _, place in rows], np.intp)
        self._codes = [codes for _, codes, _ in rows]
        self.counts = [[0] * (len(PASSING) + 1) for _ in range(self.shut.shape[0])]
        for codes in self._codes:
            self._count(codes, 1)

    def write(self, row: int, quote: Quote, codes: tuple[int, ...]) -> None:
        """Puts what a lane asks now in its place."""
        self.cells[:, row] = astuple(quote)
        before = self._codes[row]
        if codes != before:
            self._count(before, -1)
            self._count(codes, 1)
            self._codes[row] = codes
            self.shut[:, row] = codes

    def _count(self, codes: tuple[int, ...], times: int) -> None:
        for counts, code in zip(self.counts, codes, strict=True):
            counts[code] += times

    def within(self, places: frozenset[str]) -> Bools:
        """Returns which rows stand in one of some zones or sites."""
        return np.array([place in places for place in self.place_names], np.bool_)[self.places]

    def look(self, want: Want) -> tuple[Bools, Floats, Floats]:
        """Predicts one job on all rows; see ``placement.predict`` for what each line means.

        Returns:
            Whether each row is expected to keep the promise; seconds to the first token; grams.
        """
        cells = self.cells
        ttft_s = np.maximum(cells[FREE_AT] - want.at, 0.0)
        ttft_s += cells[START_S]
        ttft_s += want.input_tokens * cells[INPUT_S]
        upper_s = ttft_s * (1.0 + cells[TTFT_EXCESS] * want.scale)
        tpot_upper_s = cells[TOKEN_S] * (1.0 + cells[TPOT_EXCESS] * want.scale)
        keeps = upper_s <= want.ttft_left_s
        keeps &= tpot_upper_s <= want.tpot_s
        if want.completion_left_s != inf:
            keeps &= upper_s + want.output_upper * tpot_upper_s <= want.completion_left_s
        carbon_ug = cells[WAKE_UG] + want.input_tokens * cells[INPUT_UG]
        carbon_ug += want.produced_tokens * cells[OUTPUT_UG]
        return keeps, ttft_s, carbon_ug

    def energy_uwh(self, want: Want, rows: Rows | slice) -> Floats:
        """Returns the energy of one job on some rows."""
        cells = self.cells[:, rows]
        energy_uwh: Floats = cells[WAKE_UWH] + want.input_tokens * cells[INPUT_UWH]
        energy_uwh += want.produced_tokens * cells[OUTPUT_UWH]
        return energy_uwh


def least(values: Floats, most: int) -> Rows:
    """Returns the rows of the least values, ``most`` of them at most, the least first.

    Infinite ones do not count; of equal ones the first row goes first.
    """
    many = len(values) > most
    limit = np.partition(values, most - 1)[most - 1] if many else np.float64(inf)
    below = np.flatnonzero(values < limit)
    if len(below) < most and limit < inf:
        equal = np.flatnonzero(values == limit)[: most - len(below)]
        below = np.concatenate((below, equal))
    return below[np.argsort(values[below], kind="stable")]
