"""Deferral on machines whose owners need them: late jobs, and the saving beside an optimum.

Batches with deadlines of 8 to 24 hours on machines whose owners come by office hours or evenings,
with chance (``support/owner_hours``). ``ours`` is the core; ``at_once`` the same core without
deferral; the optimum a linear program that knows the owners' hours, the intensities and all batches
in advance (HiGHS); ``clipper`` CarbonClipper (``support/carbon_clipper``), which knows the
intensities and their bounds. The signal ``known`` gives the core true forecasts, so that only the
owners and the batches are unknown; ``profile`` gives none. Constants were chosen on ``in_sample``.
``--margins`` varies ``deferral.margin``.

    python -m benchmarks.owner_hours [--json] [--quick] [--days N] [--cases N …] [--margins X …]
"""

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from itertools import product

from benchmarks.support import owner_hours
from benchmarks.support.carbon_clipper import clip_batches
from benchmarks.support.common import data_path, make_parser, print_rows
from benchmarks.support.linear_optimum import min_deferral_cost
from benchmarks.support.owner_hours import DAY_H, HOUR_S, LINES, RUN_S, OwnersCase
from benchmarks.support.regions import HELD_OUT, IN_SAMPLE, zone_label
from msgspec import Struct, structs

from entraide_scheduler.core.policy import Deferral
from entraide_sim import IntensitySeries, PublishedForecast, read_series

OFFICE, HOME, MIXED = ("office",) * 4, ("home",) * 4, ("office", "office", "home", "home", "never")
CASES = (
    OwnersCase("CA-ON", 2023, MIXED, 4.0, 1, tuned=True),
    OwnersCase("CA-ON", 2022, MIXED, 4.0, 2),
    OwnersCase("CA-ON", 2022, OFFICE, 3.0, 3, begin_day=200),
    OwnersCase("US-CAL-CISO", 2023, MIXED, 4.0, 4),
    OwnersCase("US-CAL-CISO", 2023, HOME, 3.0, 5, begin_day=200),
    OwnersCase("GB", 2023, MIXED, 8.0, 6),
    OwnersCase("US-CAL-CISO", 2023, ("office",), 1.0, 7),
    OwnersCase("US-CAL-CISO", 2023, ("office",) * 2, 2.5, 8, begin_day=150),
    OwnersCase("CA-ON", 2022, ("home",), 1.0, 9),
)
EPSILONS = (0.5, 2.0, 8.0)  # of CarbonClipper
FORECAST_H = 96


class OwnersRow(Struct, frozen=True):
    """One case and signal; parts of lines, and savings against starting at once."""

    case: str
    sample: str
    signal: str
    margin: float
    lines: int
    at_once_late_part: float
    ours_late_part: float
    late_points_more: float
    ours_saved_part: float
    optimum_saved_part: float
    part_of_optimum: float
    optimum_late_part: float
    clipper_epsilon: float
    clipper_saved_part: float
    clipper_late_part: float


def true_forecasts(series: IntensitySeries) -> list[PublishedForecast]:
    """Returns forecasts that are true, one in each hour."""
    return [
        PublishedForecast(
            series.zone,
            series.start_at + hour * HOUR_S,
            series.start_at + hour * HOUR_S,
            series.direct[hour : hour + FORECAST_H],
        )
        for hour in range(0, len(series.direct), 6)
    ]


def rows_of(case: OwnersCase, days: int, margins: Sequence[float]) -> Iterator[OwnersRow]:
    """Yields the rows of a case, one for each margin and signal."""
    zone = zone_label(case.zone)
    year = read_series(data_path(f"carbon/{case.zone}_{case.year}_hourly.csv"), zone=zone)
    begin = case.begin_day * DAY_H
    series = structs.replace(
        year,
        start_at=year.start_at + begin * HOUR_S,
        direct=year.direct[begin : begin + days * DAY_H],
        lifecycle=(),
    )
    drawn = owner_hours.draw_batches(case, days)
    visits = owner_hours.owner_visits(case, series, days)
    batches, lines = owner_hours.as_batches(drawn), len(drawn) * LINES
    room = owner_hours.free_room(visits, series.start_at, len(series.direct))
    at_once = owner_hours.run_pool(series, visits, drawn, (), deferral=False)
    best, unplaced = min_deferral_cost(
        [(batch.arrive, batch.last, batch.lines) for batch in batches], series.direct, room
    )
    best_saved = 1.0 - best / (lines - unplaced) / at_once.g_per_kwh
    rate = len(case.owners) * owner_hours.BATCH_SLOTS * HOUR_S / RUN_S
    clipped = {
        epsilon: clip_batches(batches, series.direct, room, rate=rate, epsilon=epsilon)
        for epsilon in EPSILONS
    }
    epsilon = min(EPSILONS, key=lambda each: (clipped[each].grams / clipped[each].ran, each))
    clipper = clipped[epsilon]
    signals: dict[str, list[PublishedForecast]] = {"known": true_forecasts(series), "profile": []}
    for margin, signal in product(margins, signals):
        ours = owner_hours.run_pool(
            series, visits, drawn, signals[signal], deferral=True, margin=margin
        )
        saved = 1.0 - ours.g_per_kwh / at_once.g_per_kwh
        yield OwnersRow(
            f"{case.zone} {case.year} {'+'.join(sorted(set(case.owners)))} {case.seed}",
            IN_SAMPLE if case.tuned else HELD_OUT,
            signal,
            margin,
            lines,
            at_once.late / lines,
            ours.late / lines,
            100.0 * (ours.late - at_once.late) / lines,
            saved,
            best_saved,
            saved / best_saved,
            unplaced / lines,
            epsilon,
            1.0 - clipper.grams / clipper.ran / at_once.g_per_kwh,
            clipper.late / lines,
        )


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="ten days of the first case")
    parser.add_argument("--days", type=int, default=70, help="of each case")
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)), help="numbers")
    default = Deferral().margin
    parser.add_argument("--margins", type=float, nargs="+", default=[default], help="to compare")
    options = parser.parse_args(arguments)
    cases, days = ([0], 10) if options.quick else (options.cases, options.days)
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {days} days, cases {list(cases)}", file=sys.stderr)
    rows = [row for number in cases for row in rows_of(CASES[number], days, options.margins)]
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
