"""A machine's figures from a short calibration, and a simulated load beside measured ones.

Decides how few measurements become the figures of a node (lines by least squares, medians), how a
load is simulated with them, and what counts as near: an error is held against the spread of the
repeats. It refuses to know how anything was measured.
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
    Driver,
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
    """One request as its client saw it; seconds, from when it was sent.

    Attributes:
        input_tokens, output_tokens: as the engine counted them.
        sent_at: seconds since the load began.
        ttft_s: until the first piece of the answer.
        last_s: until the last piece.
        e2e_s: until the stream ended, receipt and all.
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
        """Time for each further token; 0 for an answer of one."""
        return self.decode_s / max(1, self.output_tokens - 1)


class CalibrationSamples(Struct, frozen=True):
    """What one calibration measured.

    Attributes:
        alone: requests that had the machine to themselves, with prompts and answers of several
            lengths.
        beside: requests that came while so many others were answered, until after their own end.
    """

    alone: list[MeasuredRequest]
    beside: list[tuple[int, MeasuredRequest]]


class FittedModel(Struct, frozen=True):
    """What a calibration came to.

    Attributes:
        rates: speed of the engine, as its card tells it: a straight line over batches.
        steps_s: what a step takes by the size of the batch, from 1 on, as it was measured.
        mixed_s: what reading a prompt adds to a step of a batch, beside its tokens; below 0 where
            the two have something in common.
        settle_s: what the first step after a prompt takes more.
        start_s: what a first token takes beside its prompt: gateway, bus, agent, engine.
        tail_s: from the last token to the end of the stream.
        requests: how many stand behind all that.
    """

    rates: Rates
    steps_s: tuple[float, ...]
    mixed_s: float
    settle_s: float
    start_s: float
    tail_s: float
    requests: int


class BatchBounds(Struct, frozen=True):
    """What bounds an engine's batch: sequences, tokens of each, prompt tokens in one step."""

    slots: int
    context_tokens: int
    chunk_tokens: int


class Latencies(Struct, frozen=True):
    """Latencies of one load, one value for each request, seconds."""

    ttft_s: Sequence[float]
    tpot_s: Sequence[float]
    e2e_s: Sequence[float]

    def figures(self) -> dict[str, float]:
        """Returns the figures that are compared."""
        figures = {}
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            for part, at in QUANTILES:
                figures[f"{name}_{part}"] = float(np.quantile(getattr(self, name), at))
        return figures


class FigureComparison(Struct, frozen=True):
    """One figure, measured and simulated.

    Attributes:
        live_s: mean over the repeats.
        spread_part: half of what lies between the least and the most of them, as a part of that.
        simulated_s: what the twin says.
        error_part: its distance from the mean, as a part of that.
        allowed_part: the larger of 10 % and 1.5 times the spread.
    """

    live_s: float
    spread_part: float
    simulated_s: float
    error_part: float
    allowed_part: float


def fit_model(calibrations: Sequence[CalibrationSamples]) -> FittedModel:
    """Returns a machine's figures, from all calibrations together.

    Raises:
        ValueError: they are too few, or all of one length, to draw a line through; or there is a
            size of batch of which nothing was measured.
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
    # It comes in the middle of a step, on average, and is read in the next one.
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
    """Returns, for each x, the median y: one hiccup of the machine bends no line.

    >>> medians([(1, 5.0), (2, 7.0), (1, 6.0), (1, 99.0)])
    ([1, 2], [6.0, 7.0])
    """
    xs = sorted({x for x, _ in points})
    return xs, [float(np.median([y for at, y in points if at == x])) for x in xs]


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Returns the straight line through points by least squares: at 0, and for each 1 more.

    >>> [round(value, 9) for value in line([1, 2, 3], [5, 7, 9])]
    [3.0, 2.0]
    """
    x, y = np.array(xs, dtype=float), np.array(ys, dtype=float)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return float(y.mean() - slope * x.mean()), slope


def capacity_per_s(
    fitted: FittedModel, engine: BatchBounds, *, input_tokens: float, output_tokens: float
) -> float:
    """Returns how many requests of that mean length a full engine serves in a second."""
    prompt_s = input_tokens / fitted.rates.prefill_tokens_per_s + fitted.mixed_s + fitted.settle_s
    return 1.0 / (prompt_s + output_tokens * fitted.steps_s[engine.slots - 1] / engine.slots)


def simulate_load(
    arrivals: Sequence[Arrival], fitted: FittedModel, engine: BatchBounds
) -> Latencies:
    """Returns what the twin says of a load, request by request.

    It is the pool's own core, around one machine with the figures that were fitted.
    """
    policy = Policy("twin", (CoopTerms(COOP),))
    records = JobRecords(policy)
    hours = int(arrivals[-1].at_s // 3_600.0) + 24 * 9
    world = World(
        Driver(Core(), start_at=START_AT),
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
    """Returns the machine that a calibration describes.

    A start is one step of the engine, which takes what any step takes; the rest of it lies on the
    way to the machine.
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
    """Holds a simulated figure against the same figure of each repeat."""
    mean = float(np.mean(live))
    spread = (max(live) - min(live)) / 2.0 / mean
    allowed = max(GOAL_ERROR, GOAL_SPREADS * spread)
    return FigureComparison(mean, spread, simulated, abs(simulated - mean) / mean, allowed)
