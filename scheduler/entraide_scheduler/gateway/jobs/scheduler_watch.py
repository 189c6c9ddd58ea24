"""Scheduler watch: keeps the live jobs of a gateway of its own and the scheduler's view the same.

The bus loses messages, and either side may have been away: cut off, stopped, started again. In:
the scheduler's answers to heartbeats. Out: ``JobsHeld``, ``AnswersSent``, submissions that were
lost, and the end of live jobs that nobody can go on with:

- with ``gateway_lost``, once the bus was away for ``CUT_MAX_S``; the scheduler has ended them;
- with ``pool_unreachable``, if they wait for a placement and the scheduler was not heard for
  ``UNHEARD_MAX_S``;
- with ``unauthorised`` or ``not_signed_in``, if the store says that their key was revoked or that
  their session has ended, and the message about it was lost.

Answers that are streamed go on while only the scheduler is away.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from entraide.types import UNKNOWN_PLACE
from entraide.wire import messages as m
from entraide_scheduler.bus import SchedulerPort
from entraide_scheduler.driver import Incident
from entraide_scheduler.gateway.jobs.phases import JobPhase
from entraide_scheduler.gateway.jobs.running_job import list_sent
from entraide_scheduler.gateway.jobs.running_jobs import RunningJobs
from entraide_scheduler.store import people
from entraide_scheduler.store.store import Store

TICK_S = 1.0
SILENT_MAX_S = 5.0  # then the gateway is not ready
CUT_MAX_S = 10.0
UNHEARD_MAX_S = 20.0
HELD_EVERY_S = 5.0
CALLERS_EVERY_S = 30.0
STOPPED_S = 3.0  # a tick so much late: this process was stopped, and has not read what came


class SchedulerLink(SchedulerPort, Protocol):
    """The port to a scheduler in another process."""

    @property
    def is_connected(self) -> bool:
        """Whether this process is connected to the bus."""

    def report_held(self, jobs: tuple[str, ...]) -> None:
        """Lists live jobs that this gateway holds."""

    def report_sent(self, runs: Sequence[tuple[str, int, int]]) -> None:
        """Says what clients have of the streams of this gateway: job, epoch and output tokens."""

    def repeat_answer(self, job: str) -> bool:
        """Reports an answer again that came a while ago; returns False if none is known."""

    def repeat_unsettled_answers(self, *, least_age_s: float) -> None:
        """Reports answers of at least this age again whose jobs are not known to have ended."""

    def complete_answered(self, placed: m.JobPlaced) -> bool:
        """Says of a job that is placed again that its client has the whole answer, if it has."""


class SchedulerWatch:
    """Watches over the live jobs of one gateway.

    Attributes:
        pool_place: where the scheduler says that the pool's server stands.
    """

    def __init__(
        self,
        *,
        scheduler: SchedulerLink,
        running_jobs: RunningJobs,
        store: Store,
        revoke: Callable[[m.Revocation], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scheduler = scheduler
        self._running_jobs = running_jobs
        self._store = store
        self._revoke = revoke
        self._clock = clock
        self.pool_place = UNKNOWN_PLACE
        self._incarnation = 0
        self._heard_at: float | None = None
        self._cut_at: float | None = None
        self._ticked_at = clock()
        self._listed_at = 0.0
        self._callers_at = clock()
        self._log = structlog.get_logger("entraide.gateway")

    def find_incidents(self) -> tuple[Incident, ...]:
        """Returns why this gateway cannot serve now; nothing if it can."""
        if not self._scheduler.is_connected:
            return (Incident("bus_cut", "", 1, time.time()),)
        if self._heard_at is None or self._clock() - self._heard_at > SILENT_MAX_S:
            return (Incident("scheduler_silent", "", 1, time.time()),)
        if self._store.outage.is_present:
            return (Incident("store_away", "", 1, time.time()),)
        return ()

    def on_heard(self, heard: m.GatewayHeard) -> None:
        """Handles the scheduler's answer to a heartbeat."""
        self._heard_at, self.pool_place = self._clock(), heard.place
        for job in heard.jobs:
            if self._running_jobs.get(job) is None and not self._scheduler.repeat_answer(job):
                self._scheduler.cancel(job, "gateway_lost")  # an earlier life of this gateway's
        if heard.is_new or heard.incarnation != self._incarnation:
            self._incarnation = heard.incarnation
            self._listed_at = self._callers_at = 0.0  # due now

    def on_unknown_placement(self, placed: m.JobPlaced) -> None:
        """Handles the placement of a job that is not here: it has its answer, or nobody waits."""
        if not self._scheduler.complete_answered(placed):
            self._scheduler.cancel(placed.job, "client_gone")

    def on_unknown(self, unknown: m.JobUnknown) -> None:
        """Submits a job again, unless a part of its answer was sent: that ends."""
        running = self._running_jobs.get(unknown.job)
        if running is None:
            return
        if running.phase is JobPhase.ANSWERING:
            self._running_jobs.cancel(unknown.job, "stream_broken")
        else:
            self._scheduler.submit(running.facts)

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
            except Exception:  # noqa: BLE001  (an error must not stop the next tick)
                self._log.exception("gateway.watch_failed")

    async def tick(self) -> None:
        """Does what is due; called once a second."""
        now = self._clock()
        if now - self._ticked_at > STOPPED_S:  # what has come since is read before it is judged
            self._heard_at, self._cut_at, self._callers_at = now, None, 0.0
        self._ticked_at = now
        self._end_cut_off(now)
        if now - (self._heard_at or now) > UNHEARD_MAX_S:
            for job in self._running_jobs.list_live():
                if job.phase is JobPhase.WAITING:
                    self._running_jobs.cancel(job.facts.job, "pool_unreachable")
        live = self._running_jobs.list_live()
        if now - self._listed_at >= HELD_EVERY_S and self._scheduler.is_connected:
            self._listed_at = now
            jobs = [job.facts.job for job in live]
            for start in range(0, len(jobs), m.JOBS_HELD_MAX):
                self._scheduler.report_held(tuple(jobs[start : start + m.JOBS_HELD_MAX]))
        self._scheduler.report_sent(list_sent(live))
        self._scheduler.repeat_unsettled_answers(least_age_s=TICK_S)
        if now - self._callers_at >= CALLERS_EVERY_S:
            self._callers_at = now
            await self._check_callers()

    def _end_cut_off(self, now: float) -> None:
        """Ends the live jobs once the bus was away for so long that they have ended elsewhere."""
        if self._scheduler.is_connected:
            self._cut_at = None
            return
        self._cut_at = now if self._cut_at is None else self._cut_at
        if now - self._cut_at > CUT_MAX_S:
            for job in self._running_jobs.list_live():
                self._running_jobs.cancel(job.facts.job, "gateway_lost")

    async def _check_callers(self) -> None:
        """Reads whether the senders of live jobs may go on."""
        live = self._running_jobs.list_live()
        senders = {(job.facts.account, job.signin_session) for job in live}
        if any(not session for _, session in senders):
            revoked = {row.key for row in await self._store.list_keys() if row.revoked}
            for key in sorted({key for key, session in senders if not session} & revoked):
                self._revoke(m.KeyRevoked(key))
        for person, session in sorted(sender for sender in senders if sender[1]):
            find = partial(people.list_sessions, person=person, now=time.time())
            if session not in {row.session for row in await self._store.read(find)}:
                self._revoke(m.SigninEnded(person, session))
