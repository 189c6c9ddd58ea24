"""Config, calendar and grid: valid inputs, and errors that name the file and the key."""

import datetime as dt
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from entraide import i18n
from entraide.errors import PoolError
from entraide.types import Basis
from entraide_scheduler.books import period_end
from entraide_scheduler.config import load_config, load_first_policy
from entraide_scheduler.config.config import SeriesConfig
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.grid.annual import load_annual_averages
from entraide_scheduler.grid.feed import IntensityFeed
from entraide_scheduler.grid.series import read_series

TORONTO = ZoneInfo("America/Toronto")
HOUR = 1_700_000_000 // 3_600 * 3_600


def written(folder: Path, text: str) -> Path:
    path = folder / "scheduler.toml"
    path.write_text(text)
    return path


def test_config_reads_paths_beside_itself_and_the_first_policy(tmp_path: Path) -> None:
    """Relative paths start at the config's folder; co-ops become the first policy."""
    config = load_config(
        written(
            tmp_path,
            'dir = "state"\n[[coops]]\ncoop = "alpha"\n'
            'quotas = [{kind = "tokens", limit = 5, period = "day"}]\n'
            '[[grid.series]]\nzone = "CA-QC"\nfile = "qc.csv"\n',
        )
    )

    assert str(tmp_path / "state") == config.dir
    assert f"sqlite:///{tmp_path / 'state' / 'store.db'}" == config.effective_store_url
    assert (SeriesConfig("CA-QC", str(tmp_path / "qc.csv")),) == config.grid.series
    assert (Quota(QuotaKind.TOKENS, 5, Period.DAY),) == load_first_policy(config).coops[0].quotas


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('dir = "x"\ncolour = 1', "colour"),
        ('dir = "x"\n[grid]\nseris = []', "$.grid"),
        ("dir = 7", "$.dir"),
        ("", "dir"),
        ("dir = [\n1 2", "line 2"),
        ('dir = "x"\n[http]\nhost = "0.0.0.0"', "0.0.0.0"),
        ('dir = "x"\n[grpc]\nhost = "pool.coop"', "pool.coop"),
        ('dir = "x"\nlang = "de"', "lang"),
        ('dir = "x"\n[http]\ntrusted_proxies = ["proxy.coop"]', "trusted_proxies"),
        ('dir = "x"\n[http.limits]\nhead_deadline_s = nan', "head_deadline_s"),
        ('dir = "x"\n[http.limits]\nrequests_per_key = 0', "requests_per_key"),
    ],
    ids=[
        "key",
        "nested",
        "type",
        "missing",
        "syntax",
        "http",
        "grpc",
        "lang",
        "proxy",
        "nan",
        "none",
    ],
)
def test_config_that_is_wrong_is_refused_with_the_place_named(
    tmp_path: Path, text: str, named: str
) -> None:
    """Whatever is wrong in a config, the refusal names the file and the key."""
    path = written(tmp_path, text)
    with pytest.raises(PoolError) as refused:
        load_config(path)

    assert "config_refused" == refused.value.code
    assert str(path) == refused.value.values["path"]
    assert named in str(refused.value.values)
    said = i18n.error("config_refused", "fr", refused.value.values)
    assert "⟨" not in said
    assert named.removeprefix("$.").replace("line ", "ligne ") in said
    assert str(refused.value.values["detail"]) not in said


