"""A co-op's usage by day, key, project, model and node: kept, exact, and for itself alone."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace
from tests.integration.nats_support import NatsPool
from tests.scheduler.driver_support import store_url
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.scheduler.rows import settle_row
from tests.scheduler.test_service import ANSWER, CHAT, live_node
from tests.waiting import eventually

from entraide.cli.app import run_command
from entraide.decoding import decode_json
from entraide.statements import Amounts, Statement, UsageLine, to_csv
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide_scheduler.books import day_starts, make_statement, month_span
from entraide_scheduler.store.rows import SettlementRow
from entraide_scheduler.store.store import Store

TORONTO = ZoneInfo("America/Toronto")
MONTH = "2026-11"  # its first day has 25 hours


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    opened = await Store.open(store_url(tmp_path))
    yield opened
    await opened.close()


def total(lines: tuple[UsageLine, ...]) -> Amounts:
    amounts = Amounts()
    for line in lines:
        amounts = amounts.plus(line.amounts)
    return amounts


def rounded(amounts: Amounts) -> tuple[float, ...]:
    return tuple(round(value, 9) for value in msgspec.structs.astuple(amounts))


def job(random: Random, number: int, at: float) -> SettlementRow:
    borrower, lender = random.choice(("alpha", "beta")), random.choice(("alpha", "beta", "gamma"))
    row = settle_row(f"j{number:03}", borrower=borrower, lender=lender, at=at)
    terms = replace(row.terms, node=f"{lender}-{random.randint(1, 2)}", model=random.choice("pm"))
    return replace(row, terms=terms, key=f"k{random.randint(1, 3)}", project=random.choice("xy"))


async def test_lines_add_up_to_the_totals(store: Store) -> None:
    """Usage sums to what was received and done at home, lent to what was given, for each co-op."""
    random = Random(16)
    start_at, end_at = month_span(MONTH, TORONTO)
    for number in range(300):
        at = random.uniform(start_at - 86_400.0, end_at + 86_400.0)
        await store.write_settlement(job(random, number, at))
    for coop in ("alpha", "beta", "gamma"):
        statement = await make_statement(store, coop, MONTH, zone=TORONTO, now=0.0)
        used = statement.received.plus(statement.own)

        assert rounded(used) == rounded(total(statement.usage))
        assert rounded(statement.given) == rounded(total(statement.lent))
        assert statement.complete
        assert {""} == {line.key + line.project for line in statement.lent} or not statement.lent
        assert coop not in {line.coop for line in statement.lent}


async def test_a_job_counts_on_its_local_day(store: Store) -> None:
    """A day ends at local midnight, also the one with 25 hours."""
    start_at, end_at = month_span(MONTH, TORONTO)
    days = day_starts(start_at, end_at, TORONTO)
    for number, at in enumerate((days[1] - 0.001, days[1], days[2], end_at - 0.001)):
        row = settle_row(f"j{number}", borrower="alpha", lender="beta", at=at)
        await store.write_settlement(replace(row, key="k", project="p"))
    statement = await make_statement(store, "alpha", MONTH, zone=TORONTO, now=0.0)

    assert 30 == len(days)
    assert 25 * 3_600.0 == days[1] - days[0]
    assert ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-30"] == [
        line.day for line in statement.usage
    ]
    assert ("k", "p", "petit", "n1", "beta") == msgspec.structs.astuple(statement.usage[0])[1:6]


def test_csv_defuses_formulas_and_keeps_every_line() -> None:
    """A project that begins like a formula is a text in a spreadsheet, too."""
    line = UsageLine("2026-11-01", "k", '=HYPERLINK("x"),1', "petit", "n1", "beta", Amounts(1, 5))
    amounts = Amounts()
    statement = Statement(
        "alpha", MONTH, "America/Toronto", 0.0, 1.0, amounts, amounts, amounts, usage=(line,)
    )
    (row,) = csv.DictReader(io.StringIO(to_csv(statement)))

    assert ("usage", '\'=HYPERLINK("x"),1', "5") == (row["kind"], row["project"], row["tokens"])


async def ask(pool: RunningScheduler, node: ScriptedNode, key: str) -> None:
    """Has a question answered and its usage reported."""
    done = len(node.received(m.UsageAck))
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=CHAT))
        await eventually(lambda: len(node.runs) > done)
        await node.finish(node.runs[-1], ANSWER)
        assert 200 == (await pending).status
    await eventually(lambda: len(node.received(m.UsageAck)) > done)


async def get(pool: RunningScheduler, key: str, query: str = "", **headers: str) -> Any:
    async with (
        pool.session(key) as session,
        session.get(f"/v1/statement{query}", headers=headers) as answer,
    ):
        return answer.status, await answer.read()


async def three_jobs(pool: RunningScheduler) -> list[admin_pb2.Key]:
    """Has three keys of alpha, in two projects, ask a node of beta one question each."""
    node = await live_node(pool)
    keys = [
        await pool.operator.ask(
            "CreateKey", admin_pb2.CreateKeyRequest(coop="alpha", project=project)
        )
        for project in ("site", "site", "paie")
    ]
    for key in keys:
        await ask(pool, node, key.secret)
    return keys


async def test_a_coop_reads_its_own_statement(tmp_path: Path, bus: NatsPool) -> None:
    """Its keys and projects are told apart, equal the ledger, and outlive a restart."""
    async with running_scheduler(tmp_path, bus) as pool:
        keys = await three_jobs(pool)
        alpha = decode_json((await get(pool, keys[0].secret))[1], type=Statement)
        beta = decode_json((await get(pool, await pool.operator.key("beta")))[1], type=Statement)
        books = await pool.service.parts.store.get_balances()
    async with running_scheduler(tmp_path, bus) as pool:
        after = decode_json((await get(pool, keys[0].secret))[1], type=Statement)

    assert alpha == after
    assert {(key.key, key.project): 1 for key in keys} == {
        (line.key, line.project): line.amounts.jobs for line in alpha.usage
    }
    assert {("n1", "beta", "petit")} == {(x.node, x.coop, x.model) for x in alpha.usage}
    assert -books["alpha"]["tokens"] == alpha.received.tokens == total(alpha.usage).tokens
    assert books["beta"]["tokens"] == beta.given.tokens == total(beta.lent).tokens
    assert round(books["beta"]["energy_uwh"] / 1e6, 9) == round(total(beta.lent).energy_wh, 9)
    assert round(books["beta"]["carbon_ug"] / 1e6, 9) == round(total(beta.lent).direct_gco2e, 9)


async def test_another_coop_reads_only_its_own_side(pool: RunningScheduler) -> None:
    """Another's statement is refused; the lender sees neither keys nor projects of the sender."""
    await three_jobs(pool)
    key = await pool.operator.key("beta")
    named = admin_pb2.Coop(coop="alpha", name="Les Abeilles", shares=1.0)
    await pool.operator.ask("SetCoop", named)
    refusal = await get(pool, key, "?coop=alpha")
    wrong = await get(pool, key, "?month=November")
    table = (await get(pool, key, accept="text/csv"))[1].decode()

    assert (403, "statement_of_another") == (refusal[0], json.loads(refusal[1])["error"]["code"])
    assert "one of the co-op Les Abeilles:" in json.loads(refusal[1])["error"]["message"]
    assert (400, "month") == (wrong[0], json.loads(wrong[1])["error"]["param"])
    assert 401 == (await get(pool, "none"))[0]
    assert [("lent", "", "", "alpha", "3")] == [
        (row["kind"], row["key"], row["project"], row["coop"], row["jobs"])
        for row in csv.DictReader(io.StringIO(table))
    ]


