"""An answer of which the client has a part goes on elsewhere, with the same revision."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core import invariants
from tests.core.builders import Pool, card, excluded, of, place_in, placed, replica, usage

from entraide.types import Basis, JobState, Outcome, Promise, Usage
from entraide.units import uwh_from_joules
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting import DeliveredRun, bill_resumed
from entraide_scheduler.core.carbon import make_resumed_receipt, settle_resumed
from entraide_scheduler.core.policy import Lend
from entraide_scheduler.core.policy.policy import CoopTerms, Period, Quota, QuotaKind, Timing

ABLE = replica(features=("resume",))
OTHER = replica(features=("resume",), revision="sha256:def")


@pytest.fixture
def two(pool: Pool) -> Pool:
    """A pool of two nodes of two co-ops with the same revision."""
    pool.join(node("n1", "beta"), node("n2", "gamma"))
    return pool


def node(name: str, coop: str, served=ABLE, **changes: Any):
    return card(name, coop, replicas=(served,), **changes)


def ask(pool: Pool, job: str = "j1", **changes: Any) -> commands.Place:
    """A resumable job that runs, accepted by its node."""
    place = placed(pool, job, **{"resumable": True, "stream": True, **changes})
    pool.accept(place)
    return place


def leave(pool: Pool, place: commands.Place) -> list[commands.Command]:
    return pool.tell(events.NodeLeft, place.node, "revoked")


def moved(two: Pool) -> tuple[commands.Place, commands.Place]:
    """An answer whose first machine left after 30 tokens: its first and its second placement."""
    first = ask(two)
    two.progress(first, 30)
    leave(two, first)
    return first, two.places()[-1]


def resumed(pool: Pool, place: commands.Place, *delivered: tuple[commands.Place, int]) -> None:
    """The gateway says what the client has of the earlier runs."""
    epochs = tuple((earlier.epoch, tokens) for earlier, tokens in delivered)
    pool.tell(events.AnswerResumed, place.job, place.epoch, epochs)


def settled(pool: Pool) -> commands.SettleResumed:
    (settlement,) = of(pool.asked, commands.SettleResumed)
    return settlement


def ended(pool: Pool) -> commands.EndJob:
    (end,) = of(pool.asked, commands.EndJob)
    return end


# Which runs are continued, and where.


def lost_by_silence(pool: Pool, place: commands.Place) -> None:
    other = "n1" if place.node == "n2" else "n2"
    pool.wait(11.0, seen=(other,))


def lost_by_expiry(pool: Pool, place: commands.Place) -> None:
    pool.wait(13.0, seen=("n1", "n2"))


def failed(code: str):
    def fail(pool: Pool, place: commands.Place) -> None:
        pool.report(place, Outcome.FAILED, code=code, delivered=True, output_tokens=30)

    return fail


def restarted(pool: Pool, place: commands.Place) -> None:
    coop = "beta" if place.node == "n1" else "gamma"
    pool.tell(events.NodeJoined, node(place.node, coop), True, "", boot="b1")
    pool.tell(events.NodeJoined, node(place.node, coop), True, "", boot="b2")


def abandoned(code: str):
    def abandon(pool: Pool, place: commands.Place) -> None:
        pool.tell(events.JobAbandoned, place.job, place.epoch, code)

    return abandon


LOSSES = {
    "node_left": leave,
    "node_lost": lost_by_silence,
    "no_answer": lost_by_expiry,
    "node_restarted": restarted,
    "owner_terms": failed("owner_terms"),
    "engine_failed": failed("engine_failed"),
    "engine_exited": failed("engine_exited"),
    "answer_broken": abandoned("answer_broken"),
    "answer_invalid": abandoned("answer_invalid"),
}


@pytest.mark.parametrize("code", LOSSES)
def test_an_answer_goes_on_at_another_node(two: Pool, code: str) -> None:
    """However the run is lost, its job is placed elsewhere, billed once by both runs."""
    first = ask(two)
    two.progress(first, 30)
    LOSSES[code](two, first)
    second = two.places()[-1]
    two.accept(second)
    resumed(two, second, (first, 32))
    two.report(second, input_tokens=122, output_tokens=20)
    runs = settled(two).runs

    assert second.node != first.node
    assert [(run.terms.node, run.code) for run in runs] == [(first.node, code), (second.node, "")]
    assert [run.usage.output_tokens for run in runs] == [32, 20]
    assert (ended(two).state, ended(two).code) == (JobState.COMPLETED, "")
    invariants.check(two)


def test_the_prompt_is_billed_once_to_the_first_run(two: Pool) -> None:
    """What the second run reads again is in no bill; a lost node's prompt is the second's count."""
    first, second = moved(two)
    resumed(two, second, (first, 30))
    two.report(second, input_tokens=121, output_tokens=20)
    runs = settled(two).runs

    assert [91, 0] == [run.usage.input_tokens for run in runs]
    assert sum(entry.amount for run in runs for entry in run.entries) == 0
    assert -(91 + 30 + 20) == two.core.balances()["alpha"]["tokens"]


def test_another_revision_continues_nothing(pool: Pool) -> None:
    """Where no live node serves the revision, the answer ends at once."""
    pool.join(node("n1", "beta"), node("n2", "gamma", OTHER))
    first = ask(pool)
    pool.progress(first, 5)
    asked = leave(pool, first)

    assert [] == of(asked, commands.Place)
    assert (ended(pool).state, ended(pool).code) == (JobState.FAILED, "stream_broken")
    assert [] == of(pool.asked, commands.Settle)


def test_the_rule_keeps_another_revision_out(pool: Pool) -> None:
    """The explanation of the second placement names it."""
    pool.join(node("n1", "beta"), node("n2", "gamma"), node("n3", "gamma", OTHER))
    pool.tell(events.NodeChanged, "n3", False, "paused", None)
    first = ask(pool)
    pool.tell(events.NodeChanged, "n3", True, "", None)
    pool.progress(first, 5)
    leave(pool, first)

    assert "other_revision" == excluded(pool.places()[-1])["n3"]


def test_an_unknown_revision_continues_nothing(pool: Pool) -> None:
    """The pool cannot tell whether two nodes with unknown weights have the same."""
    unknown = replica(features=("resume",), revision="unknown")
    pool.join(node("n1", "beta", unknown), node("n2", "gamma", unknown))
    first = ask(pool)
    pool.progress(first, 5)
    leave(pool, first)

    assert "stream_broken" == ended(pool).code


def test_a_node_that_cannot_resume_is_not_picked(pool: Pool) -> None:
    """An old agent does not offer the feature."""
    pool.join(node("n1", "beta"))
    first = ask(pool)
    pool.join(node("n2", "gamma", replica()))
    pool.progress(first, 5)
    leave(pool, first)

    assert "stream_broken" == ended(pool).code


def test_the_same_engine_goes_first(pool: Pool) -> None:
    """Another engine continues the answer only if no node with the same engine is free."""
    other = replica(features=("resume",), engine="vllm/1")
    pool.join(node("n1", "beta"))
    first = ask(pool)
    pool.join(node("n2", "alpha", other), node("n3", "gamma", zone="CA-AB"))
    pool.progress(first, 5)
    leave(pool, first)
    second = pool.places()[-1]
    pool.accept(second)
    leave(pool, second)

    assert ["n3", "n2"] == [place.node for place in pool.places()[1:]]


def test_it_waits_at_the_front_for_a_limited_time(pool: Pool) -> None:
    """A full node may take it within ``resume_s``; then the answer ends."""
    pool.join(node("n1", "beta"))
    first = ask(pool)
    pool.join(node("n2", "gamma", replica(features=("resume",), slots=1)))
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    busy = ask(pool, "busy")
    waiting = pool.ask("next", resumable=True, stream=True)
    pool.progress(first, 5)
    asked = leave(pool, first)
    place = place_in(pool.report(busy))

    assert [] == of(waiting, commands.Place) + of(asked, commands.Place)
    assert ("j1", "n2") == (place.job, place.node)


def test_it_ends_where_no_node_takes_it_in_time(pool: Pool) -> None:
    """The time is the policy's."""
    pool.join(node("n1", "beta"))
    first = ask(pool)
    pool.join(node("n2", "gamma", replica(features=("resume",), slots=1)))
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    busy = ask(pool, "busy")
    pool.progress(first, 5)
    leave(pool, first)
    for _ in range(59):
        pool.wait(1.0, seen=("n2",))
        pool.progress(busy, 1)
    before = [end.job for end in of(pool.asked, commands.EndJob)]
    pool.wait(1.0, seen=("n2",))
    end = ended(pool)

    assert [] == before
    assert ("j1", first.epoch, "stream_broken") == (end.job, end.epoch, end.code)


