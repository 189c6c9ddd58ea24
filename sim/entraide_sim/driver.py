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
WAITING_MAX = 10_000_000  # events that wait for a core that is down

Act = Callable[[Any], None]


class Decider(Protocol):
    """What decides: the core, or a scheduler to compare it with."""

    def handle(self, event: Event) -> list[Command]:
        """Takes in one event and returns the commands that follow."""

    def next_deadline(self) -> float | None:
        """Returns when it wants to be woken, seconds since the epoch."""


@runtime_checkable
class Kept(Decider, Protocol):
    """A core that can be stopped, and goes on from its snapshot."""

    def snapshot(self) -> bytes:
        """Returns all that it knows."""

    @classmethod
    def restore(cls, data: bytes) -> Self:
        """Returns one that goes on from there."""


class Driver:
    """A clock that jumps from one event to the next.

    Attributes:
        core: what decides; another one after each ``resume``.
        now: virtual time, seconds since the epoch.
        events: how many events the core was told; the next one's identifier.
        acts: how many entries of the heap were carried out.
    """

    def __init__(
        self,
        core: Decider,
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
        self.events = 0
        self.acts = 0
        self.carry_out: Callable[[Command], None] = _nothing
        self._watch = watch
        self._heap: list[tuple[float, int, Act, Any]] = []
        self._serial = 0
        self._stopped = False
        self._wakes = 0
        self._kept = b""  # what a core that is down goes on from
        self._waiting: list[tuple[Callable[..., Event], tuple[Any, ...]]] | None = None

    def at(self, moment: float, act: Act, what: Any = None) -> None:
        """Schedules ``act(what)``; a moment that has passed counts as now."""
        self._serial = serial = self._serial + 1
        heappush(self._heap, (moment, serial, act, what))

    def tell(self, kind: Callable[..., Event], *values: Any) -> None:
        """Tells the core an event that happens now, and has its commands carried out.

        Carrying a command out may schedule, but never tell: one event is over before the next.
        While the core is down the event waits, and happens when the core is back.
        """
        if self._waiting is not None:
            assert len(self._waiting) < WAITING_MAX, "too much waits for a core that is down"
            self._waiting.append((kind, values))
            return
        self.events = number = self.events + 1
        event = kind(number, self.now, *values)
        asked = self.core.handle(event)
        if self._watch is not None:
            self._watch(event, asked)
        carry_out = self.carry_out
        for command in asked:
            carry_out(command)

    def halt(self) -> bool:
        """Stops the core, which leaves a snapshot; returns False when it is down already."""
        if self._waiting is not None:
            return False
        assert isinstance(self.core, Kept), "this core leaves no snapshot"
        self._kept, self._waiting = self.core.snapshot(), []
        return True

    def resume(self, kind: Callable[..., Event], *values: Any) -> None:
        """Starts a halted core again from its snapshot, and tells it what has waited.

        Args:
            kind: of the event that it is told first.
            *values: of that event, as in ``tell``.
        """
        waiting = self._waiting
        assert waiting is not None, "the core is not down"
        assert isinstance(self.core, Kept)
        self.core, self._kept, self._waiting = self.core.restore(self._kept), b"", None
        self.tell(kind, *values)
        for late, said in waiting:
            self.tell(late, *said)

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
        due, told = self._due(), self.events
        while not self._stopped:
            at = heap[0][0] if heap else inf
            if told != self.events or self._waiting is not None:
                due, told = self._due(), self.events  # only what it is told changes it
            if due is not None and due < at:
                if due > until:
                    break
                self._wake(due)
                continue
            if at > until or not heap:
                break
            _, _, act, what = heappop(heap)
            if at > self.now:
                self.now = at
                self._wakes = 0
            self.acts += 1
            act(what)
        if not self._stopped and until < inf:
            self.now = max(self.now, until)

    def _due(self) -> float | None:
        return self.core.next_deadline() if self._waiting is None else None

    def _wake(self, due: float) -> None:
        if due > self.now:
            self.now = due
            self._wakes = 0
        self._wakes += 1
        assert self._wakes <= WAKES_MAX, f"the core wants to be woken at {due} without end"
        self.tell(Woke)


def _nothing(_: Command) -> None:
    """Carries out nothing: there is no world yet."""
