"""Replay: a pool's recorded past, under another policy.

Input: a recording and a policy. Output: both policies compared in the same world.

``policy_comparison`` compares, on the machines of ``counterfactual_replay`` in the environment of
``recorded_environment``, once ``baseline`` has found the past repeated; ``grown_demand`` adds
requests. ``report_inputs`` writes the report, ``replay_text`` has its sentences, and ``cli_output``
prints the comparison.
"""

from entraide_sim.replay import baseline, cli_output, policy_comparison, report_inputs
from entraide_sim.replay.baseline import Baseline

__all__ = [
    "Baseline",
    "baseline",
    "cli_output",
    "policy_comparison",
    "report_inputs",
]
