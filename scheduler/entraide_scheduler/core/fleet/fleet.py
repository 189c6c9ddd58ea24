"""Fleet: the nodes of the pool, their replicas and the pool's leases on them.

Adds, updates and removes nodes and keeps the indexes of their replicas, of loadable models and of
offered context lengths. Answers which nodes are eligible for a shape (``eligibility``).
``state_machines.NODE`` defines the node states.

Inputs: node cards, heartbeats, shapes. Outputs: ``EligibleNodes`` and the indexes.
"""

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter

from msgspec import structs

from entraide.types import (
    Control,
    DataClass,
    EnergyStatus,
    Lending,
    Loadable,
    NodeCard,
    NodeState,
    Replica,
    RequestFacts,
    SurplusEvidence,
)
from entraide_scheduler.core.estimation import AvailabilityProfile, PerformanceModel
from entraide_scheduler.core.fleet.eligibility import EligibilityIndex
from entraide_scheduler.core.fleet.loadable_index import (
    LoadableIndex,
    OfferedValues,
    find_loadable,
)
from entraide_scheduler.core.fleet.replica_index import ReplicaIndex, added_power_w
from entraide_scheduler.core.fleet.replica_tables import ReplicaView
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Changes, Load, Node, Probation, Shape, is_leaving
from entraide_scheduler.core.rules import blocking_bits

MOST = 1e9  # upper bound on each rate, power and time of a card


def is_sound_card(card: NodeCard) -> bool:
    """Tells whether all numbers of a card lie within their bounds.

    Callers refuse any other card: one NaN would make comparisons between nodes meaningless.
    """
    power = card.power
    numbers = (power.idle_w, power.active_w, power.wake_j, power.wake_s, card.rtt_s)
    if not all(0.0 <= number < MOST for number in numbers):
        return False
    return all(map(_is_sound_replica, card.replicas)) and all(
        map(_is_sound_loadable, card.loadable)
    )


def _is_sound_loadable(loadable: Loadable) -> bool:
    sizes = (
        loadable.memory_bytes >= 0 and loadable.fetch_bytes >= 0 and 0.0 <= loadable.load_s < MOST
    )
    return sizes and loadable.slots >= 1 and loadable.context_tokens >= 1


def _is_sound_replica(replica: Replica) -> bool:
    rates = replica.rates
    return (
        1e-3 <= rates.prefill_tokens_per_s < MOST
        and 0.0 <= rates.tpot_base_s < MOST
        and 0.0 <= rates.tpot_per_sequence_s < MOST
        and replica.slots >= 1
        and replica.context_tokens >= 1
    )


