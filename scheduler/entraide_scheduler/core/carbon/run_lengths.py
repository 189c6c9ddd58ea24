"""Run lengths: how long jobs are expected to run, from what a model's last runs have shown.

A run takes a time for each prompt token and each answer token. The nodes' cards give both, at a
full batch; the mean of the last runs scales them, so that a job twice as long as the usual one is
expected to take twice the usual time. Nothing is kept: each plan computes the lengths anew.

Inputs: seconds per token by zone, the model's typical run, the work. Output: seconds, expected and
upper.
"""

from collections.abc import Sequence
from math import inf

from msgspec import Struct

from entraide_scheduler.core.estimation import FIRST_OUTPUT_TOKENS, FIRST_RUN_S, LengthPredictor
from entraide_scheduler.core.records import BatchWork

CONFIDENCE = 0.95  # of the upper length of an answer
UPPER_RUNS = 3.0  # usual runs for which there is time at a latest start, the job's own included
RESERVE = 2.0  # upper time of a run of a known length, as a multiple of the expected one
UPPER_S_MAX = 1e9


class TokenTimes(Struct, frozen=True):
    """Mean seconds of a prompt token and of an answer token on some slots, by the nodes' cards.

    Attributes:
        slots: number of these slots.
        input_s, output_s: seconds.
    """

    slots: int
    input_s: float
    output_s: float


class RunLengths(Struct, frozen=True):
    """Expected run times of one model's jobs.

    Attributes:
        input_s, output_s: seconds of a prompt token and of an answer token.
        least_s: least expected time of a run, seconds.
        output_tokens, output_upper: expected length of an answer, and its upper bound; infinite
            before the first answer, when only a request's own limit is known.
        usual_s: mean time of the model's last runs, seconds; 0 before the first.
    """

    input_s: float = 0.0
    output_s: float = 0.0
    least_s: float = FIRST_RUN_S
    output_tokens: float = FIRST_OUTPUT_TOKENS
    output_upper: float = inf
    usual_s: float = 0.0

    def expected_s(self, work: BatchWork) -> float:
        """Returns the expected run time of all lines together, seconds."""
        output_tokens = min(float(work.output_tokens_max), work.lines * self.output_tokens)
        tokens_s = work.input_tokens * self.input_s + output_tokens * self.output_s
        return max(work.lines * self.least_s, tokens_s)

    def upper_s(self, input_tokens: float, output_tokens_max: float) -> float:
        """Returns a time that a run hardly exceeds, seconds."""
        input_s = input_tokens * self.input_s
        longest_s = input_s + min(output_tokens_max, self.output_upper) * self.output_s
        own_s = input_s + min(output_tokens_max, self.output_tokens) * self.output_s
        usual_s = max(self.least_s, own_s) + (UPPER_RUNS - 1.0) * self.usual_s
        return min(UPPER_S_MAX, max(RESERVE * max(self.least_s, longest_s), usual_s))

    def upper_line_s(self, work: BatchWork) -> float:
        """Returns ``upper_s`` of a typical line of some work."""
        lines = max(1, work.lines)
        return self.upper_s(work.input_tokens / lines, work.output_tokens_max / lines)


def run_lengths_of(
    predictor: LengthPredictor, model: str, times: Sequence[TokenTimes]
) -> RunLengths:
    """Returns the run times of a model's jobs.

    Args:
        predictor: what was learned of answers and runs.
        model: public name.
        times: of the slots, by zone.
    """
    slots = max(1, sum(each.slots for each in times))
    input_s = sum(each.input_s * each.slots for each in times) / slots
    output_s = sum(each.output_s * each.slots for each in times) / slots
    typical = predictor.typical_run(model)
    if typical is None:
        return RunLengths(input_s, output_s)
    tokens_s = typical.input_tokens * input_s + typical.output_tokens * output_s
    scale = typical.run_s / tokens_s if tokens_s > 0.0 else 0.0
    return RunLengths(
        input_s * scale,
        output_s * scale,
        0.0 if tokens_s > 0.0 else typical.run_s,
        predictor.output_tokens("", model, at_most=1 << 30),
        predictor.output_tokens_upper("", model, CONFIDENCE, at_most=1 << 30),
        typical.run_s,
    )
