"""Months are closed: the store keeps their sums, the file their jobs, and no figure changes."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text
from structlog.testing import capture_logs
from tests.scheduler.closing_support import TORONTO, Export, export_here, make_closer
from tests.scheduler.rows import kept_row, settle_row

from entraide.closed_months import (
    ClosedCorrection,
    ClosedJob,
    MonthDefect,
    open_month,
    verify_month,
)
from entraide.receipts import Verdict
from entraide_scheduler.books import MonthCloser, make_statement, month_span
from entraide_scheduler.books import closing as closing_module
from entraide_scheduler.books.month_export import MonthWish, export_month
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.gateway import ReceiptSigner
from entraide_scheduler.nats.receipt_keys import rotate_receipt_key
from entraide_scheduler.person_export import export_person
from entraide_scheduler.store import closed_months, erasures, trusted_time
from entraide_scheduler.store.closed_files import ClosedFiles, find_file
from entraide_scheduler.store.members import number_node
from entraide_scheduler.store.people import add_person
from entraide_scheduler.store.person_rows import PersonRow
from entraide_scheduler.store.rows import CorrectionRow, EarlierSettlement, NodeRow, SettlementRow
from entraide_scheduler.store.schema import entries, settled
from entraide_scheduler.store.store import Store

MONTH, NEXT = "2026-11", "2026-12"
START, END = month_span(MONTH, TORONTO)
DAY_S = 86_400.0
COOPS = ("alpha", "beta", "gamma")
PERSON = "person-0123456789ab"
JOB = "job-00000000000a"
NODE_KEY = "UBLG5YDTFBDFMNG35MOFIJLJIQPV2C5M3MMHBQMLHOEM3XEKSSZJKV2T"


def closer(
    store: Store, home: Path, *, days: float = 6.0, export: Export = export_here
) -> MonthCloser:
    """What closes the months of a store, so many days after the end of ``MONTH``."""
    return make_closer(store, home, END + days * DAY_S, export)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are deleted without a pause, a few at a time."""
    monkeypatch.setattr(closing_module, "PAUSE_S", 0.0)
    monkeypatch.setattr(closing_module, "JOBS_AT_ONCE", 7)
    monkeypatch.setattr(closing_module, "SUMS_AT_ONCE", 3)


def row(number: int, at: float, **changes: Any) -> SettlementRow:
    """A job of one of the co-ops on a machine of one of them."""
    lender = COOPS[number % 3]
    made = settle_row(
        f"job-{number:012x}", borrower=COOPS[number % 2], lender=lender, at=at,
        output_tokens=number + 1,
    )  # fmt: skip
    key = (f"key-{number % 2:012x}", PERSON)[number % 5 == 0]
    return replace(made, **{"key": key, "project": "p", **changes})


async def fill(store: Store, jobs: int = 40) -> None:
    """A month of jobs, one of them resumed, some before and after it, and a correction."""
    await store.write(partial(put_node_row, name="n1"))
    for number in range(jobs):
        made = row(number, START + number * (END - START) / jobs)
        if number == 7:
            run = EarlierSettlement(made.terms, made.usage, made.settlement, made.entries)
            made = replace(made, earlier=(run,))
        store.write_settlement(made)
    store.write_settlement(row(1_000, END))
    lines = (Entry("beta", "tokens", 9), Entry("alpha", "tokens", -9))
    await store.write_correction(CorrectionRow("c1", "un compteur de Marie", START + 1.0, lines))


def put_node_row(connection: Any, name: str) -> None:
    from entraide_scheduler.store.members import put_node

    node = NodeRow(name, "beta", "home", "CA-QC", NODE_KEY, "approved", 0.0, 0.0)
    put_node(connection, node)


def files_of(store: Store, home: Path) -> ClosedFiles:
    """Lets a store read its closed months."""
    store.closed = ClosedFiles(home, ReceiptSigner.load(home).keys)
    return store.closed


async def read_all(store: Store, months: tuple[str, ...] = (MONTH, NEXT)) -> list[Any]:
    """Everything that is summed from the books, for each co-op and month."""
    figures: list[Any] = [await store.get_balances(), await store.count_settled()]
    for month in months:
        start_at, end_at = month_span(month, TORONTO)
        for coop in COOPS:
            statement = await make_statement(store, coop, month, zone=TORONTO, now=0.0)
            figures.append(replace(statement, closed_at=0.0, root=""))
            figures.append(await store.get_breakdown(coop, start_at=start_at, end_at=end_at))
            figures.append(await store.get_machine_totals(coop, start_at=start_at, end_at=end_at))
    return figures


