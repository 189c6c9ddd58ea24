"""MQTT source: the last payload of a topic.

Input: the source's configuration. Output: the newest value with the time of its arrival. A retained
message is ignored, because its age is unknown. A lost connection is retried with exponential
back-off.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from pathlib import Path

import msgspec

from entraide.cancellation import cancel_until_ended
from entraide.decoding import decode_json
from entraide_node.energy.source_config import Mqtt, value_expression
from entraide_node.energy.source_values import (
    BODY_BYTES_MAX,
    NO_SECRET,
    NOT_YET,
    REFUSED,
    UNREACHABLE,
    UNREADABLE,
    MissingValue,
    SourceValue,
    extract_number,
    read_secret,
)

RETRY_MIN_S, RETRY_MAX_S = 1.0, 60.0
TIMEOUT_S = 5.0
QUEUED_MAX = 64  # buffered messages
REFUSALS = frozenset({4, 5, 134, 135})  # CONNACK codes of MQTT 3.1.1 and 5 for "not authorised"


class MqttSource:
    """A topic, subscribed to from the first reading on."""

    kind = "mqtt"

    def __init__(self, config: Mqtt, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._expression = value_expression(config)
        self._last: SourceValue | MissingValue = MissingValue(NOT_YET)
        self._listening: asyncio.Task[None] | None = None
        if config.shape not in ("", "number"):
            self.kind = config.shape

    async def read(self) -> SourceValue | MissingValue:
        """Returns the newest value."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen_for_ever(), name="mqtt")
        return self._last

    async def close(self) -> None:
        """Disconnects."""
        if self._listening is not None:
            await cancel_until_ended(self._listening)
            self._listening = None

    async def _listen_for_ever(self) -> None:
        import aiomqtt  # noqa: PLC0415  (imported only with a configured broker)

        wait_s = RETRY_MIN_S
        while True:
            began_s = time.monotonic()
            try:
                await self._listen()
            except aiomqtt.MqttCodeError as problem:
                refused = getattr(problem.rc, "value", problem.rc) in REFUSALS
                self._note_fault(
                    MissingValue(REFUSED if refused else UNREACHABLE, str(problem)[:100])
                )
            except (aiomqtt.MqttError, OSError, ValueError) as problem:
                self._note_fault(MissingValue(UNREACHABLE, type(problem).__name__))
            if time.monotonic() - began_s > RETRY_MAX_S:
                wait_s = RETRY_MIN_S
            await asyncio.sleep(wait_s)
            wait_s = min(RETRY_MAX_S, 2 * wait_s)

    def _note_fault(self, missing: MissingValue) -> None:
        """Notes a fault unless there is a value; a value stays until it is stale."""
        if isinstance(self._last, MissingValue):
            self._last = missing

    async def _listen(self) -> None:
        import aiomqtt  # noqa: PLC0415

        config = self._config
        password = None
        if config.password_file or config.password_env:
            password = read_secret(self._folder, file=config.password_file, env=config.password_env)
            if password is None:
                self._note_fault(MissingValue(NO_SECRET))
                return
        async with aiomqtt.Client(
            config.host,
            config.port,
            username=config.username or None,
            password=password,
            tls_context=ssl.create_default_context() if config.tls else None,
            timeout=TIMEOUT_S,
            max_queued_incoming_messages=QUEUED_MAX,
            logger=logging.getLogger("entraide.quiet"),
        ) as client:
            await client.subscribe(config.topic)
            async for message in client.messages:
                if not message.retain:
                    self._on_message(message.payload)

    def _on_message(self, payload: object) -> None:
        raw = payload if isinstance(payload, bytes | bytearray | str) else str(payload)
        number = None
        if len(raw) <= BODY_BYTES_MAX:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                number = extract_number(decode_json(raw), self._expression)
        if number is not None:
            self._last = SourceValue(number * self._config.scale, time.time())
        else:
            self._note_fault(MissingValue(UNREADABLE, "no number there"))
