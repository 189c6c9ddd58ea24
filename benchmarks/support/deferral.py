"""Deferral rows: emissions saved by shifting batch jobs, by series, forecast signal and slots.

Series: Ontario 2023, on which deferral was tuned, and held-out ones.
"""

from collections.abc import Iterator, Sequence

from benchmarks.support import batch_shifting
from benchmarks.support.common import data_path
from benchmarks.support.regions import HELD_OUT, IN_SAMPLE, zone_label
from msgspec import Struct

from entraide_sim import Arrival, PublishedForecast, read_forecasts, read_series

DAY_H = 24
BATCH_SLOTS = (4, 32)  # for jobs that keep one busy


class DeferralRow(Struct, frozen=True):
    """Savings with one signal; ``load_part`` is the mean part of the batch slots that jobs need.

    ``reference_commit_…``: jobs that fix their hour on arrival by the same signal, with the same
    slots and with unlimited slots; ``reference_optimum_…``: the most that any schedule saves.
    """

    series: str
    sample: str
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


class DeferralCase(Struct, frozen=True):
    """A zone and year in which jobs are shifted.

    Attributes:
        forecast: whether there is a published forecast of it.
        slots: for batch work, for jobs that keep one busy.
        tuned: whether deferral was chosen on it.
    """

    zone: str
    year: int
    forecast: bool
    slots: tuple[int, ...]
    tuned: bool = False


SERIES = (
    DeferralCase("CA-ON", 2023, forecast=True, slots=BATCH_SLOTS, tuned=True),
    DeferralCase("CA-ON", 2022, forecast=False, slots=BATCH_SLOTS[:1]),
    DeferralCase("CA-AB", 2023, forecast=True, slots=BATCH_SLOTS[:1]),
    DeferralCase("US-CAL-CISO", 2023, forecast=False, slots=BATCH_SLOTS[:1]),
)


def run_deferral(days: int, seed: int) -> Iterator[DeferralRow]:
    """Yields the savings by each signal in every series."""
    jobs = batch_shifting.batch_arrivals(days * DAY_H, seed=seed)
    for case in SERIES:
        yield from deferral_rows(case, jobs)


def deferral_rows(case: DeferralCase, jobs: Sequence[Arrival]) -> Iterator[DeferralRow]:
    """Yields the savings by each signal of one series and number of batch slots."""
    zone = zone_label(case.zone)
    series = read_series(data_path(f"carbon/{case.zone}_{case.year}_hourly.csv"), zone=zone)
    actual = series.direct
    oracle = batch_shifting.committed_saving(actual, jobs, batch_shifting.oracle_belief(actual))
    none: list[PublishedForecast] = []
    signals = {"yesterdays_profile": (batch_shifting.yesterday_belief(actual), none)}
    if case.forecast:
        path = data_path(f"carbon/{case.zone}_{case.year}_forecast_96h.csv")
        forecasts = read_forecasts(path, zone=zone)
        guess = batch_shifting.forecast_belief(actual, series.start_at, forecasts)
        signals = {"published_forecast": (guess, forecasts)} | signals
    for slots in case.slots:
        most = batch_shifting.optimal_saving(actual, jobs, slots=slots)
        for name, (guess, issued) in signals.items():
            ours = batch_shifting.simulate_shifting(series, jobs, issued, slots=slots)
            alike = batch_shifting.committed_saving(actual, jobs, guess, slots=slots)
            alone = batch_shifting.committed_saving(actual, jobs, guess)
            yield DeferralRow(
                f"{case.zone} {case.year}",
                IN_SAMPLE if case.tuned else HELD_OUT,
                name,
                batch_shifting.BUSY_SLOTS / slots,
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
