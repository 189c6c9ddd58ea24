"""Alone: a job during which an engine exited is tried once more, with an engine to itself.

Decides which engine that is and keeps others off it: a replica of another co-op than the one whose
engine exited, else of another node, else the same one, started again. Where every such replica has
runs, one takes no more until it is empty. A co-op has one job at a time that holds a replica, and
all together hold one in ``REPLICAS_PER_RUN`` live replicas of a model at most, one at least: what
must run alone never holds up the pool.
"""

from msgspec import structs

from entraide.types import NodeState
from entraide_scheduler.core.lanes import Lane, code_of, is_only_occupied
from entraide_scheduler.core.records import Held, Job, Shape
from entraide_scheduler.core.state import State

REPLICAS_PER_RUN = 4

NOWHERE: frozenset[str] = frozenset()


def require(job: Job, node: str, lender: str) -> None:
    """Has a job that is not in line run alone from now on, on another engine than this node's."""
    job.exits = (*job.exits, (node, lender))
    job.alone, job.wait = True, None
    job.shape = shaped(job, job.shape)


def shaped(job: Job, shape: Shape) -> Shape:
    """Returns the shape of a job that must run alone: no other job has the same."""
    return structs.replace(shape, alone=job.facts.job, coop=job.facts.coop, green_h=0)


def barred(state: State, job: Job) -> frozenset[str]:
    """Returns the nodes whose engines do not count as another one for a job."""
    if not job.exits:
        return NOWHERE
    able = state.fleet.able(job.shape).lanes
    usable = [lane for lane in able if lane.node.state is NodeState.LIVE and lane.node.accepting]
    nodes, lenders = {node for node, _ in job.exits}, {lender for _, lender in job.exits}
    if any(lane.coop not in lenders for lane in usable):
        return frozenset(lane.name for lane in able if lane.coop in lenders)
    if any(lane.name not in nodes for lane in usable):
        return frozenset(nodes)
    return NOWHERE


def may_hold(state: State, job: Job) -> bool:
    """Tells whether a job may have a replica to itself now."""
    if job.facts.job in state.alone:
        return True
    model = job.facts.model
    if any(held.coop == job.facts.coop for held in state.alone.values()):
        return False
    lanes = state.fleet.lanes.of.get(model, {}).values()
    live = sum(lane.node.state is NodeState.LIVE for lane in lanes)
    held = sum(one.model == model for one in state.alone.values())
    return held < max(1, live // REPLICAS_PER_RUN)


def hold(state: State, job: Job, lane: Lane) -> None:
    """Gives a replica to a job alone."""
    name = job.facts.job
    known = state.alone.get(name)
    if known is not None and (known.node, known.model) != (lane.name, lane.replica.model):
        free(state, name)
    lane.load.reserved = name
    state.alone[name] = Held(lane.name, lane.replica.model, job.facts.coop)
    state.fleet.lanes.changed(lane.node, state.now)


def reserve(state: State, job: Job) -> None:
    """Has a replica emptied for a job that found none which runs nothing."""
    name, shut = job.facts.job, barred(state, job)
    known = state.alone.get(name)
    if known is not None:
        lane = state.fleet.lanes.lane(known.model, known.node)
        usable = lane is not None and lane.load.reserved == name
        if lane is not None and usable and lane.name not in shut and _is_usable(lane, job):
            return
        free(state, name)
    if not may_hold(state, job):
        return
    found = [
        lane
        for lane in state.fleet.able(job.shape).lanes
        if lane.name not in shut and not lane.load.reserved and _is_usable(lane, job)
    ]
    if found:
        hold(state, job, min(found, key=lambda lane: (lane.load.leases, lane.name)))


def _is_usable(lane: Lane, job: Job) -> bool:
    """Tells whether nothing but its runs keeps a job from a replica."""
    return is_only_occupied(code_of(lane, job.shape))


def free(state: State, name: str) -> None:
    """Takes from a job the replica that it had to itself, if it had one."""
    held = state.alone.pop(name, None)
    if held is None:
        return
    node = state.fleet.nodes.get(held.node)
    load = None if node is None else node.loads.get(held.model)
    if node is not None and load is not None and load.reserved == name:
        load.reserved = ""
        if node.state is not NodeState.LEFT:
            state.fleet.lanes.changed(node, state.now)
            state.queue.unstick(held.model, lambda _: True)
    look_again(state)


def look_again(state: State) -> None:
    """Looks again at the jobs in line that must run alone."""
    state.queue.unstick_all(lambda shape: bool(shape.alone))


def restore(state: State) -> None:
    """Finds out, after a snapshot, which job has which replica to itself."""
    for name, node in state.fleet.nodes.items():
        for model, load in node.loads.items():
            if load.reserved:
                job, lease = state.jobs.get(load.reserved), state.leases.get(load.reserved)
                coop = job.facts.coop if job is not None else lease.terms.borrower if lease else ""
                state.alone[load.reserved] = Held(name, model, coop)
