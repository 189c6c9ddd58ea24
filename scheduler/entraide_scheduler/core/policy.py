"""Policy: everything the members decide, in one versioned document.

The core obeys it and every decision names its version. What is wrong with a document stands in
``policy_validation``; voting, trying and publishing do not belong here.
"""

from enum import StrEnum

from msgspec import Struct

from entraide.types import JobClass


class QuotaKind(StrEnum):
    """What a quota counts."""

    TOKENS = "tokens"  # input and output, in one period
    REQUESTS = "requests"  # admitted jobs, in one period
    JOBS_IN_FLIGHT = "jobs_in_flight"  # admitted and not yet ended; has no period
    ENERGY_WH = "energy_wh"  # watt-hours, in one period
    CARBON_G = "carbon_g"  # direct gCO2e, in one period


class Period(StrEnum):
    """When a quota begins again; the shell knows the calendar and says so by an event."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"
    NONE = "none"


class Quota(Struct, frozen=True, forbid_unknown_fields=True):
    """A hard limit on one co-op, or on one of its projects or keys.

    Attributes:
        kind: what is counted.
        limit: in the unit of the kind: tokens, jobs, Wh or gCO2e.
        period: how long it lasts; none for jobs in flight.
        project, key: whose it is within the co-op; both "" for the whole co-op.
    """

    kind: QuotaKind
    limit: int
    period: Period = Period.NONE
    project: str = ""
    key: str = ""


class Lend(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of its own nodes a co-op lends to the others.

    Attributes:
        part: of each replica's slots, how much others may hold at once, in [0, 1].
        energy_wh_per_day: energy that others may use on its nodes in one day; None for no limit.
    """

    part: float = 1.0
    energy_wh_per_day: int | None = None


class CoopTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What the members agreed for one co-op.

    Attributes:
        coop: identifier.
        shares: weight in the fair share (one member, one vote: 1 by default).
        quotas: hard limits.
        lend: how much of its own nodes it lends.
    """

    coop: str
    shares: float = 1.0
    quotas: tuple[Quota, ...] = ()
    lend: Lend = Lend()


class ClassTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """The objective of a class of jobs; None where it promises nothing.

    Attributes:
        job_class: which class.
        rank: order between classes of one project whose turn it is alike; lower goes first.
        ttft_s: promised time to first token, seconds.
        tpot_s: promised time per output token, seconds.
        completion_s: promised time to the end, seconds.
        share: weight of the class among the waiting classes of one project.
        confidence: probability with which a node must be expected to keep the promise.
        green_hours: whether its jobs may wait for greener hours.
    """

    job_class: JobClass
    rank: int
    ttft_s: float | None = None
    tpot_s: float | None = None
    completion_s: float | None = None
    share: float = 1.0
    confidence: float = 0.9
    green_hours: bool = False


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


class ChargeWeights(Struct, frozen=True, forbid_unknown_fields=True):
    """Virtual tokens per token, by phase (VTC, Sheng et al., OSDI 2024, uses 1 and 2)."""

    input_weight: float = 1.0
    output_weight: float = 2.0


class Credit(Struct, frozen=True, forbid_unknown_fields=True):
    """What a co-op's gifts to the pool add to its weight: shares x (1 + credit).

    Attributes:
        most: the largest credit there is; 0 turns credit off.
        half_life_s: after so long half of a gift counts.
        full_wh: what ``full_tokens`` was until gifts were counted in virtual tokens; used only to
            read the gifts of an older snapshot.
        full_tokens: virtual tokens given (net of age) that earn the largest credit.
    """

    most: float = 0.25
    half_life_s: float = 604_800.0
    full_wh: float = 1_000.0
    full_tokens: float = 5_000_000.0


class FairShare(Struct, frozen=True, forbid_unknown_fields=True):
    """How turns are taken.

    Attributes:
        cap_tokens: tokens (prompt and longest answer) that one co-op holds in flight at most
            while another waits for the same nodes.
        expected_lengths: whether a turn counts the answer that is expected, corrected as it
            comes; else only what was produced (plain VTC).
        own_nodes: whether a job that its co-op's own nodes could run now goes first.
        head_start_tokens: virtual tokens by which one that comes back may stand below the place
            where turns are taken, if it was served less: some three jobs. Never more than its cap
            leaves.
        credit: see there.
    """

    cap_tokens: int = 65_536
    expected_lengths: bool = True
    own_nodes: bool = True
    head_start_tokens: int = 3_072
    credit: Credit = Credit()


class IntensityBasis(StrEnum):
    """Which emissions decisions compare."""

    DIRECT = "direct"
    LIFECYCLE = "lifecycle"


class Carbon(Struct, frozen=True, forbid_unknown_fields=True):
    """How grams are reckoned and compared.

    Attributes:
        own_direct_g_per_kwh: direct intensity of own sun or wind.
        own_lifecycle_g_per_kwh: life-cycle intensity of own sun (IPCC AR5 WG III annex III,
            table A.III.2, rooftop and utility PV: 41 to 48; 45 as Electricity Maps uses).
        tolerance: two placements whose grams differ by less than this part are equal.
        headroom: how much dearer grams count where little room is left for what comes next: at a
            node that would be full, with the whole promised time used up, 1 + three times this.
        basis: which intensity decisions compare; receipts show both.
    """

    own_direct_g_per_kwh: float = 0.0
    own_lifecycle_g_per_kwh: float = 45.0
    tolerance: float = 0.02
    headroom: float = 4.0
    basis: IntensityBasis = IntensityBasis.DIRECT


class Evidence(Struct, frozen=True, forbid_unknown_fields=True):
    """How a site's renewable status is trusted.

    Attributes:
        declared_part: part of a declared surplus that counts, in [0, 1].
        estimated_part: part of an estimated surplus that counts, in [0, 1].
        declared_valid_s: a declaration counts for so long after its moment at most.
    """

    declared_part: float = 1.0
    estimated_part: float = 1.0
    declared_valid_s: float = 2_678_400.0


class Deferral(Struct, frozen=True, forbid_unknown_fields=True):
    """How batch work waits for greener hours.

    Attributes:
        slots_part: part of each replica's slots that batch jobs hold at most, in (0, 1].
        worth: a greener hour is worth the wait when its grams are lower by this part.
        margin: part of the time that is left which is kept for surprises, in [0, 1).
        forecast_valid_s: a forecast is used for so long after its issue; then the profile is.
    """

    slots_part: float = 0.5
    worth: float = 0.005
    margin: float = 0.1
    forecast_valid_s: float = 172_800.0


class ModelTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """How models are loaded and unloaded at the pool's word.

    Attributes:
        unload_idle_s: a model that nobody asked for during so long makes room for another.
        residence_s: what was loaded stays for so long at least.
        scale_after_s: the promise is expected to be missed for so long before one more node loads
            the same model.
        loads_per_hour: how often one node loads a model in an hour at most.
        retry_s: a node that failed to load a model rests for so long, twice as long after each
            further failure.
        retry_most_s: it never rests longer.
        half_life_s: half of the recent demand for a model is forgotten after so long.
    """

    unload_idle_s: float = 900.0
    residence_s: float = 300.0
    scale_after_s: float = 60.0
    loads_per_hour: int = 12
    retry_s: float = 30.0
    retry_most_s: float = 3_600.0
    half_life_s: float = 300.0


class Picker(StrEnum):
    """How one of the nodes that fit is picked."""

    GREENEST = "greenest"  # the greenest that keeps the promise: the pool's own
    WEIGHTED = "weighted"  # least weighted sum of grams, seconds and watt-hours
    FASTEST = "fastest"  # first token soonest
    LEAST_LOADED = "least_loaded"  # least part of its slots taken
    ROUND_ROBIN = "round_robin"  # the one that was taken longest ago
    GREEDY_GREEN = "greedy_green"  # least grid intensity, whatever the promise


class Weights(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the plain weighted mode: one unit each of what is named."""

    per_g: float = 1.0
    per_s: float = 0.01
    per_wh: float = 0.0


DEFAULT_CLASSES = (
    ClassTerms(JobClass.INTERACTIVE, 0, ttft_s=2.0, tpot_s=0.2, share=16.0, confidence=0.99),
    ClassTerms(JobClass.STANDARD, 1, completion_s=120.0, share=4.0),
    ClassTerms(JobClass.BATCH, 2, completion_s=86_400.0, share=1.0, green_hours=True),
)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy.

    Attributes:
        version: name of this version; every decision carries it.
        coops: the members. A co-op that is not here is not admitted.
        classes: objectives by class.
        jurisdiction: default prefix of the zones where a job may run.
        charge, carbon, timing, limits, fair_share, evidence, deferral, models, weights: see there.
        picker: how a node is picked; the others than ``greenest`` are there to compare with.
    """

    version: str
    coops: tuple[CoopTerms, ...] = ()
    classes: tuple[ClassTerms, ...] = DEFAULT_CLASSES
    jurisdiction: str = "CA"
    charge: ChargeWeights = ChargeWeights()
    carbon: Carbon = Carbon()
    timing: Timing = Timing()
    limits: Limits = Limits()
    fair_share: FairShare = FairShare()
    evidence: Evidence = Evidence()
    deferral: Deferral = Deferral()
    models: ModelTerms = ModelTerms()
    picker: Picker = Picker.GREENEST
    weights: Weights = Weights()
