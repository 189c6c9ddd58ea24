"""Forecasts: known from their issue time on, and fed to the core once."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from tests.scheduler.test_config import written

from entraide.errors import PoolError
from entraide_scheduler.config import load_config
from entraide_scheduler.core import events as e
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.grid.forecasts import ZoneForecast, read_forecasts
from entraide_scheduler.periodic import PeriodicTasks

BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()
HOUR = 3_600.0
COLUMN = "forecast_ci_direct_g_per_kwh"


def stamp(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_of(folder: Path, *issues: tuple[float, list[float | None]]) -> Path:
    """Writes issues: when each was made, and its hours from then on (None: a blank cell)."""
    lines = [f"issued_utc,utc,lead_h,{COLUMN}"]
    for issued_at, values in issues:
        for lead, value in enumerate(values):
            cells = stamp(issued_at), stamp(issued_at + lead * HOUR), lead, value
            lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    path = folder / "forecast.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_newest_issue_that_is_known_counts(tmp_path: Path) -> None:
    """Nothing before the first issue, and a later one only from its issue time on."""
    path = file_of(tmp_path, (BEGIN, [30.0, 31.5]), (BEGIN + 24 * HOUR, [40.0]))
    forecasts = read_forecasts(path, zone="CA-ON", column=COLUMN)
    first = ZoneForecast("CA-ON", BEGIN, BEGIN, (30.0, 31.5))

    assert forecasts.newest_at(BEGIN - 1.0) is None
    assert [first, first] == [
        forecasts.newest_at(BEGIN),
        forecasts.newest_at(BEGIN + 24 * HOUR - 1.0),
    ]
    assert ZoneForecast(
        "CA-ON", BEGIN + 24 * HOUR, BEGIN + 24 * HOUR, (40.0,)
    ) == forecasts.newest_at(BEGIN + 1e9)


def test_an_issue_ends_at_its_first_gap(tmp_path: Path) -> None:
    """A blank hour is no zero, and what follows it would be told for the wrong hour."""
    path = file_of(tmp_path, (BEGIN, [30.0, 31.0, None, 33.0]))
    issue = read_forecasts(path, zone="CA-ON", column=COLUMN).newest_at(BEGIN)

    assert issue is not None
    assert (30.0, 31.0) == issue.direct_g_per_kwh


def test_a_year_is_played_later_with_its_issue_times(tmp_path: Path) -> None:
    """The shift moves issue times and hours alike, so that nothing is known too early."""
    path = file_of(tmp_path, (BEGIN, [30.0]))
    later = dt.datetime(2028, 3, 1, tzinfo=dt.UTC).timestamp()
    forecasts = read_forecasts(path, zone="CA-ON", column=COLUMN, year_shift=2)

    assert forecasts.newest_at(later - 1.0) is None
    assert ZoneForecast("CA-ON", later, later, (30.0,)) == forecasts.newest_at(later)


def test_both_bases_are_read_where_the_file_has_them(tmp_path: Path) -> None:
    """A life-cycle column that is named is read beside the direct one."""
    path = tmp_path / "both.csv"
    path.write_text(f"issued_utc,utc,direct,life\n{stamp(BEGIN)},{stamp(BEGIN)},30,62\n")
    forecasts = read_forecasts(path, zone="CA-ON", column="direct", lifecycle_column="life")

    assert (ZoneForecast("CA-ON", BEGIN, BEGIN, (30.0,), (62.0,)),) == forecasts.forecasts


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("utc,lead_h\n", "no_column"),
        (f"issued_utc,utc,{COLUMN}\n2026-03-01,soon,1\n", "no_time"),
        (f"issued_utc,utc,{COLUMN}\n2026-03-01,2026-03-01,nan\n", "no_intensity"),
    ],
    ids=["column", "time", "number"],
)
def test_a_forecast_that_cannot_be_trusted_is_refused(
    tmp_path: Path, text: str, named: str
) -> None:
    """A missing column, a time or a number that is none: refused with file and row."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(PoolError) as refused:
        read_forecasts(path, zone="CA-ON", column=COLUMN)

    assert ("series_refused", str(path)) == (refused.value.code, refused.value.values["path"])
    assert named == refused.value.values["fault"]
    assert refused.value.values.get("line") == (None if named == "no_column" else 2)


class RecordingDriver:
    """The driver interface that periodic tasks use; records the events fed."""

    def __init__(self) -> None:
        self.at = BEGIN
        self.forecasts: list[tuple[str, float]] = []

    def now(self) -> float:
        return self.at

    def get_period_end(self, _: Any) -> float:
        return 0.0

    def feed(self, event: e.Event) -> bool:
        if isinstance(event, e.ForecastIssued):
            self.forecasts.append((event.zone, event.issued_at))
        return True


def test_each_issue_is_told_once(tmp_path: Path) -> None:
    """The core hears of the present issue at the start, and of a new one when it is made."""
    file_of(tmp_path, (BEGIN - HOUR, [30.0] * 9), (BEGIN + 600.0, [40.0] * 9))
    config = load_config(
        written(
            tmp_path,
            'dir = "x"\n[[grid.forecasts]]\nzone = "CA-ON"\nfile = "forecast.csv"\n',
        )
    )
    fed: Any = RecordingDriver()
    parts: dict[str, Any] = {"store": None, "nodes": None, "gateways": None}
    periodic = PeriodicTasks(
        fed,
        feed=IntensityFeed.from_config(config.grid),
        timezone="America/Toronto",
        **parts,
        check_clock=lambda: None,
    )
    periodic.feed_current()
    for fed.at in (BEGIN + 1.0, BEGIN + 599.0, BEGIN + 600.0, BEGIN + 601.0):
        periodic._feed_forecasts()

    assert [("CA-ON", BEGIN - HOUR), ("CA-ON", BEGIN + 600.0)] == fed.forecasts