async def count(store: Store, table: Any) -> int:
    return len(await store.read(lambda c: c.execute(select(*table.primary_key.columns)).all()))


async def test_a_closed_month_reads_as_before(store: Store, tmp_path: Path) -> None:
    """Statements, breakdowns, balances and receipts are the same, although the rows are gone."""
    await fill(store)
    files_of(store, tmp_path)
    before = await read_all(store)
    receipt = await store.get_receipt(JOB)
    closed = await closer(store, tmp_path).run_once()

    assert (MONTH,) == closed
    assert before == await read_all(store)
    assert receipt == await store.get_receipt(JOB)
    assert 1 == await count(store, settled)
    assert {"job-0000000003e8", "correction/c1"} == set(
        await store.read(lambda c: c.execute(select(entries.c.job)).scalars())
    )
    assert None is await store.get_receipt("job-00000000ffff")
    assert () == await closer(store, tmp_path).run_once()


async def test_the_file_verifies_with_the_published_keys(store: Store, tmp_path: Path) -> None:
    """It has each job and correction with its lines, and the sums; also after the key changed."""
    await fill(store)
    signer = ReceiptSigner.load(tmp_path)
    await closer(store, tmp_path).run_once()
    rotate_receipt_key(tmp_path, now=END + 7 * DAY_S)
    keys = ReceiptSigner.load(tmp_path).keys
    with find_file(tmp_path, MONTH).open("rb") as file:
        verified = verify_month(file, keys)
        month = open_month(io_begin(file))
        figures = month.find(JOB), month.find("correction/c1"), month.find("job-000000000007")
    files_of(store, tmp_path)
    receipt = await store.get_receipt(JOB)

    assert (Verdict.GENUINE, 40) == (verified.verdict, verified.head.jobs)
    assert signer.public_key.id == verified.key.id
    assert verified.key.until
    assert isinstance(figures[0], ClosedJob)
    assert isinstance(figures[1], ClosedCorrection)
    assert 2 == len(figures[2].runs)
    assert receipt is not None


def io_begin(file: Any) -> Any:
    file.seek(0)
    return file


async def test_a_tampered_file_gives_no_receipt(store: Store, tmp_path: Path) -> None:
    """The pool would sign a receipt that somebody wrote into the file: it refuses, and says so."""
    await fill(store)
    files_of(store, tmp_path)
    await closer(store, tmp_path).run_once()
    path = find_file(tmp_path, MONTH)
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    with capture_logs() as logs:
        altered = await store.get_receipt(JOB)
        path.unlink()
        missing = await store.get_receipt(JOB)

    assert (None, None) == (altered, missing)
    assert ["books.month_unreadable"] * 2 == [line["event"] for line in logs]


async def test_a_file_of_another_key_gives_no_receipt(store: Store, tmp_path: Path) -> None:
    """A whole file, signed, and of the same jobs, is not this pool's."""
    await fill(store)
    files_of(store, tmp_path)
    await closer(store, tmp_path).run_once()
    other = tmp_path / "other"
    other.mkdir()
    months = await store.read(closed_months.list_months)
    url = store._writing.url.render_as_string(hide_password=False)
    wish = MonthWish(url, str(other), "Parc", MONTH, "UTC", START, END, END, "")
    export_month(wish)
    find_file(other, MONTH).replace(find_file(tmp_path, MONTH))

    assert 1 == len(months)
    assert None is await store.get_receipt(JOB)


async def test_a_month_stays_open_for_its_grace(store: Store, tmp_path: Path) -> None:
    """Until then nothing is closed, and what is settled late counts for its own month."""
    await fill(store)
    early = await closer(store, tmp_path, days=4.9).run_once()
    await store.write_settlement(row(500, END - 1.0))
    statement = await make_statement(store, "gamma", MONTH, zone=TORONTO, now=0.0)

    assert () == early
    assert statement.given.jobs + statement.own.jobs == 14
    assert () == statement.corrections


