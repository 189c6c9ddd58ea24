"""Grid sources on a running pool: imported hours, choices and tokens count at once."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.test_control import reason, refusal
from tests.scheduler.test_electricity_maps import TOKEN, api
from tests.scheduler.test_policy_versions import entraide, folder
from tests.waiting import eventually

from entraide import i18n
from entraide.errors import PoolError
from entraide.types import Basis
from entraide.v1 import admin_pb2 as a
from entraide_scheduler.grid.import_file import read_import

__all__ = ["folder"]

HOUR_S = 3_600
EXPORT = (
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),"
    "Carbon intensity gCO₂eq/kWh (Life cycle),Data source,Data estimated\n"
    "2026-11-01 00:00:00,Canada,Ontario,CA-ON,41.5,70.25,ieso.ca,false\n"
    "2026-11-01 01:00:00,Canada,Ontario,CA-ON,39,68,ieso.ca,{estimated}\n"
)


def this_hour() -> int:
    """The start of the present hour, seconds since the epoch."""
    return int(time.time()) // HOUR_S * HOUR_S


def series(zone: str = "CA-ON", **changes: Any) -> a.GridSeries:
    """A series of the present hour and of the next, so that the hour may end meanwhile."""
    hours = [this_hour(), this_hour() + HOUR_S]
    fields = {"direct_g_per_kwh": [77.0, 77.0], "lifecycle_g_per_kwh": [99.0, 99.0], **changes}
    return a.GridSeries(**{"zone": zone, "hours": hours, "file": "on.csv", **fields})


async def zone_of(pool: RunningScheduler, name: str = "CA-ON") -> a.GridZone:
    """A zone as the operator sees it."""
    listed = await pool.operator.ask("ListGrid", a.ListGridRequest())
    return next(row for row in listed.zones if row.zone == name)


def known_g_per_kwh(pool: RunningScheduler, zone: str = "CA-ON") -> float:
    """The direct intensity with which the core decides now."""
    return pool.driver.core._state.fleet.replica_index.grid[zone].direct_g_per_kwh


async def test_imported_hours_count_at_once_and_after_a_restart(
    tmp_path: Path, bus: NatsPool
) -> None:
    """An import reaches the core with the call, stays over a restart, and can be left again."""
    async with running_scheduler(tmp_path, bus) as pool:
        before = await zone_of(pool)
        imported = await pool.operator.ask("ImportGrid", series())
        at_once = known_g_per_kwh(pool)
    async with running_scheduler(tmp_path, bus) as pool:
        kept, decided = await zone_of(pool), known_g_per_kwh(pool)
        choice = a.SetGridSourceRequest(zone="CA-ON", source="annual")
        back = await pool.operator.ask("SetGridSource", choice)

        assert before.direct_g_per_kwh == known_g_per_kwh(pool)

    assert ("annual", "default", "") == (before.source, before.basis, before.chosen)
    assert ("series", "measured", "on.csv") == (imported.source, imported.basis, imported.file)
    assert [77.0] * 3 == [at_once, kept.direct_g_per_kwh, decided]
    assert ("annual", "annual", "on.csv") == (back.source, back.chosen, back.file)


async def test_zone_goes_back_to_what_is_configured(tmp_path: Path, bus: NatsPool) -> None:
    """After a choice and an import the configured series counts again, also after a restart; the
    imported hours are kept, and count once they are chosen."""
    hours = [
        time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(this_hour() + n * HOUR_S)) for n in (0, 1)
    ]
    (tmp_path / "on.csv").write_text("utc,g,h\n" + "".join(f"{hour},55.5,60\n" for hour in hours))
    more = (
        '[[grid.series]]\nzone = "CA-ON"\nfile = "on.csv"\ncolumn = "g"\nlifecycle_column = "h"\n'
    )
    choice = a.SetGridSourceRequest(zone="CA-ON", source="configured")
    async with running_scheduler(tmp_path, bus, more) as pool:
        await pool.operator.ask("ImportGrid", series())
        imported = known_g_per_kwh(pool)
        back = await pool.operator.ask("SetGridSource", choice)
        configured = known_g_per_kwh(pool)
    async with running_scheduler(tmp_path, bus, more) as pool:
        restarted = known_g_per_kwh(pool)
        choice.source = "series"
        again = await pool.operator.ask("SetGridSource", choice)

    assert [77.0, 55.5, 55.5, 77.0] == [imported, configured, restarted, again.direct_g_per_kwh]
    assert ("series", "") == (back.source, back.chosen)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"zone": "Québec"}, "zone"),
        ({"hours": [3_600, 3_600]}, "hours"),
        ({"hours": [3_601, 7_200]}, "hours"),
        ({"hours": [-3_600, 0]}, "hours"),
        ({"direct_g_per_kwh": [1.0]}, "direct_g_per_kwh"),
        ({"lifecycle_g_per_kwh": [1.0, float("nan")]}, "lifecycle_g_per_kwh"),
    ],
    ids=["zone", "an hour twice", "no full hour", "before 1970", "too few", "no number"],
)
async def test_unusable_series_is_refused_by_field(
    pool: RunningScheduler, changes: dict[str, Any], param: str
) -> None:
    """Whatever a client sends, only whole hours with finite intensities reach the feed."""
    problem = await refusal(pool.operator.ask("ImportGrid", series(**changes)))

    assert "invalid_request" == reason(problem)
    assert f"« {param} »".replace(" ", "\u00a0") in (problem.details() or "").replace(" ", "\u00a0")
    assert "annual" == (await zone_of(pool)).source


async def test_electricity_maps_is_chosen_with_a_token_that_is_kept_private(
    tmp_path: Path, bus: NatsPool
) -> None:
    """The API is asked as soon as it is chosen with a token, which only the owner can read; its
    value counts until the zone goes back to the average."""
    async with api() as served:
        served.at = float(this_hour())
        settings = f'[grid.electricity_maps]\nzones = ["CA-AB"]\nurl = "{served.url}"\n'
        more = f'{settings}token_env = "NO_SUCH_VARIABLE"'
        async with running_scheduler(tmp_path, bus, more) as pool:
            choice = a.SetGridSourceRequest(zone="CA-ON", source="electricity_maps")
            without = await refusal(pool.operator.ask("SetGridSource", choice))
            other = a.SetGridSourceRequest(zone="CA-ON", source="weather")
            unknown = await refusal(pool.operator.ask("SetGridSource", other))
            choice.token = TOKEN
            chosen = await pool.operator.ask("SetGridSource", choice)
            (file,) = (tmp_path / "grid").iterdir()
            await eventually(lambda: known_g_per_kwh(pool) == served.intensities["direct"])
            received = await zone_of(pool)
            annual = a.SetGridSourceRequest(zone="CA-ON", source="annual")
            await pool.operator.ask("SetGridSource", annual)

            assert known_g_per_kwh(pool) != served.intensities["direct"]

    assert ["invalid_request"] * 2 == [reason(without), reason(unknown)]
    assert "electricity_maps" == chosen.chosen
    assert ("electricity_maps", "measured") == (received.source, received.basis)
    assert (f"{TOKEN}\n", 0o600) == (file.read_text(), file.stat().st_mode & 0o777)


async def test_operator_imports_and_shows_by_the_command(
    pool: RunningScheduler, folder: Path
) -> None:
    """The commands import a file, show each zone, and go back to the average."""
    hours = [
        time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(this_hour() + n * HOUR_S)) for n in (0, 1)
    ]
    (folder / "on.csv").write_text("utc,g\n" + "".join(f"{hour},55.5\n" for hour in hours))
    arguments = (str(folder / "on.csv"), "--zone", "CA-ON", "--column", "g")
    imported = await entraide(folder, "grid", "import", *arguments)
    _, shown, _ = await entraide(folder, "grid", "show")
    back = await entraide(folder, "grid", "source", "CA-ON", "annual", "--json")
    wrong = await entraide(folder, "grid", "import", *arguments[:3], "--column", "h")

    assert 0 == imported[0], imported[2]
    assert "2 hours imported for CA-ON" in imported[1]
    assert any(
        "CA-ON" in line and "55.5 g/kWh" in line and "imported" in line
        for line in shown.splitlines()
    )
    assert 0 == back[0]
    assert (1, "") == wrong[:2]
    assert 'no column "h"' in wrong[2]


@pytest.mark.parametrize(("estimated", "basis"), [("false", "measured"), ("true", "estimated")])
def test_export_of_electricity_maps_is_read_by_itself(
    tmp_path: Path, estimated: str, basis: str
) -> None:
    """An export needs no column; an estimated row marks the series as estimated."""
    path = tmp_path / "export.csv"
    path.write_text(EXPORT.format(estimated=estimated), encoding="utf-8")
    read = read_import(path, zone="CA-ON")

    assert [(41.5, 70.25), (39.0, 68.0)] == list(read.hours.values())
    assert Basis(basis) is read.basis
    assert 1_793_491_200 == min(read.hours)


@pytest.mark.parametrize(
    ("text", "zone", "line", "fault"),
    [
        ("when,g\n1,2\n", "CA-ON", None, "no_column"),
        ("utc,x\n2026-11-01T00:00Z,2\n", "CA-ON", None, "no_column"),
        ("utc,ci_direct_g_per_kwh\nyesterday,2\n", "CA-ON", 2, "no_time"),
        (
            'utc,ci_direct_g_per_kwh\n2026-11-01T00:00Z,2\n2026-11-01T01:00Z,"2,5"\n',
            "CA-ON",
            3,
            "no_intensity",
        ),
        ("utc,ci_direct_g_per_kwh\n2026-11-01T00:00Z,-2\n", "CA-ON", 2, "no_intensity"),
        ("utc,ci_direct_g_per_kwh\n2026-11-01T00:00Z,\n", "CA-ON", None, "no_hours"),
        (EXPORT.format(estimated="false"), "CA-QC", 2, "other_zone"),
    ],
)
def test_unusable_file_is_named_with_line_and_remedy(
    tmp_path: Path, text: str, zone: str, line: int | None, fault: str
) -> None:
    """A file that cannot be imported gives one sentence in each language, with the line."""
    path = tmp_path / "grid.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PoolError) as refused:
        read_import(path, zone=zone)
    values = refused.value.values
    sentences = [i18n.error(refused.value.code, lang, values) for lang in i18n.LANGUAGES]

    assert ("series_refused", fault, line) == (
        refused.value.code,
        values["fault"],
        values.get("line"),
    )
    for sentence in sentences:
        assert str(path) in sentence
        assert i18n.HOLE not in sentence
        assert line is None or str(line) in sentence
