"""Back-off: a replica whose runs fail receives no work for a growing pause.

A circuit breaker (Nygard, *Release It!*, 2007, chapter 5) for each replica. Input: the end of each
run. Output: the replica's state (``state_machines.REPLICA``), and whether the run counts as an
attempt of its job. A failure pauses the replica for ``BACKOFF_FIRST_S``, and for twice as long
after each further failure, up to ``BACKOFF_MAX_S``, while most of the model's other replicas serve.
After the pause the replica receives one run at a time (a probe) until one has a first token. If a
job completes on another replica, its earlier failures are confirmed as the replicas' fault. If a
job fails on every replica, the job is at fault and the replicas are forgiven. The failures of a
single co-op's runs pause at most half of a model's live replicas, so that no co-op can stop a pool
by what it sends.
"""

from entraide.types import NodeState
from entraide_scheduler.core.records import Backoff, DeadlineKind, Job, Lease, Node, ReplicaState
from entraide_scheduler.core.state import State

BACKOFF_FIRST_S = 5.0
BACKOFF_MAX_S = 600.0
DOUBLINGS_MAX = 10  # more than reach ``BACKOFF_MAX_S``
BACKOFFS_MAX = 64  # per node
UNCOUNTED_FAILURES_MAX = 16  # of one job, while untried replicas are left

NO_ANSWER = "no_answer"
NODE_FAULT_CODES = (NO_ANSWER, "stale")  # failures that no request can cause


def record_failure(state: State, lease: Lease, code: str) -> bool:
    """Records a failed run and pauses its replica; the lease is still held.

    Args:
        state: the core's.
        lease: of a job that has not ended.
        code: stable code of the failure.

    Returns:
        Whether the run counts as an attempt of its job. It does not if its replica has completed no
        run since the replica's last failure and other replicas were not tried yet.
    """
    terms = lease.terms
    node, job = state.fleet.nodes[terms.node], state.jobs[terms.job]
    replica_key = terms.node, terms.model
    if replica_key not in job.failed_on:  # bounded as ``avoid`` is
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
    """Returns a replica's failure history; over the cap, drops the oldest pause."""
    known = node.backoffs.get(model)
    if known is None:
        if len(node.backoffs) >= BACKOFFS_MAX:
            del node.backoffs[min(node.backoffs, key=lambda name: node.backoffs[name].until)]
        known = node.backoffs[model] = Backoff()
    return known


def _may_back_off(state: State, model: str, backoff: Backoff) -> bool:
    """Tells whether a replica may pause: half of them at most for one co-op's failures alone."""
    if backoff.state is ReplicaState.PROBING or len(backoff.coops) > 1 or "" in backoff.coops:
        return True
    views = state.fleet.replica_index.by_model.get(model, {}).values()
    live = sum(view.node.state is NodeState.LIVE for view in views)
    paused = 0
    for view in views:
        other = view.node.backoffs.get(model)
        if other is not None and other.state is not ReplicaState.SERVING:
            paused += other.coops == backoff.coops
    return paused < live // 2


def _begin_backoff(state: State, node: Node, model: str, backoff: Backoff) -> None:
    """Begins a pause, of ``BACKOFF_FIRST_S`` unless most other replicas of the model serve."""
    backoff.step("fail", _describe_replica(node.card.node, model))
    backoff.failures += 1
    pause_s = BACKOFF_FIRST_S
    if _most_others_serve(state, node, model):
        doublings = min(backoff.failures - 1, DOUBLINGS_MAX)
        pause_s = min(BACKOFF_FIRST_S * (1 << doublings), BACKOFF_MAX_S)
    backoff.until = state.now + pause_s
    _refresh_node(state, node)


def _most_others_serve(state: State, node: Node, model: str) -> bool:
    """Tells whether half of a model's other live replicas serve, at least one.

    Where most fail, the cause is none of theirs (a site's link, a bad version), and a long pause
    would only leave jobs without a machine.
    """
    views = state.fleet.replica_index.by_model.get(model, {}).values()
    others = [
        _replica_state(view.node, model)
        for view in views
        if view.node is not node and view.node.state is NodeState.LIVE
    ]
    serving = others.count(ReplicaState.SERVING)
    return serving > 0 and 2 * serving >= len(others)


def _has_untried(state: State, job: Job) -> bool:
    """Tells whether an eligible node works now and did not run the job yet."""
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


def record_first_token(state: State, lease: Lease) -> None:
    """Records that a run answers: a replica that is probed serves again, with its failures kept."""
    node = state.fleet.nodes[lease.terms.node]
    backoff = node.backoffs.get(lease.terms.model)
    if backoff is not None and backoff.state is ReplicaState.PROBING:
        backoff.step("answer", _describe_replica(lease.terms.node, lease.terms.model))
        _refresh_node(state, node, opened=True)


def record_completion(state: State, job: Job, lease: Lease) -> None:
    """Records a completed run: its replica works, and replicas that failed the job do not."""
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


def forgive_replicas(state: State, job: Job) -> None:
    """Ends the pauses of the replicas on which a job failed, since the job is at fault.

    A replica is not forgiven if other co-ops' jobs failed there, or if a job that failed there
    completed on another replica.
    """
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
        _refresh_node(state, node, opened=True)


def allow_probe(state: State, node: Node) -> None:
    """Probes the replicas of a restarted agent, once for each replica until a run completes."""
    for model, backoff in node.backoffs.items():
        if backoff.state is ReplicaState.RESTING and not backoff.restarted:
            backoff.step("restart", _describe_replica(node.card.node, model))
            backoff.restarted = True
    _refresh_node(state, node)


def end_due_backoffs(state: State, node: Node) -> None:
    """Ends the pauses of a node's replicas that are due."""
    for model, backoff in node.backoffs.items():
        if backoff.state is ReplicaState.RESTING and backoff.until <= state.now:
            backoff.step("rested", _describe_replica(node.card.node, model))
    _refresh_node(state, node, opened=True)


def _refresh_node(state: State, node: Node, *, opened: bool = False) -> None:
    """Updates a node in the replica index, and the deadline of its next pause to end."""
    ends = [
        backoff.until for backoff in node.backoffs.values() if backoff.state is ReplicaState.RESTING
    ]
    if ends:
        state.deadlines.set(DeadlineKind.BACKOFF_END, node.card.node, min(ends))
    else:
        state.deadlines.clear(DeadlineKind.BACKOFF_END, node.card.node)
    state.fleet.refresh_node(node, state.now, opened=opened)
