"""Garage: what a world's machines load and unload at the pool's word, and what they say of it.

A machine that is told to load a model serves it after the time that its offer states, if its owner
lets it work and it fits beside what is loaded; else it says why not. It unloads a model once its
runs have ended. Models that work side by side on one machine share its speed and its power evenly.
It refuses to know why the pool asked.
"""

from collections.abc import Callable

import msgspec

from entraide.types import Loadable
from entraide_scheduler.core.events import LoadFailed
from entraide_sim.driver import Driver
from entraide_sim.nodes import Node

NOT_NOW, UNKNOWN, NO_ROOM = "load_not_now", "load_unknown", "load_no_room"
LOOK_S = 1.0  # between two looks whether the runs of a model that is to go have ended


class Garage:
    """All machines' models.

    Args of the constructor:
        driver: virtual time and the core.
        hello: has a machine tell its card.
    """

    def __init__(self, driver: Driver, hello: Callable[[Node], None]) -> None:
        self._driver = driver
        self._hello = hello

    def load(self, node: Node, model: str) -> None:
        """Sends a machine the word to load a model."""
        self._driver.at(self._driver.now + node.half_s, self._load, (node, model))

    def unload(self, node: Node, model: str) -> None:
        """Sends a machine the word to unload one."""
        self._driver.at(self._driver.now + node.half_s, self._unload, (node, model))

    def _load(self, what: tuple[Node, str]) -> None:
        node, model = what
        if not node.up or model in node.card.loading or _is_loaded(node, model):
            return
        offer = next((one for one in node.card.loadable if one.model == model), None)
        code = _why_not(node, offer)
        if code or offer is None:
            values = (node.name, model, code)
            self._driver.at(self._driver.now + node.half_s, self._say_failed, values)
            return
        _change(node, loading=(*node.card.loading, model))
        self._tell(node)
        self._driver.at(self._driver.now + offer.load_s, self._loaded, (node, model, node.lives))

    def _loaded(self, what: tuple[Node, str, int]) -> None:
        node, model, life = what
        if not node.up or node.lives != life:
            return
        bay = node.bay(model)
        assert bay is not None
        _change(
            node,
            loading=tuple(one for one in node.card.loading if one != model),
            replicas=(*node.card.replicas, bay.replica),
        )
        self._tell(node)

    def _unload(self, what: tuple[Node, str]) -> None:
        node, model = what
        bay = node.bay(model)
        if bay is None or not _is_loaded(node, model):
            return
        if bay.runs:
            self._driver.at(self._driver.now + LOOK_S, self._unload, what)
            return
        kept = tuple(one for one in node.card.replicas if one.model != model)
        _change(node, replicas=kept)
        self._tell(node)

    def _tell(self, node: Node) -> None:
        self._driver.at(self._driver.now + node.half_s, self._say, node)

    def _say(self, node: Node) -> None:
        if node.up and node.heard:
            self._hello(node)

    def _say_failed(self, values: tuple[str, str, str]) -> None:
        self._driver.tell(LoadFailed, *values)


def restarted(node: Node) -> None:
    """A machine that vanished comes back with what it had at the beginning."""
    node.lives += 1
    node.card = node.spec.card


def _change(node: Node, **changes: object) -> None:
    node.card = msgspec.structs.replace(node.card, **changes)


def _is_loaded(node: Node, model: str) -> bool:
    return any(replica.model == model for replica in node.card.replicas)


def _why_not(node: Node, offer: Loadable | None) -> str:
    if offer is None or node.bay(offer.model) is None:
        return UNKNOWN
    if not node.accepting:
        return NOT_NOW
    there = {replica.model for replica in node.card.replicas} | set(node.card.loading)
    fixed = {replica.model for replica in node.spec.card.replicas}
    used_bytes = sum(one.memory_bytes for one in node.card.loadable if one.model in there - fixed)
    return "" if used_bytes + offer.memory_bytes <= node.card.models_bytes else NO_ROOM
