# mypy: implicit-reexport
"""Placement: filter, predict, pick: the node that a job gets.

Input: the eligible replicas of a shape and a ``PlacementRequest``. Output: a ``PlacementResult``
(who is excluded by which filter or limit, what is predicted for the rest) and a ``Pick`` with its
reason.

The pick compares physical units: of the replicas that keep the promised delay, the one with the
least grams, then the fastest; ties go to the lower node name, so the choice does not depend on an
order of insertion. Nothing here changes the state: the same functions answer a placement, an
explanation and a question of the operator.

``placement`` searches replica by replica and is the definition; ``vectorized`` gives the same
result over columns for large fleets, and tests hold the two equal.
"""

from entraide_scheduler.core.placement.placement import (
    AT_RISK,
    GREENEST,
    WITH_ROOM,
    Pick,
    PlacementResult,
    Prediction,
    exceeded_limit,
    full_batch_uwh,
    pick,
    predict,
    promises_end,
    scan,
    tokens_to_read,
)
from entraide_scheduler.core.placement.vectorized import scan_columns
