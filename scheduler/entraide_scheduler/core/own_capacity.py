"""Owed: what a co-op's own nodes could give it, and which of its runs stand for that.

The replicas of a co-op's own nodes are counted in slots by kind: all that decides which jobs they
may ever run. Each run of the co-op that a kind could run is booked on one, wherever in the pool it
runs and whenever it began: on the first kind that has a slot free, else on the least overbooked. A
job is *owed* a turn while a kind that could run it has a slot free. Batch runs beyond a kind's
batch share count against that share and take no slot from other work: the nodes alone would not
have run them. So what is owed is what the co-op's nodes would hold if they worked for it alone.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from entraide_scheduler.core.own_kinds import OwnKind
from entraide_scheduler.core.records import Shape
from entraide_scheduler.core.rules import lies_in

KINDS_PER_MODEL = 16  # of one co-op's replicas of one model; slots of further kinds owe nothing

SHAPES_KEPT = 64  # of which it is remembered which kinds could run them


class OwnSlotsChange(NamedTuple):
    """A change of the slots that a co-op's own nodes have of a kind.

    Attributes:
        coop, kind: whose, and of which kind.
        slots, batch_slots: how many more; negative when fewer.
    """

    coop: str
    kind: OwnKind
    slots: int
    batch_slots: int


def could_run(kind: OwnKind, shape: Shape) -> bool:
    """Tells whether own replicas of a kind may ever run a co-op's jobs of a shape.

    The same as ``rules.LASTING`` for a replica that is there. A job with a carbon cap is not owed:
    whether an own node keeps the cap depends on the moment.
    """
    return (
        kind.model == shape.model
        and not shape.capped
        and kind.context_tokens >= shape.context_tokens
        and shape.data_class in kind.data_classes
        and lies_in(kind.zone, shape.jurisdiction)
        and all(feature in kind.features for feature in shape.features)
    )


class OwnSlots:
    """The slots of one kind, and the runs of the co-op that are booked on them.

    Attributes:
        slots, batch_slots: how many there are, and how many of them batch work may hold.
        batch_runs, other_runs: booked runs of batch work, and of other work.
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
        if batch and batch_runs >= self.batch_slots:
            return False
        other_runs = self.other_runs + orphans.other_runs
        return other_runs + min(batch_runs, self.batch_slots) < self.slots

    def overbooked(self, *, batch: bool) -> int:
        """Returns by how many runs a kind without a free slot is beyond its slots."""
        beyond = self.other_runs + min(self.batch_runs, self.batch_slots) - self.slots
        return max(beyond, self.batch_runs - self.batch_slots) if batch else beyond

    def add_runs(self, runs: "OwnSlots", times: int = 1) -> None:
        """Adds the runs of another count, or takes them off."""
        self.batch_runs += times * runs.batch_runs
        self.other_runs += times * runs.other_runs

    def book(self, *, batch: bool, times: int = 1) -> None:
        """Books a run, or takes it off."""
        if batch:
            self.batch_runs += times
        else:
            self.other_runs += times

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.slots or self.batch_slots or self.batch_runs or self.other_runs)


class OwnModelSlots:
    """A co-op's own slots of one model.

    Attributes:
        orphans: the runs that are booked on kinds of which no slot is left. They count against
            every kind: a node that changes its kind again and again is owed no more for that.
        version: changes whenever other kinds count.
    """

    __slots__ = ("_counts", "_kinds", "_kinds_by_shape", "orphans", "version")

    def __init__(self) -> None:
        self.orphans = OwnSlots()
        self.version = 0
        self._kinds: list[OwnKind] = []  # those that have slots, in order
        self._counts: dict[OwnKind, OwnSlots] = {}
        self._kinds_by_shape: dict[Shape, tuple[tuple[OwnKind, OwnSlots], ...]] = {}

    def add(self, delta: OwnSlotsChange) -> None:
        """Takes in more or fewer slots of a kind."""
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
                self._kinds_by_shape = {}
                self.version += 1
        if count.is_empty:
            del self._counts[kind]

    def is_owed(self, shape: Shape) -> bool:
        """Tells whether a kind that could run a shape has a slot free."""
        orphans, batch = self.orphans, shape.batch
        return any(count.is_free(orphans, batch=batch) for _, count in self.kinds_for(shape))

    def has_free(self, kind: OwnKind, shape: Shape) -> bool:
        """Tells whether a kind could run a shape and has a slot free."""
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
        """Returns the kinds that could run a shape, in order, each with its slots."""
        eligible = self._kinds_by_shape.get(shape)
        if eligible is None:
            if len(self._kinds_by_shape) >= SHAPES_KEPT:
                self._kinds_by_shape = {}
            eligible = self._kinds_by_shape[shape] = tuple(
                (kind, self._counts[kind])
                for kind in self._kinds[:KINDS_PER_MODEL]
                if could_run(kind, shape)
            )
        return eligible

    def book(self, kind: OwnKind, *, batch: bool) -> None:
        """Books a run on a kind."""
        count = self._counts.setdefault(kind, OwnSlots())
        count.book(batch=batch)
        if not count.slots:
            self.orphans.book(batch=batch)

    def release(self, kind: OwnKind, *, batch: bool) -> None:
        """Notes that a run which was booked on a kind is over."""
        count = self._counts[kind]
        count.book(batch=batch, times=-1)
        if not count.slots:
            self.orphans.book(batch=batch, times=-1)
        if count.is_empty:
            del self._counts[kind]

    def counts(self) -> Iterator[tuple[OwnKind, OwnSlots]]:
        """Yields all kinds that are remembered."""
        yield from self._counts.items()
