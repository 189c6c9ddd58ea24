"""Gateway listener: the gateways that are processes of their own, as the scheduler hears them.

In: their messages, and the bus's reports of closed connections. Out: events for the core, replies,
and for the operator which gateways there are and which one is silent.

A gateway sends a heartbeat once a second. After ``SILENT_MAX_S`` seconds without a message it is
lost, after ``CLOSED_MAX_S`` if its connection was closed, and at once when it is heard in another
life (``boot``); its live jobs then end. While the scheduler itself is cut off from the bus, none is
lost. The bus may lose a message: a gateway therefore lists its live jobs (``JobsHeld``), and is
told of those that have ended here or are unknown.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec
import structlog
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg

from entraide.printable import printable, shortened
from entraide.shared_fields import make_copier
from entraide.types import JobKind, RequestFacts, account_of
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide.wire.cards import JobWait
from entraide_scheduler.bus import subscribe
from entraide_scheduler.config import INTERIM
from entraide_scheduler.core import events as e
from entraide_scheduler.core.overview import WaitView
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.findings import Sort
from entraide_scheduler.gateways.scheduler_adapters import LocalSchedulerAdapter, MessageRouter
from entraide_scheduler.nodes import UsageReports

SILENT_MAX_S = 5.0
CLOSED_MAX_S = 2.0  # a gateway whose connection was cut reconnects within tenths of a second
GATEWAYS_MAX = 256  # the longest unheard are forgotten first
FORMER_BOOTS_MAX = 16
LABEL_MAX_CHARS = 200
TWICE_EVERY_S = 60.0

_job_wait = make_copier(WaitView, JobWait)

_JobMessage = (
    m.SubmitJob
    | m.CancelJob
    | m.AbandonPlacement
    | m.LeaseExceeded
    | m.AnswerResumed
    | m.AnswerReceived
    | m.AnswersSent
    | m.JobsHeld
)

LIVE, SILENT, STOPPED = "live", "silent", "stopped"


class GatewayStatus(Struct, frozen=True):
    """A gateway as the operator sees it.

    Attributes:
        gateway: its identifier.
        state: ``live``; ``silent``: lost, and not heard since; ``stopped``: in order.
        heard_at: time of its last message, seconds since the epoch.
        version, url: what it says of itself; "" before its first heartbeat.
        jobs: number of its live jobs that have not ended.
        is_twice: whether another process uses the same identifier.
        clock_offset_s: its clock minus this one, at its last heartbeat, seconds.
    """

    gateway: str
    state: str
    heard_at: float
    version: str
    url: str
    jobs: int
    is_twice: bool
    clock_offset_s: float = 0.0


class _Known(Struct):
    """What is known of one gateway.

    ``lost_at`` is when it is lost unless it is heard before; ``is_cut_off`` says whether its
    connection was closed, and it was not heard since; ``sent`` has the epoch and the tokens of its
    streams by job.
    """

    heard_at: float
    lost_at: float
    state: str = LIVE
    boot: str = ""
    former_boots: list[str] = msgspec.field(default_factory=list)
    version: str = ""
    url: str = ""
    twice_at: float = 0.0
    is_cut_off: bool = False
    clock_offset_s: float = 0.0
    sent: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)


class GatewayListener:
    """Handles the messages of gateways in processes of their own."""

    def __init__(
        self,
        driver: LiveDriver,
        scheduler: LocalSchedulerAdapter,
        router: MessageRouter,
        reports: UsageReports,
        list_sent: Callable[[], list[tuple[str, int, int]]],
    ) -> None:
        """Knows no gateway yet.

        ``reports`` knows which jobs' answers have come, ``list_sent`` what clients of the gateway
        in this process have of streams: job, epoch and output tokens.
        """
        self._list_sent = list_sent
        self._reports = reports
        self._driver = driver
        self._scheduler = scheduler
        self._router = router
        self._local = scheduler.gateway
        self._known: dict[str, _Known] = {}
        self._connection: Client | None = None
        self._was_cut = False
        self._waits_told = 0
        self._log = structlog.get_logger("entraide.gateways")

    async def start(self, connection: Client) -> None:
        """Subscribes; gateways with jobs in the core get ``SILENT_MAX_S`` to send a heartbeat."""
        self._connection = connection
        for gateway in self._count_live_jobs():
            self._hear(gateway)
        await subscribe(connection, subjects.ALL_GATEWAYS_UP, self._on_message)

    def broadcast(self, message: m.Revocation) -> None:
        """Sends a message to every gateway that has not stopped, the local one first.

        The digests of the prompts of a sender whose access has ended are forgotten.
        """
        if not isinstance(message, m.NodeRevoked):
            sender = message.key if isinstance(message, m.KeyRevoked) else message.person
            self._driver.forget_account(account_of(sender))
        others = sorted(name for name, known in self._known.items() if known.state != STOPPED)
        for gateway in (self._local, *others):
            self._router.send_to_gateway(gateway, message)

    def list_gateways(self) -> list[GatewayStatus]:
        """Returns the known gateways of their own, by name."""
        jobs, now = self._count_live_jobs(), self._driver.now()
        return [
            GatewayStatus(
                gateway=name,
                state=known.state,
                heard_at=known.heard_at,
                version=known.version,
                url=known.url,
                jobs=jobs[name],
                is_twice=bool(known.twice_at) and now - known.twice_at < TWICE_EVERY_S,
                clock_offset_s=known.clock_offset_s,
            )
            for name, known in sorted(self._known.items())
        ]

    def report_lost_gateways(self) -> None:
        """Feeds ``GatewayLost`` for silent gateways; called once a second."""
        now = self._driver.now()
        if self._connection is not None and not self._connection.is_connected:
            self._was_cut = True
            return
        if self._was_cut:  # nobody could be heard: all get their time anew
            self._was_cut = False
            self._reports.hold_anew()
            for known in self._known.values():
                known.lost_at = now + SILENT_MAX_S
        for name, known in self._known.items():
            if known.state == LIVE and now > known.lost_at:
                known.state = SILENT
                self._log.warning("gateway.lost", gateway=name)
                self._end_jobs(name, known)
        for name in [n for n, known in self._known.items() if known.state == SILENT]:
            self._forget_interim(name)
        live = {name: known.heard_at for name, known in self._known.items() if known.state == LIVE}
        self._reports.release_overdue(live)

    def _end_jobs(self, gateway: str, known: _Known) -> None:
        """Ends the live jobs of a gateway: their clients have what it has said last."""
        live, sent = self._list_live_jobs(gateway), known.sent
        known.sent = {}
        self._reports.settle_jobs(frozenset(live))
        runs = tuple((job, *sent[job]) for job in live if job in sent)
        self._driver.feed(e.GatewayLost(*e.UNNUMBERED, gateway=gateway, sent=runs))

    def report_waits(self) -> None:
        """Tells each gateway why its live jobs wait; called once a second.

        Of more than one message's jobs, the next ones follow a second later.
        """
        views, count = self._driver.list_waits(self._waits_told)
        self._waits_told += len(views)
        if self._waits_told >= count:
            self._waits_told = 0
        waits: dict[str, list[JobWait]] = {}
        for view in views:
            waits.setdefault(view.gateway, []).append(_job_wait(view))
        for gateway, jobs in waits.items():
            self._router.send_to_gateway(gateway, m.JobsWaiting(tuple(jobs)))

    def report_sent(self) -> None:
        """Tells the core what clients of the gateway in this process have; once a second."""
        self._tell_sent(self._list_sent())

    def report_broken(self, job: str, epoch: int) -> None:
        """Tells the core what the client has of a run that broke, before its report."""
        view = self._driver.core.job(job)
        if view is None or view.ended_at:
            return
        known = self._known.get(view.gateway)
        sent = () if known is None or job not in known.sent else ((job, *known.sent[job]),)
        for run in self._list_sent() if view.gateway == self._local else sent:
            if run[:2] == (job, epoch):
                self._scheduler.report_resumed(m.AnswerResumed(job, epoch, (run[1:],)))

    def _tell_sent(self, runs: Iterable[tuple[str, int, int]]) -> None:
        """Tells the core what clients have of answers that wait to be continued, if it is new."""
        core = self._driver.core
        for job, epoch, tokens in runs:
            for run in core.earlier_runs(job) if core.awaits_continuation(job) else ():
                most = min(tokens, run.lease.output_tokens_max)
                if run.lease.terms.epoch == epoch and run.delivered_tokens != most:
                    self._scheduler.report_resumed(m.AnswerResumed(job, epoch, ((epoch, tokens),)))

    def on_connection_closed(self, gateway: str) -> None:
        """Shortens the time in which a gateway whose connection was closed must be heard."""
        known = self._known.get(gateway)
        if known is not None and known.state == LIVE:
            known.is_cut_off = True
            known.lost_at = min(known.lost_at, self._driver.now() + CLOSED_MAX_S)

    def _hear(self, gateway: str) -> _Known:
        """Returns a gateway, heard now; makes room for a new one."""
        now = self._driver.now()
        known = self._known.get(gateway)
        if known is None:
            self._log.info("gateway.here", gateway=gateway)
            if len(self._known) >= GATEWAYS_MAX:
                rest = [n for n, other in self._known.items() if other.state != LIVE]
                oldest = min(rest or self._known, key=lambda name: self._known[name].heard_at)
                del self._known[oldest]
            known = self._known[gateway] = _Known(now, now)
        known.heard_at, known.lost_at, known.is_cut_off = now, now + SILENT_MAX_S, False
        return known

    def is_cut_off(self, gateway: str) -> bool:
        """Whether a gateway's connection to the bus is closed."""
        known = self._known.get(gateway)
        return known is not None and known.is_cut_off

    async def _on_message(self, raw: Msg) -> None:
        gateway = subjects.sender(raw.subject)
        if gateway == self._local:
            return  # another process uses the local gateway's name: ignore it
        known = self._hear(gateway)
        try:
            message = codec.gateway_up.decode(raw.data)
        except msgspec.DecodeError:
            self._driver.counts["gateway.undecodable"] += 1
            return
        match message:
            case m.GatewayHeartbeat():
                self._on_heartbeat(gateway, known, message)
            case m.GatewayGoodbye():
                self._on_goodbye(gateway, known, message)
            case m.SigninEnded():
                self.broadcast(message)
            case m.ExplanationRequest() | m.ModelsRequest() | m.PoolRequest() | m.EnrolmentQuery():
                if self._driver.may_handle():
                    await raw.respond(codec.encode(await self._answer(message)))
            case _:
                self._on_job_message(gateway, message)

    def _on_job_message(self, gateway: str, message: _JobMessage) -> None:
        scheduler = self._scheduler
        match message:
            case m.SubmitJob():
                self._submit(gateway, message.facts)
            case m.CancelJob():
                scheduler.cancel(message.job, message.reason)
            case m.AbandonPlacement():
                scheduler.abandon(message.job, message.epoch, message.code)
            case m.LeaseExceeded():
                scheduler.report_excess(message)
            case m.AnswerResumed():
                scheduler.report_resumed(message)
            case m.AnswerReceived():
                if message.delivered:
                    resumed = m.AnswerResumed(message.job, message.epoch, message.delivered)
                    scheduler.report_resumed(resumed)
                scheduler.report_answer(message)
            case m.AnswersSent():
                known = self._known[gateway]
                known.sent = {} if message.is_first else known.sent
                runs = message.runs[: m.JOBS_HELD_MAX]
                known.sent |= {job: (epoch, tokens) for job, epoch, tokens in runs}
                self._tell_sent(runs)
            case m.JobsHeld():
                self._on_jobs_held(gateway, message)

    def _on_heartbeat(self, gateway: str, known: _Known, beat: m.GatewayHeartbeat) -> None:
        is_new = known.state != LIVE or not known.boot
        if beat.boot != known.boot:
            if beat.boot in known.former_boots and known.state == LIVE:
                self._note_twice(gateway, known)
                return
            if known.boot:  # it has started again: nobody waits for its former jobs
                is_new = True
                if known.state != STOPPED:
                    self._driver.occurrences.add(Sort.GATEWAY, gateway)
                self._end_jobs(gateway, known)
                known.former_boots = [*known.former_boots, known.boot][-FORMER_BOOTS_MAX:]
            known.boot = beat.boot
        if is_new and known.state != LIVE:
            self._log.info("gateway.here", gateway=gateway)
        known.state = LIVE
        known.version = shortened(printable(beat.version), LABEL_MAX_CHARS)
        known.url = shortened(printable(beat.url), LABEL_MAX_CHARS)
        known.clock_offset_s = beat.sent_at - self._driver.now() if beat.sent_at else 0.0
        jobs = self._list_live_jobs(gateway) if is_new else []
        for part in _parts(jobs):
            heard = m.GatewayHeard(
                beat.boot, self._driver.incarnation, is_new, part, self._scheduler.place
            )
            self._router.send_to_gateway(gateway, heard)

    def _note_twice(self, gateway: str, known: _Known) -> None:
        now = self._driver.now()
        if now - known.twice_at >= TWICE_EVERY_S:
            self._log.error("gateway.twice", gateway=gateway)
            self._driver.health.add("gateway_twice", gateway)
        known.twice_at = now

    def _on_goodbye(self, gateway: str, known: _Known, goodbye: m.GatewayGoodbye) -> None:
        # A scheduler that has just begun may hear a goodbye before any heartbeat.
        if known.boot in ("", goodbye.boot) and known.state == LIVE:
            known.state = STOPPED
            self._log.info("gateway.left", gateway=gateway)
            self._end_jobs(gateway, known)
            self._forget_interim(gateway)

    def _forget_interim(self, gateway: str) -> None:
        """Forgets a gateway that is gone and was there for a handover only."""
        if gateway.startswith(INTERIM):
            del self._known[gateway]

    def _on_jobs_held(self, gateway: str, held: m.JobsHeld) -> None:
        """Tells a gateway of the jobs whose end or submission the bus has lost."""
        waiting = []
        for job in held.jobs[: m.JOBS_HELD_MAX]:
            view = self._driver.core.job(job)
            if view is None:
                self._router.send_to_gateway(gateway, m.JobUnknown(job))
            elif view.gateway == gateway and view.ended_at:
                ended = m.JobEnded(job, view.state, view.code, view.epoch, {})
                self._router.send_to_gateway(gateway, ended)
            elif view.gateway == gateway:
                waiting.append(job)
        self._scheduler.report_waiting(waiting)

    async def _answer(
        self, question: m.ExplanationRequest | m.ModelsRequest | m.PoolRequest | m.EnrolmentQuery
    ) -> m.Message:
        scheduler = self._scheduler
        match question:
            case m.ExplanationRequest():
                return await scheduler.explain(question.job, question.coop, question.person)
            case m.ModelsRequest():
                return m.ModelsReply(await scheduler.list_models())
            case m.PoolRequest():
                return m.PoolReply(await scheduler.describe_pool(question.coop))
            case m.EnrolmentQuery():
                return await scheduler.enrol(question.request, question.address)

    def _submit(self, gateway: str, facts: RequestFacts) -> None:
        if facts.gateway not in (gateway, self._local):
            self._driver.counts["gateway.foreign"] += 1
        elif self._driver.core.job(facts.job) is None:
            # A gateway repeats a submission until it gets a reply: a known job is ignored.
            self._scheduler.submit(facts)

    def _list_live_jobs(self, gateway: str) -> list[str]:
        return [
            view.job
            for view in self._driver.core.open_jobs()
            if view.gateway == gateway and view.kind is JobKind.LIVE
        ]

    def _count_live_jobs(self) -> Counter[str]:
        return Counter(
            view.gateway
            for view in self._driver.core.open_jobs()
            if view.gateway != self._local and view.kind is JobKind.LIVE
        )


def _parts(jobs: list[str]) -> Iterator[tuple[str, ...]]:
    """Yields lists of jobs that fit one message; one empty list if there are none."""
    for start in range(0, len(jobs) or 1, m.JOBS_HELD_MAX):
        yield tuple(jobs[start : start + m.JOBS_HELD_MAX])
