"""Counterfactual replay: the recorded demand and environment with simulated machines.

Requests, heartbeats, owners' actions, grid, calendar and restarts happen as recorded. Machines'
answers are simulated, so that another policy can be compared with the old one. A machine's true
speed is its card corrected by what the core had learned by the end of the recording; the true grid
intensity, surplus and absences are those recorded.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from entraide.types import (
    Basis,
    EnergyStatus,
    JobState,
    NodeCard,
    NodeState,
    Rates,
    Replica,
    RequestFacts,
)
from entraide_scheduler.core import events as e
from entraide_scheduler.core.estimation import PerformanceModel
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, Lease, LeaseState, SenderKind
from entraide_scheduler.core.state import State
from entraide_sim.machines import NodeSpec, Site, SiteSpec
from entraide_sim.recordings import Absence, RecordedHistory
from entraide_sim.workload import Request
from entraide_sim.world import Fault, World

HEARTBEAT_S = 1.0  # between heartbeats once the recording is over
BUSY_HEARTBEAT_S = 0.5  # between heartbeats of a node with runs
BLOCK_TOKENS = 256  # tokens of 1 KiB of prompt, the block size of prefix keys
PREDICTIONS_MIN = 8.0  # decayed count of predictions from which learned rates are trusted


class LengthCounts(Struct):
    """Numbers of jobs with known and with estimated lengths."""

    known: int = 0
    estimated: int = 0


# Machines.


def node_specs(history: RecordedHistory, learned: State) -> list[NodeSpec]:
    """Returns the specifications of the recorded nodes that served a model, by name.

    A machine has an engine for each model that it served at any time; the core places runs only on
    those that its recorded card has at that time.

    Args:
        history: history with their cards.
        learned: the core's state at the end of the recording.
    """
    return [
        _node_spec(history, history.cards[name], learned)
        for name in sorted(history.cards)
        if name in history.replicas
    ]


def _node_spec(history: RecordedHistory, card: NodeCard, learned: State) -> NodeSpec:
    replicas = tuple(history.replicas[card.node].values())
    specs = [_model_spec(history, card, replica, learned) for replica in replicas]
    if len(specs) == 1:
        return specs[0]
    whole = msgspec.structs.replace(specs[0].card, replicas=replicas)
    return msgspec.structs.replace(specs[0], card=whole, model_specs=tuple(specs))


def _model_spec(
    history: RecordedHistory, card: NodeCard, replica: Replica, learned: State
) -> NodeSpec:
    node = learned.fleet.nodes.get(card.node)
    load = None if node is None else node.loads.get(replica.model)
    pace = None if load is None else load.pace
    start_s = _start_delay_s(pace)
    tokens = replica.slots * replica.context_tokens
    reuses = "prefix_cache" in replica.features
    extra_w = max(0.0, card.power.active_w - card.power.idle_w)
    return NodeSpec(
        card=msgspec.structs.replace(
            card, rtt_s=card.rtt_s + start_s, replicas=(replica,), loadable=(), loading=()
        ),
        rates=_learned_rates(pace, replica.rates),
        extra_w=extra_w * pace.prefill_power if pace is not None and pace.metered else None,
        prefix_tokens=tokens if reuses else 0,
        prefix_block_tokens=BLOCK_TOKENS,
        energy_basis=Basis(history.energy_basis.get(card.node, Basis.ESTIMATED.value)),
    )


def _trusted_model(pace: PerformanceModel | None) -> PerformanceModel | None:
    enough = pace is not None and pace.calibration().predictions_tpot >= PREDICTIONS_MIN
    return pace if enough else None


def _learned_rates(pace: PerformanceModel | None, told: Rates) -> Rates | None:
    """Returns the learned rates; None where only the card's are known."""
    model = _trusted_model(pace)
    if model is None:
        return None
    return msgspec.structs.replace(
        told,
        prefill_tokens_per_s=1.0 / model.prefill_s_per_token,
        tpot_base_s=model.tpot_base_s,
        tpot_per_sequence_s=model.tpot_per_sequence_s,
        basis=Basis.MEASURED,
    )


def _start_delay_s(pace: PerformanceModel | None) -> float:
    """Returns the learned start delay of a run beyond one step."""
    model = _trusted_model(pace)
    return 0.0 if model is None else max(0.0, model.start_s - model.tpot_base_s)


# Demand.


def recorded_requests(
    events: Iterable[e.Event],
    history: RecordedHistory,
    *,
    known: Iterable[str],
    lengths: LengthCounts,
) -> Iterator[Request]:
    """Yields the recorded requests, each once, with true lengths.

    Args:
        events: events of the recording.
        history: history with the true lengths.
        known: jobs that the core knows already.
        lengths: counts known and estimated lengths.
    """
    requested = set(known)
    for event in events:
        if isinstance(event, e.JobRequested) and event.facts.job not in requested:
            requested.add(event.facts.job)
            yield make_request(event.facts, event.at, history, lengths)


def make_request(
    facts: RequestFacts, at: float, history: RecordedHistory, lengths: LengthCounts
) -> Request:
    """Returns a request with its true lengths."""
    true_lengths = history.true_lengths(facts)
    lengths.known += true_lengths.known
    lengths.estimated += not true_lengths.known
    return Request(at, facts, true_lengths.input_tokens, true_lengths.output_tokens)


