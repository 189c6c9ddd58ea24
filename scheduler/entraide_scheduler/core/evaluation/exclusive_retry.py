"""Exclusive retry: retries a job during which an engine exited, once, alone on another engine.

Selects that engine and keeps other jobs off it: a replica of another co-op than the one whose
engine exited, else of another node, else the same replica, restarted. A replica that a limit keeps
from the job permanently (``feasibility``) is none of these. If all candidates have runs, one of
them is reserved and drains. A co-op has at most one job that holds a replica; all such jobs hold
at most one in ``REPLICAS_PER_RUN`` live replicas of a model, but at least one, so that they do not
stop the pool.
"""

from collections.abc import Iterable

from msgspec import structs

from entraide.types import NodeState
from entraide_scheduler.core.evaluation.feasibility import predict_best
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.placement import exceeded_limit, predict
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import ExclusiveReplica, Job, Shape
from entraide_scheduler.core.rules import NO_FREE_SLOT, NOT_EMPTY, blocking_rule
from entraide_scheduler.core.state import State

REPLICAS_PER_RUN = 4

NO_NODES: frozenset[str] = frozenset()


def require_exclusive(job: Job, node: str, lender: str) -> None:
    """Requires a job that is to be enqueued to run alone, on another engine than this node's."""
    job.exits = (*job.exits, (node, lender))
    job.alone, job.wait = True, None


def exclusive_shape(job: Job, shape: Shape) -> Shape:
    """Returns the shape of a job that must run alone; the shape is unique to the job."""
    return structs.replace(shape, alone=job.facts.job, coop=job.facts.coop, green_h=0)


def excluded_nodes(state: State, job: Job, request: PlacementRequest) -> frozenset[str]:
    """Returns the nodes whose engines a job may not be retried on."""
    if not job.exits:
        return NO_NODES
    eligible = state.fleet.eligible_nodes(job.shape).views
    usable = [
        view for view in eligible if view.node.state is NodeState.LIVE and view.node.accepting
    ]
    nodes, lenders = {node for node, _ in job.exits}, {lender for _, lender in job.exits}

    def may_take(views: Iterable[ReplicaView]) -> bool:
        return any(rule is None for _, rule in predict_best(state, job, request, views))

    if may_take(view for view in usable if view.coop not in lenders):
        return frozenset(view.name for view in eligible if view.coop in lenders)
    if may_take(view for view in usable if view.name not in nodes):
        return frozenset(nodes)
    return NO_NODES


def may_hold_replica(state: State, job: Job) -> bool:
    """Tells whether a job may hold a replica now."""
    if job.facts.job in state.exclusive_replicas:
        return True
    model = job.facts.model
    if any(replica.coop == job.facts.coop for replica in state.exclusive_replicas.values()):
        return False
    views = state.fleet.replica_index.by_model.get(model, {}).values()
    live = sum(view.node.state is NodeState.LIVE for view in views)
    held = sum(replica.model == model for replica in state.exclusive_replicas.values())
    return held < max(1, live // REPLICAS_PER_RUN)


def hold_replica(state: State, job: Job, view: ReplicaView) -> None:
    """Reserves a replica for one job."""
    name = job.facts.job
    known = state.exclusive_replicas.get(name)
    if known is not None and (known.node, known.model) != (view.name, view.replica.model):
        release_replica(state, name)
    model = view.replica.model
    state.exclusive_replicas[name] = ExclusiveReplica(view.name, model, job.facts.coop)
    state.fleet.reserve_replica(view.node, model, name, state.now)


def reserve_replica(state: State, job: Job, request: PlacementRequest) -> None:
    """Reserves a replica that drains, for a job that fits no empty replica.

    None is reserved where a limit of the job excludes it: it would be kept from others in vain.
    """
    name, excluded = job.facts.job, excluded_nodes(state, job, request)
    known = state.exclusive_replicas.get(name)
    if known is not None:
        view = state.fleet.replica_index.view_of(known.model, known.node)
        is_held = view is not None and view.load.reserved == name and view.name not in excluded
        if view is not None and is_held and _is_usable(view, job, request):
            return
        release_replica(state, name)
    if not may_hold_replica(state, job):
        return
    candidates = [
        view
        for view in state.fleet.eligible_nodes(job.shape).views
        if view.name not in excluded and not view.load.reserved and _is_usable(view, job, request)
    ]
    if candidates:
        hold_replica(state, job, min(candidates, key=lambda view: (view.load.leases, view.name)))


def _is_usable(view: ReplicaView, job: Job, request: PlacementRequest) -> bool:
    """Tells whether only its present runs keep a job from a replica."""
    if blocking_rule(view, job.shape) not in (None, NO_FREE_SLOT, NOT_EMPTY):
        return False
    return exceeded_limit(predict(view, request), request) is None


def release_replica(state: State, name: str) -> None:
    """Releases the replica that a job holds, if it holds one."""
    held = state.exclusive_replicas.pop(name, None)
    if held is None:
        return
    node = state.fleet.nodes.get(held.node)
    load = None if node is None else node.loads.get(held.model)
    if node is not None and load is not None and load.reserved == name:
        state.fleet.reserve_replica(node, held.model, "", state.now)
        if node.state is not NodeState.LEFT:
            state.queue.unblock_shapes(held.model, lambda _: True)
    retry_exclusive(state)


def retry_exclusive(state: State) -> None:
    """Unblocks the waiting jobs that must run alone."""
    state.queue.unblock_all_shapes(lambda shape: bool(shape.alone))


def restore_exclusive(state: State) -> None:
    """Restores the held replicas from the nodes of a snapshot."""
    for name, node in state.fleet.nodes.items():
        for model, load in node.loads.items():
            if load.reserved:
                job, lease = state.jobs.get(load.reserved), state.leases.get(load.reserved)
                coop = job.facts.coop if job is not None else lease.terms.borrower if lease else ""
                state.exclusive_replicas[load.reserved] = ExclusiveReplica(name, model, coop)
