"""Electricity Maps: client of the API, version 4, for a zone's intensity and its forecast.

A response is used only if it has the requested zone and emission factor type, a valid hour, and
finite intensities within ``INTENSITY_MAX_G_PER_KWH``. Direct and life-cycle intensities need one
request each. The token is sent in a header, to one host, over TLS, and is never logged.
"""

import asyncio
import datetime as dt
import math
from collections.abc import Mapping

import aiohttp
import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.types import Basis
from entraide_scheduler.config import ElectricityMapsConfig
from entraide_scheduler.grid.csv_rows import HOUR_S
from entraide_scheduler.grid.feed import HourlyIntensity
from entraide_scheduler.grid.forecasts import HOURS_MAX, ZoneForecast

TIMEOUT_S = 20.0
BODY_BYTES_MAX = 1024 * 1024
INTENSITY_MAX_G_PER_KWH = 5_000.0
DIRECT, LIFECYCLE = "direct", "lifecycle"
RETRY_MAX_S = 86_400.0

# Codes of ``FetchFailure``.
UNREACHABLE = "unreachable"
REFUSED = "refused"  # no token, a wrong token, or data that the contract does not include
TOO_MANY = "too_many"
UNREADABLE = "unreadable"
FAILED = "failed"


class FetchFailure(Struct, frozen=True):
    """A failed request: a stable code, the HTTP status, and ``Retry-After`` in seconds or 0."""

    code: str
    status: int = 0
    retry_s: float = 0.0


class _Latest(Struct, frozen=True, rename="camel"):
    zone: str
    carbon_intensity: float
    datetime: str
    is_estimated: bool = False
    emission_factor_type: str = ""


class _Reading(Struct, frozen=True):
    hour_at: float
    g_per_kwh: float
    is_estimated: bool


class _Point(Struct, frozen=True, rename="camel"):
    carbon_intensity: float
    datetime: str


class _Forecast(Struct, frozen=True, rename="camel"):
    zone: str
    forecast: tuple[_Point, ...]
    updated_at: str = ""


