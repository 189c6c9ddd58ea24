"""Policy: everything the members decide, in one versioned document.

The core applies the policy in force, and every decision names its version. Every struct refuses
unknown keys; ``policy_validation`` checks the values.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from entraide.models import OpennessClass
from entraide.quality_terms import QualityTerms
from entraide.types import Control, DataClass, Effort, JobClass


class QuotaKind(StrEnum):
    """What a quota counts."""

    TOKENS = "tokens"  # input and output, in one period
    REQUESTS = "requests"  # admitted jobs, in one period
    JOBS_IN_FLIGHT = "jobs_in_flight"  # admitted and not yet ended; has no period
    ENERGY_WH = "energy_wh"  # watt-hours, in one period
    CARBON_G = "carbon_g"  # direct gCO2e, in one period


class Period(StrEnum):
    """How often a quota starts again; an event of the shell's calendar begins each period."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"
    NONE = "none"


class Quota(Struct, frozen=True, forbid_unknown_fields=True):
    """A hard limit on one co-op, or on one of its projects or keys.

    Attributes:
        kind: what is counted.
        limit: in the unit of the kind: tokens, jobs, Wh or gCO2e.
        period: calendar period; none for jobs in flight.
        project, key: owner within the co-op; both "" for the whole co-op.
    """

    kind: QuotaKind
    limit: int
    period: Period = Period.NONE
    project: str = ""
    key: str = ""


QUOTA_NAME = ("kind", "period", "project", "key")  # which quota of a co-op it is


def quota_name(quota: Quota) -> tuple[str, ...]:
    """Returns which quota of a co-op a quota is; the others of its values may change."""
    return tuple(str(getattr(quota, name)) for name in QUOTA_NAME)


