"""Node listener: turns the nodes' control messages into events for the core.

In: messages on the nodes' control subjects. Out: events, and replies on the bus. A message is used
if the record of the key that sent it is of an approved node that is not quarantined, if its
sequence number is new, and if it is within the bounds and the rate of ``node_validation``.
Heartbeats without a change are batched into one ``NodesSeen`` per second.
"""

import asyncio
import collections
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import Struct

from entraide import __version__
from entraide.types import EnergyStatus, JobKind, JobState, Lending, NodeCard, Outcome
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide.wire.bus_connection import BusConnection
from entraide.wire.nats import expires_at
from entraide_scheduler.bus import Publisher
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.core import events as e
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.node_validation import clocks
from entraide_scheduler.node_validation.message_reader import MessageReader, RejectedMessage
from entraide_scheduler.nodes.hardware import peak_w
from entraide_scheduler.nodes.node_registry import APPROVED, WAITING, NodeRegistry
from entraide_scheduler.nodes.usage_reports import ResultSource, UsageReports
from entraide_scheduler.store.rows import REVOKED, NodeRow
from entraide_scheduler.store.store import Store

HEARTBEAT_S = 1.0
BUSY_HEARTBEAT_S = 0.5
REFUSALS_MAX = 32  # failed loads remembered per node
RENEW_WHEN_LEFT_S = 10 * 86_400.0
RENEW_AT_HELLO_AFTER_S = 86_400.0
WAITING_MAX = 100_000  # messages behind one that takes time
WAITING_MAX_BYTES = 256 * 1024 * 1024  # of these
IGNORED_KEPT = 10_000  # pairs of node and reason that are logged only once


class IdentityIssuer(Protocol):
    """Issues identities for the bus."""

    def issue_node_jwt(self, node: str, public_key: str) -> str | None:
        """Returns a JWT; None if the key was revoked."""


class NodeSession(Struct):
    """State of a node's connection: last sequence number and last reported state."""

    boot: str
    seq: int
    accepting: bool
    reason: str
    energy: EnergyStatus | None
    lending: Lending = Lending.ALL
    clock_offset_s: float = 0.0  # its clock minus the pool's


class LoadRefusal(Struct, frozen=True):
    """A failed load of a model on a node.

    Attributes:
        model: public name of the model.
        code: stable code of the reason.
        at: time of the node's reply, seconds since the epoch.
    """

    model: str
    code: str
    at: float


