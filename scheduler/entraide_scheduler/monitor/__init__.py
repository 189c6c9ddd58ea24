"""Monitor: looks for the watched findings of a running pool.

Input: driver, records, gateways, store and the pool's directory. Output: the findings now.

``monitor`` collects them and keeps since when each is there; ``fleet_checks`` are those of nodes
and gateways, ``store_growth`` is that of the store.
"""

from entraide_scheduler.monitor.fleet_checks import (
    check_clocks,
    check_gateways,
    check_nodes,
    check_quarantines,
)
from entraide_scheduler.monitor.monitor import Monitor
from entraide_scheduler.monitor.store_growth import StoreGrowth

__all__ = [
    "Monitor",
    "StoreGrowth",
    "check_clocks",
    "check_gateways",
    "check_nodes",
    "check_quarantines",
]
