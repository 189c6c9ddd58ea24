"""Feeding: gives events to a core and what came of them to the oracle; forks, replays, shrinks.

A journal holds the events of a world, without the wakes, and the places of its forks and its calm.
The wakes follow from the core's own deadlines, so a part of a journal is a journal, too.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from time import process_time

import msgspec
from msgspec import Struct
from tests.core.fuzz.oracle import Oracle, Violation

from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core

WAKES_MAX = 10_000  # between two events
FIRST_WAKE_ID = 1_000_000_000


class Fork(Struct, frozen=True, tag="fork", array_like=True):
    """From here on, a core restored from a snapshot runs beside the first one."""


class Calm(Struct, frozen=True, tag="calm", array_like=True):
    """All machines are up: a job that still waits would never start."""


Item = events.Event | Fork | Calm
Journal = Sequence[Item]
_decoder = msgspec.msgpack.Decoder(list[events.Event])
_files = msgspec.msgpack.Decoder(list[Item])


class Feeder:
    """One core and its oracle.

    Attributes:
        journal: what was fed, without the wakes.
        events: what was fed, with them.
        forks: number of restored cores.
        counts: number of commands by kind.
    """

    def __init__(self) -> None:
        self.core, self.oracle = Core(), Oracle()
        self.journal: list[Item] = []
        self.events: list[events.Event] = []
        self.counts: Counter[str] = Counter()
        self.forks = 0
        self._twin: Core | None = None
        self._digest = hashlib.sha256()
        self._wake_id = FIRST_WAKE_ID

    def feed(self, item: Item) -> list[commands.Command]:
        """Feeds an event, after the wakes that are due before it; returns all commands."""
        self.journal.append(item)
        if isinstance(item, Fork):
            self._fork()
            return []
        if isinstance(item, Calm):
            self.oracle.finish()
            return []
        asked: list[commands.Command] = []
        if not isinstance(item, events.SchedulerStarted):  # no scheduler runs before its start
            asked = self._wake(item.at)
        return asked + self._handle(item)

    def _wake(self, until: float) -> list[commands.Command]:
        asked: list[commands.Command] = []
        for _ in range(WAKES_MAX):
            due = self.core.next_deadline()
            if due is None or due > until:
                return asked
            self._wake_id += 1
            asked += self._handle(events.Woke(self._wake_id, max(due, self.oracle.now)))
        raise Violation("deadline_stays_due", f"the core asks for {due} again and again")

    def _handle(self, event: events.Event) -> list[commands.Command]:
        self.events.append(event)
        try:
            asked = self.core.handle(event)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise Violation("core_raises", text, error) from error
        packed = msgspec.msgpack.encode(asked)
        self._digest.update(packed)
        self.counts.update(type(command).__name__ for command in asked)
        self.oracle.see(event, asked)
        if self._twin is not None:
            self._compare(event, packed)
        return asked

    def _fork(self) -> None:
        self._finish_fork()
        data = self.core.snapshot()
        self._twin = Core.restore(data)
        self.forks += 1
        if self._twin.snapshot() != data:
            raise Violation("recovery_differs", "a restored core has another snapshot")

    def _compare(self, event: events.Event, packed: bytes) -> None:
        assert self._twin is not None
        try:
            again = msgspec.msgpack.encode(self._twin.handle(event))
        except Exception as error:
            text = f"a restored core raises {error!r}"
            raise Violation("recovery_differs", text, error) from error
        if again != packed:
            raise Violation("recovery_differs", "a restored core gives other commands")
        if self._twin.next_deadline() != self.core.next_deadline():
            raise Violation("recovery_differs", "a restored core has another deadline")

    def _finish_fork(self) -> None:
        if self._twin is not None and self._twin.snapshot() != self.core.snapshot():
            raise Violation("recovery_differs", "a restored core comes to another state")

    def finish(self) -> None:
        """Ends the last fork, and replays all events from their bytes."""
        self._finish_fork()
        core, digest = Core(), hashlib.sha256()
        for event in _decoder.decode(msgspec.msgpack.encode(self.events)):
            digest.update(msgspec.msgpack.encode(core.handle(event)))
        if digest.digest() != self._digest.digest():
            raise Violation("recovery_differs", "a replay of the journal gives other commands")


def run_journal(journal: Journal) -> tuple[Feeder, Violation | None]:
    """Feeds a journal to a new core; returns what it found first."""
    feeder = Feeder()
    try:
        for item in journal:
            feeder.feed(item)
    except Violation as violation:
        return feeder, violation
    return feeder, None


def shrink(
    journal: Journal,
    violation: Violation,
    *,
    seconds: float,
    clock: Callable[[], float] = process_time,
) -> list[Item]:
    """Returns a small part of a journal with the same fault.

    Leaves out ever smaller groups of events (Zeller and Hildebrandt, "Simplifying and isolating
    failure-inducing input", IEEE TSE 2002) until the time is spent: first those of whole jobs, then
    single ones.
    """
    until, kept = clock() + seconds, list(journal)
    for group_of in (_job_of, id):
        names = list(dict.fromkeys(map(group_of, kept)))
        size = (len(names) + 1) // 2
        while size and clock() < until:
            start = 0
            while start < len(names) and clock() < until:
                left_out = {*names[start : start + size]} - {None}
                trial = [item for item in kept if group_of(item) not in left_out]
                feeder, broken = run_journal(trial) if left_out else (None, None)
                if feeder is not None and broken is not None and broken.fault == violation.fault:
                    kept, names = feeder.journal, names[:start] + names[start + size :]
                else:
                    start += size
            size //= 2
    return kept


def _job_of(item: Item) -> str | None:
    """Returns the job that an event is about; None if it is about another thing."""
    if isinstance(item, events.JobRequested):
        return item.facts.job
    return getattr(item, "job", None)


def pack(journal: Journal) -> bytes:
    """Returns a journal as bytes, for a file."""
    return msgspec.msgpack.encode(list(journal))


def unpack(data: bytes) -> list[Item]:
    """Returns the journal of a file."""
    return _files.decode(data)
