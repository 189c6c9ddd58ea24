"""Error of published and of synthetic forecasts, and what deferral saves with each.

One year of hourly intensity and of forecasts for 96 hours, issued daily. Errors are by lead time:
``mape`` is relative to each hour, ``error_part`` to the mean. ``correlation_…`` is that of the
errors of two hours of one issue. The savings are those of batch jobs with a day of slack
(``support/batch_shifting``), against starting on arrival, by jobs that fix their hour by the
forecast. The constants of the synthetic forecasts were chosen on Ontario (``in_sample``); Alberta
is ``held_out``.

    python -m benchmarks.forecasts [--json] [--days N] [--seed N]
"""

import sys
from collections.abc import Sequence

import numpy as np
from benchmarks.support import batch_shifting
from benchmarks.support.common import data_path, make_parser, print_rows
from benchmarks.support.regions import HELD_OUT, IN_SAMPLE
from msgspec import Struct

from entraide_sim import (
    IntensitySeries,
    PublishedForecast,
    read_forecasts,
    read_series,
    synthetic_forecasts,
)

DAY_H = 24
LEADS_H = ((0, 6), (6, 12), (12, 24), (0, 24), (24, 48), (48, 96))
LAGS_H = (1, 6, 24)
LEAST_G_PER_KWH = 0.5  # of an hour's intensity in ``mape``
SLOTS = 4  # for batch work, for jobs that keep one busy
ZONES = (("CA-ON", IN_SAMPLE), ("CA-AB", HELD_OUT))


class ForecastRow(Struct, frozen=True):
    """Errors of one kind of forecast at one range of lead times."""

    zone: str
    sample: str
    forecast: str
    leads_h: str
    mape: float
    error_part: float
    correlation_1_h: float
    correlation_6_h: float
    correlation_24_h: float
    saved_part: float
    saved_part_with_room_for_all: float


def forecast_rows(
    series: IntensitySeries,
    issues: Sequence[PublishedForecast],
    *,
    sample: str,
    kind: str,
    days: int,
    seed: int,
) -> list[ForecastRow]:
    """Returns a row for each range of lead times."""
    whole = [issue for issue in issues if len(issue.direct) == LEADS_H[-1][1]]
    begins = [series.hour_index(issue.start_at) for issue in whole]
    pairs = [
        (issue.direct, series.direct[begin : begin + len(issue.direct)])
        for issue, begin in zip(whole, begins, strict=True)
        if begin + len(issue.direct) <= len(series.direct)
    ]
    guessed, actual = (np.array(side) for side in zip(*pairs, strict=True))
    errors = guessed - actual
    together = [
        float(np.mean([np.corrcoef(errors[:, [h, h + lag]].T)[0, 1] for h in range(1, DAY_H)]))
        for lag in LAGS_H
    ]
    jobs = batch_shifting.batch_arrivals(days * DAY_H, seed=seed)
    belief = batch_shifting.forecast_belief(series.direct, series.start_at, issues)
    saved = [
        batch_shifting.committed_saving(series.direct, jobs, belief, slots=SLOTS),
        batch_shifting.committed_saving(series.direct, jobs, belief),
    ]
    rows = []
    for first, end in LEADS_H:
        wrong = np.abs(errors[:, first:end])
        mape = float((wrong / np.maximum(actual[:, first:end], LEAST_G_PER_KWH)).mean())
        part = float(wrong.mean() / actual[:, first:end].mean())
        leads = f"{first} to {end}"
        rows.append(ForecastRow(series.zone, sample, kind, leads, mape, part, *together, *saved))
    return rows


def main(arguments: Sequence[str]) -> None:
    """Measures and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--days", type=int, default=360, help="of batch jobs")
    parser.add_argument("--seed", type=int, default=1, help="of jobs and of synthetic forecasts")
    options = parser.parse_args(arguments)
    rows: list[ForecastRow] = []
    for zone, sample in ZONES:
        series = read_series(data_path(f"carbon/{zone}_2023_hourly.csv"), zone=zone)
        published = read_forecasts(data_path(f"carbon/{zone}_2023_forecast_96h.csv"), zone=zone)
        made = synthetic_forecasts(series, seed=options.seed)
        for kind, issues in (("published", published), ("synthetic", made)):
            rows += forecast_rows(
                series, issues, sample=sample, kind=kind, days=options.days, seed=options.seed
            )
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
