"""Feeder: numbers events, sets their time, feeds them to the core, and recovers if it raises.

If an event raises, the core's state may be inconsistent. The feeder rebuilds the core from the
checkpoint, drops the event, and then, depending on the cause:

- event of a node or an API key: quarantines the sender; a waiting client gets ``internal``;
- event without a sender (a period, a policy, ``Woke``): tries it once more, drops it, backs off;
- deadline due within the event: drops the deadline if it raises twice, and feeds the event again;
- queued job that raises while it is placed: quarantines its key, and feeds the event again.

A dropped event is not in the journal; quarantines and dropped deadlines are. A replay therefore
makes the same decisions. After ``RECOVERIES_PER_MINUTE_MAX`` recoveries, the scheduler stops.
"""

import collections
import math
import time
from collections.abc import Callable

import structlog
from msgspec import structs

import entraide
from entraide.types import JobState, account_of
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period, Policy
from entraide_scheduler.core.prefix_index import PrefixIndex
from entraide_scheduler.core.records import (
    EVENT_RAISED,
    JOB_DEADLINES,
    DeadlineKind,
    Sender,
    SenderKind,
)
from entraide_scheduler.driver.checkpoint import Checkpoint, RecoveryFailed
from entraide_scheduler.driver.event_backoff import FREE_FAILURES, EventBackoff
from entraide_scheduler.driver.executor import Executor, Outbound, format_traceback
from entraide_scheduler.driver.health import Health
from entraide_scheduler.driver.journal import DriverSnapshot, Journal, RecoveredState

REFEED_MAX_S = 0.5  # CPU seconds of events since the checkpoint; then a new one is made
RECOVERIES_PER_MINUTE_MAX = 60
MINUTE_S = 60.0
POLL_S = 1.0  # between ``Woke`` events while ``next_deadline`` raises
INTERNAL = "internal"

_Job = tuple[str, str, int]  # identifier, gateway, epoch of the run