def test_a_run_without_output_begins_again(two: Pool) -> None:
    """It is refunded, may go to any revision, and nothing of it is settled."""
    first = ask(two)
    two.report(first, Outcome.FAILED, code="owner_terms", delivered=False)
    second = two.places()[-1]
    two.report(second)

    assert () == two.core.earlier_runs("j1")
    assert [second.epoch] == [done.terms.epoch for done in of(two.asked, commands.Settle)]


def test_a_run_lost_before_its_first_progress_counts_if_the_client_has_output(two: Pool) -> None:
    """The core knows of output a second late; the gateway tells it what the client has."""
    first = ask(two)
    leave(two, first)
    second = two.places()[-1]
    resumed(two, second, (first, 3))
    two.report(second, input_tokens=93, output_tokens=20)

    assert [3, 20] == [run.usage.output_tokens for run in settled(two).runs]


def test_a_run_of_which_the_client_has_nothing_is_refunded(two: Pool) -> None:
    """The gateway began the answer again; only the second run is settled."""
    first, second = moved(two)
    resumed(two, second, (first, 0))
    two.report(second)
    (done,) = of(two.asked, commands.Settle)

    assert done.terms.epoch == second.epoch
    assert [] == of(two.asked, commands.SettleResumed)
    invariants.check(two)


