"""Policy validation: finds the faults of a policy before the policy comes into force.

Holds the allowed range of every key. A fault names the key by its path, the wrong value and the
allowed values; the message catalogue has the sentences (``error-policy_refused``).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from entraide.models import EVALUATED_LANGUAGES, REQUIRED_CLASSES, OpennessClass
from entraide.quality_terms import QualityException, QualityTerms, exception_name
from entraide.thinking import BUDGET_TOKENS_MAX
from entraide.types import JobClass
from entraide_scheduler.core.policy import policy as p

MOST = 1_000_000_000_000  # upper bound of every number: in uWh it still fits 64 bits
COOPS_MAX = 10_000
RESUME_MAX_S = 60.0  # a client that waits longer for the rest of an answer asks again
QUOTAS_MAX = 10_000  # of one co-op, with those of its projects and keys


class PolicyFault(Struct, frozen=True):
    """One fault of a policy.

    Attributes:
        key: path of the faulty key (``coops.boreale.quotas.1.limit``).
        fault: stable code of the fault.
        values: the wrong value and the bounds, for the sentence.
    """

    key: str
    fault: str
    values: dict[str, str | int | float] = {}


class AllowedRange(Struct, frozen=True):
    """The numbers from ``low`` to ``high``; an open end is excluded."""

    low: float
    high: float = MOST
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Tells whether a number lies in the range; infinities and NaN never do."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def fault(self, value: float) -> str:
        """Returns the fault code of a number outside the range."""
        if value > self.high >= MOST:
            return "most"
        if self.high >= MOST:
            return "above" if self.open_low else "least"
        return (
            "between_not_low"
            if self.open_low
            else ("between_not_high" if self.open_high else "between")
        )


# Bounds that keep every product and quotient of the core finite, and far from where sums of
# floats lose what is added: weights divide tokens, half-lives divide times, tolerances multiply.
WEIGHT = AllowedRange(0.001, 1_000_000)
TIME_S = AllowedRange(0.001, 1_000_000_000)
LIFE_S = AllowedRange(1, 1_000_000_000)
AMOUNT = AllowedRange(0.001, 1_000_000_000_000)
FACTOR = AllowedRange(0, 1_000)
G_PER_KWH = AllowedRange(0, 10_000)
FROM_0 = AllowedRange(0)
FROM_1 = AllowedRange(1)
PART = AllowedRange(0, 1)
BUDGET = AllowedRange(0, BUDGET_TOKENS_MAX)
ANY = AllowedRange(-MOST)  # of a number without a row: it is finite

RANGES: Mapping[type, Mapping[str, AllowedRange]] = MappingProxyType(
    {
        p.Quota: {"limit": FROM_0},
        p.Lend: {"part": PART, "energy_wh_per_day": FROM_0},
        p.CoopTerms: {"shares": WEIGHT},
        p.ClassTerms: {
            "rank": FROM_0,
            "ttft_s": TIME_S,
            "tpot_s": TIME_S,
            "completion_s": TIME_S,
            "share": WEIGHT,
            "confidence": AllowedRange(0.5, 1, open_high=True),
            "max_wait_s": AllowedRange(0, 1_000_000_000),
        },
        p.Timing: {
            "suspect_after_s": TIME_S,
            "lost_after_s": TIME_S,
            "offer_timeout_s": TIME_S,
            "lease_s": TIME_S,
            "job_kept_s": FROM_0,
            "resume_s": AllowedRange(0, RESUME_MAX_S),
            "busy_suspect_after_s": TIME_S,
            "busy_lost_after_s": TIME_S,
            "reconnect_s": FROM_0,
        },
        p.Limits: {
            "queued_per_coop": FROM_0,
            "attempts": FROM_1,
            "explained_nodes": FROM_0,
            "explained_best": FROM_0,
            "output_tokens_default": FROM_1,
            "shapes_per_coop": AllowedRange(1, 512),  # what one event may examine
        },
        p.ChargeWeights: {"input_weight": AllowedRange(0, 1_000_000), "output_weight": WEIGHT},
        p.Credit: {
            "most": FACTOR,
            "half_life_s": LIFE_S,
            "full_tokens": AMOUNT,
        },
        p.FairShare: {"cap_tokens": FROM_1, "head_start_tokens": FROM_0},
        p.Carbon: {
            "own_direct_g_per_kwh": G_PER_KWH,
            "own_lifecycle_g_per_kwh": G_PER_KWH,
            "tolerance": FACTOR,
            "headroom": FACTOR,
            "late_weight": FACTOR,
        },
        p.Evidence: {
            "declared_part": PART,
            "estimated_part": PART,
            "declared_valid_s": FROM_0,
            "undocumented_part": PART,
        },
        p.Deferral: {
            "slots_part": AllowedRange(0.001, 1),
            "worth": FACTOR,
            "margin": AllowedRange(0, 1, open_high=True),
            "forecast_valid_s": FROM_0,
        },
        p.ModelTerms: {
            "unload_idle_s": FROM_0,
            "residence_s": FROM_0,
            "scale_after_s": FROM_0,
            "loads_per_hour": FROM_1,
            "retry_s": TIME_S,
            "retry_most_s": TIME_S,
            "half_life_s": LIFE_S,
        },
        p.Reasoning: {"budget_tokens": BUDGET},
        p.ClassReasoning: {"budget_tokens": BUDGET},
        p.CoopReasoning: {"budget_tokens": BUDGET},
        p.Newcomer: {"runs": AllowedRange(0, 1_000_000), "internal_part": PART},
        p.PrefixTerms: {"keep_s": AllowedRange(0, 86_400), "cached_token_part": PART},
        QualityTerms: {"least": PART},
        QualityException: {"least": PART},
        p.Weights: dict.fromkeys(("per_g", "per_s", "per_wh"), AllowedRange(0, 1_000_000_000)),
    }
)


def find_faults(policy: p.Policy) -> tuple[PolicyFault, ...]:
    """Returns the faults of a policy; none if it is valid."""
    return (*find_unusable(policy), *_like_quota_faults(policy), *_stranger_faults(policy))


def find_unusable(policy: p.Policy) -> tuple[PolicyFault, ...]:
    """Returns the faults that no core can apply.

    A policy of an older version may have two like quotas: the smaller one counts. It may have
    exceptions for co-ops that are no members: they have no effect.
    """
    return (
        *_number_faults(policy, ""),
        *_name_faults(policy),
        *_coop_faults(policy),
        *_class_faults(policy),
        *_reasoning_faults(policy.reasoning),
        *_timing_faults(policy.timing),
        *_quality_faults(policy.quality),
        *_openness_faults(policy.openness),
    )


def _number_faults(struct: Any, path: str) -> Iterator[PolicyFault]:
    """Checks every number of a struct and of the structs within it."""
    ranges = RANGES.get(type(struct), {})
    for name in struct.__struct_fields__:
        value, key = getattr(struct, name), f"{path}{name}"
        allowed = ranges.get(name, ANY)
        if isinstance(value, Struct):
            yield from _number_faults(value, f"{key}.")
        elif isinstance(value, tuple):
            for number, item in enumerate(value, 1):
                if isinstance(item, Struct):
                    yield from _number_faults(item, f"{key}.{_name(item, number)}.")
        elif isinstance(value, int | float) and not allowed.holds(value):
            shown = value if isfinite(value) else str(value)
            bounds = {"value": shown, "low": allowed.low, "high": allowed.high}
            yield PolicyFault(key, allowed.fault(value), bounds)


def _name(item: Any, number: int) -> str:
    """Returns the name of a list's item in a path: its own name, else its position from 1."""
    if isinstance(item, p.CoopTerms | p.CoopReasoning):
        return item.coop or str(number)
    is_of_class = isinstance(item, p.ClassTerms | p.ClassReasoning)
    return item.job_class.value if is_of_class else str(number)


