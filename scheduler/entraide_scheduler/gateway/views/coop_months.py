"""Co-op months: reads what the books say of a co-op's month, and of its machines today."""

import datetime as dt
from zoneinfo import ZoneInfo

from entraide_scheduler.books import day_starts, month_of, month_span
from entraide_scheduler.gateway.views.coop_view import CoopMonth
from entraide_scheduler.gateway.views.own_machines import MachineBooks
from entraide_scheduler.store.store import Store


async def read_month(
    store: Store, coop: str, month: str, *, zone: ZoneInfo, now: float
) -> CoopMonth:
    """Returns what the books say of a co-op's month.

    Args:
        store: the pool's store.
        coop: the co-op.
        month: ``2026-11``; "" for the present one.
        zone: the pool's time zone.
        now: seconds since the epoch.

    Raises:
        ValueError: ``month`` has another form.
        OverflowError: the month is out of range.
    """
    month = month or month_of(now, zone)
    start_at, end_at = month_span(month, zone)
    return CoopMonth(
        month=month,
        timezone=zone.key,
        totals=await store.get_statement(coop, start_at=start_at, end_at=end_at),
        breakdown=await store.get_breakdown(coop, start_at=start_at, end_at=end_at),
        machines=await store.get_machine_totals(coop, start_at=start_at, end_at=end_at),
    )


async def read_machines(store: Store, coop: str, *, zone: ZoneInfo, now: float) -> MachineBooks:
    """Returns what the books say of a co-op's machines today and in the present month.

    Args:
        store: the pool's store.
        coop: the co-op.
        zone: the pool's time zone.
        now: seconds since the epoch.
    """
    month = month_of(now, zone)
    start_at, end_at = month_span(month, zone)
    day_at = max(day for day in day_starts(start_at, end_at, zone) if day <= now)
    return MachineBooks(
        coop=coop,
        day=dt.datetime.fromtimestamp(now, zone).date().isoformat(),
        month=month,
        timezone=zone.key,
        today=await store.get_machine_totals(coop, start_at=day_at, end_at=end_at),
        this_month=await store.get_machine_totals(coop, start_at=start_at, end_at=end_at),
    )
