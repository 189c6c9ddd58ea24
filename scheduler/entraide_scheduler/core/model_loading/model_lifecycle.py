"""Model lifecycle: applies load and unload plans and reacts to the nodes' replies.

Input: nodes' cards, load failures, the operator's requests and the plan of ``model_planner``.
Output: ``LoadModel`` and ``UnloadModel`` commands, and the state of each load
(``state_machines.MODEL_LOAD``). A load succeeds when the node's card lists the model, and fails
when the node reports a failure or a timeout passes; the node then backs off from that model for a
growing pause. A waiting job that named an alias is given the alias's current model.
"""

from msgspec import structs

from entraide.models import OpennessClass
from entraide.types import NodeState
from entraide_scheduler.core.commands import LoadModel, UnloadModel
from entraide_scheduler.core.evaluation import fit_context, shape_of
from entraide_scheduler.core.events import CatalogueChanged, LoadAsked, LoadFailed, UnloadAsked
from entraide_scheduler.core.model_loading.model_planner import (
    HOUR_S,
    OPERATOR,
    TICK_S,
    PlanStep,
    best_loader,
    make_load_step,
    plan_models,
    request_plan,
    used_bytes,
    will_miss_promise,
)
from entraide_scheduler.core.records import (
    DeadlineKind,
    Job,
    LoadBackoff,
    ModelLoad,
    ModelLoadState,
    Node,
)
from entraide_scheduler.core.state import State

LOAD_START_TIMEOUT_S = 30.0  # until a node's card must list a load as begun
LOAD_TIMEOUT_FACTOR = 2.0  # times the expected load time, while the card lists no load
ROOM_TIMEOUT_S = 900.0  # for the unloads that make room: their runs end first
LOAD_TIMEOUT_S = 21_600.0  # while the card lists the load: weights may be large
UNLOAD_REPEAT_S = 30.0  # an unload is repeated while the node still serves the model
# Codes of a node that did not try the load: they add no failure.
NOT_TRIED_CODES = ("load_not_now", "load_resting", "load_too_many")
NOT_BEGUN = "not_begun"  # the node neither loaded the model nor reported a failure
UNLOADING = "unloading"
LATE_LOAD = "late"  # reason of a load that succeeded after its timeout


# Handlers.


def handle_catalogue(state: State, event: CatalogueChanged) -> None:
    """Replaces the catalogue and resolves the waiting jobs' aliases again.

    Where open models or their weights changed, the shapes of jobs that require openness follow.
    """
    before = _open_weights(state)
    state.model_aliases.set_catalogue(event.catalogue)
    if _open_weights(state) != before:
        state.changes.shapes = True
    state.changes.aliases = True


def _open_weights(state: State) -> list[tuple[str, OpennessClass, tuple[str, ...]]]:
    """Returns the models that reach a class of openness, with the checksums of their weights."""
    return sorted(
        (entry.name, entry.openness_class, tuple(each.checksum for each in entry.artefacts))
        for entry in state.model_aliases.entries.values()
        if entry.openness_class.rank
    )


def mark_plan_due(state: State, _: str) -> None:
    """Handles the plan's deadline: a plan is due."""
    state.changes.plan = True


def handle_hello(state: State, node: Node) -> None:
    """Updates a node's loads from its new card."""
    card, had = node.card, bool(node.orders)
    for model, load in list(node.orders.items()):
        if model in node.replicas:
            if load.state is ModelLoadState.LOADING:
                load.step("serve", state.now)
                node.rests.pop(model, None)
            elif load.state is ModelLoadState.UNLOADING:
                state.fleet.pause_replica(node, model, UNLOADING, state.now)
        elif load.state in (ModelLoadState.LOADED, ModelLoadState.UNLOADING):
            _end_load(node, load, "gone", state.now)
    for model, rest in list(node.rests.items()):
        if model in node.replicas and rest.code == NOT_BEGUN:
            _adopt_late_load(state, node, model)
        if rest.until + HOUR_S < state.now or model not in node.loadable:
            del node.rests[model]
    if had or node.orders or card.loadable:
        state.fleet.update_model_loads(node)


