"""Desktops by D-Bus: GNOME's idle monitor, the screen saver's, and what logind knows of sessions.

It decides which of their words can be believed. logind hears of rest only from desktops that tell
it, so a session that has never rested says nothing here rather than that somebody is there. The
screen saver's answer is in seconds by its specification and in milliseconds on some desktops: which
one it is shows as it grows, and until then nothing is said.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError, InvalidAddressError
from msgspec import Struct

TIMEOUT_S = 2.0
RETRY_S = 10.0  # a bus that is not there is looked for again after so long
INHIBIT_IDLE = 8  # a flag of GNOME's session manager
SESSIONS_MAX = 64
GRAPHICAL = ("x11", "wayland", "mir")

LOGIND = "org.freedesktop.login1"
PROPERTIES = "org.freedesktop.DBus.Properties"


class DBusConnection:
    """One bus, connected when it is first asked, and again after it was away."""

    def __init__(
        self, kind: BusType, address: str | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connects nothing yet.

        Args:
            kind: of the system or of the session.
            address: where it listens; None for the usual place.
            clock: seconds, never going back.
        """
        self._kind = kind
        self._address = address
        self._clock = clock
        self._bus: MessageBus | None = None
        self._absent_until_s = 0.0

    async def call(
        self, name: str, path: str, interface: str, member: str, signature: str = "",
        *body: Any,
    ) -> list[Any] | None:  # fmt: skip
        """Calls a method; None when there is no answer."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                bus = await self._connected()
                if bus is None:
                    return None
                reply = await bus.call(
                    Message(
                        destination=name, path=path, interface=interface, member=member,
                        signature=signature, body=list(body),
                    )
                )  # fmt: skip
        except (OSError, EOFError, TimeoutError, DBusError, AuthError):
            await self.close()
            return None
        if reply.message_type is not MessageType.METHOD_RETURN:
            return None
        return list(reply.body)

    async def _connected(self) -> MessageBus | None:
        if self._bus is not None and self._bus.connected:
            return self._bus
        if self._clock() < self._absent_until_s:
            return None
        self._absent_until_s = self._clock() + RETRY_S
        try:
            self._bus = MessageBus(self._address, bus_type=self._kind)
        except InvalidAddressError:
            return None
        return await self._bus.connect()

    async def close(self) -> None:
        """Lets go of the bus."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()


def find_session_address(environ: Mapping[str, str]) -> str | None:
    """Returns where this person's session bus listens; None when there is none."""
    named = environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    usual = Path(environ.get("XDG_RUNTIME_DIR", "") or f"/run/user/{os.getuid()}") / "bus"
    return named or (f"unix:path={usual}" if usual.exists() else None)


class LoginSession(Struct, frozen=True):
    """A person's session, as logind knows it.

    Attributes:
        uid: whose it is.
        graphical: whether it is a desktop.
        active: whether it is in front of its seat.
        idle_s: since when it has rested, 0 while it does not; None when the desktop never told.
    """

    uid: int
    graphical: bool
    active: bool
    idle_s: float | None


def parse_session(properties: Mapping[str, Any], *, now: float) -> LoginSession | None:
    """Returns a session from its properties; None for one that is no person's, or is closing."""
    if properties.get("Class") != "user" or properties.get("State") == "closing":
        return None
    since = int(properties.get("IdleSinceHint", 0)) / 1e6
    idle_s = max(0.0, now - since) if properties.get("IdleHint") else (0.0 if since else None)
    user = properties.get("User", [-1])
    return LoginSession(
        uid=int(user[0]),
        graphical=properties.get("Type") in GRAPHICAL,
        active=bool(properties.get("Active")),
        idle_s=idle_s,
    )


class DesktopClient:
    """What the desktops of this machine tell."""

    def __init__(self, session: DBusConnection | None, system: DBusConnection | None) -> None:
        """Asks nothing yet.

        Args:
            session: this person's bus, if there is one.
            system: the machine's.
        """
        self._session = session
        self._system = system
        self._previous_answer: tuple[float, float] | None = (
            None  # the screen saver's last answer, and when
        )
        self._unit_s = 0.0  # of its answers; 0 while that is not known

    async def mutter_idle_s(self) -> float | None:
        """Returns what GNOME's idle monitor tells."""
        name = "org.gnome.Mutter.IdleMonitor"
        reply = await self._call_session(
            name, "/org/gnome/Mutter/IdleMonitor/Core", name, "GetIdletime"
        )
        return None if reply is None else int(reply[0]) / 1_000

    async def screensaver_idle_s(self, *, now: float) -> float | None:
        """Returns what the desktop's screen saver tells.

        Args:
            now: seconds by a clock that does not go back.
        """
        name = "org.freedesktop.ScreenSaver"
        reply = await self._call_session(
            name, "/org/freedesktop/ScreenSaver", name, "GetSessionIdleTime"
        )
        if reply is None:
            return None
        value = float(reply[0])
        before, self._previous_answer = self._previous_answer, (value, now)
        if before is not None and value > before[0] and now > before[1]:
            # By its growth in a second: about 1 in seconds, about 1,000 in milliseconds.
            self._unit_s = 0.001 if (value - before[0]) / (now - before[1]) > 30.0 else 1.0
        return value * self._unit_s if self._unit_s else None

    async def is_screen_kept_on(self) -> bool:
        """Tells whether a program of this desktop keeps the screen on."""
        gnome = "org.gnome.SessionManager"
        reply = await self._call_session(
            gnome, "/org/gnome/SessionManager", gnome, "IsInhibited", "u", INHIBIT_IDLE
        )
        if reply is not None:
            return bool(reply[0])
        kde = "org.freedesktop.PowerManagement.Inhibit"
        path = "/org/freedesktop/PowerManagement/Inhibit"
        reply = await self._call_session(kde, path, kde, "HasInhibit")
        return reply is not None and bool(reply[0])

    async def list_sessions(self, *, now: float) -> list[LoginSession]:
        """Returns the sessions of people who are signed in, as far as logind is there.

        Args:
            now: seconds since the epoch.
        """
        manager = f"{LOGIND}.Manager"
        listed = await self._call_system(LOGIND, "/org/freedesktop/login1", manager, "ListSessions")
        sessions: list[LoginSession] = []
        for listed_session in (listed[0] if listed else [])[:SESSIONS_MAX]:
            reply = await self._call_system(
                LOGIND, listed_session[4], PROPERTIES, "GetAll", "s", f"{LOGIND}.Session"
            )
            if reply is None:
                continue
            plain = {
                key: value.value if isinstance(value, Variant) else value
                for key, value in reply[0].items()
            }
            session = parse_session(plain, now=now)
            if session is not None:
                sessions.append(session)
        return sessions

    async def close(self) -> None:
        """Lets go of the buses."""
        for bus in (self._session, self._system):
            if bus is not None:
                await bus.close()

    async def _call_session(self, *call: Any) -> list[Any] | None:
        return None if self._session is None else await self._session.call(*call)

    async def _call_system(self, *call: Any) -> list[Any] | None:
        return None if self._system is None else await self._system.call(*call)
