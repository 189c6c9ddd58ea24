"""A report is believed within its lease only, and nothing that is accepted can overflow."""

from typing import Any

import pytest
from tests.core.builders import MODEL, Pool, card, catalogue, entry, of, placed, usage

from entraide.types import Basis, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting import (
    ENERGY,
    ENERGY_MAX_UWH,
    INPUT,
    OUTPUT,
    TOTAL_MAX,
    Ledger,
    UsageEstimate,
    UsageGrant,
    energy_limit_uwh,
    limit_usage,
)
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind

GRANT = UsageGrant(input_tokens=150, output_tokens=100, energy_uwh=40_000)


@pytest.mark.parametrize(
    ("changes", "estimate", "expected", "codes"),
    [
        ({}, UsageEstimate(), (90, 0, 50, 32_000), ()),
        ({"output_tokens": 10**15}, UsageEstimate(), (90, 0, 100, 32_000), (OUTPUT,)),
        ({"output_tokens": 101}, UsageEstimate(100, 7), (90, 0, 7, 32_000), (OUTPUT,)),
        ({"output_tokens": 101}, UsageEstimate(100, 500), (90, 0, 100, 32_000), (OUTPUT,)),
        ({"input_tokens": 10**9}, UsageEstimate(100), (100, 0, 50, 32_000), (INPUT,)),
        (
            {"input_tokens": 10**9, "cached_tokens": 10**8},
            UsageEstimate(100), (100, 100, 50, 32_000), (INPUT,),
        ),
        ({"energy_decode_uwh": 10**12}, UsageEstimate(), (90, 0, 50, 40_000), (ENERGY,)),
    ],
    ids=["within", "output", "by bytes", "least", "input", "cached", "energy"],
)  # fmt: skip
def test_report_is_billed_by_the_least(
    changes: dict[str, Any],
    estimate: UsageEstimate,
    expected: tuple[int, ...],
    codes: tuple[str, ...],
) -> None:
    """Beyond the grant the least of grant, report and the pool's own estimate is billed."""
    billed, said = limit_usage(usage(**changes), GRANT, estimate)
    energy_uwh = billed.energy_prefill_uwh + billed.energy_decode_uwh

    assert expected == (
        billed.input_tokens, billed.cached_tokens, billed.output_tokens, energy_uwh,
    )  # fmt: skip
    assert codes == said
    assert (OUTPUT in codes or INPUT in codes) == (billed.counted is Basis.ESTIMATED)


def test_energy_is_bounded_by_the_catalogue_and_our_clock() -> None:
    """1.5 times the peak over the time: 100 W for 36 s are 1 Wh, so 1.5 Wh; unknown: 1 MWh."""
    assert 1_500_000 == energy_limit_uwh(100.0, 36.0)
    assert 0 == energy_limit_uwh(100.0, -1.0)
    assert ENERGY_MAX_UWH == energy_limit_uwh(0.0, 1.0)
    assert ENERGY_MAX_UWH == energy_limit_uwh(1e9, 1e9)


def lent(*coops: str | CoopTerms, peak_w: float = 65.0) -> Pool:
    """A pool whose one node is beta's."""
    pool = Pool(*(coops or ("alpha", "beta")))
    pool.tell(events.NodeJoined, card("n1", "beta"), True, "", "all", "", peak_w)
    return pool


def marks(pool: Pool) -> dict[str, int]:
    (node,) = pool.core.nodes()
    return node.marks


def test_report_beyond_the_lease_ends_the_job_well_and_marks_the_node() -> None:
    """The client's job is completed, the bill is bounded, the node is marked and learns us
    nothing."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.now += 2.0
    huge = {"input_tokens": 2**53, "output_tokens": 2**53, "energy_decode_uwh": 2**53}
    asked = pool.report(place, **huge)
    (settle,) = of(asked, commands.Settle)
    (end,) = of(asked, commands.EndJob)

    assert "completed" == end.state
    assert (100, 100) == (settle.usage.input_tokens, settle.usage.output_tokens)
    assert settle.settlement.energy_uwh == energy_limit_uwh(65.0, 2.0)
    assert {INPUT: 1, OUTPUT: 1, ENERGY: 1} == marks(pool)
    assert 3 == len(of(asked, commands.NodeMarked))


@pytest.mark.parametrize(("model", "granted"), [(MODEL, 520), ("another", 100)])
def test_a_template_that_shows_much_is_within_the_lease(model: str, granted: int) -> None:
    """A lease has the prompt's bound and what the pinned template adds beyond a usual one."""
    pool = lent()
    pool.tell(events.CatalogueChanged, catalogue(entry(model, template_tokens=500)))
    billed, marked = [], []
    for job, input_tokens in (("j1", granted), ("j2", granted + 1)):
        (place,) = of(pool.ask(job, input_tokens_max=100), commands.Place)
        asked = pool.report(place, input_tokens=input_tokens)
        (settle,) = of(asked, commands.Settle)
        billed.append(settle.usage.input_tokens)
        marked.append(marks(pool).get(INPUT, 0))

    assert [granted, 100] == billed
    assert [0, 1] == marked


