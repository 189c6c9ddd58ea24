"""Carbon: effective intensity of an extra load, settlement of a run, and receipt.

The effective intensity counts a site's own renewable surplus first and the grid for the rest
(formula: ``effective_intensity``). A settlement is the energy, the emissions and the latency of a
run, computed from its terms and its usage. A receipt states the settlement, without a signature.

Inputs: zone intensities, renewable statuses, terms, usage. Outputs: gCO2e/kWh, settlements,
receipts.
"""

from msgspec import Struct

from entraide.types import (
    Basis,
    ComparedModel,
    Control,
    EnergyStatus,
    ModelQuote,
    Promise,
    Receipt,
    Settlement,
    SurplusEvidence,
    Terms,
    Usage,
)
from entraide.units import carbon_ug, g_from_ug, round_half_up, wh_from_uwh
from entraide_scheduler.core.policy import Carbon, Evidence

# Default for a zone without any signal: coal power alone (IPCC AR5 WG III annex III, table
# A.III.2, medians: 760 direct, 820 life cycle), so that a node never looks green for lack of data.
UNKNOWN_DIRECT_G_PER_KWH = 760.0
UNKNOWN_LIFECYCLE_G_PER_KWH = 820.0


class ZoneIntensity(Struct, frozen=True):
    """Location-based intensity of a grid zone, gCO2e/kWh, its basis and its end of validity."""

    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis
    valid_until: float


UNKNOWN_ZONE = ZoneIntensity(
    UNKNOWN_DIRECT_G_PER_KWH, UNKNOWN_LIFECYCLE_G_PER_KWH, Basis.DEFAULT, 0.0
)


class EffectiveIntensity(Struct, frozen=True, gc=False):
    """The intensity of an extra load at a site.

    Attributes:
        direct_g_per_kwh, lifecycle_g_per_kwh: intensity of grid and own surplus together.
        basis: how the grid's intensity was obtained.
        surplus_w: own surplus that no other job of the pool uses, watts.
        surplus_basis: how the surplus was obtained; None when the load uses no surplus.
        surplus_evidence: what backs the surplus.
    """

    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: Basis
    surplus_w: float
    surplus_basis: Basis | None
    surplus_evidence: SurplusEvidence = SurplusEvidence.NONE


def grid_intensity(zone: ZoneIntensity) -> EffectiveIntensity:
    """Returns the intensity of a load that uses no surplus."""
    return EffectiveIntensity(
        zone.direct_g_per_kwh, zone.lifecycle_g_per_kwh, zone.basis, 0.0, None
    )


def status_valid_until(energy: EnergyStatus, evidence: Evidence) -> float:
    """Returns when a site's status expires; the policy bounds the life of a declared one."""
    if energy.basis is Basis.DECLARED:
        return min(energy.expires_at, energy.measured_at + evidence.declared_valid_s)
    return energy.expires_at


def evidence_of(basis: Basis, vouched: SurplusEvidence) -> SurplusEvidence:
    """Returns what backs a surplus: what the operator vouched for, if it backs such a value.

    A meter backs what it measures, not what its owner declares while it gives no value.

    Args:
        basis: how the node obtained the surplus.
        vouched: what the operator vouched for.
    """
    is_unmetered = vouched is SurplusEvidence.METER and basis is not Basis.MEASURED
    return SurplusEvidence.NONE if is_unmetered else vouched


def surplus_w(
    energy: EnergyStatus | None, at: float, evidence: Evidence, vouched: SurplusEvidence
) -> float:
    """Returns the trusted part of a site's surplus, watts; 0 once the status has expired."""
    if energy is None or status_valid_until(energy, evidence) <= at:
        return 0.0
    trusted = 1.0
    if energy.basis is Basis.DECLARED:
        trusted = evidence.declared_part
    elif energy.basis is Basis.ESTIMATED:
        trusted = evidence.estimated_part
    if not evidence_of(energy.basis, vouched):
        trusted *= evidence.undocumented_part
    return max(0.0, energy.surplus_w) * trusted


def undocumented_w(
    energy: EnergyStatus | None, at: float, evidence: Evidence, vouched: SurplusEvidence
) -> float:
    """Returns the surplus, watts, that a site reports and the policy discounts as undocumented."""
    if energy is None or evidence.undocumented_part >= 1.0 or evidence_of(energy.basis, vouched):
        return 0.0
    return max(0.0, energy.surplus_w) if status_valid_until(energy, evidence) > at else 0.0


