"""Surroundings: what the system offers around an engine: service, sleep, sandbox, battery, heat.

Input: the system's answers, which change nothing: the lock against sleep is taken and let go at
once, no machine is put to sleep, and no service is installed. Output: structs of the report.
"""

import sys
from collections.abc import Mapping
from typing import Literal, get_args

import psutil

from entraide.process_sandbox import find_sandbox_problem, landlock_version
from entraide.system_service.manager import find_manager
from entraide_node.idle_detection import macos
from entraide_node.selftest.excerpts import HEAT
from entraide_node.selftest.report import BatteryFacts, SandboxFacts, ServiceFacts, SleepFacts
from entraide_node.sleep_inhibitor import system_lock

WAKE_CARDS_MAX = 64
WAKE_ALARM = "/sys/class/rtc/rtc0/wakealarm"
SECCOMP = "/proc/sys/kernel/seccomp/actions_avail"
NETWORK_WAKE = "/sys/class/net/*/device/power/wakeup"

CanSleep = Literal["", "yes", "no", "challenge", "na"]
Problem = Literal["", "system", "processor", "landlock"]


def read_service() -> ServiceFacts:
    """Returns what would run the agent as a service of this account. Blocks."""
    manager = find_manager()
    if manager is None:
        return ServiceFacts(manager="none")
    kind: Literal["systemd", "launchd"] = "launchd" if manager.kind == "launchd" else "systemd"
    return ServiceFacts(manager=kind, needs_linger=manager.needs_linger())


async def read_sleep(files: Mapping[str, str]) -> SleepFacts:
    """Returns what the system offers for sleep and wake.

    Args:
        files: text of the system's files, with those of ``NETWORK_WAKE``.
    """
    take, lock = system_lock(), None
    if take is not None:
        lock = await take()
        if lock is not None:
            await lock.release()
    kind: Literal["logind", "caffeinate"] = "caffeinate" if sys.platform == "darwin" else "logind"
    wakes = [path for path in files if path.startswith("/sys/class/net/")]
    return SleepFacts(
        lock=kind if lock is not None else "none",
        can_sleep=await _ask_can_sleep(),
        wake_timer=WAKE_ALARM in files,
        wake_network=min(WAKE_CARDS_MAX, sum(files[path].strip() == "enabled" for path in wakes)),
    )


def read_sandbox(files: Mapping[str, str]) -> SandboxFacts:
    """Returns what engines can be closed in by on this machine."""
    code = find_sandbox_problem()
    problem: Problem = next(word for word in get_args(Problem) if word == code)
    return SandboxFacts(
        problem=problem, landlock=landlock_version(), seccomp="errno" in files.get(SECCOMP, "")
    )


def read_battery() -> BatteryFacts | None:
    """Returns the battery's state; None without one."""
    sensors = getattr(psutil, "sensors_battery", None)  # not every system has it
    state = sensors() if sensors is not None else None
    if state is None:
        return None
    percent = round(min(100.0, max(0.0, float(state.percent))), 1)
    return BatteryFacts(charge_percent=percent, plugged=state.power_plugged)


def read_throttled(commands: Mapping[str, str]) -> bool | None:
    """Tells whether a Mac slows down for heat; None for another system."""
    return macos.is_throttled(commands.get(HEAT, "")) if sys.platform == "darwin" else None


async def _ask_can_sleep() -> CanSleep:
    if sys.platform != "linux":
        return ""
    from dbus_fast import BusType  # noqa: PLC0415  (installed on Linux only)

    from entraide_node.idle_detection.desktop import (  # noqa: PLC0415
        LOGIND,
        LOGIND_PATH,
        DBusConnection,
    )

    connection = DBusConnection(BusType.SYSTEM, None)
    try:
        reply = await connection.call(LOGIND, LOGIND_PATH, f"{LOGIND}.Manager", "CanSuspend")
    finally:
        await connection.close()
    said = reply[0] if reply else ""
    return next((word for word in get_args(CanSleep) if word == said), "")
