"""Carbon: effective intensity, settlement and receipt, by numbers worked out by hand."""

import pytest
from tests.core.builders import START, Pool, card, of, placed, surplus, usage

from entraide.types import (
    Basis,
    ComparedModel,
    EnergyStatus,
    JobClass,
    ModelQuote,
    Promise,
    Receipt,
    SurplusEvidence,
    Terms,
)
from entraide_scheduler.core import commands
from entraide_scheduler.core.carbon import (
    EffectiveIntensity,
    ZoneIntensity,
    effective_intensity,
    make_receipt,
    make_resumed_receipt,
    settle,
    settle_resumed,
    status_valid_until,
    surplus_w,
)
from entraide_scheduler.core.policy import Carbon, CoopTerms, Evidence

ONTARIO = ZoneIntensity(40.0, 80.0, Basis.MEASURED, START + 3_600.0)
CASES = {
    "no surplus": (None, 100.0, 0.0, (40.0, 80.0, 0.0, None)),
    "surplus covers it": (surplus(300.0), 100.0, 0.0, (0.0, 45.0, 300.0, Basis.MEASURED)),
    "surplus covers a quarter": (surplus(25.0), 100.0, 0.0, (30.0, 71.25, 25.0, Basis.MEASURED)),
    "other jobs use some": (surplus(75.0), 100.0, 50.0, (30.0, 71.25, 25.0, Basis.MEASURED)),
    "other jobs use it all": (surplus(50.0), 100.0, 60.0, (40.0, 80.0, 0.0, None)),
    "it has expired": (surplus(300.0, until=START), 100.0, 0.0, (40.0, 80.0, 0.0, None)),
    "it is below zero": (surplus(-5.0), 100.0, 0.0, (40.0, 80.0, 0.0, None)),
    "it is no number": (surplus(float("nan")), 100.0, 0.0, (40.0, 80.0, 0.0, None)),
    "no extra load": (surplus(10.0), 0.0, 0.0, (0.0, 45.0, 10.0, Basis.MEASURED)),
}


@pytest.mark.parametrize("case", CASES)
def test_own_surplus_counts_before_the_grid(case: str) -> None:
    """[max(0, P - S) I_grid + min(P, S) I_own] / P, once direct and once over the life cycle."""
    energy, power_w, used_w, expected = CASES[case]
    intensity = effective_intensity(
        ONTARIO,
        energy,
        vouched=SurplusEvidence.CONTRACT,
        policy=Carbon(),
        evidence=Evidence(),
        power_w=power_w,
        used_w=used_w,
        at=START,
    )

    assert expected == (
        intensity.direct_g_per_kwh,
        intensity.lifecycle_g_per_kwh,
        intensity.surplus_w,
        intensity.surplus_basis,
    )


def terms(**changes) -> Terms:
    values = {
        "job": "j1",
        "epoch": 1,
        "borrower": "beta",
        "node": "n1",
        "lender": "alpha",
        "site": "home",
        "zone": "CA-ON",
        "engine": "llama.cpp/1",
        "model": "petit",
        "revision": "sha256:abc",
        "job_class": JobClass.INTERACTIVE,
        "objective_ttft_s": 2.0,
        "intensity_direct_g_per_kwh": 40.0,
        "intensity_lifecycle_g_per_kwh": 80.0,
        "intensity_basis": Basis.MEASURED,
        "surplus_basis": None,
        "requested_at": START,
        "placed_at": START + 1.5,
        "policy_version": "v1",
        "at_risk": False,
    }
    return Terms(**{**values, **changes})


def test_a_run_is_settled_from_its_terms_and_its_usage() -> None:
    """32,000 uWh at 40 g/kWh are 1,280 ug; the first token counts from the request."""
    settlement = settle(terms(), usage(ttft_s=0.25))

    assert (settlement.energy_uwh, settlement.carbon_direct_ug, settlement.carbon_lifecycle_ug) == (
        32_000,
        1_280,
        2_560,
    )
    assert (settlement.queue_s, settlement.ttft_s, settlement.promise) == (1.5, 1.75, Promise.KEPT)


PROMISES = {
    "kept to the second": (terms(), usage(ttft_s=0.5), Promise.KEPT),
    "missed": (terms(), usage(ttft_s=0.51), Promise.MISSED),
    "missed in the line": (terms(placed_at=START + 2.1), usage(ttft_s=0.0), Promise.MISSED),
    "nothing promised": (terms(objective_ttft_s=None), usage(), Promise.NONE),
    "nothing produced": (terms(), usage(output_tokens=0, ttft_s=0.0), Promise.NONE),
    "embeddings": (terms(), usage(output_tokens=0, ttft_s=0.5), Promise.KEPT),
    "late embeddings": (terms(), usage(output_tokens=0, ttft_s=0.51), Promise.MISSED),
}


