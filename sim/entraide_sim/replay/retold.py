"""Retold: a recorded life once more, with the machines of a world giving the answers.

What the world gave is given again, as it was and when it was: requests, heartbeats, owners, grid,
calendar, restarts. What machines answered is not: they answer anew, so that another policy can be
held against the old one. Decides what is true of a machine (its card, corrected by what the core
learned of it), and what of the recording is the world's truth: the grid's intensity, a site's
surplus as its nodes said it, when a node was away. It refuses to know what is compared.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from entraide.types import Basis, EnergyStatus, JobState, NodeCard, NodeState, Rates, RequestFacts
from entraide_scheduler.core import events as e
from entraide_scheduler.core.pace import Pace
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.quarantine import SenderKind
from entraide_scheduler.core.records import Job, Lease
from entraide_scheduler.core.state import State
from entraide_scheduler.core.tables import LeaseState
from entraide_sim.nodes import NodeSpec, Site, SiteSpec
from entraide_sim.replay.past import Away, Past
from entraide_sim.surroundings import Fault
from entraide_sim.workload import Request
from entraide_sim.world import World

BEAT_S = 1.0  # between heartbeats once the recording is over
BLOCK_TOKENS = 256  # of a prompt's kibibyte, by which prefixes are keyed
LEARNED_LEAST = 8.0  # predictions, faded, before what was learned is taken for true


class Lengths(Struct):
    """How many jobs' lengths are known, and how many were taken for what is usual."""

    known: int = 0
    taken: int = 0


# Machines.


def specs(past: Past, learned: State) -> list[NodeSpec]:
    """Returns the machines, by name.

    Args:
        past: with their cards.
        learned: the core's state at the end of the recording.

    Raises:
        ValueError: a node serves several models at once, which a world has no machine for.
    """
    return [_spec(past, past.cards[name], learned) for name in sorted(past.cards)
            if past.cards[name].replicas]  # fmt: skip


def _spec(past: Past, card: NodeCard, learned: State) -> NodeSpec:
    if len(card.replicas) > 1:
        raise ValueError(card.node)
    replica = card.replicas[0]
    node = learned.fleet.nodes.get(card.node)
    load = None if node is None else node.loads.get(replica.model)
    pace = None if load is None else load.pace
    start_s = _start_s(pace)
    tokens = replica.slots * replica.context_tokens
    reuses = "prefix_cache" in replica.features
    extra_w = max(0.0, card.power.active_w - card.power.idle_w)
    return NodeSpec(
        card=msgspec.structs.replace(card, rtt_s=card.rtt_s + start_s),
        rates=_rates(pace),
        extra_w=extra_w * pace.prefill_power if pace is not None and pace.metered else None,
        prefix_tokens=tokens if reuses else 0,
        prefix_block_tokens=BLOCK_TOKENS,
        energy_basis=Basis(past.energy_basis.get(card.node, Basis.ESTIMATED.value)),
    )


def _learned(pace: Pace | None) -> Pace | None:
    enough = pace is not None and pace.calibration().predictions_tpot >= LEARNED_LEAST
    return pace if enough else None


def _rates(pace: Pace | None) -> Rates | None:
    """Returns the speed that was learned; None where the card's is all that is known."""
    found = _learned(pace)
    if found is None:
        return None
    return Rates(
        1.0 / found.prefill_s_per_token,
        found.tpot_base_s,
        found.tpot_per_sequence_s,
        Basis.MEASURED,
    )


def _start_s(pace: Pace | None) -> float:
    """Returns what a run's start takes beyond its card's first belief, one step."""
    found = _learned(pace)
    return 0.0 if found is None else max(0.0, found.start_s - found.tpot_base_s)


# Demand.


def requests(
    given: Iterable[e.Event], past: Past, *, known: Iterable[str], lengths: Lengths
) -> Iterator[Request]:
    """Yields the recorded requests, each once, with their true lengths.

    Args:
        given: the recording's events.
        past: what it tells of them.
        known: jobs that the core knows already.
        lengths: counts where the lengths come from.
    """
    seen = set(known)
    for event in given:
        if isinstance(event, e.JobRequested) and event.facts.job not in seen:
            seen.add(event.facts.job)
            yield request_of(event.facts, event.at, past, lengths)


def request_of(facts: RequestFacts, at: float, past: Past, lengths: Lengths) -> Request:
    """Returns a request with its true lengths."""
    truth = past.truth(facts)
    lengths.known += truth.known
    lengths.taken += not truth.known
    return Request(at, facts, truth.input_tokens, truth.output_tokens)


def under_way(state: State) -> list[tuple[Job, Lease | None]]:
    """Returns the jobs that are not over in a state, with the run that each may have."""
    found: list[tuple[Job, Lease | None]] = []
    for name, job in state.jobs.items():
        lease = state.leases.get(name)
        runs = lease is not None and lease.state is not LeaseState.STOPPING
        if runs or job.state is JobState.QUEUED:
            found.append((job, lease if runs else None))
    return found


# What surrounds the core.

NOT_GIVEN = (
    e.Woke,  # the world's clock wakes the core itself
    e.JobRequested,
    e.RunAccepted,
    e.RunDeclined,
    e.RunProgressed,
    e.RunReported,
    e.JobAbandoned,
    e.LoadFailed,
    e.DeadlineDropped,  # what failed there need not fail here
)


