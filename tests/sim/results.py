"""Synthetic results from a seed, for the tests of reports."""

from math import cos, pi

import numpy as np

from entraide_sim.scenario import (
    Assumption,
    ClassLatency,
    CoopShare,
    GroupUsage,
    RunResult,
    ZoneHours,
)

START_AT = 1_768_348_800.0  # 14 January 2026, 0 h UTC
GRIDS = {"CA-QC": 1.4, "CA-ON": 42.0, "CA-AB": 390.0, "CA-NS": 610.0, "CA-MB": 2.0,
         "CA-SK": 620.0, "CA-NB": 280.0, "CA-BC": 12.0}  # fmt: skip


def quantiles(median_s: float, spread: float, *, seed: int) -> tuple[float, ...]:
    """101 quantiles of a skewed distribution."""
    drawn = np.random.default_rng(seed).lognormal(0.0, spread, 2_000) * median_s
    return tuple(float(value) for value in np.quantile(drawn, np.linspace(0, 1, 101)))


def zone_hours(zone: str, hours: int, share: float, *, seed: int) -> ZoneHours:
    """A zone with a daily pattern of load and intensity."""
    luck = np.random.default_rng(seed)
    rhythm = [1.1 - cos(2 * pi * ((hour - 8) % 24) / 24) for hour in range(hours)]
    jobs = tuple(int(luck.poisson(60 * share * weight)) for weight in rhythm)
    grid = tuple(float(GRIDS[zone] * (0.8 + 0.2 * weight)) for weight in rhythm)
    energy = tuple(0.3 * count for count in jobs)
    return ZoneHours(
        zone=zone, intensity_g_per_kwh=grid, jobs=jobs,
        output_tokens=tuple(210 * count for count in jobs), energy_wh=energy,
        carbon_g=tuple(wh * g / 1_000 for wh, g in zip(energy, grid, strict=True)),
        utilisation=tuple(min(1.0, 0.2 * weight) for weight in rhythm),
    )  # fmt: skip


ASSUMPTIONS = (
    Assumption("grid-profile", "estimated", {}, "https://example.org/provincial averages"),
    Assumption(
        "price", "default", {"device": "Mac mini M4", "price_cad": 1_380.0, "life_years": 5.0}, ""
    ),
    Assumption(
        "speed",
        "measured",
        {"device": "Mac mini M4", "model": "petit-3b", "prefill": 185.0, "decode": 18.7},
        "catalogue of machines",
    ),
)


def result(label: str = "", *, green: float = 1.0, quick: float = 1.0, cheap: float = 1.0,
           coops: int = 4, zones: int = 3, hours: int = 72,
           seed: int = 7) -> RunResult:  # fmt: skip
    """A whole result; ``green``, ``quick`` and ``cheap`` scale grams, seconds and dollars."""
    columns = tuple(
        zone_hours(zone, hours, 1.0 / (1 + at), seed=seed + at)
        for at, zone in enumerate(list(GRIDS)[:zones])
    )
    jobs = sum(sum(column.jobs) for column in columns)
    tokens = sum(sum(column.output_tokens) for column in columns)
    energy_wh = sum(sum(column.energy_wh) for column in columns)
    carbon_g = sum(sum(column.carbon_g) for column in columns) * green
    luck = np.random.default_rng(seed)
    due = [float(value) for value in luck.integers(5_000, 90_000, coops)]
    ttft, e2e = quantiles(0.5 * quick, 0.7, seed=seed), quantiles(6.0 * quick, 0.5, seed=seed)
    return RunResult(
        scenario="trois-provinces",
        title={"fr": "Trois provinces, 14 machines", "en": "Three provinces, 14 machines"},
        label=label, policy="défaut-1", picker="greenest", seed=seed, version="0.4.0",
        start_at=START_AT, hours=hours,
        summary={
            "jobs": jobs + 12, "completed": jobs, "rejected": 9, "failed": 3,
            "ttft_s": {"p50": ttft[50], "p95": ttft[95], "p99": ttft[99]},
            "tpot_s": {"p50": 0.03, "p95": 0.05, "p99": 0.06},
            "e2e_s": {"p50": e2e[50], "p95": e2e[95], "p99": e2e[99]},
            "slo_attainment": 0.968, "energy_wh": energy_wh, "carbon_g": carbon_g,
            "carbon_g_per_1k_output_tokens": carbon_g * 1_000 / tokens,
            "cost_cad": {"energy": 0.42 * cheap, "hardware": 8.1 * cheap,
                         "per_1m_output_tokens": 8.52e6 * cheap / tokens},
            "fairness": {"jain": 0.98, "max_gap": 812.0, "gap_bound": 4_096.0, "violations": 0},
            "utilisation": 0.31, "wall_s": 12.3, "events": 123_456,
        },
        zones=columns,
        coops=tuple(
            CoopShare(coop=f"coop-{at + 1}", jobs=200, rejected=at % 3,
                      received_tokens=value * (0.82 if at == 1 else 1.0), due_tokens=value,
                      weight=1.0, given_tokens=value * 0.4)
            for at, value in enumerate(due)
        ),
        latencies=(
            ClassLatency("interactive", 2.0, 0.2, None, jobs // 2, ttft,
                         quantiles(0.03, 0.3, seed=1), e2e),
            ClassLatency("standard", None, None, 60.0, jobs // 3, quantiles(1.2, 0.8, seed=2),
                         quantiles(0.03, 0.3, seed=3), quantiles(14.0, 0.6, seed=4)),
        ),
        fleet=(
            GroupUsage("mac-mini-m4-16", "Mac mini M4, 16 Go", "CA-QC", "coop-1", 10, 799.0, 5.0,
                      65.0, 800, 90_000, 1_200.0),
            GroupUsage("rtx-4090", "PC, RTX 4090", "CA-AB", "coop-2", 4, None, None, 450.0, 300,
                      40_000, 900.0),
        ),
        assumptions=ASSUMPTIONS,
        command=f"entraide sim run trois-provinces --seed {seed} --out out",
    )  # fmt: skip
