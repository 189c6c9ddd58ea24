"""Zone placement: one load, one placement method, one energy model; emissions and SLO attainment.

A fleet of identical machines in two or three zones, so that a linear program over hours and zones
bounds what any placement can save. Only requests of the samples count, not those of the lead-ins;
the bound ignores the lead-ins, so it is slightly lower than achievable. The simulator models the
nodes, the core places the jobs.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from benchmarks.support.devices import MODEL, make_card, read_catalogue
from benchmarks.support.linear_optimum import min_emissions_g
from benchmarks.support.pooled_capacity import overflow_part
from benchmarks.support.sampled_loads import (
    HOUR_S,
    SAMPLE_BEGIN_S,
    Load,
    is_counted,
    sampled_hours,
    work_model,
)
from msgspec import Struct

from entraide.types import JobState
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Carbon, CoopTerms, Picker, Policy
from entraide_sim import (
    LINEAR,
    SERVER,
    Grid,
    IntensitySeries,
    JobRecords,
    NodeSpec,
    PowerCurve,
    RequestTemplate,
    World,
    make_requests,
    slow_heartbeat_timing,
)
from entraide_sim.machines import J_PER_KWH
from entraide_sim.world import NO_PROMISE, PROMISE_KEPT

DEVICE = "rtx-4090-24"
SLOTS = 16
GREEN_PART_MAX = 0.4  # of the mean load that the first zone can carry
RTT_S = (0.010, 0.020, 0.060)  # of the zones, the first as Québec is from a pool in Montréal
COOPS = ("alpha", "beta", "gamma")
ENERGY: dict[str, PowerCurve] = {"linear": LINEAR, "batch_curve": SERVER}
OBJECTIVE_S = 2.0  # TTFT: the last request of a sample may start this much later
# Ways to pick that look at no energy: one run of theirs tells what it costs in either model (only
# the credit that lenders earn by energy, and so who goes first in a queue, is then the curve's).
ENERGY_BLIND = (Picker.ROUND_ROBIN, Picker.LEAST_LOADED, Picker.FASTEST, Picker.GREEDY_GREEN)
HEARTBEAT_S = 300.0
PROGRESS_S = 30.0


class PlacementMethod(Struct, frozen=True):
    """A placement method: a picker, and the policy's weights for pickers that use them."""

    name: str
    picker: Picker
    headroom: float = Carbon().headroom
    late_weight: float = Carbon().late_weight


class PlacementMetrics(Struct, frozen=True):
    """Metrics of the requests that came in the samples of a run.

    Attributes:
        by_zone: part of the output tokens, by zone.
        last_work_part: part of the work that was done in the last zone.
        missed: promises that were not kept.
        busy_at_begin_part: part of all slots that held a run when a sample began, on average.
    """

    gco2e_per_1k_output_tokens: float
    slo_attainment: float | None
    ttft_p95_s: float | None
    jobs: int
    completed: int
    by_zone: dict[str, float]
    last_work_part: float
    missed: int | None = None
    busy_at_begin_part: float | None = None


def make_fleet(load: Load, energy: str, zones: Sequence[str]) -> list[NodeSpec]:
    """Returns the nodes: the maximum in the first zone, the rest alternately in the others.

    Args:
        load: its mean work determines the number of nodes in the first zone.
        energy: name of the energy model.
        zones: of the fleet, the one with the lowest mean intensity first.
    """
    green = int(GREEN_PART_MAX * load.mean_s / load.sample_s)
    device = read_catalogue()[DEVICE]
    return [
        NodeSpec(
            card=make_card(
                device,
                node=f"node-{number}",
                coop=COOPS[number % len(COOPS)],
                zone=zone,
                slots=SLOTS,
                rtt_s=RTT_S[zones.index(zone)],
            ),
            curve=ENERGY[energy],
        )
        for number, zone in enumerate(_node_zones(green, load.machines, zones))
    ]


def _node_zones(green: int, machines: int, zones: Sequence[str]) -> list[str]:
    """Returns the zones by node, the first zone's in the middle: a tie goes to the first name."""
    others = [zones[1 + number % (len(zones) - 1)] for number in range(machines - green)]
    middle = len(others) // 2
    return [*others[:middle], *([zones[0]] * green), *others[middle:]]


def make_policy(method: PlacementMethod) -> Policy:
    """Returns the default policy with another picker and rare heartbeats."""
    return Policy(
        method.name,
        tuple(CoopTerms(coop) for coop in COOPS),
        timing=slow_heartbeat_timing(HEARTBEAT_S),
        picker=method.picker,
        carbon=Carbon(headroom=method.headroom, late_weight=method.late_weight),
    )


def measure_method(
    load: Load,
    method: PlacementMethod,
    series: Sequence[IntensitySeries],
    energies: Sequence[str] = tuple(ENERGY),
) -> dict[str, PlacementMetrics]:
    """Returns the metrics of a method by energy model; energy-blind methods need one run."""
    if method.picker not in ENERGY_BLIND:
        return {energy: simulate_load(load, energy, method, series)[0] for energy in energies}
    metrics, records = simulate_load(load, "batch_curve", method, series)
    tokens = records.column("output_tokens")[_counted(records, series)]
    linear = linear_g(records, series) * 1_000 / int(tokens.sum())
    return {
        "linear": msgspec.structs.replace(metrics, gco2e_per_1k_output_tokens=linear),
        "batch_curve": metrics,
    }


