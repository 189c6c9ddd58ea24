"""A co-op's own position: figures equal to the books, promises, the comparison, and why."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace
from tests.contract.samples import POOL_STATE
from tests.scheduler.driver_support import store_url
from tests.scheduler.gateway_support import ask, card, open_pool
from tests.scheduler.pool_support import RunningScheduler
from tests.scheduler.rows import settle_row
from tests.scheduler.test_usage import job, rounded, three_jobs
from tests.waiting import eventually

from entraide.statements import Amounts
from entraide.types import JobClass, Promise
from entraide.v1 import admin_pb2
from entraide_scheduler.books import make_statement, month_span
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.gateway.views import CoopOverview, read_month, totals_only, view_coop
from entraide_scheduler.gateway.views.coop_view import compare
from entraide_scheduler.grid.annual import AnnualAverage, load_annual_averages
from entraide_scheduler.store.breakdown import BreakdownRow
from entraide_scheduler.store.statements import JobTotals
from entraide_scheduler.store.store import Store

TORONTO = ZoneInfo("America/Toronto")
MONTH = "2026-11"
AVERAGES = {"CA-QC": AnnualAverage("CA-QC", 2024, 2.0, 30.0, "a test")}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(store_url(tmp_path))
    yield opened
    await opened.close()


async def view_of(store: Store, coop: str = "alpha") -> CoopOverview:
    month = await read_month(store, coop, MONTH, zone=TORONTO, now=0.0)
    return view_coop(month, POOL_STATE, AVERAGES, lang="en")


async def settle(
    store: Store, name: str, *, promise: Promise | None = None, **changes: Any
) -> None:
    """Settles a job of alpha on a machine of beta in the month, with other terms if said."""
    row = settle_row(name, at=month_span(MONTH, TORONTO)[0] + 100.0)
    settlement = replace(row.settlement, promise=promise or row.settlement.promise)
    terms = replace(row.terms, **changes)
    await store.write_settlement(replace(row, terms=terms, settlement=settlement))


def sum_of(amounts: list[Amounts]) -> Amounts:
    total = Amounts()
    for each in amounts:
        total = total.plus(each)
    return total


async def test_machines_add_up_to_the_statement(store: Store) -> None:
    """For each co-op, what its machines gave and did at home is what the statement says."""
    random = Random(18)
    start_at, end_at = month_span(MONTH, TORONTO)
    for number in range(300):
        at = random.uniform(start_at - 86_400.0, end_at + 86_400.0)
        await store.write_settlement(job(random, number, at))
    for coop in ("alpha", "beta", "gamma"):
        statement = await make_statement(store, coop, MONTH, zone=TORONTO, now=0.0)
        view = await view_of(store, coop)

        assert (statement.given, statement.received, statement.own) == (
            view.given, view.received, view.own,
        )  # fmt: skip
        assert rounded(statement.given) == rounded(sum_of([each.given for each in view.machines]))
        assert rounded(statement.own) == rounded(sum_of([each.own for each in view.machines]))
        used = statement.own.plus(statement.received)
        compared_wh = sum(each.energy_wh for each in view.comparison.provinces)
        assert round(used.energy_wh, 9) == round(compared_wh, 9)
        assert used.jobs == sum(each.kept + each.missed + each.unpromised for each in view.promises)


async def test_grams_are_set_against_the_average_of_each_province(store: Store) -> None:
    """0.032 Wh at 1 g/kWh, against 2 g/kWh in Québec; a zone without an average is not summed."""
    await settle(store, "j1")
    await settle(store, "j2", zone="XX-1")
    comparison = (await view_of(store)).comparison
    quebec, other = comparison.provinces

    assert (0.000032, 0.000064) == (quebec.direct_gco2e, quebec.average_gco2e)
    assert ("Quebec", 2.0, 2024, "a test") == (
        quebec.name, quebec.average_g_per_kwh, quebec.year, quebec.source,
    )  # fmt: skip
    assert (None, None, "") == (other.average_gco2e, other.average_g_per_kwh, other.source)
    assert (0.000032, 0.000064, 0.000032) == (
        comparison.direct_gco2e, comparison.average_gco2e, comparison.saved_gco2e,
    )  # fmt: skip


@pytest.mark.parametrize(("lang", "words"), [("fr", "facteurs d’émission"), ("en", "factors")])
def test_the_source_of_each_shipped_average_is_said_in_both_languages(
    lang: str, words: str
) -> None:
    """The page of a co-op names the source in the reader's language, whichever the province."""
    averages = load_annual_averages()
    rows = [
        BreakdownRow("alpha", "beta", zone, "batch", "kept", "", "", "", JobTotals())
        for zone in averages
    ]
    sources = {each.zone: each.source for each in compare(rows, averages, lang).provinces}

    assert averages.keys() == sources.keys()
    assert [] == [zone for zone, source in sources.items() if words not in source]


async def test_promises_are_counted_by_class(store: Store) -> None:
    """Kept and missed jobs give the share; jobs without a promise stand apart."""
    for number, promise in enumerate(("kept", "kept", "kept", "missed", "none")):
        await settle(store, f"j{number}", promise=Promise(promise))
    await settle(store, "batch", promise=Promise.NONE, job_class=JobClass.BATCH)
    promises = (await view_of(store)).promises

    assert [("interactive", "interactive", 3, 1, 1, 0.75), ("batch", "batch", 0, 0, 1, None)] == [
        msgspec.structs.astuple(each) for each in promises
    ]


