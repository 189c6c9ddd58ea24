"""Model planner: returns which models to load and unload on which nodes; it changes nothing.

Input: waiting jobs, demand, loadable models and the policy's terms. Output: ``PlanStep``s in order.
A model is loaded for two reasons only: waiting jobs that no node serves (at once), or a latency
objective missed for ``scale_after_s``. Among the nodes that may run the job, the planner prefers
those that need not evict a model in use, then those that hold the weights, then the lowest
intensity, the shortest load time, and the name. Room is made by evicting idle models, lowest
demand first; a job that no node serves may also evict models in use. A model stays for
``residence_s``, a model's last replica stays while jobs wait for it, and a node loads at most
``loads_per_hour`` models.
"""

from collections.abc import Iterable

from msgspec import Struct

from entraide.types import NodeState
from entraide_scheduler.core.fleet import EligibleNodes, ReplicaView
from entraide_scheduler.core.models import REACHABLE, has_exhausted_loads
from entraide_scheduler.core.records import (
    DeadlineKind,
    Job,
    ModelLoad,
    ModelLoadState,
    Node,
    Shape,
    is_leaving,
    is_loading,
)
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State

SHAPES_MAX = 64  # per plan, those whose jobs have waited longest
HOUR_S = 3_600.0
TICK_S = 5.0  # between two plans while jobs wait that a load may help
WAITING, PROMISE, OPERATOR = "waiting", "promise", "operator"  # reasons of a load
IDLE, YIELDS = "idle", "yields"  # reasons of an unload, besides the operator


class PlanStep(Struct, frozen=True):
    """One step of a load plan.

    Attributes:
        load: whether the step loads the model; else it unloads it.
        node, model: where, and which model.
        reason: stable code.
        values: numbers and names in the reason's sentence.
    """

    load: bool
    node: str
    model: str
    reason: str
    values: Values


class ModelNeed(Struct):
    """Jobs that need a model on one more node.

    Attributes:
        shape: of the jobs.
        reason: stable code.
        jobs: number that wait.
        serial: of the oldest job.
    """

    shape: Shape
    reason: str
    jobs: int = 0
    serial: int = 0


class EvictionCandidate(Struct, frozen=True):
    """A loaded model that may be unloaded to make room; the first by ``key`` goes first."""

    in_use: bool
    tokens_per_s: float
    since: float
    load: ModelLoad

    def key(self) -> tuple[bool, float, float, str]:
        """Sort key."""
        return self.in_use, self.tokens_per_s, self.since, self.load.model


def is_served(eligible: EligibleNodes, model: str) -> bool:
    """Tells whether a reachable node serves a shape and is not unloading its model."""
    return any(
        view.node.state in REACHABLE and not is_leaving(view.node, model) for view in eligible.views
    )


def is_reachable(state: State, shape: Shape) -> bool:
    """Tells whether a reachable node serves a shape, or can load its model."""
    views = state.fleet.eligible_nodes(shape).views
    return any(view.node.state in REACHABLE for view in views) or _can_be_loaded(state, shape)


def _can_be_loaded(state: State, shape: Shape) -> bool:
    """Tells whether a reachable node can load a shape's model, without too many failures so far."""
    loaders = state.fleet.eligible_nodes(shape).could_load
    return any(
        node.state in REACHABLE and not has_exhausted_loads(node, shape.model, state.now)
        for node in loaders
    )


def request_plan(state: State, job: Job) -> None:
    """Schedules a plan for a waiting job: at once if no node serves it."""
    if job.facts.model not in state.fleet.loadable_index.by_model:
        return
    if job.shape not in state.demand.considered and not state.fleet.eligible_nodes(job.shape).views:
        state.changes.plan = True
    elif not state.deadlines.is_set(DeadlineKind.MODEL_PLAN, ""):
        state.deadlines.set(DeadlineKind.MODEL_PLAN, "", state.now + TICK_S)


