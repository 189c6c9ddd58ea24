"""Model driver: drives the model manager of each simulated node in virtual time.

Input: the pool's load and unload orders, the number of runs of each model, and what the owner
allows. Output: the node's card and its refusals. The node agent's core decides
(``entraide_node.core.model_manager``); this module takes the place of its engine manager. A fetch
lasts as long as its bytes at the node's network rate, a load for the rest of the card's load time;
an unload takes no time. A node whose engine is broken fails each load.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from entraide.types import Loadable
from entraide_node.core.model_manager import (
    LoadLimits,
    ModelAction,
    ModelActionKind,
    Refusal,
)
from entraide_node.core.model_records import ModelEvent
from entraide_scheduler.core.events import LoadFailed
from entraide_sim.driver import Driver
from entraide_sim.machines import Node

LOAD_FAILED = "load_broken"  # code of a load on a broken engine


class ModelDriver:
    """The models of all nodes.

    Args of the constructor:
        driver: virtual time and the core.
        announce: makes a node send its card.
    """

    def __init__(self, driver: Driver, announce: Callable[[Node], None]) -> None:
        self._driver = driver
        self._announce = announce
        self._actions: dict[tuple[str, str], ModelAction] = {}  # current fetch or load

    # Orders of the pool.

    def send_load(self, node: Node, model: str) -> None:
        """Sends a node the order to load a model."""
        self._send(node, self._receive_load, (node, model))

    def send_unload(self, node: Node, model: str) -> None:
        """Sends a node the order to unload a model."""
        self._send(node, self._receive_unload, (node, model))

    def _receive_load(self, order: tuple[Node, str]) -> None:
        node, model = order
        if not node.up:
            return
        refusal = node.models.request(
            model, node.card.loadable, limits=_limits(node), at=self._driver.now
        )
        if refusal is not None:
            self._send_refusal(node, refusal)
        self.decide(node)

    def _receive_unload(self, order: tuple[Node, str]) -> None:
        node, model = order
        if node.up:
            node.models.release(model, at=self._driver.now)
            self.decide(node)

    # Changes of the node.

    def update_run_count(self, instance: Node) -> None:
        """Handles the begin or the end of a run of a model."""
        node, runs = instance.host, len(instance.runs)
        node.models.set_run_count(instance.replica.model, runs, self._driver.now)
        if not runs:
            self.decide(node)

    def crash(self, node: Node) -> None:
        """Drops all models of a node but its owner's."""
        for model in [model for name, model in self._actions if name == node.name]:
            del self._actions[node.name, model]
        node.restart_models()
        node.card = replace(node.card, replicas=node.spec.card.replicas, loading=())

    def decide(self, node: Node) -> None:
        """Carries out what a node's model manager decides now; call it after each change."""
        if not node.up:
            return
        now, limits = self._driver.now, _limits(node)
        while decisions := node.models.decide(limits, now):
            for decision in decisions:
                if isinstance(decision, Refusal):
                    self._send_refusal(node, decision)
                else:
                    self._start_action(node, decision)
        self._update_card(node)
        deadline = node.models.next_deadline(limits)
        if deadline is not None and not node.models_scheduled:
            node.models_scheduled = True
            self._driver.schedule(deadline, self._wake, node)

    def _wake(self, node: Node) -> None:
        node.models_scheduled = False
        self.decide(node)

    # Actions.

    def _start_action(self, node: Node, action: ModelAction) -> None:
        key = node.name, action.model
        if action.do is ModelActionKind.UNLOAD:
            self._actions.pop(key, None)  # a fetch or load that is cancelled
            node.models.apply_event(action.model, ModelEvent.GONE, at=self._driver.now)
            return
        self._actions[key] = action
        offer = next(offer for offer in node.card.loadable if offer.model == action.model)
        fetch_s = _fetch_s(node, offer)
        takes_s = fetch_s if action.do is ModelActionKind.FETCH else offer.load_s - fetch_s
        self._driver.schedule(self._driver.now + takes_s, self._end_action, (node, action))

    def _end_action(self, started: tuple[Node, ModelAction]) -> None:
        node, action = started
        if self._actions.get((node.name, action.model)) is not action:
            return  # cancelled meanwhile
        del self._actions[node.name, action.model]
        now = self._driver.now
        if action.do is ModelActionKind.FETCH:
            node.models.apply_event(action.model, ModelEvent.FETCHED, at=now)
            self._change_card(node, loadable=_with_weights(node, action.model))
        elif node.broken:
            node.models.apply_event(action.model, ModelEvent.FAIL, at=now, code=LOAD_FAILED)
            self._send_refusal(node, Refusal(action.model, LOAD_FAILED, {}))
        else:
            node.models.apply_event(action.model, ModelEvent.UP, at=now)
        self.decide(node)

    # Messages of a node.

    def _update_card(self, node: Node) -> None:
        """Sends a node's card if its models have changed."""
        instances = map(node.instance_of, node.models.listed_models(self._driver.now))
        self._change_card(
            node,
            replicas=tuple(instance.replica for instance in instances if instance is not None),
            loading=node.models.loading_models(),
        )

    def _change_card(self, node: Node, **changes: object) -> None:
        card = replace(node.card, **changes)
        if card != node.card:
            node.card = card
            self._send(node, self._deliver_card, node)

    def _send_refusal(self, node: Node, refusal: Refusal) -> None:
        self._send(node, self._deliver_refusal, (node.name, refusal))

    def _send(self, node: Node, receive: Callable[[Any], None], message: object) -> None:
        self._driver.schedule(self._driver.now + node.one_way_s, receive, message)

    def _deliver_card(self, node: Node) -> None:
        if node.up and node.reachable:
            self._announce(node)

    def _deliver_refusal(self, message: tuple[str, Refusal]) -> None:
        name, refusal = message
        self._driver.deliver(LoadFailed, name, refusal.model, refusal.code)


def _limits(node: Node) -> LoadLimits:
    """What a node's owner allows now."""
    return LoadLimits(node.card.models_bytes, node.spec.unload_idle_s, node.reason)


def _fetch_s(node: Node, offer: Loadable) -> float:
    """How long a node fetches the weights of a model that are not on its disk, seconds."""
    return offer.fetch_bytes / node.spec.transfer_rates.network_bytes_per_s


def _with_weights(node: Node, model: str) -> tuple[Loadable, ...]:
    """What a node can load once it has fetched the weights of a model."""
    return tuple(
        replace(offer, fetch_bytes=0, load_s=offer.load_s - _fetch_s(node, offer))
        if offer.model == model
        else offer
        for offer in node.card.loadable
    )
