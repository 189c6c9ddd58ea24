"""Seats: what a run needs to know of the engines, and what they hear of the runs.

It decides nothing: which model has a seat is the garage's affair, and whether a run is taken,
``core.run_admission``'s. It counts how many runs each model has had over time, so that a run's
pace can be
compared with what was measured for so many at once.
"""

from typing import Protocol

from msgspec import Struct

from entraide_node.engines.base import Engine


class EngineHandle(Struct, frozen=True):
    """Where runs of a model go.

    Attributes:
        engine: that serves it.
        slots: sequences that it may run at once now.
    """

    engine: Engine
    slots: int


class RunTiming(Struct, frozen=True):
    """How fast a run went that completed.

    Attributes:
        model: public name.
        read_tokens, written_tokens: prompt tokens that were computed, and output tokens.
        read_s, write_s: how long the engine took for each; 0 when it did not tell.
        beside: mean number of sequences of its engine while it ran, itself included.
        alone: whether no other engine of the machine had work meanwhile.
    """

    model: str
    prefill_tokens: int
    decode_tokens: int
    prefill_s: float
    decode_s: float
    sequences_mean: float
    is_alone: bool


class EngineProvider(Protocol):
    """What serves the models; it hears how each fares."""

    def get_engine(self, model: str) -> EngineHandle | None:
        """Returns where runs of a model go now; None when it takes none."""

    def set_run_count(self, model: str, runs: int) -> None:
        """A model has so many runs now."""

    def record_timing(self, timing: RunTiming) -> None:
        """A run completed."""

    async def check_engine(self, model: str) -> None:
        """A model's engine failed a run.

        Awaited before that is told: what comes next must find a node that knows whether its
        engine serves.
        """


class ConcurrencyCounter:
    """How many runs each model has, and how many it has had over time."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self._at_s: dict[str, float] = {}
        self._sum_s: dict[str, float] = {}

    def change_count(self, model: str, by: int, at_s: float) -> int:
        """Counts a run in or out; returns how many there are."""
        self._sum_s[model] = self.run_seconds(model, at_s)
        self._at_s[model] = at_s
        self.count[model] = self.count.get(model, 0) + by
        return self.count[model]

    def run_seconds(self, model: str, at_s: float) -> float:
        """Returns the number of runs integrated over time, seconds."""
        since_s = at_s - self._at_s.get(model, at_s)
        return self._sum_s.get(model, 0.0) + self.count.get(model, 0) * since_s

    def other_run_seconds(self, model: str, at_s: float) -> float:
        """Returns the same of all other models together."""
        return sum(self.run_seconds(other, at_s) for other in self.count if other != model)