@pytest.mark.parametrize("changes", [{"resumable": False}, {"stream": False}])
def test_other_answers_are_as_before(two: Pool, changes: dict[str, Any]) -> None:
    """A stream that cannot be resumed ends with its run; an answer in one piece runs again."""
    first = ask(two, **changes)
    two.progress(first, 30)
    two.report(first, Outcome.FAILED, code="engine_failed", delivered=True)

    assert () == two.core.earlier_runs("j1")
    if changes == {"resumable": False}:
        assert "engine_failed" == ended(two).code
    else:
        assert 2 == len(two.places())


def test_a_request_that_ended_an_engine_resumes_alone_or_not_at_all(two: Pool) -> None:
    """A second exit, alone, refuses it; its reported runs are settled as failed."""
    first = ask(two)
    failed("engine_exited")(two, first)
    second = two.places()[-1]
    two.accept(second)
    resumed(two, second, (first, 30))
    reserved = two.core._state.fleet.nodes[second.node].loads["petit"].reserved
    failed("engine_exited")(two, second)

    assert "j1" == reserved
    assert "request_ends_engine" == ended(two).code
    assert JobState.FAILED is settled(two).state


def test_attempts_are_bounded(pool: Pool) -> None:
    """After the policy's number of placements the answer ends."""
    pool.join(*(node(f"n{number}", "beta") for number in range(9)))
    place = ask(pool)
    for _ in range(4):
        pool.progress(place, 5)
        leave(pool, place)
        place = pool.places()[-1]
        if pool.core.job("j1").ended_at:
            break
        pool.accept(place)

    assert "stream_broken" == ended(pool).code
    assert 4 == len(pool.places())