def test_energy_is_bounded_from_the_placement_on() -> None:
    """The time for which a job waited before its run gives the run no more energy."""
    pool = lent()
    slots = pool.core._state.fleet.nodes["n1"].replicas["petit"].slots
    running = [placed(pool, f"r{number}", "alpha") for number in range(slots)]
    pool.ask("waited", "alpha")
    pool.wait(4.0, seen=("n1",))
    (place,) = of(pool.report(running[0]), commands.Place)
    pool.now += 2.0
    (settle,) = of(pool.report(place, energy_decode_uwh=2**53), commands.Settle)

    assert "waited" == place.job
    assert energy_limit_uwh(65.0, 2.0) == settle.settlement.energy_uwh


def test_marks_survive_hellos_and_restarts() -> None:
    """What was counted against a node stays with it."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.now += 2.0
    pool.report(place, output_tokens=10**6)
    pool.tell(events.NodeJoined, card("n1", "beta"), True, "")
    again = Core.restore(pool.core.snapshot())

    assert [{OUTPUT: 1}] == [node.marks for node in again.nodes()]


def test_gateway_that_got_too_much_ends_the_job_by_its_own_estimate() -> None:
    """The job is completed, billed by what the gateway counted; the later report is not used."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.now += 2.0
    asked = pool.tell(events.RunExceeded, place.job, place.epoch, "n1", "stream_bytes", 8)
    later = pool.report(place, output_tokens=100)
    (settle,) = of(asked, commands.Settle)

    assert ("completed", 8) == (settle.state, settle.usage.output_tokens)
    assert 1 == len(of(asked, commands.CancelRun))
    assert [] == of(later, commands.Settle)
    assert 1 == len(of(later, commands.AckUsage))
    assert {"stream_bytes": 1} == marks(pool)


def test_unknown_reason_or_run_marks_nobody() -> None:
    """Only the reasons that are known count, and only against the node that holds the run."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.tell(events.RunExceeded, place.job, place.epoch + 1, "n1", "stream_bytes", 8)
    pool.tell(events.RunExceeded, place.job, place.epoch, "n1", "anything", 8)

    assert {} == marks(pool)


def test_invalid_answer_runs_again_elsewhere_and_marks_its_node() -> None:
    """An answer that no client can be given makes the job run on another node."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.join(card("n2", "beta"))
    asked = pool.tell(events.JobAbandoned, place.job, place.epoch, "answer_invalid")
    (again,) = of(asked, commands.Place)

    assert ("n1", "n2") == (place.node, again.node)
    assert {"answer_invalid": 1} == pool.core.nodes()[0].marks


@pytest.mark.parametrize(
    ("outcome", "delivered", "state"),
    [(Outcome.COMPLETED, False, "completed"), (Outcome.FAILED, True, "failed")],
)
def test_tokens_that_were_shown_are_not_taken_back(
    outcome: Outcome, state: str, *, delivered: bool
) -> None:
    """A last report of fewer output tokens than progress had shown is billed by what was shown.

    A node's count while a run lasts is over all choices and never falls, each retry is a run of its
    own, and text that an engine withdraws was never counted. One honest case is left: an engine
    that tells no count while it runs is counted by its events, of which it may send several for a
    token. Its report is a few tokens less, so that marks nobody; the count becomes an estimate.
    """
    pool = lent()
    (place,) = pool.ask("j1", "alpha", stream=True)
    pool.accept(place)
    pool.progress(place, 60)
    charged = pool.core._state.counters.coops["alpha"].committed
    pool.now += 2.0
    asked = pool.report(place, outcome, delivered=delivered, output_tokens=10)
    (settle,) = of(asked, commands.Settle)
    line = pool.core._state.counters.coops["alpha"]

    assert (state, 60) == (settle.state, settle.usage.output_tokens)
    assert settle.usage.counted is Basis.ESTIMATED
    assert line.committed == settle.usage.input_tokens + 2.0 * 60 <= charged
    assert {} == marks(pool)


