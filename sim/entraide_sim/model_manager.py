"""Model manager: loads and unloads models on simulated nodes as the core commands.

A node that gets a load command serves the model after the load time of its card, if its owner lets
it work and the memory suffices; otherwise it reports a load failure with a code. It unloads a model
once the model's runs have ended. Models that run at the same time share the machine's speed and
power equally.
"""

from collections.abc import Callable

import msgspec

from entraide.types import Loadable
from entraide_scheduler.core.events import LoadFailed
from entraide_sim.driver import Driver
from entraide_sim.nodes import Node

NOT_NOW, UNKNOWN, NO_ROOM = "load_not_now", "load_unknown", "load_no_room"
UNLOAD_RETRY_S = 1.0  # between two checks whether the runs of a model to unload have ended


class ModelManager:
    """The models of all nodes.

    Args of the constructor:
        driver: virtual time and the core.
        hello: makes a node send its card.
    """

    def __init__(self, driver: Driver, hello: Callable[[Node], None]) -> None:
        self._driver = driver
        self._announce = hello

    def send_load(self, node: Node, model: str) -> None:
        """Sends a node the command to load a model."""
        self._driver.schedule(self._driver.now + node.one_way_s, self._receive_load, (node, model))

    def send_unload(self, node: Node, model: str) -> None:
        """Sends a node the command to unload a model."""
        self._driver.schedule(
            self._driver.now + node.one_way_s, self._receive_unload, (node, model)
        )

    def _receive_load(self, node_and_model: tuple[Node, str]) -> None:
        node, model = node_and_model
        if not node.up or model in node.card.loading or _is_loaded(node, model):
            return
        offer = next((offer for offer in node.card.loadable if offer.model == model), None)
        code = _refusal_code(node, offer)
        if code or offer is None:
            values = (node.name, model, code)
            self._driver.schedule(self._driver.now + node.one_way_s, self._deliver_failure, values)
            return
        _update_card(node, loading=(*node.card.loading, model))
        self._send_card(node)
        self._driver.schedule(
            self._driver.now + offer.load_s, self._finish_load, (node, model, node.restarts)
        )

    def _finish_load(self, load: tuple[Node, str, int]) -> None:
        node, model, life = load
        if not node.up or node.restarts != life:
            return
        instance = node.instance_of(model)
        assert instance is not None
        _update_card(
            node,
            loading=tuple(name for name in node.card.loading if name != model),
            replicas=(*node.card.replicas, instance.replica),
        )
        self._send_card(node)

    def _receive_unload(self, node_and_model: tuple[Node, str]) -> None:
        node, model = node_and_model
        instance = node.instance_of(model)
        if instance is None or not _is_loaded(node, model):
            return
        if instance.runs:
            self._driver.schedule(
                self._driver.now + UNLOAD_RETRY_S, self._receive_unload, node_and_model
            )
            return
        remaining = tuple(replica for replica in node.card.replicas if replica.model != model)
        _update_card(node, replicas=remaining)
        self._send_card(node)

    def _send_card(self, node: Node) -> None:
        self._driver.schedule(self._driver.now + node.one_way_s, self._deliver_card, node)

    def _deliver_card(self, node: Node) -> None:
        if node.up and node.reachable:
            self._announce(node)

    def _deliver_failure(self, values: tuple[str, str, str]) -> None:
        self._driver.deliver(LoadFailed, *values)


def reset_models(node: Node) -> None:
    """Restores a node's initial card after a crash."""
    node.restarts += 1
    node.card = node.spec.card


def _update_card(node: Node, **changes: object) -> None:
    node.card = msgspec.structs.replace(node.card, **changes)


def _is_loaded(node: Node, model: str) -> bool:
    return any(replica.model == model for replica in node.card.replicas)


def _refusal_code(node: Node, offer: Loadable | None) -> str:
    if offer is None or node.instance_of(offer.model) is None:
        return UNKNOWN
    if not node.accepting:
        return NOT_NOW
    present = {replica.model for replica in node.card.replicas} | set(node.card.loading)
    fixed = {replica.model for replica in node.spec.card.replicas}
    used_bytes = sum(
        offer.memory_bytes for offer in node.card.loadable if offer.model in present - fixed
    )
    return "" if used_bytes + offer.memory_bytes <= node.card.models_bytes else NO_ROOM
