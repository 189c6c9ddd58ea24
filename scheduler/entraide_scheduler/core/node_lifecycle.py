"""Presence: what becomes of jobs when nodes, gateways or the scheduler itself come and go.

Decides who is heard and who is silent for too long, ends the leases of nodes that are gone and
the jobs that no node is left for. The steps themselves stand in ``state_machines.NODE``.
"""

from entraide.types import JobKind, NodeState
from entraide_scheduler.core import (
    admission,
    backoff,
    carbon_shifting,
    leases,
    model_lifecycle,
    model_planner,
    settlement,
)
from entraide_scheduler.core.commands import CancelRun, NodeTurned
from entraide_scheduler.core.events import (
    GatewayLost,
    NodeChanged,
    NodeJoined,
    NodeLeft,
    NodesSeen,
    SchedulerStarted,
)
from entraide_scheduler.core.fleet import is_sound_card
from entraide_scheduler.core.model_aliases import REACHABLE
from entraide_scheduler.core.records import Job, Node, Shape
from entraide_scheduler.core.state import State


def handle_joined(state: State, event: NodeJoined) -> None:
    """A node said hello: it is live, and the same node as before if its name is known."""
    card = event.card
    if not is_sound_card(card):
        state.drop("unsound_card", node=card.node)
        return
    inputs_before = _shape_inputs(state)
    turned, changed = state.fleet.add_or_update(
        card,
        accepting=event.accepting,
        reason=event.reason,
        at=state.now,
        lending=event.lending,
    )
    node = state.fleet.nodes[card.node]
    restarted = bool(event.boot) and event.boot != node.boot
    was_known = node.boot != ""
    if restarted:
        node.boot = event.boot
        backoff.allow_probe(state, node)
    node.peak_w = event.peak_w
    model_lifecycle.handle_hello(state, node)
    state.deadlines.clear("gone", card.node)
    _schedule_silence_check(state, node)
    if turned:
        _announce_state_change(state, node)
    _schedule_surplus_expiry(state, node)
    if changed:
        model_lifecycle.refresh_aliases(state)
    if _shape_inputs(state) != inputs_before:
        admission.reshape_jobs(state)
    if restarted and was_known:
        leases.end_node_leases(state, node, but=event.held)
    if changed:
        end_unservable_jobs(state)
    leases.retry_node(state, node)


def _shape_inputs(state: State) -> tuple[object, ...]:
    """Returns what jobs' shapes rest on: contexts offered or to be had, who keeps a part."""
    fleet = state.fleet
    return (
        dict(fleet.contexts),
        dict(fleet.loadable_index.contexts),
        sorted(fleet.replica_index.restricted_nodes),
    )


def _schedule_surplus_expiry(state: State, node: Node) -> None:
    """Sets when a node's surplus stops counting, for its quote to be made anew."""
    until = state.fleet.replica_index.valid_until(node)
    if until is None or until <= state.now:
        state.deadlines.clear("surplus", node.card.node)
    else:
        state.deadlines.set("surplus", node.card.node, until)


def reschedule_surplus_expiries(state: State) -> None:
    """Sets again when surpluses stop counting, after the policy's terms for evidence changed."""
    for name in sorted(state.fleet.nodes):
        node = state.fleet.nodes[name]
        if node.state is not NodeState.LEFT:
            _schedule_surplus_expiry(state, node)


def handle_surplus_expired(state: State, name: str) -> None:
    """A node's renewable status has expired."""
    node = state.fleet.nodes.get(name)
    if node is not None and node.state is not NodeState.LEFT:
        state.fleet.replica_index.update_node(node, state.now)
        leases.retry_node(state, node)


def handle_changed(state: State, event: NodeChanged) -> None:
    """A heartbeat that changed something."""
    node = _find_known_node(state, event.node)
    if node is not None:
        _record_heartbeat(state, node)
        was_accepting, was_lending = node.accepting, node.lending
        state.fleet.update_node(
            node,
            accepting=event.accepting,
            reason=event.reason,
            energy=event.energy,
            at=state.now,
            lending=event.lending,
        )
        _schedule_surplus_expiry(state, node)
        if was_lending is not node.lending:
            admission.reshape_jobs(state)
        if (was_accepting, was_lending) != (node.accepting, node.lending):
            model_lifecycle.handle_node_change(state)
        leases.retry_node(state, node)


def handle_seen(state: State, event: NodesSeen) -> None:
    """Heartbeats that changed nothing: of a live node, they only put its silence off."""
    nodes, now = state.fleet.nodes, state.now
    silent_at = now + state.policy.timing.suspect_after_s
    for name in event.nodes:
        known = nodes.get(name)
        if known is not None and known.state is NodeState.LIVE and not known.quarantine:
            known.last_seen = now
            state.deadlines.set("node", name, silent_at)
            continue
        node = _find_known_node(state, name)
        if node is not None and _record_heartbeat(state, node):
            leases.retry_node(state, node)


def _find_known_node(state: State, name: str) -> Node | None:
    node = state.fleet.nodes.get(name)
    if node is None or node.state is NodeState.LEFT:
        state.drop("unknown_node", node=name)
        return None
    if node.quarantine:
        state.drop("quarantined", node=name)
        return None
    return node


