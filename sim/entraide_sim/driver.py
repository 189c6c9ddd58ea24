"""Driver: virtual time over a heap, and a decision core that knows no other.

It drives the very core that the live scheduler drives: events in, commands out, a ``Woke`` when the
core asked to be woken. What happens at the same moment happens in the order in which it was
scheduled, so that the same world gives the same events. While the core is down, what it would be
told waits. It refuses to know what events mean.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Protocol, Self, runtime_checkable

from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event, Woke

WAKES_MAX = 100_000  # a core that asks for so many wakes at one moment is broken
DEFERRED_MAX = 10_000_000  # events that wait for a core that is down

Action = Callable[[Any], None]


class DecisionCore(Protocol):
    """What decides: the core, or a scheduler to compare it with."""

    def handle(self, event: Event) -> list[Command]:
        """Takes in one event and returns the commands that follow."""

    def next_deadline(self) -> float | None:
        """Returns when it wants to be woken, seconds since the epoch."""


@runtime_checkable
class RestorableCore(DecisionCore, Protocol):
    """A core that can be stopped, and goes on from its snapshot."""

    def snapshot(self) -> bytes:
        """Returns all that it knows."""

    @classmethod
    def restore(cls, data: bytes) -> Self:
        """Returns one that goes on from there."""


class Driver:
    """A clock that jumps from one event to the next.

    Attributes:
        core: what decides; another one after each ``resume_core``.
        now: virtual time, seconds since the epoch.
        events_delivered: how many events the core was told; the next one's identifier.
        actions: how many entries of the heap were carried out.
    """

    def __init__(
        self,
        core: DecisionCore,
        *,
        start_at: float,
        watch: Callable[[Event, list[Command]], None] | None = None,
    ) -> None:
        """Starts a clock.

        Args:
            core: what decides.
            start_at: virtual time to begin at, seconds since the epoch.
            watch: is shown each event with the commands that followed (a journal, a checker).
        """
        self.core = core
        self.now = start_at
        self.events_delivered = 0
        self.actions = 0
        self.execute_command: Callable[[Command], None] = _ignore_command
        self._watch = watch
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._serial = 0
        self._stopped = False
        self._wakes = 0
        self._snapshot = b""  # what a core that is down goes on from
        self._deferred: list[tuple[Callable[..., Event], tuple[Any, ...]]] | None = None

    def schedule(self, moment: float, act: Action, what: Any = None) -> None:
        """Schedules ``act(what)``; a moment that has passed counts as now."""
        self._serial = serial = self._serial + 1
        heappush(self._heap, (moment, serial, act, what))

    def deliver(self, kind: Callable[..., Event], *values: Any) -> None:
        """Tells the core an event that happens now, and has its commands carried out.

        Carrying a command out may schedule, but never tell: one event is over before the next.
        While the core is down the event waits, and happens when the core is back.
        """
        if self._deferred is not None:
            assert len(self._deferred) < DEFERRED_MAX, "too much waits for a core that is down"
            self._deferred.append((kind, values))
            return
        self.events_delivered = number = self.events_delivered + 1
        event = kind(number, self.now, *values)
        asked = self.core.handle(event)
        if self._watch is not None:
            self._watch(event, asked)
        carry_out = self.execute_command
        for command in asked:
            carry_out(command)

    def halt_core(self) -> bool:
        """Stops the core, which leaves a snapshot; returns False when it is down already."""
        if self._deferred is not None:
            return False
        assert isinstance(self.core, RestorableCore), "this core leaves no snapshot"
        self._snapshot, self._deferred = self.core.snapshot(), []
        return True

    def resume_core(self, kind: Callable[..., Event], *values: Any) -> None:
        """Starts a halted core again from its snapshot, and tells it what has waited.

        Args:
            kind: of the event that it is told first.
            *values: of that event, as in ``tell``.
        """
        waiting = self._deferred
        assert waiting is not None, "the core is not down"
        assert isinstance(self.core, RestorableCore)
        self.core, self._snapshot, self._deferred = self.core.restore(self._snapshot), b"", None
        self.deliver(kind, *values)
        for late, said in waiting:
            self.deliver(late, *said)

    def stop(self) -> None:
        """Ends ``run`` once the present entry is carried out."""
        self._stopped = True

    def run(self, until: float = inf) -> None:
        """Lets time pass until that moment, until ``stop``, or until nothing is left to happen.

        Args:
            until: seconds since the epoch; what is due at it still happens.
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
                )  # only what it is told changes it
            if due is not None and due < at:
                if due > until:
                    break
                self._wake_core(due)
                continue
            if at > until or not heap:
                break
            _, _, act, what = heappop(heap)
            if at > self.now:
                self.now = at
                self._wakes = 0
            self.actions += 1
            act(what)
        if not self._stopped and until < inf:
            self.now = max(self.now, until)

    def _next_wake(self) -> float | None:
        return self.core.next_deadline() if self._deferred is None else None

    def _wake_core(self, due: float) -> None:
        if due > self.now:
            self.now = due
            self._wakes = 0
        self._wakes += 1
        assert self._wakes <= WAKES_MAX, f"the core wants to be woken at {due} without end"
        self.deliver(Woke)


def _ignore_command(_: Command) -> None:
    """Carries out nothing: there is no world yet."""
