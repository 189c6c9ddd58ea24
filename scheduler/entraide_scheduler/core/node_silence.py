"""Node silence: how long a node may be silent until it is suspect, its runs are lost, it is lost.

Long limits apply to every node: it is suspect, then lost. Short limits apply to a node with leases
whose last heartbeat listed runs, and which has so promised the next one within half a second: it is
suspect sooner, and its runs are placed elsewhere while it is suspect. If the bus has closed the
connection of a node with leases, its runs are lost unless it is heard within ``reconnect_s``.

A node whose runs are lost by a short limit, and which is heard in the same boot before the long one
would have passed, was a false alarm. Each false alarm doubles the node's short limits for an hour,
up to the long ones, so that a node on a slow link stays useful: a failure detector that raises its
time-out after each mistake makes finitely many of them (Chandra and Toueg, JACM 1996, section 6.1).
"""

from entraide.types import NodeState
from entraide_scheduler.core.commands import FalseAlarm
from entraide_scheduler.core.records import DeadlineKind, Node
from entraide_scheduler.core.state import State

ALARM_KEPT_S = 3_600.0
ALARMS_MAX = 8  # with these, the default short limits are above the long ones


def note_heard(state: State, node: Node, *, restarted: bool = False) -> None:
    """Notes that a node was heard, before its state changes.

    Args:
        state: the core's.
        node: the node.
        restarted: whether its agent has restarted, so that its runs were lost indeed.
    """
    if state.now < node.alarm_until and not restarted:
        node.alarms = (*recent_alarms(node, state.now), state.now)[-ALARMS_MAX:]
        state.emit(FalseAlarm(state.cause, node.card.node))
    node.last_seen = state.now
    node.closed_at = node.alarm_until = 0.0


def note_runs_lost(state: State, node: Node) -> None:
    """Notes that the runs of a suspect node are lost."""
    node.alarm_until = node.last_seen + state.policy.timing.lost_after_s
    node.busy = False


def forget(node: Node) -> None:
    """Forgets what a node's last heartbeat promised; the long limits apply."""
    node.busy, node.closed_at, node.alarm_until = False, 0.0, 0.0


def schedule_check(state: State, node: Node) -> None:
    """Sets the silence deadline of a node's present state."""
    due_at = _due_at(state, node)
    if due_at is None:
        state.deadlines.clear(DeadlineKind.NODE_SILENCE, node.card.node)
    else:
        state.deadlines.set(DeadlineKind.NODE_SILENCE, node.card.node, due_at)


def is_silent(state: State, node: Node) -> bool:
    """Tells whether a node's silence counts now.

    It may not at a deadline that was set while the node still had leases.
    """
    due_at = _due_at(state, node)
    return due_at is not None and due_at <= state.now


def loses_runs_only(state: State, node: Node) -> bool:
    """Tells whether the silence of a node counts for its runs, and not yet for the node."""
    long_at = node.last_seen + state.policy.timing.lost_after_s
    return node.state is NodeState.SUSPECT and state.now < long_at


def _due_at(state: State, node: Node) -> float | None:
    """Returns when a node's silence counts; None for a node that is lost or has left."""
    timing = state.policy.timing
    if node.state is NodeState.LIVE:
        short_s, long_s = timing.busy_suspect_after_s, timing.suspect_after_s
    elif node.state is NodeState.SUSPECT:
        short_s, long_s = timing.busy_lost_after_s, timing.lost_after_s
    else:
        return None
    long_at = node.last_seen + long_s
    if not node.leases:
        return long_at
    times = 1 << len(recent_alarms(node, state.now))
    short_at = node.last_seen + short_s * times if node.busy else long_at
    if node.closed_at and node.state is NodeState.SUSPECT:
        short_at = min(short_at, node.closed_at + timing.reconnect_s * times)
    return min(short_at, long_at)


def recent_alarms(node: Node, at: float) -> tuple[float, ...]:
    """Returns the times of a node's false alarms within the last ``ALARM_KEPT_S``."""
    return tuple(alarm for alarm in node.alarms if alarm > at - ALARM_KEPT_S)