# What is billed.


def test_a_failed_answer_bills_what_its_client_has(two: Pool) -> None:
    """A run that was only estimated is refunded; of one that its node reported, what the gateway
    said just before is billed."""
    first, second = moved(two)
    two.accept(second)
    resumed(two, second, (first, 30))
    two.tell(events.NodeChanged, second.node, False, "owner_terms", None)
    resumed(two, second, (second, 4))
    two.report(second, Outcome.FAILED, code="owner_terms", delivered=True, output_tokens=9)

    assert "stream_broken" == ended(two).code
    (run,) = settled(two).runs
    assert (second.node, 4) == (run.terms.node, run.usage.output_tokens)


def test_a_cancelled_answer_bills_all_its_runs(two: Pool) -> None:
    """Whether it waits or runs when its client leaves."""
    first, second = moved(two)
    two.accept(second)
    resumed(two, second, (first, 30))
    two.tell(events.JobCancelled, "j1", "client_gone")
    two.report(second, Outcome.CANCELLED, output_tokens=4, delivered=True)

    assert [30, 4] == [run.usage.output_tokens for run in settled(two).runs]
    assert JobState.CANCELLED is settled(two).state
    invariants.check(two)


def test_a_cancelled_answer_whose_second_run_did_nothing(two: Pool) -> None:
    """The first is settled, the second refunded."""
    first, second = moved(two)
    resumed(two, second, (first, 30))
    two.tell(events.JobCancelled, "j1", "client_gone")
    two.decline(second, "stale")

    assert [first.epoch] == [run.terms.epoch for run in settled(two).runs]
    invariants.check(two)


def test_quotas_count_the_whole_answer_once() -> None:
    """The tokens of both runs count once, and one request."""
    quotas = (
        Quota(QuotaKind.TOKENS, 1_000, Period.DAY),
        Quota(QuotaKind.REQUESTS, 10, Period.DAY),
        Quota(QuotaKind.ENERGY_WH, 10, Period.DAY),
    )
    pool = Pool(CoopTerms("alpha", quotas=quotas), CoopTerms("beta", lend=Lend(1.0, 5)), "gamma")
    pool.join(node("n1", "beta"), node("n2", "gamma"))
    first = ask(pool)
    pool.progress(first, 30)
    failed("engine_failed")(pool, first)
    second = pool.places()[-1]
    resumed(pool, second, (first, 30))
    pool.report(second, input_tokens=120, output_tokens=20)
    used = {view.kind: view.used for view in pool.core.quota_left("alpha")}

    assert 90 + 30 + 20 == used[QuotaKind.TOKENS]
    assert 1 == used[QuotaKind.REQUESTS]
    assert 2 * 32_000 == used[QuotaKind.ENERGY_WH] * 1_000_000
    invariants.check(pool)


def test_a_false_alarm_is_counted_and_not_billed(two: Pool) -> None:
    """A node that was there after all reports its run: nobody is billed for it twice."""
    first = ask(two)
    two.progress(first, 30)
    lost_by_expiry(two, first)
    second = two.places()[-1]
    two.accept(second)
    two.report(first, output_tokens=99)
    two.report(first, output_tokens=99)
    resumed(two, second, (first, 31))
    two.report(second, input_tokens=121, output_tokens=20)
    drops = [drop.what for drop in of(two.asked, commands.Dropped)]

    assert 1 == drops.count("false_alarm")
    assert [31, 20] == [run.usage.output_tokens for run in settled(two).runs]


def test_a_snapshot_keeps_the_earlier_runs(two: Pool) -> None:
    """A core that is restored in mid-answer settles as the first would have."""
    first, second = moved(two)
    two.core = type(two.core).restore(two.core.snapshot())
    resumed(two, second, (first, 30))
    two.report(second, input_tokens=121, output_tokens=20)

    assert 2 == len(settled(two).runs)
    invariants.check(two)


