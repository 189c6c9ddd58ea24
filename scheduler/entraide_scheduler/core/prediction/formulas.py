"""Formulas: what one job would take on a replica, for one replica or for the columns of many.

Each formula takes floats or NumPy arrays and applies only operations that IEEE 754 rounds correctly
(+, -, *) and comparisons. So a value computed for a column equals, bit for bit, the value computed
for each replica alone. Sums are built in place, which spares columns their temporaries.

Inputs: a ``CostModel`` and a ``PlacementRequest``. Outputs: seconds, and energy or emissions.
"""

from functools import lru_cache
from math import inf
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from entraide_scheduler.core.prediction.cost_model import CostModel, EnergyCost, Floats, Number
from entraide_scheduler.core.prediction.placement_request import PlacementRequest

Bools = NDArray[np.bool_]
# Factor on the time to the first token, alone and behind other prompts; seconds per token.
Bounds = tuple[Number, Number, Number]
PART_STEPS = 32  # of a bisection
P90_DEVIATIONS = 0.906194  # of a normal distribution, from the mean, in deviations times sqrt(2)


def upper_bounds(cost: CostModel[Number], scale: float) -> Bounds[Number]:
    """Returns the upper bounds at a confidence, as factors or seconds."""
    return (
        1.0 + cost.ttft_excess * scale,
        1.0 + cost.queued_excess * scale,
        cost.token_s * (1.0 + cost.tpot_excess * scale),
    )


@overload
def predict_latency(
    cost: CostModel[float], request: PlacementRequest, tokens: int, bounds: Bounds[float]
) -> tuple[float, float, bool, bool]: ...


@overload
def predict_latency(
    cost: CostModel[Floats], request: PlacementRequest, tokens: int, bounds: Bounds[Floats]
) -> tuple[Floats, Floats, Bools, Bools]: ...


def predict_latency(
    cost: CostModel[Any], request: PlacementRequest, tokens: int, bounds: Bounds[Any]
) -> tuple[Any, Any, Any, Any]:
    """Predicts the first token, and whether the objectives are met.

    Args:
        cost: cost of one more job.
        request: the job's requirements.
        tokens: prompt tokens that are not in the replica's cache.
        bounds: ``upper_bounds`` at the request's confidence.

    Returns:
        Mean and upper seconds to the first token; whether all objectives but that of the first
        token are predicted to be met; whether all are.
    """
    alone_factor, queued_factor, tpot_upper_s = bounds
    ttft_s = cost.free_at - request.at
    is_queued = ttft_s > 0.0
    if is_queued is True:
        factor = queued_factor
    elif is_queued is False:
        ttft_s, factor = 0.0, alone_factor
    else:
        factor = np.where(is_queued, queued_factor, alone_factor)
        np.maximum(ttft_s, 0.0, out=ttft_s)
    ttft_s += cost.start_s
    ttft_s += tokens * cost.input_s
    upper_s = ttft_s * factor
    keeps_rest = tpot_upper_s <= request.tpot_s
    if request.completion_left_s != inf:
        keeps_rest &= upper_s + request.output_upper * tpot_upper_s <= request.completion_left_s
    return ttft_s, upper_s, keeps_rest, (upper_s <= request.ttft_left_s) & keeps_rest


def late_risk(ttft_s: Number, upper_s: Number, left_s: float, scale: float) -> Number:
    """Returns the probability that a first token comes later than the time left for it.

    Deviations count as normal, with the p90 that gives ``upper_s``. The upper tail of the normal
    distribution is Hastings' rational approximation of erfc, within 5e-4 (Abramowitz and Stegun,
    1964, 7.1.27).

    Args:
        ttft_s: mean time to the first token, at most ``left_s``.
        upper_s: upper bound, above ``left_s``.
        left_s: the time left, seconds.
        scale: margin of the upper bound as a multiple of that of the p90.
    """
    x = P90_DEVIATIONS * scale * (left_s - ttft_s) / (upper_s - ttft_s)
    x2 = x * x
    power = 1.0 + 0.278393 * x + 0.230389 * x2 + 0.000972 * x * x2 + 0.078108 * x2 * x2
    power2 = power * power
    return 0.5 / (power2 * power2)


@lru_cache(maxsize=64)
def least_risk(scale: float) -> float:
    """Returns the ``late_risk`` where the time left is the upper bound; it is higher with less."""
    return late_risk(0.0, 1.0, 1.0, scale)


@lru_cache(maxsize=64)
def margin_part(scale: float, late_weight: float) -> float:
    """Returns the part of the margin that the time left must be at least for a risk to be worth it.

    With less of the margin, ``late_weight`` times the risk is above 1, whatever it saves; 1 if it
    is so with all of the margin. The margin is that of ``late_risk``: from the mean to the bound.
    """
    low, high = 0.0, 1.0
    for _ in range(PART_STEPS):
        part = (low + high) / 2.0
        if late_weight * late_risk(0.0, 1.0, part, scale) > 1.0:
            low = part
        else:
            high = part
    return low


def predict_completion(
    cost: CostModel[Number], request: PlacementRequest, ttft_s: Number
) -> Number:
    """Returns the mean seconds to the end of the job."""
    return ttft_s + request.output_tokens * cost.token_s


def predict_energy(
    cost: CostModel[Number] | EnergyCost[Number], request: PlacementRequest, tokens: int
) -> Number:
    """Returns the marginal energy of the job, microwatt-hours."""
    energy_uwh = tokens * cost.input_uwh
    energy_uwh += cost.wake_uwh
    energy_uwh += request.produced_tokens * cost.output_uwh
    return energy_uwh


def predict_carbon(cost: CostModel[Number], request: PlacementRequest, tokens: int) -> Number:
    """Returns the marginal emissions of the job, micrograms."""
    carbon_ug = tokens * cost.input_ug
    carbon_ug += cost.wake_ug
    carbon_ug += request.produced_tokens * cost.output_ug
    return carbon_ug
