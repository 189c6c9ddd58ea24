"""Replica index: all replicas by model and node, each with its current cost model.

Keeps the cost model and the blocked bits of each replica up to date, so that placement only reads
them. They are computed again when a lease begins or ends, the performance model learns from a run,
or the intensity, the surplus, the policy or the node changes. A first token changes only when the
replica is free.

Inputs: nodes, leases, zone intensities, the policy. Outputs: ``ReplicaView`` objects, the same as
columns (``replica_table``), and lists of replicas that became open or cheaper.
"""

from collections.abc import Container, Iterable, Iterator

from msgspec import structs

from entraide.shared_fields import make_copier
from entraide.types import Basis, EnergyStatus, Lending, Loadable, NodeCard, Rates, Replica
from entraide_scheduler.core.carbon import (
    UNKNOWN_ZONE,
    EffectiveIntensity,
    ZoneIntensity,
    effective_intensity,
    grid_intensity,
    status_valid_until,
)
from entraide_scheduler.core.estimation import PerformanceModel
from entraide_scheduler.core.fleet.replica_tables import NO_SLOTS, ReplicaTables, ReplicaView
from entraide_scheduler.core.policy import IntensityBasis, Lend, Policy
from entraide_scheduler.core.prediction import (
    is_cheaper,
    make_cost_model,
    typical_token_uwh,
)
from entraide_scheduler.core.records import (
    Changes,
    Lease,
    Load,
    Node,
    Probation,
    Shape,
    kind_of_replica,
)
from entraide_scheduler.core.rules import (
    CLOSED_BITS,
    OUT_OF_SERVICE_BITS,
    REQUESTER_MASKS,
    LoadedReplica,
    OwnSlotsChange,
    find_blocked_bits,
    may_open,
    refuses_others,
)

LENDS_ALL = Lend()  # terms of a co-op of which the policy says nothing
UNKNOWN_RATES = Rates(1.0, 1.0, 0.0, Basis.DEFAULT)
_replica_of = make_copier(Loadable, Replica)


def added_power_w(card: NodeCard) -> float:
    """Returns a machine's active minus idle power, watts."""
    return max(0.0, card.power.active_w - card.power.idle_w)


def site_of(node: Node) -> tuple[str, str]:
    """Returns a site's key: co-op and name, since two co-ops may use the same name."""
    return node.card.coop, node.card.site


def is_open(view: ReplicaView) -> bool:
    """Tells whether a replica takes work of some requester now."""
    return not view.blocked_bits & REQUESTER_MASKS[0]  # no requester has fewer filters


def _without_coops(policy: Policy) -> Policy:
    return structs.replace(policy, version="", coops=())