def _name_faults(policy: p.Policy) -> Iterator[PolicyFault]:
    if not policy.version:
        yield PolicyFault("version", "empty")
    names: dict[str, None] = {}
    for number, terms in enumerate(policy.coops, 1):
        if not terms.coop:
            yield PolicyFault(f"coops.{number}.coop", "empty")
        elif terms.coop in names:
            yield PolicyFault("coops", "twice", {"value": terms.coop})
        names[terms.coop] = None


def _coop_faults(policy: p.Policy) -> Iterator[PolicyFault]:
    if len(policy.coops) > COOPS_MAX:
        yield PolicyFault("coops", "too_many", {"value": len(policy.coops), "high": COOPS_MAX})
    for terms in policy.coops:
        if terms.language and terms.language not in EVALUATED_LANGUAGES:
            yield PolicyFault(
                f"coops.{terms.coop}.language",
                "not_one_of",
                {"value": terms.language, "choices": ", ".join(EVALUATED_LANGUAGES)},
            )
        path = f"coops.{terms.coop}.quotas"
        if len(terms.quotas) > QUOTAS_MAX:
            yield PolicyFault(path, "too_many", {"value": len(terms.quotas), "high": QUOTAS_MAX})
        for number, quota in enumerate(terms.quotas, 1):
            yield from _quota_faults(quota, f"{path}.{number}")


