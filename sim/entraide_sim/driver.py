"""Driver: discrete-event simulation of one decision core in virtual time.

Pops the next entry of a heap, sets the clock to its time and runs its action; actions deliver
events to the core, and the core's commands go to ``execute``. A ``Woke`` event is delivered
at each deadline that the core names. Entries of the same moment run in the order in which they were
scheduled, so the same inputs give the same events. While the core is stopped, events are queued and
delivered after its restart.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Protocol, Self, runtime_checkable

from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event, Woke
from entraide_scheduler.core.prefix_index import PrefixIndex

WAKES_MAX = 100_000  # wake-ups at one moment; a core that asks for more is broken
DEFERRED_MAX = 10_000_000  # events queued while the core is stopped

Action = Callable[[Any], None]


class DecisionCore(Protocol):
    """The scheduler core, or a scheduler to compare with it."""

    def handle(self, event: Event) -> list[Command]:
        """Handles one event and returns its commands."""

    def next_deadline(self) -> float | None:
        """Returns the next wake-up time, seconds since the epoch."""


@runtime_checkable
class RestorableCore(DecisionCore, Protocol):
    """A core that can be stopped and restored from a snapshot."""

    def snapshot(self) -> bytes:
        """Returns the core's state, encoded."""

    @classmethod
    def restore(cls, data: bytes) -> Self:
        """Returns a core with the state of a snapshot."""


def _ignore_command(_: Command) -> None:
    """Executes nothing."""


class Driver:
    """A virtual clock with a heap of scheduled actions.

    Attributes:
        core: the decision core; replaced by each ``resume_core``.
        prefixes: the index that fills a request's ``warm``, as the live driver's does.
        now: virtual time, seconds since the epoch.
        events_delivered: number of delivered events, and identifier of the last one.
        actions: number of heap entries that were run.
    """

    def __init__(
        self,
        core: DecisionCore,
        *,
        start_at: float,
        execute: Callable[[Command], None] = _ignore_command,
        watch: Callable[[Event, list[Command]], None] | None = None,
    ) -> None:
        """Creates the clock.

        Args:
            core: the decision core.
            start_at: virtual start time, seconds since the epoch.
            execute: called with each command.
            watch: called with each event and the commands that follow (a journal, a checker).
        """
        self.core = core
        self.prefixes = PrefixIndex()
        self.now = start_at
        self.events_delivered = 0
        self.actions = 0
        self._execute = execute
        self._watch = watch
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._serial = 0
        self._stopped = False
        self._wakes = 0
        self._snapshot = b""  # of a stopped core
        self._deferred: list[tuple[Callable[..., Event], tuple[Any, ...]]] | None = None

    def schedule(self, moment: float, action: Action, argument: Any = None) -> None:
        """Schedules ``action(argument)``; a past moment counts as now."""
        self._serial = serial = self._serial + 1
        heappush(self._heap, (moment, serial, action, argument))

    def deliver(self, kind: Callable[..., Event], *values: Any) -> None:
        """Delivers an event that happens now to the core, and executes its commands.

        Executing a command may schedule actions but must not deliver events: one event is complete
        before the next. While the core is stopped, the event is queued until it resumes.
        """
        if self._deferred is not None:
            assert len(self._deferred) < DEFERRED_MAX, "too many events for a stopped core"
            self._deferred.append((kind, values))
            return
        self.events_delivered = number = self.events_delivered + 1
        event = self.prefixes.prepare(kind(number, self.now, *values))
        commands = self.core.handle(event)
        self.prefixes.observe(event, commands)
        if self._watch is not None:
            self._watch(event, commands)
        execute = self._execute
        for command in commands:
            execute(command)

    @property
    def is_halted(self) -> bool:
        """Whether the core is stopped."""
        return self._deferred is not None

    def halt_core(self) -> bool:
        """Stops the core and keeps its snapshot; returns False if it is stopped already."""
        if self._deferred is not None:
            return False
        assert isinstance(self.core, RestorableCore), "this core has no snapshots"
        self._snapshot, self._deferred = self.core.snapshot(), []
        return True

    def resume_core(self, kind: Callable[..., Event], *values: Any) -> None:
        """Restores a stopped core from its snapshot, and delivers the queued events.

        Args:
            kind: of the first event to deliver.
            *values: of that event, as in ``deliver``.
        """
        deferred = self._deferred
        assert deferred is not None, "the core is not stopped"
        assert isinstance(self.core, RestorableCore)
        self.core, self._snapshot, self._deferred = self.core.restore(self._snapshot), b"", None
        self.deliver(kind, *values)
        for late_kind, late_values in deferred:
            self.deliver(late_kind, *late_values)

    def stop(self) -> None:
        """Ends ``run`` after the current entry."""
        self._stopped = True

    def run(self, until: float = inf) -> None:
        """Runs until a moment, until ``stop``, or until the heap is empty.

        Args:
            until: seconds since the epoch; entries due at that moment are still run.
        """
        heap = self._heap
        self._stopped = False
        due, delivered = self._next_wake(), self.events_delivered
        while not self._stopped:
            at = heap[0][0] if heap else inf
            if delivered != self.events_delivered or self._deferred is not None:
                due, delivered = (
                    self._next_wake(),
                    self.events_delivered,
                )  # only events change the core's deadline
            if due is not None and due < at:
                if due > until:
                    break
                self._wake_core(due)
                continue
            if at > until or not heap:
                break
            _, _, action, argument = heappop(heap)
            if at > self.now:
                self.now = at
                self._wakes = 0
            self.actions += 1
            action(argument)
        if not self._stopped and until < inf:
            self.now = max(self.now, until)

    def _next_wake(self) -> float | None:
        return self.core.next_deadline() if self._deferred is None else None

    def _wake_core(self, due: float) -> None:
        if due > self.now:
            self.now = due
            self._wakes = 0
        self._wakes += 1
        assert self._wakes <= WAKES_MAX, f"the core asks to be woken at {due} without end"
        self.deliver(Woke)
