"""Views: read-only structs through which shells see the core's state.

Each function takes the state, or a record of it, and returns frozen copies of the facts that a
person or a program may see. Reading changes nothing.
"""

from collections.abc import Iterable

from msgspec import Struct

from entraide.models import OpennessClass, TaskQuality
from entraide.types import (
    Control,
    DataClass,
    EnergyStatus,
    JobClass,
    JobKind,
    JobState,
    Lending,
    NodeCard,
    NodeState,
    Replica,
    RequestFacts,
    Terms,
)
from entraide_scheduler.core.accounting import PER_UNIT, QuotaUsage, to_quota_unit
from entraide_scheduler.core.models import AliasMeaning, find_meanings
from entraide_scheduler.core.node_silence import recent_alarms
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.records import Job, ModelLoadState, Node, ReplicaState, SenderKind
from entraide_scheduler.core.state import State


class JobView(Struct, frozen=True):
    """A job as it stands.

    Attributes:
        job, coop, project, key, gateway, kind, job_class: as it was asked for.
        model: model that runs the job, or will.
        state, code: state, and stable code of why it ended.
        epoch, node: of its last placement; 0 and "" before the first, or while the job waits again.
        attempts: placements so far.
        output_tokens: output tokens of the current run so far.
        requested_at, ended_at: seconds since the epoch; ``ended_at`` is 0 until the job has ended.
        terms: of the current run; None without one.
        idempotency: keyed hash of the client's idempotency key, or "".
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
    idempotency: str


class BackoffView(Struct, frozen=True):
    """A replica in back-off after failed runs.

    Attributes:
        model: public name.
        state: resting or probing.
        failures, code: number of recent failures, and stable code of the last.
        until: end of its back-off, seconds since the epoch.
    """

    model: str
    state: ReplicaState
    failures: int
    code: str
    until: float


class NodeView(Struct, frozen=True):
    """A node as the fleet view holds it.

    Attributes:
        card: as the node announced it.
        state: live, suspect, lost or left.
        last_seen_at: time of its last message, seconds since the epoch.
        accepting, reason: whether it takes new work, and the stable code why not.
        energy: latest renewable status of its site.
        leases: number of the pool's leases, by model.
        resting: its replicas in back-off, by model.
        marks: protocol violations, by stable code.
        newcomer_runs: of a newcomer, the runs that it has ended for other co-ops since its last
            fault; else None.
        false_alarms: how often within the last hour its runs were given up though it was there, up
            to ``node_silence.ALARMS_MAX``.
        lending: whose jobs it takes.
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
    newcomer_runs: int | None = None
    false_alarms: int = 0
    lending: Lending = Lending.ALL


class ModelView(Struct, frozen=True):
    """A model that the fleet serves or can load.

    Attributes:
        model: public name.
        revisions: checksums of the served weights, sorted.
        context_tokens: the longest context offered.
        features: features that at least one replica has, sorted.
        replicas, live_replicas: number of serving nodes, and of those that are live.
        slots_free: free slots of live nodes that accept work.
        zones: zones of the nodes that serve it, or that can load it, sorted.
        controlled_by: who controls these nodes, where it is stated, sorted.
        pinned_at: when its weights were pinned, seconds since the epoch; 0 for weights that the
            catalogue does not have.
        quality: measured quality of these weights by task and language, as the catalogue has it.
        openness: class of openness that the catalogue states, if these weights are the pinned ones.
    """

    model: str
    revisions: tuple[str, ...]
    context_tokens: int
    features: tuple[str, ...]
    replicas: int
    live_replicas: int
    slots_free: int
    zones: tuple[str, ...]
    controlled_by: tuple[Control, ...]
    pinned_at: float = 0.0
    quality: tuple[TaskQuality, ...] = ()
    openness: OpennessClass = OpennessClass.UNSTATED


