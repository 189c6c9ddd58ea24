"""Engine provider: the interface between runs and engines.

It defines what a run needs of an engine, and what the engine manager learns from runs.
``ConcurrencyCounter`` integrates the number of runs of each model over time, so that a run's
duration can be compared with the benchmark at the same mean batch size.
"""

from typing import Protocol

from msgspec import Struct

from entraide_node.engines.base import Engine


class EngineHandle(Struct, frozen=True):
    """Access to the engine that serves a model.

    Attributes:
        engine: the engine.
        slots: sequences that it may run at once now.
    """

    engine: Engine
    slots: int


class RunTiming(Struct, frozen=True):
    """The durations of one completed run.

    Attributes:
        model: public name.
        prefill_tokens, decode_tokens: computed prompt tokens, and output tokens.
        prefill_s, decode_s: durations of both phases; 0 if the engine did not report them.
        sequences_mean: mean number of concurrent sequences of its engine, this run included.
        is_alone: whether no other engine of the machine had a run meanwhile.
    """

    model: str
    prefill_tokens: int
    decode_tokens: int
    prefill_s: float
    decode_s: float
    sequences_mean: float
    is_alone: bool


class EngineProvider(Protocol):
    """Provides engines to runs, and learns from runs."""

    def get_engine(self, model: str) -> EngineHandle | None:
        """Returns the engine for runs of a model; None if the model is not served."""

    def set_run_count(self, model: str, runs: int) -> None:
        """Sets the current number of runs of a model."""

    def record_timing(self, timing: RunTiming) -> None:
        """Records the durations of a completed run."""

    async def check_engine(self, model: str) -> None:
        """Probes a model's engine after it failed a run.

        Awaited before the failure is reported, so that the node's state is up to date when the next
        message arrives.
        """


class ConcurrencyCounter:
    """Number of runs of each model, now and integrated over time."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self._at_s: dict[str, float] = {}
        self._sum_s: dict[str, float] = {}

    def change_count(self, model: str, by: int, at_s: float) -> int:
        """Adds to the number of runs of a model; returns the new number."""
        self._sum_s[model] = self.run_seconds(model, at_s)
        self._at_s[model] = at_s
        self.count[model] = self.count.get(model, 0) + by
        return self.count[model]

    def run_seconds(self, model: str, at_s: float) -> float:
        """Returns the integral of a model's number of runs over time, run-seconds."""
        since_s = at_s - self._at_s.get(model, at_s)
        return self._sum_s.get(model, 0.0) + self.count.get(model, 0) * since_s

    def other_run_seconds(self, model: str, at_s: float) -> float:
        """Returns the run-seconds of all other models together."""
        return sum(self.run_seconds(other, at_s) for other in self.count if other != model)