class Recorded:
    """The surroundings of a world whose past is known; it tells the recording's given events."""

    def __init__(
        self,
        world: World,
        *,
        given: Iterator[e.Event],
        begin: State,
        away: Sequence[Away],
        proposed: Policy | None,
    ) -> None:
        """Surrounds a world; nothing is told before ``begin``.

        Args:
            world: whose core knows what it knew when the recording began.
            given: all events of the recording, in order.
            begin: what the core knew.
            away: when nodes were away.
            proposed: the policy that is in force in the place of every recorded one; None for
                those.
        """
        self._world = world
        self._driver = world.driver
        self._given = given
        self._begin = begin
        self._away = away
        self._proposed = proposed
        self._asked = set(begin.jobs)
        self._seen: tuple[str, ...] = ()
        self._until: dict[tuple[str, str], float] = {}  # by site: when its surplus expires

    def begin(self, policy: Policy, faults: Sequence[Fault]) -> None:  # noqa: ARG002  (Around's)
        """Sets how things stand, and begins to tell what happened."""
        driver = self._driver
        for zone, now in self._begin.fleet.lanes.grid.items():
            self._blow(zone, now.direct_g_per_kwh)
        for name, record in self._begin.fleet.nodes.items():
            node = self._world.nodes.get(name)
            if node is not None:
                node.up = record.state in (NodeState.LIVE, NodeState.SUSPECT)
                self._stand(name, record.accepting, record.reason, record.energy)
        for one in self._away:
            driver.at(one.from_at, self._vanish, one.node)
            driver.at(one.until_at, self._return, one.node)
        if self._proposed is not None:
            driver.tell(e.PolicyChanged, self._proposed)
        self._await()

    # The recording.

    def _await(self) -> None:
        event = next(self._given, None)
        while event is not None and self._is_left_out(event):
            event = next(self._given, None)
        if event is None:
            self._driver.at(self._driver.now + BEAT_S, self._beat)
        else:
            self._driver.at(event.at, self._happen, event)

    def _is_left_out(self, event: e.Event) -> bool:
        if isinstance(event, e.JobRequested):
            again = event.facts.job in self._asked
            self._asked.add(event.facts.job)
            return not again  # the first time it is the world that asks
        if isinstance(event, e.PolicyChanged):
            return self._proposed is not None
        return isinstance(event, NOT_GIVEN)

    def _happen(self, event: e.Event) -> None:
        match event:
            case e.IntensityChanged():
                self._blow(event.zone, event.direct_g_per_kwh)
            case e.NodeJoined():
                self._return(event.card.node)
                self._stand(event.card.node, event.accepting, event.reason, event.card.energy)
            case e.NodeChanged():
                self._stand(event.node, event.accepting, event.reason, event.energy)
            case e.NodeLeft():
                self._vanish(event.node)
            case e.SenderQuarantined(kind=SenderKind.NODE):
                self._vanish(event.name)
            case e.NodesSeen():
                self._seen = event.nodes
            case _:
                pass
        if isinstance(event, e.NodeJoined):  # its machines serve what they served, and load nothing
            card = msgspec.structs.replace(event.card, loadable=(), loading=())
            event = msgspec.structs.replace(event, card=card)
        if not self._is_over(event):
            self._driver.tell(type(event), *msgspec.structs.astuple(event)[2:])
        self._await()

    def _is_over(self, event: e.Event) -> bool:
        """Whether an event speaks of a job that is over in this world."""
        if isinstance(event, e.JobRequested):
            return event.facts.job not in self._world.jobs
        return isinstance(event, e.JobCancelled) and event.job not in self._world.jobs

    def _beat(self, _: None) -> None:
        """Nothing more is known: whoever was there at last stays."""
        self._driver.tell(e.NodesSeen, self._seen)
        self._driver.at(self._driver.now + BEAT_S, self._beat)

    # What is true.

    def _vanish(self, name: str) -> None:
        node = self._world.nodes.get(name)
        if node is not None and node.up:
            self._world.machines.vanish(node)

    def _return(self, name: str) -> None:
        node = self._world.nodes.get(name)
        if node is not None:
            node.up = True

    def _stand(self, name: str, accepting: bool, reason: str, energy: EnergyStatus | None) -> None:
        node = self._world.nodes.get(name)
        if node is None:
            return
        node.accepting, node.reason = accepting, "" if accepting else reason
        surplus_w = 0.0
        if energy is not None and energy.expires_at > self._driver.now:
            surplus_w = max(0.0, energy.surplus_w)
            self._until[node.card.coop, node.card.site] = energy.expires_at
            if surplus_w:
                self._driver.at(energy.expires_at, self._expire, node.site)
        self._shine(node.site, surplus_w)

    def _expire(self, site: Site) -> None:
        card = site.nodes[0].card
        if self._until[card.coop, card.site] <= self._driver.now:
            self._shine(site, 0.0)

    def _shine(self, site: Site, surplus_w: float) -> None:
        if surplus_w != site.surplus_w:
            site.account(self._driver.now)
            site.surplus_w = surplus_w
            site.settle()

    def _blow(self, zone: str, grams: float) -> None:
        for site in self._world.sites:
            if site.nodes and site.nodes[0].card.zone == zone:
                site.account(self._driver.now)
                site.grid_g_per_kwh = grams
                site.settle()


def sites(found: Sequence[NodeSpec], policy: Policy) -> list[SiteSpec]:
    """Returns the places of some machines, each with generation of its own that may be nothing."""
    places = sorted({(spec.card.coop, spec.card.site) for spec in found})
    own_g_per_kwh = policy.carbon.own_direct_g_per_kwh
    return [SiteSpec(coop, site, (), own_g_per_kwh) for coop, site in places]