def _adopt_late_load(state: State, node: Node, model: str) -> None:
    """Records a model that the node loaded after the load's timeout as the pool's."""
    offer = next((offer for offer in node.card.loadable if offer.model == model), None)
    if offer is not None:
        now = state.now
        node.orders[model] = ModelLoad(
            model, ModelLoadState.LOADED, now, now, offer.memory_bytes, LATE_LOAD, now
        )


def handle_restart(state: State) -> None:
    """Restarts the timeouts of all loads after a start of the scheduler."""
    for node in state.fleet.loadable_index.nodes.values():
        for load in node.orders.values():
            load.told_at = state.now
            if load.state is ModelLoadState.MAKING_ROOM:
                load.since = state.now


def handle_node_left(state: State, node: Node) -> None:
    """Ends the loads of a node that leaves."""
    for load in list(node.orders.values()):
        _end_load(node, load, "gone", state.now)


def handle_load_failed(state: State, event: LoadFailed) -> None:
    """Handles a failed load: the node backs off, and other nodes are considered."""
    node = state.fleet.nodes.get(event.node)
    load = None if node is None else node.orders.get(event.model)
    if node is None or load is None or load.state is not ModelLoadState.LOADING:
        state.drop("load_failed", node=event.node)
        return
    _fail_load(state, node, load, event.code)


def handle_load_asked(state: State, event: LoadAsked) -> None:
    """Loads a model on the operator's request if the node offers it and has memory for it."""
    node = state.fleet.nodes.get(event.node)
    if node is None or find_load_obstacle(node, event.model):
        state.drop("load_asked", node=event.node)
    else:
        _begin_load(state, node, event.model, OPERATOR)


def preview_load(state: State, model: str, name: str) -> PlanStep | str:
    """Returns the step that loads a model on the operator's request, or a code of why not.

    Args:
        state: the core's.
        model: public name.
        name: of the node; "" for the best node that offers the model.
    """
    loaders = state.fleet.loadable_index.by_model.get(model, {})
    node = state.fleet.nodes.get(name)
    if not name:
        node = best_loader(
            state,
            [other for other in loaders.values() if not find_load_obstacle(other, model)],
            model,
        )
    if node is None and name:
        return "unknown_node"
    if node is None:
        is_served = any(model in other.replicas for other in state.fleet.nodes.values())
        return "already_served" if is_served else "no_node"
    why = find_load_obstacle(node, model)
    return why or make_load_step(state, node, model, OPERATOR)


def find_load_obstacle(node: Node, model: str) -> str:
    """Returns the code of why a node cannot load a model now; "" if it can."""
    offer = node.loadable.get(model)
    if model in node.replicas:
        return "already_loaded"
    if offer is None:
        return "not_loadable"
    if node.state is not NodeState.LIVE:
        return "node_not_live"
    if node.card.loading or any(
        load.state in (ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING)
        for load in node.orders.values()
    ):
        return "node_loading"
    room_bytes = node.card.models_bytes - used_bytes(node)
    return "" if offer.memory_bytes <= room_bytes else "no_room"


def handle_unload_asked(state: State, event: UnloadAsked) -> None:
    """Unloads, on the operator's request, a model that was loaded on the pool's instruction."""
    node = state.fleet.nodes.get(event.node)
    load = None if node is None else node.orders.get(event.model)
    if node is None or load is None or load.state is not ModelLoadState.LOADED:
        state.drop("unload_asked", node=event.node)
        return
    _begin_unload(state, node, load)


