"""Own capacity: the slots that a co-op's own nodes have, and the runs booked on them.

Slots are counted by kind of replica (``own_kinds``), which determines the jobs that a replica may
ever run. Each run of the co-op that a kind could run is booked on one kind, wherever in the pool
the run takes place: on the first kind with a free slot, else on the least overbooked one. A job is
*owed* a turn while a kind that could run it has a free slot. So a co-op is owed what its own nodes
would hold if they served it alone. Batch runs beyond a kind's batch share are booked on that share
and take no slot from other work, since own nodes alone would not have run them.
Proof: ``docs/concepts/fairness.md``.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from entraide_scheduler.core.records import OwnKind, Shape
from entraide_scheduler.core.rules.bounded_cache import BoundedCache
from entraide_scheduler.core.rules.node_rules import is_suitable
from entraide_scheduler.core.rules.rule import Needs, needs_of

KINDS_PER_MODEL = 16  # per co-op; slots of further kinds give no owed turn

NEEDS_KEPT = 64  # combinations of needs whose kinds are cached


class OwnSlotsChange(NamedTuple):
    """A change of the number of slots of one kind of a co-op's own nodes.

    Attributes:
        coop, kind: the owner and the kind of replica.
        slots, batch_slots: increase, negative for a decrease.
    """

    coop: str
    kind: OwnKind
    slots: int
    batch_slots: int


NO_KINDS: tuple[tuple[OwnKind, "OwnSlots"], ...] = ()


def could_run(kind: OwnKind, needs: Needs) -> bool:
    """Tells whether own replicas of a kind may ever run a co-op's jobs with these needs."""
    own = needs.coop  # the kinds are the asking co-op's
    return kind.model == needs.model and is_suitable(kind, kind, own, needs)


class OwnSlots:
    """The slots of one kind, and the runs of the co-op that are booked on them.

    Attributes:
        slots, batch_slots: number of slots, and of those that batch work may hold.
        batch_runs, other_runs: number of booked runs of batch work and of other work.
    """

    __slots__ = ("batch_runs", "batch_slots", "other_runs", "slots")

    def __init__(self) -> None:
        self.slots = self.batch_slots = self.batch_runs = self.other_runs = 0

    def is_free(self, orphans: "OwnSlots", *, batch: bool) -> bool:
        """Tells whether a slot is free, for batch work or for other work.

        Args:
            orphans: runs that count against every kind.
            batch: whether the slot is for batch work.
        """
        batch_runs = self.batch_runs + orphans.batch_runs
        if batch_runs >= self.batch_slots:
            if batch:
                return False
            batch_runs = self.batch_slots
        return self.other_runs + orphans.other_runs + batch_runs < self.slots

    def overbooked(self, *, batch: bool) -> int:
        """Returns by how many runs a kind without a free slot exceeds its slots."""
        beyond = self.other_runs + min(self.batch_runs, self.batch_slots) - self.slots
        return max(beyond, self.batch_runs - self.batch_slots) if batch else beyond

    def add_runs(self, runs: "OwnSlots", times: int = 1) -> None:
        """Adds the runs of another kind ``times`` times; subtracts them if negative."""
        self.batch_runs += times * runs.batch_runs
        self.other_runs += times * runs.other_runs

    def book(self, *, batch: bool, times: int = 1) -> None:
        """Books a run ``times`` times; releases it if negative."""
        if batch:
            self.batch_runs += times
        else:
            self.other_runs += times

    @property
    def is_empty(self) -> bool:
        """Whether there are no slots and no runs."""
        return not (self.slots or self.batch_slots or self.batch_runs or self.other_runs)


class OwnModelSlots:
    """A co-op's own slots of one model.

    Attributes:
        orphans: runs booked on kinds that have no slot any more. They count against every kind, so
            a node that changes its kind repeatedly gains nothing.
        version: changes whenever the set of counted kinds does.
    """

    __slots__ = ("_counts", "_kinds", "_kinds_by_needs", "orphans", "version")

    def __init__(self) -> None:
        self.orphans = OwnSlots()
        self.version = 0
        self._kinds: list[OwnKind] = []  # kinds with slots, sorted
        self._counts: dict[OwnKind, OwnSlots] = {}
        self._kinds_by_needs: BoundedCache[tuple[tuple[OwnKind, OwnSlots], ...]] = BoundedCache(
            NEEDS_KEPT
        )

    def add(self, delta: OwnSlotsChange) -> None:
        """Changes the number of slots of a kind."""
        kind = delta.kind
        count = self._counts.setdefault(kind, OwnSlots())
        had_slots = count.slots > 0
        count.slots += delta.slots
        count.batch_slots += delta.batch_slots
        has_slots = count.slots > 0
        if has_slots != had_slots:
            self.orphans.add_runs(count, -1 if has_slots else 1)
            index = bisect_left(self._kinds, kind)
            if has_slots:
                insort(self._kinds, kind)
            else:
                del self._kinds[index]
            if index < KINDS_PER_MODEL:
                self._kinds_by_needs.clear()
                self.version += 1
        if count.is_empty:
            del self._counts[kind]

    def is_owed(self, shape: Shape) -> bool:
        """Tells whether a kind that could run a shape has a free slot."""
        orphans, batch = self.orphans, shape.batch
        return any(count.is_free(orphans, batch=batch) for _, count in self.kinds_for(shape))

    def has_free(self, kind: OwnKind, shape: Shape) -> bool:
        """Tells whether a kind could run a shape and has a free slot."""
        return any(
            eligible == kind and count.is_free(self.orphans, batch=shape.batch)
            for eligible, count in self.kinds_for(shape)
        )

    def kind_to_book(self, shape: Shape) -> OwnKind | None:
        """Returns the kind on which a run of a shape is booked; None when none could run it."""
        eligible, batch = self.kinds_for(shape), shape.batch
        for kind, count in eligible:
            if count.is_free(self.orphans, batch=batch):
                return kind
        least_overbooked = min(
            eligible, key=lambda kind: kind[1].overbooked(batch=batch), default=None
        )
        return None if least_overbooked is None else least_overbooked[0]

    def kinds_for(self, shape: Shape) -> tuple[tuple[OwnKind, OwnSlots], ...]:
        """Returns the kinds that could run a shape, in order, each with its slots.

        A job with a carbon cap is never owed a turn, since whether an own node keeps the cap
        depends on the time.
        """
        if shape.capped:
            return NO_KINDS
        key = needs_of(shape)
        eligible = self._kinds_by_needs.get(key)
        if eligible is None:
            eligible = tuple(
                (kind, self._counts[kind])
                for kind in self._kinds[:KINDS_PER_MODEL]
                if could_run(kind, shape)
            )
            self._kinds_by_needs.put(key, eligible)
        return eligible

    def book(self, kind: OwnKind, *, batch: bool) -> None:
        """Books a run on a kind."""
        count = self._counts.setdefault(kind, OwnSlots())
        count.book(batch=batch)
        if not count.slots:
            self.orphans.book(batch=batch)

    def release(self, kind: OwnKind, *, batch: bool) -> None:
        """Releases a run that was booked on a kind."""
        count = self._counts[kind]
        count.book(batch=batch, times=-1)
        if not count.slots:
            self.orphans.book(batch=batch, times=-1)
        if count.is_empty:
            del self._counts[kind]

    def counts(self) -> Iterator[tuple[OwnKind, OwnSlots]]:
        """Yields all kinds with slots or runs."""
        yield from self._counts.items()
