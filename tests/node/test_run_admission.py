"""Which runs a node accepts, ignores and declines; and the phases after a signal."""

import pytest
from msgspec.structs import replace
from tests.cases import all_cases

from entraide_node.core.phases import AGENT, Phase, PhaseEvent
from entraide_node.core.run_admission import (
    Admission,
    AdmissionDecision,
    ModelOccupancy,
    NodeReadiness,
    RunRequest,
    admit_run,
    reason_not_accepting,
    reason_not_loading,
)

ASKED = RunRequest(job="j", epoch=5, path="/v1/chat/completions", model="small", sealed=False)
HOLDING = ModelOccupancy(model="small", slots=2, running=1, epoch_seen=0, superseded=False)
TAKE, IGNORE = AdmissionDecision(Admission.TAKE), AdmissionDecision(Admission.IGNORE)

RUNS = {
    "a free slot is used": ({}, {}, "", TAKE),
    "the same epoch twice changes nothing": ({}, {"epoch_seen": 5}, "", IGNORE),
    "twice changes nothing while draining either": ({}, {"epoch_seen": 5}, "draining", IGNORE),
    "an older epoch is stale": ({"epoch": 4}, {"epoch_seen": 5}, "", "stale"),
    "a newer epoch is another run": ({"epoch": 6}, {"epoch_seen": 5}, "", TAKE),
    "no slot is left": ({}, {"running": 2}, "", "full"),
    "a newer epoch takes the slot of the older": ({}, {"running": 2, "superseded": True}, "", TAKE),
    "another model": ({"model": "large"}, {}, "", "not_loaded"),
    "a sealed body cannot be read": ({"sealed": True}, {}, "", "not_loaded"),
    "a path that no engine has": ({"path": "/v1/images/generations"}, {}, "", "engine_refused"),
    "no answer is resumed by an engine that cannot": (
        {"resumed": True}, {"running": 2}, "", "resume_unsupported"
    ),
    "an answer is resumed": ({"resumed": True}, {"resumes": True}, "", TAKE),
    "the node drains": ({}, {}, "draining", "draining"),
    "its owner paused it": ({}, {}, "paused", "draining"),
    "its engine is down": ({}, {}, "engine_down", "not_loaded"),
}  # fmt: skip


@all_cases("name", RUNS)
def test_runs(name: str) -> None:
    """A node takes a run, ignores it, or declines it with its code."""
    asked, holding, reason, wanted = RUNS[name]
    expected = AdmissionDecision(Admission.DECLINE, wanted) if isinstance(wanted, str) else wanted

    assert expected == admit_run(
        replace(ASKED, **asked), occupancy=replace(HOLDING, **holding), reason=reason
    )


STANDINGS = {
    "all is well": (Phase.SERVING, "", True, ""),
    "leaving goes before all": (Phase.DRAINING, "paused", False, "draining"),
    "the owner's terms go before the engine": (Phase.SERVING, "paused", False, "paused"),
    "no engine, no work": (Phase.SERVING, "", False, "engine_down"),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_reasons(name: str) -> None:
    """A node that accepts no work has one reason."""
    phase, owner, engine_up, expected = STANDINGS[name]

    assert expected == reason_not_accepting(NodeReadiness(phase, owner, engine_up))


def test_measuring_goes_last() -> None:
    """A node that measures itself takes no work, unless it takes none for another reason."""
    measuring = NodeReadiness(Phase.SERVING, owner="", engine_up=True, measuring=True)

    assert "benchmarking" == reason_not_accepting(measuring)
    assert "engine_down" == reason_not_accepting(replace(measuring, engine_up=False))
    assert "" == reason_not_loading(measuring.phase, measuring.owner)


SIGNS = {
    "asked, then idle": ([PhaseEvent.ASKED, PhaseEvent.IDLE], Phase.LEAVING),
    "asked, then out of time": ([PhaseEvent.ASKED, PhaseEvent.TIME_UP], Phase.LEAVING),
    "asked twice": ([PhaseEvent.ASKED, PhaseEvent.ASKED], Phase.LEAVING),
    "asked three times": ([PhaseEvent.ASKED, PhaseEvent.ASKED, PhaseEvent.ASKED], Phase.GONE),
    "its parent died": ([PhaseEvent.ORPHANED], Phase.LEAVING),
    "its parent died while it drained": (
        [PhaseEvent.ASKED, PhaseEvent.ORPHANED, PhaseEvent.DONE],
        Phase.GONE,
    ),
    "a task failed": ([PhaseEvent.STOPPED], Phase.LEAVING),
    "a signal after the end": ([*[PhaseEvent.ASKED] * 4, PhaseEvent.ORPHANED], Phase.GONE),
}


@pytest.mark.parametrize("name", SIGNS)
def test_signs(name: str) -> None:
    """Signals lead from serving through draining and leaving to the end."""
    signs, expected = SIGNS[name]
    phase = Phase.SERVING
    for sign in signs:
        phase = AGENT.step(phase, sign, subject="n1")

    assert expected == phase


@all_cases("phase", Phase)
@all_cases("sign", [PhaseEvent.ASKED, PhaseEvent.ORPHANED, PhaseEvent.STOPPED])
def test_a_signal_is_legal_in_every_phase(phase: Phase, sign: PhaseEvent) -> None:
    """A signal, and the end of the agent's tasks, may come at any time."""
    assert AGENT.allows(phase, sign)


def test_no_way_back() -> None:
    """No sign leads back to an earlier phase, and nothing comes after the end."""
    order = list(Phase)
    backwards = [step for step, to in AGENT.table.items() if order.index(to) < order.index(step[0])]

    assert [] == backwards
