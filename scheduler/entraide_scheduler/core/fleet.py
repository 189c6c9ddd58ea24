"""Fleet view: the nodes the pool knows, what they serve and what our leases put on them.

Decides who is heard, silent or gone, by the steps of ``state_machines.NODE``. It refuses to know
what becomes of the jobs on a node that turned; ``node_lifecycle`` and ``leases`` do.
"""

from bisect import bisect_left

import numpy as np
from msgspec import Struct

from entraide.types import EnergyStatus, Lending, Loadable, NodeCard, NodeState, Replica
from entraide_scheduler.core.loadable_index import LoadableIndex, find_loadable
from entraide_scheduler.core.performance_model import PerformanceModel
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Load, Node, Shape
from entraide_scheduler.core.replica_index import ReplicaIndex, ReplicaView, added_power_w
from entraide_scheduler.core.replica_table import Bools, ReplicaTable
from entraide_scheduler.core.rules import LOADABLE_RULES, PERMANENT_RULES, Rule, first_broken

ELIGIBLE_KEPT = 256  # shapes whose able nodes are remembered
MOST = 1e9  # no rate, power or time of a node is beyond this; a card that says so is refused


def is_sound_card(card: NodeCard) -> bool:
    """Tells whether a card's numbers can be reckoned with; one that is not sound is refused.

    Anything else would let a single node's NaN into every comparison.
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
    """A model's replicas as columns, as one shape sees them.

    Attributes:
        table: the columns.
        views: by row.
        row_of: a node's row.
        mask: which rows may ever serve the shape; None when all may.
        own: rows of the shape's own co-op, where that matters.
    """

    table: ReplicaTable
    views: list[ReplicaView]
    row_of: dict[str, int]
    mask: Bools | None
    own: list[int]


class EligibleNodes(Struct, eq=False):
    """The nodes that may ever serve a shape, and what excludes each of the others.

    Attributes:
        views: of those nodes, whatever they do now, by name.
        excluded: the others, with the first lasting rule that each breaks.
        counts, examples: how many break each lasting rule, and one node for each.
        context_tokens: the longest context that one of them offers; 0 without any.
        could_load: of the others those that could load the model and would then serve it, by name.
        columns: the same where very many nodes serve the model; else None.
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

    Attributes:
        nodes: all that are known, those that left for a while too.
        contexts: by model, the distinct context lengths that nodes not gone offer, ascending.
        replica_index: the replicas of nodes not gone, as placement sees them.
        loadable_index: what nodes not gone could load.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.contexts: dict[str, tuple[int, ...]] = {}
        self.replica_index = ReplicaIndex(self.nodes)
        self.loadable_index = LoadableIndex()
        self._offers: dict[str, dict[int, int]] = {}
        self._eligible: dict[Shape, EligibleNodes] = {}
        self._scanned_nodes_max = 0

    def apply_policy(self, policy: Policy, at: float) -> None:
        """Puts a policy in force."""
        self._scanned_nodes_max = policy.limits.explained_nodes
        self._eligible = {}
        self.replica_index.apply_policy(policy, at)

    def add_or_update(
        self, card: NodeCard, *, accepting: bool, reason: str, at: float,
        lending: Lending = Lending.ALL,
    ) -> tuple[bool, bool]:  # fmt: skip
        """Takes in a hello, sound already: the same identifier is the same node.

        Returns:
            Whether its state changed, and whether what it serves changed.
        """
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

    def update_node(
        self, node: Node, *, accepting: bool, reason: str, energy: EnergyStatus | None, at: float,
        lending: Lending = Lending.ALL,
    ) -> None:  # fmt: skip
        """Takes in a heartbeat that changed something."""
        node.accepting, node.reason, node.energy = accepting, reason, energy
        if node.lending is not lending:
            self.replica_index.set_lending(node, lending)
        self.replica_index.update_node(node, at)

    def remove_node(self, node: Node, at: float) -> bool:
        """Takes a node that has not left out of service; returns whether its state changed."""
        self.replica_index.remove_node(node, at)
        self._count_offer(node, -1)
        turned = node.step("leave")
        node.left_at = at
        return turned

    def set_quarantine(self, node: Node, reason: str) -> None:
        """Notes why a node is in quarantine; "" when it is not any more."""
        node.quarantine = reason
        self._eligible = {}

    def forget_node(self, name: str) -> None:
        """Forgets a node that left."""
        del self.nodes[name]
        self._eligible = {}

    def eligible_nodes(self, shape: Shape) -> EligibleNodes:
        """Returns the nodes that may ever serve a shape; remembered while no node changes."""
        eligible = self._eligible.get(shape)
        if eligible is not None:
            return eligible
        if len(self._eligible) >= ELIGIBLE_KEPT:
            self._eligible = {}
        eligible = self._eligible[shape] = self._find_eligible(shape)
        return eligible

    def _find_eligible(self, shape: Shape) -> EligibleNodes:
        views: list[ReplicaView] = []
        could_load: list[Node] = []
        excluded: list[tuple[Node, Rule]] = []
        counts: dict[str, int] = {}
        examples: dict[str, tuple[Node, Rule]] = {}
        serving = self.replica_index.by_model.get(shape.model, {})
        for name in sorted(self.nodes):
            node = self.nodes[name]
            rule = first_broken(node, shape, PERMANENT_RULES)
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
            eligible.columns = self._columns(views, shape)
        return eligible

    def _columns(self, eligible: list[ReplicaView], shape: Shape) -> Columns:
        table, views = self.replica_index.table_for(shape.model)
        mask = None
        if len(eligible) < len(views):
            mask = np.zeros(len(views), np.bool_)
            mask[[view.row for view in eligible]] = True
        row_of = {view.name: row for row, view in enumerate(views)}
        own = [view.row for view in views if view.coop == shape.coop]
        return Columns(table, views, row_of, mask, own)

    def offers(self, model: str) -> bool:
        """Tells whether any node not gone serves a model, or could load it."""
        return model in self.contexts or model in self.loadable_index.by_model

    def update_model_loads(self, node: Node) -> None:
        """Looks again at a node whose orders changed."""
        self._eligible = {}
        self.loadable_index.remove_node(node)
        self.loadable_index.add_node(node)

    def round_context(self, model: str, tokens: int) -> int:
        """Returns the next context length that is offered, or could be; the same without one."""
        known = self.contexts.get(model, ())
        could = self.loadable_index.contexts.get(model)
        if could is not None:
            known = tuple(sorted((*known, *could)))
        place = bisect_left(known, tokens)
        return known[place] if place < len(known) else tokens

    def _count_offer(self, node: Node, times: int) -> None:
        """Counts what a node serves, or could, in (1) or out (-1)."""
        self._eligible = {}
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
        """Takes the nodes of a snapshot."""
        self.nodes.update(nodes)
        for node in nodes.values():
            if node.state is not NodeState.LEFT:
                self._count_offer(node, 1)
                self.replica_index.add_node(node, at)


def _offer_of(card: NodeCard) -> object:
    return (
        card.coop,
        card.zone,
        card.replicas,
        card.data_classes,
        card.loadable,
        card.loading,
        card.models_bytes,
    )


def _carry_over_loads(node: Node, card: NodeCard, replicas: dict[str, Replica]) -> dict[str, Load]:
    """Returns the loads that go on: what runs, and what was learned of replicas as they were.

    A replica that states other rates is another one; other power is the same one on other watts,
    and other slots are the same one of which its owner lends more or less.
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
