"""Co-op view: a co-op's own position and month, from the books and ``CoopState``, as JSON. Pure.

The figures of the month are those of the statement: the machines' ``given`` sum to ``given``, their
``own`` to ``own``. Emissions are location-based. The comparison sets the grams of the co-op's own
jobs against those of the same energy at the annual average of the province where each ran.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from entraide import i18n
from entraide.statements import Amounts
from entraide.types import JobClass, Promise
from entraide.units import g_from_ug, wh_from_uwh
from entraide.wire.pool_state import CoopState, PoolState, QuotaState
from entraide_scheduler.books import amounts_of
from entraide_scheduler.gateway.views.pool_view import PoolMachine, view_machine
from entraide_scheduler.grid.annual import AnnualAverage
from entraide_scheduler.store.breakdown import BreakdownRow, MachineTotals
from entraide_scheduler.store.statements import JobTotals, StatementTotals

DAY_S = 86_400.0


class CoopQuota(Struct, frozen=True):
    """A quota and its use.

    Attributes:
        kind, period: what is counted, and how often it starts again.
        name: both in words.
        limit, used, reserved, left: in the quota's unit.
        starts_again_at: end of the present period, seconds since the epoch; None without one.
        project, key: owner within the co-op; both "" for a quota of the whole co-op.
    """

    kind: str
    period: str
    name: str
    limit: int
    used: float
    reserved: float
    left: float
    starts_again_at: float | None
    project: str
    key: str


class CoopBalance(Struct, frozen=True):
    """The co-op's balance in the ledger, corrections included; positive is given.

    Attributes:
        tokens: tokens.
        energy_wh: watt-hours.
        direct_gco2e: grams of direct emissions.
    """

    tokens: int
    energy_wh: float
    direct_gco2e: float


class ProvinceComparison(Struct, frozen=True):
    """The co-op's own jobs in one province, against its annual average.

    Attributes:
        zone, name: code and name.
        energy_wh, direct_gco2e: of the jobs.
        average_g_per_kwh, year, source: the annual average and its source in words; None and ""
            where no average is known.
        average_gco2e: emissions of the same energy at the average; None as above.
    """

    zone: str
    name: str
    energy_wh: float
    direct_gco2e: float
    average_g_per_kwh: float | None
    year: int | None
    source: str
    average_gco2e: float | None


class AverageComparison(Struct, frozen=True):
    """The grams of the co-op's own jobs against the provinces' annual averages.

    Attributes:
        direct_gco2e: of the jobs in provinces with an average.
        average_gco2e: of the same energy at the averages.
        saved_gco2e: their difference; negative if the jobs emitted more.
        provinces: by zone.
    """

    direct_gco2e: float
    average_gco2e: float
    saved_gco2e: float
    provinces: tuple[ProvinceComparison, ...]


class ClassPromise(Struct, frozen=True):
    """How often the promised time to the first token was kept in a class.

    Attributes:
        job_class, name: as a code and in words.
        kept, missed: number of the co-op's jobs.
        unpromised: number of jobs without a promise, or without an answer.
        kept_share: kept / (kept + missed); None without either.
    """

    job_class: str
    name: str
    kept: int
    missed: int
    unpromised: int
    kept_share: float | None


class CoopFairShare(Struct, frozen=True):
    """The co-op's weight in the fair share, and why it has it.

    Attributes:
        shares, credit, weight: weight = shares x (1 + credit).
        credit_most: the largest credit that the policy gives.
        gift_tokens, full_tokens: virtual tokens of what its machines did for others that still
            count, and those that earn the largest credit.
        half_life_s: time after which half of a gift counts, seconds.
        running, queued: number of its jobs that run, and that wait.
        in_flight_tokens, cap_tokens: its tokens in flight, and their cap while others wait.
        lend_part: share of each machine's slots that it lends.
        lend_wh_per_day: energy that it lends in a day; None for no limit.
        why: the same in sentences.
    """

    shares: float
    credit: float
    weight: float
    credit_most: float
    gift_tokens: float
    full_tokens: float
    half_life_s: float
    running: int
    queued: int
    in_flight_tokens: int
    cap_tokens: int
    lend_part: float
    lend_wh_per_day: int | None
    why: tuple[str, ...]


class CoopMachine(Struct, frozen=True):
    """A machine of the co-op, and what it ran in the month.

    Attributes:
        node: its name.
        given: jobs of other co-ops.
        own: jobs of its own co-op.
        now: the machine as it stands; None once it has left the pool.
    """

    node: str
    given: Amounts
    own: Amounts
    now: PoolMachine | None


class CoopOverview(Struct, frozen=True):
    """A co-op's own position.

    Attributes:
        coop: the co-op.
        at: time of the view, seconds since the epoch.
        month, timezone, start_at, end_at: the month of the figures.
        quotas: present use of its quotas; for a person without a role in the co-op only those of
            the whole co-op.
        given, received, own: as in the statement of the month.
        balance: of the ledger, over all months; None as ``fair_share``.
        comparison: of its own jobs with the provinces' averages.
        promises: by class, of its own jobs.
        fair_share: None if the policy in force does not name the co-op.
        machines: those of the pool, and those that ran something in the month; none for a person
            without a role in the co-op.
    """

    coop: str
    at: float
    month: str
    timezone: str
    start_at: float
    end_at: float
    quotas: tuple[CoopQuota, ...]
    given: Amounts
    received: Amounts
    own: Amounts
    balance: CoopBalance | None
    comparison: AverageComparison
    promises: tuple[ClassPromise, ...]
    fair_share: CoopFairShare | None
    machines: tuple[CoopMachine, ...]


class CoopMonth(Struct, frozen=True):
    """What the books say of a co-op's month: its totals, its jobs by facts, its machines."""

    month: str
    timezone: str
    totals: StatementTotals
    breakdown: tuple[BreakdownRow, ...]
    machines: tuple[MachineTotals, ...]


