"""Seats: what a run needs to know of the engines, and what they hear of the runs.

It decides nothing: which model has a seat is the garage's affair, and whether a run is taken,
``core.duty``'s. It counts how many runs each model has had over time, so that a run's pace can be
compared with what was measured for so many at once.
"""

from typing import Protocol

from msgspec import Struct

from entraide_node.engines.base import Engine


class Seat(Struct, frozen=True):
    """Where runs of a model go.

    Attributes:
        engine: that serves it.
        slots: sequences that it may run at once now.
    """

    engine: Engine
    slots: int


class Ran(Struct, frozen=True):
    """How fast a run went that completed.

    Attributes:
        model: public name.
        read_tokens, written_tokens: prompt tokens that were computed, and output tokens.
        read_s, write_s: how long the engine took for each; 0 when it did not tell.
        beside: mean number of sequences of its engine while it ran, itself included.
        alone: whether no other engine of the machine had work meanwhile.
    """

    model: str
    read_tokens: int
    written_tokens: int
    read_s: float
    write_s: float
    beside: float
    alone: bool


class Seats(Protocol):
    """What serves the models; it hears how each fares."""

    def seat(self, model: str) -> Seat | None:
        """Returns where runs of a model go now; None when it takes none."""

    def took(self, model: str, runs: int) -> None:
        """A model has so many runs now."""

    def ran(self, ran: Ran) -> None:
        """A run completed."""

    async def trouble(self, model: str) -> None:
        """A model's engine failed a run.

        Awaited before that is told: what comes next must find a node that knows whether its
        engine serves.
        """


class Crowd:
    """How many runs each model has, and how many it has had over time."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self._at_s: dict[str, float] = {}
        self._sum_s: dict[str, float] = {}

    def add(self, model: str, by: int, at_s: float) -> int:
        """Counts a run in or out; returns how many there are."""
        self._sum_s[model] = self.sum_s(model, at_s)
        self._at_s[model] = at_s
        self.count[model] = self.count.get(model, 0) + by
        return self.count[model]

    def sum_s(self, model: str, at_s: float) -> float:
        """Returns the number of runs integrated over time, seconds."""
        since_s = at_s - self._at_s.get(model, at_s)
        return self._sum_s.get(model, 0.0) + self.count.get(model, 0) * since_s

    def others_s(self, model: str, at_s: float) -> float:
        """Returns the same of all other models together."""
        return sum(self.sum_s(other, at_s) for other in self.count if other != model)