def simulate_load(
    load: Load, energy: str, method: PlacementMethod, series: Sequence[IntensitySeries]
) -> tuple[PlacementMetrics, JobRecords]:
    """Simulates a load once."""
    terms = make_policy(method)
    records = JobRecords(terms)
    start_at = series[0].start_at
    world = World(
        Core(),
        start_at=start_at,
        policy=terms,
        nodes=make_fleet(load, energy, [zone_series.zone for zone_series in series]),
        grid=Grid(series),
        heartbeat_s=HEARTBEAT_S,
        progress_s=PROGRESS_S,
        recorder=records,
    )
    template = RequestTemplate(MODEL, output_tokens_max=0)
    world.run(make_requests(load.arrivals, template, start_at=start_at, coops=COOPS))
    return _load_metrics(records, load, series), records


def _load_metrics(
    records: JobRecords, load: Load, series: Sequence[IntensitySeries]
) -> PlacementMetrics:
    """Returns the metrics of the requests within the samples."""
    table = {name: column[_counted(records, series)] for name, column in records.columns().items()}
    done = table["state"] == JobState.COMPLETED.value
    zones, tokens = table["zone"], table["output_tokens"]
    work = work_model(read_catalogue()[DEVICE], SLOTS)(table["input_tokens"], tokens)
    promised = table["promise"] != NO_PROMISE
    missed = int((promised & (table["promise"] != PROMISE_KEPT)).sum())
    return PlacementMetrics(
        float(table["carbon_g"].sum() * 1_000 / tokens[done].sum()),
        1.0 - missed / int(promised.sum()),
        float(np.quantile((table["first_at"] - table["asked_at"])[done], 0.95)),
        len(tokens),
        int(done.sum()),
        {
            zone_series.zone: float(tokens[zones == zone_series.zone].sum() / tokens.sum())
            for zone_series in series
        },
        float(work[zones == series[-1].zone].sum() / work.sum()),
        missed,
        _busy_at_begin_part(records, load, series),
    )


def _counted(records: JobRecords, series: Sequence[IntensitySeries]) -> npt.NDArray[np.bool_]:
    """Returns for each job whether it arrived within a sample, lead-in excluded."""
    offset = (records.column("asked_at") - series[0].start_at) % HOUR_S
    counted: npt.NDArray[np.bool_] = offset >= SAMPLE_BEGIN_S
    return counted


def _busy_at_begin_part(
    records: JobRecords, load: Load, series: Sequence[IntensitySeries]
) -> float:
    """Returns the mean part of all slots that were in use at the start of a sample."""
    hour = (records.column("asked_at") - series[0].start_at) // HOUR_S
    begin_at = series[0].start_at + hour * HOUR_S + SAMPLE_BEGIN_S
    running = (records.column("placed_at") < begin_at) & (begin_at < records.column("end_at"))
    return float(running.sum()) / (sampled_hours(load) * load.machines * SLOTS)


def linear_g(records: JobRecords, series: Sequence[IntensitySeries]) -> float:
    """Returns the emissions of the same runs with linear energy, grams.

    A job ends in the hour of its arrival, because samples are in the middle of their hours.
    """
    device = read_catalogue()[DEVICE]
    counted = _counted(records, series)
    work = work_model(device, SLOTS)(
        records.column("input_tokens")[counted], records.column("output_tokens")[counted]
    )
    hours = (records.column("asked_at")[counted] - series[0].start_at) // HOUR_S
    zones = records.column("zone")[counted]
    grams = 0.0
    for zone_series in series:
        here = zones == zone_series.zone
        intensity = np.array(zone_series.direct)[hours[here].astype(np.int64)]
        grams += float((work[here] * intensity).sum())
    return grams * (device.active_w - device.idle_w) / J_PER_KWH


def optimal_emissions(
    load: Load, series: Sequence[IntensitySeries]
) -> tuple[float, dict[str, float]]:
    """Returns a lower bound of the emissions of a load, grams per 1,000 output tokens.

    With linear energy a token costs what it costs in a full batch; under the batch curve no batch
    is cheaper than a full one, so the bound holds there too.

    Returns:
        The grams, and the part of the work that each zone does.
    """
    device = read_catalogue()[DEVICE]
    zones = [zone_series.zone for zone_series in series]
    nodes = [spec.card.zone for spec in make_fleet(load, "linear", zones)]
    # After the last first token a machine may still have a batch of average answers to decode.
    counted = load.counted_arrivals()
    output_tokens = sum(arrival.output_tokens for arrival in counted)
    answer_tokens = output_tokens / len(counted)
    tail_s = OBJECTIVE_S + SLOTS * work_model(device, SLOTS)(0.0, answer_tokens)
    capacity_s = [nodes.count(zone) * (load.sample_s + tail_s) for zone in zones]
    extra_w = device.active_w - device.idle_w
    by_zone = {zone_series.zone: zone_series.direct for zone_series in series}
    grams = [
        [extra_w / J_PER_KWH * by_zone[zone][hour] for zone in zones] for hour in range(load.hours)
    ]
    least, done_s = min_emissions_g(load.work_s, capacity_s, grams)
    whole_s = sum(load.work_s)
    parts = {
        zone: sum(hour[place] for hour in done_s) / whole_s for place, zone in enumerate(zones)
    }
    return least * 1_000 / output_tokens, parts


def zone_overflow_part(load: Load, zones: Sequence[str], *, patience_s: float = 0.0) -> float:
    """Returns the part of the work that would overflow from the cleaner zones to the last.

    As if their machines shared all work, with queueing up to ``patience_s``; see
    ``pooled_capacity``.
    """
    device = read_catalogue()[DEVICE]
    machines = sum(spec.card.zone != zones[-1] for spec in make_fleet(load, "linear", zones))
    return overflow_part(
        load.arrivals,
        work_model(device, SLOTS),
        device,
        machines=machines,
        slots=SLOTS,
        patience_s=patience_s,
        counts=is_counted,
    )
