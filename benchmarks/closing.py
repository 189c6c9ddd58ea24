"""Cost of closing a month to what the scheduler commits meanwhile.

A store has some months of generated jobs (``support.book_jobs``). A writer commits a group of
events every ``PAUSE_S``, in turns: while nothing else happens, while a month is closed (its file
by a process of its own, then its sums), while nothing else happens, and while the month's rows are
deleted, all as the scheduler does it.

    python -m benchmarks.closing [--json] [--requests N] [--months N]

Rows by ``step`` (``close``, ``delete``): ``requests`` of a month, ``step_s`` of the step,
``commit_ms`` and ``commit_p95_ms`` from a group's begin until it is on disk, while nothing else
happens, ``beside_ms`` and ``beside_p95_ms`` beside the step, and ``ratio``: the median of the
months' ratios of medians.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median, quantiles
from zoneinfo import ZoneInfo

from benchmarks.support.book_jobs import draw_day, write_month
from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

from entraide_scheduler.books import ClosingTerms, MonthCloser, export_in_child, month_span
from entraide_scheduler.pool.config import PoolConfig
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.store.journal import JournalRow
from entraide_scheduler.store.store import Store

ZONE = ZoneInfo("America/Toronto")
DAY_S = 86_400.0
DRAWN = 5_000
EVENTS, EVENT_BYTES = 10, 300
PAUSE_S = 0.02
QUIET_S = 5.0


class ClosingRow(Struct, frozen=True):
    """What one step of closing costs the commits beside it."""

    step: str
    requests: int
    step_s: float
    commit_ms: float
    commit_p95_ms: float
    beside_ms: float
    beside_p95_ms: float
    ratio: float


class Turns(Struct):
    """Times of commits, seconds: of each month without and beside a step; and of the steps."""

    quiet: list[list[float]] = []
    beside: list[list[float]] = []
    steps: list[float] = []


class Writer:
    """Commits groups of events."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seq = 0

    async def write_beside(self, step: Awaitable[object]) -> list[float]:
        """Writes groups until a step is over; returns how long each took."""
        task, times = asyncio.ensure_future(step), []
        while not task.done():
            begun, writes = time.perf_counter(), []
            for _ in range(EVENTS):
                self._seq += 1
                row = JournalRow(self._seq, b"x" * EVENT_BYTES)
                writes.append(self._store.append_journal([row]))
            await asyncio.gather(*writes)
            times.append(time.perf_counter() - begun)
            await asyncio.sleep(PAUSE_S)
        await task
        return times


async def measure(state: Path, requests: int, months: int) -> list[ClosingRow]:
    """Closes the months one after the other."""
    url = f"sqlite:///{state / 'store.db'}"
    store, spans = await Store.open(url), [f"2025-{month:02}" for month in range(1, months + 1)]
    turns = {"close": Turns(), "delete": Turns()}
    try:
        writer, drawn = Writer(store), await draw_day(Random(1), DRAWN, independent=False)
        for month in spans:
            await write_month(store, drawn, *month_span(month, ZONE), number=requests)
        for month in spans:
            end_at = month_span(month, ZONE)[1]
            terms = ClosingTerms(url, state, "Parc", ZONE.key, 5.0)
            closer = MonthCloser(store, terms, lambda end=end_at: end + 6 * DAY_S, export_in_child)
            for name, step in (("close", closer.close_due), ("delete", closer.delete_rows)):
                turns[name].quiet.append(await writer.write_beside(asyncio.sleep(QUIET_S)))
                begun = time.perf_counter()
                turns[name].beside.append(await writer.write_beside(step()))
                turns[name].steps.append(time.perf_counter() - begun)
    finally:
        await store.close()
    return [make_row(name, requests, each) for name, each in turns.items()]


def make_row(step: str, requests: int, turns: Turns) -> ClosingRow:
    """Returns the row of a step."""
    quiet, beside = list(chain(*turns.quiet)), list(chain(*turns.beside))
    pairs = zip(turns.quiet, turns.beside, strict=True)
    return ClosingRow(
        step=step,
        requests=requests,
        step_s=median(turns.steps),
        commit_ms=1e3 * median(quiet),
        commit_p95_ms=1e3 * quantiles(quiet, n=20)[-1],
        beside_ms=1e3 * median(beside),
        beside_p95_ms=1e3 * quantiles(beside, n=20)[-1],
        ratio=median(median(after) / median(before) for before, after in pairs),
    )


def main() -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--requests", type=int, default=30_000, help="of a month")
    parser.add_argument("--months", type=int, default=6, help="months that are closed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entraide-closing-") as folder:
        state = Path(folder) / "parc"
        create_pool(state, PoolConfig(name="Parc", address="localhost"))
        rows = asyncio.run(measure(state, options.requests, options.months))
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()
