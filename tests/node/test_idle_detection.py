"""Presence, asked of real desktops: an X server, a Wayland compositor, a message bus, terminals."""

import asyncio
import os
import pty
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

import pytest
from dbus_fast import BusType, Variant
from tests.node import desktops

from entraide_node.idle_detection import terminals
from entraide_node.idle_detection.activity import Activity
from entraide_node.idle_detection.desktop import DBusConnection, DesktopClient, parse_session
from entraide_node.idle_detection.detector import MacIdleDetector
from entraide_node.idle_detection.linux import LinuxIdleDetector
from entraide_node.idle_detection.wayland import WaylandClient
from entraide_node.idle_detection.x11 import X11Client, find_cookie

needs_x = pytest.mark.needs("Xvfb", "xdotool")
needs_wayland = pytest.mark.needs("sway", "wtype")
needs_bus = pytest.mark.needs("dbus-daemon")

NOBODY = "unix:path=/nowhere/bus"
LOGIND, MUTTER = "org.freedesktop.login1", "org.gnome.Mutter.IdleMonitor"
SAVER, MANAGER = "org.freedesktop.ScreenSaver", "org.gnome.SessionManager"
KDE_NAMES = ("org.freedesktop.PowerManagement.Inhibit", "org.kde.Solid.PowerManagement")


async def told(look: LinuxIdleDetector, holds: Callable[[Activity], bool]) -> Activity:
    """Detects until the activity meets a condition."""
    async with asyncio.timeout(desktops.DEADLINE_S):
        while True:
            activity = await look.detect()
            if holds(activity):
                return activity
            await asyncio.sleep(0.05)


@asynccontextmanager
async def looking(
    environ: dict[str, str], tmp_path: Path, *, system_bus: str = NOBODY
) -> AsyncIterator[LinuxIdleDetector]:
    """A look at a session, whose terminals are those of a folder."""
    places = ((str(tmp_path / "pts"), "*"),)
    look = LinuxIdleDetector(environ, system_bus=system_bus, places=places)
    try:
        yield look
    finally:
        await look.close()


@needs_x
async def test_an_x_server_tells_when_a_key_was_touched(tmp_path: Path) -> None:
    """Idle time grows without input, and restarts at a key press."""
    async with desktops.x_server(tmp_path) as environ, looking(environ, tmp_path) as look:
        rested = await told(look, lambda seen: seen.idle_s is not None and seen.idle_s > 0.3)
        await desktops.say("xdotool", "key", "a", environ=environ)
        touched = await told(look, lambda seen: (seen.idle_s or inf) < (rested.idle_s or 0.0))

    assert "x11" == rested.how == touched.how


@needs_x
async def test_an_x_server_without_our_secret_tells_nothing(tmp_path: Path) -> None:
    """A refused connection is not idle time: the result is unknown."""
    async with desktops.x_server(tmp_path) as environ:
        environ["XAUTHORITY"] = str(tmp_path / "none")
        server = X11Client(environ)
        said = await server.idle_s()
        async with looking(environ, tmp_path) as look:
            activity = await look.detect()

    assert None is said
    assert Activity(None) == activity


@needs_x
async def test_an_x_server_that_goes_away_takes_nothing_with_it(tmp_path: Path) -> None:
    """When the server ends, the result is unknown and the client survives."""
    async with desktops.x_server(tmp_path) as environ:
        server = X11Client(environ)
        before = await server.idle_s()
    after = [await server.idle_s(), await server.idle_s()]

    assert before is not None
    assert [None, None] == after


@needs_wayland
async def test_a_compositor_tells_when_a_key_was_touched(tmp_path: Path) -> None:
    """The compositor notifies the begin and the end of idle time."""
    async with desktops.compositor(tmp_path) as environ, looking(environ, tmp_path) as look:
        rested = await told(look, lambda seen: (seen.idle_s or 0.0) > 1.0)
        await desktops.say("wtype", "a", environ=environ)
        touched = await told(look, lambda seen: seen.idle_s == 0.0)

    assert "wayland" == rested.how == touched.how