class ReplicaIndex:
    """All replicas of nodes that have not left.

    Attributes:
        by_model: replicas by model and node, in order of arrival.
        version: changes when a node is added, removed, or changes what it accepts.
        tables: the same as columns, by model.
        grid: intensity by zone.
        restricted_nodes: by co-op, number of its nodes that lend in part: their owners restrict
            it, or they are newcomers.
        watched: models for which ``improved`` is recorded.
        improved: replicas that opened or became cheaper, by model and node; ``dispatch`` clears it.
        own_deltas: changes of the slots on co-ops' own nodes; ``dispatch`` clears it.
    """

    def __init__(self, nodes: dict[str, Node], changes: Changes) -> None:
        self._changes = changes
        self.grid: dict[str, ZoneIntensity] = {}
        self._nodes = nodes
        self.by_model: dict[str, dict[str, ReplicaView]] = {}
        self.version = 0
        self.tables = ReplicaTables(self.by_model)
        self._policy = Policy(version="none")
        self._lend: dict[str, Lend] = {}
        self._sites: dict[tuple[str, str], dict[str, Node]] = {}
        self._site_draw_w: dict[tuple[str, str], float] = {}
        self._zones: dict[str, dict[str, Node]] = {}
        self._owned: dict[str, dict[str, Node]] = {}
        self._grid_intensities: dict[str, EffectiveIntensity] = {}
        self.restricted_nodes: dict[str, int] = {}
        self.watched: Container[str] = ()
        self.improved: dict[tuple[str, str], ReplicaView] = {}
        self.own_deltas: list[OwnSlotsChange] = []

    # Nodes.

    def add_node(self, node: Node, at: float) -> None:
        """Adds a node that joined or returned."""
        self.version += 1
        self._changes.note_service(node.replicas)
        name, site = node.card.node, site_of(node)
        self._sites.setdefault(site, {})[name] = node
        self._zones.setdefault(node.card.zone, {})[name] = node
        self._owned.setdefault(node.card.coop, {})[name] = node
        node.lends = self._lend.get(node.card.coop, LENDS_ALL).is_any
        self._count_restricted(node, 1)
        for model, replica in node.replicas.items():
            load = node.loads.get(model)
            if load is None:
                performance = PerformanceModel.prior(
                    replica.rates, extra_w=added_power_w(node.card), slots=replica.slots
                )
                load = node.loads[model] = Load(performance)
            self._set_slot_limits(node, replica, load)
            intensity = self._intensity_of(node, load, at)
            view = ReplicaView(
                node,
                replica,
                load,
                0,
                name,
                node.card.coop,
                node.card.zone,
                intensity,
                make_cost_model(node, load, intensity, self._policy.carbon.basis),
                *typical_token_uwh(replica, extra_w=added_power_w(node.card)),
                kind_of_replica(node.card, replica),
            )
            view.set_intensity(intensity)
            view.blocked_bits = find_blocked_bits(view, self._policy)
            self.by_model.setdefault(model, {})[name] = view
            self._count_own(view)
            self.tables.note_change(model, name)
            if model in self.watched:
                self.improved[model, name] = view
        self._update_site_draw(site, at)

    def remove_node(self, node: Node, at: float) -> None:
        """Removes a node that leaves or whose card is about to change."""
        name, site = node.card.node, site_of(node)
        if self._sites.get(site, {}).pop(name, None) is None:
            return
        self.version += 1
        self._changes.note_service(node.replicas)
        self._count_restricted(node, -1)
        if not self._sites[site]:
            del self._sites[site]
            self._site_draw_w.pop(site, None)
        del self._zones[node.card.zone][name], self._owned[node.card.coop][name]
        for model in node.replicas:
            self._count_own(self.by_model[model].pop(name), present=False)
            if not self.by_model[model]:
                del self.by_model[model]
            self.tables.note_change(model, name)
        if site in self._sites:
            self._update_site_draw(site, at)

    def set_lending(self, node: Node, lending: Lending) -> None:
        """Sets which co-ops' jobs a node's owner accepts; the caller then calls ``update_node``."""
        self._count_restricted(node, -1)
        node.lending = lending
        self._count_restricted(node, 1)

    def set_probation(self, node: Node, probation: Probation) -> None:
        """Sets a node's probation; the caller then calls ``update_node``."""
        is_present = node.card.node in self._owned.get(node.card.coop, {})
        self._count_restricted(node, -is_present)
        node.probation = probation
        self._count_restricted(node, is_present)

    def _count_restricted(self, node: Node, change: int) -> None:
        if change and (node.lending is not Lending.ALL or node.probation.limited):
            coop = node.card.coop
            self.restricted_nodes[coop] = self.restricted_nodes.get(coop, 0) + change
            if not self.restricted_nodes[coop]:
                del self.restricted_nodes[coop]

    def apply_policy(self, policy: Policy, at: float) -> list[Node]:
        """Applies a policy, and refreshes the replicas to which its terms are not those before.

        Returns:
            The nodes whose co-op lends something now and nothing before, or the reverse.
        """
        self.version += 1
        before, lent_before = self._policy, self._lend
        self._policy = policy
        self._lend = {terms.coop: terms.lend for terms in policy.coops}
        same = _without_coops(before) == _without_coops(policy)
        for model, views in self.by_model.items():
            for view in views.values():
                if same and lent_before.get(view.coop) == self._lend.get(view.coop):
                    continue
                self._changes.service[model] = None
                self._set_slot_limits(view.node, view.replica, view.load)
                self.refresh(view, at)
                self._count_own(view)
        turned: list[Node] = []
        for node in self._nodes.values():
            lends = self._lend.get(node.card.coop, LENDS_ALL).is_any
            if node.lends != lends:
                node.lends = lends
                turned.append(node)
        return turned

    def lends_in_part(self, coop: str) -> bool:
        """Tells whether the policy, an owner or a probation restricts what a co-op's nodes lend."""
        return coop in self.restricted_nodes or self._lend.get(coop, LENDS_ALL) != LENDS_ALL

    def serves_coop(self, node: Node, coop: str, shape: Shape | None = None) -> bool:
        """Tells whether the rules on a node, whatever it serves, let it run a co-op's jobs.

        With a shape, those of the shape; else some jobs.
        """
        return node.card.coop == coop or not refuses_others(node, self._policy, shape)

    def update_node(self, node: Node, at: float) -> None:
        """Refreshes a node whose state, readiness or surplus changed."""
        self.version += 1
        self._update_site_draw(site_of(node), at)
        for view in self._views_of(node):
            self._set_slot_limits(node, view.replica, view.load)
        self._refresh_nodes((node,), at)

    def set_intensity(self, zone: str, intensity: ZoneIntensity, at: float) -> None:
        """Sets a zone's intensity and refreshes the zone's nodes."""
        self.grid[zone] = intensity
        self._grid_intensities.pop(zone, None)
        self._refresh_nodes(self._zones.get(zone, {}).values(), at)

    def valid_until(self, node: Node) -> float | None:
        """Returns when a node's renewable status expires; None without one."""
        return (
            None if node.energy is None else status_valid_until(node.energy, self._policy.evidence)
        )

    def g_per_kwh(self, node: Node, at: float) -> float:
        """Returns the effective intensity of one more job on a node, on the policy's basis."""
        if node.energy is None:
            intensity = grid_intensity(self.grid.get(node.card.zone, UNKNOWN_ZONE))
        else:
            intensity = self.effective_at_site(node, node.energy, 1, at)
        direct = self._policy.carbon.basis is IntensityBasis.DIRECT
        return intensity.direct_g_per_kwh if direct else intensity.lifecycle_g_per_kwh

    def _count_own(self, view: ReplicaView, *, present: bool = True) -> None:
        """Records the change of the slots that a replica offers its own co-op, if any."""
        slots = NO_SLOTS
        if present and not view.blocked_bits & OUT_OF_SERVICE_BITS:
            slots = view.replica.slots, view.load.batch_slots
        if slots != view.counted_slots:
            more, more_batch = slots[0] - view.counted_slots[0], slots[1] - view.counted_slots[1]
            view.counted_slots = slots
            self.own_deltas.append(OwnSlotsChange(view.coop, view.own_kind, more, more_batch))

    # Leases.

    def add_lease(self, lease: Lease, at: float) -> None:
        """Adds a lease to its replica's load."""
        node, load = self._load_of(lease)
        was_idle = not node.leases
        self._accrue_time(load, at)
        node.leases += 1
        load.leases += 1
        load.batch += lease.batch
        load.foreign += lease.foreign
        load.reading += 1
        load.reading_tokens += lease.expected.input_tokens
        load.reading_s += lease.prefill_s
        load.free_at = max(load.free_at, at) + lease.prefill_s
        self._refresh_after_load_change(node, lease.terms.model, at, starts_or_stops=was_idle)

    def record_first_token(self, lease: Lease, at: float) -> None:
        """Records a lease's first token: its prompt no longer queues."""
        node, load = self._load_of(lease)
        lease.first_at = at
        self._accrue_time(load, at)
        lease.sequences_s = load.sequences_s
        _end_prefill(load, lease)
        load.free_at = at - node.card.rtt_s + load.reading_s
        view = self.view_of(lease.terms.model, lease.terms.node)
        if view is not None:  # nothing else of its cost has changed
            view.cost = structs.replace(view.cost, free_at=load.free_at)
            if view.row >= 0:
                self.tables.write_free_at(view)

    def remove_lease(self, lease: Lease, at: float) -> None:
        """Removes a lease from its replica's load."""
        node, load = self._load_of(lease)
        self._accrue_time(load, at)
        node.leases -= 1
        load.leases -= 1
        load.batch -= lease.batch
        load.foreign -= lease.foreign
        if not lease.first_at:
            _end_prefill(load, lease)
            load.free_at = min(load.free_at, at + load.reading_s)
        self._refresh_after_load_change(
            node, lease.terms.model, at, starts_or_stops=not node.leases
        )

    def mean_batch(self, lease: Lease, at: float) -> float:
        """Returns the time-averaged batch size since a lease's first token."""
        _, load = self._load_of(lease)
        elapsed_s = at - lease.first_at
        if not lease.first_at or elapsed_s <= 0.0:
            return float(max(1, load.leases))
        total_s = load.sequences_s + load.leases * (at - load.since)
        return max(1.0, (total_s - lease.sequences_s) / elapsed_s)

    def _load_of(self, lease: Lease) -> tuple[Node, Load]:
        node = self._nodes[lease.terms.node]
        return node, node.loads[lease.terms.model]

    @staticmethod
    def _accrue_time(load: Load, at: float) -> None:
        load.sequences_s += load.leases * (at - load.since)
        load.since = at

    def _refresh_after_load_change(
        self, node: Node, model: str, at: float, *, starts_or_stops: bool
    ) -> None:
        if starts_or_stops:
            self._update_site_draw(site_of(node), at)
            self._refresh_nodes((node,), at)
            return
        view = self.view_of(model, node.card.node)
        if view is not None:
            self.refresh(view, at)

    def view_of(self, model: str, node: str) -> ReplicaView | None:
        """Returns a node's replica of a model; None without one."""
        views = self.by_model.get(model)
        return None if views is None else views.get(node)

    def once_loaded(self, node: Node, offer: Loadable) -> LoadedReplica:
        """Returns the idle replica that a node would have once it had loaded a model.

        Its speed is unknown; no filter reads it.
        """
        replica = _replica_of(offer, rates=UNKNOWN_RATES)
        performance = PerformanceModel.prior(UNKNOWN_RATES, extra_w=0.0, slots=offer.slots)
        loaded = LoadedReplica(node, replica, Load(performance), 0)
        self._set_slot_limits(node, replica, loaded.load)
        loaded.blocked_bits = find_blocked_bits(loaded, self._policy)
        return loaded

    def rows_of_coop(self, model: str, coop: str) -> list[int]:
        """Returns the rows of a co-op's replicas in a model's table, ascending."""
        views = (self.view_of(model, name) for name in self._owned.get(coop, ()))
        return sorted(view.row for view in views if view is not None)

    # Cost models.

    def refresh(self, view: ReplicaView, at: float) -> None:
        """Computes a replica's intensity, cost model and blocked bits again."""
        node, load = view.node, view.load
        old_cost, old_bits = view.cost, view.blocked_bits
        intensity = self._intensity_of(node, load, at)
        if intensity is not view.effective:
            view.set_intensity(intensity)
        view.cost = make_cost_model(node, load, view.effective, self._policy.carbon.basis)
        view.blocked_bits = find_blocked_bits(view, self._policy)
        if (view.blocked_bits ^ old_bits) & CLOSED_BITS:
            self._count_own(view)
            self._changes.service[view.replica.model] = None
        model = view.replica.model
        if model in self.watched and (
            may_open(old_bits, view.blocked_bits) or is_cheaper(view.cost, old_cost)
        ):
            self.improved[model, view.name] = view
        if view.row >= 0:
            self.tables.write(view)

    def _refresh_nodes(self, nodes: Iterable[Node], at: float) -> None:
        for node in nodes:
            for view in self._views_of(node):
                self.refresh(view, at)

    def _views_of(self, node: Node) -> Iterator[ReplicaView]:
        name = node.card.node
        for model in node.replicas:
            view = self.view_of(model, name)
            if view is not None:
                yield view

    def _set_slot_limits(self, node: Node, replica: Replica, load: Load) -> None:
        """Sets the slots that other co-ops and batch work may hold; at least 1 for batch work."""
        slots = replica.slots
        load.lend_slots = self.lend_slots(node, slots)
        batch_slots = int(self._policy.deferral.slots_part * slots)
        load.batch_slots = max(1, min(batch_slots, slots - 1))

    def lend_slots(self, node: Node, slots: int) -> int:
        """Returns how many of a replica's slots other co-ops may hold."""
        lent = self._lend.get(node.card.coop, LENDS_ALL).slots_of(slots)
        if node.lending is Lending.OWN_FIRST and slots > 1:
            return min(lent, slots - 1)
        return lent

    # Sites.

    def _update_site_draw(self, site: tuple[str, str], at: float) -> None:
        """Computes the power that the pool's jobs draw at a site, and refreshes the site's nodes.

        A machine draws its active power from its first job on. Sites without a renewable status
        are skipped.
        """
        nodes = self._sites.get(site)
        if nodes is None:
            return
        if all(node.energy is None for node in nodes.values()):
            self._site_draw_w.pop(site, None)
            return
        draw_w = 0.0
        for name in sorted(nodes):
            if nodes[name].leases:
                draw_w += added_power_w(nodes[name].card)
        if self._site_draw_w.get(site) != draw_w:
            self._site_draw_w[site] = draw_w
            self._refresh_nodes(nodes.values(), at)

    def _intensity_of(self, node: Node, load: Load, at: float) -> EffectiveIntensity:
        zone, energy = node.card.zone, node.energy
        if energy is None:
            intensity = self._grid_intensities.get(zone)
            if intensity is None:
                intensity = self._grid_intensities[zone] = grid_intensity(
                    self.grid.get(zone, UNKNOWN_ZONE)
                )
            return intensity
        return self.effective_at_site(node, energy, load.leases + 1, at)

    def effective_at_site(
        self, node: Node, energy: EnergyStatus, batch: int, at: float
    ) -> EffectiveIntensity:
        """Returns the effective intensity of a job that is one of ``batch`` on its machine."""
        node_w = added_power_w(node.card)
        draw_w = self._site_draw_w.get(site_of(node), 0.0)
        # The job accounts for 1 / batch of its machine's power; other jobs for the rest.
        used_w = draw_w - node_w / batch if node.leases else draw_w
        return effective_intensity(
            self.grid.get(node.card.zone, UNKNOWN_ZONE),
            energy,
            vouched=node.card.surplus_evidence,
            policy=self._policy.carbon,
            evidence=self._policy.evidence,
            power_w=node_w / batch,
            used_w=max(0.0, used_w),
            at=at,
        )


def _end_prefill(load: Load, lease: Lease) -> None:
    """Removes a lease's prompt from the prefill queue of a load."""
    load.reading -= 1
    load.reading_tokens -= lease.expected.input_tokens
    load.reading_s = load.reading_s - lease.prefill_s if load.reading else 0.0