def used_bytes(node: Node, *, leaving: bool = True) -> int:
    """Returns the memory of the pool's models on a node, with those being unloaded or without."""
    return sum(
        load.memory_bytes
        for load in node.orders.values()
        if leaving or load.state is not ModelLoadState.UNLOADING
    )


def plan_models(state: State) -> list[PlanStep]:
    """Returns the steps due now, in order; unloads precede the load that needs their room."""
    steps: list[PlanStep] = []
    waited = {job.facts.model: None for job, _ in state.queue.heads()}
    assigned: dict[str, None] = {}  # nodes with a step in this plan
    pending: list[tuple[Node, str]] = []
    for need in find_needs(state):
        shape = need.shape
        loaders = state.fleet.eligible_nodes(shape).could_load
        if _is_help_pending(state, need, loaders, pending):
            continue
        free = [
            node
            for node in loaders
            if node.card.node not in assigned
            and _may_start_load(state, node)
            and _lends_slot(state, node, shape)
        ]
        choice = _pick_loader(state, need, free, waited)
        if choice is None:
            continue
        node, evictions = choice
        assigned[node.card.node] = None
        pending.append((node, shape.model))
        steps += [_make_unload_step(state, node, candidate, shape.model) for candidate in evictions]
        steps.append(_make_need_step(state, node, need))
    return steps


def find_needs(state: State) -> list[ModelNeed]:
    """Returns the needs: first unserved jobs, fewest loaders first, then missed objectives."""
    waiting: dict[Shape, ModelNeed] = {}
    fleet = state.fleet
    for job, count in state.queue.heads():
        shape = job.shape
        if shape.model in fleet.loadable_index.by_model:
            need = waiting.get(shape)
            if need is None:
                need = waiting[shape] = ModelNeed(shape, WAITING, serial=job.serial)
            need.jobs += count
            need.serial = min(need.serial, job.serial)
    oldest = sorted(waiting.values(), key=lambda need: need.serial)[:SHAPES_MAX]
    starved = [
        need for need in oldest if not is_served(fleet.eligible_nodes(need.shape), need.shape.model)
    ]
    starved.sort(key=lambda need: (len(fleet.eligible_nodes(need.shape).could_load), need.serial))
    jobs: dict[str, int] = {}
    for need in waiting.values():
        jobs[need.shape.model] = jobs.get(need.shape.model, 0) + need.jobs
    patience_s = state.policy.models.scale_after_s
    late = [
        ModelNeed(demand.shape, PROMISE, jobs.get(model, 0))
        for model, demand in state.demand.by_model.items()
        if demand.shape is not None and state.demand.missed_for_s(model, state.now) >= patience_s
        if model in fleet.loadable_index.by_model
    ]
    return starved + late


def _is_help_pending(
    state: State, need: ModelNeed, loaders: list[Node], pending: list[tuple[Node, str]]
) -> bool:
    """Tells whether a load for a need is pending, on a node or in this plan."""
    model = need.shape.model
    if need.reason == PROMISE:
        reachable = (
            node for node in state.fleet.loadable_index.nodes.values() if node.state in REACHABLE
        )
        return any(is_loading(node, model) for node in reachable) or any(
            name == model for _, name in pending
        )
    planned = [node for node, name in pending if name == model]
    return any(
        node in planned or (node.state in REACHABLE and is_loading(node, model)) for node in loaders
    )


def _may_start_load(state: State, node: Node) -> bool:
    """Tells whether a node may begin a load now; it loads one model at a time."""
    if node.state is not NodeState.LIVE or not node.accepting or node.card.loading:
        return False
    if any(is_loading(node, model) for model in node.orders):
        return False
    recent = [at for at in node.asked_loads if at > state.now - HOUR_S]
    return len(recent) < state.policy.models.loads_per_hour


