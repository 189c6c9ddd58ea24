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


def count_context(
    offers: dict[str, dict[int, int]],
    contexts: dict[str, tuple[int, ...]],
    model: str,
    tokens: int,
    change: int,
) -> None:
    """Adds (1) or removes (-1) one offer of a context length.

    Args:
        offers: number of offers by model and length.
        contexts: the distinct lengths by model, ascending.
        model: of the offer.
        tokens: its length.
        change: 1 or -1.
    """
    counts = offers.setdefault(model, {})
    counts[tokens] = counts.get(tokens, 0) + change
    if not counts[tokens]:
        del counts[tokens]
    elif counts[tokens] > 1 or change < 0:
        return  # the lengths are the same
    if counts:
        contexts[model] = tuple(sorted(counts))
    else:
        del offers[model], contexts[model]


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
        self._offers: dict[str, dict[int, int]] = {}

    def add_node(self, node: Node) -> None:
        """Adds a node that joined, or whose card changed."""
        name = node.card.node
        if node.loadable or node.orders:
            self.nodes[name] = node
        for model, offer in node.loadable.items():
            self.by_model.setdefault(model, {})[name] = node
            count_context(self._offers, self.contexts, model, offer.context_tokens, 1)

    def remove_node(self, node: Node) -> None:
        """Removes a node that leaves, or before its card changes."""
        name = node.card.node
        self.nodes.pop(name, None)
        for model, offer in node.loadable.items():
            nodes = self.by_model.get(model, NO_NODES)
            if nodes.pop(name, None) is None:
                continue
            if not nodes:
                del self.by_model[model]
            count_context(self._offers, self.contexts, model, offer.context_tokens, -1)

    def sorted_nodes(self) -> Iterator[Node]:
        """Returns the nodes in order of name."""
        return (self.nodes[name] for name in sorted(self.nodes))
