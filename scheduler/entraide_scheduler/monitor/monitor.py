"""Monitor: the findings of a running pool, and since when each one is there.

In: driver, records, gateways, store and the pool's directory. Out: the watched findings of the
registry, for doctor, page and metrics. A finding of a kind that may be over within seconds is shown
for at least ``HELD_S``, so that a look once a minute finds it. A check that fails is logged,
and the others go on.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from msgspec import structs

from entraide.errors import EntraideError
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.core.views import QuarantineView
from entraide_scheduler.findings import (
    WATCHED,
    Finding,
    Severity,
    Sort,
    find_restarts,
    finding,
    listed,
    note_breaks,
)
from entraide_scheduler.monitor.fleet_checks import (
    check_clocks,
    check_gateways,
    check_nodes,
    check_quarantines,
)
from entraide_scheduler.monitor.store_growth import StoreGrowth
from entraide_scheduler.pool import facts
from entraide_scheduler.pool.backup_check import check_backup, check_daily
from entraide_scheduler.pool.config import FILE as POOL_CONFIG
from entraide_scheduler.pool.config import load_pool_config
from entraide_scheduler.pool.host_checks import check_ages, check_disk
from entraide_scheduler.repeated_task import RepeatedTask
from entraide_scheduler.service_parts import Parts
from entraide_scheduler.store.space import measure_bytes

WATCH_S = 5.0
HELD_S = 60.0
OF_OTHER_KINDS = {
    "storage_full", "store_away", "gateway_twice", "node_quarantined", "key_quarantined",
    "clock_far",
}  # fmt: skip
URGENCY = {
    kind.code: (kind.severity is not Severity.FAIL, number) for number, kind in enumerate(WATCHED)
}
BRIEF = {kind.code for kind in WATCHED if kind.is_brief}
SUBJECT = ("part", "node", "key", "model")  # values that tell findings of a kind apart


class Monitor:
    """Looks for findings while the pool runs.

    Args:
        parts: of the service.
        home: the pool's directory.
        cert_file: the certificate that the operator has given for HTTPS, or "".
        stale_zones: returns the zones whose chosen source has no data now.
        untold: returns what keeps recipients from being told of findings.

    Attributes:
        growth: of the store.
    """

    def __init__(
        self,
        parts: Parts,
        home: Path,
        cert_file: str,
        *,
        stale_zones: Callable[[], list[str]],
        untold: Callable[[], list[Finding]],
    ) -> None:
        self._parts = parts
        self._home = home
        self._cert_file = cert_file
        self.growth = StoreGrowth()
        self._list_stale_zones = stale_zones
        self._list_untold = untold
        self._shown: dict[tuple[str, ...], tuple[float, Finding]] = {}  # each with its begin
        self._coop_of_key: dict[str, str] = {}
        self._log = structlog.get_logger("entraide.monitor")
        self._task = RepeatedTask(
            "monitor", self._watch, every_s=WATCH_S,
            failed=lambda: self._log.exception("monitor.failed"),
        )  # fmt: skip
        note_breaks(parts.driver.occurrences, home)

    def start(self) -> None:
        """Starts to look regularly."""
        self._task.start()

    async def stop(self) -> None:
        """Ends it."""
        await self._task.stop()

    async def _watch(self) -> None:
        if self.growth.is_due(time.monotonic()):
            size = await self._parts.store.read(measure_bytes)
            self.growth.add(time.monotonic(), size)
        if any(view.kind is SenderKind.KEY for view in self._list_quarantines()):
            keys = await self._parts.store.list_keys()
            self._coop_of_key = {row.key: row.coop for row in keys}
        self.findings()

    def findings(self) -> tuple[Finding, ...]:
        """Returns what is wrong now, the most urgent first."""
        self._update(time.monotonic())
        shown = [each for _, each in self._shown.values()]
        return tuple(sorted(shown, key=lambda each: URGENCY[each.code]))

    def _update(self, now: float) -> None:
        """Adds what has begun, and removes what has ended and was shown for long enough."""
        present = {}
        for each in self._look():
            key = (each.code, *(str(each.values.get(name, "")) for name in SUBJECT))
            first_at, before = self._shown.get(key, (now, each))
            since = each.since or before.since or self._parts.driver.now()
            present[key] = (first_at, structs.replace(each, since=since, watched=True))
        self._shown = present | {
            key: (first_at, each)
            for key, (first_at, each) in self._shown.items()
            if key not in present and each.code in BRIEF and now - first_at < HELD_S
        }

    def _look(self) -> Iterator[Finding]:
        for check in (self._check_pool, self._check_fleet, self._check_books, self._check_host):
            try:
                yield from [each for each in check() if each.code in URGENCY]
            except Exception:  # noqa: BLE001  (one check must not hide the others)
                self._log.exception("monitor.check_failed", check=check.__name__)

    def _check_pool(self) -> Iterator[Finding]:
        """Checks the processes and what connects them."""
        driver = self._parts.driver
        if not self._parts.bus.is_connected:
            yield finding("bus-lost")
        yield from find_restarts(driver.occurrences)
        taken_from = driver.occurrences.recent(Sort.TERM)
        if taken_from:
            yield finding("scheduler-taken", leader=listed([*taken_from]))
        broken = driver.occurrences.recent(Sort.STREAM)
        if broken:
            yield finding("streams-broken", number=sum(map(len, broken.values())))
        incidents = [each for each in driver.health.incidents() if each.code not in OF_OTHER_KINDS]
        if incidents:
            codes = listed(sorted({each.code for each in incidents}))
            yield finding("scheduler-recovered", codes=codes)
        yield from self._list_untold()

    def _check_fleet(self) -> Iterator[Finding]:
        """Checks nodes and gateways."""
        parts, core = self._parts, self._parts.driver.core
        gateways = parts.gateway_listener.list_gateways()
        yield from check_gateways(gateways)
        rows = parts.registry.list_nodes()
        refusals = {row.node: parts.node_listener.load_refusals(row.node) for row in rows}
        refused = {node: each for node, each in refusals.items() if each}
        yield from check_nodes(rows, core.nodes(), refused, parts.driver.occurrences)
        coops = {(SenderKind.NODE, row.node): row.coop for row in rows}
        keys = {(SenderKind.KEY, key): coop for key, coop in self._coop_of_key.items()}
        yield from check_quarantines(self._list_quarantines(), coops | keys)
        zones = self._list_stale_zones()
        if zones:
            yield finding("grid-stale", zones=listed(zones))
        yield from check_clocks(
            time.time() - parts.driver.now(),
            parts.node_listener.list_clock_offsets(),
            {each.gateway: each.clock_offset_s for each in gateways if each.state == "live"},
        )

    def _list_quarantines(self) -> list[QuarantineView]:
        return self._parts.driver.core.quarantines()

    def _check_books(self) -> Iterator[Finding]:
        """Checks that the balances of each unit sum to zero."""
        sums: dict[str, int] = {}
        for balances in self._parts.driver.core.balances().values():
            for unit, amount in balances.items():
                sums[unit] = sums.get(unit, 0) + amount
        units = [unit for unit, amount in sorted(sums.items()) if amount]
        if units:
            yield finding("books-unbalanced", units=", ".join(units))

    def _check_host(self) -> Iterator[Finding]:
        """Checks disk, store, certificates and backup on this machine."""
        space, home = self._parts.store.space, self._home
        if not space.takes_kept_work() or self._parts.driver.occurrences.recent(Sort.DISK):
            yield finding("store-full", path=str(home))
        if self._parts.store.outage.is_present or self._parts.driver.occurrences.recent(Sort.STORE):
            yield finding("store-away")
        yield check_disk(home)
        yield from self.growth.check(shutil.disk_usage(home).free)
        if not (home / POOL_CONFIG).is_file():  # ``entraide up``: nothing to keep
            return
        with contextlib.suppress(OSError, ValueError):  # the doctor names the file
            yield from check_ages(facts.read_certificates(home, self._cert_file))
        with contextlib.suppress(EntraideError):  # likewise
            config = load_pool_config(home)
            yield check_backup(home, config)
            yield from check_daily(home, config)
