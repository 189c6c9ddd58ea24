"""Several seeds: intervals of means and of paired differences, and what a comparison recommends."""

from collections.abc import Sequence
from math import inf

import pytest

from entraide_sim.report import format_interval
from entraide_sim.report.formatting import format_carbon, format_money
from entraide_sim.runs import (
    SeededResult,
    combine_seeds,
    compare_variants,
    interval_to_json,
    summary_to_json,
)
from entraide_sim.scenario import RunResult
from entraide_sim.seed_statistics import Interval, interval, mean_summary, paired_interval


def variant(
    label: str, carbon: Sequence[float | None], kept: Sequence[float | None] = ()
) -> SeededResult:
    """A variant with these grams per 1,000 tokens and this SLO attainment, by seed."""
    attained = kept or (1.0,) * len(carbon)
    results = [
        RunResult(
            scenario="s", label=label, policy="p", picker="greenest", seed=seed, version="0",
            start_at=0.0, hours=1,
            summary={"seed": seed, "jobs": 4, "slo_attainment": part,
                     "carbon_g_per_1k_output_tokens": grams},
        )
        for seed, (grams, part) in enumerate(zip(carbon, attained, strict=True), 1)
    ]  # fmt: skip
    return combine_seeds(results)


def test_an_interval_is_students() -> None:
    """Of 1, 2, 3, 4, 5: mean 3, deviation sqrt(2.5), t(4) = 2.776, so 3 ± 1.963."""
    of = interval([1.0, 2.0, 3.0, 4.0, 5.0])

    assert 3.0 == of.mean
    assert pytest.approx(3.0 - 1.9629, abs=1e-3) == of.low
    assert pytest.approx(3.0 + 1.9629, abs=1e-3) == of.high


def test_a_paired_interval_removes_what_the_seeds_share() -> None:
    """Values that differ by 1.0, 1.1 and 0.9 in each seed: 1 ± 4.303 · 0.1 / sqrt(3)."""
    of = paired_interval([11.0, 51.1, 30.9], [10.0, 50.0, 30.0])

    assert pytest.approx(1.0) == of.mean
    assert pytest.approx(1.0 - 0.24844, abs=1e-4) == of.low
    assert not of.contains_zero
    assert paired_interval([1.0, 2.0, 3.0], [1.1, 1.9, 3.0]).contains_zero


def test_a_single_seed_has_no_bounds() -> None:
    """Its interval is unbounded, contains zero, and is null in JSON."""
    of = interval([4.0])

    assert Interval(4.0, -inf, inf) == of
    assert of.contains_zero
    assert {"mean": 4.0, "low": None, "high": None} == interval_to_json(of)
    assert "intervals" not in summary_to_json(variant("a", [1.0]))


def test_a_mean_keeps_what_is_equal_and_lacks_what_a_seed_lacks() -> None:
    """A count that is equal in all seeds remains an integer; null in one seed is null."""
    mean = mean_summary([
        {"seed": 1, "jobs": 4, "ttft_s": {"p95": 1.0}, "utilisation": None},
        {"seed": 2, "jobs": 4, "ttft_s": {"p95": 2.0}, "utilisation": 0.5},
    ])  # fmt: skip

    assert {"seed": 1, "jobs": 4, "ttft_s": {"p95": 1.5}, "utilisation": None} == mean
    assert isinstance(mean["jobs"], int)


def test_measures_are_paired_by_seed() -> None:
    """A measure is a key or a function; other seeds are no pair; a missing value gives none."""
    a, b = variant("a", [1.0, 2.0, 3.0]), variant("b", [1.5, 2.5, 3.5])
    more = b.difference(a, "carbon_g_per_1k_output_tokens")
    twice = b.interval(lambda result: 2.0 * result.summary["carbon_g_per_1k_output_tokens"])

    assert Interval(0.5, 0.5, 0.5) == more
    assert twice is not None
    assert 5.0 == twice.mean
    assert None is variant("c", [1.0, None, 2.0]).interval("carbon_g_per_1k_output_tokens")
    assert ["carbon_g_per_1k_output_tokens", "jobs", "slo_attainment"] == sorted(
        summary_to_json(a)["intervals"]
    )
    with pytest.raises(ValueError, match="seeds"):
        a.difference(variant("d", [1.0, 2.0]), "jobs")


@pytest.mark.parametrize(
    ("others", "verdicts"),
    [
        pytest.param(
            [([10.4, 11.6, 9.1, 12.2, 9.7], ())], ["recommended", "equal"], id="noise is none"
        ),
        pytest.param(
            [([12.0, 13.1, 10.9, 13.0, 12.0], ())], ["recommended", "more"], id="beyond the noise"
        ),
        pytest.param(
            [([5.0] * 5, (0.8, 0.82, 0.79, 0.81, 0.8))], ["recommended", "worse"], id="late"
        ),
        pytest.param(
            [([5.0] * 5, (1.0, 0.7, 1.0, 1.0, 0.95))], ["more", "recommended"], id="late by chance"
        ),
        pytest.param(
            [([5.0] * 5, (0.992,) * 5)], ["more", "recommended"], id="within the tolerance"
        ),
        pytest.param([([None] * 5, (None,) * 5)], ["recommended", "worse"], id="nothing done"),
    ],
)
def test_a_difference_within_the_noise_is_none(
    others: list[tuple[list[float | None], tuple[float | None, ...]]], verdicts: list[str]
) -> None:
    """The recommended variant emits least among those that keep their promises as well."""
    first = variant("a", [10.0, 11.2, 9.0, 11.1, 10.0])
    comparison = compare_variants([first, *(variant("b", *other) for other in others)])

    assert verdicts == [comparison.verdict(number) for number in range(len(verdicts))]


def test_a_single_seed_claims_no_equality() -> None:
    """With one seed each difference counts, and a clearly worse attainment is worse."""
    comparison = compare_variants(
        [variant("a", [1.0], [0.99]), variant("b", [1.1], [1.0]), variant("c", [0.5], [0.9])]
    )

    assert ["recommended", "more", "worse"] == [comparison.verdict(number) for number in range(3)]


def test_a_value_is_shown_with_half_its_interval() -> None:
    """The unit stands once; an unbounded interval is only its mean."""
    assert "11.8\u00a0g\u00a0CO2e\u00a0±\u00a00.4" == format_interval(
        Interval(11.8, 11.4, 12.2), format_carbon, "en"
    )
    assert "1,20\u00a0$\u00a0±\u00a00,3" == format_interval(
        Interval(1.2, 0.9, 1.5), format_money, "fr"
    )
    assert "11.8\u00a0g\u00a0CO2e" == format_interval(interval([11.8]), format_carbon, "en")
