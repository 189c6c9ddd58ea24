"""Pool state: structs inside ``PoolReply``, which gateways show to the pool's members.

They hold facts of machines and counts of jobs; never a job, a key, a text or a person. A field is
only added at the end, with a default. Times are seconds since the epoch.
"""

from msgspec import Struct

from entraide.lent_terms import LentTerms


class MachineModel(Struct, frozen=True, array_like=True):
    """A model that a machine serves: its slots, the pool's runs on it, and whether it rests."""

    model: str
    slots: int
    running: int
    resting: bool = False


class SiteSurplus(Struct, frozen=True, array_like=True):
    """Own renewable power that a machine's site has to spare, watts.

    Attributes:
        reported_w, counted_w: as reported, and the part that the policy counts.
        basis: how the node obtained it.
        evidence: what backs it, as the operator vouches; "" for nothing.
        measured_at, expires_at: of the report.
    """

    reported_w: float
    counted_w: float
    basis: str
    evidence: str
    measured_at: float
    expires_at: float


class MachineCard(Struct, frozen=True, array_like=True):
    """A machine that has not left the pool.

    Attributes:
        node, coop, site, zone: its name, its owner and its place.
        device: identifier in the hardware catalogue.
        state: live, suspect or lost.
        accepting, reason: whether it takes new work, and the stable code why not.
        quarantined: whether its messages are ignored.
        models: the models that it serves.
        loading: the models that it is loading.
        controlled_by: who controls its owner; "" where unstated.
        surplus: of its site; None where none is reported.
        terms: its owner's hours and caps; None where the owner does not tell them.
    """

    node: str
    coop: str
    site: str
    zone: str
    device: str
    state: str
    accepting: bool
    reason: str
    quarantined: bool
    models: tuple[MachineModel, ...]
    loading: tuple[str, ...]
    controlled_by: str
    surplus: SiteSurplus | None
    terms: LentTerms | None = None


class WaitingJobs(Struct, frozen=True, array_like=True):
    """Number of jobs of a class that wait for a reason, a stable code."""

    reason: str
    job_class: str
    jobs: int


class HourIntensity(Struct, frozen=True, array_like=True):
    """Expected intensity of an hour, and its signal; None and "" where nothing is known."""

    g_per_kwh: float | None
    signal: str


class ZoneCard(Struct, frozen=True, array_like=True):
    """A grid zone's intensity, now and in the next hours.

    Attributes:
        zone: the zone.
        direct_g_per_kwh, lifecycle_g_per_kwh: present intensity, gCO2e/kWh.
        basis: how it was obtained.
        valid_until: end of its validity.
        hours: from the present hour on, on the policy's basis.
        issued_at: when the newest forecast was issued; 0 without one.
        source: ``electricity_maps``, ``series``, ``annual``, or "" where unknown.
        data_at: time of the source's data; 0 where unknown.
    """

    zone: str
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: str
    valid_until: float
    hours: tuple[HourIntensity, ...]
    issued_at: float = 0.0
    source: str = ""
    data_at: float = 0.0


class WorkHour(Struct, frozen=True, array_like=True):
    """Waiting jobs and batches' lines that are expected in an hour of a zone.

    ``zone`` is "" and ``at`` 0 for work whose hours were not computed.
    """

    zone: str
    at: float
    jobs: int
    lines: int


class QuotaState(Struct, frozen=True, array_like=True):
    """A quota and its use in the present period, in the quota's unit.

    ``ends_at`` is 0 without a period, or where it is unknown.
    """

    kind: str
    period: str
    limit: int
    used: float
    reserved: float
    left: float
    ends_at: float
    project: str = ""
    key: str = ""


class CoopState(Struct, frozen=True, array_like=True):
    """A co-op's position in the pool.

    Attributes:
        coop: the co-op.
        quotas: its quotas.
        balance_tokens, balance_uwh, balance_ug: its balance in the ledger; positive is given.
        shares, credit, weight: its shares, its credit, and shares x (1 + credit).
        credit_most, half_life_s, full_tokens: the policy's terms of credit.
        gift_tokens: virtual tokens of its gifts that still count.
        running, queued: number of its jobs that hold a run, and that wait.
        in_flight_tokens, cap_tokens: tokens in flight, and their cap while others wait.
        lend_part: share of each replica's slots that it lends.
        lend_wh_per_day: energy that it lends in a day; None for no limit.
    """

    coop: str
    quotas: tuple[QuotaState, ...]
    balance_tokens: int
    balance_uwh: int
    balance_ug: int
    shares: float
    credit: float
    weight: float
    credit_most: float
    half_life_s: float
    full_tokens: float
    gift_tokens: float
    running: int
    queued: int
    in_flight_tokens: int
    cap_tokens: int
    lend_part: float
    lend_wh_per_day: int | None


class PoolState(Struct, frozen=True, array_like=True):
    """The pool at a time.

    Attributes:
        at: the time.
        policy_version: of the policy in force.
        intensity_basis: ``direct`` or ``lifecycle``: the basis of expected intensities.
        queued, running: number of jobs that wait, and that machines hold.
        machines: by name; the first ones of a very large pool.
        machines_total: number of machines.
        waiting: the waiting jobs by reason and class.
        zones: by zone.
        work: work that waits for greener hours, by zone and hour.
        coop: the position of the co-op that was asked for; None without one.
    """

    at: float
    policy_version: str
    intensity_basis: str
    queued: int
    running: int
    machines: tuple[MachineCard, ...]
    machines_total: int
    waiting: tuple[WaitingJobs, ...]
    zones: tuple[ZoneCard, ...]
    work: tuple[WorkHour, ...]
    coop: CoopState | None = None
