# mypy: implicit-reexport
"""Model loading: which models nodes load and unload for the pool.

Input: the demand for models, the waiting jobs, what nodes could load, failures of earlier loads,
and instructions of the operator. Output: instructions to load and unload, one for a node at a
time, each with its reason, and explanations of why a model is not loaded.

A plan is a pure function of the state (``plan_models``), so the operator sees the same plan that
the core would carry out. A model is unloaded only where no run needs it and no promise is missed by
it. A load that fails pauses the model on that node for a time that doubles.

``model_planner`` makes the plan; ``model_lifecycle`` handles its events and carries it out.
"""

from entraide_scheduler.core.model_loading.model_lifecycle import (
    apply_plan,
    handle_catalogue,
    handle_hello,
    handle_load_asked,
    handle_load_failed,
    handle_node_left,
    handle_restart,
    handle_unload_asked,
    mark_plan_due,
    preview_load,
    record_request,
    refresh_aliases,
)
from entraide_scheduler.core.model_loading.model_planner import (
    PlanStep,
    is_reachable,
    is_served,
    plan_models,
    request_plan,
)
