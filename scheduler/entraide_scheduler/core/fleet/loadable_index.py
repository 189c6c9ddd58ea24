"""Loadable index: the models that nodes could load but do not serve, by model and node.

Input: nodes as they join, change and leave. Output: lookups for admission, aliases and the planner.
"""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from entraide.types import Loadable, NodeCard
from entraide_scheduler.core.records import Node

NO_NODES: dict[str, Node] = {}
Value = TypeVar("Value", int, str)


def find_loadable(card: NodeCard, served: Mapping[str, object]) -> dict[str, Loadable]:
    """Returns a node's offers by model: models that fit its memory and that it does not serve."""
    offers: dict[str, Loadable] = {}
    for offer in card.loadable:
        if offer.model not in served and offer.memory_bytes <= card.models_bytes:
            offers.setdefault(offer.model, offer)
    return offers


class OfferedValues(Generic[Value]):
    """The distinct values of one property of a model's offers, such as context lengths.

    Attributes:
        by_model: the distinct values by model, ascending.
    """

    def __init__(self) -> None:
        self.by_model: dict[str, tuple[Value, ...]] = {}
        self._counts: dict[str, dict[Value, int]] = {}

    def count(self, model: str, value: Value, change: int) -> None:
        """Adds (1) or removes (-1) one offer with a value."""
        counts = self._counts.setdefault(model, {})
        counts[value] = counts.get(value, 0) + change
        if not counts[value]:
            del counts[value]
        elif counts[value] > 1 or change < 0:
            return  # the values are the same
        if counts:
            self.by_model[model] = tuple(sorted(counts))
        else:
            del self._counts[model], self.by_model[model]


class LoadableIndex:
    """Models that nodes can load but do not serve, by model and node.

    Attributes:
        nodes: nodes that offer a model, or have loaded one on the pool's instruction, by name.
        by_model: nodes that offer a model, by model and name.
        contexts: by model, the distinct context lengths on offer, ascending, tokens.
        revisions: by model, the distinct weights on offer.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.by_model: dict[str, dict[str, Node]] = {}
        self._contexts = OfferedValues[int]()
        self._revisions = OfferedValues[str]()
        self.contexts = self._contexts.by_model
        self.revisions = self._revisions.by_model

    def add_node(self, node: Node) -> None:
        """Adds a node that joined, or whose card changed."""
        name = node.card.node
        if node.loadable or node.orders:
            self.nodes[name] = node
        for model, offer in node.loadable.items():
            self.by_model.setdefault(model, {})[name] = node
            self._contexts.count(model, offer.context_tokens, 1)
            self._revisions.count(model, offer.revision, 1)

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
            self._contexts.count(model, offer.context_tokens, -1)
            self._revisions.count(model, offer.revision, -1)

    def sorted_nodes(self) -> Iterator[Node]:
        """Returns the nodes in order of name."""
        return (self.nodes[name] for name in sorted(self.nodes))
