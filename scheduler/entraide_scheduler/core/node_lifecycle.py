"""Node lifecycle: handles nodes, gateways and the scheduler as they come and go.

Input: joins, heartbeats, departures and silence deadlines. Output: each node's state
(``state_machines.NODE``, a timeout failure detector with the states live, suspect and lost), and
the end of the leases of lost nodes. ``reconcile`` ends the jobs that no node can serve any more.
"""

from collections.abc import Set as AbstractSet

from entraide.types import JobKind, NodeState
from entraide_scheduler.core import evaluation, leases, model_loading, newcomers, node_silence
from entraide_scheduler.core.commands import NodeTurned
from entraide_scheduler.core.events import (
    BusLost,
    GatewayLost,
    NodeBeat,
    NodeChanged,
    NodeDisconnected,
    NodeJoined,
    NodeLeft,
    NodesSeen,
    NodeVouched,
    SchedulerStarted,
)
from entraide_scheduler.core.fleet import is_sound_card
from entraide_scheduler.core.records import DeadlineKind, LeaseState, Node
from entraide_scheduler.core.state import EPOCHS_PER_INCARNATION, State


def handle_joined(state: State, event: NodeJoined) -> None:
    """Adds a node, or updates the node of the same name, and makes it live."""
    card = event.card
    if not is_sound_card(card):
        state.drop("unsound_card", node=card.node)
        return
    known = state.fleet.nodes.get(card.node)
    is_new = known is None or (known.state is NodeState.LEFT and known.reason == newcomers.REVOKED)
    if known is not None:
        is_other_boot = event.boot != known.boot
        node_silence.note_heard(state, known, restarted=is_other_boot)
        # An agent that says hello again goes on with the heartbeats that it has promised.
        known.busy = known.busy and not is_other_boot
    turned = state.fleet.add_or_update(
        card,
        accepting=event.accepting,
        reason=event.reason,
        at=state.now,
        lending=event.lending,
    )
    node = state.fleet.nodes[card.node]
    if is_new:
        newcomers.admit_node(state, node)
    restarted = bool(event.boot) and event.boot != node.boot
    was_known = node.boot != ""
    if restarted:
        node.boot = event.boot
        leases.allow_probe(state, node)
    node.peak_w = event.peak_w
    model_loading.handle_hello(state, node)
    state.deadlines.clear(DeadlineKind.NODE_FORGETTING, card.node)
    node_silence.schedule_check(state, node)
    if turned:
        _announce_state(state, node)
    _schedule_surplus_expiry(state, node)
    if restarted and was_known:
        leases.end_node_leases(state, node, held=event.held)


def _schedule_surplus_expiry(state: State, node: Node) -> None:
    """Sets the deadline at which a node's surplus expires and its cost model is updated."""
    until = state.fleet.replica_index.valid_until(node)
    if until is None or until <= state.now:
        state.deadlines.clear(DeadlineKind.SURPLUS_EXPIRY, node.card.node)
    else:
        state.deadlines.set(DeadlineKind.SURPLUS_EXPIRY, node.card.node, until)


def reschedule_surplus_expiries(state: State) -> None:
    """Sets all surplus deadlines again after the policy's terms for evidence changed."""
    for name in sorted(state.fleet.nodes):
        node = state.fleet.nodes[name]
        if node.state is not NodeState.LEFT:
            _schedule_surplus_expiry(state, node)


def handle_surplus_expired(state: State, name: str) -> None:
    """Handles the expiry of a node's renewable status."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        state.fleet.refresh_node(node, state.now, opened=True)


def handle_changed(state: State, event: NodeChanged) -> None:
    """Handles a heartbeat that changed something."""
    node = _find_known_node(state, event.node)
    if node is not None:
        _record_heartbeat(state, node)
        state.fleet.update_node(
            node,
            accepting=event.accepting,
            reason=event.reason,
            energy=event.energy,
            at=state.now,
            lending=event.lending,
        )
        _schedule_surplus_expiry(state, node)


def handle_beat(state: State, event: NodeBeat) -> None:
    """Handles a heartbeat that lists the node's runs."""
    node = _find_known_node(state, event.node)
    if node is not None:
        node.busy = bool(event.runs)
        _record_heartbeat(state, node)
        leases.record_progress(state, event)


