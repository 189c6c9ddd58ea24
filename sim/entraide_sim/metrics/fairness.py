"""Fairness: how evenly co-ops were served, measured from the table of finished jobs.

Service is in virtual tokens: prompts when placed, answers as they are generated, weighted as the
policy charges them. Metrics:

- ``max_gap``: over any two co-ops and any interval during which both had jobs waiting, the largest
  difference of their service per share.
- ``gap_bound``: ``2 * max(w_in * L_in, w_out * K) / least weight``: ``L_in`` is the longest prompt,
  ``K`` the policy's cap on tokens in flight. Proved for equal nodes and constant weights.
- ``violations``: pairs and intervals in which the gap exceeded the bound.
- ``jain``: Jain's index of received service over the weighted max-min share.

Batch jobs are excluded from the gaps: they wait for low-carbon hours. Sampled every ``STEP_S``
seconds, or at ``STEPS_MAX`` moments of a longer run.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from entraide.types import JobClass
from entraide_scheduler.core.policy import Policy
from entraide_sim.world import Column, Table

STEP_S = 30.0
STEPS_MAX = 20_000


def max_min_shares(
    demands: Sequence[float], weights: Sequence[float], served: float
) -> list[float]:
    """Returns the weighted max-min shares of the service, at most each one's demand.

    >>> max_min_shares([10.0, 100.0, 100.0], [1.0, 1.0, 2.0], 100.0)
    [10.0, 30.0, 60.0]
    """
    shares = [0.0] * len(demands)
    remaining = served
    unsatisfied = [index for index, demand in enumerate(demands) if demand > 0.0]
    while unsatisfied and remaining > 0.0:
        level = remaining / sum(weights[index] for index in unsatisfied)
        satisfied = [index for index in unsatisfied if demands[index] <= level * weights[index]]
        for index in satisfied or unsatisfied:
            shares[index] = demands[index] if satisfied else level * weights[index]
            remaining -= shares[index]
        if not satisfied:
            break
        unsatisfied = [index for index in unsatisfied if index not in satisfied]
    return shares


def jain_index(values: Sequence[float]) -> float | None:
    """Returns Jain's index, from 1 / n to 1 (all equal); None without values."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares > 0.0 else None


def measure_fairness(
    table: Table,
    policy: Policy,
    *,
    received: Mapping[str, float],
    due_tokens: Mapping[str, float],
) -> dict[str, float | int | None]:
    """Returns the fairness metrics of a run.

    Args:
        table: columns of finished jobs (``JobRecords``).
        policy: with the weights of the co-ops.
        received: virtual tokens served to each co-op.
        due_tokens: virtual tokens due to each co-op.
    """
    weights = {terms.coop: terms.shares for terms in policy.coops}
    longest = int(table["input_tokens"].max()) if len(table["input_tokens"]) else 0
    charge = policy.charge
    bound = (
        2.0
        * max(charge.input_weight * longest, charge.output_weight * policy.fair_share.cap_tokens)
        / min(weights.values())
    )
    gap, violations = _service_gaps(table, policy, weights, bound)
    parts = [
        received[coop] / due_tokens[coop] for coop in sorted(received) if due_tokens[coop] > 0.0
    ]
    return {"jain": jain_index(parts), "max_gap": gap, "gap_bound": bound, "violations": violations}


def _service_gaps(
    table: Table, policy: Policy, weights: Mapping[str, float], bound: float
) -> tuple[float, int]:
    turns = table["job_class"] != JobClass.BATCH.value
    placed = table["placed_at"] > 0.0
    waited = turns & ((table["placed_at"] > table["asked_at"]) | ~placed)
    if not waited.any():
        return 0.0, 0
    begin, end = float(table["asked_at"].min()), float(table["end_at"].max())
    step = max(STEP_S, (end - begin) / STEPS_MAX)
    moments = np.arange(begin, end + step, step)
    names = sorted(set(table["coop"][waited].tolist()) & set(weights))
    waiting = np.stack(
        [_is_waiting(table, waited & (table["coop"] == name), moments) for name in names]
    )
    often = waiting.sum(axis=1) > 1
    names = [name for name, kept in zip(names, often.tolist(), strict=True) if kept]
    waiting = waiting[often]
    served = [_service_until(table, table["coop"] == name, moments, policy) / weights[name]
              for name in names]  # fmt: skip
    gap, violations = 0.0, 0
    for first in range(len(names)):
        for second in range(first + 1, len(names)):
            both = waiting[first] & waiting[second]
            if both.any():
                spans = _gap_ranges(served[first] - served[second], both)
                gap = max(gap, float(spans.max()))
                violations += int((spans > bound).sum())
    return gap, violations


def _is_waiting(table: Table, rows: Column, moments: Column) -> Column:
    """Returns at which moments some of these jobs wait for placement."""
    asked, placed = np.sort(table["asked_at"][rows]), table["placed_at"][rows]
    over = np.sort(np.where(placed > 0.0, placed, table["end_at"][rows]))
    came: Column = np.searchsorted(asked, moments, side="right")
    went: Column = np.searchsorted(over, moments, side="right")
    waiting: Column = came > went
    return waiting


def _service_until(table: Table, rows: Column, moments: Column, policy: Policy) -> Column:
    """Returns the virtual tokens served up to each moment; answers count linearly in time."""
    placed = rows & (table["placed_at"] > 0.0)
    charge = policy.charge
    at = table["placed_at"][placed]
    prompts = (table["input_tokens"] - table["cached_tokens"])[placed] * charge.input_weight
    order = np.argsort(at, kind="stable")
    total = np.concatenate(([0.0], np.cumsum(prompts[order])))
    prompt_tokens: Column = total[np.searchsorted(at[order], moments, side="right")]
    answered = placed & (table["first_at"] > 0.0)
    first, end = table["first_at"][answered], table["end_at"][answered]
    tokens = table["output_tokens"][answered] * charge.output_weight
    rate = tokens / np.maximum(end - first, 1e-3)
    return (
        prompt_tokens
        + _ramp_sum(first, rate, moments)
        - _ramp_sum(np.maximum(end, first + 1e-3), rate, moments)
    )


def _ramp_sum(begins: Column, rates: Column, moments: Column) -> Column:
    """Returns the sum of ``rate * max(0, t - begin)`` at each moment."""
    order = np.argsort(begins, kind="stable")
    # Relative to the first moment: seconds since the epoch would lose precision.
    origin = float(moments[0])
    starts, slopes = begins[order] - origin, rates[order]
    slope = np.concatenate(([0.0], np.cumsum(slopes)))
    offset = np.concatenate(([0.0], np.cumsum(slopes * starts)))
    count = np.searchsorted(starts, moments - origin, side="right")
    sums: Column = slope[count] * (moments - origin) - offset[count]
    return sums


def _gap_ranges(difference: Column, both: Column) -> Column:
    """Returns the range of the difference in each interval during which both wait."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], both, [False])).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    pairs = np.stack((begins, np.minimum(ends, len(difference) - 1)), axis=1).ravel()
    if len(begins) and pairs[-1] == len(difference) - 1 and pairs[-2] == pairs[-1]:
        pairs = pairs[:-1]
    highs = np.maximum.reduceat(difference, pairs)[::2]
    lows = np.minimum.reduceat(difference, pairs)[::2]
    spans: Column = highs - lows
    return spans
