"""What the carbon benchmark reckons without a world: optima, hours fixed on arrival, loads."""

from functools import cache
from itertools import product
from math import inf
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
from benchmarks.carbon import NO_HEADROOM, OURS, QUICK, REFERENCE, make_loads
from benchmarks.support import batch_shifting, common, regions, zone_placement
from benchmarks.support.devices import Device, read_catalogue
from benchmarks.support.linear_optimum import Infeasible, min_emissions_g, min_shift_cost
from benchmarks.support.pooled_capacity import overflow_part
from benchmarks.support.sampled_loads import (
    LEAD_S,
    SAMPLE_BEGIN_S,
    Load,
    azure_day,
    expected_work_s,
    is_counted,
    mean_tokens,
    sample_windows,
    work_by_hour,
    work_model,
)

from entraide.types import Basis, Rates
from entraide_scheduler.core.policy import Carbon
from entraide_sim import (
    Arrival,
    JobRecords,
    LengthDistribution,
    PublishedForecast,
    RateWindow,
    fixed_length,
    uniform_length,
)
from entraide_sim.workload.servegen import ServeGenClient, generate_servegen

BEGIN_AT = 1_672_531_200.0

# Read or made once for the tests of this file.
region_series = cache(regions.region_intensities)


@cache
def quick_load() -> Load:
    """The first load of a quick benchmark."""
    return next(iter(make_loads(QUICK, 9, seed=1)))


@cache
def reference_run() -> tuple[zone_placement.PlacementMetrics, JobRecords]:
    """That load under the reference, with linear energy."""
    series = region_series(regions.CHOSEN_ON)
    return zone_placement.simulate_load(quick_load(), "linear", REFERENCE, series)


def job(at_h: float) -> Arrival:
    """A batch job that comes so many hours after the beginning."""
    return Arrival(at_h * 3_600.0, "batch", 1, 1)


def test_work_goes_where_it_emits_least() -> None:
    """Each hour's work fills the cleanest zone first, and the next takes the rest."""
    grams, done_s = min_emissions_g([10.0, 5.0], [4.0, 20.0], [[1.0, 2.0], [3.0, 1.0]])

    assert 4.0 * 1.0 + 6.0 * 2.0 + 5.0 * 1.0 == pytest.approx(grams)
    assert [[4.0, 6.0], [0.0, 5.0]] == done_s


@pytest.mark.parametrize(
    ("comes_s", "passed_on"),
    [
        ((0.0, 0.0, 0.0), 1 / 3),  # two slots: the third finds none
        ((0.0, 0.0, 1.9), 1 / 3),  # the two share the machine: both end after two seconds
        ((0.0, 0.0, 2.1), 0.0),
        ((0.0, 1.0, 1.9), 1 / 3),  # alone at half of the full rate, then with another at all of it
        ((0.0, 1.0, 2.1), 0.0),
    ],
)
def test_what_pooled_machines_pass_on(comes_s: tuple[float, ...], passed_on: float) -> None:
    """Machines that share all work pass on what comes when every slot is taken."""
    device = Device("box", Rates(1_000.0, 0.02, 0.0, Basis.DECLARED), 10.0, 100.0)
    arrivals = [Arrival(at_s, "c", 1, 1) for at_s in comes_s]

    part = overflow_part(arrivals, lambda *_: 1.0, device, machines=1, slots=2)

    assert passed_on == pytest.approx(part)


@pytest.mark.parametrize(
    ("comes_s", "patience_s", "passed_on"),
    [
        ((0.0, 0.0, 0.0), 2.1, 0.0),  # the third begins when the two that share end
        ((0.0, 0.0, 0.0), 1.9, 1 / 3),
        ((0.0, 0.0, 0.0, 0.0, 0.0), 2.1, 1 / 5),  # two begin then; the fifth has waited enough
        ((0.0, 0.0, 1.0), 1.1, 0.0),
    ],
)
def test_what_patient_machines_pass_on(
    comes_s: tuple[float, ...], patience_s: float, passed_on: float
) -> None:
    """Who waits takes the first slot that becomes free, unless it has waited too long."""
    device = Device("box", Rates(1_000.0, 0.02, 0.0, Basis.DECLARED), 10.0, 100.0)
    arrivals = [Arrival(at_s, "c", 1, 1) for at_s in comes_s]

    part = overflow_part(
        arrivals, lambda *_: 1.0, device, machines=1, slots=2, patience_s=patience_s
    )

    assert passed_on == pytest.approx(part)