def handle_disconnected(state: State, event: NodeDisconnected) -> None:
    """Handles a closed connection: the node is suspect; its runs are lost unless it is heard."""
    node = state.fleet.nodes.get(event.node)
    if node is None or node.state not in (NodeState.LIVE, NodeState.SUSPECT):
        return
    node.closed_at = state.now
    if node.state is NodeState.LIVE:
        _step_node(state, node, "silent")
    else:
        node_silence.schedule_check(state, node)


def handle_bus_lost(state: State, _: BusLost) -> None:
    """Handles an outage of the bus: the short limits no longer apply until a node's next beat."""
    for name in sorted(state.fleet.nodes):
        node = state.fleet.nodes[name]
        if node.busy or node.closed_at:
            node_silence.forget(node)
            node_silence.schedule_check(state, node)


def handle_seen(state: State, event: NodesSeen) -> None:
    """Handles heartbeats that changed nothing; they postpone the silence deadline.

    The beats of a busy node are events of their own, at their own times.
    """
    nodes, now = state.fleet.nodes, state.now
    silent_at = now + state.policy.timing.suspect_after_s
    for name in event.nodes:
        live = nodes.get(name)
        if live is not None and live.busy:
            continue
        if live is not None and live.state is NodeState.LIVE and not live.quarantine:
            live.last_seen = now
            if now >= live.availability.ends_at:
                _count_hours(state, live)
            state.deadlines.set(DeadlineKind.NODE_SILENCE, name, silent_at)
            continue
        node = _find_known_node(state, name)
        if node is not None:
            _record_heartbeat(state, node)


def _count_hours(state: State, node: Node) -> None:
    """Counts the hours that have ended in what is known of a node's usual hours."""
    if state.fleet.count_hours(node, state.now):
        evaluation.follow_capacity(state)


def _find_known_node(state: State, name: str) -> Node | None:
    node = state.fleet.nodes.get(name)
    if node is None or node.state is NodeState.LEFT:
        state.drop("unknown_node", node=name)
        return None
    if node.quarantine:
        state.drop("quarantined", node=name)
        return None
    return node


def _record_heartbeat(state: State, node: Node) -> None:
    node_silence.note_heard(state, node)
    _count_hours(state, node)
    _step_node(state, node, "heard")


def _step_node(state: State, node: Node, trigger: str) -> None:
    """Applies a trigger to a node, and reports its state if that changed."""
    turned = state.fleet.step_node(node, trigger, state.now)
    node_silence.schedule_check(state, node)
    if turned:
        _announce_state(state, node)


def _announce_state(state: State, node: Node) -> None:
    """Reports a node's changed state."""
    state.emit(NodeTurned(state.cause, node.card.node, node.state))


def handle_silence(state: State, name: str) -> None:
    """Handles a node's silence deadline: live becomes suspect, suspect becomes lost.

    A suspect node first loses its runs alone, if a short limit applies to it.
    """
    node = state.fleet.nodes[name]
    if not node_silence.is_silent(state, node):
        node_silence.schedule_check(state, node)
    elif node_silence.loses_runs_only(state, node):
        node_silence.note_runs_lost(state, node)
        leases.end_node_leases(state, node)
        node_silence.schedule_check(state, node)
    else:
        _step_node(state, node, "silent")
        if node.state is NodeState.LOST:
            node_silence.forget(node)
            leases.end_node_leases(state, node)


def handle_vouched(state: State, event: NodeVouched) -> None:
    """Puts what the operator vouches for into a node's card; running leases stay."""
    node = state.fleet.nodes.get(event.node)
    if node is not None and node.state is not NodeState.LEFT:
        state.fleet.set_vouched(
            node,
            controlled_by=event.controlled_by,
            surplus_evidence=event.surplus_evidence,
            zone=node.card.zone if event.zone is None else event.zone,
            site=node.card.site if event.site is None else event.site,
            at=state.now,
        )


