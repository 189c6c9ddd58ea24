"""State machines of the core: illegal triggers, and triggers that may come at any time."""

import pytest
from tests.cases import all_cases
from tests.core.builders import Pool

from entraide.state_machine import IllegalTransition
from entraide.types import JobState, NodeState
from entraide_scheduler.core.records import ReplicaState
from entraide_scheduler.core.records.state_machines import NODE, REPLICA


def test_an_illegal_step_changes_nothing(three: Pool) -> None:
    """An illegal trigger raises with the job's triggers so far and leaves its state unchanged."""
    three.ask("j1")
    job = three.core._state.jobs["j1"]
    with pytest.raises(IllegalTransition) as caught:
        job.step("complete")

    assert "job j1: no step 'complete' from 'offered' (so far: place)" == str(caught.value)
    assert (job.state, job.story) == (JobState.OFFERED, ("place",))


@all_cases("trigger", ["heard", "hello", "leave", "restart"])
@all_cases("state", NodeState)
def test_a_node_may_be_heard_at_any_time(state: NodeState, trigger: str) -> None:
    """A node's message, its hello, its goodbye and a restart are legal in every state."""
    assert NODE.allows(state, trigger)


@pytest.mark.parametrize("trigger", ["fail", "complete", "forgive"])
@pytest.mark.parametrize("state", ReplicaState)
def test_a_run_may_end_at_any_time(state: ReplicaState, trigger: str) -> None:
    """The result of a run that began earlier is legal in every state of its replica."""
    assert REPLICA.allows(state, trigger)