@pytest.mark.parametrize(
    ("lang", "credit", "sentence"),
    [
        ("en", 0.125, "Its weight is 1.12: one share by the policy, raised by 12.5% of credit."),
        (
            "fr",
            0.125,
            "Son poids est de 1,12\u00a0: une part selon la politique, avec un crédit de 12,5",
        ),
        ("en", 0.0, "Its machines have done nothing for others lately, so it has no credit."),
        ("fr", 0.25, "le plus grand crédit, 25\u00a0%"),
    ],
)
async def test_weight_is_explained(store: Store, lang: str, credit: float, sentence: str) -> None:
    """Shares, credit and what a gift is worth are said in both languages."""
    assert POOL_STATE.coop is not None
    position = replace(POOL_STATE.coop, credit=credit, weight=1.12)
    month = await read_month(store, "alpha", MONTH, zone=TORONTO, now=0.0)
    share = view_coop(month, replace(POOL_STATE, coop=position), AVERAGES, lang=lang).fair_share

    assert share is not None
    assert 3 == len(share.why)
    assert sentence in " ".join(share.why)


async def test_a_person_sees_the_totals_and_nothing_of_one_colleague(store: Store) -> None:
    """Month, grams, promises and weight are the co-op's; no project, key or machine is named."""
    await settle(store, "j1")
    await store.write_settlement(
        settle_row("lent", borrower="beta", lender="alpha", at=month_span(MONTH, TORONTO)[0] + 9.0)
    )
    assert POOL_STATE.coop is not None
    of_one = POOL_STATE.coop.quotas[0]
    quotas = (of_one, replace(of_one, key=""), replace(of_one, key="", project=""))
    state = replace(POOL_STATE, coop=replace(POOL_STATE.coop, quotas=quotas))
    month = await read_month(store, "alpha", MONTH, zone=TORONTO, now=0.0)
    whole = view_coop(month, state, AVERAGES, lang="en")
    view = totals_only(whole)

    assert (3, 1) == (len(whole.quotas), len(whole.machines))
    assert [("", "")] == [(quota.project, quota.key) for quota in view.quotas]
    assert () == view.machines
    assert whole == replace(view, quotas=whole.quotas, machines=whole.machines)


async def test_coop_that_left_still_has_its_books(store: Store) -> None:
    """Without a place in the policy there are no quotas and no weight, but the month is there."""
    await settle(store, "j1")
    month = await read_month(store, "alpha", MONTH, zone=TORONTO, now=0.0)
    view = view_coop(month, replace(POOL_STATE, coop=None), AVERAGES, lang="fr")

    assert ((), None, 1) == (view.quotas, view.fair_share, view.received.jobs)


async def test_coop_reads_its_quotas_and_its_machines(tmp_path: Path) -> None:
    """Use stands against each quota, with its next start; its own machines have their state."""
    quotas = (Quota(QuotaKind.TOKENS, 1_000, Period.DAY), Quota(QuotaKind.JOBS_IN_FLIGHT, 50))
    joined = (card("n1"), replace(card("n2", "CA-ON"), coop="alpha"))
    async with open_pool(tmp_path, quotas=quotas, joined=joined) as pool:
        ends_at = time.time() + 3_600.0
        pool.driver.feed(e.PeriodBegan(*e.UNNUMBERED, period=Period.DAY, ends_at=ends_at))
        pending = asyncio.ensure_future(pool.send(ask()).__aenter__())
        (await pool.placed()).finish()
        await pending
        await eventually(lambda: pool.driver.counts["settled"])
        status, view = await pool.call("GET", "/v1/coop?lang=en")
        wrong = await pool.call("GET", "/v1/coop?month=November")
    by_kind = {quota["kind"]: quota for quota in view["quotas"]}

    assert 200 == status
    # Of 14 tokens 2 were read before, and count a tenth each; a part of a token counts whole.
    assert ("tokens per day", 1_000, 13, ends_at) == tuple(
        by_kind["tokens"][name] for name in ("name", "limit", "used", "starts_again_at")
    )
    assert ("jobs in flight", None) == (
        by_kind["jobs_in_flight"]["name"],
        by_kind["jobs_in_flight"]["starts_again_at"],
    )
    assert ["n2"] == [machine["node"] for machine in view["machines"]]
    assert "Ready for work: its 4 slots are free." == view["machines"][0]["now"]["sentence"]
    assert (400, "month") == (wrong[0], wrong[1]["error"]["param"])


async def test_figures_equal_the_operators_statement(pool: RunningScheduler) -> None:
    """What a co-op reads of its month is what Admin's GetStatement says, and the ledger."""
    keys = await three_jobs(pool)
    views = {}
    for coop, key in (("alpha", keys[0].secret), ("beta", await pool.operator.key("beta"))):
        async with pool.session(key) as session, session.get("/v1/coop") as answer:
            views[coop] = json.loads(await answer.read())
    books = await pool.service.parts.store.get_balances()
    for coop, view in views.items():
        request = admin_pb2.GetStatementRequest(coop=coop)
        statement = await pool.operator.ask("GetStatement", request)
        for part in ("given", "received", "own"):
            amounts = getattr(statement, part)

            assert view[part] == {
                name: getattr(amounts, name) for name in Amounts.__struct_fields__
            }
        assert view["balance"]["tokens"] == books[coop]["tokens"]
    machines = [(each["node"], each["given"]["jobs"]) for each in views["beta"]["machines"]]
    assert [("n1", 3)] == machines
    assert views["beta"]["fair_share"]["credit"] > 0.0
