"""The grid: series and forecasts from files, synthetic ones, and refused gaps."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.sim.support import START

import entraide_sim as sim
from entraide_sim.grid import forecast_error_part

CARBON = Path(__file__).parents[3] / "shared/data/carbon"
HEAD = "utc,ci_direct_g_per_kwh,ci_lifecycle_g_per_kwh"


def series(folder: Path, *lines: str) -> Path:
    """A small file."""
    path = folder / "zone.csv"
    path.write_text("\n".join((HEAD, *lines, "")), "utf-8")
    return path


def test_a_series_is_read_by_hour(tmp_path) -> None:
    """Hours of a file give what was true then, from the hour asked for on."""
    path = series(
        tmp_path,
        "2023-01-15T23:00:00Z,9,19",
        "2023-01-16T00:00:00Z,10,20",
        "2023-01-16T01:00:00Z,11,21",
        "2023-01-16T02:00:00Z,12,22",
    )
    lifecycle = "ci_lifecycle_g_per_kwh"
    series_read = sim.read_series(
        path, zone="CA-QC", lifecycle_column=lifecycle, start_at=START, hours=2
    )
    grid = sim.Grid([series_read])

    assert sim.IntensitySeries("CA-QC", START, (10.0, 11.0), (20.0, 21.0)) == series_read
    assert (11.0, 21.0) == grid.intensity_at("CA-QC", START + 3_600.0)
    with pytest.raises(ValueError, match="no hour for 2023-01-16T02"):
        grid.intensity_at("CA-QC", START + 7_200.0)
    with pytest.raises(ValueError, match="zone CA-ON has no intensity series"):
        grid.intensity_at("CA-ON", START)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2023-01-16T02:00:00Z,1,1", "the hour before is missing"),
        ("2023-01-16T01:00:00Z,,1", "is not a number"),
        ("2023-01-16T01:00:00Z,-1,1", "is not a number"),
        ("2023-01-16T01:00:00Z,nan,1", "is not a number"),
        ("soon,1,1", "is not a moment"),
    ],
)
def test_a_gap_is_named(tmp_path, line, why) -> None:
    """A missing hour, a blank and a nonsense are refused with file and line."""
    path = series(tmp_path, "2023-01-16T00:00:00Z,10,20", line)

    with pytest.raises(ValueError, match=rf"zone\.csv:3: .*{why}"):
        sim.read_series(path, zone="CA-QC")


def test_an_unknown_column_is_named(tmp_path) -> None:
    """A column that is not there is refused by its name."""
    with pytest.raises(ValueError, match="no column marginal"):
        sim.read_series(series(tmp_path), zone="CA-QC", column="marginal")


def test_forecasts_are_read_by_issue(tmp_path) -> None:
    """Each issue of a file is a forecast of its own; a value below zero counts as zero."""
    path = tmp_path / "forecast.csv"
    path.write_text(
        "issued_utc,utc,lead_h,forecast_ci_direct_g_per_kwh\n"
        "2023-01-16T00:00:00Z,2023-01-16T00:00:00Z,0,5\n"
        "2023-01-16T00:00:00Z,2023-01-16T01:00:00Z,1,-6\n"
        "2023-01-17T00:00:00Z,2023-01-17T00:00:00Z,0,7\n",
        "utf-8",
    )

    assert [
        sim.PublishedForecast("CA-ON", START, START, (5.0, 0.0)),
        sim.PublishedForecast("CA-ON", START + 86_400.0, START + 86_400.0, (7.0,)),
    ] == sim.read_forecasts(path, zone="CA-ON")


def test_a_profile_has_its_average_and_its_rhythm() -> None:
    """A synthetic year has the given average, and is higher in the evening and in January."""
    year = sim.synthetic_series("CA-ON", 40.0, start_at=START - 15 * 86_400.0, hours=8_760, seed=1)
    values = np.array(year.direct).reshape(365, 24)

    assert values.mean() == pytest.approx(40.0, rel=0.03)
    assert values[:, 23].mean() > 1.3 * values[:, 11].mean()
    assert values[:31].mean() > 1.2 * values[181:212].mean()
    assert "estimated" == year.basis
    assert year == sim.synthetic_series("CA-ON", 40.0, start_at=year.start_at, hours=8_760, seed=1)


def test_a_made_up_forecast_gets_worse_with_its_lead() -> None:
    """Forecasts are issued daily at 0 h, are exact now, and have errors that grow with the lead."""
    year = sim.synthetic_series("CA-ON", 40.0, start_at=START + 5 * 3_600.0, hours=8_000)
    issues = sim.synthetic_forecasts(year, seed=3)
    full = [issued for issued in issues if len(issued.direct) == 96]
    errors = []
    for issue in full:
        begin = year.hour_index(issue.start_at)
        actual = np.array(year.direct[begin : begin + 96])
        variation = np.std(year.direct[max(0, begin - 72) : begin + 96])
        errors.append((np.array(issue.direct) - actual) / variation)
    spread = np.std(errors, axis=0)
    together = [np.corrcoef(np.array(errors)[:, [24, 24 + lag]].T)[0, 1] for lag in (1, 6)]

    assert {0.0} == {issued.issued_at % 86_400.0 for issued in issues}
    assert {86_400.0} == {after.issued_at - before.issued_at for before, after in pairwise(issues)}
    assert 0.0 == spread[0]
    assert [1.15, 1.2] == pytest.approx([spread[24], spread[95]], rel=0.08)
    assert [0.95, 0.75] == pytest.approx(together, abs=0.1)


@pytest.mark.shared_data
@pytest.mark.parametrize("zone", ["CA-ON", "CA-AB"])
def test_a_made_up_forecast_errs_as_a_published_one(zone) -> None:
    """Ontario's is the one that was chosen on, Alberta's is held out: a fifth apart at most."""
    year = sim.read_series(CARBON / f"{zone}_2023_hourly.csv", zone=zone)
    published = sim.read_forecasts(CARBON / f"{zone}_2023_forecast_96h.csv", zone=zone)
    made = sim.synthetic_forecasts(year, seed=1)

    for leads in (range(24), range(24, 48)):
        theirs, ours = (
            forecast_error_part(year, issues, leads=leads) for issues in (published, made)
        )
        assert theirs == pytest.approx(ours, rel=0.25)
