"""Closing: closes each month some days after its end, and deletes its rows from the store.

Once an hour, and first an hour after the start. A month is closed in steps that can be repeated
(``store.closed_months``); a process of its own writes its file. The store's sums and the file's are
compared before one row is deleted.

A month is over by the trusted time, which a clock that jumps does not move: one that was closed too
early could not be opened again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
from msgspec import Struct

from entraide.closed_months import ExchangeSum, MonthFault, MonthHead, open_month
from entraide.errors import PoolError
from entraide_scheduler.books.calendar import day_starts, month_of, month_span
from entraide_scheduler.books.month_export import VARIABLE, MonthWish
from entraide_scheduler.operations.bounded_child import ProcessLimits
from entraide_scheduler.operations.bounded_process import run_bounded
from entraide_scheduler.repeated_task import RepeatedTask
from entraide_scheduler.store import closed_months, trusted_time
from entraide_scheduler.store.closed_files import find_file
from entraide_scheduler.store.closed_months import ClosedMonthRow
from entraide_scheduler.store.store import Store

DAY_S = 86_400.0
CHECK_EVERY_S = 3_600.0
SUMS_AT_ONCE = 1_000
JOBS_AT_ONCE = 200  # whose rows are deleted in one transaction
PAUSE_S = 0.05  # between two of them
EXPORT_LIMITS = ProcessLimits(
    wall_s=6 * 3_600.0, cpu_s=2 * 3_600, memory_bytes=2 * 1024**3, is_idle=False, niceness=10
)
COMMAND = ("scheduler", "export-month")

Export = Callable[[MonthWish], Awaitable[None]]
SumsOfPairs = dict[tuple[str, str], list[int]]


class ClosingTerms(Struct, frozen=True):
    """Of what pool months are closed, and when.

    Attributes:
        store_url: address of its store.
        home: its directory.
        pool: its name.
        timezone: its time zone.
        grace_days: how long after its end a month stays open.
    """

    store_url: str
    home: Path
    pool: str
    timezone: str
    grace_days: float


class MonthCloser:
    """Closes the months of one pool.

    Args:
        store: the pool's store.
        terms: of the pool.
        now: seconds since the epoch.
        export: writes a month's file.
    """

    def __init__(
        self, store: Store, terms: ClosingTerms, now: Callable[[], float], export: Export
    ) -> None:
        self._store = store
        self._terms = terms
        self._now = now
        self._export = export
        self._zone = ZoneInfo(terms.timezone)
        self._task = RepeatedTask(
            "month-closer", self.run_once, every_s=CHECK_EVERY_S, waits_first=True,
            failed=lambda: self._log.exception("books.closing_failed"),
        )  # fmt: skip
        self._log = structlog.get_logger("entraide.books")

    def start(self) -> None:
        """Closes what is due, now and then."""
        self._task.start()

    async def stop(self) -> None:
        """Stops; a month that was begun is closed after the next start."""
        await self._task.stop()

    async def run_once(self) -> tuple[str, ...]:
        """Closes the months whose time has come, and deletes their rows; returns the months."""
        closed = await self.close_due()
        await self.delete_rows()
        return closed

    async def close_due(self) -> tuple[str, ...]:
        """Closes the months whose time has come, oldest first, and returns them."""
        closed = []
        while (row := await self._find_due()) is not None:
            await self._close(row)
            closed.append(row.month)
        return tuple(closed)

    async def delete_rows(self) -> None:
        """Deletes the rows of closed months, a few at a time between other writes."""
        deleted = JOBS_AT_ONCE
        while deleted:
            step = partial(closed_months.delete_rows, limit=JOBS_AT_ONCE)
            deleted = await self._store.write(step)
            await asyncio.sleep(PAUSE_S)

    async def _find_due(self) -> ClosedMonthRow | None:
        months = await self._store.read(closed_months.list_months)
        begun = [row for row in months if not row.closed_at]
        if begun:
            return begun[0]
        oldest = await self._store.read(closed_months.read_oldest)
        if oldest is None:
            return None
        month = month_of(oldest, self._zone)
        start_at, end_at = month_span(month, self._zone)
        now = await self._store.read(partial(trusted_time.limit, now=self._now()))
        if now < end_at + self._terms.grace_days * DAY_S:
            return None
        # If the time zone was changed, a month begins where the one before was closed.
        return ClosedMonthRow(month, max(start_at, months[-1].end_at if months else 0.0), end_at)

    async def _close(self, row: ClosedMonthRow) -> None:
        store = self._store
        await store.write(partial(closed_months.begin_closing, row=row))
        months = await store.read(closed_months.list_months)
        previous = [each.root for each in months if each.closed_at]
        await self._export(
            MonthWish(
                store_url=self._terms.store_url,
                home=str(self._terms.home),
                pool=self._terms.pool,
                month=row.month,
                timezone=self._terms.timezone,
                start_at=row.start_at,
                end_at=row.end_at,
                closed_at=self._now(),
                previous=previous[-1] if previous else "",
            )
        )
        head, size = await asyncio.to_thread(_read_head, self._terms.home, row.month)
        await self._write_sums(row, head)
        lines = await store.read(
            partial(closed_months.sum_lines, start_at=row.start_at, end_at=row.end_at)
        )
        closed = row._replace(closed_at=head.closed_at, root=head.root, jobs=head.jobs, bytes=size)
        await store.write(partial(closed_months.finish_closing, row=closed, lines=lines))
        self._log.info("books.month_closed", month=row.month, jobs=head.jobs, bytes=size)

    async def _write_sums(self, row: ClosedMonthRow, head: MonthHead) -> None:
        """Writes the sums day by day: those of a whole month can be as many as its requests."""
        await self._store.write(partial(closed_months.delete_sums, month=row.month))
        starts = day_starts(row.start_at, row.end_at, self._zone)
        pairs: SumsOfPairs = {}
        written = 0
        for start_at, end_at in pairwise((*starts, row.end_at)):
            read = partial(closed_months.sum_day, start_at=start_at, end_at=end_at)
            sums = await self._store.read(read)
            _add_pairs(pairs, sums)
            for first in range(0, len(sums), SUMS_AT_ONCE):
                part = sums[first : first + SUMS_AT_ONCE]
                put = partial(closed_months.put_sums, month=row.month, first=written, rows=part)
                await self._store.write(put)
                written += len(part)
        if head.sums != tuple(ExchangeSum(*pair, *pairs[pair]) for pair in sorted(pairs)):
            raise MonthFault(f"the file of {row.month} has other sums than the store")


async def export_in_child(wish: MonthWish) -> None:
    """Writes a month's file in a process of its own, at a low priority.

    Raises:
        PoolError: ``month_not_written``, with what the process said.
    """
    variables = {VARIABLE: msgspec.json.encode(wish).decode()}
    finished = await run_bounded(COMMAND, EXPORT_LIMITS, lang="en", variables=variables)
    if finished.status:
        values = {"month": wish.month, "problem": f"{finished.fault}: {finished.words}"}
        raise PoolError("month_not_written", finished.words, values=values)


def _read_head(home: Path, month: str) -> tuple[MonthHead, int]:
    """Returns the head of a month's file and its size in bytes."""
    path = find_file(home, month)
    with path.open("rb") as file:
        return open_month(file).head, path.stat().st_size


def _add_pairs(pairs: SumsOfPairs, sums: list[tuple[Any, ...]]) -> None:
    """Adds the store's sums to those by lender and borrower, as a file's head has them."""
    for row in sums:
        _, borrower, lender, *_ = row
        amounts = row[closed_months.SUMS_FROM :]
        before = pairs.get((lender, borrower), [0] * len(amounts))
        pairs[lender, borrower] = list(map(int.__add__, before, amounts))
