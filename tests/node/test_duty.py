"""What a node takes, ignores and declines; what follows on a signal."""

import pytest
from msgspec.structs import replace

from entraide_node.core.duty import (
    Asked,
    Decision,
    Holding,
    Standing,
    Verdict,
    judge,
    owners_reason,
    reason_not_accepting,
)
from entraide_node.core.phases import TABLE, Phase, Sign, after

ASKED = Asked(job="j", epoch=5, path="/v1/chat/completions", model="small", sealed=False)
HOLDING = Holding(model="small", slots=2, running=1, epoch_seen=0, superseded=False)
TAKE, IGNORE = Decision(Verdict.TAKE), Decision(Verdict.IGNORE)

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
    "a path that no engine has": ({"path": "/v1/embeddings"}, {}, "", "engine_refused"),
    "the node drains": ({}, {}, "draining", "draining"),
    "its owner paused it": ({}, {}, "paused", "draining"),
    "its engine is down": ({}, {}, "engine_down", "not_loaded"),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_runs(name: str) -> None:
    """A node takes a run, ignores it, or declines it with its code."""
    asked, holding, reason, wanted = RUNS[name]
    expected = Decision(Verdict.DECLINE, wanted) if isinstance(wanted, str) else wanted

    assert expected == judge(
        replace(ASKED, **asked), holding=replace(HOLDING, **holding), reason=reason
    )


STANDINGS = {
    "all is well": (Phase.SERVING, False, True, "", ""),
    "leaving goes before all": (Phase.DRAINING, True, False, "owner_busy", "draining"),
    "the owner's word goes before the engine's": (Phase.SERVING, True, False, "", "paused"),
    "a pause goes before the terms": (Phase.SERVING, True, True, "owner_busy", "paused"),
    "the terms go before the engine": (Phase.SERVING, False, False, "owner_busy", "owner_busy"),
    "no engine, no work": (Phase.SERVING, False, False, "", "engine_down"),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_reasons(name: str) -> None:
    """A node that takes no work says one reason."""
    phase, paused, engine_up, owner, expected = STANDINGS[name]

    assert expected == reason_not_accepting(Standing(phase, paused, engine_up, owner))


def test_measuring_goes_last() -> None:
    """A node that measures itself takes no work, unless it takes none for another reason."""
    measuring = Standing(Phase.SERVING, paused=False, engine_up=True, measuring=True)

    assert "benchmarking" == reason_not_accepting(measuring)
    assert "engine_down" == reason_not_accepting(replace(measuring, engine_up=False))
    assert "" == owners_reason(measuring)


SIGNS = {
    "asked, then idle": ([Sign.ASKED, Sign.IDLE], Phase.LEAVING),
    "asked, then out of time": ([Sign.ASKED, Sign.TIME_UP], Phase.LEAVING),
    "asked twice": ([Sign.ASKED, Sign.ASKED], Phase.LEAVING),
    "asked three times": ([Sign.ASKED, Sign.ASKED, Sign.ASKED], Phase.GONE),
    "its parent died": ([Sign.ORPHANED], Phase.LEAVING),
    "its parent died while it drained": ([Sign.ASKED, Sign.ORPHANED, Sign.DONE], Phase.GONE),
    "idle means nothing while serving": ([Sign.IDLE], Phase.SERVING),
}


@pytest.mark.parametrize("name", SIGNS)
def test_signs(name: str) -> None:
    """Signals lead from serving through draining and leaving to the end."""
    signs, expected = SIGNS[name]
    phase = Phase.SERVING
    for sign in signs:
        phase = after(phase, sign)

    assert expected == phase


def test_no_way_back() -> None:
    """No sign leads back to an earlier phase, and nothing comes after the end."""
    order = list(Phase)
    backwards = [step for step, to in TABLE.items() if order.index(to) <= order.index(step[0])]

    assert [] == backwards
