"""Power sampler: reads the machine's power, about once a second while jobs run.

Input: the meters, best first, and the begin and end of jobs. Output: the energy of each job through
``core.energy_allocation``, and the machine's power. The first meter that is not suspended
(``core.meter_health``) is read; if all are suspended, the device catalogue is used. Each change of
meter is logged and is in the node's status.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog
from msgspec import Struct

from entraide.types import Basis, Power
from entraide_node.core.energy_allocation import EnergyAllocator, JobEnergy
from entraide_node.core.meter_health import MeterHealth, added_power_min_w, power_limit_w
from entraide_node.energy.meters import PowerMeter, PowerReading
from entraide_node.energy.source_values import UNREADABLE

BUSY_INTERVAL_S = 1.0
IDLE_INTERVAL_S = 5.0
POWER_CHANGE = 0.15  # relative change of idle or active power that is advertised


class PowerStatus(Struct, frozen=True):
    """The machine's power, for the status.

    Attributes:
        kind: of the meter in use, or ``catalogue``.
        power_w: its last reading, watts; None without one.
        basis: of the energy figures now.
        aside: kind of a better meter that is suspended, or "".
        fault: why it is suspended.
        idle_w, active_w: power of the whole machine without and with jobs, watts; 0.0 if unknown.
    """

    kind: str = "catalogue"
    power_w: float | None = None
    basis: Basis = Basis.DEFAULT
    aside: str = ""
    fault: str = ""
    idle_w: float = 0.0
    active_w: float = 0.0


class PowerSampler:
    """Allocates a machine's energy to its jobs, with the readings of its meters."""

    def __init__(
        self,
        power: Power,
        meters: tuple[PowerMeter, ...] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads nothing yet.

        Args:
            power: of the owner or the catalogue.
            meters: best first.
            clock: monotonic, seconds; the clock of the runs.
        """
        self._clock = clock
        self._meters = meters
        self._energy = EnergyAllocator(power, clock())
        limits_w = power_limit_w(power.active_w), added_power_min_w(power.idle_w, power.active_w)
        self._health = {meter.kind: MeterHealth(*limits_w) for meter in meters}
        self._meter_in_use = ""
        self._last_w: float | None = None
        self._advertised = power
        self._load_changed = asyncio.Event()
        self._log = structlog.get_logger("entraide.node")

    # For runs.

    def begin_job(self, job: str, at: float) -> None:
        """Begins to charge a job."""
        self._energy.begin_job(job, at)
        if self._energy.running == 1:
            self._load_changed.set()

    def note_first_token(self, job: str, at: float) -> None:
        """Ends a job's prefill."""
        self._energy.note_first_token(job, at)

    def end_job(self, job: str, at: float) -> JobEnergy:
        """Ends a job; returns its energy."""
        energy = self._energy.end_job(job, at)
        if not self._energy.running:
            self._load_changed.set()
        return energy

    # Power.

    @property
    def added_w(self) -> float:
        """Power that jobs add to the idle power now, watts."""
        return self._energy.added_w if self._energy.running else 0.0

    def power(self) -> Power:
        """Returns the machine's power for the node's card; small changes are left out."""
        now, advertised = self._energy.power, self._advertised
        if now.basis is not advertised.basis or any(
            abs(new_w - old_w) > POWER_CHANGE * max(1.0, old_w)
            for new_w, old_w in (
                (now.idle_w, advertised.idle_w),
                (now.active_w, advertised.active_w),
            )
        ):
            self._advertised = now
        return self._advertised

    def status(self) -> PowerStatus:
        """Returns the status of the machine's power."""
        aside = next((meter.kind for meter in self._meters if self._health[meter.kind].fault), "")
        return PowerStatus(
            kind=self._meter_in_use or "catalogue",
            power_w=self._last_w,
            basis=self._energy.power.basis if self._last_w is None else Basis.MEASURED,
            aside=aside,
            fault=self._health[aside].fault if aside else "",
            idle_w=self._energy.power.idle_w,
            active_w=self._energy.power.active_w,
        )

    # Sampling.

    async def run(self) -> None:
        """Samples forever: each second while jobs run, else every five, and when a job begins."""
        if not self._meters:
            await asyncio.Event().wait()  # the agent cancels it
        try:
            while True:
                await self.sample()
                is_idle_known = self._energy.idle_w is not None or not self._meter_in_use
                wait_s = (
                    IDLE_INTERVAL_S
                    if is_idle_known and not self._energy.running
                    else BUSY_INTERVAL_S
                )
                self._load_changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._load_changed.wait()
        finally:
            for meter in self._meters:
                await meter.close()

    async def sample(self) -> None:
        """Reads the best meter that is not suspended, once."""
        for meter in self._meters:
            health = self._health[meter.kind]
            if not health.is_usable(self._clock()):
                continue
            busy = self._energy.running > 0
            reading = await self._read(meter)
            at = self._clock()
            if reading.power_w is None and not reading.fault:
                self._select_meter(meter.kind, at)  # the current window continues
                return
            fault_before = health.fault
            if reading.power_w is None:
                health.add_fault(reading.fault, at)
            elif health.accept_reading(
                reading.power_w, busy=busy, idle_w=self._idle_w(meter.kind), at=at
            ):
                self._select_meter(meter.kind, at)
                self._last_w = reading.power_w
                self._energy.add_reading(reading.power_w, at)
                return
            if health.fault != fault_before:
                self._log.warning("node.meter_rejected", meter=meter.kind, fault=health.fault)
            if health.is_usable(at) and self._meter_in_use == meter.kind:
                return  # after one bad reading, the window continues
        self._select_meter("", self._clock())

    async def _read(self, meter: PowerMeter) -> PowerReading:
        try:
            return await meter.read()
        except Exception:  # noqa: BLE001  (a driver's bug must not stop the node)
            self._log.exception("node.meter_broken", meter=meter.kind)
            return PowerReading(None, UNREADABLE)

    def _idle_w(self, kind: str) -> float | None:
        return self._energy.idle_w if kind == self._meter_in_use else None

    def _select_meter(self, kind: str, at: float) -> None:
        if kind != self._meter_in_use:
            self._log.info("node.meter", meter=kind or "catalogue", before=self._meter_in_use)
            self._meter_in_use, self._last_w = kind, None
            self._energy.reset(at)
