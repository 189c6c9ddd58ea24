"""Electricity Maps: a zone's intensity now and its forecast, asked over their API, version 4.

It decides what of an answer is believed: the zone and the kind of emission factor that were asked
for, an hour that can be read, and finite intensities. Direct and life-cycle intensities are two
questions each. The token travels in a header, to one host, over TLS, and into no log.
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
from entraide_scheduler.grid.feed import Hour
from entraide_scheduler.grid.forecasts import HOURS_MAX, Issue
from entraide_scheduler.grid.series import HOUR_S

TIMEOUT_S = 20.0
BODY_BYTES_MAX = 1024 * 1024
INTENSITY_MAX_G_PER_KWH = 5_000.0
DIRECT, LIFECYCLE = "direct", "lifecycle"
RETRY_MAX_S = 86_400.0

# Why there is no answer.
UNREACHABLE = "unreachable"
REFUSED = "refused"  # no token, a wrong one, or a contract without this
TOO_MANY = "too_many"
UNREADABLE = "unreadable"
FAILED = "failed"


class Trouble(Struct, frozen=True):
    """Why there is no answer: a stable code, its HTTP status, and when to ask again if told."""

    code: str
    status: int = 0
    retry_s: float = 0.0


class _Latest(Struct, frozen=True, rename="camel"):
    zone: str
    carbon_intensity: float
    datetime: str
    is_estimated: bool = False
    emission_factor_type: str = ""


class _Point(Struct, frozen=True, rename="camel"):
    carbon_intensity: float
    datetime: str


class _Forecast(Struct, frozen=True, rename="camel"):
    zone: str
    forecast: tuple[_Point, ...]
    updated_at: str = ""


class ElectricityMaps:
    """Asks the API, with one connection."""

    def __init__(self, config: ElectricityMapsConfig, token: str) -> None:
        self._url = config.url.rstrip("/")
        self._horizon_h = config.horizon_h
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def latest(self, zone: str) -> Hour | Trouble:
        """Returns the newest hour of a zone."""
        found = []
        for factor in (DIRECT, LIFECYCLE):
            said = await self._ask("latest", zone, factor)
            if isinstance(said, Trouble):
                return said
            read = _latest(said, zone=zone, factor=factor)
            if read is None:
                return Trouble(UNREADABLE)
            found.append(read)
        direct, lifecycle = found
        if direct[0] != lifecycle[0]:
            return Trouble(UNREADABLE)  # an hour began between the two questions
        basis = Basis.ESTIMATED if direct[2] or lifecycle[2] else Basis.MEASURED
        return Hour(zone, direct[0], direct[1], lifecycle[1], basis)

    async def forecast(self, zone: str, now: float) -> Issue | Trouble:
        """Returns the newest forecast of a zone; one from the future is taken as made now."""
        values: list[dict[float, float]] = []
        issued_at = now
        for factor in (DIRECT, LIFECYCLE):
            more = {"horizonHours": str(self._horizon_h)}
            said = await self._ask("forecast", zone, factor, more)
            if isinstance(said, Trouble):
                return said
            read = _forecast(said, zone=zone)
            if read is None:
                return Trouble(UNREADABLE)
            values.append(read[1])
            issued_at = min(issued_at, read[0]) if read[0] else issued_at
        return _issue(zone, issued_at, *values) or Trouble(UNREADABLE)

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(
        self, what: str, zone: str, factor: str, more: Mapping[str, str] | None = None
    ) -> bytes | Trouble:
        query = {
            "zone": zone,
            "emissionFactorType": factor,
            "temporalGranularity": "hourly",
            "disableCallerLookup": "true",  # else an unknown zone becomes the one we stand in
            **(more or {}),
        }
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._opened().get(
                    f"{self._url}/carbon-intensity/{what}",
                    params=query,
                    headers={"auth-token": self._token},
                    allow_redirects=False,
                ) as answer,
            ):
                if answer.status != 200:
                    return _trouble(answer)
                body = await answer.content.read(BODY_BYTES_MAX + 1)
                while len(body) <= BODY_BYTES_MAX and (rest := await answer.content.readany()):
                    body += rest
        except (TimeoutError, aiohttp.ClientError, OSError):
            return Trouble(UNREACHABLE)
        return body if len(body) <= BODY_BYTES_MAX else Trouble(UNREADABLE)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
        return self._session


def _trouble(answer: aiohttp.ClientResponse) -> Trouble:
    status = answer.status
    if status in (401, 403):
        return Trouble(REFUSED, status)
    if status == 429:
        said = answer.headers.get("Retry-After", "")
        retry_s = float(said) if said.isdigit() else 0.0
        return Trouble(TOO_MANY, status, min(RETRY_MAX_S, retry_s))
    return Trouble(FAILED, status)


def _latest(body: bytes, *, zone: str, factor: str) -> tuple[float, float, bool] | None:
    """Returns an answer's hour, intensity and whether it is estimated; None if it is not ours."""
    try:
        said = decode_json(body, type=_Latest)
        start_at = _hour(said.datetime)
    except (msgspec.MsgspecError, ValueError):
        return None
    if said.zone != zone or said.emission_factor_type not in ("", factor):
        return None
    return (start_at, said.carbon_intensity, said.is_estimated) if _sound(said) else None


def _forecast(body: bytes, *, zone: str) -> tuple[float, dict[float, float]] | None:
    """Returns when a forecast was made (0 if not told), and its hours."""
    try:
        said = decode_json(body, type=_Forecast)
        made_at = _moment(said.updated_at) if said.updated_at else 0.0
        hours = {_hour(point.datetime): point.carbon_intensity for point in said.forecast}
    except (msgspec.MsgspecError, ValueError):
        return None
    if said.zone != zone or not hours or not all(map(_sound, said.forecast)):
        return None
    return made_at, hours


def _issue(
    zone: str, issued_at: float, direct: Mapping[float, float], lifecycle: Mapping[float, float]
) -> Issue | None:
    """Returns the hours that both have, up to the first gap."""
    start_at = min(direct)
    hours: list[tuple[float, float]] = []
    while len(hours) < HOURS_MAX:
        at = start_at + len(hours) * HOUR_S
        if at not in direct or at not in lifecycle:
            break
        hours.append((direct[at], lifecycle[at]))
    if not hours:
        return None
    first, second = zip(*hours, strict=True)
    return Issue(zone, issued_at, start_at, first, second)


def _sound(said: _Latest | _Point) -> bool:
    intensity = said.carbon_intensity
    return math.isfinite(intensity) and 0.0 <= intensity <= INTENSITY_MAX_G_PER_KWH


def _moment(text: str) -> float:
    moment = dt.datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _hour(text: str) -> float:
    return float(int(_moment(text)) // HOUR_S * HOUR_S)
