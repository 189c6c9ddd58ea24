"""Replica table: the replicas of one model as numpy columns.

Rows are in order of node name, so the first of equal rows has the first name.

Inputs: cost models, blocked bits, whether slots are lent, zones and co-ops. Outputs: the same as
columns, bounds at a confidence, and the rows of the least values.
"""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from entraide_scheduler.core.prediction import (
    Bools,
    Bounds,
    CostModel,
    EnergyCost,
    Floats,
    upper_bounds,
)
from entraide_scheduler.core.rules import REPLICA_RULES, REQUESTER_MASKS, blocked_codes

BLOCK = 32  # rows per block minimum, in ``_selection_bound``

Bits = NDArray[np.int64]
Codes = NDArray[np.int8]
Rows = NDArray[np.intp]
NO_ROWS: Rows = np.array([], np.intp)

SCALES_KEPT = 4  # cached bounds: one per confidence of a class


def _index_names(names: list[str]) -> tuple[list[str], Rows]:
    """Returns the sorted distinct names and, by row, the index of its name."""
    distinct = sorted(set(names))
    order = {name: number for number, name in enumerate(distinct)}
    return distinct, np.array([order[name] for name in names], np.intp)


def _number_of(name: str, names: list[str]) -> int:
    """Returns the index of a name; appends a missing one."""
    if name not in names:
        names.append(name)
    return names.index(name)


def first_codes(bits: Bits) -> Codes:
    """Returns ``rules.first_code`` of each row."""
    codes = np.zeros(len(bits), np.int8)
    for place in reversed(range(len(REPLICA_RULES))):
        codes[bits & (1 << place) != 0] = place + 1
    return codes


TableRow = tuple[CostModel[float], int, bool, str, str]


class ReplicaTable:
    """One model's replicas as columns.

    Attributes:
        cells: cost models, shape (15, rows).
        cost: the rows of ``cells``, one column per quantity.
        blocked_bits: by row, the temporary filters that exclude some job.
        blocked_by: the first filter's code, shape (4 requesters, rows).
        lends: by row, whether other co-ops may hold a slot of the replica.
        zones: by row, index in ``zone_names``.
        coops: by row, index in ``coop_names``.
        counts: by requester, number of rows with each code.
        version: changes when a row is inserted or deleted.
    """

    def __init__(self, rows: Sequence[TableRow]) -> None:
        self.cells: Floats = np.array([astuple(cost) for cost, *_ in rows], np.float64).T.copy()
        self.cost: CostModel[Floats] = CostModel(*self.cells)
        self.blocked_bits: Bits = np.array([bits for _, bits, *_ in rows], np.int64)
        self.blocked_by = np.array(
            [first_codes(self.blocked_bits & mask) for mask in REQUESTER_MASKS]
        )
        self.lends: Bools = np.array([lends for _, _, lends, *_ in rows], np.bool_)
        self.zone_names, self.zones = _index_names([zone for *_, zone, _ in rows])
        self.coop_names, self.coops = _index_names([coop for *_, coop in rows])
        self.version = 0
        self._bounds: dict[float, Bounds[Floats]] = {}
        self._codes = [blocked_codes(bits) for _, bits, *_ in rows]
        self.counts = [[0] * (len(REPLICA_RULES) + 1) for _ in REQUESTER_MASKS]
        for codes in self._codes:
            self._count(codes, 1)

    def insert_row(self, row: int, values: TableRow) -> None:
        """Inserts a replica before a row."""
        cost, bits, lends, zone, coop = values
        codes = blocked_codes(bits)
        self._set_cells(np.insert(self.cells, row, astuple(cost), axis=1))
        self.blocked_bits = np.insert(self.blocked_bits, row, bits)
        self.blocked_by = np.insert(self.blocked_by, row, codes, axis=1)
        self.lends = np.insert(self.lends, row, lends)
        self.zones = np.insert(self.zones, row, _number_of(zone, self.zone_names))
        self.coops = np.insert(self.coops, row, _number_of(coop, self.coop_names))
        self._codes.insert(row, codes)
        self._count(codes, 1)

    def delete_row(self, row: int) -> None:
        """Deletes a replica; its zone and co-op keep their names."""
        self._set_cells(np.delete(self.cells, row, axis=1))
        self.blocked_bits = np.delete(self.blocked_bits, row)
        self.blocked_by = np.delete(self.blocked_by, row, axis=1)
        self.lends = np.delete(self.lends, row)
        self.zones, self.coops = np.delete(self.zones, row), np.delete(self.coops, row)
        self._count(self._codes.pop(row), -1)

    def _set_cells(self, cells: Floats) -> None:
        self.version += 1
        self.cells = np.ascontiguousarray(cells)
        self.cost = CostModel(*self.cells)
        self._bounds.clear()

    def write_row(self, row: int, cost: CostModel[float], bits: int, *, lends: bool) -> None:
        """Updates the row of a replica."""
        self.cells[:, row] = astuple(cost)
        self.lends[row] = lends
        for scale, columns in self._bounds.items():
            for column, bound in zip(columns, upper_bounds(cost, scale), strict=True):
                column[row] = bound
        self.blocked_bits[row] = bits
        before, codes = self._codes[row], blocked_codes(bits)
        if codes != before:
            self._count(before, -1)
            self._count(codes, 1)
            self._codes[row] = codes
            self.blocked_by[:, row] = codes

    def write_free_at(self, row: int, free_at: float) -> None:
        """Updates the end of the queued prompts of a replica."""
        self.cost.free_at[row] = free_at

    def _count(self, codes: tuple[int, int, int, int], times: int) -> None:
        own, other, own_batch, other_batch = self.counts
        own[codes[0]] += times
        other[codes[1]] += times
        own_batch[codes[2]] += times
        other_batch[codes[3]] += times

    def first_blocked(self, requester: int, code: int) -> int:
        """Returns the first row with a code; one must exist."""
        return int((self.blocked_by[requester] == code).argmax())

    def above_intensity(self, max_g_per_kwh: Mapping[str, float]) -> Bools:
        """Returns which rows have an intensity above the limit of their zone."""
        most = np.array([max_g_per_kwh.get(zone, 0.0) for zone in self.zone_names], np.float64)
        dearer: Bools = self.cost.g_per_kwh > most[self.zones]
        return dearer

    def lent_left_uwh(self, left_uwh: Mapping[str, int]) -> Floats:
        """Returns by row the energy that its co-op still lends; infinite without a limit."""
        by_coop = np.array([left_uwh.get(coop, inf) for coop in self.coop_names], np.float64)
        by_row: Floats = by_coop[self.coops]
        return by_row

    def energy_cost_at(self, rows: Rows) -> EnergyCost[Floats]:
        """Returns the energy of one more job on some rows, by its tokens."""
        cost = self.cost
        return EnergyCost(
            cost.wake_uwh.take(rows), cost.input_uwh.take(rows), cost.output_uwh.take(rows)
        )

    def bounds_at(self, scale: float) -> Bounds[Floats]:
        """Returns the upper bounds of all rows at a confidence, cached by scale."""
        bounds = self._bounds.get(scale)
        if bounds is None:
            if len(self._bounds) == SCALES_KEPT:
                self._bounds.clear()
            bounds = self._bounds[scale] = upper_bounds(self.cost, scale)
        return bounds


def min_value(values: Floats) -> float:
    """Returns the least value; ``argmin`` takes half the time of a reduction."""
    return values.item(values.argmin())


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
