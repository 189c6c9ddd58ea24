"""Habits: what the core learns from runs that have ended, to estimate the next ones.

Running means only: how long answers are, by co-op and model, and how long runs take, by model.
Learning a node's rates online belongs here too, once it is done; until then the measured rates on
the node's card stand.
"""

from msgspec import Struct

FIRST_OUTPUT_TOKENS = 128.0  # before anything is known
FIRST_RUN_S = 5.0
MEMORY = 32  # runs: the weight of a new one never falls below 1 / MEMORY


class Mean(Struct):
    """A running mean, and how many values it has seen (up to ``MEMORY``)."""

    value: float
    seen: int = 0

    def add(self, value: float) -> None:
        """Moves the mean towards a new value."""
        self.seen = min(self.seen + 1, MEMORY)
        self.value = self.value + (value - self.value) / self.seen


class Habits:
    """Running means by co-op and model, and by model."""

    def __init__(self) -> None:
        self.outputs: dict[tuple[str, str], Mean] = {}
        self.runs: dict[str, Mean] = {}

    def learn(self, coop: str, model: str, *, output_tokens: float, run_s: float) -> None:
        """Takes in a completed run: tokens of one answer, and seconds on the node."""
        self.outputs.setdefault((coop, model), Mean(0.0)).add(output_tokens)
        self.runs.setdefault(model, Mean(0.0)).add(run_s)

    def output_tokens(self, coop: str, model: str, *, at_most: int) -> float:
        """Returns the expected length of one answer, tokens."""
        mean = self.outputs.get((coop, model))
        expected = FIRST_OUTPUT_TOKENS if mean is None else mean.value
        return min(float(at_most), expected)

    def run_s(self, model: str) -> float:
        """Returns how long a run of a model is expected to take, seconds."""
        mean = self.runs.get(model)
        return FIRST_RUN_S if mean is None else mean.value
