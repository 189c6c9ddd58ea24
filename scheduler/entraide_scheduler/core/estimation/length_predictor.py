"""Length predictor: lengths of answers and of runs, learned from completed runs.

Predicts the length of the next answer, its mean and its quantiles, by co-op and model; for a co-op
with fewer than ``MIN_ANSWERS`` answers of a model, by model. Lengths are counted in a histogram of
integer buckets, four to an octave, so that a bucket is at most a quarter of its lengths wide
(HdrHistogram's layout, Tene). Old lengths decay by exact halving of all counts.

Inputs: output tokens and run time of completed runs. Outputs: tokens and seconds.
"""

from msgspec import Struct

FIRST_OUTPUT_TOKENS = 128.0  # before the first run
FIRST_UPPER_TOKENS = 295.0  # p90 of exponential lengths with that mean
FIRST_RUN_S = 5.0
FIRST_MARGIN, LINE_MARGIN, FEW_RUNS = 2.0, 1.4, 8.0
MEMORY = 32  # runs: a new value weighs at least 1 / MEMORY in a mean
MIN_ANSWERS = 4  # a co-op with fewer answers of a model gets the model's lengths

PAIRS_KEPT = 4_096  # pairs of co-op and model; the least recently updated is dropped
MODELS_KEPT = 512
QUANTILES_KEPT = 8  # cached quantiles of one histogram

EXACT_BUCKETS = 8  # each length below has a bucket of its own
LONGEST = 1 << 17  # tokens; a longer answer counts as this
BUCKETS = EXACT_BUCKETS + 4 * (LONGEST.bit_length() - EXACT_BUCKETS.bit_length()) + 1
COUNT_PER_LENGTH = 64  # count of a new length, which can be halved six times before it is 0
COUNT_MOST = 256 * COUNT_PER_LENGTH  # total count at which all counts are halved


class RunningMean(Struct, array_like=True):
    """A running mean and its number of values, up to ``MEMORY``."""

    value: float
    seen: int = 0

    def add(self, value: float) -> None:
        """Moves the mean towards a new value."""
        if self.seen < MEMORY:
            self.seen += 1
        self.value = self.value + (value - self.value) / self.seen


class LengthHistogramState(Struct, frozen=True, array_like=True):
    """One histogram as a snapshot stores it."""

    coop: str
    model: str
    mean: RunningMean
    counts: list[int]


class LengthPredictorState(Struct, frozen=True, array_like=True):
    """The predictor as a snapshot stores it; each list begins with the least recently updated.

    The entries of ``models`` are lengths over all co-ops; their ``coop`` is "". Those of ``runs``
    are seconds, those of ``inputs`` prompt tokens.
    """

    pairs: list[LengthHistogramState]
    models: list[LengthHistogramState]
    runs: list[tuple[str, RunningMean]]
    inputs: list[tuple[str, RunningMean]] = []


class TypicalRun(Struct, frozen=True):
    """Means over a model's last runs: seconds on the node, prompt tokens, and answer tokens."""

    run_s: float
    input_tokens: float
    output_tokens: float


def bucket_index(tokens: int) -> int:
    """Returns the bucket of a length: exact below 8, then four to an octave."""
    if tokens < EXACT_BUCKETS:
        return tokens if tokens > 0 else 0
    tokens = min(tokens, LONGEST)
    octave = tokens.bit_length()
    return (
        EXACT_BUCKETS + 4 * (octave - EXACT_BUCKETS.bit_length()) + ((tokens >> (octave - 3)) & 3)
    )


def bucket_start(index: int) -> int:
    """Returns the least length in a bucket, tokens."""
    if index < EXACT_BUCKETS:
        return index
    octave, quarter = divmod(index - EXACT_BUCKETS, 4)
    return (4 + quarter) << (octave + 1)


class LengthHistogram:
    """Lengths of answers: a running mean and a histogram, with forgetting.

    Attributes:
        mean: the running mean, tokens.
        counts: by bucket; each new length adds ``COUNT_PER_LENGTH``.
    """

    __slots__ = ("_quantiles", "_total", "counts", "mean")

    def __init__(self, mean: RunningMean, counts: list[int]) -> None:
        self.mean = mean
        self.counts = counts
        self._total = sum(counts)
        self._quantiles: dict[float, float] = {}

    def add(self, tokens: float) -> None:
        """Adds the length of an answer."""
        self.mean.add(tokens)
        self.counts[bucket_index(int(tokens) if tokens < LONGEST else LONGEST)] += COUNT_PER_LENGTH
        self._total += COUNT_PER_LENGTH
        if self._total >= COUNT_MOST:
            self.counts = [count >> 1 for count in self.counts]
            self._total = sum(self.counts)
        if self._quantiles:
            self._quantiles = {}

    def quantile(self, confidence: float) -> float:
        """Returns the length that an answer does not exceed with a probability, tokens.

        Lengths are assumed to be uniform within a bucket.
        """
        tokens = self._quantiles.get(confidence)
        if tokens is None:
            tokens = self._compute_quantile(confidence)
            if len(self._quantiles) < QUANTILES_KEPT:
                self._quantiles[confidence] = tokens
        return tokens

    def _compute_quantile(self, confidence: float) -> float:
        target = confidence * self._total
        below = 0
        for index, count in enumerate(self.counts):
            if count and below + count >= target:
                begins = bucket_start(index)
                width = bucket_start(index + 1) - begins - 1
                return begins + width * max(0.0, target - below) / count
            below += count
        return float(LONGEST)