def test_a_policy_may_forbid_waiting(pool: Pool) -> None:
    """With ``resume_s`` 0 an answer is continued at once or not at all."""
    quick = Pool(timing=Timing(resume_s=0.0))
    quick.join(node("n1", "beta"), node("n2", "gamma"))
    first = ask(quick)
    quick.progress(first, 5)
    leave(quick, first)

    assert 2 == len(quick.places())


# The shared function, and the receipt.

usages = st.builds(
    usage,
    input_tokens=st.integers(0, 500),
    cached_tokens=st.just(0),
    output_tokens=st.integers(0, 300),
    counted=st.sampled_from((Basis.MEASURED, Basis.ESTIMATED)),
    energy_decode_uwh=st.integers(0, 10**6),
)


@given(
    earlier=st.lists(st.builds(DeliveredRun, usages, st.integers(1, 300)), min_size=1, max_size=5),
    last=st.one_of(st.none(), usages),
)
def test_each_token_is_billed_once(earlier: list[DeliveredRun], last: Usage | None) -> None:
    """The prompt is in the first bill only, and every run has the tokens that the client has."""
    billed = bill_resumed(earlier, last)

    assert len(billed) == len(earlier) + (last is not None)
    assert [0] * (len(billed) - 1) == [run.input_tokens for run in billed[1:]]
    assert [run.delivered_tokens for run in earlier] == [
        run.output_tokens for run in billed[: len(earlier)]
    ]
    assert all(
        0 <= run.energy_decode_uwh <= known.usage.energy_decode_uwh
        for run, known in zip(billed, earlier, strict=False)
    )


def test_a_lost_run_bills_no_more_than_its_machine_can(two: Pool) -> None:
    """Tokens that the core did not know of add none to an estimate that is at the lease's limit."""
    two.tell(events.NodeJoined, node("n1", "beta"), True, "", peak_w=1.0)
    two.tell(events.NodeJoined, node("n2", "gamma"), True, "", peak_w=1.0)
    first = ask(two)
    two.progress(first, 30)
    two.now += 2.0
    leave(two, first)
    second = two.places()[-1]
    resumed(two, second, (first, 60))
    two.report(second)
    lost = settled(two).runs[0].usage

    assert (60, uwh_from_joules(1.5 * 1.0 * 2.0)) == (
        lost.output_tokens,
        lost.energy_prefill_uwh + lost.energy_decode_uwh,
    )


def test_the_receipt_names_both_machines_and_sums_them(two: Pool) -> None:
    """Totals of the answer, and a line for each run; the promise is about the first token."""
    first = ask(two)
    failed("owner_terms")(two, first)
    second = two.places()[-1]
    billed = bill_resumed([DeliveredRun(usage(output_tokens=30), 30)], usage(output_tokens=20))
    terms = replace(second.terms, intensity_direct_g_per_kwh=400.0)
    runs = settle_resumed([(first.terms, billed[0], "owner_terms"), (terms, billed[1], "")])
    receipt = make_resumed_receipt(runs, settled=False, issued_at=1.0)

    assert [(first.node, 30, "owner_terms"), (second.node, 20, "")] == [
        (run.node, run.output_tokens, run.ended) for run in receipt.runs
    ]
    assert (90, 50) == (receipt.input_tokens, receipt.output_tokens)
    assert receipt.energy_wh == pytest.approx(sum(run.energy_wh for run in receipt.runs))
    assert receipt.carbon_gco2e == pytest.approx(sum(run.carbon_gco2e for run in receipt.runs))
    assert receipt.carbon_gco2e == pytest.approx(
        receipt.energy_wh * receipt.intensity_g_per_kwh / 1_000, rel=1e-3
    )
    assert Promise.KEPT is receipt.promise
    assert receipt.ttft_ms == pytest.approx(300.0)