def unfinished_jobs(state: State) -> list[tuple[Job, Lease | None]]:
    """Returns the unfinished jobs of a state, each with its lease if it has one."""
    unfinished: list[tuple[Job, Lease | None]] = []
    for name, job in state.jobs.items():
        lease = state.leases.get(name)
        runs = lease is not None and lease.state is not LeaseState.STOPPING
        if runs or job.state is JobState.QUEUED:
            unfinished.append((job, lease if runs else None))
    return unfinished


# Environment.

NOT_REPLAYED = (
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
)


class RecordedEnvironment:
    """The environment of a replayed world: delivers the recorded input events.

    Machines load and unload models as their recorded cards say, whatever the core asks for.
    """

    loads_models = False

    def __init__(
        self,
        world: World,
        *,
        events: Iterator[e.Event],
        start_state: State,
        absences: Sequence[Absence],
        proposed: Policy | None,
    ) -> None:
        """Creates the environment; ``start`` begins the delivery.

        Args:
            world: world whose core has the state at the start of the recording.
            events: all events of the recording, in order.
            start_state: state at the start.
            absences: absences of nodes.
            proposed: policy that replaces all recorded policies; None to keep them.
        """
        self._world = world
        self._driver = world.driver
        self._events = events
        self._initial_state = start_state
        self._absences = absences
        self._proposed = proposed
        self._requested_jobs = set(start_state.jobs)
        self._last_heartbeats: tuple[str, ...] = ()
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
                self._set_node_state(name, record.accepting, record.reason, record.energy)
        for absence in self._absences:
            driver.schedule(absence.from_at, self._crash_node, absence.node)
            driver.schedule(absence.until_at, self._restore_node, absence.node)
        if self._proposed is not None:
            driver.deliver(e.PolicyChanged, self._proposed)
        self._schedule_next()

    # The recording.

    def _schedule_next(self) -> None:
        event = next(self._events, None)
        while event is not None and self._is_skipped(event):
            event = next(self._events, None)
        if event is None:
            self._driver.schedule(self._driver.now + HEARTBEAT_S, self._send_heartbeats)
        else:
            self._driver.schedule(event.at, self._replay_event, event)

    def _is_skipped(self, event: e.Event) -> bool:
        if isinstance(event, e.JobRequested):
            again = event.facts.job in self._requested_jobs
            self._requested_jobs.add(event.facts.job)
            return not again  # the world delivers the first request itself
        if isinstance(event, e.PolicyChanged):
            return self._proposed is not None
        return isinstance(event, NOT_REPLAYED)

    def _replay_event(self, event: e.Event) -> None:
        match event:
            case e.IntensityChanged():
                self._set_grid_intensity(event.zone, event.direct_g_per_kwh)
            case e.NodeJoined():
                self._restore_node(event.card.node)
                self._set_node_state(
                    event.card.node, event.accepting, event.reason, event.card.energy
                )
            case e.NodeChanged():
                self._set_node_state(event.node, event.accepting, event.reason, event.energy)
            case e.NodeLeft() | e.NodeForgotten():
                self._crash_node(event.node)
            case e.SenderQuarantined(kind=SenderKind.NODE):
                self._crash_node(event.name)
            case e.NodesSeen():
                self._last_heartbeats = event.nodes
            case _:
                pass
        if not self._is_job_over(event):
            self._driver.deliver(type(event), *msgspec.structs.astuple(event)[2:])
        self._schedule_next()

    def _is_job_over(self, event: e.Event) -> bool:
        """Returns whether an event is about a job that has ended in this world."""
        if isinstance(event, e.JobRequested):
            return event.facts.job not in self._world.jobs
        return isinstance(event, e.JobCancelled) and event.job not in self._world.jobs

    def _send_heartbeats(self, _: None) -> None:
        """Sends heartbeats of the nodes that were last seen, after the end of the recording."""
        self._driver.deliver(e.NodesSeen, self._last_heartbeats)
        self._driver.schedule(self._driver.now + HEARTBEAT_S, self._send_heartbeats)

    # True state of nodes and sites.

    def _crash_node(self, name: str) -> None:
        node = self._world.nodes.get(name)
        if node is not None and node.up:
            self._world.agents.crash_node(node)

    def _restore_node(self, name: str) -> None:
        node = self._world.nodes.get(name)
        if node is not None:
            node.up = True

    def _set_node_state(
        self, name: str, accepting: bool, reason: str, energy: EnergyStatus | None
    ) -> None:
        node = self._world.nodes.get(name)
        if node is None:
            return
        node.accepting, node.reason = accepting, "" if accepting else reason
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


def site_specs(specs: Sequence[NodeSpec], policy: Policy) -> list[SiteSpec]:
    """Returns the sites of some machines, each with own generation that may be 0."""
    places = sorted({(spec.card.coop, spec.card.site) for spec in specs})
    own_g_per_kwh = policy.carbon.own_direct_g_per_kwh
    return [SiteSpec(coop, site, (), own_g_per_kwh) for coop, site in places]