def record_request(state: State, job: Job) -> None:
    """Adds an admitted job to the demand, and requests a plan if a load may help."""
    index = state.fleet.loadable_index
    if not index.nodes:
        return
    facts, demand = job.facts, state.demand
    if facts.embeds:
        weights = state.policy.charge
        tokens = facts.input_tokens_est * weights.input_weight / weights.output_weight
    else:
        tokens = state.length_predictor.output_tokens(
            facts.coop, facts.model, at_most=job.output_tokens_max
        ) * max(1, facts.choices)
    demand.record_request(facts.model, tokens, state.now, state.policy.models.half_life_s)
    request_plan(state, job)


# Plan execution.


def apply_plan(state: State) -> None:
    """Fails the loads whose timeout has passed, makes a plan and carries it out."""
    demand = state.demand
    _expire_loads(state)
    if state.changes.aliases:
        refresh_aliases(state)  # before the plan, which follows the jobs' models
    _record_missed_promises(state)
    for node in list(state.fleet.loadable_index.sorted_nodes()):
        _start_ready_loads(state, node)
    for step in plan_models(state):
        _apply_step(state, step)
    state.changes.plan = False
    fleet = state.fleet
    demand.considered = {
        shape: None
        for shape in state.queue.shapes
        if shape.model in fleet.loadable_index.by_model and not fleet.eligible_nodes(shape).views
    }
    _schedule_plan(state)


def _record_missed_promises(state: State) -> None:
    """Records the models whose waiting jobs are expected to miss their latency objective."""
    rows: dict[str, list[tuple[Job, int]]] = {}
    for job, count in state.queue.heads():
        if job.facts.model in state.fleet.loadable_index.by_model:
            rows.setdefault(job.facts.model, []).append((job, count))
    for model, waiting in rows.items():
        if model in state.fleet.replica_index.by_model and will_miss_promise(state, model, waiting):
            first = min(waiting, key=lambda row: row[0].serial)[0]
            state.demand.record_missed(first.shape, state.now)


def _expire_loads(state: State) -> None:
    """Fails the loads whose timeout has passed, and repeats unloads without effect."""
    now = state.now
    for node in list(state.fleet.loadable_index.sorted_nodes()):
        for load in list(node.orders.values()):
            if load.state in (ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING):
                if now >= _load_timeout_at(node, load):
                    _fail_load(state, node, load, NOT_BEGUN)
            elif load.state is ModelLoadState.UNLOADING and now >= load.told_at + UNLOAD_REPEAT_S:
                load.told_at = now
                state.emit(UnloadModel(state.cause, node.card.node, load.model))


def _load_timeout_at(node: Node, load: ModelLoad) -> float:
    """Returns the time at which a pending load has timed out, seconds since the epoch."""
    if load.state is ModelLoadState.MAKING_ROOM:
        return load.since + ROOM_TIMEOUT_S
    if load.model in node.card.loading:
        return load.told_at + LOAD_TIMEOUT_S
    return load.told_at + max(
        LOAD_START_TIMEOUT_S, LOAD_TIMEOUT_FACTOR * (load.ready_at - load.told_at)
    )


def _start_ready_loads(state: State, node: Node) -> None:
    """Begins the loads for which room was made, and drops those that no job waits for."""
    for load in list(node.orders.values()):
        if load.state is not ModelLoadState.MAKING_ROOM or node.state is not NodeState.LIVE:
            continue
        waited = any(job.facts.model == load.model for job, _ in state.queue.heads())
        if load.reason != OPERATOR and not waited:
            _end_load(node, load, "gone", state.now)
            state.fleet.update_model_loads(node)
        elif used_bytes(node) <= node.card.models_bytes:
            takes_s = load.ready_at - load.since
            load.step("ask", state.now)
            load.told_at, load.ready_at = state.now, state.now + takes_s
            state.fleet.update_model_loads(node)
            state.emit(LoadModel(state.cause, node.card.node, load.model))


def _apply_step(state: State, step: PlanStep) -> None:
    node = state.fleet.nodes[step.node]
    if step.load:
        _begin_load(state, node, step.model, step.reason)
    else:
        _begin_unload(state, node, node.orders[step.model])


