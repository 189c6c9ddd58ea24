"""HTTP sources: a JSON document, and a sensor of Home Assistant.

Input: the source's configuration. Output: its value with the time of the measurement. A redirect is
refused, because the owner named one device. Each source keeps its own connection.
"""

import asyncio
import datetime as dt
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from entraide.decoding import decode_json
from entraide_node.energy.source_config import HomeAssistant, Http, value_expression
from entraide_node.energy.source_values import (
    BODY_BYTES_MAX,
    NO_SECRET,
    REFUSED,
    UNAVAILABLE,
    UNREACHABLE,
    UNREADABLE,
    MissingValue,
    SourceValue,
    extract_number,
    parse_number,
    read_secret,
)

TIMEOUT_S = 3.0

# Home Assistant's units of power, in watts.
UNITS = {"W": 1.0, "kW": 1_000.0, "MW": 1_000_000.0, "mW": 0.001, "%": 1.0, "": 1.0}


class JsonClient:
    """An HTTP client for JSON documents of one server."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def json(self, url: str, *, token: str = "") -> Any | MissingValue:
        """Returns a document, decoded."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._open_session().get(url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    refused = answer.status in (401, 403)
                    return MissingValue(
                        REFUSED if refused else UNAVAILABLE, f"HTTP {answer.status}"
                    )
                body = await answer.content.read(BODY_BYTES_MAX + 1)
                while len(body) <= BODY_BYTES_MAX and (more := await answer.content.readany()):
                    body += more
        except (TimeoutError, aiohttp.ClientError, ValueError) as problem:
            return MissingValue(UNREACHABLE, type(problem).__name__)
        if len(body) > BODY_BYTES_MAX:
            return MissingValue(UNREADABLE, "too long")
        try:
            return decode_json(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return MissingValue(UNREADABLE, "no JSON")

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
        return self._session


class HttpSource:
    """A number in a document; its time is that of the request."""

    kind = "http"

    def __init__(self, config: Http, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._expression = value_expression(config)
        self._client = JsonClient()
        if config.shape not in ("", "number"):
            self.kind = config.shape

    async def read(self) -> SourceValue | MissingValue:
        """Requests the document."""
        config, token = self._config, ""
        if config.token_file or config.token_env:
            secret = read_secret(self._folder, file=config.token_file, env=config.token_env)
            if secret is None:
                return MissingValue(NO_SECRET)
            token = secret
        document = await self._client.json(config.url, token=token)
        if isinstance(document, MissingValue):
            return document
        number = extract_number(document, self._expression)
        if number is None:
            return MissingValue(UNREADABLE, "no number there")
        return SourceValue(number * config.scale, time.time())

    async def close(self) -> None:
        """Closes its connection."""
        await self._client.close()


class HomeAssistantSource:
    """A sensor's state; its time is that of the sensor's last report."""

    kind = "home_assistant"

    def __init__(self, config: HomeAssistant, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._url = f"{config.url.rstrip('/')}/api/states/{quote(config.entity)}"
        self._client = JsonClient()

    async def read(self) -> SourceValue | MissingValue:
        """Requests the state."""
        config = self._config
        token = read_secret(self._folder, file=config.token_file, env=config.token_env)
        if token is None:
            return MissingValue(NO_SECRET)
        document = await self._client.json(self._url, token=token)
        if isinstance(document, MissingValue):
            return document
        return _parse_state(document, scale=config.scale)

    async def close(self) -> None:
        """Closes its connection."""
        await self._client.close()


def _parse_state(document: Any, *, scale: float) -> SourceValue | MissingValue:
    """Parses a state of the REST API: ``state``, ``attributes`` and the time of its report."""
    if not isinstance(document, dict):
        return MissingValue(UNREADABLE, "no state")
    state, attributes = document.get("state"), document.get("attributes")
    if state in ("unavailable", "unknown", None):
        return MissingValue(UNAVAILABLE, str(state))
    number = parse_number(state)
    unit = attributes.get("unit_of_measurement", "") if isinstance(attributes, dict) else ""
    if number is None or not isinstance(unit, str) or unit not in UNITS:
        unit_text = repr(unit[:20]) if isinstance(unit, str) else type(unit).__name__
        return MissingValue(UNREADABLE, f"no power: unit {unit_text}")
    # `last_reported` is newer than `last_updated` if a sensor repeats its value.
    reported_time = document.get("last_reported") or document.get("last_updated")
    try:
        at = (
            dt.datetime.fromisoformat(str(reported_time)).timestamp()
            if reported_time
            else time.time()
        )
    except (OverflowError, OSError, ValueError):
        return MissingValue(UNREADABLE, "no moment")
    return SourceValue(number * UNITS[unit] * scale, at)
