"""Isolation: who is accountable for an event, and what quarantine does to a sender.

A node in quarantine leaves the fleet as far as placement is concerned: its leases are placed again
elsewhere, and none of its messages counts. A key in quarantine has its new jobs refused and those
that wait ended; those that run go on. Why a sender is put there, its driver or operator knows.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from entraide.types import NodeState
from entraide_scheduler.core import admission, carbon_shifting, events, node_lifecycle, settlement
from entraide_scheduler.core.quarantine import (
    EVENT_RAISED,
    Quarantine,
    Sender,
    SenderKind,
)
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State

LEFT_REASON = "quarantined"  # why a node in quarantine has left, as its own view says


def _node_sender(_: State, event: Any) -> Sender:
    return Sender(SenderKind.NODE, event.node)


def _card_sender(_: State, event: events.NodeJoined) -> Sender:
    return Sender(SenderKind.NODE, event.card.node)


def _facts_sender(_: State, event: events.JobRequested) -> Sender | None:
    return _key_sender(event.facts.key)


def _job_sender(state: State, event: events.JobCancelled | events.JobAbandoned) -> Sender | None:
    job = state.job(event.job)
    return None if job is None else _key_sender(job.facts.key)


def _key_sender(key: str) -> Sender | None:
    return Sender(SenderKind.KEY, key) if key else None


# Events that are not listed have no sender: the pool's own shell or its operator fed them.
SENDERS: Mapping[type, Callable[[State, Any], Sender | None]] = MappingProxyType(
    {
        events.NodeJoined: _card_sender,
        events.NodeChanged: _node_sender,
        events.NodeLeft: _node_sender,
        events.RunAccepted: _node_sender,
        events.RunDeclined: _node_sender,
        events.RunProgressed: _node_sender,
        events.RunReported: _node_sender,
        events.RunExceeded: _node_sender,
        events.LoadFailed: _node_sender,
        events.JobRequested: _facts_sender,
        events.JobCancelled: _job_sender,
        events.JobAbandoned: _job_sender,
    }
)


def sender_of(state: State, event: events.Event) -> Sender | None:
    """Returns the node or key that is accountable for an event; None when there is none."""
    sender_from = SENDERS.get(type(event))
    return None if sender_from is None else sender_from(state, event)


def is_ignored(state: State, event: events.Event) -> bool:
    """Tells whether an event comes from a sender in quarantine, and drops or refuses it if so.

    Cancellations with a key that is in quarantine for another reason than a failure of the core
    still count: they free what the key's jobs hold.
    """
    sender = sender_of(state, event)
    quarantine = None if sender is None else state.quarantines.get(sender)
    if sender is None or quarantine is None:
        return False
    if isinstance(event, events.JobRequested):
        admission.refuse_key(state, event.facts, quarantine)
        return True
    if sender.kind is SenderKind.KEY and quarantine.reason != EVENT_RAISED:
        return False
    node = sender.name if sender.kind is SenderKind.NODE else ""
    state.drop("quarantined", job=getattr(event, "job", ""), node=node)
    return True


def quarantine_sender(state: State, event: events.SenderQuarantined) -> None:
    """Puts a sender in quarantine."""
    sender = Sender(event.kind, event.name)
    state.quarantines.add(sender, Quarantine(event.reason, event.detail, state.now))
    if event.kind is SenderKind.KEY:
        if event.ends_work:
            _end_waiting(state, event)
        return
    node = state.fleet.nodes.get(event.name)
    if node is None:
        return
    state.fleet.set_quarantine(node, event.reason)
    if event.ends_work and node.state is not NodeState.LEFT:
        node_lifecycle.remove_node(state, node, LEFT_REASON)


def _end_waiting(state: State, event: events.SenderQuarantined) -> None:
    """Ends a key's waiting jobs, kept ones too; those that run go on."""
    values: Values = {"key": event.name, "quarantine": event.reason}
    for job in [job for job in state.queue.jobs() if job.facts.key == event.name]:
        carbon_shifting.remove_waiting(state, job)
        state.queue.remove(job)
        code = "key_quarantined"
        settlement.end_job(state, job, "fail", code=code, epoch=job.epoch, values=values)


def clear_sender(state: State, event: events.QuarantineCleared) -> None:
    """Takes a sender out of quarantine; a node is back in the fleet with its next hello."""
    if state.quarantines.remove(Sender(event.kind, event.name)) is None:
        state.drop("not_in_quarantine")
        return
    node = state.fleet.nodes.get(event.name) if event.kind is SenderKind.NODE else None
    if node is not None:
        state.fleet.set_quarantine(node, "")
