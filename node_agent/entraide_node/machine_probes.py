"""Machine probes: battery, temperature, load, memory and programs of this machine.

Input: the owner's terms; only values that the terms refer to are read, at most every
``READ_INTERVAL_S``. Output: ``MachineState``; a value that the system does not provide is None.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from math import inf
from typing import Any

import msgspec
import psutil

from entraide_node.core.machine_state import MachineState
from entraide_node.core.owner_terms import OwnerTerms, PresencePolicy
from entraide_node.idle_detection import macos
from entraide_node.idle_detection.activity import Activity
from entraide_node.idle_detection.detector import IdleDetector, make_detector, run_command

READ_INTERVAL_S = 5.0
HEAT_INTERVAL_S = 10.0  # on macOS, where a command is run for it
PROCESSES_MAX = 20_000

# Temperature sensors of processors; those of disks and batteries are ignored.
SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")


def max_temperature_c(sensors: Mapping[str, Iterable[Any]]) -> float | None:
    """Returns the highest processor temperature in psutil's table; None without one."""
    temperatures = [
        part.current for name in SENSORS for part in sensors.get(name, ()) if part.current
    ]
    return max(temperatures) if temperatures else None


def running_programs(programs: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """Returns the listed programs that run, in the list's order; case and ``.exe`` are ignored.

    >>> running_programs(("blender", "obs"), ["bash", "Blender.exe"])
    ('blender',)
    """
    there = {name.lower().removesuffix(".exe") for name in names}
    return tuple(name for name in programs if name.lower().removesuffix(".exe") in there)


class ForeignLoad:
    """Processor time of other programs between two readings."""

    def __init__(self) -> None:
        self._previous: tuple[float, float, float] | None = None

    def percent(self) -> float | None:
        """Returns the share of all processors that other programs used; None at the first call."""
        times = psutil.cpu_times()
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        rest = times.idle + getattr(times, "iowait", 0.0)
        now, previous = (total, rest, _own_s()), self._previous
        self._previous = now
        if previous is None or total <= previous[0]:
            return None
        passed_s = total - previous[0]
        # The time of a child that ended is lost, so the difference could be negative.
        own_s = max(0.0, now[2] - previous[2])
        others_s = passed_s - (rest - previous[1]) - own_s
        return min(100.0, max(0.0, 100.0 * others_s / passed_s))


def _own_s() -> float:
    """Returns the processor time of this process and its descendants, seconds."""
    this = psutil.Process()
    total_s = 0.0
    for process in [this, *this.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total_s += times.user + times.system
    return total_s


class _SystemReadings(msgspec.Struct, frozen=True):
    """The last readings of the system."""

    on_battery: bool = False
    charge_percent: float | None = None
    temperature_c: float | None = None
    load_percent: float | None = None
    memory_free_bytes: int | None = None
    programs: tuple[str, ...] = ()


class MachineProbes:
    """The probes of this machine.

    Attributes:
        activity: last result of idle detection.
    """

    def __init__(self, detector: IdleDetector | None = None, *, tells_load: bool = True) -> None:
        """Reads nothing yet.

        Args:
            detector: of activity; None for this system's own.
            tells_load: whether the load of other programs can be told from ours: not if an engine
                that the owner started computes for us.
        """
        self._detector = detector or make_detector()
        self._load = ForeignLoad()
        self._tells_load = tells_load
        self._readings = _SystemReadings()
        self._throttled = False
        self._last_read: tuple[OwnerTerms, float] | None = None
        self._asked_heat_s = -inf
        self.activity = Activity(inf)

    async def read_state(self, terms: OwnerTerms, *, paused: bool) -> MachineState:
        """Returns the machine's state, without the values of the site and of the agent.

        Args:
            terms: of the owner: only values that they refer to are read.
            paused: whether the owner paused the node.
        """
        now_s = time.monotonic()
        if (
            self._last_read is None
            or self._last_read[0] != terms
            or now_s - self._last_read[1] >= READ_INTERVAL_S
        ):
            self._last_read = terms, now_s
            self._readings = await asyncio.to_thread(self._read, terms)
        await self._read_heat(terms, now_s)
        if needs_presence(terms):
            self.activity = await self._detector.detect()
        local, machine = datetime.now().astimezone(), self._readings
        return MachineState(
            day=local.weekday(),
            minute=local.hour * 60 + local.minute,
            paused=paused,
            on_battery=machine.on_battery,
            charge_percent=machine.charge_percent,
            temperature_c=machine.temperature_c,
            throttled=self._throttled,
            load_percent=machine.load_percent,
            memory_free_bytes=machine.memory_free_bytes,
            programs=machine.programs,
            idle_s=self.activity.idle_s,
        )

    async def close(self) -> None:
        """Closes the idle detector."""
        await self._detector.close()

    def _read(self, terms: OwnerTerms) -> _SystemReadings:
        battery = None
        if (not terms.on_battery or terms.charge_min_percent) and hasattr(
            psutil, "sensors_battery"
        ):
            battery = psutil.sensors_battery()
        temperature_c = None
        if terms.temperature_max_c and hasattr(psutil, "sensors_temperatures"):
            temperature_c = max_temperature_c(psutil.sensors_temperatures())
        names: list[str] = []
        if terms.programs:
            for process in psutil.process_iter(["name"]):
                names.append(process.info["name"] or "")
                if len(names) >= PROCESSES_MAX:
                    break
        load = terms.load_max_percent and self._tells_load
        return _SystemReadings(
            on_battery=battery is not None and battery.power_plugged is False,
            charge_percent=None if battery is None else float(battery.percent),
            temperature_c=temperature_c,
            load_percent=self._load.percent() if load else None,
            memory_free_bytes=(
                psutil.virtual_memory().available if terms.memory_free_min_gb else None
            ),
            programs=running_programs(terms.programs, names),
        )

    async def _read_heat(self, terms: OwnerTerms, now_s: float) -> None:
        if sys.platform != "darwin" or not terms.temperature_max_c:
            self._throttled = False
        elif now_s - self._asked_heat_s >= HEAT_INTERVAL_S:
            self._asked_heat_s = now_s
            self._throttled = macos.is_throttled(await run_command(macos.HEAT_COMMAND))


def needs_presence(terms: OwnerTerms) -> bool:
    """Tells whether the owner's terms depend on presence."""
    return terms.present is not PresencePolicy.ALL or terms.caps_idle != terms.caps_present