def test_what_was_shown_counts_within_the_grant_only() -> None:
    """Progress beyond the grant is cut to it before it counts for anything."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.accept(place)
    pool.progress(place, 10**6)
    pool.now += 2.0
    (settle,) = of(pool.report(place, output_tokens=10), commands.Settle)

    assert 100 == settle.usage.output_tokens


def test_a_cancelled_run_is_billed_what_it_had_shown() -> None:
    """A report that comes after its job was cancelled takes nothing back either."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.accept(place)
    pool.progress(place, 60)
    pool.tell(events.JobCancelled, "j1", "client_gone")
    asked = pool.report(place, Outcome.CANCELLED, input_tokens=0, cached_tokens=0, output_tokens=0)
    (settle,) = of(asked, commands.Settle)

    assert 60 == settle.usage.output_tokens


EXTREMES = (2**53, 2**63 - 1, 2**64 - 1)


@pytest.mark.parametrize("amount", EXTREMES)
@pytest.mark.parametrize("peak_w", [0.0, 65.0, 1e9])
def test_no_report_makes_a_snapshot_fail(amount: int, peak_w: float) -> None:
    """However much is reported, however often, the core can be written, read and restarted."""
    quotas = tuple(
        Quota(kind, 10**9, Period.MONTH) for kind in (QuotaKind.ENERGY_WH, QuotaKind.CARBON_G)
    )
    pool = lent(
        CoopTerms("alpha", quotas=quotas), CoopTerms("beta", lend=Lend(1.0, 10**9)), peak_w=peak_w
    )
    for number in range(50):
        placed = of(pool.ask(f"j{number}", "alpha"), commands.Place)
        pool.now += 2.0
        assert placed or number
        for place in placed:
            pool.report(
                place, input_tokens=amount, cached_tokens=amount, output_tokens=amount,
                energy_prefill_uwh=amount, energy_decode_uwh=amount, ttft_s=1e300, run_s=1e300,
            )  # fmt: skip
        pool.tell(events.NodeJoined, card("n1", "beta"), True, "", "all", "", peak_w)
        Core.restore(pool.core.snapshot())
    balances = pool.core.balances()

    assert 0 == sum(amounts["energy_uwh"] for amounts in balances.values())


def line(amount: int) -> tuple[Entry, ...]:
    return Entry("beta", "tokens", amount), Entry("alpha", "tokens", -amount)


def test_balance_stops_at_its_limit_and_still_sums_to_zero() -> None:
    """What would take a balance beyond the limit is cut on both sides alike."""
    ledger = Ledger()
    for _ in range(5):
        ledger.book(line(TOTAL_MAX // 2))
    full = ledger.balances["beta"]["tokens"], ledger.balances["alpha"]["tokens"]
    for _ in range(9):
        ledger.book(line(-(TOTAL_MAX // 2)))

    assert (TOTAL_MAX, -TOTAL_MAX) == full
    assert (-TOTAL_MAX, TOTAL_MAX) == (
        ledger.balances["beta"]["tokens"],
        ledger.balances["alpha"]["tokens"],
    )


def test_own_work_is_never_cut() -> None:
    """A co-op that used its own machine stands on both sides, so nothing can overflow."""
    lines = (Entry("beta", "tokens", 2**60), Entry("beta", "tokens", -(2**60)))

    assert lines == Ledger().book(lines)


def test_nonsense_is_estimated() -> None:
    """A report that is no report at all is settled by the pool's own estimate."""
    pool = lent()
    (place,) = pool.ask("j1", "alpha")
    pool.now += 2.0
    asked = pool.report(place, Outcome.COMPLETED, output_tokens=-1, ttft_s=float("nan"))
    (settle,) = of(asked, commands.Settle)

    assert (100, 0, Basis.ESTIMATED) == (
        settle.usage.input_tokens, settle.usage.output_tokens, settle.usage.counted,
    )  # fmt: skip