def view_coop(
    month: CoopMonth, pool: PoolState, averages: Mapping[str, AnnualAverage], *, lang: str
) -> CoopOverview:
    """Returns a co-op's view.

    Args:
        month: from the books.
        pool: the pool, with the co-op's position.
        averages: annual averages by zone.
        lang: ``fr`` or ``en``.
    """
    totals, position = month.totals, pool.coop
    own_jobs = [row for row in month.breakdown if row.borrower == totals.coop]
    return CoopOverview(
        coop=totals.coop,
        at=pool.at,
        month=month.month,
        timezone=month.timezone,
        start_at=totals.start_at,
        end_at=totals.end_at,
        quotas=tuple(_quota(quota, lang) for quota in (position.quotas if position else ())),
        given=amounts_of(totals.given),
        received=amounts_of(totals.received),
        own=amounts_of(totals.own),
        balance=None if position is None else _balance(position),
        comparison=compare(own_jobs, averages, lang),
        promises=promises_of(own_jobs, lang),
        fair_share=None if position is None else _fair_share(position, lang),
        machines=_machines(month.machines, pool, totals.coop, lang),
    )


def totals_only(view: CoopOverview) -> CoopOverview:
    """Returns what every person of the co-op sees: nothing of a single project, key or machine.

    One colleague may be behind a project or a key, and may sit at a machine.
    """
    quotas = tuple(quota for quota in view.quotas if not (quota.project or quota.key))
    return replace(view, quotas=quotas, machines=())


def _balance(position: CoopState) -> CoopBalance:
    return CoopBalance(
        position.balance_tokens,
        wh_from_uwh(position.balance_uwh),
        g_from_ug(position.balance_ug),
    )


def compare(
    jobs: Iterable[BreakdownRow], averages: Mapping[str, AnnualAverage], lang: str
) -> AverageComparison:
    """Returns the grams of jobs against the annual averages of the provinces where they ran."""
    by_zone: dict[str, JobTotals] = {}
    for row in jobs:
        by_zone[row.zone] = by_zone.get(row.zone, JobTotals()).plus(row.totals)
    provinces = [
        _compare_province(zone, by_zone[zone], averages.get(zone), lang) for zone in sorted(by_zone)
    ]
    known = [each for each in provinces if each.average_gco2e is not None]
    direct = sum(each.direct_gco2e for each in known)
    average = sum(each.average_gco2e or 0.0 for each in known)
    return AverageComparison(direct, average, average - direct, tuple(provinces))


