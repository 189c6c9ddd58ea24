"""Runs: one scenario under several seeds, variants and changes.

Input: cases. Output: results with their intervals.

``simulate`` runs one case, ``sweep`` many, in processes of ``process_pool`` or on Ray.
``seeded_result`` combines seeds, ``comparison`` compares variants, ``goals`` and ``sufficiency``
say what is enough.
"""

from entraide_sim.runs import comparison, goals
from entraide_sim.runs.comparison import (
    ATTAINMENT,
    CARBON,
    Comparison,
    compare_variants,
    promise_keepers,
    shows_no_difference,
)
from entraide_sim.runs.goals import KEYS, PEAK_KEYS, Goal, summary_value
from entraide_sim.runs.seeded_result import (
    Measure,
    SeededResult,
    combine_seeds,
    cost_cad,
    interval_to_json,
    summary_to_json,
)
from entraide_sim.runs.simulate import Case, with_alternative, with_nodes, with_policy, with_seeds
from entraide_sim.runs.sufficiency import (
    KEPT_ENOUGH,
    SERVED_ENOUGH,
    is_enough,
    kept_part,
    served_part,
)
from entraide_sim.runs.sweep import CaseOutcome, SweepRunner, scenario_files, with_file_names

__all__ = [
    "ATTAINMENT",
    "CARBON",
    "KEPT_ENOUGH",
    "KEYS",
    "PEAK_KEYS",
    "SERVED_ENOUGH",
    "Case",
    "CaseOutcome",
    "Comparison",
    "Goal",
    "Measure",
    "SeededResult",
    "SweepRunner",
    "combine_seeds",
    "compare_variants",
    "comparison",
    "cost_cad",
    "goals",
    "interval_to_json",
    "is_enough",
    "kept_part",
    "promise_keepers",
    "scenario_files",
    "served_part",
    "shows_no_difference",
    "summary_to_json",
    "summary_value",
    "with_alternative",
    "with_file_names",
    "with_nodes",
    "with_policy",
    "with_seeds",
]
