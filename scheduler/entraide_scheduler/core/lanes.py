"""Lanes: the replicas as placement sees them, each with what it would ask for one more job.

Decides when a quote is made anew: when a lease comes or goes, a first token is heard, a run has
taught something, the grid or a surplus changes. So a decision reads what is there and computes
nothing twice. It refuses to know jobs, and which of the lanes is taken.
"""

from collections.abc import Container, Iterable, Iterator

from msgspec import Struct

from entraide.types import DataClass, EnergyStatus, Lending, NodeCard, NodeState, Replica
from entraide_scheduler.core.carbon import (
    UNKNOWN_ZONE,
    Effective,
    ZoneIntensity,
    effective,
    holds_until,
    on_grid,
)
from entraide_scheduler.core.owed import OwnDelta
from entraide_scheduler.core.own_kinds import OwnKind, kind_of_replica
from entraide_scheduler.core.pace import Pace
from entraide_scheduler.core.policy import IntensityBasis, Lend, Policy
from entraide_scheduler.core.quote import Quote, is_cheaper, quote, typical_uwh
from entraide_scheduler.core.records import Lease, Load, Node, Shape
from entraide_scheduler.core.rules import LASTING, PASSING, first_broken
from entraide_scheduler.core.table import Table
from entraide_scheduler.core.tables import ReplicaState

# Which of ``PASSING`` a lane breaks, counted from 1, or 0 for none; for its owner's work, for the
# others', for its owner's batch work and for the others'.
Views = tuple[int, int, int, int]
OPEN: Views = (0, 0, 0, 0)
NO_SLOTS = (0, 0)
(
    _SUSPECT, _LOST, _NOT_ACCEPTING, _RESTING, _PROBING, RESERVED_CODE, _NO_FREE_SLOT,
    _OWN_ONLY, _LEND, _BATCH, NOT_EMPTY_CODE,
) = range(1, len(PASSING) + 1)  # fmt: skip


class Lane(Struct, eq=False):
    """One replica of a model on one node.

    Attributes:
        node, replica, load: what it is and what our leases put on it.
        name, coop, zone: of the node.
        effective: intensity of an extra load there.
        quote: what it asks for one more job.
        shut: the passing rule that it breaks, by view.
        typical_input_uwh, typical_output_uwh: energy of a token of a prompt, and of an answer at a
            full batch, by its card.
        own_kind: which jobs of its own co-op it may ever run.
        row: its place in the model's table, once there is one.
        counted: slots, and slots for batch work, that are counted as its co-op's own.
    """

    node: Node
    name: str
    coop: str
    zone: str
    replica: Replica
    load: Load
    effective: Effective
    quote: Quote
    shut: Views
    typical_input_uwh: float
    typical_output_uwh: float
    own_kind: OwnKind
    row: int = -1
    counted: tuple[int, int] = NO_SLOTS


def view(node: Node, shape: Shape) -> int:
    """Returns which entry of ``Lane.shut`` holds for a shape."""
    foreign = 0 if node.card.coop == shape.coop else 1
    return foreign + 2 if shape.batch else foreign


def power_w(card: NodeCard) -> float:
    """Returns the power that work adds to a machine, watts."""
    return max(0.0, card.power.active_w - card.power.idle_w)


def extra_w(node: Node) -> float:
    """Returns the power that work adds to a node, watts."""
    return power_w(node.card)


def site_of(node: Node) -> tuple[str, str]:
    """Returns a site's key: two co-ops may give their places the same name."""
    return node.card.coop, node.card.site


def code_of(lane: Lane, shape: Shape) -> int:
    """Returns which of ``PASSING`` a lane breaks for a shape, counted from 1; 0 for none."""
    seen = view(lane.node, shape)
    code = lane.shut[seen]
    if not shape.alone:
        return code
    if code == RESERVED_CODE and lane.load.reserved == shape.alone:
        code = Lanes.shut_of(lane.node, lane.replica, lane.load, reserved=False)[seen]
    return code or (NOT_EMPTY_CODE if lane.load.leases else 0)


