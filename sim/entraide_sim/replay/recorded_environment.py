"""Recorded environment: delivers what happened to a pool to a simulated one, at its times.

Requests' ends, heartbeats, owners' actions, grid, calendar and restarts happen as recorded, and so
do the crashes of machines, the cuts of their links, and the ends of runs for their owners. Machines
load and unload models as their recorded cards say, whatever the core asks for. While the recorded
scheduler was down, the simulated one is.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from entraide.types import EnergyStatus, NodeState
from entraide_scheduler.core import events as e
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.core.state import State
from entraide_sim.machines import Node, Site
from entraide_sim.recordings import FaultKind, RecordedFault
from entraide_sim.world import Fault, World

HEARTBEAT_S = 1.0  # between heartbeats once the recording is over
STOP_MIN_S = 1.5  # silence before a start of the scheduler from which it was down
OWNER_GRACE_S = 30.0  # time that the runs of a machine have once it takes no work

NOT_REPLAYED: Final = frozenset({
    e.Woke,  # the world's clock wakes the core itself
    e.JobRequested,
    e.RunAccepted,
    e.RunDeclined,
    e.RunProgressed,
    e.NodeBeat,
    e.RunReported,
    e.RunExceeded,
    e.JobAbandoned,
    e.LoadFailed,
    e.DeadlineDropped,  # recorded failures need not repeat
})  # fmt: skip


class RecordedEnvironment:
    """The environment of a replayed world: delivers the recorded input events."""

    loads_models = False

    def __init__(
        self,
        world: World,
        *,
        events: Iterator[e.Event],
        start_state: State,
        faults: Sequence[RecordedFault],
        proposed: Policy | None,
    ) -> None:
        """Creates the environment; ``start`` begins the delivery.

        Args:
            world: world whose core has the state at the start of the recording.
            events: all events of the recording, in order.
            start_state: state at the start.
            faults: what befell the machines.
            proposed: policy that replaces all recorded policies; None to keep them.
        """
        self._world = world
        self._driver = world.driver
        self._events = events
        self._initial_state = start_state
        self._faults = faults
        self._proposed = proposed
        self._requested_jobs = set(start_state.jobs)
        self._last_at = start_state.now
        self._refusing_since: dict[str, float] = {}  # by node that takes no work
        self._surplus_expiry: dict[tuple[str, str], float] = {}  # by site: when its surplus expires

    def schedule_battery_event(self, site: Site, at: float) -> None:
        """Schedules nothing: the recorded surplus contains what a battery gave."""

    def start(self, policy: Policy, faults: Sequence[Fault]) -> None:  # noqa: ARG002  (Around's)
        """Sets the initial state, and schedules the recorded events."""
        driver = self._driver
        for zone, now in self._initial_state.fleet.replica_index.grid.items():
            self._set_grid_intensity(zone, now.direct_g_per_kwh)
        for name, record in self._initial_state.fleet.nodes.items():
            node = self._world.nodes.get(name)
            if node is not None:
                node.up = record.state in (NodeState.LIVE, NodeState.SUSPECT)
                node.copy_state()
                self._set_node_state(name, record.accepting, record.reason, record.energy)
        for node in self._world.nodes.values():
            if not node.other_instances:
                for at, factor in node.spec.slowdowns:
                    driver.schedule(at, self._set_slowdown, (node, factor))
        for fault in self._faults:
            driver.schedule(fault.at, self._apply_fault, fault)
        if self._proposed is not None:
            driver.deliver(e.PolicyChanged, self._proposed)
        self._schedule_next()

    # The recording.

    def _schedule_next(self) -> None:
        event = next(self._events, None)
        while event is not None and self._is_skipped(event):
            self._last_at = event.at
            event = next(self._events, None)
        if event is None:
            self._driver.schedule(self._driver.now + HEARTBEAT_S, self._send_heartbeats)
            return
        if isinstance(event, e.SchedulerStarted) and event.at - self._last_at >= STOP_MIN_S:
            self._driver.schedule(self._last_at, self._stop_scheduler)
        self._last_at = event.at
        self._driver.schedule(event.at, self._replay_event, event)

    def _stop_scheduler(self, _: None) -> None:
        self._driver.halt_core()

    def _is_skipped(self, event: e.Event) -> bool:
        if isinstance(event, e.JobRequested):
            again = event.facts.job in self._requested_jobs
            self._requested_jobs.add(event.facts.job)
            return not again  # the world delivers the first request itself
        if isinstance(event, e.PolicyChanged):
            return self._proposed is not None
        return type(event) in NOT_REPLAYED

    def _replay_event(self, event: e.Event) -> None:
        if isinstance(event, e.NodesSeen):  # nearly all events of a long recording
            self._driver.deliver(e.NodesSeen, event.nodes)
            self._schedule_next()
            return
        match event:
            case e.IntensityChanged():
                self._set_grid_intensity(event.zone, event.direct_g_per_kwh)
            case e.NodeJoined():
                self._restore_node(event.card.node)
                self._set_node_state(
                    event.card.node, event.accepting, event.reason, event.card.energy
                )
                event = msgspec.structs.replace(event, held=self._held_runs(event.card.node))
            case e.NodeChanged():
                self._set_node_state(event.node, event.accepting, event.reason, event.energy)
            case e.NodeLeft() | e.NodeForgotten():
                self._crash_node(event.node)
            case e.SenderQuarantined(kind=SenderKind.NODE):
                self._crash_node(event.name)
            case _:
                pass
        values = msgspec.structs.astuple(event)[2:]
        if isinstance(event, e.SchedulerStarted) and self._driver.is_halted:
            self._driver.resume_core(type(event), *values)
        elif not self._is_job_over(event):
            self._driver.deliver(type(event), *values)
        self._schedule_next()

    def _held_runs(self, name: str) -> tuple[tuple[str, int], ...]:
        """Returns the runs that a node holds in this world."""
        node = self._world.nodes.get(name)
        instances = () if node is None else node.model_instances()
        return tuple(
            (run.job, run.epoch) for instance in instances for run in instance.runs.values()
        )

    def _is_job_over(self, event: e.Event) -> bool:
        """Returns whether an event is about a job that has ended in this world."""
        if isinstance(event, e.JobRequested):
            return event.facts.job not in self._world.jobs
        return isinstance(event, e.JobCancelled) and event.job not in self._world.jobs

    def _send_heartbeats(self, _: None) -> None:
        """Sends heartbeats of the machines that are left after the end of the recording."""
        names = sorted(node.name for node in self._world.nodes.values() if node.up and node.linked)
        if names:
            self._driver.deliver(e.NodesSeen, tuple(names))
            self._driver.schedule(self._driver.now + HEARTBEAT_S, self._send_heartbeats)

    # True state of nodes and sites.

    def _apply_fault(self, fault: RecordedFault) -> None:
        node = self._world.nodes.get(fault.node)
        if node is None:
            return
        match fault.kind:
            case FaultKind.CRASH:
                self._crash_node(fault.node)
            case FaultKind.RETURN:
                self._restore_node(fault.node)
            case FaultKind.CUT:
                node.linked = False
            case FaultKind.HEAL:
                self._world.agents.heal_link(node)
            case FaultKind.GIVE_BACK:
                self._world.agents.return_to_owner(node)
            case FaultKind.ENGINE_EXIT:
                instance = node.instance_of(fault.model)
                if instance is not None:
                    self._world.agents.fail_runs(instance, fault.code)

    def _set_slowdown(self, node_and_factor: tuple[Node, float]) -> None:
        node, factor = node_and_factor
        node.engine.slowdown = factor

    def _give_back(self, node_and_since: tuple[Node, float]) -> None:
        """Ends the runs of a machine that has taken no work since a moment."""
        node, since = node_and_since
        if not node.accepting and self._refusing_since.get(node.name) == since:
            self._world.agents.return_to_owner(node)

    def _crash_node(self, name: str) -> None:
        node = self._world.nodes.get(name)
        if node is not None and node.up:
            self._world.agents.crash_node(node)

    def _restore_node(self, name: str) -> None:
        node = self._world.nodes.get(name)
        if node is not None:
            node.up = True
            node.copy_state()
            self._world.agents.heal_link(node)

    def _set_node_state(
        self, name: str, accepting: bool, reason: str, energy: EnergyStatus | None
    ) -> None:
        node = self._world.nodes.get(name)
        if node is None:
            return
        if not accepting and node.accepting:
            since = self._refusing_since[name] = self._driver.now
            self._driver.schedule(since + OWNER_GRACE_S, self._give_back, (node, since))
        node.accepting, node.reason = accepting, "" if accepting else reason
        node.copy_state()
        surplus_w = 0.0
        if energy is not None and energy.expires_at > self._driver.now:
            surplus_w = max(0.0, energy.surplus_w)
            self._surplus_expiry[node.card.coop, node.card.site] = energy.expires_at
            if surplus_w:
                self._driver.schedule(energy.expires_at, self._expire_surplus, node.site)
        self._set_surplus(node.site, surplus_w)

    def _expire_surplus(self, site: Site) -> None:
        card = site.nodes[0].card
        if self._surplus_expiry[card.coop, card.site] <= self._driver.now:
            self._set_surplus(site, 0.0)

    def _set_surplus(self, site: Site, surplus_w: float) -> None:
        if surplus_w != site.surplus_w:
            site.account_energy(self._driver.now)
            site.surplus_w = surplus_w
            site.update_carbon_rate()

    def _set_grid_intensity(self, zone: str, grams: float) -> None:
        for site in self._world.sites:
            if site.nodes and site.nodes[0].card.zone == zone:
                site.account_energy(self._driver.now)
                site.grid_g_per_kwh = grams
                site.update_carbon_rate()
