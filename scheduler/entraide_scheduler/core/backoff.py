"""Back-off: a replica whose runs fail receives no work for a growing pause.

A circuit breaker (Nygard, *Release It!*, 2007, chapter 5) for each replica. Input: the end of each
run. Output: the replica's state (``state_machines.REPLICA``), and whether the run counts as an
attempt of its job. A failure pauses the replica for ``BACKOFF_FIRST_S``, and for twice as long
after each further failure, up to ``BACKOFF_MAX_S``. After the pause the replica receives one run at
a time (a probe) until one completes. If a job completes on another replica, its earlier failures
are confirmed as the replicas' fault. If a job fails on every replica, the job is at fault and the
replicas are forgiven. The failures of a single co-op's runs pause at most half of a model's live
replicas, so that no co-op can stop a pool by what it sends.
"""

from entraide.types import NodeState
from entraide_scheduler.core.records import Backoff, Job, Lease, Node
from entraide_scheduler.core.state import State
from entraide_scheduler.core.state_machines import ReplicaState

BACKOFF_FIRST_S = 5.0
BACKOFF_MAX_S = 600.0
BACKOFFS_MAX = 64  # replicas of one node that are remembered
UNCOUNTED_FAILURES_MAX = 16  # of one job, while untried replicas are left

NO_ANSWER = "no_answer"
NODE_FAULT_CODES = (NO_ANSWER, "stale")  # failures that no request can cause


def record_failure(state: State, lease: Lease, code: str) -> bool:
    """Notes that a run failed, and has its replica rest; the lease still stands.

    Args:
        state: the core's.
        lease: of a job that is not over.
        code: stable code of why the run failed.

    Returns:
        Whether the run counts among the attempts that its job has: not where a replica that has
        completed nothing since its last failure took it, and others were not tried yet.
    """
    terms = lease.terms
    node, job = state.fleet.nodes[terms.node], state.jobs[terms.job]
    replica_key = terms.node, terms.model
    if replica_key not in job.failed_on:  # as few as ``avoid`` names nodes
        job.failed_on = (*job.failed_on, replica_key)
    load = node.loads.get(terms.model)
    proven = load is not None and load.completed
    if load is not None:
        load.completed = False
    backoff = _get_or_add_backoff(node, terms.model)
    backoff.code = code
    coop = "" if code in NODE_FAULT_CODES else terms.borrower
    if coop not in backoff.coops and len(backoff.coops) < 2:
        backoff.coops = (*backoff.coops, coop)
    if backoff.state is ReplicaState.RESTING:
        backoff.step("fail", _describe_replica(*replica_key))  # the run began before the back-off
    elif _may_back_off(state, terms.model, backoff):
        _begin_backoff(state, node, terms.model, backoff)
    return proven or len(job.avoid) >= UNCOUNTED_FAILURES_MAX or not _has_untried(state, job)


def _describe_replica(node: str, model: str) -> str:
    return f"{model} on {node}"


def _get_or_add_backoff(node: Node, model: str) -> Backoff:
    """Returns what is remembered of a replica; of too many the one that rested first is dropped."""
    known = node.backoffs.get(model)
    if known is None:
        if len(node.backoffs) >= BACKOFFS_MAX:
            del node.backoffs[min(node.backoffs, key=lambda name: node.backoffs[name].until)]
        known = node.backoffs[model] = Backoff()
    return known


def _may_back_off(state: State, model: str, backoff: Backoff) -> bool:
    """Tells whether a replica may rest; where one co-op's runs failed only, half of them may."""
    if backoff.state is ReplicaState.PROBING or len(backoff.coops) > 1 or "" in backoff.coops:
        return True
    views = state.fleet.replica_index.by_model.get(model, {}).values()
    live = sum(view.node.state is NodeState.LIVE for view in views)
    held = 0
    for view in views:
        other = view.node.backoffs.get(model)
        if other is not None and other.state is not ReplicaState.SERVING:
            held += other.coops == backoff.coops
    return held < live // 2


