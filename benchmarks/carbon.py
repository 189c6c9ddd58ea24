"""Emissions saved by carbon-aware placement and shifting, against the linear optimum.

*Placement.* A week of a ServeGen-derived load and a day of Azure's (one service at a higher rate,
and several at about its own rate) on a fleet in three zones with their published hourly direct
intensity, placed by each picker. ``optimum`` is a lower bound: a linear program over hours and
zones with full batches and free waking. ``saving_part_of_optimum`` is a picker's saving over the
optimum's, both against least loaded. Energy is ``linear`` (each token costs what it costs in a full
batch) or that of the ``batch_curve`` (less per token in a fuller batch). ``no_headroom``:
``carbon.headroom = 0``.

``frontier``: saving against late first words for values of ``carbon.late_weight``, in the regions
``chosen_on_2023`` and ``similar_zones_2023`` on Azure's services.

Regions (``support/regions``): ``chosen_on_2023``, on which the pool's constants were chosen, is
``in_sample``; all others are ``held_out``: the same zones in 2022, three zones with nearly equal
means (5 % apart), and three with means closer together than those of the first (1 to 1.6).
``headroom`` is also chosen anew on ServeGen's load in the first half of 2023 (``ChoiceRow``) and
evaluated on Azure's loads in the second half; the weight of time and the confidence stay.

Fleets: 9 machines (RTX 4090, 16 sequences), and 36 with four times the load. Of each hour a sample
is simulated after a lead-in (``busy_at_begin_part``; see ``support/sampled_loads``). The week is
the one closest to the mean intensity of the year, or half year. The heaviest hour is expected to
need 60 % of the fleet; the machines of the cleanest zone can carry at most 40 % of the mean load.
``reference_pooled_…`` is the overflow of the first two zones to the last if their machines were
one, without queueing, and with queueing up to the latency objective.

*Deferral.* A year of batch jobs with a day of slack that need a quarter of the batch slots, and
once with slots to spare; see ``support/batch_shifting``. ``saved_part`` is against running each job
on arrival. Deferral was tuned on Ontario 2023 (``in_sample``); Ontario 2022, Alberta 2023 and
California 2023 are ``held_out``.

    python -m benchmarks.carbon [--json] [--quick] [--only PART …] [--loads LOAD …]
                                [--machines N …] [--seed N] [--every-h N] [--workers N]
"""

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

import msgspec
from benchmarks.support import regions, zone_placement
from benchmarks.support.common import make_parser, print_rows
from benchmarks.support.deferral import run_deferral
from benchmarks.support.devices import read_catalogue
from benchmarks.support.regions import HELD_OUT, IN_SAMPLE, Region, region_intensities
from benchmarks.support.sampled_loads import (
    Load,
    azure_day,
    azure_machines_needed,
    servegen_week,
    work_model,
)
from benchmarks.support.zone_placement import PlacementMethod
from msgspec import Struct

from entraide_scheduler.core.policy import Picker
from entraide_sim import IntensitySeries

FLEETS = (9, 36)  # machines, in the region on which the constants were chosen; elsewhere the first
PEAK_PART = 0.6
REFERENCE = PlacementMethod("least_loaded", Picker.LEAST_LOADED)
OURS = PlacementMethod("ours", Picker.GREENEST)
NO_HEADROOM = PlacementMethod("no_headroom", Picker.GREENEST, 0.0)
WAYS = (
    PlacementMethod("round_robin", Picker.ROUND_ROBIN),
    REFERENCE,
    PlacementMethod("latency_only", Picker.FASTEST),
    PlacementMethod("greedy_green", Picker.GREEDY_GREEN),
    OURS,
    NO_HEADROOM,
)
HELD_OUT_WAYS = (REFERENCE, PlacementMethod("greedy_green", Picker.GREEDY_GREEN), OURS, NO_HEADROOM)
HEADROOMS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)  # of which one is chosen
MISSED_MORE_PART = 0.001  # of all objectives: a headroom that misses more is not chosen
PARTS = (
    "in_sample", "other_year", "other_zones", "similar_zones", "alike_zones", "hydro_zones",
    "eastern_zones", "frontier", "split", "hours",
)  # fmt: skip
LOADS = ("servegen_week", "azure_day", "azure_services_day")  # that ``--loads`` selects from
LATE_WEIGHTS = (0.0, 2.0, 5.0, 10.0, 20.0, 1_000.0)  # of the frontier


