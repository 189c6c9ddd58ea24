"""Scheduler adapters: connect gateways, in this process or on the bus, with the core.

In: submissions, cancellations and queries of gateways. Out: events for the core, replies. A gateway
process sends a heartbeat once a second; after ``SILENT_MAX_S`` seconds without a message it is
lost, and its live jobs end.
"""

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from entraide.decoding import MsgpackDecoder
from entraide.types import Explanation, RequestFacts
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.bus import subscribe
from entraide_scheduler.core import events as e
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.views import ModelView
from entraide_scheduler.live_driver import LiveDriver
from entraide_scheduler.publisher import Publisher
from entraide_scheduler.request_bounds import find_facts_fault
from entraide_scheduler.scheduler_port import GatewaySink
from entraide_scheduler.store.store import Store

SILENT_MAX_S = 5.0

_explanation = MsgpackDecoder[Explanation](Explanation)


class MessageRouter:
    """Delivers the core's messages to gateways and nodes."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._sinks: dict[str, GatewaySink] = {}
        self._log = structlog.get_logger("entraide.gateways")

    def attach(self, gateway: str, sink: GatewaySink) -> None:
        """Registers a gateway of this process."""
        self._sinks[gateway] = sink

    def send_to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Sends a message to a gateway, directly or over the bus."""
        sink = self._sinks.get(gateway)
        if sink is None:
            self._publisher.publish(subjects.gateway_down(gateway), codec.encode(message))
            return
        try:
            sink.on_scheduler_message(message)
        except Exception:  # noqa: BLE001  (an error in one gateway must not stop the pool)
            self._log.exception("gateway.sink_failed", message_kind=type(message).__name__)

    def send_to_node(self, node: str, message: m.NodeDownCtl) -> None:
        """Sends a message to a node."""
        self._publisher.publish(subjects.node_ctl_down(node), codec.encode(message))


class LocalSchedulerAdapter:
    """``SchedulerPort`` for the gateway inside the scheduler."""

    def __init__(self, driver: LiveDriver, store: Store, gateway: str) -> None:
        self._driver = driver
        self._store = store
        self._gateway = gateway

    @property
    def gateway(self) -> str:
        """Identifier of this gateway."""
        return self._gateway

    def submit(self, facts: RequestFacts) -> None:
        """Submits a job; the reply comes to the sink."""
        if not _refuse_out_of_bounds(self._driver, facts):
            self._driver.feed(e.JobRequested, facts=facts)

    def cancel(self, job: str, reason: str) -> None:
        """Cancels a job; ``reason`` is an error code."""
        self._driver.feed(e.JobCancelled, job=job, reason=reason)

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """Reports that a placement cannot be used."""
        self._driver.feed(e.JobAbandoned, job=job, epoch=epoch, code=code)

    def report_excess(self, message: m.LeaseExceeded) -> None:
        """Reports that a node sent more than its lease grants; the client has been answered."""
        feed_exceeded(self._driver, message)

    async def explain(self, job: str, coop: str) -> m.ExplanationReply:
        """Returns the explanation of a job of this co-op, and its settled receipt if any."""
        return await explain_job(self._driver, self._store, job, coop)

    async def list_models(self) -> tuple[m.ModelCard, ...]:
        """Returns the models that clients may name, and the model of each size alias."""
        return list_model_cards(self._driver.core)


