"""Sleep inhibitor: keeps the machine from falling asleep by itself while runs are active.

Input: whether the lock is wanted now. Output: on Linux an idle lock of logind, on macOS the process
``caffeinate``; nothing elsewhere. Both act on the automatic sleep of an unused machine only: the
owner's own order to sleep, and a closed lid, are obeyed as before. A killed agent holds nothing:
the kernel closes the descriptor that logind watches, and ``caffeinate -w`` ends with the agent.

Source: https://systemd.io/INHIBITOR_LOCKS and the manual page caffeinate(8).
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Protocol

import structlog

POLL_INTERVAL_S = 1.0  # the owner's terms may have changed
RETRY_S = 60.0  # wait after a lock that could not be taken
WHY = "A request is being answered"  # shown by `systemd-inhibit --list`
CAFFEINATE = "caffeinate"


class SleepLock(Protocol):
    """A lock that is held."""

    def is_held(self) -> bool:
        """Tells whether it still holds."""

    async def release(self) -> None:
        """Lets go of it."""


class DescriptorLock:
    """A lock of logind, which it keeps until the descriptor is closed."""

    def __init__(self, descriptor: int) -> None:
        """Holds the lock of a descriptor."""
        self._descriptor = descriptor

    def is_held(self) -> bool:
        """Tells whether the descriptor is open: logind keeps such a lock over its own restarts."""
        return self._descriptor >= 0

    async def release(self) -> None:
        """Closes the descriptor."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class ProcessLock:
    """A process that holds the machine awake while it lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Holds the lock of a process."""
        self._process = process

    def is_held(self) -> bool:
        """Tells whether the process lives."""
        return self._process.returncode is None

    async def release(self) -> None:
        """Ends the process."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()


TakeLock = Callable[[], Awaitable[SleepLock | None]]


async def take_logind_lock(*, system_bus: str | None = None) -> SleepLock | None:
    """Takes an idle lock of logind; None if there is no logind, or it refuses.

    Args:
        system_bus: address of the system bus; None for the default one.
    """
    # Only here: the library for D-Bus is installed on Linux only.
    from entraide_node.idle_detection.desktop import take_idle_lock  # noqa: PLC0415

    descriptor = await take_idle_lock(WHY, system_bus=system_bus)
    return None if descriptor is None else DescriptorLock(descriptor)


async def take_caffeinate_lock() -> SleepLock | None:
    """Starts ``caffeinate``, which ends with this process; None if it cannot be started."""
    try:
        process = await asyncio.create_subprocess_exec(
            CAFFEINATE, "-i", "-w", str(os.getpid()),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None
    return ProcessLock(process)


def system_lock() -> TakeLock | None:
    """Returns how this system takes a lock; None if it has none that we know."""
    if sys.platform == "darwin":
        return take_caffeinate_lock
    return take_logind_lock if sys.platform == "linux" else None


class SleepInhibitor:
    """Holds the lock while it is wanted."""

    def __init__(
        self, wanted: Callable[[], bool], *, take: TakeLock | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Holds nothing yet.

        Args:
            wanted: tells whether the machine must stay awake now.
            take: takes a lock; None where the system has none.
            clock: monotonic, seconds.
        """
        self._wanted = wanted
        self._take = take
        self._clock = clock
        self._changed = asyncio.Event()
        self._lock: SleepLock | None = None
        self._failed_until_s = -inf
        self._log = structlog.get_logger("entraide.node")

    def wake(self) -> None:
        """Asks ``wanted`` again at once."""
        self._changed.set()

    async def run(self) -> None:
        """Takes and releases the lock for as long as the agent lives."""
        try:
            while True:
                self._changed.clear()
                await self._follow()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await self._changed.wait()
        finally:
            await self._release()

    async def _follow(self) -> None:
        if not self._wanted():
            await self._release()
            return
        if self._lock is not None and self._lock.is_held():
            return
        if self._take is None or self._clock() < self._failed_until_s:
            return
        self._lock = await self._take()
        if self._lock is None:
            self._failed_until_s = self._clock() + RETRY_S
            self._log.info("node.sleep_lock_unavailable", retry_s=RETRY_S)
        else:
            self._log.info("node.kept_awake")

    async def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            await lock.release()
            self._log.info("node.may_sleep")
