"""Soundness: what is wrong with a policy, told before it can come into force.

Decides which values each key may have. A fault names the key by its path, the value that is wrong
and what would be right; the sentence stands in the message catalogue (``error-policy_refused``).
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from entraide.types import JobClass
from entraide_scheduler.core import policy as p

MOST = 1_000_000_000_000  # no number of a policy is beyond it: in uWh it still is a 64-bit integer
COOPS_MAX = 10_000
QUOTAS_MAX = 10_000  # of one co-op, its projects' and keys' among them


class PolicyFault(Struct, frozen=True):
    """One thing that is wrong with a policy.

    Attributes:
        key: path of what is wrong (``coops.boreale.quotas.1.limit``).
        fault: stable code of what is wrong with it.
        values: the value and the bounds in the sentence.
    """

    key: str
    fault: str
    values: dict[str, str | int | float] = {}


class AllowedRange(Struct, frozen=True):
    """Which numbers are allowed: from ``low`` to ``high``, ends that are open not among them."""

    low: float
    high: float = MOST
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Tells whether a number lies in the range; none that is not finite does."""
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def fault(self, value: float) -> str:
        """Returns the code of what is wrong with a number outside."""
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
        },
        p.Timing: {
            "suspect_after_s": TIME_S,
            "lost_after_s": TIME_S,
            "offer_timeout_s": TIME_S,
            "lease_s": TIME_S,
            "job_kept_s": FROM_0,
        },
        p.Limits: {
            "queued_per_coop": FROM_0,
            "attempts": FROM_1,
            "explained_nodes": FROM_0,
            "explained_best": FROM_0,
            "output_tokens_default": FROM_1,
        },
        p.ChargeWeights: {"input_weight": AllowedRange(0, 1_000_000), "output_weight": WEIGHT},
        p.Credit: {
            "most": FACTOR,
            "half_life_s": LIFE_S,
            "full_wh": AMOUNT,
            "full_tokens": AMOUNT,
        },
        p.FairShare: {"cap_tokens": FROM_1, "head_start_tokens": FROM_0},
        p.Carbon: {
            "own_direct_g_per_kwh": G_PER_KWH,
            "own_lifecycle_g_per_kwh": G_PER_KWH,
            "tolerance": FACTOR,
            "headroom": FACTOR,
        },
        p.Evidence: {"declared_part": PART, "estimated_part": PART, "declared_valid_s": FROM_0},
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
        p.Weights: dict.fromkeys(("per_g", "per_s", "per_wh"), AllowedRange(0, 1_000_000_000)),
    }
)


def find_faults(policy: p.Policy) -> tuple[PolicyFault, ...]:
    """Returns what is wrong with a policy; empty when it is sound."""
    return (
        *_of_numbers(policy, ""),
        *_of_names(policy),
        *_of_coops(policy),
        *_of_classes(policy),
        *_of_timing(policy.timing),
    )


def _of_numbers(struct: Any, path: str) -> Iterator[PolicyFault]:
    """Looks at every number of a struct and of the structs in it."""
    ranges = RANGES.get(type(struct), {})
    for name in struct.__struct_fields__:
        value, key = getattr(struct, name), f"{path}{name}"
        allowed = ranges.get(name)
        if isinstance(value, Struct):
            yield from _of_numbers(value, f"{key}.")
        elif isinstance(value, tuple):
            for number, item in enumerate(value, 1):
                yield from _of_numbers(item, f"{key}.{_name(item, number)}.")
        elif allowed is not None and value is not None and not allowed.holds(value):
            shown = value if isfinite(value) else str(value)
            bounds = {"value": shown, "low": allowed.low, "high": allowed.high}
            yield PolicyFault(key, allowed.fault(value), bounds)


def _name(item: Any, number: int) -> str:
    """What an item of a list is called in a path: by its own name, else by its place."""
    if isinstance(item, p.CoopTerms):
        return item.coop or str(number)
    return item.job_class.value if isinstance(item, p.ClassTerms) else str(number)


def _of_names(policy: p.Policy) -> Iterator[PolicyFault]:
    if not policy.version:
        yield PolicyFault("version", "empty")
    seen: dict[str, None] = {}
    for number, terms in enumerate(policy.coops, 1):
        if not terms.coop:
            yield PolicyFault(f"coops.{number}.coop", "empty")
        elif terms.coop in seen:
            yield PolicyFault("coops", "twice", {"value": terms.coop})
        seen[terms.coop] = None


def _of_coops(policy: p.Policy) -> Iterator[PolicyFault]:
    if len(policy.coops) > COOPS_MAX:
        yield PolicyFault("coops", "too_many", {"value": len(policy.coops), "high": COOPS_MAX})
    for terms in policy.coops:
        path = f"coops.{terms.coop}.quotas"
        if len(terms.quotas) > QUOTAS_MAX:
            yield PolicyFault(path, "too_many", {"value": len(terms.quotas), "high": QUOTAS_MAX})
        for number, quota in enumerate(terms.quotas, 1):
            yield from _of_quota(quota, f"{path}.{number}")


def _of_quota(quota: p.Quota, path: str) -> Iterator[PolicyFault]:
    timeless = quota.kind is p.QuotaKind.JOBS_IN_FLIGHT
    if timeless and quota.period is not p.Period.NONE:
        yield PolicyFault(f"{path}.period", "no_period", {"value": quota.period.value})
    if not timeless and quota.period is p.Period.NONE:
        yield PolicyFault(f"{path}.period", "period_needed", {"value": quota.kind.value})
    if quota.project and quota.key:
        yield PolicyFault(path, "two_owners", {"value": f"{quota.project}, {quota.key}"})


def _of_classes(policy: p.Policy) -> Iterator[PolicyFault]:
    present = [terms.job_class for terms in policy.classes]
    for job_class in JobClass:
        times = present.count(job_class)
        if times != 1:
            fault = "twice" if times else "class_missing"
            yield PolicyFault("classes", fault, {"value": job_class.value})


def _of_timing(timing: p.Timing) -> Iterator[PolicyFault]:
    if timing.lost_after_s <= timing.suspect_after_s:
        values: dict[str, str | int | float] = {
            "value": timing.lost_after_s,
            "other": "timing.suspect_after_s",
            "low": timing.suspect_after_s,
        }
        yield PolicyFault("timing.lost_after_s", "after", values)