class Fleet:
    """Nodes by identifier, in the order in which they first joined.

    All changes of a node's record that an index depends on go through these methods. They update
    the indexes and record what else must follow.

    Args:
        changes: receives what else must follow.

    Attributes:
        nodes: all known nodes; one that left is kept for a while.
        contexts: by model, the distinct context lengths that nodes of the pool offer, ascending.
        replica_index: replicas of the nodes that have not left, with their costs.
        loadable_index: models that the nodes that have not left could load.
        eligibility: which nodes may serve jobs with the same needs.
        eligible_nodes: its method of this name.
        newcomers: nodes on probation, by name; see ``core.newcomers``.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.nodes: dict[str, Node] = {}
        self._contexts = OfferedValues[int]()
        self._revisions = OfferedValues[str]()
        self.contexts = self._contexts.by_model
        self.replica_index = ReplicaIndex(self.nodes, changes)
        self.loadable_index = LoadableIndex()
        self.newcomers: dict[str, Node] = {}
        self.eligibility = EligibilityIndex(self.nodes, self.replica_index, self.loadable_index)
        self.eligible_nodes = self.eligibility.eligible_nodes

    def apply_policy(self, policy: Policy, at: float) -> None:
        """Puts a policy in force."""
        self.eligibility.scanned_nodes_max = policy.limits.explained_nodes
        for node in self.replica_index.apply_policy(policy, at):
            models = () if node.state is NodeState.LEFT else _models_of(node)
            self.eligibility.update_node(node.card.node, models)
        self._changes.shapes = True
        self._mark_offers_changed({**self.contexts, **self.loadable_index.by_model})
        self._mark_plan_due(self.loadable_index.by_model)

    def add_or_update(
        self, card: NodeCard, *, accepting: bool, reason: str, at: float,
        lending: Lending = Lending.ALL,
    ) -> bool:  # fmt: skip
        """Adds a node, or updates the node of the same identifier, by a card that is sound.

        Returns:
            Whether the node's state changed.
        """
        known = self.nodes.get(card.node)
        models = dict.fromkeys(replica.model for replica in card.replicas)
        models.update(dict.fromkeys(offer.model for offer in card.loadable))
        coops = [card.coop]
        if known is not None:
            models.update(_models_of(known))
            coops.append(known.card.coop)
        inputs_before = self._shape_inputs(models, coops)
        turned, changed = self._set_card(card, accepting, reason, at, lending)
        self.eligibility.update_node(card.node, models)
        if changed:
            self._mark_offers_changed(models)
        if self._shape_inputs(models, coops) != inputs_before:
            self._changes.shapes = True
        self._mark_plan_due(self.nodes[card.node].loadable)
        self._changes.opened[card.node] = None
        return turned

    def _set_card(
        self, card: NodeCard, accepting: bool, reason: str, at: float, lending: Lending
    ) -> tuple[bool, bool]:
        """Returns whether the node's state changed, and whether what the node offers changed."""
        replicas: dict[str, Replica] = {}
        for replica in card.replicas:
            replicas.setdefault(replica.model, replica)
        node = self.nodes.get(card.node)
        if node is None:
            node = Node(
                card, replicas, NodeState.LIVE, at, accepting, reason, card.energy, loads={}
            )
            node.loadable = find_loadable(card, replicas)
            node.lending, node.availability = lending, AvailabilityProfile()
            self.nodes[card.node] = node
            self._count_offer(node, 1)
            self.replica_index.add_node(node, at)
            _record_availability(node, at)
            return True, True
        if node.state is not NodeState.LEFT:
            self.replica_index.remove_node(node, at)
            self._count_offer(node, -1)
        turned = node.step("hello")
        changed = turned or _offer_of(node.card) != _offer_of(card)
        node.loads = _carry_over_loads(node, card, replicas)
        node.card, node.replicas, node.energy = card, replicas, card.energy
        node.loadable = find_loadable(card, replicas)
        node.accepting, node.reason, node.last_seen, node.left_at = accepting, reason, at, 0.0
        node.lending = lending
        for load in node.loads.values():
            load.paused = ""
        self._count_offer(node, 1)
        self.replica_index.add_node(node, at)
        _record_availability(node, at)
        return turned, changed

    def set_vouched(
        self, node: Node, *, controlled_by: Control, surplus_evidence: SurplusEvidence,
        zone: str, site: str, at: float,
    ) -> None:  # fmt: skip
        """Replaces what the operator vouches for a node that has not left."""
        self.replica_index.remove_node(node, at)
        node.card = structs.replace(
            node.card, controlled_by=controlled_by, surplus_evidence=surplus_evidence,
            zone=zone, site=site,
        )  # fmt: skip
        self.replica_index.add_node(node, at)
        self.eligibility.update_node(node.card.node, _models_of(node))
        self._mark_offers_changed(_models_of(node))
        self._mark_plan_due(node.loadable)
        self._changes.opened[node.card.node] = None

    def update_node(
        self, node: Node, *, accepting: bool, reason: str, energy: EnergyStatus | None, at: float,
        lending: Lending = Lending.ALL,
    ) -> None:  # fmt: skip
        """Applies a heartbeat that changed something."""
        if (node.accepting, node.lending) != (accepting, lending):
            self._mark_plan_due(node.loadable)
        node.accepting, node.reason, node.energy = accepting, reason, energy
        if node.lending is not lending:
            inputs_before = self._shape_inputs((), [node.card.coop])
            self.replica_index.set_lending(node, lending)
            if self._shape_inputs((), [node.card.coop]) != inputs_before:
                self._changes.shapes = True
        self.refresh_node(node, at, opened=True)

    def step_node(self, node: Node, trigger: str, at: float) -> bool:
        """Applies a trigger to a node that has not left; returns whether its state changed."""
        turned = node.step(trigger)
        if turned:
            self.refresh_node(node, at, opened=node.state is NodeState.LIVE)
            self._mark_plan_due(node.loadable)
            if node.state is NodeState.LOST:
                self._mark_offers_changed(_models_of(node))
        return turned

    def stop_accepting(self, node: Node, reason: str, at: float) -> None:
        """Records that a node accepts no new work, with the stable code of why."""
        node.accepting, node.reason = False, reason
        self.refresh_node(node, at)

    def pause_replica(self, node: Node, model: str, code: str, at: float) -> None:
        """Pauses a replica, if the node has it; the code says why."""
        load = node.loads.get(model)
        if load is not None:
            load.paused = code
            self.refresh_node(node, at)

    def end_pauses(self, node: Node, at: float) -> None:
        """Ends the due pauses of a node's replicas, except of those that are being unloaded."""
        for model, load in node.loads.items():
            if load.paused_until <= at and not is_leaving(node, model):
                load.paused = ""
        self.refresh_node(node, at, opened=True)

    def reserve_replica(self, node: Node, model: str, job: str, at: float) -> None:
        """Reserves a replica for a job; "" ends the reservation."""
        node.loads[model].reserved = job
        self.refresh_node(node, at)

    def refresh_node(self, node: Node, at: float, *, opened: bool = False) -> None:
        """Computes a node's costs and blocked codes again after a change of its record.

        Args:
            node: the node; nothing is computed for one that has left.
            at: now, seconds since the epoch.
            opened: whether the node may admit more than before.
        """
        if node.state is not NodeState.LEFT:
            _record_availability(node, at)
            self.replica_index.update_node(node, at)
            if opened:
                self._changes.opened[node.card.node] = None

    def count_hours(self, node: Node, at: float) -> bool:
        """Counts the ended hours in the profile of a node that was heard; tells if any ended."""
        if at < node.availability.ends_at:
            return False
        node.availability.count_hours(at)
        self.replica_index.version += 1
        return True

    def remove_node(self, node: Node, reason: str, at: float) -> None:
        """Removes a node that leaves, with the reason; its record is kept until forgotten."""
        models, coops = _models_of(node), [node.card.coop]
        inputs_before = self._shape_inputs(models, coops)
        self._mark_plan_due(node.loadable)
        self.replica_index.remove_node(node, at)
        self._count_offer(node, -1)
        node.step("leave")
        node.accepting, node.reason, node.left_at = False, reason, at
        _record_availability(node, at)
        self.eligibility.update_node(node.card.node, models)
        self._mark_offers_changed(models)
        if self._shape_inputs(models, coops) != inputs_before:
            self._changes.shapes = True

    def _shape_inputs(self, models: Iterable[str], coops: list[str]) -> list[object]:
        """Returns what jobs' shapes depend on of some models' contexts and co-ops' nodes."""
        could = self.loadable_index.contexts
        contexts = [(self.contexts.get(model), could.get(model)) for model in models]
        restricted = [coop in self.replica_index.restricted_nodes for coop in coops]
        return [contexts, restricted, bool(self.newcomers)]

    def _mark_offers_changed(self, models: Iterable[str]) -> None:
        self._changes.aliases = True
        self._changes.servable.update(dict.fromkeys(models))

    def _mark_plan_due(self, models: Iterable[str]) -> None:
        """Makes a plan due if any node can load a model; some models may be loaded differently."""
        if self.loadable_index.nodes:
            self._changes.plan = True
            self._changes.note_service(models)

    def set_probation(self, node: Node, probation: Probation) -> None:
        """Sets a node's probation; the caller then calls ``refresh_node``."""
        inputs_before = self._shape_inputs((), [node.card.coop])
        self.replica_index.set_probation(node, probation)
        self.newcomers.pop(node.card.node, None)
        if probation.limited:
            self.newcomers[node.card.node] = node
        if self._shape_inputs((), [node.card.coop]) != inputs_before:
            self._changes.shapes = True

    def set_quarantine(self, node: Node, reason: str) -> None:
        """Sets the reason of a node's quarantine; "" ends the quarantine."""
        node.quarantine = reason
        self.eligibility.update_node(node.card.node, _models_of(node))
        self._changes.note_service(_models_of(node))

    def forget_node(self, name: str) -> None:
        """Deletes a node that left."""
        del self.nodes[name]
        self.eligibility.update_node(name, ())

    def own_coop(self, facts: RequestFacts) -> str:
        """Returns a request's co-op if a rule treats its own machines otherwise; else ""."""
        is_own = facts.data_class is DataClass.RESTRICTED
        return facts.coop if is_own or self.replica_index.lends_in_part(facts.coop) else ""

    def may_admit(self, view: ReplicaView, shape: Shape) -> bool:
        """Tells whether no filter excludes a replica from a shape now."""
        return not blocking_bits(view, shape) and view.name in self.eligible_nodes(shape)

    def offers(self, model: str) -> bool:
        """Tells whether a node that has not left serves a model or could load it."""
        return model in self.contexts or model in self.loadable_index.by_model

    def revisions_of(self, model: str) -> tuple[str, ...]:
        """Returns the distinct weights of a model that nodes serve, else those they could load."""
        served = self._revisions.by_model.get(model, ())
        return served or self.loadable_index.revisions.get(model, ())

    def update_model_loads(self, node: Node) -> None:
        """Updates the index of loadable models for a node whose model loads changed."""
        self.loadable_index.remove_node(node)
        self.loadable_index.add_node(node)
        models = {**_models_of(node), **dict.fromkeys(node.orders)}
        self.eligibility.update_node(node.card.node, models)
        self._changes.note_service(models)

    def round_context(self, model: str, tokens: int) -> int:
        """Returns the least offered or loadable context that holds ``tokens``, else ``tokens``."""
        known = self.contexts.get(model, ())
        could = self.loadable_index.contexts.get(model)
        if could is not None:
            known = tuple(sorted((*known, *could)))
        place = bisect_left(known, tokens)
        return known[place] if place < len(known) else tokens

    def _count_offer(self, node: Node, times: int) -> None:
        """Adds (1) or removes (-1) a node's offers in the indexes."""
        if times > 0:
            self.loadable_index.add_node(node)
        else:
            self.loadable_index.remove_node(node)
        for model, replica in node.replicas.items():
            self._contexts.count(model, replica.context_tokens, times)
            self._revisions.count(model, replica.revision, times)

    def restore(self, nodes: dict[str, Node], at: float) -> None:
        """Adds the nodes of a snapshot."""
        self.nodes.update(nodes)
        for name, node in nodes.items():
            if node.probation.limited:
                self.newcomers[name] = node
            if node.state is not NodeState.LEFT:
                self._count_offer(node, 1)
                self.replica_index.add_node(node, at)
            self.eligibility.update_node(name, ())


