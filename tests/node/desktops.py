"""Real desktops for the tests: an X server, a Wayland compositor, a bus with what serves there."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from dbus_fast import BusType, Message, Variant
from dbus_fast.aio import MessageBus
from tests.waiting import eventually, until_read

from entraide_node.idle_detection.desktop import LOGIND, LOGIND_PATH, DBusConnection
from entraide_node.idle_detection.wayland import find_sockets

DEADLINE_S = 20.0
XVFB = shutil.which("Xvfb")
SWAY = shutil.which("sway")
DBUS_DAEMON = shutil.which("dbus-daemon")
COOKIE = bytes(range(16))

BUS_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextlib.contextmanager
def running(command: list[str], **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, **environ},
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def authority(number: int) -> bytes:
    """An X authority file with one secret for one display."""
    fields = [b"host", str(number).encode(), b"MIT-MAGIC-COOKIE-1", COOKIE]
    packed = b"".join(struct.pack(">H", len(field)) + field for field in fields)
    return struct.pack(">H", 0xFFFF) + packed  # of any host


@contextlib.asynccontextmanager
async def x_server(folder: Path) -> AsyncIterator[dict[str, str]]:
    """A real X server that asks for a secret; yields the environment of its session."""
    secret = folder / "Xauthority"
    reader, writer = os.pipe()
    secret.write_bytes(authority(0))
    command = [str(XVFB), "-displayfd", str(writer), "-auth", str(secret), "-nolisten", "tcp"]
    process = subprocess.Popen(  # noqa: ASYNC220  (started at once; nothing waits on it)
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(writer,)
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as display_pipe:
            number = int(await asyncio.to_thread(display_pipe.readline))
        secret.write_bytes(authority(number))
        yield {"DISPLAY": f":{number}", "XAUTHORITY": str(secret), "HOME": str(folder),
               "XDG_RUNTIME_DIR": str(folder)}  # fmt: skip
    finally:
        process.terminate()
        process.wait(10)


async def say(*command: str, environ: Mapping[str, str]) -> None:
    """Runs a program to its end."""
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environ})

    assert 0 == await process.wait()


@contextlib.asynccontextmanager
async def compositor(folder: Path) -> AsyncIterator[dict[str, str]]:
    """A real Wayland compositor without a screen; yields the environment of its session."""
    config = folder / "sway.conf"
    config.write_text("xwayland disable\n")
    environ = {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    quiet = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman",
             "DISPLAY": "", "WAYLAND_DISPLAY": ""}  # fmt: skip
    with running([str(SWAY), "-c", str(config)], **environ, **quiet):
        await eventually(lambda: bool(find_sockets(environ)))
        yield {**environ, "WAYLAND_DISPLAY": find_sockets(environ)[0].name}


@contextlib.asynccontextmanager
async def message_bus(folder: Path) -> AsyncIterator[str]:
    """A private bus of a real daemon; yields its address."""
    path = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(BUS_CONFIG.format(path=path))
    command = [str(DBUS_DAEMON), f"--config-file={config}", "--nofork", "--nopidfile"]
    with running(command):
        await eventually(lambda: accepts(path))
        yield f"unix:path={path}"


def accepts(path: Path) -> bool:
    """Whether a server listens at a socket file; the file is there before it listens."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(path))
        return True
    return False


class Served:
    """What a desktop's services answer, by member; each is a signature and a value."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, Any]] = {}
        self.sessions: dict[str, dict[str, Variant]] = {}

    def handle(self, message: Message) -> Message | None:
        """Answers a call, if the test has said how."""
        if message.member == "GetAll":
            properties = self.sessions.get(message.path or "")
            return (
                None
                if properties is None
                else Message.new_method_return(message, "a{sv}", [properties])
            )
        known = self.answers.get(message.member or "")
        if known is None:
            return None
        return Message.new_method_return(message, known[0], [known[1]])

    def sign_in(self, number: int, **told: Variant) -> None:
        """Lets logind know of a session."""
        path = f"/org/freedesktop/login1/session/_3{number}"
        self.sessions[path] = told
        row = [str(number), 1_000 + number, f"person-{number}", "seat0", path]
        listed = self.answers.get("ListSessions", ("a(susso)", []))[1]
        self.answers["ListSessions"] = ("a(susso)", [*listed, row])


@contextlib.asynccontextmanager
async def serving(address: str, *names: str) -> AsyncIterator[Served]:
    """Services on a bus, under the names of the real ones."""
    bus = await MessageBus(address, bus_type=BusType.SESSION).connect()
    served = Served()
    bus.add_message_handler(served.handle)
    for name in names:
        await bus.request_name(name)
    try:
        yield served
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()


LOGIND_PROGRAM = Path("/usr/lib/systemd/systemd-logind")
# It writes below /run, so it gets one of its own, and no right over the machine.
LOGIND_SETUP = (
    "mount -t tmpfs none /run && mkdir -p /run/systemd/seats /run/systemd/users"
    f" /run/systemd/sessions /run/systemd/inhibit && exec {LOGIND_PROGRAM}"
)


def can_have_logind() -> bool:
    """Whether a real logind can run here, in namespaces of its own: only root may ask it."""
    if not (LOGIND_PROGRAM.exists() and DBUS_DAEMON and shutil.which("unshare")):
        return False
    tried = subprocess.run(
        ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/run"], check=False,
        capture_output=True,
    )  # fmt: skip
    return os.geteuid() == 0 and tried.returncode == 0


@contextlib.asynccontextmanager
async def logind(address: str) -> AsyncIterator[DBusConnection]:
    """A real logind on a bus; yields a connection to that bus."""
    bus = DBusConnection(BusType.SYSTEM, address)
    command = ["unshare", "-Urm", "sh", "-c", LOGIND_SETUP]
    with running(command, DBUS_SYSTEM_BUS_ADDRESS=address):
        try:
            await until_read(lambda: locks(bus), lambda listed: listed is not None)
            yield bus
        finally:
            await bus.close()


async def locks(bus: DBusConnection) -> list[tuple[str, str, str]] | None:
    """The locks that logind lists, as (what, who, mode); None while it does not answer."""
    reply = await bus.call(LOGIND, LOGIND_PATH, f"{LOGIND}.Manager", "ListInhibitors")
    return None if reply is None else [(row[0], row[1], row[3]) for row in reply[0]]
