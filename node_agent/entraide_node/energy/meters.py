"""Power meters of a machine, best first.

Input: the configuration and the machine's counters. Output: meters in this order: a smart plug that
the owner named (whole machine, at the wall), the machine's own counters, the telemetry of a
portable Mac. Without a meter, the device catalogue is used. ``core.meter_health`` decides whether a
reading is accepted.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from entraide_node.energy.counters import (
    CounterReading,
    EnergyCounter,
    NvmlCounter,
    RaplCounter,
    energy_between_j,
)
from entraide_node.energy.mac_power import mac_power_w
from entraide_node.energy.source_config import SourceConfig
from entraide_node.energy.source_factory import make_source
from entraide_node.energy.source_values import NOT_YET, UNAVAILABLE, MissingValue, ValueSource

STALE_S = 60.0  # age from which a plug's value is not used
FIRST_VALUE_S = 60.0  # time that a plug has to send its first value
READ_INTERVAL_MIN_S = 0.05  # readings of a counter closer than this are imprecise


class PowerReading(Struct, frozen=True):
    """A meter's reading.

    Attributes:
        power_w: mean power since the last reading, or the current power of a meter that does not
            count; None if there is no new value, or if ``fault`` is set.
        fault: stable code of why there is no value, or "".
    """

    power_w: float | None
    fault: str = ""


class PowerMeter(Protocol):
    """A meter of a machine's power."""

    @property
    def kind(self) -> str:
        """Its kind; the message catalogue has its name under ``meter-KIND``."""

    async def read(self) -> PowerReading:
        """Reads the meter once."""

    async def close(self) -> None:
        """Releases its resources."""


class CounterMeter:
    """The sum of the counters of the machine's components."""

    def __init__(
        self, counters: tuple[EnergyCounter, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.kind = "_".join(counter.kind for counter in counters)
        self._counters = counters
        self._clock = clock
        self._previous: tuple[float, tuple[CounterReading, ...]] | None = None

    async def read(self) -> PowerReading:
        """Returns the mean power since the last reading."""
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        """Closes each counter."""
        for counter in self._counters:
            counter.close()

    def _read(self) -> PowerReading:
        previous, counts = self._previous, []
        for counter in self._counters:
            count = counter.count()
            if isinstance(count, str):
                self._previous = None
                return PowerReading(None, count)
            counts.append(count)
        now_s = self._clock()
        if previous is not None and now_s - previous[0] < READ_INTERVAL_MIN_S:
            return PowerReading(None)
        self._previous = now_s, tuple(counts)
        if previous is None:
            return PowerReading(None)
        pairs = zip(previous[1], counts, strict=True)
        return PowerReading(
            sum(energy_between_j(old, new) for old, new in pairs) / (now_s - previous[0])
        )


class PlugMeter:
    """A device of the owner that reports power: a smart plug, or a sensor of Home Assistant."""

    def __init__(self, source: ValueSource, now: Callable[[], float] = time.time) -> None:
        self.kind = f"plug_{source.kind}"
        self._source = source
        self._now = now
        self._value_at = 0.0
        self._asked_at: float | None = None

    async def read(self) -> PowerReading:
        """Returns its newest value once; a value that was returned before is not new."""
        value, now = await self._source.read(), self._now()
        if self._asked_at is None:
            self._asked_at = now
        if isinstance(value, MissingValue):
            waiting = value.fault == NOT_YET and now - self._asked_at < FIRST_VALUE_S
            return PowerReading(None, "" if waiting else value.fault)
        if now - value.at > STALE_S:
            return PowerReading(None, UNAVAILABLE)
        if value.at <= self._value_at:
            return PowerReading(None)
        self._value_at = value.at
        return PowerReading(value.number)

    async def close(self) -> None:
        """Closes its connection."""
        await self._source.close()


class MacMeter:
    """The battery controller of a portable Mac."""

    kind = "mac"

    async def read(self) -> PowerReading:
        """Reads the registry."""
        power_w = await asyncio.to_thread(mac_power_w)
        return PowerReading(power_w, "" if power_w is not None else UNAVAILABLE)

    async def close(self) -> None:
        """Has nothing to release."""


async def find_meters(
    plug: SourceConfig | None, *, counters: bool, gpu: bool, folder: Path
) -> tuple[PowerMeter, ...]:
    """Returns the meters of this machine, best first.

    Args:
        plug: configuration of a smart plug.
        counters: whether the machine's own counters may be read.
        gpu: whether the engine may use a graphics card. Counters are used only if they cover the
            component that computes.
        folder: the agent's folder.
    """
    meters: list[PowerMeter] = []
    if plug is not None:
        meters.append(PlugMeter(make_source(plug, role="meter", folder=folder)))
    if counters:
        meters += await asyncio.to_thread(_find_own_meters, gpu=gpu)
    return tuple(meters)


def _find_own_meters(*, gpu: bool) -> list[PowerMeter]:
    rapl = RaplCounter()
    readable = bool(rapl) and not isinstance(rapl.count(), str)
    if gpu:
        nvml = NvmlCounter()
        if nvml:
            parts: tuple[EnergyCounter, ...] = (nvml, rapl) if readable else (nvml,)
            return [CounterMeter(parts)]
        nvml.close()
    if rapl:  # an unreadable counter stays in the list, so that the status can report it
        return [CounterMeter((rapl,))]
    return [MacMeter()] if mac_power_w() is not None else []
