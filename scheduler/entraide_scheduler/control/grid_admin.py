"""Grid administration: the Admin service's calls about the zones' carbon intensity."""

import asyncio
import math
import re
import tempfile
from pathlib import Path
from typing import Any

from entraide.errors import PoolError
from entraide.printable import shortened
from entraide.types import Basis
from entraide.v1 import admin_pb2
from entraide_scheduler.config import ZONE, ZONES_MAX
from entraide_scheduler.control.errors import Context
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.grid.csv_rows import HOUR_S
from entraide_scheduler.grid.feed import SourcedReading, ZoneSource
from entraide_scheduler.grid.forecasts import ZoneForecast
from entraide_scheduler.grid.import_file import HOURS_MAX, read_import
from entraide_scheduler.grid.poller import TOKEN_BYTES_MAX
from entraide_scheduler.grid.series import IntensitySeries
from entraide_scheduler.grid.sources import CONFIGURED, GridSources

FILE_CHARS_MAX = 200
YEAR_SHIFT_MAX = 100
HOUR_LAST = 100 * 366 * 86_400  # of an imported series, seconds since the epoch: the year 2070


class GridAdmin:
    """The calls about the grid."""

    def __init__(self, *, access: OperatorAccess, sources: GridSources) -> None:
        self._access = access
        self._sources = sources

    async def ListGrid(
        self, _: admin_pb2.ListGridRequest, _context: Context
    ) -> admin_pb2.GridZones:
        """Lists every zone that has an intensity now."""
        now = self._sources.now()
        forecasts = {issue.zone: issue for issue in self._sources.feed.forecasts_at(now)}
        return admin_pb2.GridZones(
            zones=[
                self._zone_message(sourced, forecasts.get(sourced.reading.zone), now)
                for sourced in self._sources.feed.sources_at(now)
            ]
        )

    async def ImportGrid(
        self, request: admin_pb2.GridSeries, context: Context
    ) -> admin_pb2.GridZone:
        """Replaces a zone's hourly series, by hours and values or by a file."""
        await self._check_zone(request.zone, context)
        file = shortened(request.file, FILE_CHARS_MAX)
        if request.csv:
            series = await self._read_csv(request, context)
            await self._sources.put_series(series, file=file)
            return await self._describe(request.zone, context)
        param = _series_fault(request)
        if param:
            await self._access.abort(context, "invalid_request", param=param, fault="unusable")
        values = zip(request.direct_g_per_kwh, request.lifecycle_g_per_kwh, strict=True)
        hours = dict(zip(request.hours, values, strict=True))
        basis = Basis.ESTIMATED if request.estimated else Basis.MEASURED
        await self._sources.put_series(IntensitySeries(request.zone, hours, basis), file=file)
        return await self._describe(request.zone, context)

    async def SetGridSource(
        self, request: admin_pb2.SetGridSourceRequest, context: Context
    ) -> admin_pb2.GridZone:
        """Chooses the source of a zone, or lets the configuration decide again."""
        await self._check_zone(request.zone, context)
        sources = [*(source.value for source in ZoneSource), CONFIGURED]
        if request.source not in sources:
            values = {"param": "source", "fault": "not_one_of", "choices": ", ".join(sources)}
            await self._access.abort(context, "invalid_request", **values)
        if request.source == CONFIGURED:
            await self._sources.leave_to_configuration(request.zone)
            return await self._describe(request.zone, context)
        source, token = ZoneSource(request.source), request.token.strip()
        if not re.fullmatch(r"[!-~]*", token) or len(token) >= TOKEN_BYTES_MAX:
            await self._access.abort(context, "invalid_request", param="token", fault="unusable")
        if source is ZoneSource.ELECTRICITY_MAPS and not token and not self._sources.has_token:
            await self._access.abort(context, "invalid_request", param="token", fault="missing")
        await self._sources.choose(request.zone, source, token=token)
        return await self._describe(request.zone, context)

    async def _read_csv(self, request: admin_pb2.GridSeries, context: Context) -> IntensitySeries:
        """Reads the file of a request as ``entraide grid import`` does."""
        if abs(request.year_shift) > YEAR_SHIFT_MAX:
            limits = {"low": -YEAR_SHIFT_MAX, "high": YEAR_SHIFT_MAX}
            await self._access.abort(
                context, "invalid_request", param="year_shift", fault="between", **limits
            )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "series.csv"
            await asyncio.to_thread(path.write_bytes, request.csv)
            column = shortened(request.column, FILE_CHARS_MAX)
            options: dict[str, Any] = {
                "zone": request.zone,
                "column": column,
                "year_shift": request.year_shift,
            }
            try:
                return await asyncio.to_thread(read_import, path, **options)
            except PoolError as problem:
                name = shortened(request.file, FILE_CHARS_MAX) or path.name
                await self._access.abort(context, problem.code, **{**problem.values, "path": name})

    async def _check_zone(self, zone: str, context: Context) -> None:
        values: dict[str, str | int] = {"param": "zone"}
        if not re.fullmatch(ZONE, zone):
            values |= {"fault": "wrong_form", "form": "CA-QC", "found": shortened(zone, 60)}
            await self._access.abort(context, "invalid_request", **values)
        rows = self._sources.rows
        if zone not in rows and len(rows) >= ZONES_MAX:
            values |= {"fault": "too_many", "limit": ZONES_MAX}
            await self._access.abort(context, "invalid_request", **values)

    async def _describe(self, zone: str, context: Context) -> admin_pb2.GridZone:
        zones = (await self.ListGrid(admin_pb2.ListGridRequest(), context)).zones
        # A zone without an annual average has no value outside the hours of its series.
        return next((row for row in zones if row.zone == zone), admin_pb2.GridZone(zone=zone))

    def _zone_message(
        self, sourced: SourcedReading, forecast: ZoneForecast | None, now: float
    ) -> admin_pb2.GridZone:
        reading = sourced.reading
        row = self._sources.rows.get(reading.zone)
        hours = 0
        if forecast is not None:
            end_at = forecast.start_at + HOUR_S * len(forecast.direct_g_per_kwh)
            hours = max(0, math.ceil((end_at - now) / HOUR_S))
        return admin_pb2.GridZone(
            zone=reading.zone,
            direct_g_per_kwh=reading.direct_g_per_kwh,
            lifecycle_g_per_kwh=reading.lifecycle_g_per_kwh,
            basis=reading.basis.value,
            source=sourced.source.value,
            data_at=sourced.data_at,
            chosen=row.source if row is not None and row.source != CONFIGURED else "",
            forecast_hours=hours,
            forecast_at=forecast.issued_at if forecast is not None else 0.0,
            file=row.file if row is not None else "",
            imported_at=row.imported_at if row is not None else 0.0,
            at=now,
        )


def _series_fault(request: admin_pb2.GridSeries) -> str:
    """Returns the name of the first unusable field of a series, or ""."""
    hours, direct, lifecycle = (
        request.hours, request.direct_g_per_kwh, request.lifecycle_g_per_kwh
    )  # fmt: skip
    if not 0 < len(hours) <= HOURS_MAX or len(set(hours)) < len(hours):
        return "hours"
    if not all(0 <= hour <= HOUR_LAST and hour % HOUR_S == 0 for hour in hours):
        return "hours"
    for name, values in (("direct_g_per_kwh", direct), ("lifecycle_g_per_kwh", lifecycle)):
        if len(values) != len(hours):
            return name
        if not all(math.isfinite(value) and value >= 0.0 for value in values):
            return name
    return ""
