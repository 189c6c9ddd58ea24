"""World: nodes, sites, grid and requests around a decision core.

Input: requests. Output: jobs, once they and their runs have ended.

``world`` executes the core's commands; ``node_agents`` are the nodes' agents, ``model_driver``
loads models, ``environment`` is what happens whatever the pool decides, ``line_feeder`` requests
the lines of batches. ``jobs`` are jobs in progress, ``job_records`` those that ended.
"""

from entraide_sim.world.environment import DELAY_S_MAX, Fault
from entraide_sim.world.job_records import (
    NO_PROMISE,
    PROMISE_KEPT,
    Column,
    JobRecords,
    Table,
    latency_rows,
    quantiles,
    ratio,
    summarize_run,
)
from entraide_sim.world.jobs import Job
from entraide_sim.world.world import World, slow_heartbeat_timing

__all__ = [
    "DELAY_S_MAX",
    "NO_PROMISE",
    "PROMISE_KEPT",
    "Column",
    "Fault",
    "Job",
    "JobRecords",
    "Table",
    "World",
    "latency_rows",
    "quantiles",
    "ratio",
    "slow_heartbeat_timing",
    "summarize_run",
]
