"""Closing of months in tests: at a time that the test says, in the test's own process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from entraide_scheduler.books import ClosingTerms, MonthCloser
from entraide_scheduler.books.month_export import MonthWish, export_month
from entraide_scheduler.store.store import Store

TORONTO = ZoneInfo("America/Toronto")

Export = Callable[[MonthWish], Awaitable[None]]


async def export_here(wish: MonthWish) -> None:
    """Writes the file in this process."""
    await asyncio.to_thread(export_month, wish)


def make_closer(store: Store, home: Path, now: float, export: Export = export_here) -> MonthCloser:
    """Returns what closes the months of a store, as if it were that time."""
    url = store._writing.url.render_as_string(hide_password=False)
    terms = ClosingTerms(url, home, "Parc", TORONTO.key, 5.0)
    return MonthCloser(store, terms, lambda: now, export)
