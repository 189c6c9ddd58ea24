"""Quarantine: ignored messages, ended jobs, and the end of a quarantine."""

from typing import Any

import pytest
from tests.core.builders import START, Pool, card, facts, kinds, of, replica, usage
from tests.core.loading import loads, offering

from entraide.types import JobKind, JobState, NodeState, Outcome
from entraide_scheduler.core import commands, events, fault_isolation
from entraide_scheduler.core.events import QuarantineCleared, SenderQuarantined
from entraide_scheduler.core.machine import HANDLERS, Core
from entraide_scheduler.core.records import ENGINES_ENDED, EVENT_RAISED, Sender, SenderKind

NODE, KEY = SenderKind.NODE, SenderKind.KEY


def exclude(pool: Pool, kind: SenderKind, name: str, *, reason: str = EVENT_RAISED) -> list[Any]:
    return pool.tell(SenderQuarantined, kind, name, reason, "joined") + pool.tell(events.Woke)


def test_jobs_of_a_node_in_quarantine_run_elsewhere(three: Pool) -> None:
    """Its leases are placed again at once, and placement excludes the node by its own rule."""
    (first,) = of(three.ask("j1"), commands.Place)
    three.accept(first)
    (second,) = of(exclude(three, NODE, first.node), commands.Place)
    excluded = {exclusion.node: exclusion.rule for exclusion in second.explanation.excluded}

    assert first.node != second.node
    assert {first.node: "node_quarantined"} == excluded


def test_a_core_restored_after_a_quarantine_plans_what_was_due() -> None:
    """Where a node that was to load a model is put in quarantine, another one loads it, soon."""
    pool = Pool()
    pool.join(offering("n1", "small-1b"), offering("n2", "small-1b"))
    first = loads(pool.ask("j1", model="small-1b", kind=JobKind.KEPT))
    node = first[0][0]
    pool.tell(SenderQuarantined, NODE, node, EVENT_RAISED)
    twin, due = Core.restore(pool.core.snapshot()), pool.core.next_deadline()
    woke = events.Woke(99, due)
    (other,) = {"n1", "n2"} - {node}

    assert due < pool.now + 0.1
    assert [(other, "small-1b")] == loads(pool.core.handle(woke))
    assert [(other, "small-1b")] == loads(twin.handle(woke))


@pytest.mark.parametrize("ends_work", [True, False])
def test_no_message_of_a_node_in_quarantine_counts(pool: Pool, ends_work: bool) -> None:
    """Hello, heartbeat, acceptance, report: each is dropped and counted, and changes nothing."""
    pool.join(card("n1"))
    (place,) = of(pool.ask("j1", kind=JobKind.KEPT), commands.Place)
    pool.tell(SenderQuarantined, NODE, "n1", EVENT_RAISED, "", ends_work)
    pool.tell(events.Woke)
    before = pool.core.nodes()
    asked = [
        *pool.tell(events.NodeJoined, card("n1"), True, ""),
        *pool.tell(events.NodeChanged, "n1", True, "", None),
        *pool.accept(place),
        *pool.report(place),
    ]

    assert {"quarantined"} == {command.what for command in asked}
    assert ["Dropped"] * 4 == kinds(asked)
    assert before == pool.core.nodes()


def test_a_node_whose_leases_were_left_alone_falls_silent(three: Pool) -> None:
    """Where even the end of its leases fails, they end as those of any node that is silent."""
    (first,) = of(three.ask("j1"), commands.Place)
    three.accept(first)
    three.tell(SenderQuarantined, NODE, first.node, EVENT_RAISED, "", False)
    others = tuple(sorted({"qc-1", "on-1", "ab-1"} - {first.node}))
    asked = three.wait(11.0, seen=("ab-1", "on-1", "qc-1"))
    (second,) = of(asked, commands.Place)

    assert second.node in others


def test_a_cleared_node_is_back_with_its_hello(pool: Pool) -> None:
    """After the operator clears it, its hello returns it to the fleet."""
    pool.join(card("n1"))
    exclude(pool, NODE, "n1")
    refused = pool.ask("j1")
    pool.tell(QuarantineCleared, NODE, "n1")
    pool.join(card("n1"))

    assert ["Refuse"] == kinds(refused)
    assert ["Place"] == kinds(pool.ask("j2"))
    assert [NodeState.LIVE] == [view.state for view in pool.core.nodes()]
    assert [] == pool.core.quarantines()


def test_a_node_that_never_joined_can_be_in_quarantine(pool: Pool) -> None:
    """Its first hello may be what fails: it is excluded before the fleet knows it."""
    exclude(pool, NODE, "n1")
    pool.join(card("n1"))

    assert [] == pool.core.nodes()
    assert ["n1"] == [view.name for view in pool.core.quarantines()]


