"""Environment: what happens to a pool independently of its decisions.

Schedules heartbeats, grid intensities, forecasts, site surplus, quota periods (UTC) and injected
faults. The surplus that a node reports is computed by the live node agent's core from the site's
generation, use and battery.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from math import inf

import msgspec
from msgspec import Struct

from entraide.types import Basis, EnergyStatus, Lending, NodeCard
from entraide_node.core.site_surplus import SiteReadings, compute_surplus
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
from entraide_sim.grid import HOUR_S, Grid
from entraide_sim.machines import Node, Site
from entraide_sim.workload import GATEWAY
from entraide_sim.world.model_driver import ModelDriver
from entraide_sim.world.node_agents import NodeAgents

FOREVER_S = 1e9
BATTERY_CHECK_S = 900.0  # interval at which nodes check whether the battery can discharge
DELAY_S_MAX = 3_600.0  # longest restart, and longest delay of heartbeats


class Fault(Struct, frozen=True):
    """A failure or an owner's action to inject.

    Attributes:
        at: seconds since the epoch.
        node: the affected node; "" for the scheduler.
        kind: ``vanish`` (crash without a message, all runs lost), ``return``; ``slow`` (steps take
            ``value`` times as long from now on); ``refuse`` (accepts no new run), ``take``;
            ``give_back`` (its runs end now and are placed elsewhere); ``cap`` (power cap of
            ``value`` watts from now on, infinite for none); ``silent`` (heartbeats are lost),
            ``heard``; ``late`` (heartbeats take ``value`` seconds from now on, 0 for none);
            ``broken`` (the engine fails every new run and every load), ``mended``; and for the
            scheduler ``restart`` (stopped for ``value`` seconds, then restored from its snapshot;
            events are queued meanwhile, and live jobs of its gateway end).
        value: see ``kind``; seconds are at most ``DELAY_S_MAX``.
        reason: of ``refuse``: stable code of the reason.
    """

    at: float
    node: str
    kind: str
    value: float = 1.0
    reason: str = "paused"


class SimulatedEnvironment:
    """Grid, surplus, calendar, heartbeats and faults of a simulation."""

    loads_models = True

    def __init__(
        self,
        driver: Driver,
        *,
        machines: NodeAgents,
        models: ModelDriver,
        grid: Grid,
        nodes: dict[str, Node],
        sites: Iterable[Site],
        heartbeat_s: float,
    ) -> None:
        self._driver = driver
        self._agents = machines
        self._models = models
        self._grid = grid
        self._nodes = nodes
        self._sites = [site for site in sites if site.nodes]
        self._heartbeat_s = heartbeat_s
        self._reachable: tuple[str, ...] = ()
        self._delayed: list[tuple[float, tuple[str, ...]]] = []  # delay, nodes
        self._incarnation = 1

    def start(self, policy: Policy, faults: Sequence[Fault]) -> None:
        """Delivers the initial state to the core, and schedules all later events."""
        driver = self._driver
        driver.deliver(PolicyChanged, policy)
        driver.deliver(SchedulerStarted, self._incarnation, GATEWAY)
        for period in _policy_periods(policy):
            self._begin_period(period)
        self._begin_hour(None)
        self._grid.schedule_forecasts(driver)
        for site in self._sites:
            self._schedule_surplus(site)
            if site.supply.battery is not None:
                driver.schedule(driver.now + BATTERY_CHECK_S, self._check_battery, (site, False))
        for node in self._nodes.values():
            self.send_card(node)
        self._update_reachable()
        driver.schedule(driver.now + self._heartbeat_s, self._send_heartbeats)
        for fault in faults:
            driver.schedule(fault.at, self._apply_fault, fault)

    def _begin_period(self, period: Period) -> None:
        end_at = _period_end(period, self._driver.now)
        self._driver.deliver(PeriodBegan, period, end_at)
        self._driver.schedule(end_at, self._begin_period, period)

    def _begin_hour(self, _: None) -> None:
        driver, grid = self._driver, self._grid
        changed = grid.advance_to(driver.now)
        for site in self._sites:
            zone = site.nodes[0].card.zone
            grams = grid.intensity_at(zone, driver.now)[0]
            if grams != site.grid_g_per_kwh:
                site.account_energy(driver.now)
                site.grid_g_per_kwh = grams
                site.update_carbon_rate()
        for zone in changed:
            grid.deliver_intensity(driver, zone)
        driver.schedule((driver.now // HOUR_S + 1.0) * HOUR_S, self._begin_hour)

    # Surplus.

    def _schedule_surplus(self, site: Site) -> None:
        next_at = site.update_surplus(self._driver.now)
        site.update_carbon_rate()
        if next_at < inf:
            self._driver.schedule(next_at, self._change_surplus, site)

    def _change_surplus(self, site: Site) -> None:
        """Changes a site's surplus, and makes its nodes report it."""
        site.account_energy(self._driver.now)
        self._schedule_surplus(site)
        for node in site.nodes:
            self._send_change(node)

    def schedule_battery_event(self, site: Site, at: float) -> None:
        """Schedules the moment at which a site's battery will be full or empty."""
        self._driver.schedule(at, self._handle_battery_event, (site, at))

    def _handle_battery_event(self, site_and_moment: tuple[Site, float]) -> None:
        """Handles a full or empty battery, unless its flows changed since this was scheduled."""
        site, at = site_and_moment
        if at != site.battery_event_at:
            return
        previous_limit_w = site.supply.discharge_limit_w
        site.battery_event_at = inf
        site.account_energy(self._driver.now)
        site.update_carbon_rate()
        if site.supply.discharge_limit_w != previous_limit_w:
            for node in site.nodes:
                self._send_change(node)

    def _check_battery(self, site_and_state: tuple[Site, bool]) -> None:
        """Makes nodes report when an empty battery can discharge again."""
        site, could_discharge = site_and_state
        site.account_energy(self._driver.now)
        can_discharge = site.supply.discharge_limit_w > 0.0
        if can_discharge and not could_discharge:
            for node in site.nodes:
                self._send_change(node)
        self._driver.schedule(
            self._driver.now + BATTERY_CHECK_S, self._check_battery, (site, can_discharge)
        )

    def _energy_status(self, node: Node) -> EnergyStatus | None:
        now, site = self._driver.now, node.site
        if site.spec is None:
            return node.card.energy
        draw_w, battery = site.draw_w, site.supply.battery
        readings = SiteReadings(generation_w=site.surplus_w, use_w=draw_w)
        if battery is not None:
            full = 100.0 / battery.capacity_j
            readings = SiteReadings(
                generation_w=site.surplus_w,
                use_w=draw_w,
                battery_w=site.supply.flows.charge_w - site.supply.flows.battery_w,
                battery_percent=site.supply.held_j * full,
                enough_percent=battery.floor_j * full,
                battery_gives_w=battery.power_w,
                floor_percent=battery.floor_j * full,
            )
        site_surplus = compute_surplus(readings, added_w=draw_w)
        assert site_surplus is not None
        return EnergyStatus(site_surplus.surplus_w, Basis.MEASURED, "sim", now, now + FOREVER_S)

    def _current_card(self, node: Node) -> NodeCard:
        return msgspec.structs.replace(node.card, energy=self._energy_status(node))

    def send_card(self, node: Node) -> None:
        """Makes a node send its current card."""
        card_values = self._current_card(node), node.accepting, node.reason
        self._driver.deliver(NodeJoined, *card_values, Lending.ALL, str(node.restarts))

    def _send_change(self, node: Node) -> None:
        if not (node.up and node.reachable):
            return
        self._driver.deliver(
            NodeChanged, node.name, node.accepting, node.reason, self._energy_status(node)
        )

    # Heartbeats.

    def _send_heartbeats(self, _: None) -> None:
        driver = self._driver
        self._deliver_heartbeats(self._reachable)
        for delay_s, names in self._delayed:
            driver.schedule(driver.now + delay_s, self._deliver_heartbeats, names)
        driver.schedule(driver.now + self._heartbeat_s, self._send_heartbeats)

    def _deliver_heartbeats(self, names: tuple[str, ...]) -> None:
        self._driver.deliver(NodesSeen, names)

    def _update_reachable(self) -> None:
        by_delay: dict[float, list[str]] = {0.0: []}
        for name, node in sorted(self._nodes.items()):
            if node.up and node.reachable:
                by_delay.setdefault(node.heartbeat_delay_s, []).append(name)
        self._reachable = tuple(by_delay.pop(0.0))
        self._delayed = [(delay_s, tuple(names)) for delay_s, names in sorted(by_delay.items())]

    def _restart_scheduler(self, _: None) -> None:
        self._incarnation += 1
        self._driver.resume_core(SchedulerStarted, self._incarnation, GATEWAY)

    def _recover_node(self, node: Node, kind: str) -> None:
        """Restores a crashed node, or a node whose heartbeats were lost."""
        node.up = node.up or kind == "return"
        node.reachable = node.reachable or kind == "heard"
        self._update_reachable()
        if node.up and node.reachable:
            self.send_card(node)

    def _apply_fault(self, fault: Fault) -> None:
        if fault.kind == "restart":
            if self._driver.halt_core():
                self._driver.schedule(self._driver.now + fault.value, self._restart_scheduler)
            return
        node = self._nodes[fault.node]
        match fault.kind:
            case "vanish":
                self._agents.crash_node(node)
                self._update_reachable()
            case "return" | "heard":
                self._recover_node(node, fault.kind)
            case "silent":
                node.reachable = False
                self._update_reachable()
            case "late":
                node.heartbeat_delay_s = fault.value
                self._update_reachable()
            case "slow":
                node.engine.slowdown = fault.value
            case "broken" | "mended":
                node.broken = fault.kind == "broken"
            case "refuse" | "take":
                node.accepting = fault.kind == "take"
                node.reason = "" if node.accepting else fault.reason
                self._send_change(node)
            case "give_back":
                self._agents.return_to_owner(node)
            case "cap":
                self._agents.set_power_cap(node, fault.value)
            case _:
                raise ValueError(f"unknown kind of fault: {fault.kind!r}")
        node.copy_state()
        self._models.decide(node)


def _policy_periods(policy: Policy) -> list[Period]:
    """Returns the quota periods that a policy uses."""
    periods = {quota.period for terms in policy.coops for quota in terms.quotas}
    if any(terms.lend.energy_wh_per_day is not None for terms in policy.coops):
        periods.add(Period.DAY)
    return sorted(periods - {Period.NONE})


def _period_end(period: Period, moment: float) -> float:
    match period:
        case Period.MINUTE:
            return (moment // 60.0 + 1.0) * 60.0
        case Period.DAY:
            return (moment // 86_400.0 + 1.0) * 86_400.0
        case _:
            moment_utc = dt.datetime.fromtimestamp(moment, dt.UTC)
            first = moment_utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            return (first + dt.timedelta(days=32)).replace(day=1).timestamp()
