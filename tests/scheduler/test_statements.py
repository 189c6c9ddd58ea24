"""Statements and corrections: over all co-ops, the sum given equals the sum received."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from tests.scheduler.driver_support import store_url
from tests.scheduler.rows import settle_row

from entraide_scheduler.books import month_span
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.store.rows import CorrectionRow
from entraide_scheduler.store.statements import CoopExchange, JobTotals, StatementCorrection
from entraide_scheduler.store.store import Store

COOPS = ("alpha", "beta", "gamma")
TORONTO = ZoneInfo("America/Toronto")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    made = await Store.open(store_url(tmp_path))
    yield made
    await made.close()


def correction(name: str, *, at: float = 110.0, tokens: int = 9) -> CorrectionRow:
    """A correction: beta gave alpha more tokens than the books say."""
    entries = (Entry("beta", "tokens", tokens), Entry("alpha", "tokens", -tokens))
    return CorrectionRow(name, "a wrong meter", at, entries)


async def test_a_statement_sorts_given_received_and_own(store: Store) -> None:
    """Each job stands where its lender and its borrower put it, emissions on both bases."""
    store.write_settlement(settle_row("j1", borrower="alpha", lender="beta"))
    store.write_settlement(settle_row("j2", borrower="alpha", lender="beta"))
    store.write_settlement(settle_row("j3", borrower="beta", lender="alpha", output_tokens=10))
    store.write_settlement(settle_row("j4", borrower="alpha", lender="alpha"))
    await store.write_settlement(settle_row("j5", borrower="beta", lender="gamma"))
    statement = await store.get_statement("alpha", start_at=0.0, end_at=1e9)
    item = JobTotals(1, 140, 32_000, 32, 960)
    given = JobTotals(1, 100, 32_000, 32, 960)

    assert (given, JobTotals(2, 280, 64_000, 64, 1_920), item) == (
        statement.given,
        statement.received,
        statement.own,
    )
    assert (CoopExchange("beta", given, statement.received),) == statement.others


async def test_over_all_coops_what_was_given_was_received(store: Store) -> None:
    """Jobs at random between three co-ops: the sums are equal in each unit, corrections zero."""
    luck = Random(7)
    for number in range(200):
        borrower, lender = luck.choice(COOPS), luck.choice(COOPS)
        used = {"output_tokens": luck.randint(0, 999), "energy_decode_uwh": luck.randint(0, 10**6)}
        store.write_settlement(settle_row(f"j{number}", borrower=borrower, lender=lender, **used))
    await store.write_correction(correction("c1"))
    statements = [await store.get_statement(coop, start_at=0.0, end_at=1e9) for coop in COOPS]

    for unit in JobTotals.__struct_fields__:
        given = sum(getattr(item.given, unit) for item in statements)
        assert given == sum(getattr(item.received, unit) for item in statements) > 0
    assert 200 == sum(item.given.jobs + item.own.jobs for item in statements)
    assert 0 == sum(line.tokens for item in statements for line in item.corrections)


async def test_a_month_has_its_own_jobs_and_corrections(store: Store) -> None:
    """What came before the month, or at the first instant of the next, is another month's."""
    start_at, end_at = month_span("2026-11", TORONTO)
    for number, at in enumerate((start_at - 1.0, start_at, end_at - 1.0, end_at)):
        store.write_settlement(settle_row(f"j{number}", at=at))
        await store.write_correction(correction(f"c{number}", at=at))
    statement = await store.get_statement("beta", start_at=start_at, end_at=end_at)

    assert (2, 0) == (statement.given.jobs, statement.received.jobs)
    assert ["c1", "c2"] == [item.correction for item in statement.corrections]


async def test_a_coop_that_did_nothing_has_a_statement(store: Store) -> None:
    """Zeros, and nobody else in it."""
    statement = await store.get_statement("gamma", start_at=0.0, end_at=1e9)

    assert (JobTotals(), JobTotals(), JobTotals(), (), ()) == (
        statement.given,
        statement.received,
        statement.own,
        statement.others,
        statement.corrections,
    )


async def test_a_correction_is_written_once(store: Store) -> None:
    """The second time changes nothing, not even with other amounts; balances count it once."""
    first = await store.write_correction(correction("c1"))
    again = await store.write_correction(correction("c1", tokens=5_000))
    balances = await store.get_balances()
    statement = await store.get_statement("alpha", start_at=0.0, end_at=1e9)

    assert (True, False, True, False) == (
        first,
        again,
        await store.is_corrected("c1"),
        await store.is_corrected("c2"),
    )
    assert {"alpha": {"tokens": -9}, "beta": {"tokens": 9}} == balances
    assert (
        StatementCorrection("c1", "a wrong meter", 110.0, "beta", -9, 0, 0),
    ) == statement.corrections


@pytest.mark.parametrize(
    ("month", "begin", "end"),
    [
        ("2026-11", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("2026-12", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_a_month_lasts_from_midnight_to_midnight(month: str, begin: str, end: str) -> None:
    """On the wall of the pool's zone, also when the clocks change within it."""
    span = tuple(
        dt.datetime.fromtimestamp(at, TORONTO).isoformat()[:19] for at in month_span(month, TORONTO)
    )

    assert (begin, end) == span


@pytest.mark.parametrize("month", ["", "November", "2026-13", "2026"])
def test_a_month_is_written_in_one_way(month: str) -> None:
    """Anything else is no month."""
    with pytest.raises(ValueError, match=r"does not match|unconverted|month"):
        month_span(month, TORONTO)
