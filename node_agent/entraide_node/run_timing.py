"""Run timing: how long runs lasted, and how many ran meanwhile.

Input: begins and ends of runs. Output: the number of runs of each model, integrated over time, so
that a run's duration can be compared with the benchmark at the same mean batch size.
"""

from msgspec import Struct


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
