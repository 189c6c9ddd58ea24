"""Site meters: reads the meters of a site every few seconds, and advertises their surplus.

Input: the configured meters and the power that the node's jobs add. Output: ``EnergyStatus`` with
the surplus of ``core.site_surplus``. A new surplus is advertised only if it differs by
``CHANGE_PART`` and ``CHANGE_W``, or if half of its validity has passed. If the meters give no
surplus, the owner's declaration is used, else none.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from msgspec import Struct

from entraide.types import Basis, EnergyStatus
from entraide_node.config import EnergyConfig
from entraide_node.core.meter_health import TOO_HIGH
from entraide_node.core.site_surplus import SiteReadings, Surplus, compute_surplus
from entraide_node.energy.source_factory import make_source
from entraide_node.energy.source_values import (
    UNAVAILABLE,
    UNREADABLE,
    MissingValue,
    SourceValue,
    ValueSource,
)

CHANGE_PART, CHANGE_W = 0.05, 20.0  # a smaller change of the surplus is not advertised
ASK_TIMEOUT_S = 10.0
POWER_MAX_W = 1e9


class SiteStatus(Struct, frozen=True):
    """The site's meters, for the status.

    Attributes:
        surplus_w: the advertised surplus; None if the meters give none.
        basis: of the surplus.
        kinds: kinds of the meters behind it, joined by plus signs.
        age_s: age of its oldest value.
        role: table name of a meter without a value, or "".
        fault: why it has none.
    """

    surplus_w: float | None = None
    basis: Basis = Basis.DEFAULT
    kinds: str = ""
    age_s: float = 0.0
    role: str = ""
    fault: str = ""


class SiteMeters:
    """The meters of one site."""

    def __init__(
        self,
        config: EnergyConfig | None,
        folder: Path,
        *,
        added_w: Callable[[], float] = lambda: 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Reads nothing yet.

        Args:
            config: of the meters.
            folder: base of relative paths.
            added_w: returns the power that this node's jobs add to the site's consumption.
            now: returns seconds since the epoch.
        """
        self._config = config or EnergyConfig()
        self._sources: Mapping[str, ValueSource] = {
            role: make_source(source, role=role, folder=folder)
            for role, source in self._config.sources.items()
        }
        self._added_w = added_w
        self._now = now
        self._values: dict[str, SourceValue] = {}
        self._faults: dict[str, str] = dict.fromkeys(self._sources, UNAVAILABLE)
        self._advertised: EnergyStatus | None = None
        self._log = structlog.get_logger("entraide.node")

    async def run(self) -> None:
        """Reads the meters forever."""
        if not self._sources:
            await asyncio.Event().wait()  # the agent cancels it
        try:
            while True:
                await self.poll()
                await asyncio.sleep(self._config.every_s)
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes each meter."""
        for source in self._sources.values():
            await source.close()

    async def poll(self) -> None:
        """Reads all meters once, concurrently."""
        await asyncio.gather(*(self._read_source(role) for role in self._sources))

    async def _read_source(self, role: str) -> None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                answer = await self._sources[role].read()
        except TimeoutError:
            answer = MissingValue(UNAVAILABLE, "no answer")
        except Exception:  # noqa: BLE001  (a driver's bug must not stop the node)
            self._log.exception("node.site_meter_broken", role=role)
            answer = MissingValue(UNREADABLE)
        if isinstance(answer, SourceValue) and abs(answer.number) > POWER_MAX_W:
            answer = MissingValue(TOO_HIGH)
        fault = answer.fault if isinstance(answer, MissingValue) else ""
        if isinstance(answer, SourceValue):
            self._values[role] = answer
        if fault != self._faults[role]:
            self._log.info("node.site_meter", role=role, fault=fault)
        self._faults[role] = fault

    def current_status(self, now: float) -> EnergyStatus | None:
        """Returns what to advertise at a time; None if the meters give no surplus."""
        surplus = self._surplus(now)
        if surplus is None:
            self._advertised = None
            return None
        old, oldest = self._advertised, self._oldest_at(now)
        if old is None or old.basis is not surplus.basis or self._has_changed(old, surplus, now):
            self._advertised = EnergyStatus(
                surplus_w=round(surplus.surplus_w, 1),
                basis=surplus.basis,
                evidence=", ".join(self._kinds(now)),
                measured_at=oldest,
                expires_at=oldest + self._config.stale_s,
            )
        return self._advertised

    def status(self) -> SiteStatus:
        """Returns the status of the site's meters."""
        now = self._now()
        status = self.current_status(now)
        silent = next((role for role in self._sources if self._value(role, now) is None), "")
        return SiteStatus(
            surplus_w=status.surplus_w if status is not None else None,
            basis=status.basis if status is not None else Basis.DEFAULT,
            kinds="+".join(self._kinds(now)),
            age_s=max(0.0, now - self._oldest_at(now)),
            role=silent,
            fault=(self._faults[silent] or UNAVAILABLE) if silent else "",
        )

    def _has_changed(self, old: EnergyStatus, surplus: Surplus, now: float) -> bool:
        """Whether a new surplus must be advertised."""
        if now >= old.expires_at - self._config.stale_s / 2:
            return True
        change_w = abs(surplus.surplus_w - old.surplus_w)
        vanished = (surplus.surplus_w <= 0.0) is not (old.surplus_w <= 0.0)
        return vanished or change_w > max(CHANGE_W, CHANGE_PART * old.surplus_w)

    def _surplus(self, now: float) -> Surplus | None:
        if not self._sources:
            return None
        value = {role: self._value(role, now) for role in self._sources}
        declared_use = self._config.own_use_w
        if "battery" in value and value["battery"] is None:
            return None  # the battery may be taking the whole surplus
        readings = SiteReadings(
            surplus_w=value.get("surplus"),
            generation_w=value.get("generation"),
            use_w=value.get("use") if declared_use is None else declared_use,
            use_basis=Basis.MEASURED if declared_use is None else Basis.DECLARED,
            grid_w=value.get("grid"),
            battery_w=value.get("battery"),
            battery_percent=value.get("charge"),
            enough_percent=self._config.charge_enough_percent,
            battery_gives_w=self._config.battery_gives_w,
            floor_percent=self._config.charge_floor_percent,
        )
        return compute_surplus(readings, added_w=self._added_w())

    def _value(self, role: str, now: float) -> float | None:
        value = self._values.get(role)
        fresh = value is not None and now - value.at <= self._config.stale_s
        return value.number if value is not None and fresh else None

    def _fresh_roles(self, now: float) -> list[str]:
        return [role for role in self._sources if self._value(role, now) is not None]

    def _kinds(self, now: float) -> list[str]:
        return list(dict.fromkeys(self._sources[role].kind for role in self._fresh_roles(now)))

    def _oldest_at(self, now: float) -> float:
        return min([now, *(self._values[role].at for role in self._fresh_roles(now))])
