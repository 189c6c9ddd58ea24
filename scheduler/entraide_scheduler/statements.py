"""Statements: a co-op's month from the store, and what one node gave, as documents."""

import datetime as dt
from zoneinfo import ZoneInfo

from entraide.statements import Amounts, PartnerAmounts, PostedCorrection, Statement, UsageLine
from entraide.units import g_from_ug, wh_from_uwh
from entraide_scheduler.calendar import day_starts, month_span
from entraide_scheduler.store.statements import JobTotals
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.usage import LINES_MAX, UsageRow


async def make_statement(
    store: Store, coop: str, month: str, *, zone: ZoneInfo, now: float
) -> Statement:
    """Returns a co-op's statement.

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
    month = month or dt.datetime.fromtimestamp(now, zone).strftime("%Y-%m")
    start_at, end_at = month_span(month, zone)
    totals = await store.get_statement(coop, start_at=start_at, end_at=end_at)
    days = day_starts(start_at, end_at, zone)
    usage = await store.get_usage(coop, days=days, end_at=end_at)
    lent = await store.get_lent(coop, days=days, end_at=end_at)
    return Statement(
        coop=coop,
        month=month,
        timezone=zone.key,
        start_at=start_at,
        end_at=end_at,
        given=amounts_of(totals.given),
        received=amounts_of(totals.received),
        own=amounts_of(totals.own),
        others=tuple(
            PartnerAmounts(other.coop, amounts_of(other.given), amounts_of(other.received))
            for other in totals.others
        ),
        corrections=tuple(
            PostedCorrection(
                correction=each.correction,
                reason=each.reason,
                coop=each.other,
                tokens=each.tokens,
                energy_wh=wh_from_uwh(each.energy_uwh),
                direct_gco2e=g_from_ug(each.carbon_ug),
                posted_at=each.at,
            )
            for each in totals.corrections
        ),
        usage=tuple(_usage_line(row, row.lender, zone) for row in usage[:LINES_MAX]),
        lent=tuple(_usage_line(row, row.borrower, zone) for row in lent[:LINES_MAX]),
        complete=max(len(usage), len(lent)) <= LINES_MAX,
    )


def amounts_of(totals: JobTotals) -> Amounts:
    """Returns totals in watt-hours and grams."""
    return Amounts(
        jobs=totals.jobs,
        tokens=totals.tokens,
        energy_wh=wh_from_uwh(totals.energy_uwh),
        direct_gco2e=g_from_ug(totals.carbon_direct_ug),
        lifecycle_gco2e=g_from_ug(totals.carbon_lifecycle_ug),
    )


def _usage_line(row: UsageRow, coop: str, zone: ZoneInfo) -> UsageLine:
    return UsageLine(
        day=dt.datetime.fromtimestamp(row.day_at, zone).date().isoformat(),
        key=row.key,
        project=row.project,
        model=row.model,
        node=row.node,
        coop=coop,
        amounts=amounts_of(row.totals),
    )
