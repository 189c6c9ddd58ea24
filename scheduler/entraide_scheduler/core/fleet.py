"""Fleet view: the nodes the pool knows, what they serve and what our leases put on them.

Decides who is heard, silent or gone, by the steps of ``tables.NODE``. It refuses to know what
becomes of the jobs on a node that turned; ``presence`` and ``leases`` do.
"""

from msgspec import Struct

from entraide.types import EnergyStatus, NodeCard, NodeState, Replica
from entraide_scheduler.core.records import Lease, Load, Node, Shape
from entraide_scheduler.core.rules import LASTING, Rule, first_broken

ABLE_KEPT = 64  # shapes whose able nodes are remembered
MOST = 1e9  # no rate, power or time of a node is beyond this; a card that says so is refused


def sound(card: NodeCard) -> bool:
    """Tells whether a card's numbers can be reckoned with; one that is not sound is refused.

    Anything else would let a single node's NaN into every comparison.
    """
    if not (0.0 <= card.power.idle_w < MOST and 0.0 <= card.power.active_w < MOST):
        return False
    if not 0.0 <= card.rtt_s < MOST:
        return False
    return all(_sound_replica(replica) for replica in card.replicas)


def _sound_replica(replica: Replica) -> bool:
    rates = replica.rates
    return (
        1e-3 <= rates.prefill_tokens_per_s < MOST
        and 0.0 <= rates.tpot_base_s < MOST
        and 0.0 <= rates.tpot_per_sequence_s < MOST
        and replica.slots >= 1
        and replica.context_tokens >= 1
    )


def extra_w(node: Node) -> float:
    """Returns the power that work adds to a machine, watts."""
    return max(0.0, node.card.power.active_w - node.card.power.idle_w)


class Able(Struct, frozen=True):
    """The nodes that may ever serve a shape, and what excludes each of the others.

    Attributes:
        nodes: whatever they do now.
        excluded: with the first lasting rule that each breaks.
        context_tokens: the longest context that one of ``nodes`` offers; 0 without any.
    """

    nodes: list[Node]
    excluded: list[tuple[Node, Rule]]
    context_tokens: int


class Fleet:
    """Nodes by identifier, in the order in which they first joined.

    Attributes:
        nodes: all that are known, those that left for a while too.
        contexts: by model, the distinct context lengths that nodes not gone offer, ascending.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.contexts: dict[str, tuple[int, ...]] = {}
        self._offers: dict[str, dict[int, int]] = {}
        self._able: dict[Shape, Able] = {}
        self._sites: dict[tuple[str, str], dict[str, Node]] = {}

    def join(self, card: NodeCard, *, accepting: bool, reason: str, at: float) -> tuple[bool, bool]:
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
            self.nodes[card.node] = node
            self._stand(node)
            self._offer(node, 1)
            return True, True
        self._unstand(node)
        if node.state is not NodeState.LEFT:
            self._offer(node, -1)
        turned = node.step("hello")
        changed = turned or _offered(node.card) != _offered(card)
        node.card, node.replicas, node.energy = card, replicas, card.energy
        node.accepting, node.reason, node.last_seen, node.left_at = accepting, reason, at, 0.0
        for load in node.loads.values():
            load.paused = ""
        self._stand(node)
        self._offer(node, 1)
        return turned, changed

    def change(
        self, node: Node, *, accepting: bool, reason: str, energy: EnergyStatus | None
    ) -> None:
        """Takes in a heartbeat that changed something."""
        node.accepting, node.reason, node.energy = accepting, reason, energy

    def leave(self, node: Node, at: float) -> bool:
        """Takes a node that has not left out of service; returns whether its state changed."""
        self._offer(node, -1)
        turned = node.step("leave")
        node.left_at = at
        return turned

    def forget(self, name: str) -> None:
        """Forgets a node that left."""
        node = self.nodes.pop(name)
        self._unstand(node)
        self._able = {}

    def hold(self, lease: Lease) -> None:
        """Counts a lease on its node."""
        load = self._load(lease)
        load.leases += 1
        if lease.output_tokens == 0:
            load.prefill_tokens += lease.input_tokens

    def produced(self, lease: Lease) -> None:
        """Notes that a lease has its first token: its prompt is no longer queued work."""
        self._load(lease).prefill_tokens -= lease.input_tokens

    def release(self, lease: Lease) -> None:
        """Takes a lease off its node."""
        load = self._load(lease)
        load.leases -= 1
        if lease.output_tokens == 0:
            load.prefill_tokens -= lease.input_tokens

    def able(self, shape: Shape) -> Able:
        """Returns the nodes that may ever serve a shape; remembered while no node changes."""
        known = self._able.get(shape)
        if known is not None:
            return known
        nodes: list[Node] = []
        excluded: list[tuple[Node, Rule]] = []
        for node in self.nodes.values():
            rule = first_broken(node, shape, LASTING)
            if rule is None:
                nodes.append(node)
            else:
                excluded.append((node, rule))
        contexts = [node.replicas[shape.model].context_tokens for node in nodes]
        if len(self._able) >= ABLE_KEPT:
            self._able = {}
        found = self._able[shape] = Able(nodes, excluded, max(contexts, default=0))
        return found

    def drawn_w(self, site: tuple[str, str]) -> float:
        """Returns the power that our jobs draw at a site, beyond the machines' idle power, watts.

        A machine draws its active power from its first job on.
        """
        drawn = 0.0
        for node in self._sites[site].values():
            if node.leases():
                drawn += extra_w(node)
        return drawn

    def _load(self, lease: Lease) -> Load:
        return self.nodes[lease.terms.node].loads.setdefault(lease.terms.model, Load())

    def _stand(self, node: Node) -> None:
        self._sites.setdefault(site_of(node), {})[node.card.node] = node

    def _unstand(self, node: Node) -> None:
        site = site_of(node)
        del self._sites[site][node.card.node]
        if not self._sites[site]:
            del self._sites[site]

    def _offer(self, node: Node, times: int) -> None:
        """Counts what a node serves in (1) or out (-1)."""
        self._able = {}
        for model, replica in node.replicas.items():
            counts = self._offers.setdefault(model, {})
            counts[replica.context_tokens] = counts.get(replica.context_tokens, 0) + times
            if not counts[replica.context_tokens]:
                del counts[replica.context_tokens]
            self.contexts[model] = tuple(sorted(counts))
            if not counts:
                del self._offers[model], self.contexts[model]

    def restore(self, nodes: dict[str, Node]) -> None:
        """Takes the nodes of a snapshot."""
        self.nodes = nodes
        for node in nodes.values():
            self._stand(node)
            if node.state is not NodeState.LEFT:
                self._offer(node, 1)


def _offered(card: NodeCard) -> object:
    return card.coop, card.zone, card.replicas, card.data_classes


def site_of(node: Node) -> tuple[str, str]:
    """Returns a site's key: two co-ops may give their places the same name."""
    return node.card.coop, node.card.site
