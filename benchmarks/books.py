"""Books of a generated year: bytes of a request, and what closing, reading and backing up cost.

A founded pool's store gets the settled jobs of each month of a year (``support.book_jobs``). The
month is closed by the scheduler's closer, and its rows are deleted. Then the oldest month is read,
and the whole is backed up and restored.

    python -m benchmarks.books [--json] [--a-day N] [--months N] [--seed N] [--folder DIR]
        [--for-s N] [--independent]

Rows of months: ``month, requests, store_bytes_a_request`` (while the month is open),
``sum_bytes_a_request`` (what the store keeps of it), ``closed_bytes_a_request``; ``generate``,
``close`` (until its file and its sums count) and ``delete``. One row of the year:
``requests_a_day, months, requests, store_bytes, closed_bytes, closed_bytes_a_year`` (of 365 such
days), ``backup_bytes, memory_max_bytes`` (of this process, which does all of it); ``report`` and
``verify`` of the oldest month, ``receipt`` (one of it), ``backup`` and ``restore``. Durations have
``_s`` by the clock and ``_cpu_s`` of this process.

``store_bytes_a_request`` is of settled jobs and their lines alone; journal, explanations and kept
answers have limits of their own. A key sends the more the lower its number is (1 / rank), asks one
model and has one class; with ``--independent`` each request draws key, model and class, so that
nearly each has a sum of its own: the worst case.

With ``--folder`` the pool and the rows of finished months stay there, and a later run goes on;
after ``--for-s`` seconds no further month is begun, and what is there is measured.
Without ``--a-day`` a day has 1,000 requests, which takes minutes; of 50,000 a month takes some 4
minutes of CPU, and 7 GB of disk while it is open.
"""

import asyncio
import math
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import BinaryIO
from zoneinfo import ZoneInfo

import msgspec
from benchmarks.support.book_jobs import DrawnJob, draw_day, write_month
from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct
from sqlalchemy import Connection

from entraide.closed_months import open_month, verify_month
from entraide.decoding import decode_json
from entraide.receipts import Verdict
from entraide_scheduler.books import (
    ClosingTerms,
    MonthCloser,
    closing,
    make_statement,
    month_span,
)
from entraide_scheduler.books.month_export import MonthWish, export_month
from entraide_scheduler.gateway import ReceiptSigner
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.config import PoolConfig
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.restore import restore_pool
from entraide_scheduler.store.closed_files import ClosedFiles, find_file
from entraide_scheduler.store.store import Store

YEAR, ZONE = 2025, ZoneInfo("America/Toronto")
DAY_S = 86_400.0
ROWS = "months.json"
PASSPHRASE = "quatre mots bien choisis"


class MonthRow(Struct, frozen=True):
    """One month."""

    month: str
    requests: int
    store_bytes_a_request: float
    sum_bytes_a_request: float
    closed_bytes_a_request: float
    generate_s: float
    close_s: float
    close_cpu_s: float
    delete_s: float
    delete_cpu_s: float


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
    verify_cpu_s: float
    receipt_s: float
    backup_s: float
    backup_cpu_s: float
    backup_bytes: int
    restore_s: float
    restore_cpu_s: float
    memory_max_bytes: int


class Duration:
    """Seconds of a step: by the clock, and of this process on a processor."""

    wall_s = 0.0
    cpu_s = 0.0


@contextmanager
def measure() -> Iterator[Duration]:
    """Measures the block."""
    duration, wall, cpu = Duration(), time.perf_counter(), time.process_time()
    yield duration
    duration.wall_s = time.perf_counter() - wall
    duration.cpu_s = time.process_time() - cpu


async def export_here(wish: MonthWish) -> None:
    """Writes a month's file in this process, so that its processor time counts."""
    await asyncio.to_thread(export_month, wish)


async def run_month(
    store: Store, state: Path, drawn: list[DrawnJob], month: str, a_day: int
) -> MonthRow:
    """Generates a month, closes it and deletes its rows."""
    start_at, end_at = month_span(month, ZONE)
    requests = round(a_day * (end_at - start_at) / DAY_S)
    before = await read_used(store)
    with measure() as generated:
        await write_month(store, drawn, start_at, end_at, number=requests)
    opened = await read_used(store)
    terms = ClosingTerms(find_url(state), state, "Parc", ZONE.key, 5.0)
    closer = MonthCloser(store, terms, lambda: end_at + 6 * DAY_S, export_here)
    with measure() as closed:
        months = await closer.close_due()
    assert months == (month,), months
    with measure() as deleted:
        await closer.delete_rows()
    return MonthRow(
        month=month,
        requests=requests,
        store_bytes_a_request=(opened - before) / requests,
        sum_bytes_a_request=(await read_used(store) - before) / requests,
        closed_bytes_a_request=find_file(state, month).stat().st_size / requests,
        generate_s=generated.wall_s,
        close_s=closed.wall_s,
        close_cpu_s=closed.cpu_s,
        delete_s=deleted.wall_s,
        delete_cpu_s=deleted.cpu_s,
    )