async def test_what_is_late_corrects_the_next_month(store: Store, tmp_path: Path) -> None:
    """The closed month and its file stay; the next has a correction, once, and the receipt."""
    await fill(store)
    files_of(store, tmp_path)
    await closer(store, tmp_path).run_once()
    closed = await read_all(store, (MONTH,))
    late = row(600, END - 60.0, entries=(Entry("gamma", "tokens", 5), Entry("alpha", "tokens", -5)))
    first, again = await store.write_settlement(late), await store.write_settlement(late)
    following = await make_statement(store, "alpha", NEXT, zone=TORONTO, now=0.0)
    receipt = await store.get_receipt("job-000000000258")
    days = {"days": 31 + 6.0}
    await closer(store, tmp_path, **days).run_once()
    with find_file(tmp_path, NEXT).open("rb") as file:
        verified = verify_month(file, ReceiptSigner.load(tmp_path).keys)

    assert (True, False) == (first, again)
    assert closed[2:] == (await read_all(store, (MONTH,)))[2:]
    assert [("late/job-000000000258", -5)] == [
        (each.correction, each.tokens) for each in following.corrections
    ]
    assert 1 == following.own.jobs + following.received.jobs + following.given.jobs
    assert receipt is not None
    assert END - 60.0 == receipt.receipt.issued_at
    assert (Verdict.GENUINE, MonthDefect.NONE, 2) == (
        verified.verdict, verified.defect, verified.head.jobs,
    )  # fmt: skip
    closed_next = await make_statement(store, "alpha", NEXT, zone=TORONTO, now=0.0)
    assert following == replace(closed_next, closed_at=0.0, root="")
    assert verified.head.root == closed_next.root
    assert receipt == await store.get_receipt("job-000000000258")


async def test_a_late_job_of_the_own_co_op_counts_for_the_open_month(
    store: Store, tmp_path: Path
) -> None:
    """It changes no balance, so that there is nothing to correct; so does a late correction."""
    await fill(store)
    await closer(store, tmp_path).run_once()
    own = settle_row("job-000000000999", borrower="beta", lender="beta", at=END - 1.0)
    lines = (Entry("beta", "tokens", 3), Entry("beta", "tokens", -3))
    await store.write_settlement(replace(own, entries=lines))
    two = (Entry("beta", "tokens", 1), Entry("alpha", "tokens", -1))
    await store.write_correction(CorrectionRow("c2", "tard", END - 1.0, two))
    beta = await make_statement(store, "beta", NEXT, zone=TORONTO, now=0.0)

    assert 1 == beta.own.jobs
    assert ["c2"] == [each.correction for each in beta.corrections]


async def test_what_is_late_while_the_file_is_written_is_late(store: Store, tmp_path: Path) -> None:
    """Nothing comes into a month between its file and its end."""
    await fill(store)
    late = row(602, END - 60.0)

    async def export(wish: MonthWish) -> None:
        await store.write_settlement(late)
        await export_here(wish)

    before = await read_all(store, (MONTH,))
    await closer(store, tmp_path, export=export).run_once()
    after = await make_statement(store, "alpha", NEXT, zone=TORONTO, now=0.0)

    assert before[2:] == (await read_all(store, (MONTH,)))[2:]
    assert ["late/job-00000000025a"] == [each.correction for each in after.corrections]


