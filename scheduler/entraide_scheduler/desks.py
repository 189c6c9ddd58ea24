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
from entraide_scheduler.desk import GatewaySink
from entraide_scheduler.live import Live
from entraide_scheduler.outbox import Outbox
from entraide_scheduler.request_bounds import facts_fault
from entraide_scheduler.store.store import Store

SILENT_MAX_S = 5.0

_explanation = MsgpackDecoder[Explanation](Explanation)


class Switch:
    """Carries the core's answers to the gateway or node that they are for."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._sinks: dict[str, GatewaySink] = {}
        self._log = structlog.get_logger("entraide.desk")

    def attach(self, gateway: str, sink: GatewaySink) -> None:
        """From now on this gateway is in this process."""
        self._sinks[gateway] = sink

    def to_gateway(self, gateway: str, message: m.GatewayDown) -> None:
        """Tells a gateway."""
        sink = self._sinks.get(gateway)
        if sink is None:
            self._outbox.put(subjects.gateway_down(gateway), codec.encode(message))
            return
        try:
            sink.on_down(message)
        except Exception:  # noqa: BLE001  (a bug of one gateway is not the pool's end)
            self._log.exception("desk.sink_failed", message_kind=type(message).__name__)

    def to_node(self, node: str, message: m.NodeDownCtl) -> None:
        """Tells a node."""
        self._outbox.put(subjects.node_ctl_down(node), codec.encode(message))


class LocalDesk:
    """The desk of the gateway inside the scheduler."""

    def __init__(self, live: Live, store: Store, gateway: str) -> None:
        self._live = live
        self._store = store
        self._gateway = gateway

    @property
    def gateway(self) -> str:
        """Identifier of the gateway at this desk."""
        return self._gateway

    def submit(self, facts: RequestFacts) -> None:
        """Asks for a job; the answer comes to the sink."""
        if not _refuse_unsound(self._live, facts):
            self._live.feed(e.JobRequested, facts=facts)

    def cancel(self, job: str, reason: str) -> None:
        """The client left or cancelled; ``reason`` is an error code."""
        self._live.feed(e.JobCancelled, job=job, reason=reason)

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """A placement cannot be used."""
        self._live.feed(e.JobAbandoned, job=job, epoch=epoch, code=code)

    def exceeded(self, message: m.LeaseExceeded) -> None:
        """A node sent more than its lease grants; the client has been answered."""
        feed_exceeded(self._live, message)

    async def explain(self, job: str, coop: str) -> m.ExplanationReply:
        """Returns why a job of this co-op is where it is, and its settled receipt if any."""
        return await explain(self._live, self._store, job, coop)

    async def models(self) -> tuple[m.ModelCard, ...]:
        """Returns the models that may be asked for, and what a size means now."""
        return model_cards(self._live.core)


class GatewaysEar:
    """The desk of all gateways in processes of their own."""

    def __init__(self, live: Live, store: Store, switch: Switch, *, local: str) -> None:
        self._live = live
        self._store = store
        self._switch = switch
        self._local = local
        self._heard_at: dict[str, float] = {}
        self._log = structlog.get_logger("entraide.desk")

    async def start(self, connection: Client) -> None:
        """Begins to listen; gateways that have jobs in the core get their time to be heard."""
        now = self._live.now()
        for view in self._live.core.jobs():
            if view.gateway != self._local and view.ended_at == 0.0:
                self._heard_at[view.gateway] = now
        await subscribe(connection, subjects.ALL_GATEWAYS_UP, self._heard)

    def tell_all(self, message: m.Revocation) -> None:
        """Tells every gateway that is there, the one inside the scheduler first."""
        for gateway in (self._local, *sorted(self._heard_at)):
            self._switch.to_gateway(gateway, message)

    def tick(self) -> None:
        """Tells the core which gateways are gone; once a second."""
        now = self._live.now()
        for gateway in [g for g, at in self._heard_at.items() if now - at > SILENT_MAX_S]:
            del self._heard_at[gateway]
            self._log.warning("gateway.lost", gateway=gateway)
            self._live.feed(e.GatewayLost, gateway=gateway)

    async def _heard(self, raw: Msg) -> None:
        gateway = subjects.sender(raw.subject)
        if gateway == self._local:
            return  # another process bears our own gateway's name: never mix the two
        if gateway not in self._heard_at:
            self._log.info("gateway.here", gateway=gateway)
        self._heard_at[gateway] = self._live.now()
        try:
            message = codec.gateway_up.decode(raw.data)
        except msgspec.DecodeError:
            self._live.counts["gateway.undecodable"] += 1
            return
        match message:
            case m.SubmitJob():
                self._submit(gateway, message.facts)
            case m.CancelJob():
                self._live.feed(e.JobCancelled, job=message.job, reason=message.reason)
            case m.AbandonPlacement():
                self._live.feed(
                    e.JobAbandoned, job=message.job, epoch=message.epoch, code=message.code
                )
            case m.LeaseExceeded():
                feed_exceeded(self._live, message)
            case m.ExplanationRequest():
                answer = await explain(self._live, self._store, message.job, message.coop)
                await raw.respond(codec.encode(answer))
            case m.ModelsRequest():
                await raw.respond(codec.encode(m.ModelsReply(model_cards(self._live.core))))
            case m.GatewayHeartbeat():
                pass

    def _submit(self, gateway: str, facts: RequestFacts) -> None:
        if facts.gateway not in (gateway, self._local):
            self._live.counts["gateway.foreign"] += 1
        elif self._live.core.job(facts.job) is not None:
            return  # a gateway asks again until it is answered
        elif not _refuse_unsound(self._live, facts):
            self._live.feed(e.JobRequested, facts=facts)


def _refuse_unsound(live: Live, facts: RequestFacts) -> bool:
    """Refuses a request whose facts are out of bounds before the core hears of it."""
    fault = facts_fault(facts, now=live.now())
    if fault:
        live.counts["gateway.unsound"] += 1
        values: dict[str, str | int | float] = {"param": fault, "fault": "unreadable"}
        if fault == "input_tokens_est" and facts.input_tokens_est > facts.input_tokens_max:
            limits = {"limit": facts.input_tokens_max, "found": facts.input_tokens_est}
            values = {"param": fault, "fault": "at_most", **limits}
        live.answer(facts.gateway, m.JobRefused(facts.job, "invalid_request", values, None))
    return bool(fault)


def feed_exceeded(live: Live, message: m.LeaseExceeded) -> None:
    """Tells the core that a node sent more than its lease grants."""
    live.feed(
        e.RunExceeded,
        job=message.job,
        epoch=message.epoch,
        node=message.node,
        reason=message.reason,
        output_tokens=message.output_tokens,
    )


async def explain(live: Live, store: Store, job: str, coop: str) -> m.ExplanationReply:
    """Returns why a job is where it is and its settled receipt; nothing of another co-op's."""
    view = live.core.job(job)
    explanation = None
    if view is not None and view.coop == coop:
        explanation = live.explain(job)
    if explanation is None:
        kept = await store.explanation(job)
        if kept is not None and kept[0] == coop:
            explanation = _explanation.decode(kept[1])
    settled = await store.receipt(job)
    mine = settled is not None and settled[0] == coop
    return m.ExplanationReply(explanation, settled[1] if settled and mine else None)


def model_cards(core: Core) -> tuple[m.ModelCard, ...]:
    """Returns the models that may be asked for: those served, those loadable, then the sizes."""
    found = [_model_card(view) for view in core.models()]
    found += [_model_card(view) for view in core.loadable_models()]
    by_name = {card.model: card for card in found}
    for meaning in core.meanings():
        card = by_name.get(meaning.model)
        if card is not None:
            found.append(msgspec.structs.replace(card, model=meaning.alias, means=meaning.model))
    return tuple(found)


def _model_card(view: ModelView) -> m.ModelCard:
    return m.ModelCard(
        view.model,
        view.revisions,
        view.context_tokens,
        view.features,
        view.replicas,
        loaded=view.replicas > 0,
    )
