"""Loadable index: the models that nodes could load but do not serve, by model and node.

Input: nodes as they join, change and leave. Output: lookups for admission, aliases and the planner.
"""

from collections.abc import Iterator, Mapping

from entraide.types import Loadable, NodeCard
from entraide_scheduler.core.records import Node

NO_NODES: dict[str, Node] = {}


def find_loadable(card: NodeCard, served: Mapping[str, object]) -> dict[str, Loadable]:
    """Returns a node's offers by model: models that fit its memory and that it does not serve."""
    offers: dict[str, Loadable] = {}
    for offer in card.loadable:
        if offer.model not in served and offer.memory_bytes <= card.models_bytes:
            offers.setdefault(offer.model, offer)
    return offers


class LoadableIndex:
    """Models that nodes can load but do not serve, by model and node.

    Attributes:
        nodes: nodes that offer a model, or have loaded one on the pool's instruction, by name.
        by_model: nodes that offer a model, by model and name.
        contexts: by model, the distinct context lengths on offer, ascending, tokens.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.by_model: dict[str, dict[str, Node]] = {}
        self.contexts: dict[str, tuple[int, ...]] = {}

    def add_node(self, node: Node) -> None:
        """Adds a node that joined, or whose card changed."""
        name = node.card.node
        if node.loadable or node.orders:
            self.nodes[name] = node
        for model in node.loadable:
            self.by_model.setdefault(model, {})[name] = node
            self._update_contexts(model)

    def remove_node(self, node: Node) -> None:
        """Removes a node that leaves, or before its card changes."""
        name = node.card.node
        self.nodes.pop(name, None)
        for model in node.loadable:
            nodes = self.by_model.get(model, NO_NODES)
            if nodes.pop(name, None) is not None and not nodes:
                del self.by_model[model]
            self._update_contexts(model)

    def sorted_nodes(self) -> Iterator[Node]:
        """Returns the nodes in order of name."""
        return (self.nodes[name] for name in sorted(self.nodes))

    def _update_contexts(self, model: str) -> None:
        lengths = {
            node.loadable[model].context_tokens: None
            for node in self.by_model.get(model, NO_NODES).values()
        }
        if lengths:
            self.contexts[model] = tuple(sorted(lengths))
        else:
            self.contexts.pop(model, None)
