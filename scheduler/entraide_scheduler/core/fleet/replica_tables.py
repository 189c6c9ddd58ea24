"""Replica tables: the replicas of each model as columns, kept as nodes come, go and change.

A table is built when a search first needs it. Then a replica that changes writes its row; a node
that comes, goes or says hello again has its row inserted, deleted or replaced before the next
search, unless so many do that a new table costs less.

Inputs: replica views. Output: a ``ReplicaTable`` with its views by row.
"""

from bisect import bisect_left
from operator import attrgetter

from entraide.types import Basis
from entraide_scheduler.core.carbon import EffectiveIntensity
from entraide_scheduler.core.fleet.replica_table import ReplicaTable, TableRow
from entraide_scheduler.core.prediction import CostModel
from entraide_scheduler.core.records import OwnKind
from entraide_scheduler.core.rules import LoadedReplica

NO_SLOTS = (0, 0)
ROWS_PATCHED_MAX = 16  # changed rows beyond which a table is built anew


class ReplicaView(LoadedReplica, eq=False):
    """One replica, with its cost and its blocked bits.

    Attributes:
        name, coop, zone: the node's name, co-op and zone.
        effective: effective intensity of an extra load.
        cost: cost of one more job.
        typical_input_uwh, typical_output_uwh: energy of a prompt token, and of an answer token at
            a full batch, by the card.
        own_kind: properties that decide which jobs of its own co-op the replica can run.
        row: row in the model's table; -1 without a table.
        counted_slots: slots, and slots for batch work, counted as its co-op's own.
        listed: what an explanation lists whatever the job: name, co-op, zone, intensity, its basis,
            surplus.
    """

    name: str
    coop: str
    zone: str
    effective: EffectiveIntensity
    cost: CostModel[float]
    typical_input_uwh: float
    typical_output_uwh: float
    own_kind: OwnKind
    row: int = -1
    counted_slots: tuple[int, int] = NO_SLOTS
    listed: tuple[str, str, str, float, Basis, float] = ("", "", "", 0.0, Basis.DEFAULT, 0.0)

    def set_intensity(self, effective: EffectiveIntensity) -> None:
        """Sets the effective intensity of an extra load."""
        self.effective, g_per_kwh = effective, effective.direct_g_per_kwh
        place = self.name, self.coop, self.zone
        self.listed = *place, g_per_kwh, effective.basis, effective.surplus_w


NO_VIEWS: dict[str, ReplicaView] = {}
_name_of = attrgetter("name")


def _row_of(view: ReplicaView) -> TableRow:
    return view.cost, view.blocked_bits, view.load.lend_slots > 0, view.zone, view.coop


class ReplicaTables:
    """The tables that searches have needed.

    Args:
        by_model: the replicas by model and node.
    """

    def __init__(self, by_model: dict[str, dict[str, ReplicaView]]) -> None:
        self._by_model = by_model
        self._tables: dict[str, tuple[ReplicaTable, list[ReplicaView]]] = {}
        self._changed: dict[str, dict[str, None]] = {}  # nodes whose rows are to be patched
        self._rows: dict[str, tuple[ReplicaTable, int, dict[str, int]]] = {}

    def get(self, model: str) -> tuple[ReplicaTable, list[ReplicaView]]:
        """Returns a model's replicas as columns and as rows, in order of node name."""
        known = self._tables.get(model)
        if known is not None:
            if model not in self._changed:
                return known
            changed = self._changed.pop(model)
            if len(changed) <= ROWS_PATCHED_MAX:
                for name in changed:
                    _patch_row(*known, self._by_model[model].get(name), name)
                return known
        views = self._by_model[model]
        rows = [views[name] for name in sorted(views)]
        for row, view in enumerate(rows):
            view.row = row
        table = ReplicaTable([_row_of(view) for view in rows])
        self._tables[model] = table, rows
        return table, rows

    def rows_of(self, model: str) -> dict[str, int]:
        """Returns the rows of a model's table by node name; cached."""
        table, views = self.get(model)
        known = self._rows.get(model)
        if known is None or known[0] is not table or known[1] != table.version:
            known = table, table.version, {view.name: row for row, view in enumerate(views)}
            self._rows[model] = known
        return known[2]

    def note_change(self, model: str, name: str) -> None:
        """Notes that a node came, went or changed; its model's last node takes the table along."""
        if model not in self._by_model:
            self._tables.pop(model, None)
            self._changed.pop(model, None)
            self._rows.pop(model, None)
        elif model in self._tables:
            self._changed.setdefault(model, {})[name] = None

    def write(self, view: ReplicaView) -> None:
        """Updates the row of a replica that has one."""
        table, _ = self._tables[view.replica.model]
        lends = view.load.lend_slots > 0
        table.write_row(view.row, view.cost, view.blocked_bits, lends=lends)

    def write_free_at(self, view: ReplicaView) -> None:
        """Updates the end of the queued prompts of a replica that has a row."""
        self._tables[view.replica.model][0].write_free_at(view.row, view.cost.free_at)


def _patch_row(
    table: ReplicaTable, rows: list[ReplicaView], view: ReplicaView | None, name: str
) -> None:
    """Replaces, inserts or deletes the row of one node."""
    row = bisect_left(rows, name, key=_name_of)
    if row < len(rows) and rows[row].name == name:
        before = rows[row]
        if view is not None and (view.zone, view.coop) == (before.zone, before.coop):
            rows[row], view.row = view, row
            cost, bits, lends, *_ = _row_of(view)
            table.write_row(row, cost, bits, lends=lends)
            return
        del rows[row]
        table.delete_row(row)
    if view is not None:
        rows.insert(row, view)
        table.insert_row(row, _row_of(view))
    for number in range(row, len(rows)):
        rows[number].row = number
