"""Linux: the idle detector of its sessions, desktops and terminals.

Input: the desktop's services over D-Bus, Wayland, X11, and the terminals. Output: ``Activity``.
Only Linux loads this module: the library for D-Bus is installed nowhere else.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from math import inf

import psutil
from dbus_fast import BusType

from entraide_node.idle_detection import terminals
from entraide_node.idle_detection.activity import RECENT_INPUT_S, Activity
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