@pytest.mark.parametrize("step", ["export", "put_sums", "finish_closing", "delete_rows"])
async def test_a_closing_that_was_cut_short_is_repeated(
    store: Store, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step fails, figures are the same then and after the next attempt."""
    await fill(store)
    files_of(store, tmp_path)
    before = await read_all(store)

    async def fail_export(wish: MonthWish) -> None:
        await export_here(wish)
        raise OSError("the process was killed")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the process was killed")

    export = fail_export if step == "export" else export_here
    with monkeypatch.context() as patch:
        if step != "export":
            patch.setattr(closed_months, step, fail)
        with pytest.raises(OSError, match="killed"):
            await closer(store, tmp_path, export=export).run_once()
    between = await read_all(store)
    await closer(store, tmp_path).run_once()

    assert before == between == await read_all(store)
    assert 1 == await count(store, settled)
    assert 1 == len(await store.read(closed_months.list_months))


async def test_a_file_with_other_sums_closes_nothing(store: Store, tmp_path: Path) -> None:
    """A store whose columns were changed disagrees with its structs: the rows stay."""
    await fill(store)
    changed = text(f"UPDATE settled SET tokens = tokens + 1 WHERE job = '{JOB}'")
    await store.write(lambda c: c.execute(changed) and None)
    with pytest.raises(Exception, match="other sums"):
        await closer(store, tmp_path).run_once()

    assert 42 == await count(store, settled)


async def test_rows_of_kept_work_stay_as_long_as_it(store: Store, tmp_path: Path) -> None:
    """A kept job that is settled is not settled again while its answer is held."""
    kept = "kept-00000000000a"
    await store.put_kept(kept_row(kept))
    await store.end_kept(
        kept, state="completed", code="", sealed_result=b"x", receipt_json=b"", ended_at=START + 2.0
    )
    await store.write_settlement(replace(settle_row(kept, at=START + 2.0), key="key-alpha"))
    await closer(store, tmp_path).run_once()
    waiting = await store.list_answered_kept()
    held = await count(store, settled)
    await store.expire_kept(START + 3 * DAY_S)
    await closer(store, tmp_path).run_once()

    assert ((), 1, 0) == (waiting, held, await count(store, settled))


async def test_a_clock_that_jumped_closes_nothing(store: Store, tmp_path: Path) -> None:
    """A month is over by the trusted time: closed too early it could not be opened again."""
    await fill(store)
    await store.write(partial(trusted_time.advance, now=END - DAY_S))

    assert () == await closer(store, tmp_path, days=400.0).run_once()
    assert () == await store.read(closed_months.list_months)


async def test_months_are_closed_in_order_and_chained(store: Store, tmp_path: Path) -> None:
    """Each names the root of the one before; a month without jobs has no file."""
    await fill(store)
    later = month_span("2027-03", TORONTO)[0]
    await store.write_settlement(row(2_000, later))
    closed = await closer(store, tmp_path, days=200.0).run_once()
    heads = []
    for month in closed:
        with find_file(tmp_path, month).open("rb") as file:
            heads.append(open_month(file).head)

    assert (MONTH, NEXT, "2027-03") == closed
    assert ["", heads[0].root, heads[1].root] == [head.previous for head in heads]


async def add_marie(store: Store) -> None:
    person = PersonRow(PERSON, "alpha", "Marie Tremblay", "", "person", "p", "", 1.0)
    await store.write(partial(add_person, row=person, coop_max=9))


async def export_marie(store: Store) -> Any:
    return json.loads(b"".join([part async for part in export_person(store, PERSON, lang="fr")]))


async def test_a_forgotten_person_and_machine_touch_no_file(store: Store, tmp_path: Path) -> None:
    """The file has numbers only, and stays byte for byte; names are joined while there are any."""
    await add_marie(store)
    await store.write(partial(put_node_row, name="mac-de-marie"))
    made = row(10, START + 5.0)
    made = replace(
        made,
        terms=replace(made.terms, node="mac-de-marie"),
        receipt=replace(made.receipt, node="mac-de-marie"),
    )
    await store.write_settlement(made)
    files_of(store, tmp_path)
    await closer(store, tmp_path).run_once()
    path = find_file(tmp_path, MONTH)
    content = path.read_bytes()
    named = await store.get_receipt(made.job)
    exported = await export_marie(store)
    number = number_node(NODE_KEY)
    await store.write(partial(erasures.erase_node, number=number, now=END))
    await store.write(partial(erasures.erase_person, person=PERSON, now=END))
    unnamed = await store.get_receipt(made.job)
    lent = await make_statement(store, "beta", MONTH, zone=TORONTO, now=0.0)
    with path.open("rb") as file:
        record = open_month(file).find(made.job)

    assert made.receipt == named.receipt
    assert [(made.job, "mac-de-marie", PERSON)] == [
        (each["job"], each["node"], each["key"]) for each in exported["entries"]["rows"]
    ]
    assert number == unnamed.receipt.node == record.runs[0].terms.node
    assert {number} == {line.node for line in lent.lent}
    assert content == path.read_bytes()
    assert "marie" not in repr(record).lower()


async def test_a_person_reads_only_own_rows_of_closed_months(store: Store, tmp_path: Path) -> None:
    """The export has each job of the person once, and none of another's."""
    await add_marie(store)
    await fill(store)
    files_of(store, tmp_path)
    whole = await export_marie(store)
    await closer(store, tmp_path).run_once()
    after = await export_marie(store)

    def facts(document: Any) -> list[Any]:
        names = ("job", "run", "tokens", "energy_uwh", "model", "node", "zone", "promise", "key")
        rows = document["entries"]["rows"]
        return sorted(tuple(each[name] for name in names) for each in rows)

    assert facts(whole) == facts(after)
    assert 9 == len(facts(after))


async def test_an_export_says_what_it_lacks(store: Store, tmp_path: Path) -> None:
    """Where a month's file is not, the document says so in the place of its rows."""
    await add_marie(store)
    await fill(store)
    files_of(store, tmp_path)
    await closer(store, tmp_path).run_once()
    find_file(tmp_path, MONTH).unlink()
    document = await export_marie(store)

    assert {"month": MONTH, "withheld": "month_unreadable"} in document["entries"]["rows"]


async def test_the_number_of_jobs_is_not_counted(store: Store) -> None:
    """It is kept with the rows, so that asking for it reads one row."""
    await fill(store)
    await store.write(lambda c: c.execute(text("DELETE FROM settled")) and None)

    assert 41 == await store.count_settled()
