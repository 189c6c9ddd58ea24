"""Policy: everything the members decide, in one versioned document.

The core obeys it and every decision names its version. Validation lives here; voting, trying and
publishing do not.
"""

from enum import StrEnum

from msgspec import Struct

from entraide.types import JobClass


class QuotaKind(StrEnum):
    """What a quota counts."""

    TOKENS = "tokens"  # input and output, in one period
    REQUESTS = "requests"  # admitted jobs, in one period
    JOBS_IN_FLIGHT = "jobs_in_flight"  # admitted and not yet ended; has no period


class Period(StrEnum):
    """When a quota begins again; the shell knows the calendar and says so by an event."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"
    NONE = "none"


class Quota(Struct, frozen=True, forbid_unknown_fields=True):
    """A hard limit on one co-op."""

    kind: QuotaKind
    limit: int
    period: Period = Period.NONE


class CoopTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What the members agreed for one co-op.

    Attributes:
        coop: identifier.
        shares: weight in the fair share (one member, one vote: 1 by default).
        quotas: hard limits.
    """

    coop: str
    shares: float = 1.0
    quotas: tuple[Quota, ...] = ()


class ClassTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """The objective of a class of jobs; None where it promises nothing.

    Attributes:
        job_class: which class.
        rank: order between classes of one project; lower goes first.
        ttft_s: promised time to first token, seconds.
        tpot_s: promised time per output token, seconds.
        completion_s: promised time to the end, seconds.
    """

    job_class: JobClass
    rank: int
    ttft_s: float | None = None
    tpot_s: float | None = None
    completion_s: float | None = None


class Timing(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the scheduler waits before it draws a conclusion, seconds."""

    suspect_after_s: float = 4.0
    lost_after_s: float = 10.0
    offer_timeout_s: float = 5.0
    lease_s: float = 12.0  # an active lease without progress for so long is over
    job_kept_s: float = 600.0  # how long an ended job stays in the core for questions


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """A limit on everything."""

    queued_per_coop: int = 10_000
    attempts: int = 4  # placements of one job
    explained_nodes: int = 64  # listed one by one up to here
    explained_best: int = 16  # above: so many by grams and by latency
    output_tokens_default: int = 512


class Charge(Struct, frozen=True, forbid_unknown_fields=True):
    """Virtual tokens per token, by phase (VTC, Sheng et al., OSDI 2024, uses 1 and 2)."""

    input_weight: float = 1.0
    output_weight: float = 2.0


class Carbon(Struct, frozen=True, forbid_unknown_fields=True):
    """How grams are reckoned and compared.

    Attributes:
        own_direct_g_per_kwh: direct intensity of own sun or wind.
        own_lifecycle_g_per_kwh: life-cycle intensity of own sun (IPCC AR5 WG III annex III,
            table A.III.2, rooftop and utility PV: 41 to 48; 45 as Electricity Maps uses).
        tolerance: two placements whose grams differ by less than this part are equal.
    """

    own_direct_g_per_kwh: float = 0.0
    own_lifecycle_g_per_kwh: float = 45.0
    tolerance: float = 0.02


DEFAULT_CLASSES = (
    ClassTerms(JobClass.INTERACTIVE, 0, ttft_s=2.0, tpot_s=0.2),
    ClassTerms(JobClass.STANDARD, 1, completion_s=120.0),
    ClassTerms(JobClass.BATCH, 2, completion_s=86_400.0),
)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy.

    Attributes:
        version: name of this version; every decision carries it.
        coops: the members. A co-op that is not here is not admitted.
        classes: objectives by class.
        jurisdiction: default prefix of the zones where a job may run.
        charge, carbon, timing, limits: see there.
    """

    version: str
    coops: tuple[CoopTerms, ...] = ()
    classes: tuple[ClassTerms, ...] = DEFAULT_CLASSES
    jurisdiction: str = "CA"
    charge: Charge = Charge()
    carbon: Carbon = Carbon()
    timing: Timing = Timing()
    limits: Limits = Limits()


def faults(policy: Policy) -> tuple[str, ...]:
    """Returns what is wrong with a policy, each as ``path: what``; empty when it is sound."""
    found = []
    names = [terms.coop for terms in policy.coops]
    if not policy.version:
        found.append("version: must not be empty")
    if len(set(names)) != len(names):
        found.append("coops: the same co-op stands twice")
    for terms in policy.coops:
        if not terms.shares > 0:
            found.append(f"coops.{terms.coop}.shares: must be above 0")
        for quota in terms.quotas:
            periodic = quota.kind is not QuotaKind.JOBS_IN_FLIGHT
            if quota.limit < 0:
                found.append(f"coops.{terms.coop}.quotas.{quota.kind}: must not be negative")
            if periodic == (quota.period is Period.NONE):
                found.append(f"coops.{terms.coop}.quotas.{quota.kind}: wrong period")
    if {terms.job_class for terms in policy.classes} != set(JobClass):
        found.append("classes: each class must stand exactly once")
    if not 0 < policy.timing.suspect_after_s < policy.timing.lost_after_s:
        found.append("timing: needs 0 < suspect_after_s < lost_after_s")
    if policy.limits.attempts < 1 or policy.limits.output_tokens_default < 1:
        found.append("limits: attempts and output_tokens_default must be at least 1")
    return tuple(found)
