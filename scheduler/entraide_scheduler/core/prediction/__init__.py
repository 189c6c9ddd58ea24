# mypy: implicit-reexport
"""Prediction: what a run on a replica would cost in time, energy and carbon.

Input: a job's ``PlacementRequest`` (sizes, limits, objectives) and a replica's rates, power and
zone. Output: a ``CostModel``, and what the job would take by it: seconds, energy, grams. A formula
takes one replica or the columns of many, and gives the same bits.

Units are seconds, microwatt-hours and micrograms. A replica that shares its machine with other
runs is charged the power that it adds, as ``docs/concepts/decisions.md`` explains.

``placement_request`` is what a job needs now; ``cost_model`` the cost of a token on a replica;
``formulas`` combine the two.
"""

from entraide_scheduler.core.prediction.cost_model import (
    CostModel,
    EnergyCost,
    Floats,
    Number,
    is_cheaper,
    make_best_cost_model,
    make_cost_model,
    typical_token_uwh,
)
from entraide_scheduler.core.prediction.formulas import (
    Bools,
    Bounds,
    late_risk,
    least_risk,
    margin_part,
    predict_carbon,
    predict_completion,
    predict_energy,
    predict_latency,
    upper_bounds,
)
from entraide_scheduler.core.prediction.placement_request import NO_TOKENS, PlacementRequest
