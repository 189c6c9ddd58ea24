"""A machine's figures from a short calibration, and a simulated load beside measured ones.

Decides how few measurements become the figures of a node (two lines by least squares), how a load
is simulated with them, and what counts as near: an error is held against the spread of the
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
    NodeSpec,
    Records,
    Wish,
    World,
    constant,
    requests,
)

COOP, MODEL, ZONE = "boreale", "model", "CA-QC"
START_AT = 1_763_000_400.0
GOAL_ERROR, GOAL_SPREADS = 0.10, 1.5
QUANTILES = (("p50", 0.50), ("p95", 0.95))
LEAST_S = 1e-6

Column = npt.NDArray[Any]


class Seen(Struct, frozen=True):
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
    def tpot_s(self) -> float:
        """Time for each further token; 0 for an answer of one."""
        return (self.last_s - self.ttft_s) / max(1, self.output_tokens - 1)


class Fitted(Struct, frozen=True):
    """What a calibration came to.

    Attributes:
        rates: speed of the engine.
        start_s: what a first token takes beside its prompt: gateway, bus, agent, engine.
        tail_s: from the last token to the end of the stream.
        alone, together: how many requests stand behind the two lines.
    """

    rates: Rates
    start_s: float
    tail_s: float
    alone: int
    together: int


class Engine(Struct, frozen=True):
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
        found = {}
        for name in ("ttft_s", "tpot_s", "e2e_s"):
            for part, at in QUANTILES:
                found[f"{name}_{part}"] = float(np.quantile(getattr(self, name), at))
        return found


class Compared(Struct, frozen=True):
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


def fit(alone: Sequence[Seen], together: Sequence[tuple[int, Seen]]) -> Fitted:
    """Returns a machine's figures.

    Args:
        alone: requests that had the machine to themselves, with prompts of several lengths.
        together: requests whose whole answer was made in a batch of so many sequences.

    Raises:
        ValueError: they are too few, or all of one length, to draw a line through.
    """
    prompts = [one.input_tokens for one in alone]
    sizes = [(size, one.tpot_s) for size, one in together if one.output_tokens > 1]
    sizes += [(1, one.tpot_s) for one in alone if one.output_tokens > 1]
    if len(set(prompts)) < 2 or len({size for size, _ in sizes}) < 2:
        raise ValueError("a calibration needs prompts of two lengths and batches of two sizes")
    start_s, prompt_s = line(*medians([(one.input_tokens, one.ttft_s) for one in alone]))
    base_s, more_s = line(*medians(sizes))
    if more_s < 0.0:
        base_s, more_s = float(np.mean([tpot for _, tpot in sizes])), 0.0
    rates = Rates(1.0 / max(LEAST_S, prompt_s), max(LEAST_S, base_s), more_s, Basis.MEASURED)
    tail_s = float(np.median([one.e2e_s - one.last_s for one in alone]))
    return Fitted(rates, max(0.0, start_s), tail_s, len(alone), len(sizes))


def last_to_begin(group: Sequence[Seen]) -> Seen:
    """Returns the one of equal requests sent at once that no other's prompt disturbed."""
    return max(group, key=lambda one: one.ttft_s)


def medians(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Returns, for each x, the median y: one hiccup of the machine bends no line.

    >>> medians([(1, 5.0), (2, 7.0), (1, 6.0), (1, 99.0)])
    ([1, 2], [6.0, 7.0])
    """
    xs = sorted({x for x, _ in points})
    return xs, [float(np.median([y for at, y in points if at == x])) for x in xs]


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Returns the straight line through points by least squares: at 0, and for each 1 more.

    >>> [round(value, 9) for value in line([1, 2, 3], [5, 7, 9])]
    [3.0, 2.0]
    """
    x, y = np.array(xs, dtype=float), np.array(ys, dtype=float)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return float(y.mean() - slope * x.mean()), slope


def capacity_per_s(
    fitted: Fitted, engine: Engine, *, input_tokens: float, output_tokens: float
) -> float:
    """Returns how many requests of that mean length a full engine serves in a second."""
    rates = fitted.rates
    step_s = rates.tpot_base_s + rates.tpot_per_sequence_s * engine.slots
    work_s = input_tokens / rates.prefill_tokens_per_s + output_tokens * step_s / engine.slots
    return 1.0 / work_s


def simulate(arrivals: Sequence[Arrival], fitted: Fitted, engine: Engine) -> Latencies:
    """Returns what the twin says of a load, request by request.

    It is the pool's own core, around one machine with the figures that were fitted.
    """
    policy = Policy("twin", (CoopTerms(COOP),))
    records = Records(policy)
    hours = int(arrivals[-1].at_s // 3_600.0) + 24 * 9
    world = World(
        Driver(Core(), start_at=START_AT),
        policy=policy,
        nodes=[node(fitted, engine)],
        grid=Grid([constant(ZONE, 1.3, start_at=START_AT // 3_600.0 * 3_600.0, hours=hours)]),
        recorder=records,
    )
    world.run(requests(arrivals, Wish(MODEL), start_at=START_AT, coops=(COOP,)))
    names = ("asked_at", "first_at", "end_at", "output_tokens")
    order = np.argsort(records.column("asked_at"), kind="stable")  # rows come as jobs end
    asked, first, end, answers = (records.column(name)[order] for name in names)
    tokens: Column = np.maximum(1, answers - 1)
    if len(asked) != len(arrivals) or not (first > 0.0).all():
        raise ValueError("the twin did not serve every request")
    e2e = end - asked + fitted.tail_s
    return Latencies((first - asked).tolist(), ((end - first) / tokens).tolist(), e2e.tolist())


def node(fitted: Fitted, engine: Engine) -> NodeSpec:
    """Returns the machine that a calibration describes.

    A start is one step of the engine, which takes what any step takes; the rest of it lies on the
    way to the machine.
    """
    alone_s = min(fitted.start_s, fitted.rates.tpot_base_s)
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
    return NodeSpec(card=card, chunk_tokens=engine.chunk_tokens, alone_s=alone_s)


def compare(live: Sequence[float], simulated: float) -> Compared:
    """Holds a simulated figure against the same figure of each repeat."""
    mean = float(np.mean(live))
    spread = (max(live) - min(live)) / 2.0 / mean
    allowed = max(GOAL_ERROR, GOAL_SPREADS * spread)
    return Compared(mean, spread, simulated, abs(simulated - mean) / mean, allowed)