def handle_left(state: State, event: NodeLeft) -> None:
    """Handles a node that said goodbye or was revoked."""
    node = _find_known_node(state, event.node)
    if node is not None:
        remove_node(state, node, event.reason)


def remove_node(state: State, node: Node, reason: str) -> None:
    """Removes a node from service and ends its leases; its record is kept for ``job_kept_s``."""
    name = node.card.node
    model_loading.handle_node_left(state, node)
    state.fleet.remove_node(node, reason, state.now)
    node_silence.forget(node)
    node_silence.schedule_check(state, node)
    state.deadlines.clear(DeadlineKind.SURPLUS_EXPIRY, name)
    kept_until = state.now + state.policy.timing.job_kept_s
    state.deadlines.set(DeadlineKind.NODE_FORGETTING, name, kept_until)
    _announce_state(state, node)
    leases.end_node_leases(state, node)


def forget_node(state: State, name: str) -> None:
    """Deletes the record of a node that left."""
    state.deadlines.clear(DeadlineKind.PAUSE_END, name)
    state.deadlines.clear(DeadlineKind.BACKOFF_END, name)
    newcomers.remember_node(state, state.fleet.nodes[name])
    state.fleet.forget_node(name)


def handle_started(state: State, event: SchedulerStarted) -> None:
    """Handles a start of the scheduler: nodes become suspect, its gateway's live jobs end.

    Remaining leases get their full duration, because no scheduler listened to their nodes. An offer
    gets it at the first start after it was made; if it is still without an answer at a later one,
    it gets the time of an offer, in which a node that runs it is heard.
    """
    previous = state.incarnation * EPOCHS_PER_INCARNATION
    state.incarnation = event.incarnation
    for name in sorted(state.fleet.nodes):
        node = state.fleet.nodes[name]
        if node.state in (NodeState.LIVE, NodeState.SUSPECT):
            node.last_seen = state.now
            node_silence.forget(node)
            _step_node(state, node, "restart")
    model_loading.handle_restart(state)
    _end_gateway_jobs(state, event.gateway, answered=frozenset(event.answered))
    for lease in state.leases.values():
        if lease.state is LeaseState.OFFERED and lease.terms.epoch <= previous:
            leases.extend_offer(state, lease)
        else:
            leases.extend_lease(state, lease)


def handle_gateway_lost(state: State, event: GatewayLost) -> None:
    """Handles a lost gateway: its live jobs end, its kept jobs run again.

    What its clients have of a stream is billed, as far as the gateway has said what that is. Of
    a run that was placed before the scheduler's start the word may have come while it was away:
    without any since, the node's report counts.
    """
    sent = {job: (epoch, tokens) for job, epoch, tokens in event.sent}
    started = state.incarnation * EPOCHS_PER_INCARNATION
    for job in state.jobs_of(event.gateway):
        if job.facts.kind is JobKind.LIVE:
            lease = state.leases.get(job.facts.job)
            leases.note_sent(job, lease, sent.get(job.facts.job, (0, 0)), since=started)
    _end_gateway_jobs(state, event.gateway)


def _end_gateway_jobs(
    state: State, gateway: str, *, answered: AbstractSet[str] = frozenset()
) -> None:
    """Ends a gateway's live jobs, and has its kept ones run again unless they are answered."""
    for job in state.jobs_of(gateway):
        lease = state.leases.get(job.facts.job)
        if job.facts.kind is JobKind.LIVE:
            leases.stop_job(state, job, "fail", "gateway_lost")
        elif job.facts.job not in answered:
            job.given_up = None  # its answer is lost with the gateway
            if lease is not None:
                leases.cancel_run(state, lease)
                leases.requeue_job(state, lease, "lose", avoid=False, counts=False)