def _lends_slot(state: State, node: Node, shape: Shape) -> bool:
    """Tells whether a node would give a shape a slot: the co-op's own, or a lent one."""
    if node.card.coop == shape.coop:
        return True
    if not state.fleet.replica_index.serves_coop(node, shape.coop, shape):
        return False
    if state.quotas.lent.left_uwh.get(node.card.coop) == 0:
        return False
    terms = state.coops.get(node.card.coop)
    return terms is None or int(terms.lend.part * node.loadable[shape.model].slots) >= 1


def _pick_loader(
    state: State, need: ModelNeed, free: list[Node], waited: dict[str, None]
) -> tuple[Node, list[EvictionCandidate]] | None:
    """Returns the node to load on and the models to evict there; None if no node can load now."""
    model, in_use = need.shape.model, need.reason == WAITING
    best: tuple[bool, bool, float, float, str] | None = None
    choice: tuple[Node, list[EvictionCandidate]] | None = None
    for node in free:
        rest, offer = node.rests.get(model), node.loadable[model]
        if rest is not None and rest.until > state.now:
            continue
        evictions = eviction_candidates(
            state, node, offer.memory_bytes, waited=waited, in_use=in_use
        )
        if evictions is None:
            continue
        key = (any(candidate.in_use for candidate in evictions), *_loader_key(state, node, model))
        if best is None or key < best:
            best, choice = key, (node, evictions)
    return choice


def _loader_key(state: State, node: Node, model: str) -> tuple[bool, float, float, str]:
    """Sort key of nodes that can load a model: missing weights, intensity, load time, name."""
    offer, g_per_kwh = node.loadable[model], state.fleet.replica_index.g_per_kwh(node, state.now)
    return offer.fetch_bytes > 0, g_per_kwh, offer.load_s, node.card.node


def best_loader(state: State, nodes: list[Node], model: str) -> Node | None:
    """Returns the best of some nodes that can load a model; None if there are none."""
    return min(nodes, key=lambda node: _loader_key(state, node, model), default=None)


def eviction_candidates(
    state: State, node: Node, memory_bytes: int, *, waited: Iterable[str], in_use: bool
) -> list[EvictionCandidate] | None:
    """Returns the models to unload so that a model fits; None if it cannot fit now.

    Args:
        state: the core's.
        node: the node.
        memory_bytes: memory that the model needs.
        waited: models that jobs wait for.
        in_use: whether models in use may be unloaded too.
    """
    short_bytes = used_bytes(node, leaving=False) + memory_bytes - node.card.models_bytes
    if short_bytes <= 0:
        return []
    candidates = [
        candidate
        for load in node.orders.values()
        if (candidate := _eviction_candidate(state, node, load))
    ]
    evictions: list[EvictionCandidate] = []
    for candidate in sorted(candidates, key=EvictionCandidate.key):
        if short_bytes <= 0 or (candidate.in_use and not in_use):
            break
        model = candidate.load.model
        if model in waited and not _served_elsewhere(state, node, model):
            continue
        evictions.append(candidate)
        short_bytes -= candidate.load.memory_bytes
    return evictions if short_bytes <= 0 else None


def _eviction_candidate(state: State, node: Node, load: ModelLoad) -> EvictionCandidate | None:
    """Returns a loaded model as a candidate for eviction; None while it must stay."""
    terms, now = state.policy.models, state.now
    if load.state is not ModelLoadState.LOADED or now - load.since < terms.residence_s:
        return None
    replica_load = node.loads.get(load.model)
    busy = replica_load is not None and replica_load.leases > 0
    idle_s = now - max(load.since, state.demand.last_request_at(load.model))
    rate = state.demand.tokens_per_s(load.model, now, terms.half_life_s)
    return EvictionCandidate(busy or idle_s < terms.unload_idle_s, rate, load.since, load)


def _served_elsewhere(state: State, node: Node, model: str) -> bool:
    return any(
        view.node is not node
        and view.node.state is NodeState.LIVE
        and view.node.accepting
        and not is_leaving(view.node, model)
        for view in state.fleet.replica_index.by_model.get(model, {}).values()
    )


