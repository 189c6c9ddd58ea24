"""Driver: virtual time over a heap, and a decision core that knows no other.

It drives the very core that the live scheduler drives: events in, commands out, a ``Woke`` when the
core asked to be woken. What happens at the same moment happens in the order in which it was
scheduled, so that the same world gives the same events. It refuses to know what events mean.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Protocol

from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event, Woke

WAKES_MAX = 100_000  # a core that asks for so many wakes at one moment is broken

Act = Callable[[Any], None]


class Decider(Protocol):
    """What decides: the core, or a scheduler to compare it with."""

    def handle(self, event: Event) -> list[Command]:
        """Takes in one event and returns the commands that follow."""

    def next_deadline(self) -> float | None:
        """Returns when it wants to be woken, seconds since the epoch."""


class Driver:
    """A clock that jumps from one event to the next.

    Attributes:
        core: what decides.
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

    def at(self, moment: float, act: Act, what: Any = None) -> None:
        """Schedules ``act(what)``; a moment that has passed counts as now."""
        self._serial = serial = self._serial + 1
        heappush(self._heap, (moment, serial, act, what))

    def tell(self, kind: Callable[..., Event], *values: Any) -> None:
        """Tells the core an event that happens now, and has its commands carried out.

        Carrying a command out may schedule, but never tell: one event is over before the next.
        """
        self.events = number = self.events + 1
        event = kind(number, self.now, *values)
        asked = self.core.handle(event)
        if self._watch is not None:
            self._watch(event, asked)
        carry_out = self.carry_out
        for command in asked:
            carry_out(command)

    def stop(self) -> None:
        """Ends ``run`` once the present entry is carried out."""
        self._stopped = True

    def run(self, until: float = inf) -> None:
        """Lets time pass until that moment, until ``stop``, or until nothing is left to happen.

        Args:
            until: seconds since the epoch; what is due at it still happens.
        """
        heap, core = self._heap, self.core
        self._stopped = False
        while not self._stopped:
            at = heap[0][0] if heap else inf
            due = core.next_deadline()
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

    def _wake(self, due: float) -> None:
        if due > self.now:
            self.now = due
            self._wakes = 0
        self._wakes += 1
        assert self._wakes <= WAKES_MAX, f"the core wants to be woken at {due} without end"
        self.tell(Woke)


def _nothing(_: Command) -> None:
    """Carries out nothing: there is no world yet."""
