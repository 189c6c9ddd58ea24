"""Formulas: what one job would take on a replica, for one replica or for the columns of many.

Each formula takes floats or NumPy arrays and applies only operations that IEEE 754 rounds correctly
(+, -, *) and comparisons. So a value computed for a column equals, bit for bit, the value computed
for each replica alone. Sums are built in place, which spares columns their temporaries.

Inputs: a ``CostModel`` and a ``PlacementRequest``. Outputs: seconds, and energy or emissions.
"""

from math import inf
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from entraide_scheduler.core.prediction.cost_model import CostModel, Floats, Number
from entraide_scheduler.core.prediction.placement_request import PlacementRequest

Bools = NDArray[np.bool_]
# Factor on the time to the first token, alone and behind other prompts; seconds per token.
Bounds = tuple[Number, Number, Number]


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
) -> tuple[float, float, bool]: ...


@overload
def predict_latency(
    cost: CostModel[Floats], request: PlacementRequest, tokens: int, bounds: Bounds[Floats]
) -> tuple[Floats, Floats, Bools]: ...


def predict_latency(
    cost: CostModel[Any], request: PlacementRequest, tokens: int, bounds: Bounds[Any]
) -> tuple[Any, Any, Any]:
    """Predicts the first token, and whether the objectives are met.

    Args:
        cost: cost of one more job.
        request: the job's requirements.
        tokens: prompt tokens that are not in the replica's cache.
        bounds: ``upper_bounds`` at the request's confidence.

    Returns:
        Mean and upper seconds to the first token; whether all objectives are predicted to be met.
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
    keeps = upper_s <= request.ttft_left_s
    if request.tpot_s != inf:
        keeps &= tpot_upper_s <= request.tpot_s
    if request.completion_left_s != inf:
        keeps &= upper_s + request.output_upper * tpot_upper_s <= request.completion_left_s
    return ttft_s, upper_s, keeps


def predict_completion(
    cost: CostModel[Number], request: PlacementRequest, ttft_s: Number
) -> Number:
    """Returns the mean seconds to the end of the job."""
    return ttft_s + request.output_tokens * cost.token_s


def predict_energy(cost: CostModel[Number], request: PlacementRequest, tokens: int) -> Number:
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
