"""Habits: how long answers and runs are, learned from those that have ended.

Decides what length to expect of the next answer, on average and with a confidence, by co-op and
model; where a co-op has asked too little of a model, by the model alone. Lengths stand in a
histogram of integer buckets, four to an octave, so that a bucket is never wider than a quarter of
its lengths (HdrHistogram's layout, Tene); old ones fade by exact halvings. It refuses to know how
fast a node is; ``performance_model`` does.
"""

from msgspec import Struct

FIRST_OUTPUT_TOKENS = 128.0  # before anything is known
FIRST_UPPER_TOKENS = 295.0  # likewise: nine in ten of exponential lengths with that mean
FIRST_RUN_S = 5.0
MEMORY = 32  # runs: the weight of a new one in a mean never falls below 1 / MEMORY
MIN_ANSWERS = 4  # answers: a co-op with fewer is taken for the average co-op

PAIRS_KEPT = 4_096  # of co-op and model; beyond, the one that learned longest ago is forgotten
MODELS_KEPT = 512
QUANTILES_KEPT = 8  # confidences remembered for one histogram until it learns again

EXACT_BUCKETS = 8  # lengths below have a bucket each
LONGEST = 1 << 17  # tokens; longer ones count as this
BUCKETS = EXACT_BUCKETS + 4 * (LONGEST.bit_length() - EXACT_BUCKETS.bit_length()) + 1
COUNT_PER_LENGTH = (
    64  # what a new length counts, so that it can be halved six times before it is forgotten
)
COUNT_MOST = 256 * COUNT_PER_LENGTH  # a histogram is halved when it counts so much


class RunningMean(Struct, array_like=True):
    """A running mean, and how many values it has seen (up to ``MEMORY``)."""

    value: float
    seen: int = 0

    def add(self, value: float) -> None:
        """Moves the mean towards a new value."""
        self.seen = min(self.seen + 1, MEMORY)
        self.value = self.value + (value - self.value) / self.seen


class LengthHistogramState(Struct, frozen=True, array_like=True):
    """Lengths as they are written down."""

    coop: str
    model: str
    mean: RunningMean
    counts: list[int]


class LengthPredictorState(Struct, frozen=True, array_like=True):
    """Habits as they are written down; each list begins with what learned longest ago.

    ``model_lifecycle`` are lengths over all co-ops; their ``coop`` is "".
    """

    pairs: list[LengthHistogramState]
    models: list[LengthHistogramState]
    runs: list[tuple[str, RunningMean]]


def bucket_index(tokens: int) -> int:
    """Returns the bucket of a length: exact below 8, then four to an octave."""
    tokens = max(0, min(LONGEST, tokens))
    if tokens < EXACT_BUCKETS:
        return tokens
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
    """Lengths of answers: a running mean, and a histogram that forgets.

    Attributes:
        mean: the running mean, tokens.
        counts: by bucket; each new length counts ``COUNT_PER_LENGTH``.
    """

    __slots__ = ("_quantiles", "_total", "counts", "mean")

    def __init__(self, mean: RunningMean, counts: list[int]) -> None:
        self.mean = mean
        self.counts = counts
        self._total = sum(counts)
        self._quantiles: dict[float, float] = {}

    def add(self, tokens: float) -> None:
        """Takes in the length of an answer."""
        self.mean.add(tokens)
        self.counts[bucket_index(int(min(tokens, LONGEST)))] += COUNT_PER_LENGTH
        self._total += COUNT_PER_LENGTH
        if self._total >= COUNT_MOST:
            self.counts = [count >> 1 for count in self.counts]
            self._total = sum(self.counts)
        if self._quantiles:
            self._quantiles = {}

    def quantile(self, confidence: float) -> float:
        """Returns the length that an answer stays within with that probability, tokens.

        Within a bucket lengths are taken to be spread evenly.
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
    """What is known of lengths by co-op and model, of lengths by model, and of runs by model."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], LengthHistogram] = {}
        self._models: dict[str, LengthHistogram] = {}
        self._runs: dict[str, RunningMean] = {}

    def learn(self, coop: str, model: str, *, output_tokens: float, run_s: float) -> None:
        """Takes in a completed run: tokens of one answer, and seconds on the node."""
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
        run = self._runs.pop(model, None) or RunningMean(0.0)
        run.add(run_s)
        self._runs[model] = run
        if len(self._models) > MODELS_KEPT:
            oldest = next(iter(self._models))
            del self._models[oldest], self._runs[oldest]

    def output_tokens(self, coop: str, model: str, *, at_most: int) -> float:
        """Returns the expected length of one answer, tokens."""
        lengths = self._lengths(coop, model)
        return min(float(at_most), FIRST_OUTPUT_TOKENS if lengths is None else lengths.mean.value)

    def output_tokens_upper(
        self, coop: str, model: str, confidence: float, *, at_most: int
    ) -> float:
        """Returns the length that one answer stays within with that probability, tokens."""
        lengths = self._lengths(coop, model)
        upper = FIRST_UPPER_TOKENS if lengths is None else lengths.quantile(confidence)
        return min(float(at_most), upper)

    def run_s(self, model: str) -> float:
        """Returns how long a run of a model is expected to take, seconds."""
        mean = self._runs.get(model)
        return FIRST_RUN_S if mean is None else mean.value

    def dump(self) -> LengthPredictorState:
        """Returns what is known, to be written down."""
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
        )

    def load(self, state: LengthPredictorState) -> None:
        """Takes over what was written down."""
        self._pairs = {
            (lengths.coop, lengths.model): LengthHistogram(lengths.mean, lengths.counts)
            for lengths in state.pairs
        }
        self._models = {
            lengths.model: LengthHistogram(lengths.mean, lengths.counts) for lengths in state.models
        }
        self._runs = dict(state.runs)

    def _lengths(self, coop: str, model: str) -> LengthHistogram | None:
        pair = self._pairs.get((coop, model))
        if pair is not None and pair.mean.seen >= MIN_ANSWERS:
            return pair
        return self._models.get(model)


def _empty_histogram() -> LengthHistogram:
    return LengthHistogram(RunningMean(0.0), [0] * BUCKETS)
