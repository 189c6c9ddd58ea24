"""Books of a generated year: bytes of a request, and what closing, reading and backing up cost.

A founded pool's store gets the settled jobs of each day of a year, as its scheduler writes them:
co-ops, machines, models, times and amounts are drawn at random with a seed. Each month is closed
once it is over, by the closer of the scheduler and in a process of its own, and its rows are
deleted. Then the oldest month is read.

    python -m benchmarks.books [--json] [--a-day N] [--months N] [--seed N]

Rows of months: ``month, requests, store_bytes_a_request, closed_bytes_a_request, generate_s,
close_s`` (until its file and its sums count), ``delete_s``. One row of the year: ``requests_a_day,
months, requests, store_bytes, closed_bytes, closed_bytes_a_year`` (of 365 such days), ``report_s``
and ``verify_s`` of the oldest month, ``receipt_s``, ``backup_s, backup_bytes, restore_s``.

``store_bytes_a_request`` is what the store grows by in a month, settled jobs and their lines alone;
journal, explanations and kept answers have limits of their own. Without ``--a-day`` a day has 1,000
requests, which takes minutes; 50,000 take hours and some 10 GB of disk.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import BinaryIO
from zoneinfo import ZoneInfo

from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct
from sqlalchemy import Connection

from entraide.closed_months import open_month, verify_month
from entraide.receipts import Verdict
from entraide.types import Basis, JobClass, JobState, ServerPlace, Terms, Usage
from entraide_scheduler.books import (
    ClosingTerms,
    MonthCloser,
    closing,
    export_in_child,
    make_statement,
    month_span,
)
from entraide_scheduler.core.accounting import ledger
from entraide_scheduler.core.carbon import make_receipt, settle
from entraide_scheduler.gateway import ReceiptSigner
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.config import PoolConfig
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.restore import restore_pool
from entraide_scheduler.store.closed_files import ClosedFiles, find_file
from entraide_scheduler.store.rows import SettlementRow
from entraide_scheduler.store.settlements import write_settlements
from entraide_scheduler.store.store import Store

YEAR, ZONE = 2025, ZoneInfo("America/Toronto")
COOPS, KEYS_OF_COOP, NODES_OF_COOP = 20, 10, 2
MODELS = ("qwen3-8b", "gpt-oss-20b", "smollm2-135m")
ZONES = (("CA-QC", 1.7, 31.0), ("CA-ON", 42.0, 70.0), ("CA-AB", 390.0, 460.0))
ROWS_AT_ONCE = 1_000
DAY_S = 86_400.0
PASSPHRASE = "quatre mots bien choisis"


class MonthRow(Struct, frozen=True):
    """One month."""

    month: str
    requests: int
    store_bytes_a_request: float
    closed_bytes_a_request: float
    generate_s: float
    close_s: float
    delete_s: float


class YearRow(Struct, frozen=True):
    """The whole."""

    requests_a_day: int
    months: int
    requests: int
    store_bytes: int
    closed_bytes: int
    closed_bytes_a_year: int
    report_s: float
    verify_s: float
    receipt_s: float
    backup_s: float
    backup_bytes: int
    restore_s: float


def draw_jobs(random: Random, month: str, a_day: int) -> Iterator[SettlementRow]:
    """Yields the jobs of a month in the order of their times."""
    start_at, end_at = month_span(month, ZONE)
    boot = f"{random.getrandbits(40):010x}"
    number = round(a_day * (end_at - start_at) / 86_400.0)
    for count in range(number):
        at = start_at + (count + random.random()) * (end_at - start_at) / number
        yield draw_job(random, f"job-{int(at * 1_000):012x}{boot}{count:08x}", at)


def draw_job(random: Random, job: str, at: float) -> SettlementRow:
    """Returns the settlement of one job."""
    borrower, lender = random.randrange(COOPS), random.randrange(COOPS)
    node = random.randrange(NODES_OF_COOP)
    zone, direct, lifecycle = ZONES[lender % len(ZONES)]
    job_class = random.choices(list(JobClass), (8, 1, 1))[0]
    names = f"coop-{borrower:02}", f"coop-{lender:02}"
    terms = Terms(
        job=job, epoch=random.randrange(1, 400), borrower=names[0], node=f"{names[1]}-{node}",
        lender=names[1], site=f"site-{lender}", zone=zone, engine="llama.cpp/b7000",
        model=random.choice(MODELS), revision="sha256:" + "4f" * 8, job_class=job_class,
        objective_ttft_s=2.0, intensity_direct_g_per_kwh=direct * random.uniform(0.8, 1.2),
        intensity_lifecycle_g_per_kwh=lifecycle * random.uniform(0.8, 1.2),
        intensity_basis=Basis.MEASURED, surplus_basis=None, requested_at=at - 5.0,
        placed_at=at - 4.9, policy_version="7", at_risk=False,
        places=(ServerPlace("CA-QC", "member"),),
        node_key=f"U{lender:02}{node}" + "BLG5YDTFBDFMNG35MOFIJLJIQPV2C5M3MMHBQMLHOEM3XEKSSZJ2",
        lender_name=f"Coopérative {lender}",
    )  # fmt: skip
    read, written = random.randint(30, 4_000), random.randint(5, 900)
    usage = Usage(
        read, random.choice((0, read // 2)), written, Basis.MEASURED, read * 3, written * 260,
        random.choice((Basis.MEASURED, Basis.ESTIMATED)), random.uniform(0.1, 3.0),
        random.uniform(1.0, 40.0),
    )  # fmt: skip
    settlement = settle(terms, usage)
    return SettlementRow(
        job=job,
        coop=terms.borrower,
        state=JobState.COMPLETED,
        terms=terms,
        usage=usage,
        settlement=settlement,
        receipt=make_receipt(terms, usage, settlement, settled=True, issued_at=at),
        entries=ledger.entries(terms, usage, settlement),
        key=f"key-{borrower:06x}{random.randrange(KEYS_OF_COOP):06x}",
        project="main",
    )


async def write_month(store: Store, random: Random, month: str, a_day: int) -> int:
    """Writes the jobs of a month into a store and returns their number."""
    waiting: list[SettlementRow] = []
    number = 0
    for row in draw_jobs(random, month, a_day):
        waiting.append(row)
        if len(waiting) == ROWS_AT_ONCE:
            number += len(await store.write(partial(write_settlements, rows=waiting)))
            waiting = []
    return number + (
        len(await store.write(partial(write_settlements, rows=waiting))) if waiting else 0
    )


async def run_month(store: Store, state: Path, random: Random, month: str, a_day: int) -> MonthRow:
    """Generates a month, closes it and deletes its rows."""
    begun, used = time.perf_counter(), await read_used(store)
    requests = await write_month(store, random, month, a_day)
    generated, grown = time.perf_counter(), await read_used(store) - used
    _, end_at = month_span(month, ZONE)
    terms = ClosingTerms(find_url(state), state, "Parc", ZONE.key, 5.0)
    closer = MonthCloser(store, terms, lambda: end_at + 6 * DAY_S, export_in_child)
    await closer.close_due()
    closed = time.perf_counter()
    await closer.delete_rows()
    return MonthRow(
        month=month,
        requests=requests,
        store_bytes_a_request=grown / requests,
        closed_bytes_a_request=find_file(state, month).stat().st_size / requests,
        generate_s=generated - begun,
        close_s=closed - generated,
        delete_s=time.perf_counter() - closed,
    )


async def run_year(
    state: Path, a_day: int, months: int, seed: int
) -> tuple[list[MonthRow], YearRow]:
    """Generates the year, month by month, and measures what reading the oldest one costs."""
    random, names = Random(seed), [f"{YEAR}-{number:02}" for number in range(1, months + 1)]
    store = await Store.open(find_url(state))
    try:
        rows = [await run_month(store, state, random, month, a_day) for month in names]
        report_s = await measure_report(store, names[0])
        verify_s, receipt_s = await measure_reading(store, state, names[0])
        used = await read_used(store)
    finally:
        await store.close()
    backup = state.with_name("parc.backup")
    begun = time.perf_counter()
    summary = write_backup(state, backup, PASSPHRASE)
    written = time.perf_counter()
    restore_pool(backup, state.with_name("restored"), PASSPHRASE)
    restored = time.perf_counter()
    closed = sum(find_file(state, month).stat().st_size for month in names)
    requests = sum(row.requests for row in rows)
    year = YearRow(
        requests_a_day=a_day,
        months=months,
        requests=requests,
        store_bytes=used,
        closed_bytes=closed,
        closed_bytes_a_year=round(closed / requests * a_day * 365),
        report_s=report_s,
        verify_s=verify_s,
        receipt_s=receipt_s,
        backup_s=written - begun,
        backup_bytes=summary.bytes,
        restore_s=restored - written,
    )
    return rows, year


async def measure_report(store: Store, month: str) -> float:
    """Returns how long a statement of a month takes."""
    begun = time.perf_counter()
    statement = await make_statement(store, "coop-00", month, zone=ZONE, now=0.0)
    assert statement.received.jobs, "an empty statement"
    return time.perf_counter() - begun


async def measure_reading(store: Store, state: Path, month: str) -> tuple[float, float]:
    """Returns how long it takes to verify a month, and to find one receipt in it."""
    keys = ReceiptSigner.load(state).keys
    begun = time.perf_counter()
    with find_file(state, month).open("rb") as file:
        verified = await asyncio.to_thread(verify_month, file, keys)
        verify_s = time.perf_counter() - begun
        assert verified.verdict is Verdict.GENUINE, verified.defect
        record = open_at_start(file)
    store.closed = ClosedFiles(state, keys)
    begun = time.perf_counter()
    receipt = await store.get_receipt(record)
    assert receipt is not None, record
    return verify_s, time.perf_counter() - begun


def open_at_start(file: BinaryIO) -> str:
    """Returns the name of a file's first job."""
    file.seek(0)
    return open_month(file).read_records(0)[0].name


async def read_used(store: Store) -> int:
    """Returns the bytes of a store's pages that are in use."""

    def read(connection: Connection) -> int:
        size, pages, free = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_size", "page_count", "freelist_count")
        )
        return size * (pages - free)

    return await store.read(read)


def find_url(state: Path) -> str:
    """Returns the address of a pool's store."""
    return f"sqlite:///{state / 'store.db'}"


def main() -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--a-day", type=int, default=1_000, help="requests a day")
    parser.add_argument("--months", type=int, default=12, help="months of the year")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    options = parser.parse_args()
    closing.PAUSE_S = 0.0  # nobody waits for this pool
    with tempfile.TemporaryDirectory(prefix="entraide-books-") as folder:
        state = Path(folder) / "parc"
        create_pool(state, PoolConfig(name="Parc", address="localhost"))
        rows, year = asyncio.run(run_year(state, options.a_day, options.months, options.seed))
    print_rows([*rows, year], as_json=options.json)


if __name__ == "__main__":
    main()
