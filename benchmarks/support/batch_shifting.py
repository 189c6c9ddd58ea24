"""Batch shifting: emissions saved by shifting batch jobs with a day of slack in one zone.

Emissions are linear in time, so only the hour matters. References: jobs that fix their hour on
arrival by the same forecast, by yesterday's intensity, or by the true intensity of the year; with
the same slots, or with unlimited slots. A pool never has unlimited slots: with four slots for one
job's work, knowing the year saves less than a forecast with unlimited slots.
"""

from collections.abc import Callable, Sequence
from math import inf

import msgspec
from benchmarks.support.devices import MODEL
from benchmarks.support.linear_optimum import min_shift_cost
from msgspec import Struct

from entraide.types import Basis, DataClass, JobClass, JobKind, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import DEFAULT_CLASSES, CoopTerms, Deferral, FairShare, Policy
from entraide_sim import (
    LINEAR,
    Arrival,
    ClientSpec,
    Grid,
    IntensitySeries,
    JobRecords,
    NodeSpec,
    PublishedForecast,
    RequestTemplate,
    World,
    fixed_length,
    generate_arrivals,
    make_requests,
    slow_heartbeat_timing,
    steady_rate,
)

HOUR_S = 3_600.0
SLACK_S = 86_400.0  # from arrival to the latest start
RUN_S = 1_800.0
BUSY_SLOTS = 1.0  # mean number of slots that jobs use
INPUT_TOKENS = 64
TPOT_S = 0.1
PREFILL_TOKENS_PER_S = 10_000.0
WARM_UP_H = 24  # before the first job, for yesterday's intensity
HEARTBEAT_S = 900.0

IntensityBelief = Callable[
    [int, int], float
]  # expected intensity of an hour in the current hour, g/kWh


class ShiftingResult(Struct, frozen=True):
    """Result of shifting.

    Attributes:
        part: saved emissions, relative to running each job on arrival.
        late: number of jobs that missed their deadline or did not end.
    """

    part: float
    late: int


def batch_arrivals(hours: int, *, seed: int) -> list[Arrival]:
    """Returns Poisson arrivals over ``hours`` hours after the warm-up."""
    output_tokens = int((RUN_S - INPUT_TOKENS / PREFILL_TOKENS_PER_S) / TPOT_S)
    windows = steady_rate(BUSY_SLOTS / RUN_S, hours * HOUR_S, family="poisson")
    sender = ClientSpec("batch", windows, fixed_length(INPUT_TOKENS), fixed_length(output_tokens))
    begin_s = WARM_UP_H * HOUR_S
    return [
        msgspec.structs.replace(arrival, at_s=arrival.at_s + begin_s)
        for arrival in generate_arrivals([sender], seed=seed)
    ]


# Jobs that fix their hour on arrival.


