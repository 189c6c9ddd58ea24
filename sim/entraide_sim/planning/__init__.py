"""Planning: which fleet or policy reaches the goals, and how sure that is.

Input: a scenario, goals, candidates. Output: a plan, and what changes it.

``fleet_planner`` evaluates fleets that ``fleet_search`` proposes, ``plan_output`` shows them;
``policy_variants`` compares policies. ``sensitivity`` tries ``assumed_changes`` on
``sensitivity_candidates``, ``sensitivity_text`` says the outcome.
"""

from entraide_sim.planning import fleet_planner, plan_output, policy_variants, sensitivity_text
from entraide_sim.planning.fleet_planner import EvaluatedFleet, FleetPlan
from entraide_sim.planning.sensitivity import (
    CANDIDATES_MAX,
    AnswerCandidate,
    Sensitivity,
    analyse_sensitivity,
    sensitivity_to_json,
)
from entraide_sim.planning.sensitivity_candidates import comparison_sensitivity, plan_sensitivity

__all__ = [
    "CANDIDATES_MAX",
    "AnswerCandidate",
    "EvaluatedFleet",
    "FleetPlan",
    "Sensitivity",
    "analyse_sensitivity",
    "comparison_sensitivity",
    "fleet_planner",
    "plan_output",
    "plan_sensitivity",
    "policy_variants",
    "sensitivity_text",
    "sensitivity_to_json",
]
