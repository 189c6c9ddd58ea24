"""Statements: a co-op's month from the store, and what one node gave, as documents."""

import datetime as dt
from functools import partial, reduce
from zoneinfo import ZoneInfo

from entraide.statements import (
    Amounts,
    NodeShare,
    NodeStatement,
    PartnerAmounts,
    PostedCorrection,
    Statement,
    UsageLine,
)
from entraide.types import ServerPlace
from entraide.units import g_from_ug, wh_from_uwh
from entraide_scheduler.books.calendar import day_starts, month_of, month_span
from entraide_scheduler.store.closed_months import find_month
from entraide_scheduler.store.statements import JobTotals
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.usage import LINES_MAX, UsageRow


async def make_statement(
    store: Store,
    coop: str,
    month: str,
    *,
    zone: ZoneInfo,
    now: float,
    place: ServerPlace | None = None,
) -> Statement:
    """Returns a co-op's statement.

    Args:
        store: the pool's store.
        coop: the co-op.
        month: ``2026-11``; "" for the present one.
        zone: the pool's time zone.
        now: seconds since the epoch.
        place: where the pool's server stands; None if the caller does not say.

    Raises:
        ValueError: ``month`` has another form.
        OverflowError: the month is out of range.
    """
    month = month or month_of(now, zone)
    start_at, end_at = month_span(month, zone)
    totals = await store.get_statement(coop, start_at=start_at, end_at=end_at)
    days = day_starts(start_at, end_at, zone)
    usage = await store.get_usage(coop, days=days, end_at=end_at)
    lent = await store.get_lent(coop, days=days, end_at=end_at)
    named = {coop, *(other.coop for other in totals.others)}
    named |= {each.other for each in totals.corrections}
    names = await store.get_coop_names()
    closed = await store.read(partial(find_month, month=month))
    return Statement(
        coop_names={each: names[each] for each in sorted(named & names.keys())},
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
        place=place,
        closed_at=closed.closed_at if closed else 0.0,
        root=closed.root if closed else "",
    )


async def make_node_statement(
    store: Store, node: str, coop: str, *, zone: ZoneInfo, now: float
) -> NodeStatement:
    """Returns what a node gave today and in the present month.

    Args:
        store: the pool's store.
        node: the node.
        coop: its co-op.
        zone: the pool's time zone.
        now: seconds since the epoch.
    """
    today = dt.datetime.fromtimestamp(now, zone)
    month = today.strftime("%Y-%m")
    start_at, end_at = month_span(month, zone)
    days = day_starts(start_at, end_at, zone)
    rows = await store.get_lent(coop, days=days, end_at=end_at, node=node)
    day_at = max(day for day in days if day <= now)
    today_amounts, earlier = Amounts(), dict[str, Amounts]()
    for row in rows[:LINES_MAX]:
        amounts = amounts_of(row.totals)
        if row.day_at == day_at:
            today_amounts = today_amounts.plus(amounts)
        else:
            earlier[row.borrower] = earlier.get(row.borrower, Amounts()).plus(amounts)
    names = await store.get_coop_names()
    return NodeStatement(
        coop_names={each: names[each] for each in sorted({coop, *earlier} & names.keys())},
        node=node,
        coop=coop,
        day=today.date().isoformat(),
        month=month,
        today=today_amounts,
        this_month=reduce(Amounts.plus, earlier.values(), today_amounts),
        shares=tuple(NodeShare(name, earlier[name]) for name in sorted(earlier)),
        complete=len(rows) <= LINES_MAX,
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
