"""Wayland: time since the last input, from the compositor's idle notifications.

It implements the wire protocol as a client without a window and uses ``ext_idle_notifier_v1``,
which KWin, Sway, Hyprland, niri, COSMIC and others support. The compositor does not report idle
while a video keeps the screen on, which matches an owner's expectation. GNOME lacks this notifier;
``desktop`` asks GNOME. Sources: the Wayland wire format, and ext-idle-notify-v1 of
wayland-protocols.
"""

import asyncio
import os
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

IDLE_AFTER_MS = 1_000  # delay of the compositor's notification
MESSAGE_BYTES_MAX = 65_536
GLOBALS_MAX = 1_000
TIMEOUT_S = 2.0
RETRY_S = 60.0  # wait before a compositor without an answer is tried again

# Object ids that this client assigns.
DISPLAY, REGISTRY, CALLBACK, SEAT, NOTIFIER, NOTIFICATION = 1, 2, 3, 4, 5, 6


def find_sockets(environ: Mapping[str, str]) -> list[Path]:
    """Returns possible sockets of this desktop's compositors, the likeliest first."""
    runtime = Path(environ.get("XDG_RUNTIME_DIR", "") or f"/run/user/{os.getuid()}")
    named = environ.get("WAYLAND_DISPLAY", "")
    paths = [runtime / named] if named else []
    with suppress(OSError):
        paths += sorted(path for path in runtime.glob("wayland-*") if path.suffix != ".lock")
    return list(dict.fromkeys(path for path in paths if path.is_socket()))


class WaylandClient:
    """A connection to one compositor.

    Attributes:
        listening: task that reads notifications; None without a compositor.
    """

    def __init__(
        self, environ: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Does not connect yet.

        Args:
            environ: environment variables with ``XDG_RUNTIME_DIR`` and ``WAYLAND_DISPLAY``.
            clock: monotonic, seconds.
        """
        self._environ = environ
        self._clock = clock
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.listening: asyncio.Task[None] | None = None
        self._idle_since: float | None = None
        self._skip_until_s: dict[Path, float] = {}  # compositors without a notifier

    async def idle_s(self) -> float | None:
        """Returns the time since the last input; None without a compositor."""
        if self.listening is not None and self.listening.done():
            await self.close()
        if self.listening is None and not await self._find():
            return None
        return 0.0 if self._idle_since is None else self._clock() - self._idle_since

    async def close(self) -> None:
        """Disconnects."""
        if self.listening is not None:
            self.listening.cancel()
            await asyncio.wait({self.listening})
            self.listening = None
        if self._streams is not None:
            self._streams[1].close()
            with suppress(OSError):
                await self._streams[1].wait_closed()
            self._streams = None
        self._idle_since = None

    async def _find(self) -> bool:
        for path in find_sockets(self._environ):
            if self._clock() < self._skip_until_s.get(path, 0.0):
                continue
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self._streams = streams = await asyncio.open_unix_connection(str(path))
                    if await self._bind_globals(*streams):
                        self.listening = asyncio.create_task(self._listen(streams[0]))
                        return True
            except (OSError, EOFError, TimeoutError, struct.error):
                pass  # handled like a compositor without a notifier
            self._skip_until_s[path] = self._clock() + RETRY_S
            await self.close()
        return False

    async def _bind_globals(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Binds the seat and the notifier; returns whether the compositor has both."""
        writer.write(_request(DISPLAY, 1, _uint(REGISTRY)) + _request(DISPLAY, 0, _uint(CALLBACK)))
        known: dict[str, int] = {}
        for _ in range(GLOBALS_MAX):
            sender, code, body = await _message(reader)
            if sender == CALLBACK:
                break
            if sender == REGISTRY and code == 0:
                (name,) = struct.unpack_from("=I", body)
                known.setdefault(_string(body[4:]), name)
        seat, notifier = known.get("wl_seat"), known.get("ext_idle_notifier_v1")
        if seat is None or notifier is None:
            return False
        writer.write(
            _bind(seat, "wl_seat", SEAT)
            + _bind(notifier, "ext_idle_notifier_v1", NOTIFIER)
            + _request(NOTIFIER, 1, _uint(NOTIFICATION) + _uint(IDLE_AFTER_MS) + _uint(SEAT))
        )
        return True

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError, EOFError, struct.error):
            while True:
                sender, code, _ = await _message(reader)
                if sender == DISPLAY and code == 0:
                    return  # an error: the compositor disconnects
                if sender == NOTIFICATION:
                    idled = code == 0
                    self._idle_since = self._clock() - IDLE_AFTER_MS / 1_000 if idled else None


def _uint(value: int) -> bytes:
    return struct.pack("=I", value)


def _request(target: int, code: int, body: bytes) -> bytes:
    return struct.pack("=IHH", target, code, 8 + len(body)) + body


def _bind(name: int, interface: str, number: int) -> bytes:
    raw = interface.encode() + b"\0"
    text = _uint(len(raw)) + raw + b"\0" * (-len(raw) % 4)
    return _request(REGISTRY, 0, _uint(name) + text + _uint(1) + _uint(number))


def _string(body: bytes) -> str:
    (long,) = struct.unpack_from("=I", body)
    return body[4 : 3 + long].decode("utf-8", "replace")


async def _message(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    sender, code, long = struct.unpack("=IHH", await reader.readexactly(8))
    if not 8 <= long <= MESSAGE_BYTES_MAX:
        raise OSError("a message with an invalid length")
    return sender, code, await reader.readexactly(long - 8)