@pytest.mark.parametrize("case", PROMISES)
def test_a_promise_is_kept_or_missed(case: str) -> None:
    """The objective is compared with the time from request to first token, or to the embeddings."""
    fixed, used, expected = PROMISES[case]

    assert settle(fixed, used).promise is expected


def test_the_receipt_says_it_all() -> None:
    """Watt-hours and grams, where, whose, how obtained, and whether the promise was kept."""
    used = usage()
    made = make_receipt(terms(), used, settle(terms(), used), settled=True, issued_at=START + 5.0)

    assert (made.coop, made.node_coop, made.province) == ("beta", "alpha", "CA-ON")
    assert (made.energy_wh, made.carbon_gco2e, made.carbon_lifecycle_gco2e) == (
        0.032,
        0.00128,
        0.00256,
    )
    assert (made.queue_ms, made.ttft_ms) == (1_500.0, 1_800.0)
    assert (made.settled, made.issued_at, made.key, made.signature) == (True, START + 5.0, "", "")


def test_an_unknown_zone_never_looks_green() -> None:
    """A node in a zone without data counts as a coal plant, with the basis ``default``."""
    pool = Pool("alpha")
    pool.join(card("far", zone="CA-NU"), card("near", zone="CA-AB"))
    (place,) = of(pool.ask("j1"), commands.Place)
    candidates = {candidate.node: candidate for candidate in place.explanation.candidates}

    assert place.node == "near"
    assert candidates["far"].intensity_g_per_kwh == 760.0
    assert candidates["far"].intensity_basis is Basis.DEFAULT


TRUST = Evidence(declared_part=0.5, estimated_part=0.25, declared_valid_s=60.0)
EVIDENCE = {
    "measured": (Basis.MEASURED, START - 90.0, START + 9.0, (START + 9.0, 200.0)),
    "estimated": (Basis.ESTIMATED, START - 90.0, START + 9.0, (START + 9.0, 50.0)),
    "declared": (Basis.DECLARED, START - 30.0, START + 90.0, (START + 30.0, 100.0)),
    "declared, ends first": (Basis.DECLARED, START, START + 9.0, (START + 9.0, 100.0)),
    "declared too long ago": (Basis.DECLARED, START - 60.0, START + 90.0, (START, 0.0)),
}


@pytest.mark.parametrize("case", EVIDENCE)
def test_a_surplus_counts_as_far_as_it_is_trusted(case: str) -> None:
    """A declaration ends early, and counts in part; an estimate counts in part."""
    basis, measured_at, expires_at, expected = EVIDENCE[case]
    energy = EnergyStatus(200.0, basis, "meter", measured_at, expires_at)

    counted_w = surplus_w(energy, START, TRUST, SurplusEvidence.CONTRACT)

    assert expected == (status_valid_until(energy, TRUST), counted_w)


BACKED = {
    "nothing vouched, measured": (Basis.MEASURED, "", 0.25, "", 50.0),
    "nothing vouched, declared": (Basis.DECLARED, "", 0.25, "", 25.0),
    "nothing vouched, nothing counts": (Basis.MEASURED, "", 0.0, "", 0.0),
    "a certificate": (Basis.DECLARED, "certificate", 0.25, "certificate", 100.0),
    "a contract": (Basis.MEASURED, "contract", 0.25, "contract", 200.0),
    "a meter that measures": (Basis.MEASURED, "meter", 0.25, "meter", 200.0),
    "a meter without a value": (Basis.DECLARED, "meter", 0.25, "", 25.0),
    "the default": (Basis.DECLARED, "", 1.0, "", 100.0),
}


@pytest.mark.parametrize("case", BACKED)
def test_a_surplus_without_evidence_counts_in_part(case: str) -> None:
    """By the policy, whatever the node calls it; a meter backs only what it measures."""
    basis, word, part, backing, expected_w = BACKED[case]
    energy = EnergyStatus(200.0, basis, "meter", START, START + 9.0)
    intensity = effective_intensity(
        ONTARIO,
        energy,
        vouched=SurplusEvidence(word),
        policy=Carbon(),
        evidence=Evidence(declared_part=0.5, undocumented_part=part),
        power_w=1_000.0,
        used_w=0.0,
        at=START,
    )

    assert expected_w == intensity.surplus_w
    assert (backing if expected_w else "") == intensity.surplus_evidence


