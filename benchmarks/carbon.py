"""What choosing places and hours by carbon saves, beside what could be saved at best.

Two kinds of rows.

*Placement.* A week of the ServeGen-derived load and a day of Azure's (one service that is asked
faster, and several at about its own pace) in a fleet over Québec, Ontario and Alberta with their
hourly direct intensity of 2023, placed by each of the core's ways to pick a node. ``optimum`` is
the least that any placement can emit: a linear program over hours and zones, machines always at
full batch, waking free. ``saving_part_of_optimum`` is what a way to pick saves of what the optimum
saves, both against least loaded. Energy is once ``linear`` (a token costs what it costs in a full
batch, so that the optimum could be reached) and once that of the ``batch_curve`` (a fuller batch is
cheaper by token).

There is a small fleet of nine machines (RTX 4090, 16 sequences) and a larger one of 36 with four
times the load: the more machines, the less a burst fills them all. To end in minutes, half a minute
of each hour (Azure: a minute) is lived through, at the load's own pace; see ``support/loads``. The
week is the one whose mean intensity in Ontario is nearest to the year's. The load is scaled so that
its heaviest hour is expected to need 60 % of the fleet; in Québec stand as many machines as carry
at most 40 % of the mean. Bursts need more than that: ServeGen's clients send in clusters. What
greener machines that were one would pass on to Alberta all the same is ``reference_pooled_…``:
where nobody waits, and where all wait as long as their promise lasts.

*Deferral.* A year of batch jobs with a day of slack in Ontario, a quarter of what the slots for
batch work can do, and once with slots to spare; see ``support/hours``. ``saved_part`` is against
running each job when it comes.

    python -m benchmarks.carbon [--json] [--quick] [--machines N …] [--seed N]
"""

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from benchmarks.support import hours, places
from benchmarks.support.devices import catalogue
from benchmarks.support.loads import Load, azure_day, azure_needs, servegen_week, work_s
from benchmarks.support.shared import data, show
from msgspec import Struct

from entraide_scheduler.core.policy import Picker
from entraide_sim import Forecast, Series, read_forecasts, read_series

FLEETS = (9, 36)  # machines
PEAK_PART = 0.6
DAY_H = 24
WEEK_H = 168
SPARE_H = 2  # of intensity after a load's end
BATCH_SLOTS = (4, 32)  # for jobs that keep one busy
REFERENCE = Picker.LEAST_LOADED.value
PICKERS = (
    Picker.ROUND_ROBIN,
    Picker.LEAST_LOADED,
    Picker.FASTEST,
    Picker.GREEDY_GREEN,
    Picker.GREENEST,
)
NAMES = {Picker.FASTEST: "latency_only", Picker.GREENEST: "ours"}


class PlacementRow(Struct, frozen=True):
    """One load, one energy model, one way to pick. Of the optimum only grams are known."""

    load: str
    machines: int
    energy: str
    policy: str
    gco2e_per_1k_output_tokens: float
    slo_attainment: float | None
    ttft_p95_s: float | None
    saving_part_of_optimum: float
    reference_least_loaded_gco2e_per_1k_output_tokens: float
    reference_least_loaded_slo_attainment: float | None
    reference_optimum_gco2e_per_1k_output_tokens: float
    quebec_part: float
    ontario_part: float
    alberta_part: float
    alberta_work_part: float
    reference_pooled_alberta_work_part: float
    reference_pooled_patient_alberta_work_part: float
    jobs: int
    completed: int


class Pooled(Struct, frozen=True):
    """What the greener zones would pass on to Alberta if they were one: of the work, a part."""

    part: float
    patient_part: float


class DeferralRow(Struct, frozen=True):
    """One signal, and how much of the slots for batch work the jobs need on average.

    ``reference_commit_…`` are jobs that fix their hour on arrival by the same signal, with the same
    slots and with room for all; ``reference_optimum_…`` is the most that any schedule saves.
    """

    deferral_signal: str
    load_part: float
    saved_part: float
    part_of_commit_at_arrival: float
    part_of_optimum: float
    part_of_commit_at_arrival_with_room_for_all: float
    reference_commit_at_arrival_saved_part: float
    reference_optimum_saved_part: float
    reference_commit_at_arrival_with_room_for_all_saved_part: float
    reference_oracle_with_room_for_all_saved_part: float
    jobs: int
    late: int


class Size(Struct, frozen=True):
    """How much is lived through."""

    days: int
    servegen_sample_s: float
    azure_hours: int
    azure_sample_s: float
    deferral_days: int


WHOLE = Size(7, 30.0, 24, 60.0, 362)
QUICK = Size(1, 4.0, 3, 4.0, 10)


def typical_week(ontario: Sequence[float]) -> int:
    """Returns the hour in which that week begins whose mean is nearest to the series'.

    Weeks begin with the series, one after the other.
    """
    mean = sum(ontario) / len(ontario)
    begins = range(0, len(ontario) - WEEK_H - SPARE_H, WEEK_H)
    return min(begins, key=lambda hour: abs(sum(ontario[hour : hour + WEEK_H]) / WEEK_H - mean))