class PlacementRow(Struct, frozen=True):
    """One load, energy model and placement method; the optimum has only emissions.

    ``sample`` says whether the pool's constants were chosen on this region (``in_sample``).
    """

    region: str
    sample: str
    load: str
    machines: int
    energy: str
    policy: str
    gco2e_per_1k_output_tokens: float
    slo_attainment: float | None
    missed: int | None
    ttft_p95_s: float | None
    saving_part_of_optimum: float
    reference_least_loaded_gco2e_per_1k_output_tokens: float
    reference_least_loaded_slo_attainment: float | None
    reference_optimum_gco2e_per_1k_output_tokens: float
    first_zone_part: float
    second_zone_part: float
    last_zone_part: float
    last_zone_work_part: float
    reference_pooled_last_zone_work_part: float
    reference_pooled_patient_last_zone_work_part: float
    busy_at_begin_part: float | None
    jobs: int
    completed: int


class ChoiceRow(Struct, frozen=True):
    """One candidate headroom; chosen is the one with least emissions that meets the objectives."""

    region: str
    load: str
    machines: int
    energy: str
    headroom: float
    saving_part_of_optimum: float
    missed: int
    reference_least_loaded_missed: int
    chosen: bool


class OverflowReference(Struct, frozen=True):
    """Part of the work that would overflow from the first two zones to the last if pooled."""

    part: float
    patient_part: float


class BenchmarkSize(Struct, frozen=True):
    """Amount of simulated load."""

    days: int
    every_h: int
    servegen_sample_s: float
    azure_hours: int
    azure_sample_s: float
    deferral_days: int


WHOLE = BenchmarkSize(7, 1, 30.0, 24, 60.0, 362)
QUICK = BenchmarkSize(1, 1, 4.0, 3, 4.0, 10)


def make_loads(size: BenchmarkSize, machines: int, seed: int) -> Iterator[Load]:
    """Makes all loads for a fleet."""
    yield servegen_load(size, machines, seed)
    yield from azure_loads(size, machines)


def servegen_load(size: BenchmarkSize, machines: int, seed: int) -> Load:
    """Returns ServeGen's load for a fleet."""
    return servegen_week(
        work_model(read_catalogue()[zone_placement.DEVICE], zone_placement.SLOTS),
        days=size.days,
        sample_s=size.servegen_sample_s,
        machines=machines,
        peak_part=PEAK_PART,
        seed=seed,
        every_h=size.every_h,
    )


def azure_loads(size: BenchmarkSize, machines: int) -> Iterator[Load]:
    """Makes Azure's loads for a fleet: one service at a higher rate, and several."""
    work = work_model(read_catalogue()[zone_placement.DEVICE], zone_placement.SLOTS)
    needed = PEAK_PART * machines
    for services in (1, max(2, round(needed / azure_machines_needed(work)))):
        yield azure_day(
            work,
            hours=size.azure_hours,
            sample_s=size.azure_sample_s,
            needed=needed,
            machines=machines,
            services=services,
            every_h=size.every_h,
        )


class PendingRuns(Struct, frozen=True):
    """Pending simulations of a load in a region, by placement method."""

    region: Region
    load: Load
    series: Sequence[IntensitySeries]
    lives: Mapping[PlacementMethod, Future[dict[str, zone_placement.PlacementMetrics]]]
    energies: Sequence[str]