class ElectricityMaps:
    """A client with one connection."""

    def __init__(self, config: ElectricityMapsConfig, token: str) -> None:
        self._url = config.url.rstrip("/")
        self._horizon_h = config.horizon_h
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def fetch_latest(self, zone: str) -> HourlyIntensity | FetchFailure:
        """Returns the intensity of a zone's newest hour."""
        readings = []
        for factor in (DIRECT, LIFECYCLE):
            body = await self._fetch("latest", zone, factor)
            if isinstance(body, FetchFailure):
                return body
            reading = _parse_latest(body, zone=zone, factor=factor)
            if reading is None:
                return FetchFailure(UNREADABLE)
            readings.append(reading)
        direct, lifecycle = readings
        if direct.hour_at != lifecycle.hour_at:
            return FetchFailure(UNREADABLE)  # an hour began between the two requests
        basis = Basis.ESTIMATED if direct.is_estimated or lifecycle.is_estimated else Basis.MEASURED
        return HourlyIntensity(zone, direct.hour_at, direct.g_per_kwh, lifecycle.g_per_kwh, basis)

    async def fetch_forecast(self, zone: str, now: float) -> ZoneForecast | FetchFailure:
        """Returns a zone's newest forecast; an issue time in the future becomes ``now``."""
        series: list[dict[float, float]] = []
        issued_at = now
        for factor in (DIRECT, LIFECYCLE):
            parameters = {"horizonHours": str(self._horizon_h)}
            body = await self._fetch("forecast", zone, factor, parameters)
            if isinstance(body, FetchFailure):
                return body
            forecast = _parse_forecast(body, zone=zone)
            if forecast is None:
                return FetchFailure(UNREADABLE)
            factor_issued_at, intensity_by_hour = forecast
            series.append(intensity_by_hour)
            issued_at = min(issued_at, factor_issued_at or issued_at)
        return _build_forecast(zone, issued_at, *series) or FetchFailure(UNREADABLE)

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _fetch(
        self, endpoint: str, zone: str, factor: str, parameters: Mapping[str, str] | None = None
    ) -> bytes | FetchFailure:
        query = {
            "zone": zone,
            "emissionFactorType": factor,
            "temporalGranularity": "hourly",
            "disableCallerLookup": "true",  # else the API guesses the zone from the caller
            **(parameters or {}),
        }
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._get_session().get(
                    f"{self._url}/carbon-intensity/{endpoint}",
                    params=query,
                    headers={"auth-token": self._token},
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != 200:
                    return _read_failure(response)
                body = await response.content.read(BODY_BYTES_MAX + 1)
                while len(body) <= BODY_BYTES_MAX and (chunk := await response.content.readany()):
                    body += chunk
        except (TimeoutError, aiohttp.ClientError, OSError):
            return FetchFailure(UNREACHABLE)
        return body if len(body) <= BODY_BYTES_MAX else FetchFailure(UNREADABLE)

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
        return self._session


def _read_failure(response: aiohttp.ClientResponse) -> FetchFailure:
    status = response.status
    if status in (401, 403):
        return FetchFailure(REFUSED, status)
    if status == 429:
        retry_after = response.headers.get("Retry-After", "")
        retry_s = float(retry_after) if retry_after.isdigit() else 0.0
        return FetchFailure(TOO_MANY, status, min(RETRY_MAX_S, retry_s))
    return FetchFailure(FAILED, status)


def _parse_latest(body: bytes, *, zone: str, factor: str) -> _Reading | None:
    """Returns the intensity in a response; None if the response is invalid."""
    try:
        latest = decode_json(body, type=_Latest)
        hour_at = _start_of_hour(latest.datetime)
    except (msgspec.MsgspecError, ValueError):
        return None
    if latest.zone != zone or latest.emission_factor_type not in ("", factor):
        return None
    if not _is_plausible(latest):
        return None
    return _Reading(hour_at, latest.carbon_intensity, latest.is_estimated)


def _parse_forecast(body: bytes, *, zone: str) -> tuple[float, dict[float, float]] | None:
    """Returns a forecast's issue time (0 if absent) and intensities by hour; None if invalid."""
    try:
        parsed = decode_json(body, type=_Forecast)
        issued_at = _parse_time(parsed.updated_at) if parsed.updated_at else 0.0
        intensity_by_hour = {
            _start_of_hour(point.datetime): point.carbon_intensity for point in parsed.forecast
        }
    except (msgspec.MsgspecError, ValueError):
        return None
    if parsed.zone != zone or not intensity_by_hour or not all(map(_is_plausible, parsed.forecast)):
        return None
    return issued_at, intensity_by_hour


def _build_forecast(
    zone: str, issued_at: float, direct: Mapping[float, float], lifecycle: Mapping[float, float]
) -> ZoneForecast | None:
    """Returns a forecast of the hours that are in both series, up to the first gap."""
    start_at = min(direct)
    hours: list[tuple[float, float]] = []
    while len(hours) < HOURS_MAX:
        hour_at = start_at + len(hours) * HOUR_S
        if hour_at not in direct or hour_at not in lifecycle:
            break
        hours.append((direct[hour_at], lifecycle[hour_at]))
    if not hours:
        return None
    direct_g_per_kwh, lifecycle_g_per_kwh = zip(*hours, strict=True)
    return ZoneForecast(zone, issued_at, start_at, direct_g_per_kwh, lifecycle_g_per_kwh)


def _is_plausible(point: _Latest | _Point) -> bool:
    intensity = point.carbon_intensity
    return math.isfinite(intensity) and 0.0 <= intensity <= INTENSITY_MAX_G_PER_KWH


def _parse_time(text: str) -> float:
    time = dt.datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp()


def _start_of_hour(text: str) -> float:
    return float(int(_parse_time(text)) // HOUR_S * HOUR_S)
