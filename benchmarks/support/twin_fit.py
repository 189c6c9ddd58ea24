"""Twin fit: parameters of a machine from a calibration, and simulated against measured latencies.

Parameters are least-squares lines and medians of the calibration. The error of a simulated figure
is compared with the spread of the repeated measurements.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from entraide.types import Basis, DataClass, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_sim import (
    Arrival,
    Grid,
    JobRecords,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
)

COOP, MODEL, ZONE = "boreale", "model", "CA-QC"
START_AT = 1_763_000_400.0
GOAL_ERROR, GOAL_SPREADS = 0.10, 1.5
QUANTILES = (("p50", 0.50), ("p95", 0.95))
LEAST_S = 1e-6

Column = npt.NDArray[Any]


class MeasuredRequest(Struct, frozen=True):
    """Client-side times of one request, seconds from its sending.

    Attributes:
        input_tokens, output_tokens: as the engine counted them.
        sent_at: seconds since the load began.
        ttft_s: until the first piece of the answer.
        last_s: until the last piece.
        e2e_s: until the end of the stream, receipt included.
    """

    input_tokens: int
    output_tokens: int
    sent_at: float
    ttft_s: float
    last_s: float
    e2e_s: float

    @property
    def decode_s(self) -> float:
        """From the first piece to the last."""
        return self.last_s - self.ttft_s

    @property
    def tpot_s(self) -> float:
        """Time per further token; 0 for an answer of one token."""
        return self.decode_s / max(1, self.output_tokens - 1)


class CalibrationSamples(Struct, frozen=True):
    """Measurements of one calibration.

    Attributes:
        alone: requests alone on the machine, with several prompt and answer lengths.
        beside: number of concurrent answers, and a request during them.
    """

    alone: list[MeasuredRequest]
    beside: list[tuple[int, MeasuredRequest]]


class FittedModel(Struct, frozen=True):
    """Parameters fitted to a calibration.

    Attributes:
        rates: rates of the card: step time linear in the batch size.
        steps_s: measured step times by batch size, from 1 on.
        mixed_s: time that prefill adds to a step with a batch, beside its tokens; below 0 if the
            two share work.
        settle_s: time added to the first step after prefill.
        start_s: time of a first token beside its prompt: gateway, bus, agent, engine.
        tail_s: from the last token to the end of the stream.
        requests: number of requests of the calibration.
    """

    rates: Rates
    steps_s: tuple[float, ...]
    mixed_s: float
    settle_s: float
    start_s: float
    tail_s: float
    requests: int


class BatchBounds(Struct, frozen=True):
    """Limits of an engine's batch: sequences, tokens per sequence, prompt tokens per step."""

    slots: int
    context_tokens: int
    chunk_tokens: int


class Latencies(Struct, frozen=True):
    """Latencies of one load by request, seconds."""

    ttft_s: Sequence[float]
    tpot_s: Sequence[float]
    e2e_s: Sequence[float]

    def figures(self) -> dict[str, float]:
        """Returns the quantiles to compare."""
        figures = {}
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            for part, at in QUANTILES:
                figures[f"{name}_{part}"] = float(np.quantile(getattr(self, name), at))
        return figures


class FigureComparison(Struct, frozen=True):
    """A measured and a simulated figure.

    Attributes:
        live_s: mean over the repeats.
        spread_part: half the range of the repeats, relative to the mean.
        simulated_s: of the twin.
        error_part: deviation from the mean, relative to it.
        allowed_part: the larger of 10 % and 1.5 times the spread.
    """

    live_s: float
    spread_part: float
    simulated_s: float
    error_part: float
    allowed_part: float


def fit_model(calibrations: Sequence[CalibrationSamples]) -> FittedModel:
    """Fits a machine's parameters to all calibrations.

    Raises:
        ValueError: too few lengths for a line, or a batch size without measurements.
    """
    alone = [request for calibration in calibrations for request in calibration.alone]
    beside = [each for calibration in calibrations for each in calibration.beside]
    if len({request.input_tokens for request in alone}) < 2:
        raise ValueError("a calibration needs prompts of two lengths")
    if len({request.output_tokens for request in alone}) < 2:
        raise ValueError("a calibration needs answers of two lengths")
    start_s, prompt_s = fit_line(
        *median_by_x([(request.input_tokens, request.ttft_s) for request in alone])
    )
    settle_s, step_s = fit_line(
        *median_by_x([(request.output_tokens - 1, request.decode_s) for request in alone])
    )
    settle_s, prompt_s = max(0.0, settle_s), max(LEAST_S, prompt_s)
    sizes, more = median_by_x(
        [
            (companions + 1, (request.decode_s - settle_s) / (request.output_tokens - 1))
            for companions, request in beside
        ]
    )
    if sizes != list(range(2, len(sizes) + 2)):
        raise ValueError("a calibration needs a batch of each size")
    steps_s = [max(LEAST_S, step) for step in (step_s, *more)]
    base_s, more_s = float(np.mean(steps_s)), 0.0
    if steps_s[-1] > steps_s[0]:
        base_s, more_s = fit_line(range(1, len(steps_s) + 1), steps_s)
    way_s = max(0.0, start_s - steps_s[0])
    # On average a request arrives in the middle of a step, and its prefill is in the next one.
    added = [
        request.ttft_s - way_s - 1.5 * steps_s[companions - 1] - prompt_s * request.input_tokens
        for companions, request in beside
    ]
    return FittedModel(
        Rates(1.0 / prompt_s, max(LEAST_S, base_s), more_s, Basis.MEASURED),
        tuple(steps_s),
        max(-min(steps_s), float(np.median(added))) if added else 0.0,
        settle_s,
        max(0.0, start_s),
        float(np.median([request.e2e_s - request.last_s for request in alone])),
        len(alone) + len(beside),
    )