async def test_the_command_reads_it_with_a_members_key(
    pool: RunningScheduler,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The lines are those that the operator gets, as words and as CSV; another's are refused."""
    key, *_ = await three_jobs(pool)
    alpha = decode_json((await get(pool, key.secret))[1], type=Statement)
    request = admin_pb2.GetStatementRequest(coop="alpha")
    operators = await pool.operator.ask("GetStatement", request)
    monkeypatch.setenv("ENTRAIDE_URL", pool.service.parts.gateway.url)
    monkeypatch.setenv("ENTRAIDE_KEY", key.secret)
    monkeypatch.delenv("ENTRAIDE_ADMIN_KEY", raising=False)
    monkeypatch.setattr("entraide.cli.pool_access.default_state", lambda: tmp_path / "none")

    async def run(*arguments: str) -> tuple[int, list[str]]:
        capsys.readouterr()
        status = await asyncio.to_thread(run_command, ["report", *arguments], "en")
        captured = capsys.readouterr()
        return status, (captured.err or captured.out).splitlines()

    as_csv, in_words, of_another = await run("--csv"), await run(), await run("--coop", "beta")
    path = tmp_path / "statement.pdf"
    as_pdf, not_written = await run("--pdf", str(path)), await run("--pdf", str(tmp_path))

    assert [line.amounts.tokens for line in operators.usage] == [
        line.amounts.tokens for line in alpha.usage
    ]
    assert (0, to_csv(alpha).splitlines()) == as_csv
    assert (0, True) == (in_words[0], any("paie" in line for line in in_words[1]))
    assert (0, f"The statement is in {path}.") == (as_pdf[0], as_pdf[1][-1])
    assert path.read_bytes().startswith(b"%PDF-")
    assert (1, True) == (not_written[0], str(tmp_path) in " ".join(not_written[1]))
    assert 1 == of_another[0]
    assert of_another[1][-1].endswith("a co-op reads its own statement only.")
