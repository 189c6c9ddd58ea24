"""Desks: where gateways meet the core, in this process or across the bus.

It decides which gateway is still there. A gateway of its own process beats once a second; one that
is silent for ``SILENT_MAX_S`` is lost, and the jobs that lived with it end.
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
from entraide_scheduler.request_bounds import facts_fault
from entraide_scheduler.scheduler_port import GatewaySink
from entraide_scheduler.store.store import Store

SILENT_MAX_S = 5.0

_explanation = MsgpackDecoder[Explanation](Explanation)


class MessageRouter:
    """Carries the core's answers to the gateway or node that they are for."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._sinks: dict[str, GatewaySink] = {}
        self._log = structlog.get_logger("entraide.desk")

    def attach(self, gateway: str, sink: GatewaySink) -> None:
        """From now on this gateway is in this process."""
        self._sinks[gateway] = sink

    def to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Tells a gateway."""
        sink = self._sinks.get(gateway)
        if sink is None:
            self._publisher.publish(subjects.gateway_down(gateway), codec.encode(message))
            return
        try:
            sink.on_scheduler_message(message)
        except Exception:  # noqa: BLE001  (a bug of one gateway is not the pool's end)
            self._log.exception("desk.sink_failed", message_kind=type(message).__name__)

    def to_node(self, node: str, message: m.NodeDownCtl) -> None:
        """Tells a node."""
        self._publisher.publish(subjects.node_ctl_down(node), codec.encode(message))


class LocalSchedulerAdapter:
    """The desk of the gateway inside the scheduler."""

    def __init__(self, driver: LiveDriver, store: Store, gateway: str) -> None:
        self._driver = driver
        self._store = store
        self._gateway = gateway

    @property
    def gateway(self) -> str:
        """Identifier of the gateway at this desk."""
        return self._gateway

    def submit(self, facts: RequestFacts) -> None:
        """Asks for a job; the answer comes to the sink."""
        if not _refuse_out_of_bounds(self._driver, facts):
            self._driver.feed(e.JobRequested, facts=facts)

    def cancel(self, job: str, reason: str) -> None:
        """The client left or cancelled; ``reason`` is an error code."""
        self._driver.feed(e.JobCancelled, job=job, reason=reason)

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """A placement cannot be used."""
        self._driver.feed(e.JobAbandoned, job=job, epoch=epoch, code=code)

    def exceeded(self, message: m.LeaseExceeded) -> None:
        """A node sent more than its lease grants; the client has been answered."""
        feed_exceeded(self._driver, message)

    async def explain(self, job: str, coop: str) -> m.ExplanationReply:
        """Returns why a job of this co-op is where it is, and its settled receipt if any."""
        return await explain_job(self._driver, self._store, job, coop)

    async def models(self) -> tuple[m.ModelCard, ...]:
        """Returns the models that may be asked for, and what a size means now."""
        return model_cards(self._driver.core)


class GatewayListener:
    """The desk of all gateways in processes of their own."""

    def __init__(
        self, driver: LiveDriver, store: Store, router: MessageRouter, *, local: str
    ) -> None:
        self._driver = driver
        self._store = store
        self._router = router
        self._local = local
        self._last_message_at: dict[str, float] = {}
        self._log = structlog.get_logger("entraide.desk")

    async def start(self, connection: Client) -> None:
        """Begins to listen; gateways that have jobs in the core get their time to be heard."""
        now = self._driver.now()
        for view in self._driver.core.jobs():
            if view.gateway != self._local and view.ended_at == 0.0:
                self._last_message_at[view.gateway] = now
        await subscribe(connection, subjects.ALL_GATEWAYS_UP, self._on_message)

    def broadcast(self, message: m.Revocation) -> None:
        """Tells every gateway that is there, the one inside the scheduler first."""
        for gateway in (self._local, *sorted(self._last_message_at)):
            self._router.to_gateway(gateway, message)

    def report_lost_gateways(self) -> None:
        """Tells the core which gateways are gone; once a second."""
        now = self._driver.now()
        for gateway in [g for g, at in self._last_message_at.items() if now - at > SILENT_MAX_S]:
            del self._last_message_at[gateway]
            self._log.warning("gateway.lost", gateway=gateway)
            self._driver.feed(e.GatewayLost, gateway=gateway)

    async def _on_message(self, raw: Msg) -> None:
        gateway = subjects.sender(raw.subject)
        if gateway == self._local:
            return  # another process bears our own gateway's name: never mix the two
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
                await raw.respond(codec.encode(m.ModelsReply(model_cards(self._driver.core))))
            case m.GatewayHeartbeat():
                pass

    def _submit(self, gateway: str, facts: RequestFacts) -> None:
        if facts.gateway not in (gateway, self._local):
            self._driver.counts["gateway.foreign"] += 1
        elif self._driver.core.job(facts.job) is not None:
            return  # a gateway asks again until it is answered
        elif not _refuse_out_of_bounds(self._driver, facts):
            self._driver.feed(e.JobRequested, facts=facts)


def _refuse_out_of_bounds(driver: LiveDriver, facts: RequestFacts) -> bool:
    """Refuses a request whose facts are out of bounds before the core hears of it."""
    fault = facts_fault(facts, now=driver.now())
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
    """Tells the core that a node sent more than its lease grants."""
    driver.feed(
        e.RunExceeded,
        job=message.job,
        epoch=message.epoch,
        node=message.node,
        reason=message.reason,
        output_tokens=message.output_tokens,
    )


async def explain_job(driver: LiveDriver, store: Store, job: str, coop: str) -> m.ExplanationReply:
    """Returns why a job is where it is and its settled receipt; nothing of another co-op's."""
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


def model_cards(core: Core) -> tuple[m.ModelCard, ...]:
    """Returns the models that may be asked for: those served, those loadable, then the sizes."""
    cards = [_model_card(view) for view in core.models()]
    cards += [_model_card(view) for view in core.loadable_models()]
    by_name = {card.model: card for card in cards}
    for meaning in core.meanings():
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
