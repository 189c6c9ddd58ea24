"""Replay: a pool's recorded past, under another policy.

Input: a recording and a policy. Output: both policies compared in the same world.

``policy_comparison`` compares, in the environment of ``counterfactual_replay``; ``grown_demand``
adds requests, ``report_inputs`` makes a report's data. ``cli_output`` prints the comparison.
"""

from entraide_sim.replay import cli_output, policy_comparison, report_inputs

__all__ = [
    "cli_output",
    "policy_comparison",
    "report_inputs",
]
