"""Live: the driver that lets the core live in real time.

It takes events one by one and wakes the core at its deadlines. It decides nothing. Its one liberty
is the order of what has come at once: messages that had already come are fed before a deadline that
passed meanwhile, and after a hold-up of the whole process its clock stands back, so that it does
not call its nodes lost before it has read their heartbeats.

How an event is fed, and what becomes of one that raises, stands in ``feeder``; how commands are
carried out, in ``executor``. When the core cannot be brought back the driver stops, and the next
start goes on from the journal, which does not hold that event.
"""

import asyncio
import collections
from asyncio import Future
from typing import Any

import structlog

from entraide.types import Explanation
from entraide.wire import messages as m
from entraide_scheduler.clock import Clock
from entraide_scheduler.core.events import Event, SchedulerStarted, Woke
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period
from entraide_scheduler.executor import Executor, Outbound, format_traceback
from entraide_scheduler.feeder import Feeder
from entraide_scheduler.health import Health
from entraide_scheduler.journal import Journal, RecoveredState
from entraide_scheduler.store.journal import NO_RETENTION, Retention
from entraide_scheduler.store.store import Store

GRACE_TURNS = 3  # of the loop, between a deadline's coming and its being fed
LATE_S = 1.0  # a timer this late means that the whole process was held up
LATE_GRACE_S = 1.5  # time to read what came meanwhile: more than a heartbeat and a tick
WAKE_MIN_S = 0.001
SNAPSHOT_RETRY_S = 60.0  # after the core's state could not be encoded


class LiveDriver:
    """Drives one core; all its methods are called in the event loop."""

    def __init__(
        self,
        recovered: RecoveredState,
        *,
        store: Store,
        clock: Clock,
        outbound: Outbound,
        retention: Retention = NO_RETENTION,
    ) -> None:
        self._clock = clock
        self._outbound = outbound
        self._journal = Journal(store, at=clock(), digest=recovered.digest, retention=retention)
        self._event_queue: collections.deque[tuple[type[Any], dict[str, Any]]] = collections.deque()
        self._feeding = False
        self._timer: asyncio.TimerHandle | None = None
        self._grace_running = False
        self._snapshot_not_before = 0.0
        self._log = structlog.get_logger("entraide.live")
        self.failed: Future[None] = self._journal.failed
        self.counts: collections.Counter[str] = collections.Counter()
        self.health = Health(self.now, self.counts)
        executor = Executor(
            store=store,
            journal=self._journal,
            outbound=outbound,
            health=self.health,
            counts=self.counts,
            stop=self._fail,
            peak_w=self._peak_w,
        )
        self._feeder = Feeder(
            recovered,
            journal=self._journal,
            executor=executor,
            health=self.health,
            counts=self.counts,
            clock=clock,
        )
        executor.repeat_postings(recovered.postings)

    def _peak_w(self, node: str) -> float:
        return self.core.peak_w(node)

    @property
    def core(self) -> Core:
        """The core, for questions only."""
        return self._feeder.core

    @property
    def incarnation(self) -> int:
        """How many times the scheduler has started."""
        return self._feeder.incarnation

    @property
    def event_id(self) -> int:
        """The number of the last event."""
        return self._feeder.event_id

    @property
    def policy_version(self) -> str:
        """The policy that was fed last."""
        return self._feeder.policy_version

    def now(self) -> float:
        """Returns the time of an event that would be fed now."""
        return self._feeder.now()

    def period_ends_at(self, period: Period) -> float:
        """Returns when the present period ends; 0 when none has begun."""
        return self._feeder.periods.get(period, 0.0)

    async def start(self, gateway: str) -> None:
        """Begins a new incarnation, on disk before any lease can carry its epochs.

        A snapshot goes before it: what this version decides can then be replayed by itself.
        """
        self.write_snapshot()
        self.feed(SchedulerStarted, incarnation=self.incarnation + 1, gateway=gateway)
        await self._journal.committed()

    async def stop(self) -> None:
        """Takes a last snapshot; nothing may be fed afterwards."""
        self._cancel_timer()
        self._feeding = True
        if not self.failed.done():
            await self.write_snapshot()

    def feed(self, kind: type[Event], /, **fields: Any) -> bool:
        """Feeds an event; what that leads to is fed after it, in order.

        Returns:
            False when the event was dropped: the core failed on it, or the driver has stopped. An
            event that is fed from within another one is only queued.
        """
        if self.failed.done():
            return False
        self._event_queue.append((kind, fields))
        if self._feeding:
            return True
        self._feeding = True
        try:
            taken = self._feeder.apply_event(*self._event_queue.popleft())
            while self._event_queue:
                self._feeder.apply_event(*self._event_queue.popleft())
        except Exception as problem:  # noqa: BLE001  (any: the core is not what it was)
            self._fail(problem)
            return False
        finally:
            self._feeding = False
        self._set_timer()
        return taken

    def send_to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Tells a gateway what the core need not be asked for."""
        self._outbound.to_gateway(gateway, message)

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all that was fed so far is on disk."""
        return self._journal.committed()

    def explain(self, job: str) -> Explanation | None:
        """Returns why a job is where it is; None when the core cannot tell."""
        try:
            return self.core.explain(job, self.now())
        except Exception as problem:  # noqa: BLE001  (asking must not stop anything)
            self._feeder.note_failed_question("explain", problem)
            return None

    def write_snapshot(self) -> Future[None]:
        """Writes a snapshot in the place of the journal so far; the journal stays without one."""
        frame = self._feeder.take_snapshot()
        if frame is None:
            self._snapshot_not_before = self.now() + SNAPSHOT_RETRY_S
            return self._journal.committed()
        return self._journal.write_snapshot(frame, at=self.now())

    def write_snapshot_if_due(self) -> None:
        """Writes a snapshot when the journal has grown, or aged, enough."""
        now = self.now()
        if self.failed.done() or now < self._snapshot_not_before:
            return
        if self._journal.snapshot_is_due(now):
            self.write_snapshot()

    # Deadlines.

    def _fail(self, problem: Exception) -> None:
        self._log.critical(
            "live.failed", problem=repr(problem), traceback=format_traceback(problem)
        )
        self._event_queue.clear()
        self._journal.flush()
        if not self.failed.done():
            self.failed.set_exception(problem)

    def _set_timer(self) -> None:
        due = None if self.failed.done() else self._feeder.next_deadline()
        if due is None or self._grace_running:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + max(WAKE_MIN_S, due - self._clock())
        if self._timer is not None:
            if self._timer.when() <= when:
                return  # it fires early and arms again: cheaper than a new timer for each event
            self._timer.cancel()
        self._timer = loop.call_at(when, self._on_timer, when)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self, when: float) -> None:
        self._timer = None
        late_s = asyncio.get_running_loop().time() - when
        if late_s > LATE_S:
            self._log.warning("live.held_up", late_s=round(late_s, 3))
            self.counts["held_up"] += 1
            self._clock.set_back(late_s + LATE_GRACE_S)
            self._set_timer()
        else:
            self._grace_running = True
            self._wait_grace(GRACE_TURNS)

    def _wait_grace(self, turns: int) -> None:
        if turns > 0:
            asyncio.get_running_loop().call_soon(self._wait_grace, turns - 1)
            return
        self._grace_running = False
        due = self._feeder.next_deadline()
        if due is not None and due <= self.now():
            self.feed(Woke)
        else:
            self._set_timer()
