"""Co-op months: reads what the books say of a co-op's month."""

from zoneinfo import ZoneInfo

from entraide_scheduler.calendar import month_of, month_span
from entraide_scheduler.gateway.coop_view import CoopMonth
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