def _compare_province(
    zone: str, totals: JobTotals, average: AnnualAverage | None, lang: str
) -> ProvinceComparison:
    energy_wh = wh_from_uwh(totals.energy_uwh)
    return ProvinceComparison(
        zone=zone,
        name=i18n.zone_name(zone, lang),
        energy_wh=energy_wh,
        direct_gco2e=g_from_ug(totals.carbon_direct_ug),
        average_g_per_kwh=None if average is None else average.direct_g_per_kwh,
        year=None if average is None else average.year,
        source="" if average is None else _source_name(average, lang),
        average_gco2e=None if average is None else energy_wh * average.direct_g_per_kwh / 1_000.0,
    )


def _source_name(average: AnnualAverage, lang: str) -> str:
    code = f"annual-source-{average.source_code}"
    return i18n.text(code, lang) if i18n.has_message(code) else average.source


def promises_of(jobs: Iterable[BreakdownRow], lang: str) -> tuple[ClassPromise, ...]:
    """Returns how often each class's promise was kept, for the classes that have jobs."""
    counts: dict[str, dict[str, int]] = {}
    for row in jobs:
        by_promise = counts.setdefault(row.job_class, {})
        by_promise[row.promise] = by_promise.get(row.promise, 0) + row.totals.jobs
    order = [each.value for each in JobClass]
    names = [name for name in order if name in counts] + sorted(counts.keys() - set(order))
    return tuple(_class_promise(name, counts[name], lang) for name in names)


def _class_promise(name: str, counts: Mapping[str, int], lang: str) -> ClassPromise:
    kept, missed = counts.get(Promise.KEPT, 0), counts.get(Promise.MISSED, 0)
    return ClassPromise(
        job_class=name,
        name=i18n.word("class", name, lang),
        kept=kept,
        missed=missed,
        unpromised=sum(counts.values()) - kept - missed,
        kept_share=kept / (kept + missed) if kept + missed else None,
    )


def _quota(quota: QuotaState, lang: str) -> CoopQuota:
    period = i18n.word("period", quota.period, lang) if quota.ends_at else ""
    return CoopQuota(
        kind=quota.kind,
        period=quota.period,
        name=f"{i18n.word('quota', quota.kind, lang)} {period}".strip(),
        limit=quota.limit,
        used=quota.used,
        reserved=quota.reserved,
        left=quota.left,
        starts_again_at=quota.ends_at or None,
        project=quota.project,
        key=quota.key,
    )


def _fair_share(position: CoopState, lang: str) -> CoopFairShare:
    return CoopFairShare(
        shares=position.shares,
        credit=position.credit,
        weight=position.weight,
        credit_most=position.credit_most,
        gift_tokens=position.gift_tokens,
        full_tokens=position.full_tokens,
        half_life_s=position.half_life_s,
        running=position.running,
        queued=position.queued,
        in_flight_tokens=position.in_flight_tokens,
        cap_tokens=position.cap_tokens,
        lend_part=position.lend_part,
        lend_wh_per_day=position.lend_wh_per_day,
        why=_why(position, lang),
    )


def _why(position: CoopState, lang: str) -> tuple[str, ...]:
    """Returns why a co-op has its weight, in sentences."""
    values: dict[str, i18n.Value] = {
        "shares": position.shares,
        "weight": i18n.decimal(position.weight, lang),
        "credit": position.credit,
        "credit_most": position.credit_most,
        "tokens": i18n.decimal(round(position.gift_tokens), lang),
        "days": i18n.decimal(position.half_life_s / DAY_S, lang),
    }
    if position.credit_most <= 0.0:
        credit = "credit-off"
    elif position.credit <= 0.0:
        credit = "credit-none"
    elif position.credit >= position.credit_most:
        credit = "credit-most"
    else:
        credit = "credit-some"
    return tuple(i18n.text(f"coop-{code}", lang, **values) for code in ("weight", credit, "turns"))


def _machines(
    ran: Sequence[MachineTotals], pool: PoolState, coop: str, lang: str
) -> tuple[CoopMachine, ...]:
    cards = {card.node: card for card in pool.machines if card.coop == coop}
    totals = {each.node: each for each in ran}
    return tuple(
        CoopMachine(
            node=node,
            given=amounts_of(totals[node].given) if node in totals else Amounts(),
            own=amounts_of(totals[node].own) if node in totals else Amounts(),
            now=view_machine(cards[node], lang) if node in cards else None,
        )
        for node in sorted(cards.keys() | totals.keys())
    )