def median_by_x(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Returns the median y of each x, which is robust against outliers.

    >>> medians([(1, 5.0), (2, 7.0), (1, 6.0), (1, 99.0)])
    ([1, 2], [6.0, 7.0])
    """
    xs = sorted({x for x, _ in points})
    return xs, [float(np.median([y for at, y in points if at == x])) for x in xs]


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Returns intercept and slope of the least-squares line.

    >>> [round(value, 9) for value in line([1, 2, 3], [5, 7, 9])]
    [3.0, 2.0]
    """
    x, y = np.array(xs, dtype=float), np.array(ys, dtype=float)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return float(y.mean() - slope * x.mean()), slope


def capacity_per_s(
    fitted: FittedModel, engine: BatchBounds, *, input_tokens: float, output_tokens: float
) -> float:
    """Returns the requests per second of these mean lengths with a full batch."""
    prompt_s = input_tokens / fitted.rates.prefill_tokens_per_s + fitted.mixed_s + fitted.settle_s
    return 1.0 / (prompt_s + output_tokens * fitted.steps_s[engine.slots - 1] / engine.slots)


def simulate_load(
    arrivals: Sequence[Arrival], fitted: FittedModel, engine: BatchBounds
) -> Latencies:
    """Returns the simulated latencies of a load, by request.

    The pool's core drives one machine with the fitted parameters.
    """
    policy = Policy("twin", (CoopTerms(COOP),))
    records = JobRecords(policy)
    hours = int(arrivals[-1].at_s // 3_600.0) + 24 * 9
    world = World(
        Core(),
        start_at=START_AT,
        policy=policy,
        nodes=[make_node(fitted, engine)],
        grid=Grid(
            [constant_series(ZONE, 1.3, start_at=START_AT // 3_600.0 * 3_600.0, hours=hours)]
        ),
        recorder=records,
    )
    world.run(make_requests(arrivals, RequestTemplate(MODEL), start_at=START_AT, coops=(COOP,)))
    names = ("asked_at", "first_at", "end_at", "output_tokens")
    order = np.argsort(records.column("asked_at"), kind="stable")  # rows come as jobs end
    asked, first, end, answers = (records.column(name)[order] for name in names)
    tokens: Column = np.maximum(1, answers - 1)
    if len(asked) != len(arrivals) or not (first > 0.0).all():
        raise ValueError("the twin did not serve every request")
    e2e = end - asked + fitted.tail_s
    return Latencies((first - asked).tolist(), ((end - first) / tokens).tolist(), e2e.tolist())


def make_node(fitted: FittedModel, engine: BatchBounds) -> NodeSpec:
    """Returns the node with fitted parameters.

    The start delay is one step of the engine; the rest is round-trip time.
    """
    alone_s = min(fitted.start_s, fitted.steps_s[0])
    replica = Replica(
        MODEL, "unknown", "twin/1", engine.context_tokens, engine.slots, (), fitted.rates
    )
    card = NodeCard(
        node="n1",
        coop=COOP,
        site="here",
        zone=ZONE,
        power=Power("twin", 5.0, 30.0, Basis.DEFAULT),
        replicas=(replica,),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=fitted.start_s - alone_s,
        agent="twin",
    )
    return NodeSpec(
        card=card,
        chunk_tokens=engine.chunk_tokens,
        alone_s=alone_s,
        steps_s=fitted.steps_s,
        mixed_s=fitted.mixed_s,
        settle_s=fitted.settle_s,
        batches_prefill=True,
    )


def compare_figure(live: Sequence[float], simulated: float) -> FigureComparison:
    """Compares a simulated figure with the repeated measurements."""
    mean = float(np.mean(live))
    spread = (max(live) - min(live)) / 2.0 / mean
    allowed = max(GOAL_ERROR, GOAL_SPREADS * spread)
    return FigureComparison(mean, spread, simulated, abs(simulated - mean) / mean, allowed)