@needs_wayland
async def test_a_compositor_that_goes_away_takes_nothing_with_it(tmp_path: Path) -> None:
    """When the compositor ends, the result is unknown."""
    async with desktops.compositor(tmp_path) as environ:
        probe = WaylandClient(environ)
        before = await probe.idle_s()
        assert probe.listening is not None
    async with asyncio.timeout(desktops.DEADLINE_S):
        await asyncio.wait({probe.listening})
    after = await probe.idle_s()
    await probe.close()

    assert (0.0, None) == (before, after)


@needs_bus
async def test_gnome_tells_by_its_idle_monitor(tmp_path: Path) -> None:
    """Milliseconds since the last input; a video that keeps the screen on counts as presence."""
    async with desktops.message_bus(tmp_path) as address:
        environ = {"DBUS_SESSION_BUS_ADDRESS": address, "XDG_RUNTIME_DIR": str(tmp_path)}
        async with (
            desktops.serving(address, MUTTER, MANAGER) as gnome,
            looking(environ, tmp_path) as look,
        ):
            gnome.answers = {"GetIdletime": ("t", 400_000), "IsInhibited": ("b", False)}
            rested = await look.detect()
        async with (
            desktops.serving(address, MUTTER, MANAGER) as gnome,
            looking(environ, tmp_path) as look,
        ):
            gnome.answers = {"GetIdletime": ("t", 400_000), "IsInhibited": ("b", True)}
            film = await look.detect()

    assert Activity(400.0, "mutter") == rested
    assert Activity(0.0, "mutter", watching=True) == film


@needs_bus
async def test_our_own_lock_is_no_sign_of_the_owner(tmp_path: Path) -> None:
    """KDE repeats the locks of logind; ours keeps no owner there, and a film does."""
    async with (
        desktops.message_bus(tmp_path) as address,
        desktops.serving(address, *KDE_NAMES) as kde,
    ):
        desktop = DesktopClient(DBusConnection(BusType.SESSION, address), None)
        ours, film = ["Entraide", "A request is being answered"], ["mpv", "Playing a film"]
        kde.answers = {"HasInhibit": ("b", True), "ListInhibitions": ("a(ss)", [ours])}
        alone = await desktop.is_screen_kept_on()
        kde.answers["ListInhibitions"] = ("a(ss)", [ours, film])
        together = await desktop.is_screen_kept_on()
        del kde.answers["ListInhibitions"]
        unlisted = await desktop.is_screen_kept_on()
        await desktop.close()

    assert (False, True, True) == (alone, together, unlisted)


class Answering:
    """A bus whose service answers these, one after the other."""

    def __init__(self, *values: int) -> None:
        self.values = list(values)

    async def call(self, *_: object) -> list[int]:
        return [self.values.pop(0)]

    async def close(self) -> None:
        """Has nothing to let go of."""


@needs_bus
@pytest.mark.parametrize("unit", [1, 1_000])
async def test_a_screen_saver_is_believed_once_its_unit_shows(tmp_path: Path, unit: int) -> None:
    """The unit, seconds or milliseconds, follows from the growth between two answers."""
    async with desktops.message_bus(tmp_path) as address:
        environ = {"DBUS_SESSION_BUS_ADDRESS": address, "XDG_RUNTIME_DIR": str(tmp_path)}
        async with desktops.serving(address, SAVER) as kde, looking(environ, tmp_path) as look:
            kde.answers = {"GetSessionIdleTime": ("u", 100 * unit)}
            first = await look.detect()
    desktop = DesktopClient(Answering(100 * unit, 103 * unit), None)
    idle_s = [await desktop.screensaver_idle_s(now=at) for at in (0.0, 3.0)]

    assert Activity(inf, "terminals") == first
    assert [None, 103.0] == idle_s