class LengthPredictor:
    """Lengths of answers by co-op and model and by model, and run times by model."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], LengthHistogram] = {}
        self._models: dict[str, LengthHistogram] = {}
        self._runs: dict[str, RunningMean] = {}
        self._inputs: dict[str, RunningMean] = {}

    def learn(
        self, coop: str, model: str, *, output_tokens: float, run_s: float, input_tokens: int = 0
    ) -> None:
        """Adds a completed run: tokens of one answer, seconds on the node, and prompt tokens."""
        if not (output_tokens >= 0.0 and 0.0 <= run_s < float("inf")):
            return
        tokens = min(output_tokens, float(LONGEST))
        name = (coop, model)
        pair = self._pairs.pop(name, None) or _empty_histogram()
        pair.add(tokens)
        self._pairs[name] = pair
        if len(self._pairs) > PAIRS_KEPT:
            del self._pairs[next(iter(self._pairs))]
        whole = self._models.pop(model, None) or _empty_histogram()
        whole.add(tokens)
        self._models[model] = whole
        for means, value in ((self._runs, run_s), (self._inputs, float(input_tokens))):
            mean = means.pop(model, None) or RunningMean(0.0)
            mean.add(value)
            means[model] = mean
        if len(self._models) > MODELS_KEPT:
            oldest = next(iter(self._models))
            del self._models[oldest], self._runs[oldest]
            self._inputs.pop(oldest, None)

    def output_tokens(self, coop: str, model: str, *, at_most: int) -> float:
        """Returns the expected length of one answer, tokens."""
        lengths = self._lengths(coop, model)
        return min(float(at_most), FIRST_OUTPUT_TOKENS if lengths is None else lengths.mean.value)

    def output_tokens_upper(
        self, coop: str, model: str, confidence: float, *, at_most: int
    ) -> float:
        """Returns the length that one answer does not exceed with a probability, tokens."""
        lengths = self._lengths(coop, model)
        upper = FIRST_UPPER_TOKENS if lengths is None else lengths.quantile(confidence)
        return min(float(at_most), upper)

    def run_s(self, model: str) -> float:
        """Returns the expected run time of a model, seconds."""
        mean = self._runs.get(model)
        return FIRST_RUN_S if mean is None else mean.value

    def typical_run(self, model: str) -> TypicalRun | None:
        """Returns the means over a model's last runs; None before the first."""
        run, tokens = self._runs.get(model), self._inputs.get(model)
        if run is None or tokens is None:
            return None
        return TypicalRun(run.value, tokens.value, self._models[model].mean.value)

    def line_s(self, model: str, position: int, slots: int) -> float:
        """Returns a time within which a place in line is mostly served, seconds.

        A few first runs say little of those that share an engine: until more are measured, runs
        side by side are assumed to slow each other down, and the margin is wider.

        Args:
            model: public name.
            position: from 1 on.
            slots: runs at once on the nodes that would accept the job.
        """
        mean = self._runs.get(model)
        runs = 0 if mean is None else mean.seen
        known = runs / (runs + FEW_RUNS)
        at_once = 1.0 + (max(1, slots) - 1) * known
        margin = FIRST_MARGIN + (LINE_MARGIN - FIRST_MARGIN) * known
        return margin * (position / at_once + 1.0) * self.run_s(model)

    def dump(self) -> LengthPredictorState:
        """Returns the state for a snapshot."""
        return LengthPredictorState(
            [
                LengthHistogramState(coop, model, lengths.mean, lengths.counts)
                for (coop, model), lengths in self._pairs.items()
            ],
            [
                LengthHistogramState("", model, lengths.mean, lengths.counts)
                for model, lengths in self._models.items()
            ],
            list(self._runs.items()),
            list(self._inputs.items()),
        )

    def load(self, state: LengthPredictorState) -> None:
        """Restores the state that ``dump`` returned."""
        self._pairs = {
            (lengths.coop, lengths.model): LengthHistogram(lengths.mean, lengths.counts)
            for lengths in state.pairs
        }
        self._models = {
            lengths.model: LengthHistogram(lengths.mean, lengths.counts) for lengths in state.models
        }
        self._runs = dict(state.runs)
        self._inputs = dict(state.inputs)

    def shares_lengths(self, coop: str, model: str) -> bool:
        """Tells whether a co-op's lengths of a model are those of all co-ops."""
        pair = self._pairs.get((coop, model))
        return pair is None or pair.mean.seen < MIN_ANSWERS

    def _lengths(self, coop: str, model: str) -> LengthHistogram | None:
        shared = self.shares_lengths(coop, model)
        return self._models.get(model) if shared else self._pairs[coop, model]


def _empty_histogram() -> LengthHistogram:
    return LengthHistogram(RunningMean(0.0), [0] * BUCKETS)
