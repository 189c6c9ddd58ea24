"""Metrics: the scheduler in numbers, for Prometheus and for the status page.

Input: driver, monitor, store and bus. Output: collectors, and the pool's status.

``pool_metrics`` are those of the core, ``finding_metrics`` those of what is wrong,
``process_metrics`` those of any process, ``pool_status`` is the status page's.
"""

from entraide_scheduler.metrics.finding_metrics import FindingMetrics
from entraide_scheduler.metrics.pool_metrics import PoolMetrics
from entraide_scheduler.metrics.pool_status import build_pool_status
from entraide_scheduler.metrics.process_metrics import make_process_collectors

__all__ = [
    "FindingMetrics",
    "PoolMetrics",
    "build_pool_status",
    "make_process_collectors",
]
