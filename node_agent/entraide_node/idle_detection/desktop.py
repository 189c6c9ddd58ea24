"""Desktop sessions over D-Bus: GNOME's idle monitor, the screen saver, and logind's sessions.

Input: the session bus and the system bus. Output: idle times in seconds; None for an unreliable
answer. logind knows the idle state only of desktops that report it, so a session that was never
idle counts as unknown, not as in use. The screen saver's idle time is in seconds by its
specification but in milliseconds on some desktops; the unit is derived from its growth, and until
then the answer is None.
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
RETRY_S = 10.0  # wait before a missing bus is tried again
INHIBIT_IDLE = 8  # a flag of GNOME's session manager
SESSIONS_MAX = 64
GRAPHICAL = ("x11", "wayland", "mir")

LOGIND, LOGIND_PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
OUR_NAME = "Entraide"  # of our own locks, which say nothing of the owner
PROPERTIES = "org.freedesktop.DBus.Properties"


class DBusConnection:
    """A bus connection that connects when first used, and again after it was lost."""

    def __init__(
        self, kind: BusType, address: str | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Does not connect yet.

        Args:
            kind: system or session bus.
            address: of the bus; None for the default one.
            clock: monotonic, seconds.
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
        """Calls a method; None without an answer."""
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
        """Disconnects."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()


async def take_idle_lock(why: str, *, system_bus: str | None) -> int | None:
    """Takes a lock of logind against the sleep of an unused machine, over its own connection.

    Args:
        why: reason that logind lists.
        system_bus: address of the bus; None for the default one.

    Returns:
        The descriptor that holds the lock, which no child process inherits; None without one.
    """
    message = Message(
        destination=LOGIND, path=LOGIND_PATH, interface=f"{LOGIND}.Manager", member="Inhibit",
        signature="ssss", body=["idle", OUR_NAME, why, "block"],
    )  # fmt: skip
    bus: MessageBus | None = None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            bus = MessageBus(system_bus, bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
            await bus.connect()
            reply = await bus.call(message)
    except (OSError, EOFError, TimeoutError, DBusError, AuthError, InvalidAddressError):
        return None
    finally:
        if bus is not None:
            bus.disconnect()
    descriptors = list(reply.unix_fds)
    for descriptor in descriptors[1:]:
        os.close(descriptor)
    if not descriptors:
        return None
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]


def find_session_address(environ: Mapping[str, str]) -> str | None:
    """Returns the address of this user's session bus; None if there is none."""
    named = environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    usual = Path(environ.get("XDG_RUNTIME_DIR", "") or f"/run/user/{os.getuid()}") / "bus"
    return named or (f"unix:path={usual}" if usual.exists() else None)


class LoginSession(Struct, frozen=True):
    """A user's session, as logind reports it.

    Attributes:
        uid: of the user.
        graphical: whether it is a desktop.
        active: whether it is in the foreground of its seat.
        idle_s: seconds since it became idle, 0 while it is not; None if the desktop never reported
            it.
    """

    uid: int
    graphical: bool
    active: bool
    idle_s: float | None


def parse_session(properties: Mapping[str, Any], *, now: float) -> LoginSession | None:
    """Returns a session from its properties; None if it is not a user's, or is closing."""
    if properties.get("Class") != "user" or properties.get("State") == "closing":
        return None
    idle_since_at = int(properties.get("IdleSinceHint", 0)) / 1e6
    idle_s = (
        max(0.0, now - idle_since_at)
        if properties.get("IdleHint")
        else (0.0 if idle_since_at else None)
    )
    user = properties.get("User", [-1])
    return LoginSession(
        uid=int(user[0]),
        graphical=properties.get("Type") in GRAPHICAL,
        active=bool(properties.get("Active")),
        idle_s=idle_s,
    )


class DesktopClient:
    """The D-Bus services of the desktops on this machine."""

    def __init__(self, session: DBusConnection | None, system: DBusConnection | None) -> None:
        """Calls nothing yet.

        Args:
            session: this user's bus, if there is one.
            system: the system bus.
        """
        self._session = session
        self._system = system
        self._previous_answer: tuple[float, float] | None = (
            None  # the screen saver's last answer, and its time
        )
        self._unit_s = 0.0  # unit of its answers; 0 while unknown

    async def mutter_idle_s(self) -> float | None:
        """Returns the idle time of GNOME's idle monitor."""
        name = "org.gnome.Mutter.IdleMonitor"
        reply = await self._call_session(
            name, "/org/gnome/Mutter/IdleMonitor/Core", name, "GetIdletime"
        )
        return None if reply is None else int(reply[0]) / 1_000

    async def screensaver_idle_s(self, *, now: float) -> float | None:
        """Returns the idle time of the desktop's screen saver.

        Args:
            now: seconds on a monotonic clock.
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
            # Growth per second: about 1 for seconds, about 1,000 for milliseconds.
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
        return reply is not None and bool(reply[0]) and not await self._is_kept_on_by_us()

    async def _is_kept_on_by_us(self) -> bool:
        """Tells whether KDE's answer comes only from our own lock at logind, which it repeats."""
        kde = "org.kde.Solid.PowerManagement.PolicyAgent"
        path = "/org/kde/Solid/PowerManagement/PolicyAgent"
        reply = await self._call_session(
            "org.kde.Solid.PowerManagement", path, kde, "ListInhibitions"
        )
        return reply is not None and all(row[0] == OUR_NAME for row in reply[0])

    async def list_sessions(self, *, now: float) -> list[LoginSession]:
        """Returns the sessions of signed-in users; [] without logind.

        Args:
            now: seconds since the epoch.
        """
        manager = f"{LOGIND}.Manager"
        listed = await self._call_system(LOGIND, LOGIND_PATH, manager, "ListSessions")
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
        """Closes the buses."""
        for bus in (self._session, self._system):
            if bus is not None:
                await bus.close()

    async def _call_session(self, *call: Any) -> list[Any] | None:
        return None if self._session is None else await self._session.call(*call)

    async def _call_system(self, *call: Any) -> list[Any] | None:
        return None if self._system is None else await self._system.call(*call)
