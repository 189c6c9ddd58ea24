"""Fleet: the nodes of the pool, their replicas and the pool's leases on them.

Adds, updates and removes nodes and keeps the indexes of their replicas, of loadable models and of
offered context lengths. Answers which nodes are eligible for a shape; the answer is cached until a
node changes. ``state_machines.NODE`` defines the node states.

Inputs: node cards, heartbeats, shapes. Outputs: ``EligibleNodes`` and the indexes.
"""

from bisect import bisect_left
from operator import attrgetter

import numpy as np
from msgspec import Struct, structs

from entraide.types import (
    Control,
    EnergyStatus,
    Lending,
    Loadable,
    NodeCard,
    NodeState,
    Replica,
    SurplusEvidence,
)
from entraide_scheduler.core.estimation import PerformanceModel
from entraide_scheduler.core.fleet.loadable_index import LoadableIndex, find_loadable
from entraide_scheduler.core.fleet.replica_index import ReplicaIndex, ReplicaView, added_power_w
from entraide_scheduler.core.fleet.replica_table import ReplicaTable
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.prediction import Bools
from entraide_scheduler.core.records import Changes, Load, Node, Probation, is_leaving
from entraide_scheduler.core.rules import (
    LOADABLE_RULES,
    BoundedCache,
    Needs,
    Rule,
    first_broken_rule,
    needs_of,
)

ELIGIBLE_KEPT = 256  # combinations of needs whose eligible nodes are cached
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


class Columns(Struct, eq=False):
    """A model's replicas as columns, filtered for one shape.

    Attributes:
        table: the columns.
        views: the replicas, by row.
        row_of: row by node name.
        mask: rows that pass the permanent filters; None when all do.
        own: rows of the shape's own co-op.
    """

    table: ReplicaTable
    views: list[ReplicaView]
    row_of: dict[str, int]
    mask: Bools | None
    own: list[int]