def test_a_load_is_split_between_surplus_and_grid() -> None:
    """A quarter of a watt of declared half a watt: own generation's grams are added, not taken."""
    energy = EnergyStatus(0.5, Basis.DECLARED, "panels", START, START + 9.0)
    intensity = effective_intensity(
        ONTARIO,
        energy,
        vouched=SurplusEvidence.CONTRACT,
        policy=Carbon(own_direct_g_per_kwh=8.0, own_lifecycle_g_per_kwh=44.0),
        evidence=TRUST,
        power_w=1.0,
        used_w=0.0,
        at=START,
    )

    expected = EffectiveIntensity(
        32.0, 71.0, Basis.MEASURED, 0.25, Basis.DECLARED, SurplusEvidence.CONTRACT
    )

    assert expected == intensity


def test_the_receipt_has_each_fact_in_its_place() -> None:
    """Every field of a receipt, with the smaller model that would have done the same."""
    quote = ModelQuote("mini", 10.0, 400.0, 100.0, Basis.ESTIMATED)
    fixed = terms(smaller=quote, surplus_basis=Basis.DECLARED, at_risk=True)
    used = usage(cached_tokens=30)

    assert Receipt(
        job="j1",
        coop="beta",
        node="n1",
        node_coop="alpha",
        site="home",
        province="CA-ON",
        engine="llama.cpp/1",
        model="petit",
        model_revision="sha256:abc",
        job_class=JobClass.INTERACTIVE,
        promise=Promise.KEPT,
        at_risk=True,
        queue_ms=1_500.0,
        ttft_ms=1_800.0,
        input_tokens=90,
        cached_tokens=30,
        output_tokens=50,
        tokens_basis=Basis.MEASURED,
        energy_wh=0.032,
        energy_basis=Basis.ESTIMATED,
        carbon_gco2e=0.00128,
        carbon_lifecycle_gco2e=0.00256,
        intensity_g_per_kwh=40.0,
        intensity_basis=Basis.MEASURED,
        surplus_basis=Basis.DECLARED,
        policy_version="v1",
        settled=True,
        issued_at=START + 5.0,
        smaller=ComparedModel("mini", 0.0206, 0.00206, Basis.ESTIMATED),
    ) == make_receipt(fixed, used, settle(fixed, used), settled=True, issued_at=START + 5.0)


def test_a_receipt_has_the_name_of_the_machines_co_op() -> None:
    """The name that the policy had when the job was placed; of several machines, each one's."""
    pool = Pool(CoopTerms("alpha", name="Les Abeilles"), "beta")
    pool.join(card("n1"))
    fixed, used = placed(pool, coop="beta").terms, usage()
    others = terms(lender="beta")
    made = make_receipt(fixed, used, settle(fixed, used), settled=True, issued_at=START)
    runs = settle_resumed([(fixed, used, "node_lost"), (others, used, "")])
    resumed = make_resumed_receipt(runs, settled=True, issued_at=START)

    assert "Les Abeilles" == fixed.lender_name
    assert {"alpha": "Les Abeilles"} == made.coop_names == resumed.coop_names
    assert (
        {}
        == make_receipt(
            others, used, settle(others, used), settled=True, issued_at=START
        ).coop_names
    )


def test_a_larger_model_is_told_beside_measured_energy_only() -> None:
    """An answer whose own energy was not measured is compared with no larger model."""
    fixed = terms(larger=ModelQuote("maxi", 10.0, 400.0, 100.0, Basis.ESTIMATED))
    measured, estimated = (
        make_receipt(fixed, used, settle(fixed, used), settled=True, issued_at=0.0)
        for used in (usage(energy_basis=Basis.MEASURED), usage())
    )
    tokens_uwh = 10.0 * (usage().input_tokens - usage().cached_tokens) + 400 * usage().output_tokens

    assert ("maxi", tokens_uwh / 1e6) == (measured.larger.model, measured.larger.energy_wh)
    assert estimated.larger is None


def test_a_smaller_model_reads_no_cached_prompt() -> None:
    """A prompt that was all in the cache would have cost its answer alone."""
    fixed = terms(smaller=ModelQuote("mini", 1_000.0, 400.0, 100.0, Basis.DEFAULT))
    used = usage(cached_tokens=95, output_tokens=50)
    made = make_receipt(fixed, used, settle(fixed, used), settled=False, issued_at=START)

    assert ComparedModel("mini", 0.02, 0.002, Basis.DEFAULT) == made.smaller


def test_energy_of_both_phases_is_settled() -> None:
    """Reading the prompt and writing the answer add up; a job placed at once waited for nothing."""
    fixed = terms(placed_at=START - 0.5)
    settlement = settle(fixed, usage(energy_prefill_uwh=5, energy_decode_uwh=7, ttft_s=0.25))

    assert (12, 0.0, 0.25) == (settlement.energy_uwh, settlement.queue_s, settlement.ttft_s)
