"""A whole answer that comes after the core has given its run up, while its job waits."""

from typing import Any

import pytest
from tests.core import invariants
from tests.core.builders import Pool, card, of, placed, replica

from entraide.types import JobKind, JobState, Usage
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy import CoopTerms, Lend
from entraide_scheduler.core.policy.policy import Period, Quota, QuotaKind

LIVE = {"resumable": True, "stream": True}
KEPT = {"kind": JobKind.KEPT}
QUOTAS = (Quota(QuotaKind.TOKENS, 1_000, Period.DAY), Quota(QuotaKind.ENERGY_WH, 10, Period.DAY))
ABLE = ("resume",)


def lost(kind: dict[str, Any], *, silent: bool) -> tuple[Pool, commands.Place]:
    """A job whose run was given up, and which waits for the only slot of another machine.

    Args:
        kind: of the job.
        silent: whether its machine is silent; else it only says nothing of the run.
    """
    lend = Lend(1.0, 5)
    terms = [CoopTerms("alpha", quotas=QUOTAS), *(CoopTerms(c, lend=lend) for c in ("b1", "b2"))]
    pool = Pool(*terms)
    pool.join(card("n1", "b1", replicas=(replica(features=ABLE),)))
    place = placed(pool, "j1", **kind)
    pool.accept(place)
    pool.progress(place, 10)
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    pool.join(card("n2", "b2", replicas=(replica(features=ABLE, slots=1),)))
    other = placed(pool, "other", "b2")
    for second in range(14):
        pool.progress(other, second)
        pool.wait(1.0, seen=("n2",) if silent else ("n1", "n2"))

    assert JobState.QUEUED is pool.core.job("j1").state
    return pool, place


def billed(pool: Pool) -> list[tuple[int, int]]:
    """Prompt and output of each run that is settled."""
    runs: list[Usage] = [each.usage for each in of(pool.asked, commands.Settle)]
    runs += [run.usage for each in of(pool.asked, commands.SettleResumed) for run in each.runs]
    return [(used.input_tokens, used.output_tokens) for used in runs]


@pytest.mark.parametrize("kind", [LIVE, KEPT], ids=["live", "kept"])
@pytest.mark.parametrize("silent", [True, False], ids=["silent", "expired"])
def test_it_completes_its_job_and_is_billed_whole(kind: dict[str, Any], silent: bool) -> None:
    """Once, however often the machine says so; quotas and lent energy count it."""
    pool, place = lost(kind, silent=silent)
    could = pool.core.may_complete("n1", "j1", place.epoch)
    pool.core = type(pool.core).restore(pool.core.snapshot())
    pool.report(place)
    pool.report(place)
    pool.tell(events.JobCancelled, "j1", "client_gone")
    used = {view.kind: view.used for view in pool.core.quota_left("alpha")}

    assert could
    assert [(90, 50)] == billed(pool)
    assert [JobState.COMPLETED] == [end.state for end in of(pool.asked, commands.EndJob)]
    assert {QuotaKind.TOKENS: 140.0, QuotaKind.ENERGY_WH: 0.032} == used
    assert 32_000 == pool.core._state.quotas.lent.lent_uwh["b1"]
    invariants.check(pool)


@pytest.mark.parametrize("delivered", [50, 20], ids=["whole", "continued"])
def test_its_report_corrects_the_estimate_once_another_run_has_begun(delivered: int) -> None:
    """The gateway took the whole answer a moment before it heard of the other run; or it did not,
    and then the client has a part of it. The prompt is billed as the machine has counted it."""
    pool, place = lost(LIVE, silent=False)
    (other,) = [each for each in pool.places() if each.job == "other"]
    (again,) = of(pool.report(other), commands.Place)
    pool.report(place, input_tokens=77)
    pool.tell(events.AnswerResumed, "j1", again.epoch, ((place.epoch, delivered),))
    if delivered == 50:
        pool.tell(events.JobAbandoned, "j1", again.epoch, "answer_complete")
    else:
        pool.accept(again)
        pool.report(again, input_tokens=140, output_tokens=30)

    ends = [each.state for each in of(pool.asked, commands.EndJob) if each.job == "j1"]

    assert (77, delivered) in billed(pool)
    assert [JobState.COMPLETED] == ends
    invariants.check(pool)


@pytest.mark.parametrize("kind", [LIVE, KEPT], ids=["live", "kept"])
def test_its_gateway_may_say_that_it_is_no_use(kind: dict[str, Any]) -> None:
    """Then the job goes on waiting, and a report of that run bills nothing."""
    pool, place = lost(kind, silent=False)
    pool.tell(events.JobAbandoned, "j1", place.epoch, "answer_broken")
    pool.report(place)

    assert [] == billed(pool)
    assert JobState.QUEUED is pool.core.job("j1").state
    invariants.check(pool)


def test_a_start_of_its_gateway_loses_it() -> None:
    """Kept answers that were not stored are gone; those that were are settled."""
    pool, place = lost(KEPT, silent=True)
    pool.tell(events.SchedulerStarted, 2, "gw", ("j1",))
    stored = pool.core.may_complete("n1", "j1", place.epoch)
    pool.tell(events.SchedulerStarted, 3, "gw")

    assert (True, False) == (stored, pool.core.may_complete("n1", "j1", place.epoch))
