"""Surroundings: what happens to a pool whatever it decides.

Gives heartbeats, intensities, forecasts, surplus, calendar periods (UTC) and faults at their
times. What a node says of its site's surplus is what the node's own core makes of it. It refuses to
know jobs.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import partial
from math import inf

import msgspec
from msgspec import Struct

from entraide.types import Basis, EnergyStatus, Lending, NodeCard
from entraide_node.core.site import Told, surplus
from entraide_scheduler.core.events import (
    NodeChanged,
    NodeJoined,
    NodesSeen,
    PeriodBegan,
    PolicyChanged,
    SchedulerStarted,
)
from entraide_scheduler.core.policy import Period, Policy
from entraide_sim.driver import Driver
from entraide_sim.garage import restarted
from entraide_sim.grid import HOUR_S, Grid
from entraide_sim.machines import Machines
from entraide_sim.nodes import Node, Site
from entraide_sim.workload import GATEWAY

FOREVER_S = 1e9
LOOK_S = 900.0  # how often nodes look whether their site's battery has something to give
DELAY_S_MAX = 3_600.0  # of a restart, and of late heartbeats


class Fault(Struct, frozen=True):
    """Something that happens to a node, or to the scheduler.

    Attributes:
        at: seconds since the epoch.
        node: which; "" for the scheduler.
        kind: ``vanish`` (silently, with all it has), ``return``, ``slow`` (``value`` times as
            long from then on), ``refuse`` (takes nothing new), ``take``, ``give_back`` (what it
            runs ends now, and goes elsewhere), ``cap`` (its power is limited to ``value`` watts
            from then on; infinite ends it), ``silent`` (its heartbeats are lost), ``heard``,
            ``late`` (its heartbeats take ``value`` seconds from then on; 0 ends it), ``broken``
            (its engine fails every run that comes from then on), ``mended``, or, of the
            scheduler, ``restart`` (it is down for ``value`` seconds and comes back from its
            snapshot; what it would be told waits, and its gateway's live jobs are over).
        value: see there; seconds are ``DELAY_S_MAX`` at most.
        reason: of ``refuse``: stable code of why the node takes no work.
    """

    at: float
    node: str
    kind: str
    value: float = 1.0
    reason: str = "paused"


class Surroundings:
    """Grid, sky, calendar and luck around the nodes."""

    def __init__(
        self,
        driver: Driver,
        *,
        machines: Machines,
        grid: Grid,
        nodes: dict[str, Node],
        sites: Iterable[Site],
        heartbeat_s: float,
    ) -> None:
        self._driver = driver
        self._machines = machines
        self._grid = grid
        self._nodes = nodes
        self._sites = [site for site in sites if site.nodes]
        self._heartbeat_s = heartbeat_s
        self._seen: tuple[str, ...] = ()
        self._late: list[tuple[float, tuple[str, ...]]] = []  # delay, and whose heartbeats
        self._incarnation = 1

    def begin(self, policy: Policy, faults: Sequence[Fault]) -> None:
        """Tells the core how things stand, and schedules all that will come."""
        driver = self._driver
        driver.tell(PolicyChanged, policy)
        driver.tell(SchedulerStarted, self._incarnation, GATEWAY)
        for period in _periods(policy):
            self._period(period)
        self._hour(None)
        self._grid.schedule_forecasts(driver)
        for site in self._sites:
            self._await_sun(site)
            if site.supply.battery is not None:
                site.schedule = partial(self._await_turn, site)
                driver.at(driver.now + LOOK_S, self._look, (site, False))
        for node in self._nodes.values():
            self.hello(node)
        self._who_is_up()
        driver.at(driver.now + self._heartbeat_s, self._beat)
        for fault in faults:
            driver.at(fault.at, self._fault, fault)

    def _period(self, period: Period) -> None:
        end_at = _period_end(period, self._driver.now)
        self._driver.tell(PeriodBegan, period, end_at)
        self._driver.at(end_at, self._period, period)

    def _hour(self, _: None) -> None:
        driver, grid = self._driver, self._grid
        changed = grid.changes(driver.now)
        for site in self._sites:
            zone = site.nodes[0].card.zone
            grams = grid.at(zone, driver.now)[0]
            if grams != site.grid_g_per_kwh:
                site.account(driver.now)
                site.grid_g_per_kwh = grams
                site.settle()
        for zone in changed:
            grid.tell(driver, zone)
        driver.at((driver.now // HOUR_S + 1.0) * HOUR_S, self._hour)

    # Surplus.

    def _await_sun(self, site: Site) -> None:
        next_at = site.shine(self._driver.now)
        site.settle()
        if next_at < inf:
            self._driver.at(next_at, self._sun, site)

    def _sun(self, site: Site) -> None:
        """A site's surplus changes, and its nodes say so."""
        site.account(self._driver.now)
        self._await_sun(site)
        for node in site.nodes:
            self._change(node)

    def _await_turn(self, site: Site, at: float) -> None:
        self._driver.at(at, self._turn, (site, at))

    def _turn(self, what: tuple[Site, float]) -> None:
        """A battery is full or at its floor, if nothing has changed since that was foreseen."""
        site, at = what
        if at != site.turns_at:
            return
        gave = site.supply.gives_w
        site.turns_at = inf
        site.account(self._driver.now)
        site.settle()
        if site.supply.gives_w != gave:
            for node in site.nodes:
                self._change(node)

    def _look(self, what: tuple[Site, bool]) -> None:
        """Nodes tell once a battery that had nothing to give has, which no moment foretells."""
        site, gave = what
        site.account(self._driver.now)
        gives = site.supply.gives_w > 0.0
        if gives and not gave:
            for node in site.nodes:
                self._change(node)
        self._driver.at(self._driver.now + LOOK_S, self._look, (site, gives))

    def _energy(self, node: Node) -> EnergyStatus | None:
        now, site = self._driver.now, node.site
        if site.spec is None:
            return node.card.energy
        draw_w, battery = site.draw_w, site.supply.battery
        told = Told(generation_w=site.surplus_w, use_w=draw_w)
        if battery is not None:
            full = 100.0 / battery.capacity_j
            told = Told(
                generation_w=site.surplus_w,
                use_w=draw_w,
                battery_w=site.supply.flows.charge_w - site.supply.flows.battery_w,
                battery_percent=site.supply.held_j * full,
                enough_percent=battery.floor_j * full,
                battery_gives_w=battery.power_w,
                floor_percent=battery.floor_j * full,
            )
        found = surplus(told, added_w=draw_w)
        assert found is not None
        return EnergyStatus(found.surplus_w, Basis.MEASURED, "sim", now, now + FOREVER_S)

    def _card(self, node: Node) -> NodeCard:
        return msgspec.structs.replace(node.card, energy=self._energy(node))

    def hello(self, node: Node) -> None:
        """Has a node tell its card as it is now."""
        said = self._card(node), node.accepting, node.reason
        self._driver.tell(NodeJoined, *said, Lending.ALL, str(node.lives))

    def _change(self, node: Node) -> None:
        if not (node.up and node.heard):
            return
        self._driver.tell(NodeChanged, node.name, node.accepting, node.reason, self._energy(node))

    # Presence.

    def _beat(self, _: None) -> None:
        driver = self._driver
        self._arrive(self._seen)
        for delay_s, names in self._late:
            driver.at(driver.now + delay_s, self._arrive, names)
        driver.at(driver.now + self._heartbeat_s, self._beat)

    def _arrive(self, names: tuple[str, ...]) -> None:
        self._driver.tell(NodesSeen, names)

    def _who_is_up(self) -> None:
        by_delay: dict[float, list[str]] = {0.0: []}
        for name, node in sorted(self._nodes.items()):
            if node.up and node.heard:
                by_delay.setdefault(node.late_s, []).append(name)
        self._seen = tuple(by_delay.pop(0.0))
        self._late = [(delay_s, tuple(names)) for delay_s, names in sorted(by_delay.items())]

    def _restart(self, _: None) -> None:
        self._incarnation += 1
        self._driver.resume(SchedulerStarted, self._incarnation, GATEWAY)

    def _come_back(self, node: Node, kind: str) -> None:
        """A node returns, or is heard again."""
        if kind == "return" and not node.up:
            restarted(node)
        node.up = node.up or kind == "return"
        node.heard = node.heard or kind == "heard"
        self._who_is_up()
        if node.up and node.heard:
            self.hello(node)

    def _fault(self, fault: Fault) -> None:
        if fault.kind == "restart":
            if self._driver.halt():
                self._driver.at(self._driver.now + fault.value, self._restart)
            return
        node = self._nodes[fault.node]
        match fault.kind:
            case "vanish":
                self._machines.vanish(node)
                self._who_is_up()
            case "return" | "heard":
                self._come_back(node, fault.kind)
            case "silent":
                node.heard = False
                self._who_is_up()
            case "late":
                node.late_s = fault.value
                self._who_is_up()
            case "slow":
                node.engine.slow = fault.value
            case "broken" | "mended":
                node.broken = fault.kind == "broken"
            case "refuse" | "take":
                node.accepting = fault.kind == "take"
                node.reason = "" if node.accepting else fault.reason
                self._change(node)
            case "give_back":
                self._machines.give_back(node)
            case "cap":
                self._machines.limit(node, fault.value)
            case _:
                raise ValueError(f"no fault is called {fault.kind!r}")
        node.follow()


def _periods(policy: Policy) -> list[Period]:
    """Returns the periods that a policy speaks of."""
    spoken = {quota.period for terms in policy.coops for quota in terms.quotas}
    if any(terms.lend.energy_wh_per_day is not None for terms in policy.coops):
        spoken.add(Period.DAY)
    return sorted(spoken - {Period.NONE})


def _period_end(period: Period, moment: float) -> float:
    match period:
        case Period.MINUTE:
            return (moment // 60.0 + 1.0) * 60.0
        case Period.DAY:
            return (moment // 86_400.0 + 1.0) * 86_400.0
        case _:
            here = dt.datetime.fromtimestamp(moment, dt.UTC)
            first = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return (first + dt.timedelta(days=32)).replace(day=1).timestamp()