def _begin_backoff(state: State, node: Node, model: str, backoff: Backoff) -> None:
    """Begins a rest; the only live replica of a model never rests longer than at first."""
    backoff.step("fail", _describe_replica(node.card.node, model))
    backoff.failures += 1
    rest_s = BACKOFF_FIRST_S
    views = state.fleet.replica_index.by_model.get(model, {}).values()
    if any(view.node is not node and view.node.state is NodeState.LIVE for view in views):
        for _ in range(1, backoff.failures):
            rest_s = min(2.0 * rest_s, BACKOFF_MAX_S)
            if rest_s == BACKOFF_MAX_S:
                break
    backoff.until = state.now + rest_s
    _refresh_node(state, node)


def _has_untried(state: State, job: Job) -> bool:
    """Tells whether a node may run a job, works now, and was not tried yet."""
    tried = {name for name, _ in job.failed_on}
    return any(
        view.name not in tried
        and view.name not in job.avoid
        and view.node.state is NodeState.LIVE
        and view.node.accepting
        and _replica_state(view.node, view.replica.model) is ReplicaState.SERVING
        for view in state.fleet.eligible_nodes(job.shape).views
    )


def _replica_state(node: Node, model: str) -> ReplicaState:
    backoff = node.backoffs.get(model)
    return ReplicaState.SERVING if backoff is None else backoff.state


def record_completion(state: State, job: Job, lease: Lease) -> None:
    """Notes that a run completed: its replica works, and those that failed the job do not."""
    terms = lease.terms
    node = state.fleet.nodes[terms.node]
    load = node.loads.get(terms.model)
    if load is not None:
        load.completed = True
    for name, model in job.failed_on:
        other = state.fleet.nodes.get(name)
        failed = None if other is None else other.backoffs.get(model)
        if failed is not None and name != terms.node:
            failed.confirmed = True
    backoff = node.backoffs.get(terms.model)
    if backoff is None:
        return
    backoff.step("complete", _describe_replica(terms.node, terms.model))
    backoff.failures //= 2
    backoff.coops, backoff.confirmed, backoff.restarted = (), False, False
    if backoff.state is ReplicaState.SERVING:
        if not backoff.failures:
            del node.backoffs[terms.model]
        _refresh_node(state, node)


def forgive_replicas(state: State, job: Job) -> list[Node]:
    """Forgives the replicas on which a job failed that failed everywhere.

    Not where other jobs failed too, or one that failed there completed elsewhere.

    Returns:
        Those that rest no longer.
    """
    forgiven = []
    for name, model in job.failed_on:
        node = state.fleet.nodes.get(name)
        backoff = None if node is None else node.backoffs.get(model)
        if node is None or backoff is None:
            continue
        if backoff.confirmed or backoff.coops != (job.facts.coop,):
            continue
        backoff.step("forgive", _describe_replica(name, model))
        backoff.failures = max(0, backoff.failures - 1)
        backoff.coops = ()
        if not backoff.failures:
            del node.backoffs[model]
        _refresh_node(state, node)
        forgiven.append(node)
    return forgiven


def allow_probe(state: State, node: Node) -> None:
    """Lets a node whose agent has started again be probed; once until a run completes there."""
    for model, backoff in node.backoffs.items():
        if backoff.state is ReplicaState.RESTING and not backoff.restarted:
            backoff.step("restart", _describe_replica(node.card.node, model))
            backoff.restarted = True
    _refresh_node(state, node)


def end_due_backoffs(state: State, node: Node) -> None:
    """Ends the rests of a node's replicas that are over."""
    for model, backoff in node.backoffs.items():
        if backoff.state is ReplicaState.RESTING and backoff.until <= state.now:
            backoff.step("rested", _describe_replica(node.card.node, model))
    _refresh_node(state, node)


def _refresh_node(state: State, node: Node) -> None:
    """Has placement look again at a node, and sets when the next of its rests is over."""
    rests = [
        backoff.until for backoff in node.backoffs.values() if backoff.state is ReplicaState.RESTING
    ]
    if rests:
        state.deadlines.set("rest", node.card.node, min(rests))
    else:
        state.deadlines.clear("rest", node.card.node)
    if node.state is not NodeState.LEFT:
        state.fleet.replica_index.update_node(node, state.now)
