"""What an answer costs that no machine continues: what its client has, as its gateway said."""

import pytest
from tests.core import invariants
from tests.core.builders import Pool, replica
from tests.core.test_resumption import ask, ended, node, resumed

from entraide.types import Outcome
from entraide_scheduler.core import commands, events


@pytest.mark.parametrize("said", [None, 0, 12])
def test_answer_that_waits_in_vain_bills_what_its_gateway_said(
    pool: Pool, said: int | None
) -> None:
    """Nothing beyond it, whatever the node reported: nobody knows whether the client has it."""
    pool.join(node("n1", "beta"))
    first = ask(pool)
    pool.join(node("n2", "gamma", replica(features=("resume",), slots=1)))
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    busy = ask(pool, "busy")
    pool.report(first, Outcome.FAILED, code="engine_failed", delivered=True, output_tokens=17)
    waits = pool.core.awaits_continuation("j1")
    if said is not None:
        resumed(pool, first, (first, said))
    for _ in range(60):
        pool.wait(1.0, seen=("n2",))
        pool.progress(busy, 1)
    billed = [
        run.usage.output_tokens
        for s in pool.asked
        if isinstance(s, commands.SettleResumed)
        for run in s.runs
    ]

    assert (True, "stream_broken") == (waits, ended(pool).code)
    assert ([said] if said else []) == billed
    invariants.check(pool)