class Lend(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of its own nodes a co-op lends to the others.

    Attributes:
        part: share of each replica's slots that others may hold at once, in [0, 1]; one slot at
            least of a share above 0.
        energy_wh_per_day: energy that others may use on its nodes in one day; None for no limit.
    """

    part: float = 1.0
    energy_wh_per_day: int | None = None

    @property
    def is_any(self) -> bool:
        """Whether the co-op lends anything at all."""
        return self.part > 0.0 and self.energy_wh_per_day != 0

    def slots_of(self, slots: int) -> int:
        """Returns how many of a replica's slots are lent: at least one, if any part is."""
        return max(1, int(self.part * slots)) if self.part > 0.0 else 0


class CoopTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of one co-op.

    Attributes:
        coop: identifier.
        shares: weight in the fair share (one member, one vote: 1 by default).
        quotas: hard limits.
        lend: how much of its own nodes it lends.
        name: what people read in place of the identifier; "" for the identifier itself.
        language: of questions whose text does not show it, ``fr`` or ``en``; "" for the pool's.
    """

    coop: str
    shares: float = 1.0
    quotas: tuple[Quota, ...] = ()
    lend: Lend = Lend()
    name: str = ""
    language: str = ""


class ClassTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """The objective of a class of jobs; None where the class promises nothing.

    Attributes:
        job_class: which class.
        rank: order of classes with equal counters in one project; the lower goes first.
        ttft_s: promised time to first token, seconds.
        tpot_s: promised time per output token, seconds.
        completion_s: promised time to the end, seconds.
        share: weight of the class among the waiting classes of one project.
        confidence: probability with which a prediction must keep the objective.
        green_hours: whether its jobs may wait for greener hours.
        max_wait_s: how long a live job waits at most while no node would accept it, seconds; 0:
            without a limit.
    """

    job_class: JobClass
    rank: int
    ttft_s: float | None = None
    tpot_s: float | None = None
    completion_s: float | None = None
    share: float = 1.0
    confidence: float = 0.9
    green_hours: bool = False
    max_wait_s: float = 0.0


class Timing(Struct, frozen=True, forbid_unknown_fields=True):
    """Timeouts of the scheduler, seconds.

    A node is busy while its heartbeats list runs; see ``node_silence``.
    """

    suspect_after_s: float = 4.0
    lost_after_s: float = 10.0
    offer_timeout_s: float = 5.0
    lease_s: float = 12.0  # an active lease without progress expires after this time
    job_kept_s: float = 600.0  # how long an ended job can be asked for
    resume_s: float = 60.0  # how long a part of an answer may wait for a node that continues it
    busy_suspect_after_s: float = 1.0
    busy_lost_after_s: float = 1.75  # its runs are placed elsewhere
    reconnect_s: float = 0.75  # likewise, after the bus closed the node's connection


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of queues, retries and explanations."""

    queued_per_coop: int = 10_000
    attempts: int = 4  # placements of one job
    explained_nodes: int = 64  # larger fleets are explained by examples
    explained_best: int = 16  # then this many by grams and by latency
    output_tokens_default: int = 512
    shapes_per_coop: int = 256  # of waiting jobs, which each event about a node may examine


class ChargeWeights(Struct, frozen=True, forbid_unknown_fields=True):
    """Virtual tokens per token, by phase (VTC, Sheng et al., OSDI 2024, uses 1 and 2)."""

    input_weight: float = 1.0
    output_weight: float = 2.0


class Credit(Struct, frozen=True, forbid_unknown_fields=True):
    """Increase of a co-op's weight by its gifts to the pool: shares x (1 + credit).

    Attributes:
        most: largest credit; 0 turns credit off.
        half_life_s: time after which half of a gift counts, seconds.
        full_tokens: decayed virtual tokens that earn the largest credit.
    """

    most: float = 0.25
    half_life_s: float = 604_800.0
    full_tokens: float = 5_000_000.0


class FairShare(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of the fair queue.

    Attributes:
        cap_tokens: tokens (prompt and longest answer) that one co-op holds in flight at most
            while another waits for the same nodes.
        expected_lengths: whether the expected answer is charged at dispatch and corrected as
            tokens come; otherwise only produced tokens are charged (plain VTC).
        own_nodes: whether a job that its co-op's own nodes could run now goes first (owed).
        head_start_tokens: virtual tokens by which a returning co-op's counter may stay below the
            virtual time, about three jobs; never more than its cap leaves.
        credit: see ``Credit``.
    """

    cap_tokens: int = 65_536
    expected_lengths: bool = True
    own_nodes: bool = True
    head_start_tokens: int = 3_072
    credit: Credit = Credit()


class IntensityBasis(StrEnum):
    """The emission factor that decisions compare."""

    DIRECT = "direct"
    LIFECYCLE = "lifecycle"


class Carbon(Struct, frozen=True, forbid_unknown_fields=True):
    """How grams are computed and compared.

    Attributes:
        own_direct_g_per_kwh: direct intensity of a site's own solar or wind power, g/kWh.
        own_lifecycle_g_per_kwh: life-cycle intensity of own solar power, g/kWh (IPCC AR5 WG III
            annex III, table A.III.2, rooftop and utility PV: 41 to 48; 45 as Electricity Maps
            uses).
        tolerance: relative difference of grams below which two placements are equal.
        headroom: weight of a node's load in its grams, among nodes of one intensity; on a full
            node with the whole promised time used, grams count 1 + 3 x headroom times.
        late_weight: what a late first token weighs, as a multiple of the least grams at which it is
            expected in time. A node may be picked at a risk of p that saves more than p times
            this part of the grams.
        basis: intensity that decisions compare; receipts show both.
    """

    own_direct_g_per_kwh: float = 0.0
    own_lifecycle_g_per_kwh: float = 45.0
    tolerance: float = 0.02
    headroom: float = 4.0
    late_weight: float = 20.0
    basis: IntensityBasis = IntensityBasis.DIRECT


class Evidence(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a site's renewable status counts.

    Attributes:
        declared_part: part of a declared surplus that counts, in [0, 1].
        estimated_part: part of an estimated surplus that counts, in [0, 1].
        declared_valid_s: longest validity of a declaration, seconds.
        undocumented_part: part of what otherwise counts that counts of a surplus for which the
            operator vouches no evidence, in [0, 1].
    """

    declared_part: float = 1.0
    estimated_part: float = 1.0
    declared_valid_s: float = 2_678_400.0
    undocumented_part: float = 0.0


class Newcomer(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a machine that joins is new, and what it is given meanwhile.

    Attributes:
        runs: runs that it must have ended for other co-ops without a fault; 0: no machine is new.
        internal_part: largest part of the other co-ops' ``internal`` prompts, in [0, 1].
    """

    runs: int = 200
    internal_part: float = 0.1


class ClassReasoning(Struct, frozen=True, forbid_unknown_fields=True):
    """``Reasoning`` of one class of jobs, in place of the pool's."""

    job_class: JobClass
    default: Effort = Effort.NONE
    budget_tokens: int = 0


class CoopReasoning(Struct, frozen=True, forbid_unknown_fields=True):
    """``Reasoning`` of one co-op's jobs, in place of their class's."""

    coop: str
    default: Effort = Effort.NONE
    budget_tokens: int = 0


class Reasoning(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether models think before they answer, where a request does not say.

    Attributes:
        default: how long they think (``none``, ``low``, ``medium``, ``high``).
        budget_tokens: largest thought, tokens; 0: without a limit but the answer's own. It needs
            an engine that keeps it.
        classes: terms of classes of jobs.
        coops: terms of co-ops.
    """

    default: Effort = Effort.NONE
    budget_tokens: int = 0
    classes: tuple[ClassReasoning, ...] = ()
    coops: tuple[CoopReasoning, ...] = ()

    def terms_of(self, coop: str, job_class: JobClass) -> tuple[Effort, int]:
        """Returns effort and budget of a co-op's jobs of a class."""
        if not self.coops and not self.classes:
            return self.default, self.budget_tokens
        of_coop = (terms for terms in self.coops if terms.coop == coop)
        of_class = (terms for terms in self.classes if terms.job_class is job_class)
        terms = next(of_coop, None) or next(of_class, None) or self
        return terms.default, terms.budget_tokens

    def without_coop(self, coop: str) -> "Reasoning":
        """Returns the terms without those of a co-op."""
        return replace(self, coops=tuple(terms for terms in self.coops if terms.coop != coop))


class PrefixTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether engines may keep what they read, so that a conversation's next turn reads less.

    A state is kept for one person, or for one program's key, and used for no other.

    Attributes:
        enabled: whether anything is kept.
        keep_s: time after a run for which its state is kept at most, seconds.
        cached_token_part: part of a token that a prompt token found in a kept state counts in
            quotas and statements, in [0, 1].
    """

    enabled: bool = True
    keep_s: float = 900.0
    cached_token_part: float = 0.1


class Deferral(Struct, frozen=True, forbid_unknown_fields=True):
    """How batch jobs wait for greener hours.

    Attributes:
        slots_part: largest share of each replica's slots that batch jobs hold, in (0, 1].
        worth: relative saving from which a greener hour is worth the wait.
        margin: share of the remaining time, before the latest start, in which only sure slots
            count, in [0, 1).
        forecast_valid_s: age up to which a forecast is used, seconds; then the profile is used.
    """

    slots_part: float = 0.5
    worth: float = 0.005
    margin: float = 0.1
    forecast_valid_s: float = 172_800.0


class ModelTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """How the pool loads and unloads models on nodes.

    Attributes:
        unload_idle_s: time without requests after which a model may be unloaded for another, s.
        residence_s: least time that a loaded model stays, seconds.
        scale_after_s: time for which the objective must be expected to be missed before one more
            node loads the model, seconds.
        loads_per_hour: most loads of models on one node in an hour.
        retry_s: first back-off of a node that failed to load a model, seconds; doubled by each
            further failure.
        retry_most_s: longest back-off, seconds.
        half_life_s: half-life of the recent demand for a model, seconds.
    """

    unload_idle_s: float = 900.0
    residence_s: float = 300.0
    scale_after_s: float = 60.0
    loads_per_hour: int = 12
    retry_s: float = 30.0
    retry_most_s: float = 3_600.0
    half_life_s: float = 300.0


class Picker(StrEnum):
    """The rule that picks one of the fitting nodes."""

    GREENEST = "greenest"  # least grams among those that keep the objective
    WEIGHTED = "weighted"  # least weighted sum of grams, seconds and Wh
    FASTEST = "fastest"  # earliest first token
    LEAST_LOADED = "least_loaded"  # smallest share of slots in use
    ROUND_ROBIN = "round_robin"  # least recently used
    GREEDY_GREEN = "greedy_green"  # least grid intensity, without the objective


class Approval(StrEnum):
    """How a machine that shows a valid join token is approved.

    By token, it is approved at once, since the operator made the token. By hand, it waits.
    """

    TOKEN = "token"  # noqa: S105  (no password)
    HAND = "hand"


class Weights(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the ``weighted`` picker, per gram, second and watt-hour."""

    per_g: float = 1.0
    per_s: float = 0.01
    per_wh: float = 0.0


DEFAULT_CLASSES = (
    ClassTerms(
        JobClass.INTERACTIVE,
        0,
        ttft_s=2.0,
        tpot_s=0.2,
        share=16.0,
        confidence=0.99,
        max_wait_s=60.0,
    ),
    ClassTerms(JobClass.STANDARD, 1, completion_s=120.0, share=4.0, max_wait_s=60.0),
    ClassTerms(JobClass.BATCH, 2, completion_s=86_400.0, share=1.0, green_hours=True),
)


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy.

    Attributes:
        version: name of this version, in every decision.
        coops: the member co-ops; jobs of other co-ops are refused.
        classes: objectives by class.
        jurisdiction: default prefix of the zones where a job may run.
        charge, carbon, timing, limits, fair_share, evidence, deferral, models, weights, newcomer,
            reasoning, quality, prefix: sections.
        picker: rule that picks a node; those other than ``greenest`` exist for comparison.
        controlled_by: default control of the nodes where a job may run; "" for any.
        approval: how a machine that joins is approved.
        openness: class of openness that each model must reach, by the Model Openness Framework; ""
            for any. A request may require a higher one, and no lower one.
        sandboxed: data classes that are given only to machines whose engines run in a sandbox.
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
    controlled_by: Control = Control.UNSTATED
    approval: Approval = Approval.TOKEN
    newcomer: Newcomer = Newcomer()
    reasoning: Reasoning = Reasoning()
    quality: QualityTerms = QualityTerms()
    openness: OpennessClass = OpennessClass.UNSTATED
    sandboxed: tuple[DataClass, ...] = ()
    prefix: PrefixTerms = PrefixTerms()