class GatewayListener:
    """Handles the messages of gateways in processes of their own."""

    def __init__(
        self, driver: LiveDriver, store: Store, router: MessageRouter, *, local: str
    ) -> None:
        self._driver = driver
        self._store = store
        self._router = router
        self._local = local
        self._last_message_at: dict[str, float] = {}
        self._log = structlog.get_logger("entraide.gateways")

    async def start(self, connection: Client) -> None:
        """Subscribes; gateways with jobs in the core get ``SILENT_MAX_S`` to send a heartbeat."""
        now = self._driver.now()
        for view in self._driver.core.jobs():
            if view.gateway != self._local and view.ended_at == 0.0:
                self._last_message_at[view.gateway] = now
        await subscribe(connection, subjects.ALL_GATEWAYS_UP, self._on_message)

    def broadcast(self, message: m.Revocation) -> None:
        """Sends a message to every connected gateway, the local one first."""
        for gateway in (self._local, *sorted(self._last_message_at)):
            self._router.send_to_gateway(gateway, message)

    def report_lost_gateways(self) -> None:
        """Feeds ``GatewayLost`` for silent gateways; called once a second."""
        now = self._driver.now()
        for gateway in [g for g, at in self._last_message_at.items() if now - at > SILENT_MAX_S]:
            del self._last_message_at[gateway]
            self._log.warning("gateway.lost", gateway=gateway)
            self._driver.feed(e.GatewayLost, gateway=gateway)

    async def _on_message(self, raw: Msg) -> None:
        gateway = subjects.sender(raw.subject)
        if gateway == self._local:
            return  # another process uses the local gateway's name: ignore it
        if gateway not in self._last_message_at:
            self._log.info("gateway.here", gateway=gateway)
        self._last_message_at[gateway] = self._driver.now()
        try:
            message = codec.gateway_up.decode(raw.data)
        except msgspec.DecodeError:
            self._driver.counts["gateway.undecodable"] += 1
            return
        match message:
            case m.SubmitJob():
                self._submit(gateway, message.facts)
            case m.CancelJob():
                self._driver.feed(e.JobCancelled, job=message.job, reason=message.reason)
            case m.AbandonPlacement():
                self._driver.feed(
                    e.JobAbandoned, job=message.job, epoch=message.epoch, code=message.code
                )
            case m.LeaseExceeded():
                feed_exceeded(self._driver, message)
            case m.ExplanationRequest():
                answer = await explain_job(self._driver, self._store, message.job, message.coop)
                await raw.respond(codec.encode(answer))
            case m.ModelsRequest():
                await raw.respond(codec.encode(m.ModelsReply(list_model_cards(self._driver.core))))
            case m.GatewayHeartbeat():
                pass

    def _submit(self, gateway: str, facts: RequestFacts) -> None:
        if facts.gateway not in (gateway, self._local):
            self._driver.counts["gateway.foreign"] += 1
        elif self._driver.core.job(facts.job) is not None:
            return  # a gateway repeats a submission until it gets a reply
        elif not _refuse_out_of_bounds(self._driver, facts):
            self._driver.feed(e.JobRequested, facts=facts)


def _refuse_out_of_bounds(driver: LiveDriver, facts: RequestFacts) -> bool:
    """Refuses a request whose facts are out of bounds; returns whether it did."""
    fault = find_facts_fault(facts, now=driver.now())
    if fault:
        driver.counts["gateway.unsound"] += 1
        values: dict[str, str | int | float] = {"param": fault, "fault": "unreadable"}
        if fault == "input_tokens_est" and facts.input_tokens_est > facts.input_tokens_max:
            limits = {"limit": facts.input_tokens_max, "found": facts.input_tokens_est}
            values = {"param": fault, "fault": "at_most", **limits}
        refusal = m.JobRefused(facts.job, "invalid_request", values, None)
        driver.send_to_gateway(facts.gateway, refusal)
    return bool(fault)


def feed_exceeded(driver: LiveDriver, message: m.LeaseExceeded) -> None:
    """Feeds ``RunExceeded``: a node sent more than its lease grants."""
    driver.feed(
        e.RunExceeded,
        job=message.job,
        epoch=message.epoch,
        node=message.node,
        reason=message.reason,
        output_tokens=message.output_tokens,
    )


async def explain_job(driver: LiveDriver, store: Store, job: str, coop: str) -> m.ExplanationReply:
    """Returns the explanation and the settled receipt of a job, if it is this co-op's."""
    view = driver.core.job(job)
    explanation = None
    if view is not None and view.coop == coop:
        explanation = driver.explain(job)
    if explanation is None:
        stored = await store.get_explanation(job)
        if stored is not None and stored[0] == coop:
            explanation = _explanation.decode(stored[1])
    settlement = await store.get_receipt(job)
    is_own = settlement is not None and settlement[0] == coop
    return m.ExplanationReply(explanation, settlement[1] if settlement and is_own else None)


def list_model_cards(core: Core) -> tuple[m.ModelCard, ...]:
    """Returns served models, then loadable models, then size aliases."""
    cards = [_model_card(view) for view in core.models()]
    cards += [_model_card(view) for view in core.loadable_models()]
    by_name = {card.model: card for card in cards}
    for meaning in core.alias_meanings():
        card = by_name.get(meaning.model)
        if card is not None:
            cards.append(msgspec.structs.replace(card, model=meaning.alias, means=meaning.model))
    return tuple(cards)


def _model_card(view: ModelView) -> m.ModelCard:
    return m.ModelCard(
        view.model,
        view.revisions,
        view.context_tokens,
        view.features,
        view.replicas,
        loaded=view.replicas > 0,
    )
