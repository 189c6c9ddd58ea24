"""Idle detectors: one per operating system, each combining the sources of its system.

Input: desktop services, terminals and system commands. Output: ``Activity``. The machine is in use
if any session or terminal of it is. If a desktop exists but cannot be asked, the result is "cannot
be detected", unless a terminal was used within ``RECENT_INPUT_S``.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Protocol

import psutil

from entraide_node.idle_detection import macos, terminals, windows
from entraide_node.idle_detection.activity import RECENT_INPUT_S, Activity

WATCHING_EVERY_S = 5.0
COMMAND_EVERY_S = 2.0
COMMAND_TIMEOUT_S = 5.0
CommandRunner = Callable[[Sequence[str]], Awaitable[str]]


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


class IdleDetector(Protocol):
    """Tells whether somebody uses the machine."""

    async def detect(self) -> Activity:
        """Returns the current activity."""

    async def close(self) -> None:
        """Closes all connections."""


def make_detector() -> IdleDetector:
    """Returns the idle detector of this system."""
    if sys.platform == "darwin":
        return MacIdleDetector()
    if sys.platform == "win32":
        return WindowsIdleDetector()
    # Only here: the library for D-Bus is installed on Linux only.
    from entraide_node.idle_detection.linux import LinuxIdleDetector  # noqa: PLC0415

    return LinuxIdleDetector(os.environ)
