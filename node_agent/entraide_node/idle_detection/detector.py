"""Idle detectors: one per operating system, each combining the sources of its system.

Input: desktop services, terminals and system commands. Output: ``Activity``. The machine is in use
if any session or terminal of it is. If a desktop exists but cannot be asked, the result is "cannot
be detected", unless a terminal was used within ``RECENT_INPUT_S``.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf

import psutil
from dbus_fast import BusType

from entraide_node.idle_detection import macos, terminals, windows
from entraide_node.idle_detection.activity import Activity
from entraide_node.idle_detection.desktop import (
    DBusConnection,
    DesktopClient,
    LoginSession,
    find_session_address,
)
from entraide_node.idle_detection.wayland import WaylandClient, find_sockets
from entraide_node.idle_detection.x11 import X11Client, has_display

SESSIONS_EVERY_S = 5.0
WATCHING_EVERY_S = 5.0
COMMAND_EVERY_S = 2.0
COMMAND_TIMEOUT_S = 5.0
CommandRunner = Callable[[Sequence[str]], Awaitable[str]]

RECENT_INPUT_S = 300.0  # terminal input this recent proves presence, even if a desktop is unknown


class LinuxIdleDetector:
    """Sessions, desktops and terminals of a Linux machine."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        system_bus: str | None = None,
        places: Sequence[tuple[str, str]] = terminals.LINUX,
    ) -> None:
        """Does not connect yet.

        Args:
            environ: environment variables with the session's addresses.
            system_bus: address of the system bus; None for the default one.
            places: folders of terminals, with patterns.
        """
        self._environ = environ
        self._places = places
        address = find_session_address(environ)
        session = None if address is None else DBusConnection(BusType.SESSION, address)
        self._desktop = DesktopClient(session, DBusConnection(BusType.SYSTEM, system_bus))
        self._wayland = WaylandClient(environ)
        self._x11 = X11Client(environ)
        self._boot_at = psutil.boot_time()
        self._sessions: list[LoginSession] = []
        self._watching = False
        self._asked_sessions_s = self._asked_watching_s = -inf

    async def detect(self) -> Activity:
        """Returns the current activity."""
        now, now_s = time.time(), time.monotonic()
        typed_s = await asyncio.to_thread(
            terminals.idle_s, self._places, now=now, boot_at=self._boot_at
        )
        if now_s - self._asked_sessions_s >= SESSIONS_EVERY_S:
            self._asked_sessions_s = now_s
            self._sessions = await self._desktop.list_sessions(now=now)
        own = await self._own_desktop(now_s)
        graphical = [session for session in self._sessions if session.graphical and session.active]
        others = [session for session in graphical if own is None or session.uid != os.getuid()]
        answers = ([own] if own is not None else []) + [
            (session.idle_s, "logind") for session in others
        ]
        if not answers:
            return self._detect_without_desktop(typed_s)
        if any(idle_s is None for idle_s, _ in answers) and typed_s >= RECENT_INPUT_S:
            return Activity(None)
        known = [(idle_s, how) for idle_s, how in answers if idle_s is not None]
        idle_s, how = min([*known, (typed_s, "terminals")])
        if own is not None and await self._screen_on(now_s):
            return Activity(0.0, how, watching=True)
        return Activity(idle_s, how)

    def _detect_without_desktop(self, typed_s: float) -> Activity:
        """Activity without an answer of a desktop: there is none, or it cannot be asked."""
        desktop = has_display(self._environ) or bool(find_sockets(self._environ))
        if desktop and typed_s >= RECENT_INPUT_S:
            return Activity(None)
        return Activity(typed_s, "terminals")

    async def _own_desktop(self, now_s: float) -> tuple[float, str] | None:
        """Returns the idle time of this user's own desktop, and its source."""
        idle_s = await self._wayland.idle_s()
        if idle_s is not None:
            return idle_s, "wayland"
        idle_s = await self._desktop.mutter_idle_s()
        if idle_s is not None:
            return idle_s, "mutter"
        if not find_sockets(self._environ):  # under Wayland, X11 sees input of its own windows only
            idle_s = await self._x11.idle_s()
            if idle_s is not None:
                return idle_s, "x11"
        idle_s = await self._desktop.screensaver_idle_s(now=now_s)
        return None if idle_s is None else (idle_s, "screensaver")

    async def _screen_on(self, now_s: float) -> bool:
        if now_s - self._asked_watching_s >= WATCHING_EVERY_S:
            self._asked_watching_s = now_s
            self._watching = await self._desktop.is_screen_kept_on()
        return self._watching

    async def close(self) -> None:
        """Closes all connections."""
        await self._wayland.close()
        await self._x11.close()
        await self._desktop.close()


async def run_command(command: Sequence[str]) -> str:
    """Returns the output of a system command; "" if it cannot be run."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode("utf-8", "replace")


class MacIdleDetector:
    """Input devices, screen and terminals of a Mac."""

    def __init__(self, *, run: CommandRunner | None = None) -> None:
        """Runs nothing yet.

        Args:
            run: runs a command; None for the system's own.
        """
        self._run = run or run_command
        self._last_reading: tuple[float, float | None] = (-inf, None)
        self._watching = False
        self._asked_watching_s = -inf
        self._boot_at = psutil.boot_time()

    async def detect(self) -> Activity:
        """Returns the current activity."""
        now_s = time.monotonic()
        asked_s, idle_s = self._last_reading
        if now_s - asked_s >= COMMAND_EVERY_S:
            idle_s = macos.parse_idle_s(await self._run(macos.IDLE_COMMAND))
            asked_s, self._last_reading = now_s, (now_s, idle_s)
        if now_s - self._asked_watching_s >= WATCHING_EVERY_S:
            self._asked_watching_s = now_s
            self._watching = macos.is_screen_kept_on(await self._run(macos.SCREEN_COMMAND))
        typed_s = terminals.idle_s(terminals.MACOS, now=time.time(), boot_at=self._boot_at)
        if idle_s is None:
            return Activity(typed_s, "terminals") if typed_s < RECENT_INPUT_S else Activity(None)
        if self._watching:
            return Activity(0.0, "macos", watching=True)
        idle_s, how = min((idle_s + now_s - asked_s, "macos"), (typed_s, "terminals"))
        return Activity(idle_s, how)

    async def close(self) -> None:
        """Has nothing to close."""


class WindowsIdleDetector:
    """The last input of a Windows machine."""

    async def detect(self) -> Activity:
        """Returns the current activity."""
        return Activity(windows.idle_s(), "windows")

    async def close(self) -> None:
        """Has nothing to close."""


IdleDetector = LinuxIdleDetector | MacIdleDetector | WindowsIdleDetector


def make_detector() -> IdleDetector:
    """Returns the idle detector of this system."""
    if sys.platform == "darwin":
        return MacIdleDetector()
    if sys.platform == "win32":
        return WindowsIdleDetector()
    return LinuxIdleDetector(os.environ)
