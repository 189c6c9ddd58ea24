"""Views: what shells may read of the core's state, as frozen facts.

Decides which of the core's records a person or a program may see, and in which form. Reading
changes nothing.
"""

from msgspec import Struct

from entraide.types import (
    DataClass,
    EnergyStatus,
    JobClass,
    JobKind,
    JobState,
    NodeCard,
    NodeState,
    Replica,
    RequestFacts,
    Terms,
)
from entraide_scheduler.core import model_aliases
from entraide_scheduler.core.model_aliases import AliasMeaning
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.quarantine import SenderKind
from entraide_scheduler.core.quotas import PER_UNIT, QuotaUsage, to_quota_unit
from entraide_scheduler.core.records import Job, Node
from entraide_scheduler.core.state import State
from entraide_scheduler.core.state_machines import ModelLoadState, ReplicaState


class JobView(Struct, frozen=True):
    """A job as it stands.

    Attributes:
        job, coop, project, key, gateway, kind, job_class: as it was asked for.
        model: the one that runs it, or will.
        state, code: where it stands, and why it ended.
        epoch, node: of its last placement; 0 and "" before the first, or while it waits again.
        attempts: placements so far.
        output_tokens: produced so far by the run that is going on.
        requested_at, ended_at: seconds since the epoch; ``ended_at`` is 0 while it lasts.
        terms: of the run that is going on; None otherwise.
    """

    job: str
    coop: str
    project: str
    key: str
    gateway: str
    kind: JobKind
    job_class: JobClass
    model: str
    state: JobState
    code: str
    epoch: int
    node: str
    attempts: int
    output_tokens: int
    requested_at: float
    ended_at: float
    terms: Terms | None


class BackoffView(Struct, frozen=True):
    """A replica whose runs failed, and that rests or is probed.

    Attributes:
        model: public name.
        state: resting or probing.
        failures, code: how often runs failed there lately, and why the last one did.
        until: when its rest is over, seconds since the epoch.
    """

    model: str
    state: ReplicaState
    failures: int
    code: str
    until: float


class NodeView(Struct, frozen=True):
    """A node as the fleet view holds it.

    Attributes:
        card: as it said itself.
        state: live, suspect, lost or left.
        last_seen_at: when it was last heard.
        accepting, reason: whether it takes new work, and the stable code why not.
        energy: renewable status of its site, the latest.
        leases: leases of ours, by model.
        resting: its replicas whose runs failed, by name.
        marks: how often it did what no honest node does, by stable code.
    """

    card: NodeCard
    state: NodeState
    last_seen_at: float
    accepting: bool
    reason: str
    energy: EnergyStatus | None
    leases: dict[str, int]
    resting: tuple[BackoffView, ...] = ()
    marks: dict[str, int] = {}


class ModelView(Struct, frozen=True):
    """A model that known nodes serve.

    Attributes:
        model: public name.
        revisions: checksums of the weights that are served, sorted.
        context_tokens: the longest context offered.
        features: what at least one replica can do beyond text, sorted.
        replicas, live_replicas: how many nodes serve it, and how many of them are live.
        slots_free: sequences that live and accepting nodes could start now.
    """

    model: str
    revisions: tuple[str, ...]
    context_tokens: int
    features: tuple[str, ...]
    replicas: int
    live_replicas: int
    slots_free: int


class ModelLoadView(Struct, frozen=True):
    """A model that a node loads, or has loaded, at the pool's word.

    Attributes:
        node, coop, zone: where.
        model: public name.
        state, reason: where it stands, and why it was asked for.
        since: when that state began, seconds since the epoch.
        ready_at: when it was expected to serve.
        memory_bytes: what it takes.
    """

    node: str
    coop: str
    zone: str
    model: str
    state: ModelLoadState
    reason: str
    since: float
    ready_at: float
    memory_bytes: int


class QuotaView(Struct, frozen=True):
    """A quota and what is left of it in its present period.

    Attributes:
        kind, period, limit: the quota.
        used, reserved: what has been used, and what jobs hold, in the quota's unit.
        left: what may still be reserved.
        ends_at: when the period ends; None when it has none or nobody has said.
        project, key: whose it is within the co-op; both "" for the whole co-op's.
    """

    kind: QuotaKind
    period: Period
    limit: int
    used: float
    reserved: float
    left: float
    ends_at: float | None
    project: str = ""
    key: str = ""


class QuarantineView(Struct, frozen=True):
    """A sender in quarantine.

    Attributes:
        kind, name: the node or API key.
        reason, detail: stable code, and what exactly.
        since: seconds since the epoch.
    """

    kind: SenderKind
    name: str
    reason: str
    detail: str
    since: float


def job_view(state: State, job: Job) -> JobView:
    """Returns a job's view."""
    facts = job.facts
    lease = state.leases.get(facts.job)
    return JobView(
        job=facts.job,
        coop=facts.coop,
        project=facts.project,
        key=facts.key,
        gateway=facts.gateway,
        kind=facts.kind,
        job_class=facts.job_class,
        model=facts.model,
        state=job.state,
        code=job.code,
        epoch=job.epoch,
        node=_node_of(job, lease is not None),
        attempts=job.attempts,
        output_tokens=0 if lease is None else lease.output_tokens,
        requested_at=job.requested_at,
        ended_at=job.ended_at,
        terms=None if lease is None else lease.terms,
    )


