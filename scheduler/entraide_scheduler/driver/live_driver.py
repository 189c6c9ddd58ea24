"""Live driver: runs one core in real time, on the asyncio event loop.

Input: events, one at a time. Output: ``Woke`` at the core's deadlines, and due snapshots. The
driver decides only the order of simultaneous inputs: messages that have arrived are fed before a
deadline that has passed. After a suspension of the process, the driver sets the clock back, so that
heartbeats are read before nodes time out.

Without a valid term no event is handled. The driver pauses, as if the process were suspended, until
the database has confirmed the term: events wait, and no lease ends. If another scheduler has taken
the next term, the driver stops.

``feeder`` feeds events and recovers from errors; ``executor`` carries out commands. If the core
cannot be rebuilt, the driver stops; the next start recovers from the journal, which does not
contain the failing event.
"""

import asyncio
import collections
import contextlib
from asyncio import Future
from collections.abc import Callable

import structlog
from msgspec import UNSET

from entraide.shared_fields import make_copier
from entraide.types import Explanation, RequestFacts, Terms
from entraide.wire.cards import EarlierRun, QuotaLeft
from entraide.wire.messages import JobPlaced
from entraide_scheduler.core import records
from entraide_scheduler.core.carbon import BatchExpectation
from entraide_scheduler.core.events import (
    UNNUMBERED,
    Event,
    RunDeclined,
    SchedulerStarted,
    Woke,
)
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.overview import WaitView
from entraide_scheduler.core.policy import Period, Policy
from entraide_scheduler.driver.clock import Clock
from entraide_scheduler.driver.event_observer import EventObserver
from entraide_scheduler.driver.executor import Executor, Outbound, format_traceback
from entraide_scheduler.driver.feeder import Feeder
from entraide_scheduler.driver.health import Health
from entraide_scheduler.driver.journal import Journal, RecoveredState
from entraide_scheduler.driver.quotas_left import find_quotas_left
from entraide_scheduler.findings import Occurrences
from entraide_scheduler.store.journal import NO_RETENTION, Retention
from entraide_scheduler.store.leader import Term, read_steady
from entraide_scheduler.store.store import Store

GRACE_TURNS = 3  # iterations of the event loop between a timer and ``Woke``
LATE_S = 1.0  # a timer this late means that the process was suspended
LATE_GRACE_S = 1.5  # time to read queued messages: more than a heartbeat and a tick
WAKE_MIN_S = 0.001
SNAPSHOT_RETRY_S = 60.0  # after a failed snapshot
NOT_SENT = "cancelled"  # why a run is declined whose job ended before it was sent
PAUSED_EVENTS_MAX = 50_000  # that wait for the term; those that follow are dropped


_tell_earlier_run = make_copier(records.EarlierRun, EarlierRun)


