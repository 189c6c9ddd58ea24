"""Meters: the sources of a machine's power, best first.

It decides the order: a plug that the owner names (the whole machine, at the wall), then the
machine's own counters, then the telemetry of a portable Mac. What is behind all of them, the
hardware catalogue, is no meter. Whether a reading is believed, ``core.meter_health`` decides.
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

STALE_S = 60.0  # of a plug's word
FIRST_VALUE_S = 60.0  # until a plug that speaks by itself must have spoken
READ_INTERVAL_MIN_S = 0.05  # two looks at a counter closer than this tell nothing


class PowerReading(Struct, frozen=True):
    """What a meter says.

    Attributes:
        power_w: mean power since the last look, or now for a meter that does not count; None
            where there is nothing new, or where ``fault`` says why.
        fault: stable code of why there is none, or "".
    """

    power_w: float | None
    fault: str = ""


class PowerMeter(Protocol):
    """A source of a machine's power."""

    @property
    def kind(self) -> str:
        """Its kind; the catalogue has its name under ``meter-KIND``."""

    async def read(self) -> PowerReading:
        """Looks once."""

    async def close(self) -> None:
        """Lets go of what it holds."""


class CounterMeter:
    """Counters of the machine's parts, added up."""

    def __init__(
        self, counters: tuple[EnergyCounter, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.kind = "_".join(counter.kind for counter in counters)
        self._counters = counters
        self._clock = clock
        self._previous: tuple[float, tuple[CounterReading, ...]] | None = None

    async def read(self) -> PowerReading:
        """Returns the mean power since the last look."""
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
    """A device of the owner's that tells power: a smart plug, or a sensor of Home Assistant."""

    def __init__(self, source: ValueSource, now: Callable[[], float] = time.time) -> None:
        self.kind = f"plug_{source.kind}"
        self._source = source
        self._now = now
        self._value_at = 0.0
        self._asked_at: float | None = None

    async def read(self) -> PowerReading:
        """Returns its newest word, once; the same word again is nothing new."""
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
        """Asks the registry."""
        power_w = await asyncio.to_thread(mac_power_w)
        return PowerReading(power_w, "" if power_w is not None else UNAVAILABLE)

    async def close(self) -> None:
        """Holds nothing."""


async def find_meters(
    plug: SourceConfig | None, *, counters: bool, gpu: bool, folder: Path
) -> tuple[PowerMeter, ...]:
    """Returns the meters of this machine, best first.

    Args:
        plug: what the owner says of a plug.
        counters: whether the machine's own counters may be asked.
        gpu: whether the engine may compute on a graphics card. Counters count only where they
            cover the part that does the work.
        folder: the agent's own.
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
    if rapl:  # closed to us, it stays in line all the same, so that the status can say so
        return [CounterMeter((rapl,))]
    return [MacMeter()] if mac_power_w() is not None else []
