"""Grid check of the pool's doctor: whether each zone's chosen source has data for this hour.

In: the configuration, what the operator imported and chose (in the store), and the scheduler's log,
which says whether the API gives values.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy.exc import SQLAlchemyError

from entraide.decoding import decode_json
from entraide.errors import EntraideError
from entraide_scheduler.config import GridConfig
from entraide_scheduler.findings import Finding, failure, finding, listed, passed
from entraide_scheduler.grid.feed import IntensityFeed, ZoneSource
from entraide_scheduler.grid.sources import CONFIGURED, apply_row
from entraide_scheduler.pool.config import PoolConfig
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.grid_zones import list_zones
from entraide_scheduler.store.rows import GridZoneRow

LOG_TAIL_BYTES = 256 * 1024


def check_grid(state: Path, config: PoolConfig) -> Finding:
    """Checks that each source that is configured or chosen has data for the present hour."""
    grid = _with_absolute_files(config.grid, state)
    rows = _read_rows(state, config)
    try:
        feed = IntensityFeed.from_config(grid)
    except EntraideError as fault:
        return failure("grid", fault)
    for row in rows:
        apply_row(feed, row)
    wanted = _find_wanted(grid, rows)
    now = {each.reading.zone: each.source for each in feed.sources_at(time.time())}
    stale = {
        zone
        for zone, source in wanted.items()
        if source is ZoneSource.SERIES and now.get(zone) is not ZoneSource.SERIES
    }
    polled = {zone for zone, source in wanted.items() if source is ZoneSource.ELECTRICITY_MAPS}
    if polled:
        events = list(_read_grid_events(state / "logs" / "scheduler.log"))
        if events and events[-1].get("event") == "grid.no_token":
            return finding("grid-no_token")
        last = {event.get("zone"): event.get("event") for event in events}
        stale |= {zone for zone in polled if last.get(zone) == "grid.lost"}
    if stale:
        return finding("grid-stale", zones=listed(sorted(stale)))
    return passed("grid-ok" if wanted else "grid-averages", zones=listed(sorted(wanted)))


def _find_wanted(grid: GridConfig, rows: tuple[GridZoneRow, ...]) -> dict[str, ZoneSource]:
    """Returns the source of each zone that has another one than the annual average."""
    wanted = {each.zone: ZoneSource.SERIES for each in grid.series}
    if grid.electricity_maps is not None:
        wanted |= dict.fromkeys(grid.electricity_maps.zones, ZoneSource.ELECTRICITY_MAPS)
    wanted |= {row.zone: ZoneSource(row.source) for row in rows if row.source != CONFIGURED}
    return {zone: source for zone, source in wanted.items() if source is not ZoneSource.ANNUAL}


def _read_rows(state: Path, config: PoolConfig) -> tuple[GridZoneRow, ...]:
    """Returns what the store has; nothing where it cannot be read, which has its own check."""
    try:
        url = database_url(config.database or f"sqlite:///{state / 'store.db'}")
        if url.drivername == "sqlite" and not Path(url.database or "").is_file():
            return ()
        engines = make_engines(url)
        try:
            with engines[1].connect() as connection:
                return list_zones(connection)
        finally:
            for engine in engines:
                engine.dispose()
    except (EntraideError, SQLAlchemyError):
        return ()


def _with_absolute_files(grid: GridConfig, state: Path) -> GridConfig:
    series = tuple(structs.replace(each, file=str(state / each.file)) for each in grid.series)
    return structs.replace(grid, series=series, forecasts=())


def _read_grid_events(log: Path) -> Iterator[dict[str, Any]]:
    """Yields the events about intensities in the tail of the scheduler's log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        if b'"grid.' not in line:
            continue
        try:
            event = decode_json(line, type=dict[str, Any])
        except msgspec.MsgspecError:
            continue
        if event.get("what", "intensity") != "forecast":
            yield event
