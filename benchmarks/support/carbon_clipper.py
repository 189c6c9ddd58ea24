"""CarbonClipper for one place: a deadline scheduler with a proved bound, as a reference.

The idea of Lechowicz et al., "Learning-Augmented Competitive Algorithms for Spatiotemporal Online
Allocation with Deadline Constraints" (arXiv 2408.07831), for a single place and without a cost of
moving; written from the paper's description. A batch is a divisible workload of size 1. In each
hour it would do as much as its progress is worth: the price that it accepts falls from the highest
intensity towards the lowest as the work advances. What it does is then moved into the interval in
which its cost stays within ``1 + epsilon`` of what following the advice could cost in the worst
case. Once the hours left at full rate only just suffice, it runs. It knows the bounds of the
intensity and the number of slots, and not when the owners of the machines need them.

Inputs: batches, intensities, room by hour. Output: the lines that run in each hour.
"""

from collections.abc import Callable, Sequence
from math import exp, log

from msgspec import Struct


class Batch(Struct, frozen=True):
    """Equal lines that come together.

    Attributes:
        arrive, last: first and last hour in which its lines may start.
        lines: number of lines.
    """

    arrive: int
    last: int
    lines: int


class Shifted(Struct, frozen=True):
    """Result: sum of the intensities of the lines that ran, their number, and the late ones."""

    grams: float
    ran: int
    late: int


class _Progress(Struct):
    """A batch that is not yet done, with the part that the advice would have done so far."""

    batch: Batch
    advice: dict[int, float]
    ran: int = 0
    cost: float = 0.0
    advised: float = 0.0
    advised_cost: float = 0.0


class _Market(Struct, frozen=True):
    """What CarbonClipper knows in advance: bounds of the intensity, rate, and its own terms."""

    low: float
    high: float
    rate: float
    epsilon: float
    ratio: float


def robustness(low: float, high: float, epsilon: float) -> float:
    """Returns the competitive ratio for a consistency of ``1 + epsilon``.

    It is at least the best ratio without advice, at which the price of the last work is the lowest.
    """

    def spread(ratio: float) -> float:
        return log((high - low) / (high - high / ratio))

    alone = _root(lambda ratio: 1.0 / ratio - spread(ratio), high / low)
    bound = _root(
        lambda ratio: epsilon + high / low - ratio / low * (high - low) * spread(ratio) - ratio,
        high / low,
    )
    return max(alone, bound)


def _root(increasing: Callable[[float], float], most: float) -> float:
    """Returns where a function of a ratio above 1 passes from negative to positive."""
    least = 1.0 + 1e-9
    for _ in range(60):
        middle = (least + most) / 2.0
        least, most = (least, middle) if increasing(middle) > 0.0 else (middle, most)
    return most


def wanted_progress(g_per_kwh: float, low: float, high: float, ratio: float) -> float:
    """Returns the progress up to which an intensity is worth its price."""
    price = min(high, max(low, g_per_kwh))
    if price >= high:
        return 0.0
    return max(0.0, ratio * log((high - price) / (high - high / ratio)))


def accepted_price(progress: float, high: float, ratio: float) -> float:
    """Returns the intensity that is accepted at a progress; inverse of ``wanted_progress``."""
    return high + (high / ratio - high) * exp(progress / ratio)


def clip_batches(
    batches: Sequence[Batch],
    actual: Sequence[float],
    room: Sequence[float],
    *,
    rate: float,
    epsilon: float,
) -> Shifted:
    """Returns what the lines of batches emit, in intensity times lines.

    Args:
        batches: in order of arrival.
        actual: intensity of each hour, also known in advance to the advice.
        room: lines that can run in each hour.
        rate: lines that can run in an hour if no owner needs a machine.
        epsilon: accepted excess over the advice.
    """
    low, high = min(actual), max(actual)
    market = _Market(low, high, rate, epsilon, robustness(low, high, epsilon))
    grams, ran, late, coming = 0.0, 0, 0, list(batches)
    open_batches: list[_Progress] = []
    for hour, g_per_kwh in enumerate(actual):
        while coming and coming[0].arrive <= hour:
            batch = coming.pop(0)
            open_batches.append(_Progress(batch, _cheapest_hours(batch, actual, rate)))
        left = int(room[hour])
        for progress in sorted(open_batches, key=lambda each: each.batch.last):
            lines = min(left, _lines_now(progress, hour, g_per_kwh, market))
            left -= lines
            progress.ran += lines
            progress.cost += g_per_kwh * lines / progress.batch.lines
            grams += g_per_kwh * lines
            ran += lines
        late += sum(each.batch.lines - each.ran for each in open_batches if each.batch.last <= hour)
        open_batches = [
            each for each in open_batches if each.batch.last > hour and each.ran < each.batch.lines
        ]
    return Shifted(grams, ran, late)


def _cheapest_hours(batch: Batch, actual: Sequence[float], rate: float) -> dict[int, float]:
    """Returns the advice: the part of a batch in each of its cheapest hours, at full rate."""
    advice, rest = {}, 1.0
    hours = range(batch.arrive, min(batch.last + 1, len(actual)))
    for hour in sorted(hours, key=lambda each: (actual[each], each)):
        advice[hour] = min(rest, rate / batch.lines)
        rest -= advice[hour]
    return advice


def _lines_now(progress: _Progress, hour: int, g_per_kwh: float, market: _Market) -> int:
    """Returns how many lines of a batch are to run in an hour."""
    batch, low, high = progress.batch, market.low, market.high
    done, most = progress.ran / batch.lines, market.rate / batch.lines
    advised = progress.advice.get(hour, 0.0)
    progress.advised += advised
    progress.advised_cost += advised * g_per_kwh
    rest = 1.0 - done
    if rest > most * (batch.last - hour):
        return batch.lines - progress.ran
    wanted = wanted_progress(g_per_kwh, low, high, market.ratio) - done
    allowed = progress.advised_cost + (1.0 - progress.advised) * low
    allowed *= 1.0 + market.epsilon
    behind = max(0.0, progress.advised - done)
    # Cost so far, and of the rest at best; what the advice is ahead costs the most at worst.
    fixed = progress.cost + rest * low
    excess = fixed + behind * (high - low) - allowed
    if g_per_kwh < high and excess > 0.0:
        wanted = max(wanted, min(behind, excess / (high - g_per_kwh)))
    if g_per_kwh > low:
        spare = max(0.0, allowed - fixed - (g_per_kwh - low) * behind)
        wanted = min(wanted, behind + spare / (g_per_kwh - low))
    part = max(0.0, min(wanted, rest, most))
    return round((done + part) * batch.lines) - progress.ran