def desktop_session(**changes: object) -> dict[str, Variant]:
    """A desktop session in the foreground of its seat, as logind reports it."""
    uid = changes.pop("uid", 4_242)
    signs = {"IdleSinceHint": "t", "IdleHint": "b", "Active": "b"}
    plain = {"Class": "user", "State": "active", "Type": "wayland", "Active": True,
             "IdleHint": False, "IdleSinceHint": 0, **changes}  # fmt: skip
    properties = {key: Variant(signs.get(key, "s"), value) for key, value in plain.items()}
    return {**properties, "User": Variant("(uo)", [uid, f"/org/freedesktop/login1/user/_{uid}"])}


@needs_bus
async def test_logind_tells_of_the_others_who_share_the_machine(tmp_path: Path) -> None:
    """An idle session reports since when; a session that is active again counts as in use."""
    since = int((time.time() - 900.0) * 1e6)
    async with (
        desktops.message_bus(tmp_path) as address,
        desktops.serving(address, LOGIND) as logind,
    ):
        environ = {"XDG_RUNTIME_DIR": str(tmp_path / "none")}
        logind.sign_in(1, **desktop_session(IdleHint=True, IdleSinceHint=since))
        async with looking(environ, tmp_path, system_bus=address) as look:
            rested = await look.detect()
        logind.sign_in(2, **desktop_session(IdleHint=False, IdleSinceHint=since))
        async with looking(environ, tmp_path, system_bus=address) as look:
            touched = await look.detect()

    assert "logind" == rested.how
    assert rested.idle_s == pytest.approx(900.0, abs=10.0)
    assert Activity(0.0, "logind") == touched


@needs_bus
async def test_a_desktop_that_tells_nobody_is_not_taken_for_rest(tmp_path: Path) -> None:
    """A session that never reported idle time is unknown; one in the background is not."""
    async with (
        desktops.message_bus(tmp_path) as address,
        desktops.serving(address, LOGIND) as logind,
    ):
        environ = {"XDG_RUNTIME_DIR": str(tmp_path / "none")}
        logind.sign_in(1, **desktop_session())
        async with looking(environ, tmp_path, system_bus=address) as look:
            unknown = await look.detect()
        logind.answers, logind.sessions = {}, {}
        logind.sign_in(1, **desktop_session(Type="tty"))
        logind.sign_in(2, **desktop_session(Class="greeter"))
        logind.sign_in(3, **desktop_session(Active=False))
        async with looking(environ, tmp_path, system_bus=address) as look:
            server = await look.detect()

    assert Activity(None) == unknown
    assert Activity(inf, "terminals") == server


def test_sessions_that_are_nobodys_are_left_out() -> None:
    """A greeter's session and one that is closing are no person's."""
    person = {"Class": "user", "State": "active", "Type": "x11", "User": [1, "/"]}

    assert parse_session(person, now=0.0) is not None
    assert None is parse_session(person | {"Class": "greeter"}, now=0.0)
    assert None is parse_session(person | {"State": "closing"}, now=0.0)


async def test_a_terminal_tells_when_somebody_typed() -> None:
    """The access time of a real terminal's file changes when input is read."""
    here, there = pty.openpty()
    try:
        path = Path(os.ttyname(there))
        places = ((str(path.parent), path.name),)
        old = time.time() - 1_000.0
        os.utime(path, (old, old))
        rested = terminals.idle_s(places, now=time.time(), boot_at=0.0)
        os.write(here, b"bonjour\n")
        os.read(there, 100)
        typed = terminals.idle_s(places, now=time.time(), boot_at=0.0)
    finally:
        os.close(here)
        os.close(there)

    assert rested == pytest.approx(1_000.0, abs=5.0)
    assert typed < 20.0  # the system rounds it down to 8 s