def _like_quota_faults(policy: p.Policy) -> Iterator[PolicyFault]:
    """Finds the quotas that have owner, kind and period in common with an earlier one."""
    for terms in policy.coops:
        names: set[tuple[str, ...]] = set()
        for quota in terms.quotas:
            name = p.quota_name(quota)
            if name in names:
                value = ", ".join(filter(None, name))
                yield PolicyFault(f"coops.{terms.coop}.quotas", "like_quotas", {"value": value})
            names.add(name)


def _quota_faults(quota: p.Quota, path: str) -> Iterator[PolicyFault]:
    timeless = quota.kind is p.QuotaKind.JOBS_IN_FLIGHT
    if timeless and quota.period is not p.Period.NONE:
        yield PolicyFault(f"{path}.period", "no_period", {"value": quota.period.value})
    if not timeless and quota.period is p.Period.NONE:
        yield PolicyFault(f"{path}.period", "period_needed", {"value": quota.kind.value})
    if quota.project and quota.key:
        yield PolicyFault(path, "two_owners", {"value": f"{quota.project}, {quota.key}"})


def _class_faults(policy: p.Policy) -> Iterator[PolicyFault]:
    present = [terms.job_class for terms in policy.classes]
    for job_class in JobClass:
        times = present.count(job_class)
        if times != 1:
            fault = "twice" if times else "class_missing"
            yield PolicyFault("classes", fault, {"value": job_class.value})


def _reasoning_faults(reasoning: p.Reasoning) -> Iterator[PolicyFault]:
    classes = [terms.job_class.value for terms in reasoning.classes]
    for key, names in (("classes", classes), ("coops", [each.coop for each in reasoning.coops])):
        if len(names) > COOPS_MAX:
            yield PolicyFault(
                f"reasoning.{key}", "too_many", {"value": len(names), "high": COOPS_MAX}
            )
        for name in (name for name, times in Counter(names).items() if times > 1):
            yield PolicyFault(f"reasoning.{key}", "twice", {"value": name})


def _stranger_faults(policy: p.Policy) -> Iterator[PolicyFault]:
    """Finds the exceptions for co-ops that are no members."""
    members = {terms.coop for terms in policy.coops}
    for number, terms in enumerate(policy.reasoning.coops, 1):
        if terms.coop not in members:
            path = f"reasoning.coops.{_name(terms, number)}.coop"
            yield PolicyFault(path, "no_member", {"value": terms.coop})


def _timing_faults(timing: p.Timing) -> Iterator[PolicyFault]:
    for kind in ("", "busy_"):
        lost, suspect = f"{kind}lost_after_s", f"{kind}suspect_after_s"
        if getattr(timing, lost) <= getattr(timing, suspect):
            values: dict[str, str | int | float] = {
                "value": getattr(timing, lost),
                "other": f"timing.{suspect}",
                "low": getattr(timing, suspect),
            }
            yield PolicyFault(f"timing.{lost}", "after", values)


def _openness_faults(required: OpennessClass) -> Iterator[PolicyFault]:
    if required and required not in REQUIRED_CLASSES:
        choices = ", ".join(REQUIRED_CLASSES)
        yield PolicyFault("openness", "not_one_of", {"value": required.value, "choices": choices})


def _quality_faults(quality: QualityTerms) -> Iterator[PolicyFault]:
    """Finds exceptions for a language without items, for everything, and for a cell twice."""
    names: set[tuple[str, ...]] = set()
    languages = ", ".join(EVALUATED_LANGUAGES)
    for number, item in enumerate(quality.exceptions, 1):
        path, name = f"quality.exceptions.{number}", exception_name(item)
        if item.language and item.language not in EVALUATED_LANGUAGES:
            values: dict[str, str | int | float] = {"value": item.language, "choices": languages}
            yield PolicyFault(f"{path}.language", "not_one_of", values)
        elif not any(name):
            yield PolicyFault(f"{path}.task", "empty")
        if name in names:
            yield PolicyFault(path, "twice", {"value": " ".join(filter(None, name))})
        names.add(name)
