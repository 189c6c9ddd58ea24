"""Fault isolation: which sender is accountable for an event, and the effects of quarantine.

A node in quarantine leaves the fleet: its leases are placed again elsewhere, and its messages are
dropped. The new jobs of a key in quarantine are refused and its waiting jobs end; its runs go on.
The driver or the operator decides on a quarantine, by the event ``SenderQuarantined``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from entraide.types import NodeState
from entraide_scheduler.core import (
    admission,
    evaluation,
    events,
    newcomers,
    node_lifecycle,
    settlement,
)
from entraide_scheduler.core.records import EVENT_RAISED, Quarantine, Sender, SenderKind
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State

LEFT_REASON = "quarantined"  # reason of departure of a node in quarantine


def _node_sender(_: State, event: Any) -> Sender:
    return Sender(SenderKind.NODE, event.node)


def _card_sender(_: State, event: events.NodeJoined) -> Sender:
    return Sender(SenderKind.NODE, event.card.node)


def _facts_sender(_: State, event: events.JobRequested | events.BatchStated) -> Sender | None:
    return _key_sender(event.facts.account)


def _job_sender(
    state: State, event: events.JobCancelled | events.JobAbandoned | events.AnswerResumed
) -> Sender | None:
    job = state.job(event.job)
    return None if job is None else _key_sender(job.facts.account)


def _key_sender(key: str) -> Sender | None:
    return Sender(SenderKind.KEY, key) if key else None


# Events that are not listed come from the pool's own shell or its operator and have no sender.
SENDERS: Mapping[type, Callable[[State, Any], Sender | None]] = MappingProxyType(
    {
        events.NodeJoined: _card_sender,
        events.NodeChanged: _node_sender,
        events.NodeBeat: _node_sender,
        events.NodeLeft: _node_sender,
        events.RunAccepted: _node_sender,
        events.RunDeclined: _node_sender,
        events.RunProgressed: _node_sender,
        events.RunReported: _node_sender,
        events.RunExceeded: _node_sender,
        events.LoadFailed: _node_sender,
        events.JobRequested: _facts_sender,
        events.BatchStated: _facts_sender,
        events.JobCancelled: _job_sender,
        events.JobAbandoned: _job_sender,
        events.AnswerResumed: _job_sender,
    }
)


def sender_of(state: State, event: events.Event) -> Sender | None:
    """Returns the node or key that is accountable for an event; None when none is."""
    sender_from = SENDERS.get(type(event))
    return None if sender_from is None else sender_from(state, event)


def is_ignored(state: State, event: events.Event) -> bool:
    """Drops or refuses an event of a sender in quarantine; returns whether it did.

    A key may still cancel its jobs, which frees slots and quotas, unless it is in quarantine
    because the core failed on one of its messages.
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
    """Puts a sender in quarantine and applies the effects."""
    sender = Sender(event.kind, event.name)
    state.quarantines.add(sender, Quarantine(event.reason, event.detail, state.now))
    if event.kind is SenderKind.KEY:
        evaluation.forget_batches_of(state, event.name)
        if event.ends_work:
            _end_waiting(state, event)
        return
    node = state.fleet.nodes.get(event.name)
    if node is None:
        return
    state.fleet.set_quarantine(node, event.reason)
    newcomers.note_fault(state, event.name)
    if event.ends_work and node.state is not NodeState.LEFT:
        node_lifecycle.remove_node(state, node, LEFT_REASON)


def _end_waiting(state: State, event: events.SenderQuarantined) -> None:
    """Ends a key's waiting jobs, including kept jobs; its runs go on."""
    values: Values = {"key": event.name, "quarantine": event.reason}
    for job in [job for job in state.queue.jobs() if job.facts.account == event.name]:
        settlement.end_waiting_job(
            state, job, "fail", code="key_quarantined", epoch=job.epoch, values=values
        )


def clear_sender(state: State, event: events.QuarantineCleared) -> None:
    """Ends a quarantine; a node rejoins the fleet with its next hello."""
    if state.quarantines.remove(Sender(event.kind, event.name)) is None:
        state.drop("not_in_quarantine")
        return
    node = state.fleet.nodes.get(event.name) if event.kind is SenderKind.NODE else None
    if node is not None:
        state.fleet.set_quarantine(node, "")