def test_consoles_untouched_since_the_start_are_nobodys(tmp_path: Path) -> None:
    """If no terminal was accessed since the system started, nobody is signed in."""
    console = tmp_path / "tty1"
    console.touch()
    os.utime(console, (100.0, 100.0))

    assert inf == terminals.idle_s(((str(tmp_path), "tty*"),), now=300.0, boot_at=200.0)
    assert 200.0 == terminals.idle_s(((str(tmp_path), "tty*"),), now=300.0, boot_at=50.0)
    assert inf == terminals.idle_s(((str(tmp_path / "none"), "*"),), now=300.0, boot_at=50.0)


async def test_somebody_far_away_is_there_too(tmp_path: Path) -> None:
    """Recent terminal input proves presence, even if no desktop responds."""
    (tmp_path / "pts").mkdir()
    (tmp_path / "pts/3").touch()
    environ = {"DISPLAY": ":4093", "XDG_RUNTIME_DIR": str(tmp_path)}
    async with looking(environ, tmp_path) as look:
        activity = await look.detect()

    assert "terminals" == activity.how
    assert activity.idle_s == pytest.approx(0.0, abs=20.0)


# What ioreg and pmset write on real Macs, shortened.
IOREG = """\
+-o Root  <class IORegistryEntry, id 0x100000100, retain 34>
  +-o J474sAP  <class IOPlatformExpertDevice, id 0x100000258, registered, matched, active>
    +-o IOHIDSystem  <class IOHIDSystem, id 0x1000004a8, registered, matched, active, busy 0>
        {
          "HIDIdleTime" = 412345678901
          "HIDParameters" = {"HIDIdleTimeNotUsed"=0}
          "EjectDelay" = 0
        }
"""
ASSERTIONS = """\
2026-03-04 10:11:12 -0500
Assertion status system-wide:
   BackgroundTask                 0
   PreventUserIdleDisplaySleep    {0}
   PreventUserIdleSystemSleep     1
Listed by owning process:
   pid 312(coreaudiod): [0x0000] 00:01:02 PreventUserIdleSystemSleep named: "com.apple.audio"
"""


@pytest.mark.parametrize(
    ("ioreg", "screen", "expected"),
    [
        (IOREG, ASSERTIONS.format(0), Activity(412.345678901, "macos")),
        (IOREG, ASSERTIONS.format(1), Activity(0.0, "macos", watching=True)),
        ("", "", Activity(None)),
    ],
)
async def test_a_mac_tells_by_its_own_tools(
    ioreg: str, screen: str, expected: Activity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nanoseconds since the last input, and who keeps the screen on."""
    monkeypatch.setattr(terminals, "MACOS", ())

    async def says(command: tuple[str, ...]) -> str:
        return ioreg if command[0] == "ioreg" else screen

    activity = await MacIdleDetector(run=says).detect()

    assert (expected.how, expected.watching) == (activity.how, activity.watching)
    assert expected.idle_s == pytest.approx(activity.idle_s)


def test_secrets_of_displays_are_found_by_number() -> None:
    """An authority file names the display that a secret is for; one cut short has none."""
    raw = desktops.authority(3) + desktops.authority(5)

    assert desktops.COOKIE == find_cookie(raw, 5)
    assert b"" == find_cookie(raw, 4)
    assert b"" == find_cookie(raw[:7], 3)


def test_an_agent_elsewhere_than_on_linux_does_without_the_library_for_d_bus() -> None:
    """All that an agent loads at its start loads where that library is not installed."""
    loaded = (
        "import sys; sys.modules['dbus_fast'] = None\n"
        "import entraide_node.main, entraide_node.cli, entraide_node.doctor.cli_output\n"
        "import entraide_node.page.server, entraide_node.service_commands"
    )
    ended = subprocess.run([sys.executable, "-c", loaded], check=False, capture_output=True)

    assert (0, b"") == (ended.returncode, ended.stderr)