def test_a_key_in_quarantine_gets_no_new_job(pool: Pool) -> None:
    """Its requests are refused by a stable code; those of the co-op's other keys are served."""
    pool.join(card("n1"))
    exclude(pool, KEY, "key-alpha", reason=ENGINES_ENDED)
    (refused,) = of(pool.ask("j1"), commands.Refuse)
    other = pool.ask("j2", key="key-other")
    pool.tell(QuarantineCleared, KEY, "key-alpha")
    again = pool.ask("j3")

    assert "key_quarantined" == refused.code
    assert {"key": "key-alpha", "quarantine": ENGINES_ENDED} == refused.values
    assert refused.retry_after_s is None
    assert ["Place"] == kinds(other) == kinds(again)


def test_waiting_jobs_of_a_key_in_quarantine_end(pool: Pool) -> None:
    """Their clients receive the reason; runs go on."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    pool.ask("j1")
    pool.ask("j2")
    (ended,) = of(exclude(pool, KEY, "key-alpha"), commands.EndJob)
    running = pool.core.job("j1")

    assert ("j2", "key_quarantined") == (ended.job, ended.code)
    assert running is not None
    assert JobState.OFFERED is running.state


def test_a_dropped_deadline_is_not_done(pool: Pool) -> None:
    """The core forgets it, and does nothing else within that event."""
    pool.join(card("n1"))
    pool.now += 60.0
    asked = pool.tell(events.DeadlineDropped, "node", "n1")
    views = pool.core.nodes()
    pool.join(card("n1"))

    assert [] == asked
    assert [NodeState.LIVE] == [view.state for view in views]


@pytest.mark.parametrize(
    ("reason", "state"),
    [(ENGINES_ENDED, JobState.CANCELLED), (EVENT_RAISED, JobState.OFFERED)],
)
def test_what_a_key_in_quarantine_may_still_cancel(
    pool: Pool, reason: str, state: JobState
) -> None:
    """It may free what its jobs hold, unless the core failed on a message of it."""
    pool.join(card("n1"))
    pool.ask("j1")
    exclude(pool, KEY, "key-alpha", reason=reason)
    pool.tell(events.JobCancelled, "j1", "client_gone")
    view = pool.core.job("j1")

    assert view is not None
    assert state is view.state


def test_quarantine_survives_a_snapshot(three: Pool) -> None:
    """A restored core excludes the same senders."""
    exclude(three, NODE, "qc-1")
    exclude(three, KEY, "key-alpha", reason=ENGINES_ENDED)
    data = three.core.snapshot()

    assert Core.restore(data).quarantines() == three.core.quarantines()
    assert ["key-alpha", "qc-1"] == [view.name for view in three.core.quarantines()]


def test_clearing_what_is_in_no_quarantine_changes_nothing(pool: Pool) -> None:
    """It is dropped and counted."""
    assert ["Dropped"] == kinds(pool.tell(QuarantineCleared, NODE, "n1"))


SAMPLES = {
    events.NodeJoined: (card("n1"), True, ""),
    events.NodeChanged: ("n1", True, "", None),
    events.NodeBeat: ("n1", (("j1", 1, 1),)),
    events.NodeLeft: ("n1", "goodbye"),
    events.RunAccepted: ("j1", 1, "n1"),
    events.RunDeclined: ("j1", 1, "n1", "full", {}),
    events.RunProgressed: ("j1", 1, "n1", 1),
    events.RunReported: ("j1", 1, "n1", Outcome.COMPLETED, "", True, usage()),
    events.RunExceeded: ("j1", 1, "n1", "stream_tokens", 3),
    events.LoadFailed: ("n1", "petit", "no_room"),
    events.JobRequested: (facts("j2"),),
    events.BatchStated: (facts("batch-1", deadline_at=START + 9e4), 5),
    events.JobCancelled: ("j1", "client_gone"),
    events.JobAbandoned: ("j1", 1, "stream_broken"),
    events.AnswerResumed: ("j1", 1, ()),
}
SENDERLESS = {
    events.SenderQuarantined,
    events.QuarantineCleared,
    events.DeadlineDropped,
    events.PolicyChanged,
    events.PeriodBegan,
    events.IntensityChanged,
    events.ForecastIssued,
    events.LedgerCorrected,
    events.CatalogueChanged,
    events.LoadAsked,
    events.UnloadAsked,
    events.NodesSeen,
    events.NodeDisconnected,
    events.BusLost,
    events.NodeForgotten,
    events.NodeVouched,
    events.GatewayLost,
    events.Woke,
}


def test_each_event_has_a_sender_or_is_known_to_have_none(pool: Pool) -> None:
    """A node or the job's key is accountable; events of the shell have no sender."""
    pool.join(card("n1"))
    pool.ask("j1")
    senders = {
        kind: fault_isolation.sender_of(pool.core._state, kind(1, pool.now, *values))
        for kind, values in SAMPLES.items()
    }
    by_key = (
        events.JobRequested,
        events.BatchStated,
        events.JobCancelled,
        events.JobAbandoned,
        events.AnswerResumed,
    )

    assert set(HANDLERS) == set(SAMPLES) | SENDERLESS
    assert set(fault_isolation.SENDERS) == set(SAMPLES)
    assert senders == {
        kind: Sender(KEY, "key-alpha") if kind in by_key else Sender(NODE, "n1") for kind in senders
    }