def _record_heartbeat(state: State, node: Node) -> bool:
    node.last_seen = state.now
    turned = node.step("heard")
    _schedule_silence_check(state, node)
    if turned:
        _announce_state_change(state, node)
    return turned


def _schedule_silence_check(state: State, node: Node) -> None:
    """Sets when a node's silence counts next, after what it is now."""
    timing = state.policy.timing
    after_s = {NodeState.LIVE: timing.suspect_after_s, NodeState.SUSPECT: timing.lost_after_s}
    if node.state in after_s:
        state.deadlines.set("node", node.card.node, node.last_seen + after_s[node.state])
    else:
        state.deadlines.clear("node", node.card.node)


def _announce_state_change(state: State, node: Node) -> None:
    """Tells that a node's state changed; what it asks for one more job changes with it."""
    if node.state is not NodeState.LEFT:
        state.fleet.replica_index.update_node(node, state.now)
    model_lifecycle.handle_node_change(state)
    state.emit(NodeTurned(state.cause, node.card.node, node.state))


def handle_silence(state: State, name: str) -> None:
    """A node was silent for as long as its state allows."""
    node = state.fleet.nodes[name]
    node.step("silent")
    _schedule_silence_check(state, node)
    _announce_state_change(state, node)
    if node.state is NodeState.LOST:
        leases.end_node_leases(state, node)
        model_lifecycle.refresh_aliases(state)
        end_unservable_jobs(state)


def handle_left(state: State, event: NodeLeft) -> None:
    """A node said goodbye or was revoked."""
    node = _find_known_node(state, event.node)
    if node is not None:
        remove_node(state, node, event.reason)


def remove_node(state: State, node: Node, reason: str) -> None:
    """Takes a node out of service and ends its leases; it is forgotten after a while."""
    inputs_before, name = _shape_inputs(state), node.card.node
    model_lifecycle.handle_node_left(state, node)
    state.fleet.remove_node(node, state.now)
    node.accepting, node.reason = False, reason
    _schedule_silence_check(state, node)
    state.deadlines.clear("surplus", name)
    state.deadlines.set("gone", name, state.now + state.policy.timing.job_kept_s)
    state.prefix_cache.forget_node(name)
    _announce_state_change(state, node)
    leases.end_node_leases(state, node)
    model_lifecycle.refresh_aliases(state)
    if _shape_inputs(state) != inputs_before:
        admission.reshape_jobs(state)
    end_unservable_jobs(state)


def forget_node(state: State, name: str) -> None:
    """A node that left is forgotten."""
    state.deadlines.clear("pause", name)
    state.deadlines.clear("rest", name)
    state.fleet.forget_node(name)


def end_unservable_jobs(state: State) -> None:
    """Ends the waiting live jobs for which no node is left that may be heard again soon.

    Admission would refuse them now. Kept jobs wait: they survive anything.
    """
    served = {shape: _is_reachable(state, shape) for shape in state.queue.shapes}
    if all(served.values()):
        return
    for job in state.queue.jobs():
        if job.facts.kind is JobKind.LIVE and not served[job.shape]:
            carbon_shifting.remove_waiting(state, job)
            state.queue.remove(job)
            code, values, _ = admission.unreachable_reason(state, job.shape)
            settlement.end_job(state, job, "fail", code=code, epoch=job.epoch, values=values)


def _is_reachable(state: State, shape: Shape) -> bool:
    views = state.fleet.eligible_nodes(shape).views
    return any(view.node.state in REACHABLE for view in views) or model_planner.can_be_loaded(
        state, shape
    )


def handle_started(state: State, event: SchedulerStarted) -> None:
    """The scheduler started: nodes must be heard again, its own gateway's live jobs are over.

    Leases that go on get their full time again: their nodes were not heard for our sake.
    """
    state.incarnation = event.incarnation
    for name in sorted(state.fleet.nodes):
        node = state.fleet.nodes[name]
        if node.state in (NodeState.LIVE, NodeState.SUSPECT):
            node.last_seen = state.now
            if node.step("restart"):
                _announce_state_change(state, node)
            _schedule_silence_check(state, node)
    model_lifecycle.handle_restart(state)
    _end_gateway_jobs(state, event.gateway)
    for lease in state.leases.values():
        state.deadlines.set("lease", lease.terms.job, state.now + state.policy.timing.lease_s)


def handle_gateway_lost(state: State, event: GatewayLost) -> None:
    """A gateway is gone; its live jobs end, its kept jobs run again."""
    _end_gateway_jobs(state, event.gateway)


def _end_gateway_jobs(state: State, gateway: str) -> None:
    for job in state.jobs_of(gateway):
        lease = state.leases.get(job.facts.job)
        if job.facts.kind is JobKind.LIVE:
            _end_live_job(state, job)
        elif lease is not None:
            terms = lease.terms
            state.emit(CancelRun(state.cause, terms.job, terms.epoch, terms.node))
            leases.requeue_job(state, lease, "lose", avoid=False, counts=False)


def _end_live_job(state: State, job: Job) -> None:
    lease = state.leases.get(job.facts.job)
    if lease is not None:
        leases.stop_job(state, lease, "fail", "gateway_lost")
    else:
        carbon_shifting.remove_waiting(state, job)
        state.queue.remove(job)
        settlement.end_job(state, job, "fail", code="gateway_lost")