def effective_intensity(
    zone: ZoneIntensity,
    energy: EnergyStatus | None,
    *,
    vouched: SurplusEvidence,
    policy: Carbon,
    evidence: Evidence,
    power_w: float,
    used_w: float,
    at: float,
) -> EffectiveIntensity:
    """Returns the effective intensity of an extra load.

    ``[max(0, P - S) * I_grid + min(P, S) * I_own] / P``, with P the extra load, S the surplus that
    is left, and I the intensities; once for direct and once for life-cycle emissions.

    Args:
        zone: the grid's intensity.
        energy: the site's renewable status, if any.
        vouched: what the operator vouched for as backing it.
        policy: the intensities of own generation.
        evidence: how far the policy trusts each kind of status.
        power_w: the extra load P.
        used_w: surplus that the pool's other jobs use at this site, watts.
        at: now, seconds since the epoch.
    """
    left_w = max(0.0, surplus_w(energy, at, evidence, vouched) - used_w)
    if energy is None or left_w <= 0.0:
        return grid_intensity(zone)
    own_part = 1.0 if power_w <= left_w else left_w / power_w
    grid_part = 1.0 - own_part
    return EffectiveIntensity(
        grid_part * zone.direct_g_per_kwh + own_part * policy.own_direct_g_per_kwh,
        grid_part * zone.lifecycle_g_per_kwh + own_part * policy.own_lifecycle_g_per_kwh,
        zone.basis,
        left_w,
        energy.basis,
        evidence_of(energy.basis, vouched),
    )


def settle(terms: Terms, usage: Usage) -> Settlement:
    """Returns energy, emissions and latency of a run, for the receipt and for the ledger alike."""
    energy_uwh = usage.energy_prefill_uwh + usage.energy_decode_uwh
    queue_s = max(0.0, terms.placed_at - terms.requested_at)
    ttft_s = queue_s + usage.ttft_s
    return Settlement(
        energy_uwh=energy_uwh,
        carbon_direct_ug=carbon_ug(energy_uwh, terms.intensity_direct_g_per_kwh),
        carbon_lifecycle_ug=carbon_ug(energy_uwh, terms.intensity_lifecycle_g_per_kwh),
        queue_s=queue_s,
        ttft_s=ttft_s,
        promise=_promise_outcome(terms.objective_ttft_s, ttft_s, usage),
    )


def _promise_outcome(objective_ttft_s: float | None, ttft_s: float, usage: Usage) -> Promise:
    has_answer = usage.output_tokens > 0 or usage.ttft_s > 0.0  # embeddings have no output tokens
    if objective_ttft_s is None or not has_answer:
        return Promise.NONE
    return Promise.KEPT if ttft_s <= objective_ttft_s else Promise.MISSED


def make_receipt(
    terms: Terms, usage: Usage, settlement: Settlement, *, settled: bool, issued_at: float
) -> Receipt:
    """Returns the unsigned receipt of a run.

    Args:
        terms: fixed when the job was placed.
        usage: tokens, times and energy of the run.
        settlement: result of ``settle`` for both.
        settled: whether the settlement is in the ledger.
        issued_at: now, seconds since the epoch.
    """
    places = terms.places or ()
    is_measured = usage.energy_basis is Basis.MEASURED
    return Receipt(
        job=terms.job,
        coop=terms.borrower,
        node=terms.node,
        node_coop=terms.lender,
        site=terms.site,
        province=terms.zone,
        engine=terms.engine,
        model=terms.model,
        model_revision=terms.revision,
        job_class=terms.job_class,
        promise=settlement.promise,
        at_risk=terms.at_risk,
        queue_ms=settlement.queue_s * 1_000,
        ttft_ms=settlement.ttft_s * 1_000,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        tokens_basis=usage.counted,
        energy_wh=wh_from_uwh(settlement.energy_uwh),
        energy_basis=usage.energy_basis,
        carbon_gco2e=g_from_ug(settlement.carbon_direct_ug),
        carbon_lifecycle_gco2e=g_from_ug(settlement.carbon_lifecycle_ug),
        intensity_g_per_kwh=terms.intensity_direct_g_per_kwh,
        intensity_basis=terms.intensity_basis,
        surplus_basis=terms.surplus_basis,
        policy_version=terms.policy_version,
        settled=settled,
        issued_at=issued_at,
        smaller=_cost_on(terms.smaller, usage),
        controlled_by=terms.controlled_by or Control.UNSTATED,
        surplus_evidence=terms.surplus_evidence or SurplusEvidence.NONE,
        place=places[0] if places else None,
        further_places=places[1:],
        node_key=terms.node_key or "",
        coop_names={terms.lender: terms.lender_name} if terms.lender_name else {},
        reasoning_tokens=usage.reasoning_tokens,
        reasoning_wh=wh_from_uwh(reasoning_uwh(usage)),
        always_thinks=terms.thinking.always if terms.thinking else False,
        larger=_cost_on(terms.larger or None, usage) if is_measured else None,
    )


def reasoning_uwh(usage: Usage) -> int:
    """Returns the energy of a run's thought: its share of the output tokens, at the decode's."""
    return usage.reasoning_tokens * usage.energy_decode_uwh // max(1, usage.output_tokens)


def _cost_on(cost: ModelQuote | None, usage: Usage) -> ComparedModel | None:
    """Returns energy and carbon of the same tokens on another model of the terms, if any."""
    if cost is None:
        return None
    uncached = max(0, usage.input_tokens - usage.cached_tokens)
    tokens_uwh = uncached * cost.input_uwh + usage.output_tokens * cost.output_uwh
    energy_uwh = round_half_up(tokens_uwh)
    return ComparedModel(
        cost.model,
        wh_from_uwh(energy_uwh),
        g_from_ug(carbon_ug(energy_uwh, cost.intensity_g_per_kwh)),
        cost.basis,
    )
