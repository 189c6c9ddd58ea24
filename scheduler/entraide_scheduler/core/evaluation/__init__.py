# mypy: implicit-reexport
"""Evaluation: which nodes could run a job at this moment, with all limits applied.

Input: the state, a job and a time. Output: the job's shape, its ``PlacementRequest``, and the
``PlacementResult`` of all nodes for it. The search itself changes nothing.

Two matters narrow the nodes beyond the rules. Carbon shifting: a job that may wait starts only
where and when the intensity is low enough. Exclusive retry: a job during which an engine exited is
tried once more, alone on another replica, so that a request that ends engines cannot end several.

``shape`` computes shapes; ``evaluation`` makes the request and searches; ``carbon_shifting`` gives
the greatest intensity at which a job may start, with the slots of ``expected_slots``;
``feasibility`` finds the limits that no node will ever keep; ``stated_batches`` holds the lines of
batches that are still to come; ``exclusive_retry`` reserves replicas.
"""

from entraide_scheduler.core.evaluation.carbon_shifting import (
    batch_work_for,
    follow_capacity,
    handle_forecast,
    handle_greener_hour,
    handle_intensity,
    max_g_with,
    may_start_now,
    schedule_greener_retry,
    shifting_values,
    slots_and_lengths,
)
from entraide_scheduler.core.evaluation.evaluation import (
    answered_tokens,
    count_ahead,
    evaluate_nodes,
    make_request,
    may_fit,
    shape_may_fit,
)
from entraide_scheduler.core.evaluation.exclusive_retry import (
    hold_replica,
    release_replica,
    require_exclusive,
    reserve_replica,
    restore_exclusive,
    retry_exclusive,
)
from entraide_scheduler.core.evaluation.feasibility import find_hopeless
from entraide_scheduler.core.evaluation.shape import (
    fit_context,
    reshape_job,
    round_context,
    shape_of,
)
from entraide_scheduler.core.evaluation.stated_batches import (
    NO_SHAPE,
    expect_batch_of,
    forget_batch,
    forget_batches_of,
    restore_batches,
    state_batch,
    with_policy_defaults,
)
