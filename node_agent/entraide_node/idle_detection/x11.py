"""X11: time since the last input, from the server's screen saver extension.

It implements the protocol over the server's local socket, because the usual library ends the
process when its server goes away, and the agent must outlive the desktop. Sources: X Window System
Protocol (X.Org, version 11); MIT-SCREEN-SAVER extension, version 1.1.
"""

import asyncio
import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

COOKIE = b"MIT-MAGIC-COOKIE-1"
EXTENSION = b"MIT-SCREEN-SAVER"
SOCKETS = "/tmp/.X11-unix"  # noqa: S108  (where X11 has them)
SETUP_BYTES_MAX = 1_048_576
ANSWERS_MAX = 1_000  # events and errors before an expected reply
TIMEOUT_S = 2.0

QUERY_EXTENSION, QUERY_INFO = 98, 1
ERROR, REPLY = 0, 1


def display_number(display: str) -> int | None:
    """Returns the number of a display on this machine; None for any other.

    >>> display_number(":1.0"), display_number("elsewhere:0"), display_number("")
    (1, None, None)
    """
    host, colon, rest = display.rpartition(":")
    number = rest.partition(".")[0]
    return int(number) if colon and host in ("", "unix") and number.isdecimal() else None


def find_cookie(raw: bytes, number: int) -> bytes:
    """Returns the cookie of a display from an authority file; b"" if there is none."""
    at = 0

    def field() -> bytes:
        nonlocal at
        (long,) = struct.unpack_from(">H", raw, at)
        at += 2 + long
        return raw[at - long : at]

    with suppress(struct.error):
        while at < len(raw):
            at += 2  # the address family: any is valid on this machine
            _, display_number, name, data = field(), field(), field(), field()
            if name == COOKIE and display_number in (b"", str(number).encode()):
                return data
    return b""


class X11Client:
    """A connection to one X server."""

    def __init__(self, environ: Mapping[str, str], *, sockets: Path = Path(SOCKETS)) -> None:
        """Does not connect yet.

        Args:
            environ: environment variables with ``DISPLAY`` and ``XAUTHORITY``.
            sockets: folder of the servers' sockets.
        """
        self._number = display_number(environ.get("DISPLAY", ""))
        self._sockets = sockets
        home = environ.get("HOME", "")
        self._authority = Path(environ.get("XAUTHORITY", "") or f"{home}/.Xauthority")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._opcode = 0
        self._root = 0

    async def idle_s(self) -> float | None:
        """Returns the time since the last input; None without an answer."""
        if self._number is None:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._streams is None:
                    await self._open(self._number)
                reply = await self._ask(
                    struct.pack("<BBHI", self._opcode, QUERY_INFO, 2, self._root)
                )
        except (OSError, EOFError, TimeoutError, struct.error):
            await self.close()
            return None
        return None if reply is None else float(struct.unpack_from("<I", reply, 16)[0]) / 1_000

    async def close(self) -> None:
        """Disconnects."""
        if self._streams is not None:
            self._streams[1].close()
            with suppress(OSError, TimeoutError):
                await self._streams[1].wait_closed()
            self._streams = None

    async def _open(self, number: int) -> None:
        path = self._sockets / f"X{number}"
        reader, writer = await asyncio.open_unix_connection(str(path))
        self._streams = reader, writer
        cookie = find_cookie(_read_bytes(self._authority), number)
        name = COOKIE if cookie else b""
        head = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie))
        writer.write(head + _pad(name) + _pad(cookie))
        status, _, _, more = struct.unpack("<BxHHH", await reader.readexactly(8))
        if more * 4 > SETUP_BYTES_MAX:
            raise OSError("the setup reply is too long")
        setup = await reader.readexactly(more * 4)
        if status != 1:
            raise OSError("the display refuses this agent")
        vendor, _, _, formats = struct.unpack_from("<HHBB", setup, 16)
        (self._root,) = struct.unpack_from("<I", setup, 32 + (vendor + 3) // 4 * 4 + 8 * formats)
        request = struct.pack("<BxHHxx", QUERY_EXTENSION, 2 + len(EXTENSION) // 4, len(EXTENSION))
        reply = await self._ask(request + EXTENSION)
        if reply is None or not reply[8]:
            raise OSError("the display has no screen saver extension")
        self._opcode = reply[9]

    async def _ask(self, request: bytes) -> bytes | None:
        """Sends a request and returns its reply; skips events in between."""
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(request)
        for _ in range(ANSWERS_MAX):
            answer = await reader.readexactly(32)
            if answer[0] == REPLY:
                (more,) = struct.unpack_from("<I", answer, 4)
                await reader.readexactly(min(more * 4, SETUP_BYTES_MAX))
                return answer
            if answer[0] == ERROR:
                return None
        raise OSError("the server does not reply")


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def has_display(environ: Mapping[str, str] = os.environ) -> bool:
    """Tells whether there is an X11 display of this machine."""
    return display_number(environ.get("DISPLAY", "")) is not None