class EligibleNodes(Struct, eq=False):
    """The nodes that pass the permanent filters for a shape, and why the others do not.

    Attributes:
        views: replicas of the eligible nodes, in order of node name.
        excluded: the other nodes, each with the first rule that excludes it.
        counts, examples: number of nodes that each rule excludes, and one example node for each.
        context_tokens: longest context that an eligible node offers; 0 without one.
        could_load: excluded nodes that would be eligible with the model loaded, by name.
        columns: the replicas as columns, in fleets too large to be explained node by node.
    """

    views: list[ReplicaView]
    excluded: list[tuple[Node, Rule]]
    counts: dict[str, int]
    examples: list[tuple[Node, Rule]]
    context_tokens: int
    could_load: list[Node]
    columns: Columns | None = None


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
        newcomers: nodes on probation, by name; see ``core.newcomers``.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.nodes: dict[str, Node] = {}
        self.contexts: dict[str, tuple[int, ...]] = {}
        self.replica_index = ReplicaIndex(self.nodes, changes)
        self.loadable_index = LoadableIndex()
        self.newcomers: dict[str, Node] = {}
        self._offers: dict[str, dict[int, int]] = {}
        self._eligible: BoundedCache[EligibleNodes] = BoundedCache(ELIGIBLE_KEPT)
        self._scanned_nodes_max = 0

    def apply_policy(self, policy: Policy, at: float) -> None:
        """Puts a policy in force."""
        self._scanned_nodes_max = policy.limits.explained_nodes
        self._eligible.clear()
        self.replica_index.apply_policy(policy, at)
        self._changes.shapes = True
        self._mark_plan_due()

    def add_or_update(
        self, card: NodeCard, *, accepting: bool, reason: str, at: float,
        lending: Lending = Lending.ALL,
    ) -> bool:  # fmt: skip
        """Adds a node, or updates the node of the same identifier, by a card that is sound.

        Returns:
            Whether the node's state changed.
        """
        inputs_before = self._shape_inputs()
        turned, changed = self._set_card(card, accepting, reason, at, lending)
        if changed:
            self._mark_offers_changed()
        if self._shape_inputs() != inputs_before:
            self._changes.shapes = True
        self._mark_plan_due()
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
            node.lending = lending
            self.nodes[card.node] = node
            self._count_offer(node, 1)
            self.replica_index.add_node(node, at)
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
        self._eligible.clear()
        self.replica_index.add_node(node, at)
        self._mark_offers_changed()
        self._mark_plan_due()
        self._changes.opened[node.card.node] = None

    def update_node(
        self, node: Node, *, accepting: bool, reason: str, energy: EnergyStatus | None, at: float,
        lending: Lending = Lending.ALL,
    ) -> None:  # fmt: skip
        """Applies a heartbeat that changed something."""
        if (node.accepting, node.lending) != (accepting, lending):
            self._mark_plan_due()
        node.accepting, node.reason, node.energy = accepting, reason, energy
        if node.lending is not lending:
            self.replica_index.set_lending(node, lending)
            self._changes.shapes = True
        self.refresh_node(node, at, opened=True)

    def step_node(self, node: Node, trigger: str, at: float) -> bool:
        """Applies a trigger to a node that has not left; returns whether its state changed."""
        turned = node.step(trigger)
        if turned:
            self.refresh_node(node, at, opened=node.state is NodeState.LIVE)
            self._mark_plan_due()
            if node.state is NodeState.LOST:
                self._mark_offers_changed()
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
        """Ends the pauses of a node's replicas, except of those that are being unloaded."""
        for model, load in node.loads.items():
            if not is_leaving(node, model):
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
            self.replica_index.update_node(node, at)
            if opened:
                self._changes.opened[node.card.node] = None

    def remove_node(self, node: Node, reason: str, at: float) -> None:
        """Removes a node that leaves, with the reason; its record is kept until forgotten."""
        inputs_before = self._shape_inputs()
        self._mark_plan_due()
        self.replica_index.remove_node(node, at)
        self._count_offer(node, -1)
        node.step("leave")
        node.accepting, node.reason, node.left_at = False, reason, at
        self._mark_offers_changed()
        if self._shape_inputs() != inputs_before:
            self._changes.shapes = True

    def _shape_inputs(self) -> tuple[object, ...]:
        """Returns what jobs' shapes depend on: context lengths and nodes with restricted slots."""
        return (
            dict(self.contexts),
            dict(self.loadable_index.contexts),
            sorted(self.replica_index.restricted_nodes),
        )

    def _mark_offers_changed(self) -> None:
        self._changes.aliases = self._changes.servable = True

    def _mark_plan_due(self) -> None:
        """Makes a plan due if any node can load a model."""
        if self.loadable_index.nodes:
            self._changes.plan = self._changes.service = True

    def set_probation(self, node: Node, probation: Probation) -> None:
        """Sets a node's probation; the caller then calls ``refresh_node``."""
        if node.probation.limited != probation.limited:
            self._changes.shapes = True
        self.replica_index.set_probation(node, probation)
        self.newcomers.pop(node.card.node, None)
        if probation.limited:
            self.newcomers[node.card.node] = node

    def set_quarantine(self, node: Node, reason: str) -> None:
        """Sets the reason of a node's quarantine; "" ends the quarantine."""
        node.quarantine = reason
        self._eligible.clear()
        self._changes.service = True

    def forget_node(self, name: str) -> None:
        """Deletes a node that left."""
        del self.nodes[name]
        self._eligible.clear()

    def eligible_nodes(self, needs: Needs) -> EligibleNodes:
        """Returns the nodes that may ever serve a job with these needs; its shape has them.

        Cached until a node changes, by what the permanent rules read of the job. So jobs that
        differ in class, deadline or limits share an answer.
        """
        key = needs_of(needs)
        eligible = self._eligible.get(key)
        if eligible is None:
            eligible = self._find_eligible(needs)
            self._eligible.put(key, eligible)
        return eligible

    def _find_eligible(self, needs: Needs) -> EligibleNodes:
        views: list[ReplicaView] = []
        could_load: list[Node] = []
        excluded: list[tuple[Node, Rule]] = []
        counts: dict[str, int] = {}
        examples: dict[str, tuple[Node, Rule]] = {}
        serving = self.replica_index.by_model.get(needs.model, {})
        for name in sorted(self.nodes):
            node = self.nodes[name]
            rule = first_broken_rule(node, needs)
            if rule is None:
                views.append(serving[name])
            else:
                excluded.append((node, rule))
                if rule in LOADABLE_RULES:
                    could_load.append(node)
                counts[rule.code] = counts.get(rule.code, 0) + 1
                examples.setdefault(rule.code, (node, rule))
        contexts = [view.replica.context_tokens for view in views]
        context_tokens = max(contexts, default=0)
        eligible = EligibleNodes(
            views, excluded, counts, list(examples.values()), context_tokens, could_load
        )
        if len(self.nodes) > self._scanned_nodes_max and views:
            eligible.columns = self._columns(views, needs)
        return eligible

    def _columns(self, eligible: list[ReplicaView], needs: Needs) -> Columns:
        table, views = self.replica_index.table_for(needs.model)
        mask = None
        if len(eligible) < len(views):
            mask = np.zeros(len(views), np.bool_)
            mask[[view.row for view in eligible]] = True
        row_of = {view.name: row for row, view in enumerate(views)}
        own = [view.row for view in views if view.coop == needs.coop]
        return Columns(table, views, row_of, mask, own)

    def offers(self, model: str) -> bool:
        """Tells whether a node that has not left serves a model or could load it."""
        return model in self.contexts or model in self.loadable_index.by_model

    def update_model_loads(self, node: Node) -> None:
        """Updates the index of loadable models for a node whose model loads changed."""
        self._eligible.clear()
        self._changes.service = True
        self.loadable_index.remove_node(node)
        self.loadable_index.add_node(node)

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
        self._eligible.clear()
        if times > 0:
            self.loadable_index.add_node(node)
        else:
            self.loadable_index.remove_node(node)
        for model, replica in node.replicas.items():
            counts = self._offers.setdefault(model, {})
            counts[replica.context_tokens] = counts.get(replica.context_tokens, 0) + times
            if not counts[replica.context_tokens]:
                del counts[replica.context_tokens]
            self.contexts[model] = tuple(sorted(counts))
            if not counts:
                del self._offers[model], self.contexts[model]

    def restore(self, nodes: dict[str, Node], at: float) -> None:
        """Adds the nodes of a snapshot."""
        self.nodes.update(nodes)
        for name, node in nodes.items():
            if node.probation.limited:
                self.newcomers[name] = node
            if node.state is not NodeState.LEFT:
                self._count_offer(node, 1)
                self.replica_index.add_node(node, at)


# Parts of a card on which it does not depend which jobs a node may serve; any other part does.
NOT_OFFERED = ("node", "site", "power", "energy", "rtt_s", "agent", "surplus_evidence", "terms")
_offer_of = attrgetter(*(name for name in NodeCard.__struct_fields__ if name not in NOT_OFFERED))


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
