"""Scheduler adapters: connect gateways, in this process or on the bus, with the core.

In: submissions, cancellations and queries of gateways. Out: events for the core, replies.
``gateway_listener`` receives those of the gateways on the bus.
"""

import asyncio
import re
from collections.abc import Callable

import msgspec
import structlog
from msgspec import structs

from entraide.coop_names import names_of
from entraide.decoding import MsgpackDecoder
from entraide.models import UNKNOWN_MODEL
from entraide.shared_fields import make_copier
from entraide.types import (
    UNKNOWN_PLACE,
    Explanation,
    JobKind,
    JobState,
    RequestFacts,
    ServerPlace,
    idempotency_key_of,
)
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide.wire.cards import ModelCard
from entraide.wire.enrolment import JoinRequest
from entraide.wire.pool_state import PoolState
from entraide_scheduler.bus import GatewaySink, Publisher
from entraide_scheduler.core import events as e
from entraide_scheduler.core.carbon import BatchExpectation
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.views import JobView, ModelView
from entraide_scheduler.driver import LiveDriver, Outbound
from entraide_scheduler.gateways.pool_state import ZoneSources, describe_pool
from entraide_scheduler.gateways.request_bounds import find_facts_fault
from entraide_scheduler.node_validation import bounds
from entraide_scheduler.nodes import Enrolment
from entraide_scheduler.store.outage import StoreAway
from entraide_scheduler.store.owners import person_of
from entraide_scheduler.store.store import Store

KEYS_MAX = 50_000  # idempotency keys of live jobs; the oldest are forgotten first
DELIVERED_MAX = 64  # earlier runs of one answer; the policy allows few attempts

_explanation = MsgpackDecoder[Explanation](Explanation)


class MessageRouter:
    """Delivers the core's messages to gateways and nodes.

    Args:
        publisher: sends on the bus.
        key_of: returns the public key of an approved node, else "".
    """

    def __init__(self, publisher: Publisher, key_of: Callable[[str], str]) -> None:
        self._publisher = publisher
        self._key_of = key_of
        self._sinks: dict[str, GatewaySink] = {}
        self._log = structlog.get_logger("entraide.gateways")

    def attach(self, gateway: str, sink: GatewaySink) -> None:
        """Registers a gateway of this process."""
        self._sinks[gateway] = sink

    def is_elsewhere(self, gateway: str) -> bool:
        """Whether a gateway is another process."""
        return gateway not in self._sinks

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
        """Sends a message to a node; to none that is not approved any more."""
        key = self._key_of(node)
        if key:
            self._publisher.publish(subjects.node_ctl_down(key), codec.encode(message))


_card_of = make_copier(ModelView, ModelCard)
_run_exceeded = make_copier(m.LeaseExceeded, e.RunExceeded, own=("reason",))
_answer_resumed = make_copier(m.AnswerResumed, e.AnswerResumed, own=("delivered",))
_UNNUMBERED = dict(zip(("id", "at"), e.UNNUMBERED, strict=True))