# Parts of a card on which it does not depend which jobs a node may serve; any other part does.
NOT_OFFERED = ("node", "site", "power", "energy", "rtt_s", "agent", "surplus_evidence", "terms")
_offer_of = attrgetter(*(name for name in NodeCard.__struct_fields__ if name not in NOT_OFFERED))


def _record_availability(node: Node, at: float) -> None:
    """Records whether a node takes work of all co-ops, in its availability profile."""
    takes = node.state is NodeState.LIVE and node.accepting
    node.availability.set_available(takes and node.lending is not Lending.OWN_ONLY, at)


def _models_of(node: Node) -> dict[str, None]:
    """Returns the models that a node serves or could load."""
    return dict.fromkeys((*node.replicas, *node.loadable))


def _carry_over_loads(node: Node, card: NodeCard, replicas: dict[str, Replica]) -> dict[str, Load]:
    """Returns the loads that survive a new card: running leases and learned performance.

    A replica with other rates gets a new performance model. A replica with another power or other
    slots keeps its model, with the new value in it.
    """
    kept: dict[str, Load] = {}
    for model, load in node.loads.items():
        before, now = node.replicas.get(model), replicas.get(model)
        same = before is not None and now is not None and before.rates == now.rates
        if same and now is not None:
            load.pace.slots = now.slots
            if card.power != node.card.power:
                load.pace.set_power(added_power_w(card))
        elif now is not None:
            load.pace = PerformanceModel.prior(
                now.rates, extra_w=added_power_w(card), slots=now.slots
            )
        elif not load.leases:
            continue
        kept[model] = load
    return kept