def submit_runs(
    pool: ProcessPoolExecutor,
    region: Region,
    load: Load,
    ways: Sequence[PlacementMethod],
    energies: Sequence[str] = tuple(zone_placement.ENERGY),
) -> PendingRuns:
    """Submits the simulation of a load with each placement method."""
    series = region_intensities(region)
    lives = {
        way: pool.submit(zone_placement.measure_method, load, way, series, energies) for way in ways
    }
    return PendingRuns(region, load, series, lives, energies)


def placement(begun: PendingRuns) -> Iterator[PlacementRow]:
    """Yields a row for each energy model and placement method; the optimum comes last."""
    load, series = begun.load, begun.series
    zones = [zone_series.zone for zone_series in series]
    outcomes = {way: life.result() for way, life in begun.lives.items()}
    least_g, parts = zone_placement.optimal_emissions(load, series)
    patient_part = zone_placement.zone_overflow_part(
        load, zones, patience_s=zone_placement.OBJECTIVE_S
    )
    pooled = OverflowReference(zone_placement.zone_overflow_part(load, zones), patient_part)
    jobs = len(load.counted_arrivals())
    best = zone_placement.PlacementMetrics(least_g, None, None, jobs, 0, parts, parts[zones[-1]])
    for energy in begun.energies:
        metrics_by_method = {way.name: outcomes[way][energy] for way in outcomes} | {
            "optimum": best
        }
        yield from placement_rows(begun, energy, metrics_by_method, pooled)
    print(f"{begun.region.name}, {load.name}, {load.machines}: done", file=sys.stderr)


def placement_rows(
    begun: PendingRuns,
    energy: str,
    metrics_by_method: Mapping[str, zone_placement.PlacementMetrics],
    pooled: OverflowReference,
) -> list[PlacementRow]:
    """Compares each placement method with least loaded and the optimum."""
    reference, best = (
        metrics_by_method[REFERENCE.name],
        metrics_by_method["optimum"].gco2e_per_1k_output_tokens,
    )
    least_loaded = reference.gco2e_per_1k_output_tokens
    load, zones = begun.load, [zone_series.zone for zone_series in begun.series]
    return [
        PlacementRow(
            begun.region.name,
            IN_SAMPLE if begun.region in (regions.CHOSEN_ON, regions.ALIKE_ZONES) else HELD_OUT,
            load.name,
            load.machines,
            energy,
            name,
            metrics.gco2e_per_1k_output_tokens,
            metrics.slo_attainment,
            metrics.missed,
            metrics.ttft_p95_s,
            (least_loaded - metrics.gco2e_per_1k_output_tokens) / (least_loaded - best),
            least_loaded,
            reference.slo_attainment,
            best,
            metrics.by_zone[zones[0]],
            metrics.by_zone[zones[1]],
            metrics.by_zone[zones[-1]],
            metrics.last_work_part,
            pooled.part,
            pooled.patient_part,
            metrics.busy_at_begin_part,
            metrics.jobs,
            metrics.completed,
        )
        for name, metrics in metrics_by_method.items()
    ]


def choose_headroom(
    pool: ProcessPoolExecutor, load: Load, energy: str = "linear"
) -> list[ChoiceRow]:
    """Returns a row for each headroom on the first half of the year, one of them chosen."""
    ways = {
        PlacementMethod(f"headroom_{value:g}", Picker.GREENEST, value): value for value in HEADROOMS
    }
    begun = submit_runs(pool, regions.FIRST_HALF_2023, load, (REFERENCE, *ways), [energy])
    rows = {row.policy: row for row in placement(begun)}
    reference = rows[REFERENCE.name].missed or 0
    allowed = reference + MISSED_MORE_PART * len(load.counted_arrivals())
    keeping = [way for way in ways if (rows[way.name].missed or 0) <= allowed] or list(ways)
    chosen = min(keeping, key=lambda way: rows[way.name].gco2e_per_1k_output_tokens)
    return [
        ChoiceRow(
            begun.region.name,
            load.name,
            load.machines,
            energy,
            value,
            rows[way.name].saving_part_of_optimum,
            rows[way.name].missed or 0,
            reference,
            way == chosen,
        )
        for way, value in ways.items()
    ]


