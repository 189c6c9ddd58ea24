"""A simulated set of nodes that load and unload models on the instructions of one core."""

from heapq import heappop, heappush
from random import Random
from typing import Any

import msgspec
from tests.core.builders import GB, Pool, card, facts, loadable, of, replica, usage

from entraide.types import NodeCard, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy.policy import ModelTerms

SMALL, MIDDLE, LARGE = "small-1b", "middle-8b", "large-30b"
SIZES = {SMALL: 2 * GB, MIDDLE: 6 * GB, LARGE: 16 * GB}


def offering(node: str, *models: str, room: int = 8 * GB, **changes: Any) -> NodeCard:
    """Returns the card of a node that serves nothing and offers some models."""
    offers = tuple(loadable(model, memory_bytes=SIZES.get(model, GB)) for model in models)
    return card(node, **{"replicas": (), "loadable": offers, "models_bytes": room, **changes})


def with_model(node_card: NodeCard, model: str) -> NodeCard:
    """Returns the card after the node has loaded a model."""
    return msgspec.structs.replace(node_card, replicas=(*node_card.replicas, replica(model)))


def without(node_card: NodeCard, model: str) -> NodeCard:
    """Returns the card after the node has unloaded a model."""
    kept = tuple(served for served in node_card.replicas if served.model != model)
    return msgspec.structs.replace(node_card, replicas=kept)


def loads(asked: list[commands.Command]) -> list[tuple[str, str]]:
    """Returns (node, model) of each load command, in order."""
    return [(command.node, command.model) for command in of(asked, commands.LoadModel)]


def unloads(asked: list[commands.Command]) -> list[tuple[str, str]]:
    """Returns (node, model) of each unload command, in order."""
    return [(command.node, command.model) for command in of(asked, commands.UnloadModel)]


class LoadingWorld:
    """Honest nodes, jobs of some seconds, random demand and random faults.

    Attributes:
        pool: the core.
        cards: the nodes' present cards.
        loaded: (time, node, model) of each load command.
    """

    def __init__(self, seed: int, *cards: NodeCard, faults: float = 0.0, **terms: Any) -> None:
        self.rng = Random(seed)
        self.pool = Pool(**terms)
        self.cards = {node_card.node: node_card for node_card in cards}
        self.faults = faults
        self.loaded: list[tuple[float, str, str]] = []
        self.jobs = 0
        self._heap: list[tuple[float, int, Any]] = []
        self._pushed = 0
        for node_card in cards:
            self.tell(events.NodeJoined, node_card, True, "")
        self.beat()

    def later(self, after_s: float, act: Any, *values: Any) -> None:
        self._pushed += 1
        heappush(self._heap, (self.pool.now + after_s, self._pushed, (act, values)))

    def tell(self, kind: type, *values: Any) -> None:
        for command in self.pool.tell(kind, *values):
            match command:
                case commands.Place():
                    self.pool.accept(command)
                    self.later(self.rng.uniform(1, 20), self.finish, command)
                case commands.LoadModel():
                    self.loaded.append((self.pool.now, command.node, command.model))
                    self.later(self.rng.uniform(1, 30), self.load, command)
                case commands.UnloadModel():
                    self.later(self.rng.uniform(1, 10), self.unload, command)
        self.check()

    def check(self) -> None:
        """Checks that no node is asked for more memory than its owner gives."""
        for node in self.pool.core._state.fleet.nodes.values():
            used = sum(order.memory_bytes for order in node.orders.values())
            waiting = sum(
                order.memory_bytes
                for order in node.orders.values()
                if order.state.value == "making_room"
            )
            assert used - waiting <= node.card.models_bytes

    def load(self, command: commands.LoadModel) -> None:
        chance = self.rng.random()
        if chance < self.faults / 2:
            return
        if chance < self.faults:
            self.tell(events.LoadFailed, command.node, command.model, "engine_failed")
            return
        self.change(with_model(self.cards[command.node], command.model))

    def unload(self, command: commands.UnloadModel) -> None:
        leases = self.pool.core._state.leases.values()
        held = [(lease.terms.node, lease.terms.model) for lease in leases]
        if (command.node, command.model) in held:
            self.later(1.0, self.unload, command)
            return
        self.change(without(self.cards[command.node], command.model))

    def change(self, node_card: NodeCard) -> None:
        self.cards[node_card.node] = node_card
        used = sum(SIZES.get(served.model, GB) for served in node_card.replicas)
        assert used <= node_card.models_bytes
        self.tell(events.NodeJoined, node_card, True, "")

    def finish(self, place: commands.Place) -> None:
        values = (place.job, place.epoch, place.node)
        self.tell(events.RunProgressed, *values, 1)
        self.tell(events.RunReported, *values, Outcome.COMPLETED, "", False, usage())

    def beat(self) -> None:
        self.tell(events.NodesSeen, tuple(sorted(self.cards)))
        for lease in list(self.pool.core._state.leases.values()):
            terms = lease.terms
            self.tell(events.RunProgressed, terms.job, terms.epoch, terms.node, 1)
        self.later(3.0, self.beat)

    def demand(self, models: list[str], *, every_s: float, until: float) -> None:
        """Requests jobs at random intervals until a time."""
        if self.pool.now >= until:
            return
        self.jobs += 1
        self.tell(
            events.JobRequested,
            facts(
                f"j{self.jobs}", self.rng.choice(("alpha", "beta")), model=self.rng.choice(models)
            ),
        )
        again = {"every_s": every_s, "until": until}
        self.later(self.rng.expovariate(1 / every_s), lambda: self.demand(models, **again))

    def run(self, demanded: float, until: float) -> None:
        """Runs until the demand is over and every job has ended, or until a time."""
        while self._heap[0][0] <= until:
            if self.pool.now > demanded and not self.pool.core._state.jobs:
                return
            due = self.pool.core.next_deadline()
            if due is not None and due < self._heap[0][0]:
                self.pool.now = due
                self.tell(events.Woke)
                continue
            at, _, (act, values) = heappop(self._heap)
            self.pool.now = at
            act(*values)


QUICK = ModelTerms(unload_idle_s=120.0, residence_s=60.0, scale_after_s=30.0, retry_s=2.0)
