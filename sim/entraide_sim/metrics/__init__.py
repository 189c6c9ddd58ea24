"""Metrics: the result of one finished run.

Input: records of jobs, and the world after the run. Output: a ``Result``.

``run_metrics`` makes it, of ``breakdown`` by co-op and hour, ``fairness``, ``energy_costs`` and
``money_assumptions``.
"""

from entraide_sim.metrics.run_metrics import RunRecorder, build_result

__all__ = [
    "RunRecorder",
    "build_result",
]
