"""Counter trial: the machine's energy meters against a stopwatch, and the machine when idle.

Input: the machine's own counters. Output: how often each one changes, how long a reading takes, and
its mean power over the idle time. A counter counts joules, so its mean power is the counted energy
divided by the time of our own clock; a meter that shows power is averaged over the same time.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from statistics import fmean, median
from typing import Literal

import psutil
import pynvml

from entraide_node.energy.counters import (
    NOT_ALLOWED,
    CounterReading,
    EnergyCounter,
    NvmlCounter,
    RaplCounter,
    energy_between_j,
)
from entraide_node.energy.mac_power import mac_power_w
from entraide_node.machine_probes import max_temperature_c
from entraide_node.selftest.report import IdleTrial, MeterFault, MeterTrial

POLL_S = 3.0  # of reading a counter as fast as possible
POLL_READINGS_MAX = 100_000  # in that time
PAUSE_S = 0.0005  # between two such readings
GAUGE_INTERVAL_S = 1.0

Clock = Callable[[], float]


class CounterTrial:
    """The trial of one counter, over the idle time."""

    def __init__(
        self, kind: Literal["rapl", "nvml"], counter: EnergyCounter, *, clock: Clock
    ) -> None:
        """Reads nothing yet."""
        self._kind: Literal["rapl", "nvml"] = kind
        self._counter = counter
        self._clock = clock
        self._first: tuple[float, CounterReading] | None = None
        self._fault: MeterFault = ""
        self._changes_s: list[float] = []
        self._readings = 0
        self._took_s = 0.0
        self._gauge_w: list[float] = []

    def poll(self) -> None:
        """Reads the counter as fast as possible for ``POLL_S``. Blocks."""
        started_s = now_s = self._clock()
        previous: CounterReading | None = None
        while now_s - started_s < POLL_S and self._readings < POLL_READINGS_MAX:
            reading = self._read()
            if reading is None:
                return
            done_s = self._clock()
            self._took_s += done_s - now_s
            self._readings += 1
            if previous is not None and reading.parts_j != previous.parts_j:
                self._changes_s.append(done_s)
            previous = reading
            time.sleep(PAUSE_S)
            now_s = self._clock()
        if not self._changes_s:
            self._fault = "still"

    def start(self) -> None:
        """Begins the idle time."""
        reading = self._read()
        if reading is not None:
            self._first = self._clock(), reading

    def sample(self) -> None:
        """Reads the power that the meter shows directly, if it shows one."""
        if self._kind == "nvml" and (shown_w := read_nvml_power_w()) is not None:
            self._gauge_w.append(shown_w)

    def finish(self) -> MeterTrial:
        """Ends the idle time; returns the result."""
        idle_w, reading = None, self._read()
        if reading is not None and self._first is not None:
            passed_s = self._clock() - self._first[0]
            energy_j = energy_between_j(self._first[1], reading)
            if passed_s > 0.0 and energy_j >= 0.0:
                idle_w = energy_j / passed_s
        gaps_s = [
            after - before
            for before, after in zip(self._changes_s, self._changes_s[1:], strict=False)
        ]
        return MeterTrial(
            kind=self._kind,
            fault=self._fault,
            parts=len(reading.parts_j) if reading is not None else 0,
            changes=len(self._changes_s),
            update_ms=round(1e3 * median(gaps_s), 3) if gaps_s else None,
            read_ms=round(1e3 * self._took_s / self._readings, 3) if self._readings else 0.0,
            idle_w=_rounded(idle_w),
            gauge_w=_rounded(fmean(self._gauge_w)) if self._gauge_w else None,
        )

    def _read(self) -> CounterReading | None:
        reading = self._counter.count()
        if isinstance(reading, CounterReading):
            return reading
        self._fault = "not_allowed" if reading == NOT_ALLOWED else "gone"
        return None


async def try_meters(
    *, idle_s: float, clock: Clock = time.monotonic
) -> tuple[tuple[MeterTrial, ...], IdleTrial]:
    """Tries the machine's meters, and leaves the machine idle.

    Args:
        idle_s: duration of the idle time.
        clock: monotonic, seconds.
    """
    rapl, nvml = RaplCounter(), NvmlCounter()
    try:
        trials = [CounterTrial("rapl", rapl, clock=clock)] if rapl else []
        trials += [CounterTrial("nvml", nvml, clock=clock)] if nvml else []
        for trial in trials:
            await asyncio.to_thread(trial.poll)
        mac_w: list[float] = []
        psutil.cpu_percent()
        started_s = clock()
        for trial in trials:
            trial.start()
        while clock() - started_s < idle_s:
            await asyncio.sleep(min(GAUGE_INTERVAL_S, idle_s))
            for trial in trials:
                trial.sample()
            if (shown_w := await asyncio.to_thread(mac_power_w)) is not None:
                mac_w.append(shown_w)
        meters = [trial.finish() for trial in trials]
    finally:
        nvml.close()
    if mac_w:
        meters.append(MeterTrial(kind="mac", parts=1, gauge_w=_rounded(fmean(mac_w))))
    idle = IdleTrial(
        took_s=round(clock() - started_s, 1),
        load_percent=round(min(100.0, max(0.0, psutil.cpu_percent())), 1),
        temperature_c=read_temperature_c(),
    )
    return tuple(meters), idle


def read_temperature_c() -> float | None:
    """Returns the processor's temperature; None if it cannot be read."""
    sensors = getattr(psutil, "sensors_temperatures", None)  # not every system has it
    return max_temperature_c(sensors()) if sensors is not None else None


def read_nvml_power_w() -> float | None:
    """Returns the power that NVIDIA's driver shows for all cards now; None without one."""
    with contextlib.suppress(pynvml.NVMLError):
        count = pynvml.nvmlDeviceGetCount()
        handles = (pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(count))
        return sum(float(pynvml.nvmlDeviceGetPowerUsage(handle)) / 1e3 for handle in handles)
    return None


def _rounded(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w, 2)