class ModelLoadView(Struct, frozen=True):
    """A model that a node loads, or has loaded, on the pool's request.

    Attributes:
        node, coop, zone: where.
        model: public name.
        state, reason: state of the load, and stable code of why the pool requested it.
        since: start of that state, seconds since the epoch.
        ready_at: expected time of readiness, seconds since the epoch.
        memory_bytes: memory that the model takes.
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
        used, reserved: used and reserved amounts, in the quota's unit.
        left: amount that can still be reserved.
        ends_at: end of the period, seconds since the epoch; None without a period or if unknown.
        project, key: owner within the co-op; both "" for a quota of the whole co-op.
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
        reason, detail: stable code, and details.
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
        idempotency=facts.idempotency,
    )


def _node_of(job: Job, leased: bool) -> str:
    if job.explanation is None or (job.state is JobState.QUEUED and not leased):
        return ""
    return job.explanation.node


def node_view(state: State, node: Node) -> NodeView:
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
            BackoffView(model, backoff.state, backoff.failures, backoff.code, backoff.until)
            for model, backoff in sorted(node.backoffs.items())
            if backoff.state is not ReplicaState.SERVING and model in node.replicas
        ),
        marks=dict(node.marks),
        newcomer_runs=node.probation.lent_runs if node.probation.limited else None,
        false_alarms=len(recent_alarms(node, state.now)),
        lending=node.lending,
    )


def quarantines(state: State) -> list[QuarantineView]:
    """Returns the senders in quarantine, by kind and name."""
    return [
        QuarantineView(*sender, quarantine.reason, quarantine.detail, quarantine.since)
        for sender, quarantine in state.quarantines.listed()
    ]


def models(state: State) -> list[ModelView]:
    """Returns the models that nodes of the fleet serve, by name."""
    serving: dict[str, list[tuple[Node, Replica]]] = {}
    for node in state.fleet.nodes.values():
        if node.state is not NodeState.LEFT:
            for model, replica in node.replicas.items():
                serving.setdefault(model, []).append((node, replica))
    return [_model(state, name, serving[name]) for name in sorted(serving)]


def _model(state: State, name: str, serving: list[tuple[Node, Replica]]) -> ModelView:
    revisions = tuple(sorted({replica.revision for _, replica in serving}))
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
        revisions=revisions,
        context_tokens=max(replica.context_tokens for _, replica in serving),
        features=tuple(sorted({name for _, replica in serving for name in replica.features})),
        replicas=len(serving),
        live_replicas=len(live),
        slots_free=free,
        zones=_zones(node for node, _ in serving),
        controlled_by=_controls(node for node, _ in serving),
        pinned_at=_pinned_at(state, name, revisions),
        quality=_quality(state, name, revisions),
        openness=_openness(state, name, revisions),
    )


def _pinned_at(state: State, model: str, revisions: tuple[str, ...]) -> float:
    entry = state.model_aliases.entries.get(model)
    issued_at = state.model_aliases.catalogue.issued_at
    artefacts = () if entry is None else entry.artefacts
    times = [item.pinned_at or issued_at for item in artefacts if item.checksum in revisions]
    return max(times, default=0.0)


def _quality(state: State, model: str, revisions: tuple[str, ...]) -> tuple[TaskQuality, ...]:
    """Measurements of these weights; those without a checksum were made on several weights."""
    entry = state.model_aliases.entries.get(model)
    cells = () if entry is None else entry.quality
    return tuple(cell for cell in cells if cell.weights in ("", *revisions))


def _openness(state: State, model: str, revisions: tuple[str, ...]) -> OpennessClass:
    """The class that the catalogue states, unless a node has other weights than it does."""
    entry = state.model_aliases.entries.get(model)
    if entry is None:
        return OpennessClass.UNSTATED
    pinned = {item.checksum for item in entry.artefacts if item.is_pinned}
    return entry.openness_class if pinned.issuperset(revisions) else OpennessClass.UNSTATED


def _zones(nodes: Iterable[Node]) -> tuple[str, ...]:
    return tuple(sorted({node.card.zone for node in nodes}))


def _controls(nodes: Iterable[Node]) -> tuple[Control, ...]:
    return tuple(sorted({node.card.controlled_by for node in nodes} - {Control.UNSTATED}))


def loadable(state: State) -> list[ModelView]:
    """Returns the models that no node serves and that the fleet can load, by name."""
    by_model, served = state.fleet.loadable_index.by_model, state.fleet.contexts
    views = []
    for model in sorted(name for name in by_model if name not in served):
        nodes = list(by_model[model].values())
        offers = [node.loadable[model] for node in nodes]
        revisions = tuple(sorted({offer.revision for offer in offers}))
        views.append(
            ModelView(
                model=model,
                revisions=revisions,
                context_tokens=max(offer.context_tokens for offer in offers),
                features=tuple(sorted({name for offer in offers for name in offer.features})),
                replicas=0,
                live_replicas=0,
                slots_free=0,
                zones=_zones(nodes),
                controlled_by=_controls(nodes),
                pinned_at=_pinned_at(state, model, revisions),
                quality=_quality(state, model, revisions),
                openness=_openness(state, model, revisions),
            )
        )
    return views


def model_loads(state: State) -> list[ModelLoadView]:
    """Returns the loads that the pool requested, by node and model."""
    return [
        ModelLoadView(
            node=node.card.node,
            coop=node.card.coop,
            zone=node.card.zone,
            model=load.model,
            state=load.state,
            reason=load.reason,
            since=load.since,
            ready_at=load.ready_at,
            memory_bytes=load.memory_bytes,
        )
        for node in state.fleet.loadable_index.sorted_nodes()
        for load in sorted(node.orders.values(), key=lambda load: load.model)
    ]


def meanings(state: State) -> list[AliasMeaning]:
    """Returns the model that each alias means now for a request without special needs."""
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
        controlled_by=state.policy.controlled_by,
        openness=state.policy.openness,
    )
    return find_meanings(state.model_aliases, state.fleet, plain, state.now)


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