def _begin_load(state: State, node: Node, model: str, reason: str) -> None:
    now, offer = state.now, node.loadable[model]
    fits = used_bytes(node) + offer.memory_bytes <= node.card.models_bytes
    first = ModelLoadState.LOADING if fits else ModelLoadState.MAKING_ROOM
    ready_at = now + offer.load_s
    node.orders[model] = ModelLoad(model, first, now, ready_at, offer.memory_bytes, reason, now)
    node.asked_loads = (*[at for at in node.asked_loads if at > now - HOUR_S], now)
    state.fleet.update_model_loads(node)
    state.demand.clear_missed(model)
    state.deadlines.set(DeadlineKind.MODEL_PLAN, "", now + TICK_S)
    if fits:
        state.emit(LoadModel(state.cause, node.card.node, model))


def _begin_unload(state: State, node: Node, load: ModelLoad) -> None:
    load.step("unload", state.now)
    load.told_at = state.now
    state.fleet.pause_replica(node, load.model, UNLOADING, state.now)
    state.fleet.update_model_loads(node)
    state.deadlines.set(DeadlineKind.MODEL_PLAN, "", state.now + TICK_S)
    state.emit(UnloadModel(state.cause, node.card.node, load.model))


def _fail_load(state: State, node: Node, load: ModelLoad, code: str) -> None:
    terms, before = state.policy.models, node.rests.get(load.model)
    failures = 1 if before is None else before.failures + 1
    if before is not None and code in NOT_TRIED_CODES:
        failures, code = before.failures, before.code
    rest_s = terms.retry_s
    for _ in range(1, failures):
        rest_s = min(rest_s * 2.0, terms.retry_most_s)
        if rest_s >= terms.retry_most_s:
            break
    node.rests[load.model] = LoadBackoff(failures, state.now + rest_s, code)
    _end_load(node, load, "fail", state.now)
    state.fleet.update_model_loads(node)
    changes = state.changes
    changes.plan = changes.aliases = True
    changes.servable[load.model] = None


def _end_load(node: Node, load: ModelLoad, trigger: str, at: float) -> None:
    load.step(trigger, at)
    del node.orders[load.model]


def _schedule_plan(state: State) -> None:
    """Sets the next plan's deadline while jobs wait for a loadable model or a load is pending."""
    waited = {job.facts.model: None for job, _ in state.queue.heads()}
    waits = any(model in state.fleet.loadable_index.by_model for model in waited)
    nodes = state.fleet.loadable_index.nodes.values()
    pending = any(
        load.state is not ModelLoadState.LOADED for node in nodes for load in node.orders.values()
    )
    if not waits and not pending:
        state.deadlines.clear(DeadlineKind.MODEL_PLAN, "")
        return
    at = state.now + TICK_S
    for node in nodes:
        for model, rest in node.rests.items():
            if model in waited and state.now < rest.until < at:
                at = rest.until
    state.deadlines.set(DeadlineKind.MODEL_PLAN, "", at)


# Requests that named an alias.


def refresh_aliases(state: State) -> None:
    """Resolves the aliases of waiting jobs again, a bounded number of them per event."""
    sweep = state.alias_sweep
    if state.changes.aliases:
        state.changes.aliases = False
        if state.fleet.loadable_index.nodes:
            state.changes.plan = True
        sweep.begin(state.arrivals)
    for job in sweep.take():
        if not job.earlier_runs:
            asked_for = structs.replace(job.facts, model=job.alias)
            model = state.model_aliases.resolve(state.fleet, asked_for, state.now)
            if model not in ("", job.facts.model):
                _change_model(state, job, model)
    sweep.end_if_done()


def _change_model(state: State, job: Job, model: str) -> None:
    state.dequeue(job)
    job.facts = structs.replace(job.facts, model=model)
    job.context_tokens = 0
    job.shape = shape_of(state, job)
    fit_context(state, job)
    job.shape = shape_of(state, job)
    state.enqueue(job)