@pytest.mark.parametrize(
    ("period", "moment", "end"),
    [
        (Period.MINUTE, "2026-11-25T10:20:30", "2026-11-25T10:21:00"),
        (Period.DAY, "2026-11-25T10:20:30", "2026-11-26T00:00:00"),
        (Period.DAY, "2026-11-01T00:30:00", "2026-11-02T00:00:00"),
        (Period.DAY, "2026-03-08T12:00:00", "2026-03-09T00:00:00"),
        (Period.MONTH, "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        (Period.MONTH, "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
    ],
    ids=["minute", "day", "day of 25 hours", "day of 23 hours", "December", "its first instant"],
)
def test_periods_end_by_the_wall_clock_of_the_pool(period: Period, moment: str, end: str) -> None:
    """Days and months end at midnight on the wall, also when the clocks change."""
    began = dt.datetime.fromisoformat(moment).replace(tzinfo=TORONTO)
    ends = dt.datetime.fromisoformat(end).replace(tzinfo=TORONTO)

    assert ends.timestamp() == period_end(period, began.timestamp(), TORONTO)


def test_every_province_and_territory_has_a_sourced_average() -> None:
    """The shipped averages cover Canada, each with its year and source."""
    zones = ["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"]
    averages = load_annual_averages()

    assert [f"CA-{zone}" for zone in zones] == sorted(averages)
    assert all(average.source and average.year >= 2023 for average in averages.values())
    assert all(
        0 <= average.direct_g_per_kwh < average.lifecycle_g_per_kwh for average in averages.values()
    )
    assert (
        averages["CA-QC"].direct_g_per_kwh
        < averages["CA-ON"].direct_g_per_kwh
        < averages["CA-AB"].direct_g_per_kwh
    )


def test_zone_has_its_hour_and_else_its_annual_average(tmp_path: Path) -> None:
    """A series' hour counts while it is there; a blank or missing hour is not a zero."""
    stamp = dt.datetime.fromtimestamp(HOUR, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    blank = dt.datetime.fromtimestamp(HOUR + 3_600, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = tmp_path / "on.csv"
    path.write_text(f"utc,direct,life\n{stamp},30.5,51\n{blank},,\n")
    series = read_series(path, zone="CA-ON", column="direct", lifecycle_column="life")
    feed = IntensityFeed([series])
    now, later = (
        next(reading for reading in feed.readings_at(moment) if reading.zone == "CA-ON")
        for moment in (HOUR + 1_800.0, HOUR + 3_600.0)
    )

    assert (30.5, 51.0, Basis.MEASURED, HOUR + 3_600.0) == (
        now.direct_g_per_kwh,
        now.lifecycle_g_per_kwh,
        now.basis,
        now.valid_until,
    )
    assert (60.8, Basis.DEFAULT) == (later.direct_g_per_kwh, later.basis)
    assert 13 == len(feed.readings_at(HOUR))


def test_series_of_an_earlier_year_is_an_estimate(tmp_path: Path) -> None:
    """A year that is played again is marked estimated, hour for hour."""
    path = tmp_path / "qc.csv"
    path.write_text("utc,direct,life\n2023-11-25T10:00:00Z,1.5,30\n")
    series = read_series(path, zone="CA-QC", column="direct", lifecycle_column="life", year_shift=3)
    moment = dt.datetime(2026, 11, 25, 10, 59, tzinfo=dt.UTC).timestamp()

    assert ((1.5, 30.0), Basis.ESTIMATED) == (series.value_at(moment), series.basis)


@pytest.mark.parametrize(
    "text",
    ["utc,direct\n", "utc,direct,life\nyesterday,1,2\n", "utc,direct,life\n2023-01-01,-1,2\n"],
    ids=["column", "time", "negative"],
)
def test_series_that_cannot_be_trusted_is_refused(tmp_path: Path, text: str) -> None:
    """A missing column, a time or a number that is none: refused with the file named."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(PoolError) as refused:
        read_series(path, zone="CA-QC", column="direct", lifecycle_column="life")

    assert ("series_refused", str(path)) == (refused.value.code, refused.value.values["path"])


@pytest.mark.checkout
def test_config_page_is_a_config_that_names_every_key(tmp_path: Path) -> None:
    """The example in the reference is read as it stands, and no key is left out of it."""
    page = Path("docs/reference/config.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    config = load_config(written(tmp_path, example))
    maps = config.grid.electricity_maps
    assert maps is not None
    grid = (config.grid, config.grid.series[0], config.grid.forecasts[0], maps)
    structs = (config, config.nats, config.http, config.tls, config.journal, *grid)
    keys = {key for struct in structs for key in struct.__struct_fields__}

    assert "Coop Boréale" == config.pool
    assert [] == sorted(key for key in keys if not re.search(rf"\b{key}\b", example))