def intensities() -> list[Series]:
    """Returns the week's intensity of each zone."""
    paths = {zone: data(f"carbon/{zone}_2023_hourly.csv") for zone in places.ZONES}
    ontario = read_series(paths["CA-ON"], zone="CA-ON")
    start_at = ontario.start_at + typical_week(ontario.direct) * 3_600.0
    return [
        read_series(path, zone=zone, start_at=start_at, hours=WEEK_H + SPARE_H)
        for zone, path in paths.items()
    ]


def loads(size: Size, machines: int, seed: int) -> Iterator[Load]:
    """Makes all loads for a fleet."""
    work = work_s(catalogue()[places.DEVICE], places.SLOTS)
    yield servegen_week(
        work,
        days=size.days,
        sample_s=size.servegen_sample_s,
        machines=machines,
        peak_part=PEAK_PART,
        seed=seed,
    )
    needed = PEAK_PART * machines
    for services in (1, max(2, round(needed / azure_needs(work)))):
        yield azure_day(
            work,
            hours=size.azure_hours,
            sample_s=size.azure_sample_s,
            needed=needed,
            machines=machines,
            services=services,
        )


Lives = dict[Picker, Future[dict[str, places.Outcome]]]


def lives(pool: ProcessPoolExecutor, load: Load, series: Sequence[Series]) -> Lives:
    """Begins to live through a load with each way to pick, each in a process of its own."""
    return {picker: pool.submit(places.outcomes, load, picker, series) for picker in PICKERS}


def placement(load: Load, series: Sequence[Series], begun: Lives) -> Iterator[PlacementRow]:
    """Tells what each way to pick came to; the optimum comes last."""
    found = {picker: life.result() for picker, life in begun.items()}
    least_g, parts = places.optimum(load, series)
    pooled = Pooled(places.passed_on(load), places.passed_on(load, patience_s=places.PROMISE_S))
    best = places.Outcome(least_g, None, None, len(load.arrivals), 0, parts, parts["CA-AB"])
    for energy in places.ENERGY:
        told = {NAMES.get(picker, picker.value): found[picker][energy] for picker in PICKERS}
        yield from placement_rows(load, energy, told | {"optimum": best}, pooled)


def placement_rows(
    load: Load, energy: str, told: Mapping[str, places.Outcome], pooled: Pooled
) -> list[PlacementRow]:
    """Holds each way to pick against least loaded and the optimum."""
    reference, best = told[REFERENCE], told["optimum"].gco2e_per_1k_output_tokens
    least_loaded = reference.gco2e_per_1k_output_tokens
    return [
        PlacementRow(
            load.name,
            load.machines,
            energy,
            name,
            one.gco2e_per_1k_output_tokens,
            one.slo_attainment,
            one.ttft_p95_s,
            (least_loaded - one.gco2e_per_1k_output_tokens) / (least_loaded - best),
            least_loaded,
            reference.slo_attainment,
            best,
            one.by_zone["CA-QC"],
            one.by_zone["CA-ON"],
            one.by_zone["CA-AB"],
            one.last_work_part,
            pooled.part,
            pooled.patient_part,
            one.jobs,
            one.completed,
        )
        for name, one in told.items()
    ]


def deferral(size: Size, seed: int) -> Iterator[DeferralRow]:
    """Lets jobs wait by each signal, with slots that they need a quarter of, and with many."""
    zone = hours.ZONE
    series = read_series(data(f"carbon/{zone}_2023_hourly.csv"), zone=zone)
    forecasts = read_forecasts(data(f"carbon/{zone}_2023_forecast_96h.csv"), zone=zone)
    jobs = hours.arrivals(size.deferral_days * DAY_H, seed=seed)
    actual = series.direct
    oracle = hours.committed(actual, jobs, hours.by_oracle(actual))
    none: list[Forecast] = []
    signals = {
        "published_forecast": (hours.by_forecast(actual, series.start_at, forecasts), forecasts),
        "yesterdays_profile": (hours.by_yesterday(actual), none),
    }
    for slots in BATCH_SLOTS:
        most = hours.most_saved(actual, jobs, slots=slots)
        for name, (guess, issued) in signals.items():
            ours = hours.planned(series, jobs, issued, slots=slots)
            alike = hours.committed(actual, jobs, guess, slots=slots)
            alone = hours.committed(actual, jobs, guess)
            yield DeferralRow(
                name,
                hours.BUSY_SLOTS / slots,
                ours.part,
                ours.part / alike,
                ours.part / most,
                ours.part / alone,
                alike,
                most,
                alone,
                oracle,
                len(jobs),
                ours.late,
            )


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="little of it: does it run at all?")
    parser.add_argument("--machines", type=int, nargs="+", default=FLEETS, help="of each fleet")
    parser.add_argument("--seed", type=int, default=1, help="of all luck")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else WHOLE
    print(f"seed {options.seed}, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {size}", file=sys.stderr)
    series = intensities()
    rows: list[Struct] = []
    with ProcessPoolExecutor() as pool:
        found = [
            (load, lives(pool, load, series))
            for machines in options.machines
            for load in loads(size, machines, options.seed)
        ]
        for load, begun in found:
            rows += placement(load, series, begun)
    rows += deferral(size, options.seed)
    show(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