def _make_need_step(state: State, node: Node, need: ModelNeed) -> PlanStep:
    step = make_load_step(state, node, need.shape.model, need.reason)
    step.values["jobs"] = need.jobs
    if need.reason == PROMISE:
        step.values["missing_s"] = state.demand.missed_for_s(need.shape.model, state.now)
    return step


def make_load_step(state: State, node: Node, model: str, reason: str) -> PlanStep:
    """Returns the step that loads a model on a node, with its load time, memory and intensity."""
    offer = node.loadable[model]
    values: Values = {
        "load_s": offer.load_s,
        "memory_bytes": offer.memory_bytes,
        "fetch_bytes": offer.fetch_bytes,
        "g_per_kwh": state.fleet.replica_index.g_per_kwh(node, state.now),
    }
    return PlanStep(True, node.card.node, model, reason, values)


def _make_unload_step(
    state: State, node: Node, candidate: EvictionCandidate, for_model: str
) -> PlanStep:
    load = candidate.load
    values: Values = {
        "for_model": for_model,
        "idle_s": state.now - max(load.since, state.demand.last_request_at(load.model)),
        "loaded_s": state.now - load.since,
        "memory_bytes": load.memory_bytes,
    }
    return PlanStep(False, node.card.node, load.model, YIELDS if candidate.in_use else IDLE, values)


def will_miss_promise(state: State, model: str, waiting: list[tuple[Job, int]]) -> bool:
    """Tells whether jobs that wait for a served model are expected to miss their objective.

    The expected wait is the waiting jobs' expected output tokens over the replicas' capacity in
    tokens per second; of requests for embeddings, their prompt tokens over the replicas' reading
    rate. Jobs that wait for greener hours or for a quota do not count.

    Args:
        state: the core's.
        model: served by some node.
        waiting: the first job of each queue of equal jobs, and the queue's length.
    """
    counted = [
        (job, count)
        for job, count in waiting
        if not (job.shape.green_h or job in state.blocked_jobs)
    ]
    rate = capacity_tokens_per_s(state, model)
    if not counted or not rate:
        return bool(counted)
    each = state.length_predictor.output_tokens("", model, at_most=1 << 17)
    wait_s = sum(count for job, count in counted if not job.facts.embeds) * each / rate
    inputs = sum(count * job.facts.input_tokens_est for job, count in counted if job.facts.embeds)
    if inputs:
        wait_s += inputs / reading_tokens_per_s(state, model)
    for job, _ in counted:
        terms = state.classes[job.facts.job_class]
        promised_s = terms.completion_s if terms.ttft_s is None else terms.ttft_s
        if promised_s is not None and max(wait_s, state.now - job.requested_at) > promised_s:
            return True
    return False


def capacity_tokens_per_s(state: State, model: str) -> float:
    """Returns the output rate of a model's replicas at full batches, tokens per second.

    A replica with b slots writes b / (tpot_base_s + tpot_per_sequence_s * b).
    """
    total = 0.0
    for view in _accepting_replicas(state, model):
        pace, slots = view.load.pace, view.replica.slots
        step_s = pace.tpot_base_s + pace.tpot_per_sequence_s * slots
        total += slots / step_s if step_s > 0.0 else 0.0
    return total


def reading_tokens_per_s(state: State, model: str) -> float:
    """Returns the rate at which a model's replicas read prompts, tokens per second."""
    return sum(1.0 / v.load.pace.prefill_s_per_token for v in _accepting_replicas(state, model))


def _accepting_replicas(state: State, model: str) -> list[ReplicaView]:
    """Returns the replicas of live nodes that accept work and keep the model, by name."""
    views = state.fleet.replica_index.by_model.get(model, {})
    return [
        view
        for _, view in sorted(views.items())
        if view.node.state is NodeState.LIVE
        and view.node.accepting
        and not is_leaving(view.node, model)
    ]