def is_only_occupied(code: int) -> bool:
    """Tells whether nothing but the runs that a lane has keeps a job from it."""
    return code in (0, _NO_FREE_SLOT, NOT_EMPTY_CODE)


def may_open(lane: Lane, shape: Shape) -> bool:
    """Tells whether a shape that fitted nowhere may fit a lane as it stands now."""
    if shape.data_class is DataClass.RESTRICTED and shape.coop != lane.node.card.coop:
        return False
    return not code_of(lane, shape) and first_broken(lane.node, shape, LASTING) is None


class Lanes:
    """All lanes of nodes that have not left, by model and node.

    Attributes:
        of: by model, then node, in the order in which they came.
        version: changes whenever a node comes, goes, or changes what it takes.
        tables: the same as columns, for models that many nodes serve, with the lanes by row.
        grid: intensity by zone.
        keeping: by co-op, how many of its nodes put it first, by their owners' word.
        watched: models whose lanes are noted when they open or become cheaper.
        eased: those lanes, by model and node; whoever looks at them takes them out.
        own_deltas: changes of the slots that co-ops' own nodes have; taken out likewise.
    """

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.grid: dict[str, ZoneIntensity] = {}
        self._nodes = nodes
        self.of: dict[str, dict[str, Lane]] = {}
        self.version = 0
        self.tables: dict[str, tuple[Table, list[Lane]]] = {}
        self._policy = Policy(version="none")
        self._lend: dict[str, Lend] = {}
        self._sites: dict[tuple[str, str], dict[str, Node]] = {}
        self._drawn: dict[tuple[str, str], float] = {}
        self._zones: dict[str, dict[str, Node]] = {}
        self._owned: dict[str, dict[str, Node]] = {}
        self._on_grid: dict[str, Effective] = {}
        self.keeping: dict[str, int] = {}
        self.watched: Container[str] = ()
        self.eased: dict[tuple[str, str], Lane] = {}
        self.own_deltas: list[OwnDelta] = []

    # Nodes.

    def stand(self, node: Node, at: float) -> None:
        """Takes in a node that has come, or come back."""
        self.version += 1
        name, site = node.card.node, site_of(node)
        self._sites.setdefault(site, {})[name] = node
        self._zones.setdefault(node.card.zone, {})[name] = node
        self._owned.setdefault(node.card.coop, {})[name] = node
        self._keep(node, 1)
        for model, replica in node.replicas.items():
            load = node.loads.get(model)
            if load is None:
                pace = Pace.prior(replica.rates, extra_w=extra_w(node), slots=replica.slots)
                load = node.loads[model] = Load(pace)
            self._limit(node, replica, load)
            seen = self._effective(node, load, at)
            lane = Lane(
                node,
                name,
                node.card.coop,
                node.card.zone,
                replica,
                load,
                seen,
                quote(node, load, seen, self._policy.carbon.basis),
                self.shut_of(node, replica, load),
                *typical_uwh(replica, extra_w=extra_w(node)),
                kind_of_replica(node.card, replica),
            )
            self.of.setdefault(model, {})[name] = lane
            self._count_own(lane)
            self.tables.pop(model, None)
            if model in self.watched:
                self.eased[model, name] = lane
        self._draw(site, at)

    def fall(self, node: Node, at: float) -> None:
        """Takes out a node that leaves, or before its card changes."""
        name, site = node.card.node, site_of(node)
        if self._sites.get(site, {}).pop(name, None) is None:
            return
        self.version += 1
        self._keep(node, -1)
        if not self._sites[site]:
            del self._sites[site]
            self._drawn.pop(site, None)
        del self._zones[node.card.zone][name], self._owned[node.card.coop][name]
        for model in node.replicas:
            self._count_own(self.of[model].pop(name), there=False)
            if not self.of[model]:
                del self.of[model]
            self.tables.pop(model, None)
        if site in self._sites:
            self._draw(site, at)

    def lend(self, node: Node, lending: Lending) -> None:
        """Takes an owner's word on whose work a node takes; ``changed`` comes after it."""
        self._keep(node, -1)
        node.lending = lending
        self._keep(node, 1)

    def _keep(self, node: Node, by: int) -> None:
        if node.lending is not Lending.ALL:
            coop = node.card.coop
            self.keeping[coop] = self.keeping.get(coop, 0) + by
            if not self.keeping[coop]:
                del self.keeping[coop]

    def obey(self, policy: Policy, at: float) -> None:
        """Puts a policy in force."""
        self.version += 1
        self._policy = policy
        self._lend = {terms.coop: terms.lend for terms in policy.coops}
        for lanes in self.of.values():
            for lane in lanes.values():
                self._limit(lane.node, lane.replica, lane.load)
                self.refresh(lane, at)
                self._count_own(lane)

    def keeps_a_part(self, coop: str) -> bool:
        """Tells whether a co-op lends less than all of its nodes, by its word or an owner's."""
        lend = self._lend.get(coop)
        if coop in self.keeping:
            return True
        return lend is not None and (lend.part < 1.0 or lend.energy_wh_per_day is not None)

    def changed(self, node: Node, at: float) -> None:
        """Looks again at a node whose state, readiness or surplus changed."""
        self.version += 1
        self._draw(site_of(node), at)
        for lane in self._lanes_of(node):
            self._limit(node, lane.replica, lane.load)
        self._refresh_nodes((node,), at)

    def blow(self, zone: str, intensity: ZoneIntensity, at: float) -> None:
        """Looks again at the nodes of a zone whose intensity changed."""
        self.grid[zone] = intensity
        self._on_grid.pop(zone, None)
        self._refresh_nodes(self._zones.get(zone, {}).values(), at)

    def valid_until(self, node: Node) -> float | None:
        """Returns when a node's renewable status stops counting; None without one."""
        return None if node.energy is None else holds_until(node.energy, self._policy.evidence)

    def g_per_kwh(self, node: Node, at: float) -> float:
        """Returns the intensity of one more job's load on a node, as decisions compare it."""
        if node.energy is None:
            seen = on_grid(self.grid.get(node.card.zone, UNKNOWN_ZONE))
        else:
            seen = self.effective_there(node, node.energy, 1, at)
        direct = self._policy.carbon.basis is IntensityBasis.DIRECT
        return seen.direct_g_per_kwh if direct else seen.lifecycle_g_per_kwh

    def _count_own(self, lane: Lane, *, there: bool = True) -> None:
        """Counts the slots that a replica gives its own co-op; only what changed is told."""
        now = NO_SLOTS
        if there and not 0 < lane.shut[0] <= _RESTING:
            now = lane.replica.slots, lane.load.batch_slots
        if now != lane.counted:
            more, more_batch = now[0] - lane.counted[0], now[1] - lane.counted[1]
            lane.counted = now
            self.own_deltas.append(OwnDelta(lane.coop, lane.own_kind, more, more_batch))

    # Leases.

    def hold(self, lease: Lease, at: float) -> None:
        """Counts a lease on its node."""
        node, load = self._where(lease)
        was_idle = not node.leases
        self._pass_time(load, at)
        node.leases += 1
        load.leases += 1
        load.batch += lease.batch
        load.foreign += lease.foreign
        load.reading += 1
        load.reading_tokens += lease.expected.input_tokens
        load.reading_s += lease.prefill_s
        load.free_at = max(load.free_at, at) + lease.prefill_s
        self._loaded(node, lease.terms.model, at, toggled=was_idle)

    def produced(self, lease: Lease, at: float) -> None:
        """Notes a lease's first token: its prompt has been read."""
        node, load = self._where(lease)
        lease.first_at = at
        self._pass_time(load, at)
        lease.sequences_s = load.sequences_s
        _read(load, lease)
        load.free_at = at - node.card.rtt_s + load.reading_s
        self._loaded(node, lease.terms.model, at, toggled=False)

    def release(self, lease: Lease, at: float) -> None:
        """Takes a lease off its node."""
        node, load = self._where(lease)
        self._pass_time(load, at)
        node.leases -= 1
        load.leases -= 1
        load.batch -= lease.batch
        load.foreign -= lease.foreign
        if not lease.first_at:
            _read(load, lease)
            load.free_at = min(load.free_at, at + load.reading_s)
        self._loaded(node, lease.terms.model, at, toggled=not node.leases)

    def mean_batch(self, lease: Lease, at: float) -> float:
        """Returns how many sequences ran on average since a lease's first token."""
        _, load = self._where(lease)
        took_s = at - lease.first_at
        if not lease.first_at or took_s <= 0.0:
            return float(max(1, load.leases))
        now_s = load.sequences_s + load.leases * (at - load.since)
        return max(1.0, (now_s - lease.sequences_s) / took_s)

    def _where(self, lease: Lease) -> tuple[Node, Load]:
        node = self._nodes[lease.terms.node]
        return node, node.loads[lease.terms.model]

    @staticmethod
    def _pass_time(load: Load, at: float) -> None:
        load.sequences_s += load.leases * (at - load.since)
        load.since = at

    def _loaded(self, node: Node, model: str, at: float, *, toggled: bool) -> None:
        if toggled:
            self._draw(site_of(node), at)
            self._refresh_nodes((node,), at)
            return
        lane = self.lane(model, node.card.node)
        if lane is not None:
            self.refresh(lane, at)

    def lane(self, model: str, node: str) -> Lane | None:
        """Returns a lane; None when the node does not serve the model."""
        lanes = self.of.get(model)
        return None if lanes is None else lanes.get(node)

    def table(self, model: str) -> tuple[Table, list[Lane]]:
        """Returns a model's lanes as columns, and by row, in order of the nodes' names."""
        known = self.tables.get(model)
        if known is None:
            lanes = self.of[model]
            rows = [lanes[name] for name in sorted(lanes)]
            for row, lane in enumerate(rows):
                lane.row = row
            table = Table([(lane.quote, lane.shut, lane.zone, lane.coop) for lane in rows])
            known = self.tables[model] = (table, rows)
        return known

    # Quotes.

    def refresh(self, lane: Lane, at: float) -> None:
        """Makes a lane's quote anew."""
        node, load = lane.node, lane.load
        before, shut = lane.quote, lane.shut
        lane.effective = self._effective(node, load, at)
        lane.quote = quote(node, load, lane.effective, self._policy.carbon.basis)
        lane.shut = self.shut_of(node, lane.replica, load)
        if lane.shut[0] != shut[0]:
            self._count_own(lane)
        model = lane.replica.model
        if model in self.watched and (lane.shut != shut or is_cheaper(lane.quote, before)):
            self.eased[model, lane.name] = lane
        if lane.row >= 0:
            known = self.tables.get(model)
            if known is not None:
                known[0].write(lane.row, lane.quote, lane.shut)

    def _refresh_nodes(self, nodes: Iterable[Node], at: float) -> None:
        for node in nodes:
            for lane in self._lanes_of(node):
                self.refresh(lane, at)

    def _lanes_of(self, node: Node) -> Iterator[Lane]:
        name = node.card.node
        for model in node.replicas:
            lane = self.lane(model, name)
            if lane is not None:
                yield lane

    def _limit(self, node: Node, replica: Replica, load: Load) -> None:
        """Fixes how many slots others, and batch work, may hold; one at least for batch work."""
        slots = replica.slots
        load.lend_slots = self.lend_slots(node, slots)
        batch = int(self._policy.deferral.slots_part * slots)
        load.batch_slots = max(1, min(batch, slots - 1))

    def lend_slots(self, node: Node, slots: int) -> int:
        """Returns how many of a replica's slots other co-ops may hold on a node."""
        lent = int(self._lend.get(node.card.coop, Lend()).part * slots)
        if node.lending is Lending.OWN_FIRST and slots > 1:
            return min(lent, slots - 1)
        return lent

    @staticmethod
    def shut_of(node: Node, replica: Replica, load: Load, *, reserved: bool = True) -> Views:
        """Returns the passing rule that is broken, by view; the same as the rules' own tests.

        Args:
            node: the lane's.
            replica: the lane's.
            load: the lane's.
            reserved: whether it counts that a job has the replica to itself.
        """
        code = _shut_to_all(node, replica, load, reserved=reserved)
        if code:
            return code, code, code, code
        foreign = batch = 0
        if node.lending is Lending.OWN_ONLY:
            foreign = _OWN_ONLY
        elif load.foreign >= load.lend_slots:
            foreign = _LEND
        if load.batch >= load.batch_slots:
            batch = _BATCH
        if not foreign and not batch:
            return OPEN
        return 0, foreign, batch, foreign or batch

    # Sites.

    def _draw(self, site: tuple[str, str], at: float) -> None:
        """Reckons what our jobs draw at a site; its other nodes have more or less surplus then.

        A machine draws its active power from its first job on. Only sites with a surplus count.
        """
        there = self._sites.get(site)
        if there is None:
            return
        sunny = any(node.energy is not None for node in there.values())
        if not sunny:
            self._drawn.pop(site, None)
            return
        drawn = 0.0
        for name in sorted(there):
            if there[name].leases:
                drawn += extra_w(there[name])
        if self._drawn.get(site) != drawn:
            self._drawn[site] = drawn
            self._refresh_nodes(there.values(), at)

    def _effective(self, node: Node, load: Load, at: float) -> Effective:
        zone, energy = node.card.zone, node.energy
        if energy is None:
            found = self._on_grid.get(zone)
            if found is None:
                found = self._on_grid[zone] = on_grid(self.grid.get(zone, UNKNOWN_ZONE))
            return found
        return self.effective_there(node, energy, load.leases + 1, at)

    def effective_there(self, node: Node, energy: EnergyStatus, batch: int, at: float) -> Effective:
        """Returns the intensity of one more job's load: its machine's, shared by the batch."""
        extra = extra_w(node)
        drawn = self._drawn.get(site_of(node), 0.0)
        # The job takes a batch-th of its machine's draw; the rest is the other jobs'.
        used_w = drawn - extra / batch if node.leases else drawn
        return effective(
            self.grid.get(node.card.zone, UNKNOWN_ZONE),
            energy,
            policy=self._policy.carbon,
            evidence=self._policy.evidence,
            power_w=extra / batch,
            used_w=max(0.0, used_w),
            at=at,
        )


def _shut_to_all(node: Node, replica: Replica, load: Load, *, reserved: bool) -> int:
    """Returns the passing rule that is broken whoever asks; 0 for none."""
    if node.state is not NodeState.LIVE:
        return _SUSPECT if node.state is NodeState.SUSPECT else _LOST
    if not node.accepting or load.paused:
        return _NOT_ACCEPTING
    backoff = node.backoffs.get(replica.model) if node.backoffs else None
    if backoff is not None and backoff.state is ReplicaState.RESTING:
        return _RESTING
    if backoff is not None and backoff.state is ReplicaState.PROBING and load.leases:
        return _PROBING
    if load.reserved and reserved:
        return RESERVED_CODE
    return _NO_FREE_SLOT if load.leases >= replica.slots else 0


def _read(load: Load, lease: Lease) -> None:
    """A prompt is read, or will not be."""
    load.reading -= 1
    load.reading_tokens -= lease.expected.input_tokens
    load.reading_s = load.reading_s - lease.prefill_s if load.reading else 0.0