class LocalSchedulerAdapter:
    """``SchedulerPort`` for the gateway inside the scheduler; others use it over the bus.

    Attributes:
        place: where the pool's server stands.
    """

    def __init__(
        self,
        driver: LiveDriver,
        store: Store,
        outbound: Outbound,
        enrolment: Enrolment,
        gateway: str,
        *,
        place: ServerPlace = UNKNOWN_PLACE,
        zone_sources: Callable[[float], ZoneSources] | None = None,
        broadcast: Callable[[m.Revocation], None] | None = None,
        on_answer: Callable[[m.AnswerReceived], None] | None = None,
        on_waiting: Callable[[list[str]], None] | None = None,
        is_cut_off: Callable[[str], bool] = lambda _gateway: False,
    ) -> None:
        """Creates the adapter.

        Args:
            driver: of the core.
            store: the pool's.
            outbound: sends replies to gateways.
            enrolment: of machines.
            gateway: identifier of the gateway inside the scheduler.
            place: where the pool's server stands.
            zone_sources: returns where the grid's data is from at a time.
            broadcast: tells every gateway of a revocation; None if there is only this one.
            on_answer: is told of answers that have come; see ``usage_reports``.
            on_waiting: is told of live jobs for whose answers another gateway waits; likewise.
            is_cut_off: whether a gateway's connection to the bus is closed.
        """
        self.place = place
        self._zone_sources = zone_sources
        self._driver = driver
        self._enrolment = enrolment
        self._store = store
        self._outbound = outbound
        self._gateway = gateway
        self._broadcast = broadcast
        self._on_answer = on_answer
        self._on_waiting = on_waiting
        self._is_cut_off = is_cut_off
        # Live jobs, each with its ``idempotency``, by idempotency key.
        self._keys: dict[tuple[str, str, str], tuple[str, str]] | None = None
        self._checked: set[str] = set()  # jobs whose keys are looked for in the books
        self._checks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("entraide.scheduler")

    @property
    def gateway(self) -> str:
        """Identifier of the gateway inside the scheduler."""
        return self._gateway

    def submit(self, facts: RequestFacts) -> None:
        """Submits a job, or refuses facts that are out of bounds; the reply comes to the sink."""
        facts = self._with_place(facts)
        fault = find_facts_fault(facts, now=self._driver.now())
        if not fault and facts.idempotency and facts.kind is JobKind.LIVE:
            self._submit_once(facts)
            return
        if not fault:
            self._feed(facts)
            return
        self._driver.counts["gateway.unsound"] += 1
        values: dict[str, str | int | float] = {"param": fault, "fault": "unreadable"}
        if fault == "input_tokens_est" and facts.input_tokens_est > facts.input_tokens_max:
            limits = {"limit": facts.input_tokens_max, "found": facts.input_tokens_est}
            values = {"param": fault, "fault": "at_most", **limits}
        refusal = m.JobRefused(facts.job, "invalid_request", values, None)
        self._outbound.send_to_gateway(facts.gateway, refusal)

    def _with_place(self, facts: RequestFacts) -> RequestFacts:
        """Returns facts whose first place is that of the pool's server, whoever sent them."""
        if facts.places[:1] == (self.place,):
            return facts
        others = tuple(place for place in facts.places if place != self.place)
        return structs.replace(facts, places=(self.place, *others))

    def _feed(self, facts: RequestFacts) -> None:
        self._driver.feed(e.JobRequested(*e.UNNUMBERED, facts=self._without_text(facts)))

    def _submit_once(self, facts: RequestFacts) -> None:
        """Submits a live job, unless its idempotency key is that of another that is not over.

        The books know the keys of jobs that are settled, the store those of kept jobs.
        """
        earlier = self._claim_key(facts)
        if earlier[0]:
            self._refuse_repeated(facts, *earlier)
            return
        self._checked.add(facts.job)
        task = asyncio.get_running_loop().create_task(self._submit_unless_settled(facts))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _submit_unless_settled(self, facts: RequestFacts) -> None:
        key = (facts.coop, facts.key, facts.idempotency)
        try:
            earlier = await self._store.find_settled_key(*key)
        except Exception as problem:  # noqa: BLE001  (the client gets an error, and nothing is charged twice)
            self._log.exception("scheduler.key_not_checked", job=facts.job)
            away = problem if isinstance(problem, StoreAway) else None
            code, retry_after_s = (away.code, away.retry_after_s) if away else ("internal", None)
            refusal = m.JobRefused(facts.job, code, {}, retry_after_s)
            self._outbound.send_to_gateway(facts.gateway, refusal)
            return
        finally:
            self._checked.discard(facts.job)
        if earlier[0]:
            self._refuse_repeated(facts, *earlier)
        else:
            self._feed(facts)

    def _refuse_repeated(self, facts: RequestFacts, earlier: str, idempotency: str) -> None:
        is_same = idempotency == facts.idempotency
        code = "answer_not_held" if is_same else "idempotency_mismatch"
        refusal = m.JobRefused(facts.job, code, {"earlier": earlier}, None)
        self._outbound.send_to_gateway(facts.gateway, refusal)

    def _claim_key(self, facts: RequestFacts) -> tuple[str, str]:
        """Notes the idempotency key of a live job; returns another job that has it, or "", "".

        A job that the pool failed may be tried again. It counts as over if the connection of its
        gateway is closed: the client of a gateway that was killed repeats its request at another
        one before the job is lost.
        """
        if self._keys is None:  # the first one since the start
            views = self._driver.core.open_jobs()
            self._keys = {_owned_key(v): (v.job, v.idempotency) for v in views if _is_under_way(v)}
        owned_key, this = _owned_key(facts), (facts.job, facts.idempotency)
        earlier = self._keys.pop(owned_key, this)
        is_in_use = earlier[0] != facts.job and self._has_answer(earlier[0])
        self._keys[owned_key] = earlier if is_in_use else this
        if len(self._keys) > KEYS_MAX:
            del self._keys[next(iter(self._keys))]
        return earlier if is_in_use else ("", "")

    def _has_answer(self, job: str) -> bool:
        """Whether a job is under way, or has ended and is charged."""
        view = self._driver.core.job(job)
        if view is None:
            return job in self._checked
        if not view.ended_at:
            return not self._is_cut_off(view.gateway)
        was_run = view.state is JobState.CANCELLED and view.attempts > 0
        return view.state is JobState.COMPLETED or was_run

    def cancel(self, job: str, reason: str) -> None:
        """Cancels a job; ``reason`` is an error code."""
        self._driver.feed(e.JobCancelled(*e.UNNUMBERED, job=job, reason=_code(reason)))

    def state_batch(self, facts: RequestFacts, lines: int) -> None:
        """States how many lines of a batch are not yet requested, and what they are like."""
        fault = find_facts_fault(facts, now=self._driver.now())
        if fault:
            self._driver.counts["gateway.unsound"] += 1
            return
        facts = msgspec.structs.replace(self._without_text(facts), prefix_keys=())
        self._driver.feed(e.BatchStated(*e.UNNUMBERED, facts=facts, lines=lines))

    def _without_text(self, facts: RequestFacts) -> RequestFacts:
        """Returns facts for the journal: a model's name that nobody gave is a client's text."""
        if self._driver.core.knows_model(facts.model):
            return facts
        return msgspec.structs.replace(facts, model=UNKNOWN_MODEL)

    def expect_batch(self, facts: RequestFacts, lines: int) -> BatchExpectation | None:
        """Returns when lines of a batch are expected to run; None if no node can run them now."""
        return self._driver.expect_batch(facts, lines)

    def is_known(self, job: str) -> bool:
        """Whether the core knows a job, ended or not."""
        return self._driver.core.job(job) is not None

    def is_refused(self, job: str) -> bool:
        """Whether the core has refused a job, whose identifier it therefore ignores."""
        view = self._driver.core.job(job)
        return view is not None and view.state is JobState.REFUSED

    def abandon(self, job: str, epoch: int, code: str) -> None:
        """Reports that a placement cannot be used."""
        self._driver.feed(e.JobAbandoned(*e.UNNUMBERED, job=job, epoch=epoch, code=_code(code)))

    def report_excess(self, message: m.LeaseExceeded) -> None:
        """Reports that a node sent more than its lease grants; the client has been answered."""
        reason = _code(message.reason)
        self._driver.feed(_run_exceeded(message, reason=reason, **_UNNUMBERED))

    def report_resumed(self, message: m.AnswerResumed) -> None:
        """Reports what the client has of an answer that a new run continues."""
        delivered = message.delivered[-DELIVERED_MAX:]
        self._driver.feed(_answer_resumed(message, delivered=delivered, **_UNNUMBERED))

    def report_answer(self, message: m.AnswerReceived) -> None:
        """Reports that the whole answer of a run has come, and is in the store if it is kept."""
        if self._on_answer is not None:
            self._on_answer(message)

    def report_waiting(self, jobs: list[str]) -> None:
        """Reports live jobs for whose answers another gateway waits."""
        if self._on_waiting is not None:
            self._on_waiting(jobs)

    @property
    def journal_position(self) -> int:
        """Number of the last event."""
        return self._driver.event_id

    def defer_until_written(self, position: int, action: Callable[[], None]) -> bool:
        """Calls an action when the events up to a position are on disk; False if they are."""
        return self._driver.defer_until_written(position, action)

    def end_signin(self, ended: m.SigninEnded) -> None:
        """Tells every gateway of the pool that sign-in sessions have ended."""
        if self._broadcast is None:
            self._outbound.send_to_gateway(self._gateway, ended)
        else:
            self._broadcast(ended)

    async def explain(self, job: str, coop: str, person: str = "") -> m.ExplanationReply:
        """Returns the explanation of a job, and its settled receipt if any; see the port."""
        owner = (coop, person)
        view = self._driver.core.job(job)
        explanation, sender = None, ""
        if view is not None and (view.coop, person_of(view.key)) == owner:
            explanation, sender = self._driver.explain(job), view.key
        if explanation is None:
            stored = await self._store.get_explanation(job)
            if stored is not None and (stored.coop, person_of(stored.key)) == owner:
                explanation, sender = _explanation.decode(stored.document), stored.key
        if explanation is not None:
            explanation = _name_coops(explanation, self._driver.policy)
        settled = await self._store.get_receipt(job)
        is_own = settled is not None and (settled.coop, person_of(settled.key)) == owner
        receipt = settled.receipt if settled and is_own else None
        return m.ExplanationReply(explanation, receipt, sender)

    async def list_models(self) -> tuple[ModelCard, ...]:
        """Returns served models, then loadable models, then size aliases."""
        core = self._driver.core
        cards = [_model_card(view) for view in (*core.models(), *core.loadable_models())]
        by_name = {card.model: card for card in cards}
        for meaning in core.alias_meanings():
            card = by_name.get(meaning.model)
            if card is not None:
                alias = msgspec.structs.replace(card, model=meaning.alias, means=meaning.model)
                cards.append(alias)
        return tuple(cards)

    async def describe_pool(self, coop: str = "") -> PoolState:
        """Returns the pool's state, with the position of a co-op if one is named."""
        driver, now = self._driver, self._driver.now()
        sources = {} if self._zone_sources is None else self._zone_sources(now)
        return describe_pool(driver.core, driver.policy, sources, coop=coop, at=now)

    async def enrol(self, request: JoinRequest, address: str) -> m.EnrolmentReply:
        """Takes a machine into the pool, or refuses it; ``address`` is the machine's."""
        return await self._enrolment.join(request, address)


def _name_coops(explanation: Explanation, policy: Policy) -> Explanation:
    """Returns an explanation with the present names of the co-ops in it."""
    coops = {*explanation.candidates.coop, *(each.coop for each in explanation.excluded)}
    for values in (explanation.values, *(each.values for each in explanation.excluded)):
        coops |= {str(value) for key, value in values.items() if key.endswith("coop")}
    names = names_of(policy.coops)
    named = {coop: names[coop] for coop in sorted(coops & names.keys())}
    return msgspec.structs.replace(explanation, coop_names=named)


def _code(text: str) -> str:
    """Returns a code of a gateway's message; a text that is none does not enter the journal."""
    is_code = len(text) <= bounds.CODE_CHARS and re.fullmatch(bounds.CODE_FORM, text)
    return text if is_code else "internal"


def _model_card(view: ModelView) -> ModelCard:
    return _card_of(view, loaded=view.replicas > 0)


def _owned_key(job: JobView | RequestFacts) -> tuple[str, str, str]:
    return job.coop, job.key, idempotency_key_of(job.idempotency)


def _is_under_way(view: JobView) -> bool:
    return view.kind is JobKind.LIVE and bool(view.idempotency) and not view.ended_at
