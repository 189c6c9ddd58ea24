"""Shelf: the models that nodes could load but do not serve, by model and node.

Decides nothing; it is an index over the nodes that have not left, kept as they come and go.
"""

from collections.abc import Iterator, Mapping

from entraide.types import Loadable, NodeCard
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.state_machines import ModelLoadState

NO_NODES: dict[str, Node] = {}


def find_loadable(card: NodeCard, served: Mapping[str, object]) -> dict[str, Loadable]:
    """Returns what a node could load for the pool, by model: what fits and is not served."""
    offers: dict[str, Loadable] = {}
    for offer in card.loadable:
        if offer.model not in served and offer.memory_bytes <= card.models_bytes:
            offers.setdefault(offer.model, offer)
    return offers


def is_loading(node: Node, model: str) -> bool:
    """Tells whether a node loads a model that it does not serve yet, at whoever's word."""
    load = node.orders.get(model)
    if load is not None and load.state in (ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING):
        return True
    return model in node.card.loading and model not in node.replicas


def is_leaving(node: Node, model: str) -> bool:
    """Tells whether a node is about to unload a model."""
    load = node.orders.get(model)
    return load is not None and load.state is ModelLoadState.UNLOADING


class LoadableIndex:
    """What could be loaded.

    Attributes:
        nodes: those that could load something, or have at the pool's word, by name.
        by_model: those that could load a model, by model and name.
        contexts: by model, the distinct context lengths that could be had, ascending.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.by_model: dict[str, dict[str, Node]] = {}
        self.contexts: dict[str, tuple[int, ...]] = {}

    def add_node(self, node: Node) -> None:
        """Takes in a node that has come, or whose card has changed."""
        name = node.card.node
        if node.loadable or node.orders:
            self.nodes[name] = node
        for model in node.loadable:
            self.by_model.setdefault(model, {})[name] = node
            self._update_contexts(model)

    def remove_node(self, node: Node) -> None:
        """Takes out a node that leaves, or before its card changes."""
        name = node.card.node
        self.nodes.pop(name, None)
        for model in node.loadable:
            nodes = self.by_model.get(model, NO_NODES)
            if nodes.pop(name, None) is not None and not nodes:
                del self.by_model[model]
            self._update_contexts(model)

    def sorted_nodes(self) -> Iterator[Node]:
        """Returns its nodes in order of name."""
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
