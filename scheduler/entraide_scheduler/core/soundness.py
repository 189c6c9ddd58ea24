"""Soundness: what is wrong with a policy, told before it can come into force."""

from collections.abc import Iterator

from entraide.types import JobClass
from entraide_scheduler.core.policy import CoopTerms, Period, Policy, Quota, QuotaKind


def faults(policy: Policy) -> tuple[str, ...]:
    """Returns what is wrong with a policy, each as ``path: what``; empty when it is sound."""
    return (*_of_coops(policy), *_of_classes(policy), *_of_numbers(policy))


def _of_coops(policy: Policy) -> Iterator[str]:
    names = [terms.coop for terms in policy.coops]
    if not policy.version:
        yield "version: must not be empty"
    if len(set(names)) != len(names):
        yield "coops: the same co-op stands twice"
    for terms in policy.coops:
        path = f"coops.{terms.coop}"
        if not terms.shares > 0:
            yield f"{path}.shares: must be above 0"
        if not 0.0 <= terms.lend.part <= 1.0:
            yield f"{path}.lend.part: must lie in 0 to 1"
        if (terms.lend.energy_wh_per_day or 0) < 0:
            yield f"{path}.lend.energy_wh_per_day: must not be negative"
        yield from _of_quotas(terms, path)


def _of_quotas(terms: CoopTerms, path: str) -> Iterator[str]:
    for quota in terms.quotas:
        where = f"{path}.quotas.{quota.kind}"
        if quota.limit < 0:
            yield f"{where}: must not be negative"
        if _periodic(quota) == (quota.period is Period.NONE):
            yield f"{where}: wrong period"
        if quota.project and quota.key:
            yield f"{where}: is a project's or a key's, not both"


def _periodic(quota: Quota) -> bool:
    return quota.kind is not QuotaKind.JOBS_IN_FLIGHT


def _of_classes(policy: Policy) -> Iterator[str]:
    if sorted(terms.job_class for terms in policy.classes) != sorted(JobClass):
        yield "classes: each class must stand exactly once"
    for terms in policy.classes:
        path = f"classes.{terms.job_class}"
        if not terms.share > 0:
            yield f"{path}.share: must be above 0"
        if not 0.5 <= terms.confidence < 1.0:
            yield f"{path}.confidence: must lie in 0.5 to 1"
        for name in ("ttft_s", "tpot_s", "completion_s"):
            value = getattr(terms, name)
            if value is not None and not value > 0:
                yield f"{path}.{name}: must be above 0"


def _of_numbers(policy: Policy) -> Iterator[str]:
    timing, limits, share = policy.timing, policy.limits, policy.fair_share
    if not 0 < timing.suspect_after_s < timing.lost_after_s:
        yield "timing: needs 0 < suspect_after_s < lost_after_s"
    if limits.attempts < 1 or limits.output_tokens_default < 1:
        yield "limits: attempts and output_tokens_default must be at least 1"
    if share.cap_tokens < 1:
        yield "fair_share.cap_tokens: must be at least 1"
    credit = share.credit
    if not (credit.most >= 0.0 and credit.half_life_s > 0 and credit.full_wh > 0):
        yield "fair_share.credit: needs most >= 0, half_life_s > 0 and full_wh > 0"
    if not (policy.charge.input_weight >= 0 and policy.charge.output_weight > 0):
        yield "charge: needs input_weight >= 0 and output_weight > 0"
    for name in ("declared_part", "estimated_part"):
        if not 0.0 <= getattr(policy.evidence, name) <= 1.0:
            yield f"evidence.{name}: must lie in 0 to 1"
    deferral = policy.deferral
    if not (0.0 < deferral.slots_part <= 1.0 and 0.0 <= deferral.margin < 1.0):
        yield "deferral: needs slots_part in 0 to 1 (not 0) and margin in 0 to 1 (not 1)"
    if not (deferral.worth >= 0.0 and policy.carbon.tolerance >= 0.0):
        yield "deferral.worth, carbon.tolerance: must not be negative"