class Feeder:
    """Feeds one core.

    Args:
        recovered: state to continue from.
        journal: receives each event after the core has handled it.
        executor: carries out the core's commands.
        outbound: sends the replies to clients whose event was dropped.
        health, counts: record incidents and count events.
        clock: returns the time now.

    Attributes:
        core: the present core; another object after a recovery.
        event_id, at: of the last event.
        incarnation, periods, policy, prefixes: state of the driver outside the core.
        handled_s: CPU seconds spent in ``Core.handle`` since the checkpoint.
    """

    def __init__(
        self,
        recovered: RecoveredState,
        *,
        journal: Journal,
        executor: Executor,
        outbound: Outbound,
        health: Health,
        counts: collections.Counter[str],
        clock: Callable[[], float],
    ) -> None:
        self.core: Core = recovered.core
        self.event_id = recovered.event_id
        self.at = recovered.at
        self.incarnation = recovered.incarnation
        self.periods: dict[Period, float] = recovered.periods
        self.policy = Policy(version="")
        self.prefixes = PrefixIndex()
        self._clock_settings = recovered.clock_settings
        self._journal = journal
        self._executor = executor
        self._outbound = outbound
        self._health = health
        self._counts = counts
        self._clock = clock
        self._checkpoint = Checkpoint(recovered.base, recovered.since)
        self.handled_s = 0.0
        self._backoff = EventBackoff()
        self._is_settled = True
        self._recoveries: collections.deque[float] = collections.deque()
        self._retry_question_at: float | None = None
        self._log = structlog.get_logger("entraide.live")

    def now(self) -> float:
        """Returns the time of an event that would be fed now."""
        return max(self.at, self._clock())

    def next_deadline(self) -> float | None:
        """Returns the core's next deadline; ``POLL_S`` from now if the core raises."""
        try:
            due = self.core.next_deadline()
        except Exception as problem:  # noqa: BLE001  (a query must not stop the scheduler)
            self.record_failed_query("next_deadline", problem)
            if self._retry_question_at is None:
                self._retry_question_at = self.now() + POLL_S
            return self._retry_question_at
        return due if due is None else max(due, self._backoff.paused_until(e.Woke))

    def record_failed_query(self, question: str, problem: Exception) -> None:
        """Records that the core raised on a query."""
        if not self._counts[f"question_failed.{question}"]:
            self._log.error(
                "live.question_failed", question=question, traceback=format_traceback(problem)
            )
        self._counts[f"question_failed.{question}"] += 1
        self._health.add("question_failed", question)

    def apply_event(self, event: e.Event) -> bool:
        """Feeds an event and carries out its commands; returns False if it was dropped.

        Args:
            event: its number and its time are set here.

        Raises:
            RecoveryFailed: the core could not be rebuilt, or raises too often.
        """
        self._retry_question_at = None
        kind = type(event)
        paused_until = self._backoff.paused_until(kind)
        if paused_until and paused_until > self.now():
            self._counts[f"event_paused.{_event_name(kind)}"] += 1
            self._answer_client(event)
            return False
        if self._try_event(event):
            self._place_after_quarantine()
            return True
        sender = self._find_sender(event)
        if sender is None and self._try_event(event):
            return True
        self._drop_event(event, sender)
        return False

    def take_snapshot(self) -> DriverSnapshot | None:
        """Returns a snapshot of core and driver; None if it cannot be encoded."""
        state = self._new_checkpoint()
        if state is None:
            return None
        return DriverSnapshot(
            core=state,
            event_id=self.event_id,
            at=self.at or self.now(),  # before the first event there is no event time
            incarnation=self.incarnation,
            periods=self.periods,
            version=entraide.__version__,
            clock_settings=self._clock_settings,
        )

    # One event.

    def _event_time(self, kind: type[e.Event]) -> float:
        """Returns an event's time: just before the next deadline, if that has passed."""
        now = self.now()
        due = self.next_deadline()
        if due is None or due > now or kind in (e.Woke, e.SchedulerStarted):
            return now
        return max(self.at, math.nextafter(due, 0.0))

    def _handle_event(self, unnumbered: e.Event) -> None:
        kind = type(unnumbered)
        event = structs.replace(unnumbered, id=self.event_id + 1, at=self._event_time(kind))
        event = self.prefixes.prepare(event)
        packed = self._journal.encode(
            event
        )  # an event that cannot be written must not change the core
        started_at = time.thread_time()
        commands = self.core.handle(event)
        self.handled_s += time.thread_time() - started_at
        self._journal.append(event.id, packed, commands)
        self._checkpoint.append_event(packed)
        self._is_settled = kind is not e.SenderQuarantined
        self.event_id, self.at = event.id, event.at
        if isinstance(event, e.PeriodBegan):
            self.periods[event.period] = event.ends_at
        elif isinstance(event, e.SchedulerStarted):
            self.incarnation = event.incarnation
        elif isinstance(event, e.PolicyChanged):
            self.policy = event.policy
        self.prefixes.observe(event, commands)
        self._executor.carry_out(commands, event)
        if self.handled_s >= REFEED_MAX_S:
            self._new_checkpoint()

    def _new_checkpoint(self) -> bytes | None:
        if not self._is_settled:
            return None  # a snapshot does not hold jobs that await placement
        self.handled_s = 0.0
        try:
            state = self.core.snapshot()
        except Exception as problem:  # noqa: BLE001  (the journal holds all events)
            if not self._counts["snapshot_failed"]:
                self._log.error("live.snapshot_failed", traceback=format_traceback(problem))
            self._counts["snapshot_failed"] += 1
            self._health.add("snapshot_failed")
            return None
        self._health.clear("snapshot_failed")
        self._checkpoint = Checkpoint(state)
        return state

    # Recovery.

    def _try_event(self, event: e.Event) -> bool:
        """Feeds an event; returns False if it raised, with the core as it was before."""
        failed: tuple[DeadlineKind, str] | None = None
        while True:
            try:
                self._handle_event(event)
                return True
            except Exception as problem:  # noqa: BLE001  (any exception leaves the core inconsistent)
                deadline, job = self.core.active_deadline, self.core.active_job
                self._rebuild(problem, type(event), at_work=deadline[0] if deadline else "")
            if deadline is not None:
                if deadline == failed:
                    self._drop_deadline(*deadline)
                failed = deadline
            elif not job or not self._blame_job(job):
                return False

    def _rebuild(self, problem: Exception, kind: type[e.Event], *, at_work: str) -> None:
        """Rebuilds the core as it was before the event that raised."""
        now = self.now()
        self._recoveries.append(now)
        while self._recoveries[0] < now - MINUTE_S:
            self._recoveries.popleft()
        if len(self._recoveries) > RECOVERIES_PER_MINUTE_MAX:
            raise RecoveryFailed(f"{len(self._recoveries)} recoveries within a minute")
        started_at = time.perf_counter()
        self.core = self._checkpoint.rebuild()
        self._new_checkpoint()
        took_s = round(time.perf_counter() - started_at, 3)
        self._counts["recoveries"] += 1
        fields = {"kind": _event_name(kind), "deadline": at_work, "took_s": took_s}
        self._log.error("live.recovered", **fields, traceback=format_traceback(problem))

    def _drop_event(self, event: e.Event, sender: Sender | None) -> None:
        """Drops an event and quarantines its sender."""
        kind = type(event)
        name = _event_name(kind)
        if kind is e.SchedulerStarted:
            raise RecoveryFailed("the core cannot start: no new lease epochs could be issued")
        self._log.error("live.event_dropped", kind=name, sender=sender and str(sender.kind))
        self._counts[f"event_dropped.{name}"] += 1
        self._health.add("event_dropped", name)
        self._backoff.note_failure(kind, self.now(), free=FREE_FAILURES if sender else 0)
        self._answer_client(event)
        if sender is not None:
            self._quarantine(sender, name)

    def _quarantine(self, sender: Sender, detail: str) -> None:
        """Quarantines a sender; if ending its jobs raises, leaves the jobs."""
        known = self.core.quarantine(sender.kind, sender.name)
        if known is not None and known.reason == EVENT_RAISED:
            return
        event = e.SenderQuarantined(
            *e.UNNUMBERED, **sender._asdict(), reason=EVENT_RAISED, detail=detail
        )
        if not self._try_event(event):
            self._handle_event(structs.replace(event, ends_work=False))
        self._health.add(f"{sender.kind}_quarantined", detail)
        self._log.error("live.quarantined", kind=str(sender.kind), name=sender.name, cause=detail)
        self._place_after_quarantine()

    def _place_after_quarantine(self) -> None:
        """After a quarantine, places jobs on the slots that it freed."""
        if not self._is_settled:
            self._try_event(e.Woke(*e.UNNUMBERED))

    def _blame_job(self, job: str) -> bool:
        """Removes a queued job that raises while it is placed; returns False if it cannot."""
        view = self.core.job(job)
        if view is None:
            return False  # the event itself requests this job
        if not view.key:
            return self._try_event(e.JobCancelled(*e.UNNUMBERED, job, INTERNAL))
        sender = account_of(view.key)
        known = self.core.quarantine(SenderKind.KEY, sender)
        if known is not None and known.reason == EVENT_RAISED:
            return False
        self._quarantine(Sender(SenderKind.KEY, sender), "placing")
        return True

    def _drop_deadline(self, kind: DeadlineKind, name: str) -> None:
        """Drops a deadline and the job to which it belongs."""
        self._log.error("live.deadline_dropped", deadline=kind)
        self._counts[f"deadline_dropped.{kind}"] += 1
        self._health.add("deadline_dropped", kind)
        job = self._find_unended_job(name) if kind in JOB_DEADLINES else None
        self._handle_event(e.DeadlineDropped(*e.UNNUMBERED, kind, name))
        if job is not None and not self._try_event(e.JobCancelled(*e.UNNUMBERED, name, INTERNAL)):
            self._send_internal_error(job)

    def _find_sender(self, event: e.Event) -> Sender | None:
        try:
            return self.core.sender_of(event)
        except Exception:  # noqa: BLE001  (an event that cannot be read has no sender)
            return None

    # Replies to clients of dropped events.

    def _answer_client(self, event: e.Event) -> None:
        """Sends an error to the client of a job whose event was dropped."""
        if isinstance(event, e.JobRequested):
            facts = event.facts
            refusal = m.JobRefused(facts.job, INTERNAL, {}, None)
            self._outbound.send_to_gateway(facts.gateway, refusal)
        elif isinstance(event, e.JobCancelled | e.JobAbandoned):
            job = self._find_unended_job(event.job)
            if job is not None:
                self._send_internal_error(job)

    def _find_unended_job(self, name: str) -> _Job | None:
        """Returns a job that has not ended, or None."""
        view = self.core.job(name)
        return (name, view.gateway, view.epoch) if view is not None and not view.ended_at else None

    def _send_internal_error(self, job: _Job) -> None:
        name, gateway, epoch = job
        ended = m.JobEnded(name, JobState.FAILED, INTERNAL, epoch, {})
        self._outbound.send_to_gateway(gateway, ended)


def _event_name(kind: type[e.Event]) -> str:
    """Returns the stable name of a kind of event: its tag."""
    return str(kind.__struct_config__.tag)