class NodeListener:
    """Listens to the control messages of all nodes.

    Args:
        driver: receives the events.
        registry: the nodes that may send.
        publisher: sends the replies.
        issuer: renews the nodes' identities.
        catalogue: the pool's model catalogue.
        refuse_key: revokes a key on the bus that has no record, or that has left the pool.
        results: see ``usage_reports``.
        gateway: identifier of the gateway in this process.
        note_broken: is told of a run that broke, before its report.

    Attributes:
        reports: passes the usage reports on.
    """

    def __init__(
        self,
        driver: LiveDriver,
        *,
        registry: NodeRegistry,
        publisher: Publisher,
        issuer: IdentityIssuer,
        catalogue: PoolCatalogue,
        refuse_key: Callable[[str], None],
        results: ResultSource,
        gateway: str,
        note_broken: Callable[[str, int], None],
    ) -> None:
        self._note_broken = note_broken
        self._catalogue = catalogue
        self._driver = driver
        self._registry = registry
        self._publisher = publisher
        self._issuer = issuer
        self.reports = UsageReports(
            results,
            handle_report=self._feed_report,
            handle_loss=self._feed_loss,
            holds_run=self._holds_run,
            may_complete=self._may_complete,
            gateway_of=self._gateway_of,
            now=driver.now,
        )
        self._gateway = gateway
        self._refuse_key = refuse_key
        self._waiting: collections.deque[tuple[str, bytes]] = collections.deque()
        self._waiting_bytes = 0
        self._going_on: asyncio.Task[None] | None = None
        self._sessions: dict[str, NodeSession] = {}
        self._seen_nodes: set[str] = set()
        self._load_refusals: dict[str, dict[str, LoadRefusal]] = {}
        self._reader = MessageReader(self._holds_run)
        self._answered_at: dict[str, float] = {}  # when a waiting node was last told so
        self._ignored: set[tuple[str, str]] = set()
        self._log = structlog.get_logger("entraide.nodes")

    async def start(self, connection: BusConnection) -> None:
        """Subscribes to the control subjects of all nodes."""
        await connection.receive(subjects.ALL_NODES_CTL, self.on_message)

    def stop(self) -> None:
        """Drops the messages that wait; called after the end of the connection."""
        if self._going_on is not None:
            self._going_on.cancel()
        self._waiting.clear()

    async def settle_answered(self, store: Store) -> None:
        """Settles the kept jobs whose answers a crash left stored and not settled."""
        runs = await store.list_answered_runs()
        for run in runs:
            lease = run.node, run.job, run.epoch
            if not self._holds_run(*lease) and not self._may_complete(*lease):
                self._log.error("kept.not_settled", job=run.job, epoch=run.epoch)
                store.delete_answered_runs([run.job])
                continue
            args = (run.job, run.epoch, Outcome.COMPLETED, "")
            self._feed_report(run.node, m.UsageReport(*args, delivered=True, usage=run.usage))
        if runs:
            self._log.info("kept.settled_at_start", jobs=len(runs))

    def report_seen_nodes(self) -> None:
        """Feeds ``NodesSeen`` with the nodes heard since the last call; called once a second."""
        self.reports.settle_overdue()
        if self._seen_nodes:
            nodes = tuple(sorted(self._seen_nodes))
            self._seen_nodes.clear()
            self._driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=nodes))

    def remove_session(self, node: str) -> None:
        """Removes a node's session; its next heartbeat is answered with ``HelloRequest``."""
        self.reports.settle_node(node)
        self._sessions.pop(node, None)
        self._seen_nodes.discard(node)

    def request_hello(self, row: NodeRow) -> None:
        """Asks a node for a hello, whose answer tells it what the pool's record says."""
        self._send(row, m.HelloRequest())

    def send_catalogue(self) -> None:
        """Sends the catalogue to every connected node, after a change."""
        for row in self._registry.list_nodes():
            if row.node in self._sessions:
                self._send(row, self._catalogue.message)

    async def renew_due_identities(self) -> None:
        """Renews the identities that expire within ``RENEW_WHEN_LEFT_S``; called once an hour."""
        for row in self._registry.list_nodes():
            if row.node in self._sessions:
                await self._renew_identity(row, fresh_s=RENEW_WHEN_LEFT_S)

    def _feed_report(self, node: str, message: m.UsageReport) -> None:
        """Feeds a usage report as ``RunReported``."""
        if message.delivered and message.outcome is not Outcome.COMPLETED:
            self._note_broken(message.job, message.epoch)
        report = e.RunReported(
            *e.UNNUMBERED, job=message.job, epoch=message.epoch, node=node,
            outcome=message.outcome, code=message.code, delivered=message.delivered,
            usage=message.usage, beside=message.beside,
        )  # fmt: skip
        self._driver.feed(report)

    def _feed_loss(self, job: str, epoch: int) -> None:
        """Has a job run again, or an answer go on, whose end is lost."""
        view = self._driver.core.job(job)
        is_live = view is not None and view.kind is JobKind.LIVE
        code = "answer_broken" if is_live else "gateway_lost"
        if is_live:
            self._driver.counts["live.answer_lost"] += 1
            self._log.error("live.answer_lost", job=job, epoch=epoch)
        else:
            self._driver.counts["kept.answer_lost"] += 1
            self._log.error("kept.answer_lost", job=job, epoch=epoch)
        self._driver.feed(e.JobAbandoned(*e.UNNUMBERED, job=job, epoch=epoch, code=code))

    def _gateway_of(self, job: str) -> str:
        view = self._driver.core.job(job)
        if view is None or view.kind is not JobKind.LIVE or view.ended_at:
            return ""
        return "" if view.gateway == self._gateway else view.gateway

    def on_message(self, subject: str, data: bytes) -> None:
        """Handles one message of a node, after those before it, some of which take time."""
        if self._waiting:
            is_full = self._waiting_bytes + len(data) > WAITING_MAX_BYTES
            if is_full or len(self._waiting) >= WAITING_MAX:
                self._ignore("too_many", subjects.sender(subject))
                return
            self._waiting.append((subject, data))
            self._waiting_bytes += len(data)
            return
        rest = self._handle(subject, data)
        if rest is not None:
            self._waiting.append((subject, b""))  # what comes meanwhile waits behind it
            self._going_on = asyncio.create_task(self._go_on(rest), name="node-messages")

    async def _go_on(self, rest: Coroutine[Any, Any, None] | None) -> None:
        """Handles the rest of the first waiting message, then the others."""
        while self._waiting:
            try:
                if rest is None:
                    rest = self._handle(*self._waiting[0])
                if rest is not None:
                    await rest
            except Exception:  # noqa: BLE001  (one message must not stop the others)
                self._log.exception("node.message_failed")
            self._waiting_bytes -= len(self._waiting.popleft()[1])
            rest = None

    def _handle(self, subject: str, data: bytes) -> Coroutine[Any, Any, None] | None:
        """Handles a message; returns what of it takes time, if any."""
        key = subjects.sender(subject)
        row = self._registry.find_by_key(key)
        if row is None or row.approval != APPROVED:
            self._answer_unapproved(key, row)
            return None
        node = row.node
        if self._driver.core.quarantine(SenderKind.NODE, node) is not None:
            self._ignore("quarantined", node)
            return None
        message = self._reader.read_message(node, data, self._driver.now())
        match message:
            case RejectedMessage():
                self._ignore(message.why, node, message.field)
            case m.Heartbeat():
                self._handle_heartbeat(row, message)
            case m.Progress():
                self._driver.feed(
                    e.RunProgressed(
                        *e.UNNUMBERED, message.job, message.epoch, node, message.output_tokens
                    )
                )
            case m.Accept():
                self._driver.feed(
                    e.RunAccepted(*e.UNNUMBERED, job=message.job, epoch=message.epoch, node=node)
                )
            case m.UsageReport():
                self.reports(node, message)
            case _:
                return self._handle_rare(row, message)
        return None

    def _answer_unapproved(self, key: str, row: NodeRow | None) -> None:
        """Tells a node that waits for the operator's approval so, at most once a second."""
        now = self._driver.now()
        if row is None or row.approval != WAITING:
            self._ignore("unknown", row.node if row is not None else key)
            self._refuse_key(key)
        elif now - self._answered_at.get(key, 0.0) >= HEARTBEAT_S:
            self._answered_at[key] = now
            self._send(row, m.ApprovalPending())

    async def _handle_rare(
        self,
        row: NodeRow,
        message: m.Hello | m.Decline | m.Goodbye | m.LoadFailed | m.CatalogueRequest,
    ) -> None:
        if self._registry.find_approved(row.public_key) is None:
            return  # revoked since the message came
        match message:
            case m.Hello():
                await self._handle_hello(row, message)
            case m.Decline():
                self._driver.feed(
                    e.RunDeclined(
                        *e.UNNUMBERED,
                        job=message.job,
                        epoch=message.epoch,
                        node=row.node,
                        code=message.code,
                        values=_numbers(message.values),
                    )
                )
            case m.LoadFailed():
                self._handle_load_failure(row.node, message)
            case m.CatalogueRequest():
                answer = self._catalogue.update_for(message.digest)
                if answer is not None:
                    self._send(row, answer)
            case m.Goodbye():
                self.remove_session(row.node)
                self._driver.feed(e.NodeLeft(*e.UNNUMBERED, node=row.node, reason="goodbye"))
                if message.reason == m.LEFT:
                    await self._registry.set_approval(row.node, REVOKED)
                    self._refuse_key(row.public_key)

    async def _handle_hello(self, row: NodeRow, hello: m.Hello) -> None:
        node = row.node
        session = self._sessions.get(node)
        if session is not None and session.boot == hello.boot and hello.seq <= session.seq:
            self._ignore("old", node)
            return
        now = self._driver.now()
        device = await self._registry.pin_device(row, hello.card.power.device)
        current = self._registry.find_approved(row.public_key)
        if current is None:
            return  # revoked meanwhile
        row = current
        card = clocks.apply_pool_record(hello.card, row, behind_s=now - hello.sent_at, now=now)
        if device != card.power.device:
            self._driver.counts["node.device_changed"] += 1
            self._log.warning("node.device_changed", node=node, approved=device)
        self._count_contradictions(hello.card, row)
        self._sessions[node] = NodeSession(
            hello.boot, hello.seq, hello.accepting, hello.reason, card.energy, hello.lending
        )
        self._seen_nodes.discard(node)
        for replica in card.replicas:
            self._load_refusals.get(node, {}).pop(replica.model, None)
        self._log.info("node.hello", node=node, boot=hello.boot, agent=card.agent)
        self.reports.settle_node(node, held=hello.running)
        if not self._driver.feed(
            e.NodeJoined(
                *e.UNNUMBERED,
                card=card,
                accepting=hello.accepting,
                reason=hello.reason,
                lending=hello.lending,
                boot=hello.boot,
                held=hello.running,
                peak_w=peak_w(device),
            )
        ):
            self.remove_session(node)  # its next heartbeat is answered with HelloRequest
            return
        runs_to_keep = tuple(run for run in hello.running if self._is_current_run(node, *run))
        protocol = min(hello.protocol, m.PROTOCOL)
        beats = HEARTBEAT_S, runs_to_keep, protocol, __version__, now, BUSY_HEARTBEAT_S
        self._send(row, m.Welcome(*beats, row.zone))
        await self._renew_identity(self._registry.get(node) or row, fresh_s=None)

    def _count_contradictions(self, card: NodeCard, row: NodeRow) -> None:
        """Counts a card that contradicts the pool's record, and logs its first per node."""
        fields = clocks.find_contradictions(card, row)
        if not fields:
            return
        self._driver.counts["node.contradicts_record"] += 1
        if self._is_first(row.node, "contradicts_record"):
            self._log.warning("node.contradicts_record", node=row.node, fields=fields)

    def _handle_load_failure(self, node: str, message: m.LoadFailed) -> None:
        self._driver.counts["model.load_failed"] += 1
        shown = {"model": message.model, "code": message.code, "values": message.values}
        self._log.warning("model.load_failed", node=node, **shown)
        refusals = self._load_refusals.setdefault(node, {})
        refusals.pop(message.model, None)
        refusals[message.model] = LoadRefusal(message.model, message.code, self._driver.now())
        while len(refusals) > REFUSALS_MAX:
            refusals.pop(next(iter(refusals)))
        self._driver.feed(
            e.LoadFailed(*e.UNNUMBERED, node=node, model=message.model, code=message.code)
        )

    def list_clock_offsets(self) -> dict[str, float]:
        """Returns the clock of each connected node minus the pool's, seconds."""
        return {node: session.clock_offset_s for node, session in self._sessions.items()}

    def load_refusals(self, node: str) -> tuple[LoadRefusal, ...]:
        """Returns a node's failed loads since this start, sorted by model."""
        refusals = self._load_refusals.get(node, {})
        return tuple(refusals[model] for model in sorted(refusals))

    def _is_current_run(self, node: str, job: str, epoch: int) -> bool:
        view = self._driver.core.job(job)
        held = (JobState.OFFERED, JobState.ACTIVE)
        return view is not None and view.state in held and (view.epoch, view.node) == (epoch, node)

    def _handle_heartbeat(self, row: NodeRow, beat: m.Heartbeat) -> None:
        node = row.node
        peer = self._sessions.get(node)
        if peer is None or peer.boot != beat.boot:
            self._send(row, m.HelloRequest())
            return
        if beat.seq <= peer.seq:
            self._ignore("old", node)
            return
        peer.seq = beat.seq
        peer.clock_offset_s = beat.sent_at - self._driver.now()
        if beat.prefix_held is not None:
            self._driver.note_held(node, beat.prefix_held)
        # The first heartbeat without runs tells the core to wait for no more that list some.
        concerns_runs = beat.runs or self._driver.core.awaits_runs(node)
        if concerns_runs and not self._feed_runs(node, beat):
            self.remove_session(node)
            return
        now = self._driver.now()
        energy = clocks.convert_energy_times(beat.energy, behind_s=now - beat.sent_at, now=now)
        state = beat.accepting, beat.reason, beat.lending
        same = (peer.accepting, peer.reason, peer.lending) == state
        if same and not clocks.has_energy_changed(peer.energy, energy, now):
            self._seen_nodes.add(node)
            return
        peer.accepting, peer.reason, peer.lending = state
        peer.energy = energy
        self._seen_nodes.discard(node)
        if not self._driver.feed(
            e.NodeChanged(
                *e.UNNUMBERED,
                node=node,
                accepting=beat.accepting,
                reason=beat.reason,
                energy=energy,
                lending=beat.lending,
            )
        ):
            self.remove_session(node)

    def _feed_runs(self, node: str, beat: m.Heartbeat) -> bool:
        """Feeds a heartbeat that lists runs, or the first one that lists none again."""
        for run in beat.runs:
            if run.engine and self._is_first(node, f"{run.engine} {run.job}"):
                self._log.warning("run.engine_down", node=node, job=run.job, code=run.engine)
        runs = tuple((run.job, run.epoch, run.output_tokens) for run in beat.runs)
        return self._driver.feed(e.NodeBeat(*e.UNNUMBERED, node=node, runs=runs))

    async def _renew_identity(self, row: NodeRow, *, fresh_s: float | None) -> None:
        """Renews an identity with less than ``fresh_s`` left; if None, one older than a day."""
        now = self._driver.now()
        left_s, age_s = row.jwt_expires_at - now, now - row.jwt_issued_at
        if left_s > fresh_s if fresh_s is not None else age_s < RENEW_AT_HELLO_AFTER_S:
            return
        jwt = self._issuer.issue_node_jwt(row.node, row.public_key)
        if jwt is None:
            return
        self._send(row, m.IdentityRenewed(jwt))
        await self._registry.put(
            msgspec.structs.replace(row, jwt_issued_at=now, jwt_expires_at=expires_at(jwt))
        )

    def _send(self, row: NodeRow, message: m.NodeDownCtl) -> None:
        self._publisher.publish(subjects.node_ctl_down(row.public_key), codec.encode(message))

    def _holds_run(self, node: str, job: str, epoch: int) -> bool:
        return self._driver.core.holds_run(node, job, epoch)

    def _may_complete(self, node: str, job: str, epoch: int) -> bool:
        return self._driver.core.may_complete(node, job, epoch)

    def _ignore(self, why: str, node: str, field: str = "") -> None:
        """Counts an ignored message, and logs the first one per node and reason."""
        self._driver.counts[f"node.{why}"] += 1
        if self._is_first(node, why):
            self._log.warning("node.ignored", node=node, why=why, field=field)

    def _is_first(self, node: str, why: str) -> bool:
        """Whether a node has given this reason for a line of the log for the first time."""
        first = (node, why) not in self._ignored and len(self._ignored) < IGNORED_KEPT
        if first:
            self._ignored.add((node, why))
        return first


def _numbers(values: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """Returns the numbers of a sentence; an engine's words do not enter the journal."""
    return {name: value for name, value in values.items() if not isinstance(value, str)}