async def run_months(
    folder: Path, a_day: int, months: int, seed: int, *, for_s: float, independent: bool
) -> list[MonthRow]:
    """Generates the months that are not there yet; returns the rows of all."""
    rows, begun = read_rows(folder), time.perf_counter()
    drawn = await draw_day(Random(seed), a_day, independent=independent)
    store = await Store.open(find_url(find_state(folder)))
    try:
        for number in range(len(rows) + 1, months + 1):
            if time.perf_counter() - begun > for_s:
                break
            month = f"{YEAR}-{number:02}"
            rows.append(await run_month(store, find_state(folder), drawn, month, a_day))
            (folder / ROWS).write_bytes(msgspec.json.encode(rows))
    finally:
        await store.close()
    return rows


async def read_oldest(state: Path, rows: list[MonthRow], a_day: int) -> YearRow:
    """Measures a report, verification and a receipt of the oldest month; backups are not yet."""
    store, month = await Store.open(find_url(state)), rows[0].month
    keys = ReceiptSigner.load(state).keys
    try:
        with measure() as reported:
            statement = await make_statement(store, "coop-00", month, zone=ZONE, now=0.0)
        assert statement.received.jobs, "an empty statement"
        with find_file(state, month).open("rb") as file:
            with measure() as verified:
                result = await asyncio.to_thread(verify_month, file, keys)
            assert result.verdict is Verdict.GENUINE, result.defect
            record = read_first(file)
        store.closed = ClosedFiles(state, keys)
        with measure() as read:
            receipt = await store.get_receipt(record)
        assert receipt is not None, record
        used = await read_used(store)
    finally:
        await store.close()
    closed = sum(find_file(state, row.month).stat().st_size for row in rows)
    requests = sum(row.requests for row in rows)
    return YearRow(
        requests_a_day=a_day,
        months=len(rows),
        requests=requests,
        store_bytes=used,
        closed_bytes=closed,
        closed_bytes_a_year=round(closed / requests * a_day * 365),
        report_s=reported.wall_s,
        verify_s=verified.wall_s,
        verify_cpu_s=verified.cpu_s,
        receipt_s=read.wall_s,
        backup_s=0.0,
        backup_cpu_s=0.0,
        backup_bytes=0,
        restore_s=0.0,
        restore_cpu_s=0.0,
        memory_max_bytes=0,
    )


def back_up(state: Path, row: YearRow) -> YearRow:
    """Backs the pool up, restores it beside, and returns the row with both."""
    with tempfile.TemporaryDirectory(prefix="entraide-restored-", dir=state.parent) as folder:
        backup, restored = Path(folder) / "parc.backup", Path(folder) / "parc"
        with measure() as written:
            summary = write_backup(state, backup, PASSPHRASE)
        assert not summary.left_out, summary.left_out
        with measure() as read:
            restore_pool(backup, restored, PASSPHRASE)
    return msgspec.structs.replace(
        row,
        backup_s=written.wall_s,
        backup_cpu_s=written.cpu_s,
        backup_bytes=summary.bytes,
        restore_s=read.wall_s,
        restore_cpu_s=read.cpu_s,
        memory_max_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def read_first(file: BinaryIO) -> str:
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


def read_rows(folder: Path) -> list[MonthRow]:
    """Returns the rows of the finished months of a folder."""
    path = folder / ROWS
    return decode_json(path.read_bytes(), type=list[MonthRow]) if path.exists() else []


def find_state(folder: Path) -> Path:
    """Returns the directory of the pool."""
    return folder / "parc"


def find_url(state: Path) -> str:
    """Returns the address of a pool's store."""
    return f"sqlite:///{state / 'store.db'}"


def main() -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--a-day", type=int, default=1_000, help="requests a day")
    parser.add_argument("--months", type=int, default=12, help="months of the year")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--folder", type=Path, help="keeps the pool, so that a later run goes on")
    parser.add_argument("--for-s", type=float, default=math.inf, help="begins months so long")
    parser.add_argument(
        "--independent", action="store_true", help="requests share few sums: the worst case"
    )
    options = parser.parse_args()
    closing.PAUSE_S, closing.JOBS_AT_ONCE = 0.0, 1_000  # nobody waits for this pool
    with tempfile.TemporaryDirectory(prefix="entraide-books-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        state = find_state(folder)
        if not state.exists():
            create_pool(state, PoolConfig(name="Parc", address="localhost"))
        rows = asyncio.run(
            run_months(
                folder, options.a_day, options.months, options.seed,
                for_s=options.for_s, independent=options.independent,
            )
        )  # fmt: skip
        year = back_up(state, asyncio.run(read_oldest(state, rows, options.a_day)))
    print_rows([*rows, year], as_json=options.json)


if __name__ == "__main__":
    main()