def mean_g_per_kwh(actual: Sequence[float], at_s: float, run_s: float) -> float:
    """Returns the mean intensity of a run that starts at ``at_s`` of the series."""
    total, now_s, end_s = 0.0, at_s, at_s + run_s
    while now_s < end_s:
        hour = int(now_s // HOUR_S)
        until_s = min(end_s, (hour + 1) * HOUR_S)
        total += actual[hour] * (until_s - now_s)
        now_s = until_s
    return total / run_s


def committed_saving(
    actual: Sequence[float], jobs: Sequence[Arrival], guess: IntensityBelief, *, slots: int = 0
) -> float:
    """Returns the part of emissions saved by jobs that fix their hour on arrival.

    A job runs at once, or within the hour with a free slot and the lowest expected intensity.

    Args:
        actual: hourly intensity.
        jobs: in order of time.
        guess: expected intensities.
        slots: number of parallel jobs; 0 for unlimited.
    """
    room = int(slots * HOUR_S / RUN_S) or len(jobs)
    taken: dict[int, int] = {}
    at_once, grams = 0.0, 0.0
    for job in jobs:
        hour = int(job.at_s // HOUR_S)
        last = int((job.at_s + SLACK_S) // HOUR_S)
        free = [
            candidate for candidate in range(hour, last + 1) if taken.get(candidate, 0) < room
        ] or [last]
        best = min(free, key=lambda candidate, now=hour: (guess(now, candidate), candidate))  # type: ignore[misc]
        taken[best] = taken.get(best, 0) + 1
        now = mean_g_per_kwh(actual, job.at_s, RUN_S)
        at_once += now
        grams += now if best == hour else actual[best]
    return 1.0 - grams / at_once


def optimal_saving(actual: Sequence[float], jobs: Sequence[Arrival], *, slots: int) -> float:
    """Returns the maximum saving of any schedule of jobs in whole hours with ``slots`` slots."""
    counts = [0] * len(actual)
    for job in jobs:
        counts[int(job.at_s // HOUR_S)] += 1
    at_once = sum(mean_g_per_kwh(actual, job.at_s, RUN_S) for job in jobs)
    least = min_shift_cost(counts, actual, wait=int(SLACK_S // HOUR_S), room=slots * HOUR_S / RUN_S)
    return 1.0 - least / at_once


def oracle_belief(actual: Sequence[float]) -> IntensityBelief:
    """Returns the true intensity of every hour."""
    return lambda _, hour: actual[hour]


def yesterday_belief(actual: Sequence[float]) -> IntensityBelief:
    """Expects the intensity of a day before; knows the current hour."""
    return lambda now, hour: actual[
        hour if hour == now else hour - (24 if hour - 24 <= now else 48)
    ]


def forecast_belief(
    actual: Sequence[float], begin_at: float, forecasts: Sequence[PublishedForecast]
) -> IntensityBelief:
    """Expects the newest forecast; knows the current hour.

    Args:
        actual: hourly, from ``begin_at`` on.
        begin_at: seconds since the epoch.
        forecasts: of the zone, by issue.
    """
    issues = sorted(
        (int((forecast.issued_at - begin_at) // HOUR_S), forecast) for forecast in forecasts
    )
    newest: dict[int, PublishedForecast] = {}
    for issued, forecast in issues:
        for hour in range(max(0, issued), len(actual)):
            newest[hour] = forecast

    def guess(now: int, hour: int) -> float:
        forecast = newest.get(now)
        if hour == now or forecast is None:
            return actual[hour] if hour == now else inf
        place = hour - int((forecast.start_at - begin_at) // HOUR_S)
        return forecast.direct[place] if 0 <= place < len(forecast.direct) else inf

    return guess


# The pool.


def make_node(slots: int, zone: str) -> NodeSpec:
    """Returns the only node: a job's duration and energy do not depend on the batch.

    Args:
        zone: of the node.
        slots: batch slots under the default policy; the node has twice as many.
    """
    all_slots = int(slots / Deferral().slots_part)
    rates = Rates(PREFILL_TOKENS_PER_S, TPOT_S, 0.0, Basis.MEASURED)
    replica = Replica(MODEL, "sha256:published", "published/1", 32_768, all_slots, (), rates)
    card = NodeCard(
        node="node-0",
        coop="alpha",
        site="site",
        zone=zone,
        power=Power("even", 20.0, 120.0, Basis.DECLARED),
        replicas=(replica,),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=0.02,
        agent="benchmark",
    )
    return NodeSpec(card=card, curve=LINEAR)


def make_policy(heartbeat_s: float = HEARTBEAT_S) -> Policy:
    """Returns the default policy with rare heartbeats and no batch objective.

    Batch jobs have only their own deadlines, and the only co-op has no effective cap.

    Args:
        heartbeat_s: interval of the heartbeats.
    """
    classes = tuple(
        msgspec.structs.replace(terms, completion_s=None)
        if terms.job_class is JobClass.BATCH
        else terms
        for terms in DEFAULT_CLASSES
    )
    return Policy(
        "deferral",
        (CoopTerms("alpha"),),
        classes=classes,
        timing=slow_heartbeat_timing(heartbeat_s),
        fair_share=FairShare(cap_tokens=1 << 24),
    )


def simulate_shifting(
    series: IntensitySeries,
    jobs: Sequence[Arrival],
    forecasts: Sequence[PublishedForecast],
    *,
    slots: int,
) -> ShiftingResult:
    """Returns the core's saving in a simulation with ``slots`` batch slots."""
    rules = make_policy()
    records = JobRecords(rules)
    world = World(
        Core(),
        start_at=series.start_at,
        policy=rules,
        nodes=[make_node(slots, series.zone)],
        grid=Grid([series], forecasts),
        heartbeat_s=HEARTBEAT_S,
        progress_s=HEARTBEAT_S / 2.0,
        recorder=records,
    )
    template = RequestTemplate(
        MODEL, job_class=JobClass.BATCH, kind=JobKind.KEPT, deadline_s=SLACK_S + RUN_S + 60.0
    )
    world.run(make_requests(jobs, template, start_at=series.start_at, coops=("alpha",)))
    grams = float(records.column("carbon_g").sum())
    energy_kwh = (
        sum(float(records.column(name).sum()) for name in ("prefill_wh", "decode_wh", "wake_wh"))
        / 1_000
    )
    at_once = sum(mean_g_per_kwh(series.direct, job.at_s, RUN_S) for job in jobs) / len(jobs)
    late = int((records.column("promise") != 1).sum())
    return ShiftingResult(1.0 - grams / energy_kwh / at_once, late)
