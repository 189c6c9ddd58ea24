"""State machine tables: reachability, final states, and refusal of illegal steps."""

import pytest
from tests.core.builders import Pool

from entraide.types import JobState, NodeState
from entraide_scheduler.core.records import LeaseState, state_machines
from entraide_scheduler.core.records.state_machines import InvalidTransition, step

MACHINES = {
    "jobs": (state_machines.JOB, JobState, state_machines.JOB_STARTS, state_machines.JOB_ENDS),
    "leases": (state_machines.LEASE, LeaseState, state_machines.LEASE_STARTS, (LeaseState.OVER,)),
    "nodes": (state_machines.NODE, NodeState, state_machines.NODE_STARTS, ()),
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_be_reached(name: str) -> None:
    """From the first states, the steps of a table lead to every state."""
    table, states, starts, _ = MACHINES[name]
    reached = set(starts)
    for _ in states:
        reached |= {to for (start, _), to in table.items() if start in reached}

    assert reached == set(states)


@pytest.mark.parametrize("name", MACHINES)
def test_only_ends_are_final(name: str) -> None:
    """From an end no step leads away, and from every other state at least one does."""
    table, states, _, ends = MACHINES[name]
    left = {start for start, _ in table}

    assert left == set(states) - set(ends)


def test_a_table_cannot_be_changed() -> None:
    """The tables are read-only."""
    with pytest.raises(TypeError):
        state_machines.JOB[(JobState.COMPLETED, "place")] = JobState.OFFERED  # type: ignore[index]


def test_an_illegal_step_tells_its_story() -> None:
    """The error names the trigger, the state and the earlier triggers."""
    with pytest.raises(InvalidTransition) as caught:
        step(
            state_machines.JOB, JobState.COMPLETED, "place", name="j1", story=("place", "complete")
        )

    assert (caught.value.name, caught.value.state) == ("j1", "completed")
    assert str(caught.value) == "j1: no step 'place' from 'completed' (so far: place > complete)"


def test_an_illegal_step_changes_nothing(three: Pool) -> None:
    """An illegal trigger raises and leaves the job's state unchanged."""
    three.ask("j1")
    job = three.core._state.jobs["j1"]
    with pytest.raises(InvalidTransition):
        job.step("complete")

    assert (job.state, job.story) == (JobState.OFFERED, ("place",))