def _node_of(job: Job, leased: bool) -> str:
    if job.explanation is None or (job.state is JobState.QUEUED and not leased):
        return ""
    return job.explanation.node


def node_view(node: Node) -> NodeView:
    """Returns a node's view."""
    leases = {model: load.leases for model, load in node.loads.items() if load.leases}
    return NodeView(
        card=node.card,
        state=node.state,
        last_seen_at=node.last_seen,
        accepting=node.accepting,
        reason=node.reason,
        energy=node.energy,
        leases=leases,
        resting=tuple(
            BackoffView(model, one.state, one.failures, one.code, one.until)
            for model, one in sorted(node.backoffs.items())
            if one.state is not ReplicaState.SERVING and model in node.replicas
        ),
        marks=dict(node.marks),
    )


def quarantines(state: State) -> list[QuarantineView]:
    """Returns the senders in quarantine, by kind and name."""
    return [
        QuarantineView(*sender, found.reason, found.detail, found.since)
        for sender, found in state.quarantines.listed()
    ]


def models(state: State) -> list[ModelView]:
    """Returns the models that nodes not gone serve, by name."""
    serving: dict[str, list[tuple[Node, Replica]]] = {}
    for node in state.fleet.nodes.values():
        if node.state is not NodeState.LEFT:
            for model, replica in node.replicas.items():
                serving.setdefault(model, []).append((node, replica))
    return [_model(name, serving[name]) for name in sorted(serving)]


def _model(name: str, serving: list[tuple[Node, Replica]]) -> ModelView:
    live = [(node, replica) for node, replica in serving if node.state is NodeState.LIVE]
    free = 0
    for node, replica in live:
        load = node.loads.get(name)
        backoff = node.backoffs.get(name)
        rests = backoff is not None and backoff.state is ReplicaState.RESTING
        if node.accepting and not rests and (load is None or not load.paused):
            free += max(0, replica.slots - (0 if load is None else load.leases))
    return ModelView(
        model=name,
        revisions=tuple(sorted({replica.revision for _, replica in serving})),
        context_tokens=max(replica.context_tokens for _, replica in serving),
        features=tuple(sorted({name for _, replica in serving for name in replica.features})),
        replicas=len(serving),
        live_replicas=len(live),
        slots_free=free,
    )


def loadable(state: State) -> list[ModelView]:
    """Returns the models that nodes not gone could load and no node serves, by name."""
    shelf, served = state.fleet.loadable_index, state.fleet.contexts
    found = []
    for model in sorted(name for name in shelf.by_model if name not in served):
        offers = [node.loadable[model] for node in shelf.by_model[model].values()]
        found.append(
            ModelView(
                model=model,
                revisions=tuple(sorted({offer.revision for offer in offers})),
                context_tokens=max(offer.context_tokens for offer in offers),
                features=tuple(sorted({name for offer in offers for name in offer.features})),
                replicas=0,
                live_replicas=0,
                slots_free=0,
            )
        )
    return found


def model_loads(state: State) -> list[ModelLoadView]:
    """Returns what nodes load, or have loaded, at the pool's word, by node and model."""
    return [
        ModelLoadView(
            node=node.card.node,
            coop=node.card.coop,
            zone=node.card.zone,
            model=order.model,
            state=order.state,
            reason=order.reason,
            since=order.since,
            ready_at=order.ready_at,
            memory_bytes=order.memory_bytes,
        )
        for node in state.fleet.loadable_index.sorted_nodes()
        for order in sorted(node.orders.values(), key=lambda order: order.model)
    ]


def meanings(state: State) -> list[AliasMeaning]:
    """Returns what each alias means now to whoever asks for nothing special."""
    plain = RequestFacts(
        job="",
        coop="",
        project="",
        key="",
        gateway="",
        kind=JobKind.LIVE,
        job_class=JobClass.INTERACTIVE,
        data_class=DataClass.INTERNAL,
        jurisdiction=state.policy.jurisdiction,
        model="",
        input_tokens_est=0,
        input_tokens_max=0,
    )
    return model_aliases.meanings(state.model_aliases, state.fleet, plain, state.now)


def quotas(state: State, coop: str) -> list[QuotaView]:
    """Returns a co-op's quotas."""
    return [_quota(state, quota, book) for quota, book in state.quotas.of(coop)]


def _quota(state: State, quota: Quota, book: QuotaUsage) -> QuotaView:
    left = quota.limit * PER_UNIT[quota.kind] - book.used - book.reserved
    return QuotaView(
        kind=quota.kind,
        period=quota.period,
        limit=quota.limit,
        used=to_quota_unit(quota.kind, book.used),
        reserved=to_quota_unit(quota.kind, book.reserved),
        left=to_quota_unit(quota.kind, max(0, left)),
        ends_at=state.quotas.ends.get(quota.period),
        project=quota.project,
        key=quota.key,
    )
