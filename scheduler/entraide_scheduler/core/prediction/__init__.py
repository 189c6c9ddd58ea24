"""Prediction: what a run on a replica would cost in time, energy and carbon.

Input: a job's ``PlacementRequest`` (sizes, limits, objectives) and a replica's rates, power and
zone. Output: a ``CostModel`` from which energy and grams of a run follow.

Units are seconds, microwatt-hours and micrograms. A replica that shares its machine with other
runs is charged the power that it adds, as ``docs/concepts/decisions.md`` explains.

``placement_request`` is what a job needs now; ``cost_model`` the cost of a token on a replica.
"""

from entraide_scheduler.core.prediction.cost_model import (
    CostModel,
    is_cheaper,
    make_cost_model,
    typical_token_uwh,
)
from entraide_scheduler.core.prediction.placement_request import NO_TOKENS, PlacementRequest

__all__ = [
    "NO_TOKENS",
    "CostModel",
    "PlacementRequest",
    "is_cheaper",
    "make_cost_model",
    "typical_token_uwh",
]  # fmt: skip