def split(
    pool: ProcessPoolExecutor, size: BenchmarkSize, machines: int, seed: int
) -> Iterator[Struct]:
    """Chooses a headroom on one half of the year and one load; tests it on the others."""
    rows = choose_headroom(pool, servegen_load(size, machines, seed))
    yield from rows
    (value,) = (row.headroom for row in rows if row.chosen)
    ways = dict.fromkeys((REFERENCE, OURS, NO_HEADROOM))
    if value not in {way.headroom for way in (OURS, NO_HEADROOM)}:
        ways[PlacementMethod(f"headroom_{value:g}", Picker.GREENEST, value)] = None
    for load in azure_loads(size, machines):
        yield from placement(submit_runs(pool, regions.SECOND_HALF_2023, load, tuple(ways)))


def placement_rows_of(
    pool: ProcessPoolExecutor, options: argparse.Namespace, size: BenchmarkSize
) -> Iterator[PlacementRow]:
    """Yields the rows of all requested regions."""
    small = options.machines[:1]
    cases = {
        "in_sample": (regions.CHOSEN_ON, options.machines),
        "other_year": (regions.OTHER_YEAR, small),
        "other_zones": (regions.OTHER_ZONES, small),
        "similar_zones": (regions.SIMILAR_ZONES, small),
        "alike_zones": (regions.ALIKE_ZONES, small),
        "hydro_zones": (regions.HYDRO_ZONES, small),
        "eastern_zones": (regions.EASTERN_ZONES, small),
    }
    begun = [
        submit_runs(pool, region, load, WAYS if region == regions.CHOSEN_ON else HELD_OUT_WAYS)
        for part, (region, fleets) in cases.items()
        if part in options.only
        for machines in fleets
        for load in make_loads(size, machines, options.seed)
        if load.name in options.loads
    ]
    for pending in begun:
        yield from placement(pending)


def frontier(
    pool: ProcessPoolExecutor, size: BenchmarkSize, machines: int
) -> Iterator[PlacementRow]:
    """Yields saving and late first words by the weight of a late first word, and by headroom."""
    ways = [
        PlacementMethod(f"late_weight_{weight:g}", Picker.GREENEST, late_weight=weight)
        for weight in LATE_WEIGHTS
    ]
    ways += [PlacementMethod(f"headroom_{each:g}", Picker.GREENEST, each) for each in HEADROOMS]
    *_, load = azure_loads(size, machines)
    for region in (regions.CHOSEN_ON, regions.SIMILAR_ZONES, regions.EASTERN_ZONES):
        yield from placement(submit_runs(pool, region, load, (REFERENCE, *ways)))


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="little of it: does it run at all?")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=LOADS, metavar="LOAD")
    parser.add_argument("--machines", type=int, nargs="+", default=FLEETS, help="of each fleet")
    parser.add_argument("--seed", type=int, default=1, help="of all luck")
    parser.add_argument("--every-h", type=int, default=1, help="a sample in every such hour")
    parser.add_argument("--workers", type=int, default=None, help="processes (one for each core)")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else WHOLE
    size = msgspec.structs.replace(size, every_h=options.every_h)
    print(f"seed {options.seed}, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {size}", file=sys.stderr)
    rows: list[Struct] = []
    with ProcessPoolExecutor(options.workers) as pool:
        rows += placement_rows_of(pool, options, size)
        if "frontier" in options.only:
            rows += frontier(pool, size, options.machines[0])
        if "split" in options.only:
            rows += split(pool, size, options.machines[0], options.seed)
    if "hours" in options.only:
        rows += run_deferral(size.deferral_days, options.seed)
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