class LiveDriver:
    """Drives one core; all methods are called in the event loop."""

    def __init__(
        self,
        recovered: RecoveredState,
        *,
        store: Store,
        clock: Clock,
        outbound: Outbound,
        retention: Retention = NO_RETENTION,
        term: Term | None = None,
        is_elsewhere: Callable[[str], bool] = lambda _gateway: False,
    ) -> None:
        """Drives the recovered core; without a ``term`` it never pauses.

        ``is_elsewhere`` tells whether a gateway is another process (see ``placements``).
        """
        self._store = store
        self._term = term
        self._term_seen_at = read_steady()
        self._pausing: asyncio.Task[None] | None = None
        self._clock = clock
        self._journal = Journal(store, at=clock(), digest=recovered.digest, retention=retention)
        self._event_queue: collections.deque[Event] = collections.deque()
        self._feeding = False
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0  # of the timer; uvloop's handle of a time that is over has no ``when``
        self._grace_running = False
        self._snapshot_not_before = 0.0
        self._log = structlog.get_logger("entraide.live")
        self.failed: Future[None] = self._journal.failed
        self.counts: collections.Counter[str] = collections.Counter()
        self.health = Health(self.now)
        self.occurrences = Occurrences()
        self._observer = EventObserver(self.occurrences)
        executor = Executor(
            store=store,
            journal=self._journal,
            outbound=outbound,
            health=self.health,
            counts=self.counts,
            occurrences=self.occurrences,
            stop=self.fail,
            peak_w=self._peak_w,
            sender_of=self._sender_of,
            idempotency_of=self._idempotency_of,
            earlier_runs=self._earlier_runs,
            quotas_left=self._quotas_left,
            prefix_keep_s=self._prefix_keep_s,
            is_elsewhere=is_elsewhere,
            note_unsent=self._decline_unsent,
        )
        self._feeder = Feeder(
            recovered,
            journal=self._journal,
            executor=executor,
            outbound=outbound,
            health=self.health,
            counts=self.counts,
            clock=clock,
        )
        executor.repeat_postings(recovered.postings)

    def _peak_w(self, node: str) -> float:
        return self.core.peak_w(node)

    def _sender_of(self, job: str) -> tuple[str, str]:
        return self.core.submitter_of(job)

    def _idempotency_of(self, job: str) -> str:
        view = self.core.job(job)
        return view.idempotency if view is not None else ""

    def _earlier_runs(self, job: str) -> tuple[EarlierRun, ...]:
        return tuple(
            _tell_earlier_run(run, terms=run.lease.terms) for run in self.core.earlier_runs(job)
        )

    def _decline_unsent(self, placed: JobPlaced) -> None:
        """Frees the slot of a run that ended before it was sent: its node will never report it."""
        job, epoch, node = placed.job, placed.epoch, placed.node
        self.feed(RunDeclined(*UNNUMBERED, job, epoch, node, NOT_SENT, {}))

    def _prefix_keep_s(self, terms: Terms) -> float:
        """Returns 0 for a run of which nothing is kept; see ``PrefixTerms.keep_s``."""
        prefix = self.policy.prefix
        is_kept = prefix.enabled and terms.cached_token_part is not UNSET
        return prefix.keep_s if is_kept else 0.0

    def _quotas_left(self, coop: str, key: str, project: str) -> tuple[QuotaLeft, ...]:
        views = self.core.quota_left(coop)
        return find_quotas_left(views, project=project, key=key, now=self.now()) if views else ()

    @property
    def core(self) -> Core:
        """The core, for queries only."""
        return self._feeder.core

    @property
    def clock(self) -> Clock:
        """The clock of its events."""
        return self._clock

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
        """Version of the policy in force."""
        return self._feeder.policy.version

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._feeder.policy

    def now(self) -> float:
        """Returns the time of an event that would be fed now."""
        return self._feeder.now()

    def get_period_end(self, period: Period) -> float:
        """Returns the end of the present period, seconds since the epoch; 0 if no event was fed."""
        return self._feeder.periods.get(period, 0.0)

    async def start(self, gateway: str, *, answered: tuple[str, ...] = ()) -> None:
        """Starts a new incarnation and waits until its start event is on disk.

        No lease uses its epochs before that. A snapshot comes first, so that a
        replay of this version needs no earlier events.

        Args:
            gateway: the gateway in this process.
            answered: its kept jobs whose answers are stored and whose settlements are not.
        """
        self.write_snapshot()
        incarnation = self.incarnation + 1
        self.feed(SchedulerStarted(*UNNUMBERED, incarnation, gateway, answered))
        await self.committed()

    async def stop(self) -> None:
        """Writes a last snapshot; no event may be fed afterwards."""
        self._cancel_timer()
        self._feeding = True
        if self._pausing is not None:
            self._pausing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pausing
        if not self.failed.done():
            await self.write_snapshot()

    def feed(self, event: Event) -> bool:
        """Feeds an event, then the events that it causes, in order.

        Args:
            event: its number and its time are set here.

        Returns:
            False if the event was dropped: the core raised, or the driver has stopped. An event
            that is fed during another event, or while the driver pauses, is queued, and True is
            returned.
        """
        if self.failed.done():
            return False
        self._observer.observe(event)
        if not self._feeding and not self.may_handle():
            if len(self._event_queue) >= PAUSED_EVENTS_MAX:
                self.counts["paused_dropped"] += 1
                return False
            self._event_queue.append(event)
            return True
        self._event_queue.append(event)
        return True if self._feeding else self._feed_queue()

    def _feed_queue(self) -> bool:
        """Feeds the queued events; returns whether the first was applied."""
        self._feeding = True
        try:
            is_applied = self._feeder.apply_event(self._event_queue.popleft())
            while self._event_queue:
                self._feeder.apply_event(self._event_queue.popleft())
        except Exception as problem:  # noqa: BLE001  (the core's state may be invalid)
            self.fail(problem)
            return False
        finally:
            self._feeding = False
        self._set_timer()
        return is_applied

    # The term.

    def may_handle(self) -> bool:
        """Whether events may be handled now; if not, pauses until the term is confirmed."""
        if self._term is None:
            return True
        if self._pausing is None and self._term.is_valid():
            self._term_seen_at = read_steady()
            return True
        if self._pausing is None:
            self._cancel_timer()
            self._pausing = asyncio.create_task(self._pause(self._term), name="paused-driver")
        return False

    async def _pause(self, term: Term) -> None:
        """Waits until the term is confirmed; sets the clock back by the time without it."""
        since = max(self._term_seen_at, term.renewed_at)
        self._log.warning("live.paused", term=term.number)
        self.counts["paused"] += 1
        try:
            while not term.is_valid():
                await self._store.committed()
        except Exception as problem:  # noqa: BLE001  (the term is lost, or a write has failed)
            self.fail(problem)
            return
        paused_s = read_steady() - since
        self._log.info("live.resumed", paused_s=round(paused_s, 3))
        self._clock.set_back(paused_s + LATE_GRACE_S)
        self._pausing = None
        if self._event_queue:
            self._feed_queue()
        self._set_timer()

    def note_held(self, node: str, jobs: tuple[str, ...]) -> None:
        """Records the last jobs of the prompt states that a node reports to hold."""
        self._feeder.prefixes.note_held(node, jobs)

    def forget_account(self, account: str) -> None:
        """Forgets the digests of the prompts of a person, or of an API key."""
        self._feeder.prefixes.forget_account(account)

    def flush(self) -> None:
        """Passes the queued events of the journal on to the store, without waiting."""
        self._journal.flush()

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all events fed so far are on disk."""
        if self._pausing is not None:
            return asyncio.ensure_future(self._commit_after(self._pausing))
        return self._journal.committed()

    async def _commit_after(self, pausing: "asyncio.Task[None]") -> None:
        await asyncio.wait({pausing})
        await self._journal.committed()

    def defer_until_written(self, event: int, action: Callable[[], None]) -> bool:
        """Calls an action when the events up to a number are on disk; False if they are."""
        return self._journal.defer_until_written(event, action)

    def explain(self, job: str) -> Explanation | None:
        """Returns the explanation of a job; None if the job is unknown or the core raises."""
        try:
            return self.core.explain(job, self.now())
        except Exception as problem:  # noqa: BLE001  (a query must not stop the scheduler)
            self._feeder.record_failed_query("explain", problem)
            return None

    def expect_batch(self, facts: RequestFacts, lines: int) -> BatchExpectation | None:
        """Returns when lines of a batch are expected to run.

        Args:
            facts: of a typical line.
            lines: number of lines that are not yet requested.

        Returns:
            None if no node can run them now, or the core raises.
        """
        try:
            return self.core.expect_batch(facts, lines, self.now())
        except Exception as problem:  # noqa: BLE001  (a query must not stop the scheduler)
            self._feeder.record_failed_query("expect_batch", problem)
            return None

    def list_waits(self, start: int) -> tuple[list[WaitView], int]:
        """Returns why live jobs wait, from one on, and their number; none if the core raises."""
        try:
            return self.core.live_waits(self.now(), start)
        except Exception as problem:  # noqa: BLE001  (a query must not stop the scheduler)
            self._feeder.record_failed_query("live_waits", problem)
            return [], 0

    def write_snapshot(self) -> Future[None]:
        """Writes a snapshot; if it cannot be encoded, the journal is kept."""
        frame = self._feeder.take_snapshot()
        if frame is None:
            self._snapshot_not_before = self.now() + SNAPSHOT_RETRY_S
            return self._journal.committed()
        return self._journal.write_snapshot(frame, at=self.now())

    def write_snapshot_if_due(self) -> None:
        """Writes a snapshot if enough events or time have passed."""
        now = self.now()
        if self.failed.done() or now < self._snapshot_not_before:
            return
        if self._journal.snapshot_is_due(now):
            self.write_snapshot()

    def end(self, problem: Exception) -> None:
        """Ends the driver; the next start recovers from the journal."""
        self._journal.flush()
        if not self.failed.done():
            self.failed.set_exception(problem)

    # Deadlines.

    def fail(self, problem: Exception) -> None:
        """Stops handling events because of an error, which ``failed`` gets."""
        self._log.critical(
            "live.failed", problem=repr(problem), traceback=format_traceback(problem)
        )
        self._event_queue.clear()
        self._journal.flush()
        if not self.failed.done():
            self.failed.set_exception(problem)

    def _set_timer(self) -> None:
        deadline_at = None if self.failed.done() else self._feeder.next_deadline()
        if deadline_at is None or self._grace_running or self._pausing is not None:
            return
        loop = asyncio.get_running_loop()
        timer_at = loop.time() + max(WAKE_MIN_S, deadline_at - self._clock())
        if self._timer is not None:
            if self._timer_at <= timer_at:
                return  # an early timer is set again when it fires: cheaper than a timer per event
            self._timer.cancel()
        self._timer, self._timer_at = loop.call_at(timer_at, self._on_timer, timer_at), timer_at

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self, timer_at: float) -> None:
        self._timer = None
        if not self.may_handle():
            return
        late_s = asyncio.get_running_loop().time() - timer_at
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
        deadline_at = self._feeder.next_deadline()
        if deadline_at is not None and deadline_at <= self.now():
            self.feed(Woke(*UNNUMBERED))
        else:
            self._set_timer()