@pytest.mark.shared_data
@pytest.mark.parametrize("services", [1, 3])
def test_azure_needs_what_is_asked_of_it(services: int) -> None:
    """One service asked faster, or several at their own pace, need as many machines."""
    work = work_model(read_catalogue()[zone_placement.DEVICE], zone_placement.SLOTS)
    load = azure_day(work, hours=1, sample_s=1_800.0, needed=5.4, machines=9, services=services)

    assert 5.4 == pytest.approx(sum(load.work_s) / 1_800.0, rel=0.1)
    assert list(load.arrivals) == sorted(load.arrivals, key=lambda one: one.at_s)


def test_work_that_fits_nowhere_is_told() -> None:
    """More work than all zones can do in an hour has no optimum."""
    with pytest.raises(Infeasible):
        min_emissions_g([30.0], [4.0, 20.0], [[1.0, 2.0]])


def test_the_solver_does_not_speak_among_the_rows(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing but rows goes to standard output."""
    min_emissions_g([1.0], [1.0], [[1.0]])

    assert "" == capfd.readouterr().out


@pytest.mark.parametrize("seed", range(8))
def test_waiting_at_its_best_is_what_trying_all_finds(seed: int) -> None:
    """The linear program of waiting finds what trying every schedule of five jobs finds."""
    luck = Random(seed)
    cost = [luck.uniform(1.0, 9.0) for _ in range(6)]
    comes = sorted(luck.randrange(5) for _ in range(5))
    counts = [comes.count(hour) for hour in range(6)]
    starts = product(*(range(hour, min(hour + 3, 6)) for hour in comes))
    least = min(
        (
            sum(cost[hour] for hour in chosen)
            for chosen in starts
            if max(chosen.count(hour) for hour in range(6)) <= 2
        ),
        default=inf,
    )

    assert least == pytest.approx(min_shift_cost(counts, cost, wait=2, room=2.0))


def test_a_run_emits_by_the_hours_it_lasts() -> None:
    """A run that begins in one hour and ends in the next counts each for its part."""
    mean = batch_shifting.mean_g_per_kwh([10.0, 40.0], 3_600.0 - 600.0, 1_800.0)

    assert (10.0 * 600.0 + 40.0 * 1_200.0) / 1_800.0 == pytest.approx(mean)


def test_a_job_alone_takes_the_hour_it_believes_best() -> None:
    """With room for all, every job takes the best hour within its day, not one beyond it."""
    actual = [50.0] * 60
    actual[20], actual[30] = 10.0, 5.0
    saved = batch_shifting.committed_saving(
        actual, [job(0.0), job(1.0)], batch_shifting.oracle_belief(actual)
    )

    assert 1.0 - (10.0 + 10.0) / 100.0 == pytest.approx(saved)


def test_jobs_that_share_slots_take_what_is_left() -> None:
    """An hour has room for so many jobs; who comes later takes the best of the others."""
    actual = [50.0] * 60
    actual[20], actual[21] = 10.0, 20.0
    jobs = [job(0.0), job(0.25), job(0.5)]
    saved = batch_shifting.committed_saving(
        actual, jobs, batch_shifting.oracle_belief(actual), slots=1
    )

    assert 1.0 - (10.0 + 10.0 + 20.0) / 150.0 == pytest.approx(saved)


def test_no_rule_saves_more_than_the_optimum() -> None:
    """The most that a schedule saves is more than jobs that fix their hour on arrival save."""
    luck = Random(5)
    actual = [luck.uniform(10.0, 90.0) for _ in range(200)]
    jobs = [job(luck.uniform(0.0, 150.0)) for _ in range(150)]
    jobs.sort(key=lambda one: one.at_s)
    most = batch_shifting.optimal_saving(actual, jobs, slots=2)
    saved = batch_shifting.committed_saving(
        actual, jobs, batch_shifting.oracle_belief(actual), slots=2
    )

    assert 0.0 < saved <= most < 1.0


def test_yesterday_is_what_is_known_of_tomorrow() -> None:
    """An hour ahead is believed to be as a day before, the present one is known."""
    actual = [float(hour) for hour in range(72)]
    guess = batch_shifting.yesterday_belief(actual)

    assert [30.0, 7.0, 29.0, 30.0] == [guess(30, hour) for hour in (30, 31, 53, 54)]


def test_only_forecasts_that_are_issued_are_believed() -> None:
    """The newest issue speaks, from its own hour on; before the first one nothing is known."""
    actual = [9.0] * 48
    issues = [
        PublishedForecast("CA-ON", BEGIN_AT + 3_600.0, BEGIN_AT + 3_600.0, (1.0,) * 30),
        PublishedForecast("CA-ON", BEGIN_AT + 36_000.0, BEGIN_AT + 36_000.0, (2.0,) * 30),
    ]
    guess = batch_shifting.forecast_belief(actual, BEGIN_AT, issues)

    assert [inf, 9.0] == [guess(0, 1), guess(0, 0)]
    assert [1.0, 1.0, inf] == [guess(1, 2), guess(9, 30), guess(9, 31)]
    assert [2.0, 9.0] == [guess(10, 30), guess(10, 10)]


def test_a_mean_length_is_the_area_under_its_quantiles() -> None:
    """Straight lines between quantiles make the mean."""
    halves = LengthDistribution((0.0, 0.5, 1.0), (0.0, 10.0, 30.0))

    assert 2.5 + 10.0 == pytest.approx(mean_tokens(halves))


def test_samples_are_the_same_minutes_of_each_hour() -> None:
    """Of windows of ten minutes only what lies in the sample is left, in hours that are asked."""
    windows = [RateWindow(begin, begin + 600.0, 2.0) for begin in range(0, 10_800, 600)]
    pieces = sample_windows(windows, sample_s=60.0, hours=2)

    assert [(1_800.0, 1_860.0), (5_400.0, 5_460.0)] == [
        (piece.begin_s, piece.end_s) for piece in pieces
    ]
    assert {2.0} == {piece.rate_per_s for piece in pieces}


def test_expected_work_is_what_comes_on_average() -> None:
    """The work expected of a sender is, over many requests, the work that it brings."""
    windows = tuple(RateWindow(begin, begin + 600.0, 3.0) for begin in range(0, 7_200, 600))
    sender = ServeGenClient("one", windows, {-1: uniform_length(10, 30)}, {-1: fixed_length(5)})

    def work(input_tokens: float, output_tokens: float) -> float:
        return 0.5 * input_tokens + output_tokens

    expected = expected_work_s([sender], work, hours=2)
    arrived_s = work_by_hour(generate_servegen([sender], seed=3), work, hours=2)

    assert pytest.approx(10_800.0 * 15.0, rel=1e-6) == expected[0]
    assert pytest.approx(expected, rel=0.05) == arrived_s


def test_the_typical_week_is_like_the_whole() -> None:
    """That week is taken whose mean is nearest to the whole series'."""
    series = [10.0] * 168 + [31.0] * 168 + [60.0] * 168 + [20.0] * 10

    assert [168, 0, 336] == regions.typical_weeks(series)


def test_without_published_data_a_benchmark_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the data is absent a benchmark ends with 2 and one sentence."""
    monkeypatch.setattr(common, "DATA", tmp_path)
    with pytest.raises(SystemExit) as ended:
        common.data_path("carbon/CA-QC_2023_hourly.csv")

    assert 2 == ended.value.code
    assert 1 == len(capsys.readouterr().err.splitlines())


@pytest.mark.long
@pytest.mark.shared_data
def test_no_placement_emits_less_than_the_optimum() -> None:
    """Under linear energy the core in the world stays above what the linear program finds."""
    load = quick_load()
    series = region_series(regions.CHOSEN_ON)
    least, parts = zone_placement.optimal_emissions(load, series)
    ours, _ = zone_placement.simulate_load(load, "linear", OURS, series)

    assert 0.0 < least <= ours.gco2e_per_1k_output_tokens
    assert ours.jobs == ours.completed == len(load.counted_arrivals()) < len(load.arrivals)
    assert 1.0 == pytest.approx(sum(parts.values()))


@pytest.mark.long
@pytest.mark.shared_data
def test_a_sample_begins_with_busy_engines() -> None:
    """Runs of the lead-in are under way when a sample begins; without one the fleet is empty."""
    load = quick_load()
    series = region_series(regions.CHOSEN_ON)
    cold = msgspec.structs.replace(load, arrivals=load.counted_arrivals())
    warm_outcome, _ = reference_run()
    cold_outcome, _ = zone_placement.simulate_load(cold, "linear", REFERENCE, series)

    assert warm_outcome.jobs == cold_outcome.jobs == len(load.counted_arrivals())
    assert 0.0 == cold_outcome.busy_at_begin_part
    assert (warm_outcome.busy_at_begin_part or 0.0) > 0.1


@pytest.mark.shared_data
def test_requests_of_the_lead_in_are_served_and_not_counted() -> None:
    """A load comes before its samples, too, and its work is that of the samples alone."""
    load = quick_load()
    device = read_catalogue()[zone_placement.DEVICE]
    counted = work_by_hour(
        load.counted_arrivals(), work_model(device, zone_placement.SLOTS), hours=load.hours
    )

    assert {False, True} == {is_counted(arrival.at_s) for arrival in load.arrivals}
    assert min(arrival.at_s % 3_600.0 for arrival in load.arrivals) >= SAMPLE_BEGIN_S - LEAD_S
    assert load.work_s == pytest.approx(counted)


def test_the_ablation_differs_by_the_headroom_alone() -> None:
    """The pool's own way has the default policy's headroom, the ablation has none."""
    ours, without = zone_placement.make_policy(OURS), zone_placement.make_policy(NO_HEADROOM)

    assert (Carbon().headroom, 0.0) == (ours.carbon.headroom, without.carbon.headroom)
    assert ours == msgspec.structs.replace(without, version=ours.version, carbon=ours.carbon)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "region",
    [
        regions.CHOSEN_ON,
        regions.FIRST_HALF_2023,
        regions.SECOND_HALF_2023,
        regions.OTHER_YEAR,
        regions.OTHER_ZONES,
        regions.SIMILAR_ZONES,
        regions.ALIKE_ZONES,
        regions.HYDRO_ZONES,
        regions.EASTERN_ZONES,
    ],
    ids=lambda region: region.name,
)
def test_a_region_is_a_complete_week_of_its_zones(region: regions.Region) -> None:
    """Each zone has all hours of the same week, also where a year has blank hours elsewhere."""
    series = region_series(region)

    assert [regions.zone_label(zone) for zone in region.zones] == [
        zone_series.zone for zone_series in series
    ]
    assert {regions.WEEK_H + regions.SPARE_H} == {len(zone_series.direct) for zone_series in series}
    assert 1 == len({zone_series.start_at for zone_series in series})


@pytest.mark.shared_data
def test_the_halves_of_a_year_share_no_week() -> None:
    """The week on which a constant is chosen lies in the first half, the other in the second."""
    middle_at = BEGIN_AT + 8_760 * 3_600.0 / 2
    first, second = (
        region_series(region)[0].start_at
        for region in (regions.FIRST_HALF_2023, regions.SECOND_HALF_2023)
    )

    assert first + 168 * 3_600.0 <= middle_at <= second


@pytest.mark.long
@pytest.mark.shared_data
def test_linear_energy_is_reckoned_as_it_is_lived() -> None:
    """What runs would emit with linear energy, reckoned from records, is what they emit with it."""
    series = region_series(regions.CHOSEN_ON)
    _, records = reference_run()

    counted = np.array([is_counted(at) for at in records.column("asked_at") - series[0].start_at])
    grams = records.column("carbon_g")[counted].sum()

    assert grams == pytest.approx(zone_placement.linear_g(records, series))
