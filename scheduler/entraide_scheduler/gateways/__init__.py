"""Gateways: connects gateways, in this process or on the bus, with the core.

Input: submissions, cancellations and questions. Output: events for the core, and replies.

``scheduler_adapters`` is the scheduler as a gateway sees it, ``gateway_listener`` hears those in
other processes. ``request_bounds`` checks facts, ``pool_state`` describes the pool.
"""

from entraide_scheduler.gateways.gateway_listener import GatewayListener, GatewayStatus
from entraide_scheduler.gateways.pool_state import ZoneSources
from entraide_scheduler.gateways.scheduler_adapters import LocalSchedulerAdapter, MessageRouter

__all__ = [
    "GatewayListener",
    "GatewayStatus",
    "LocalSchedulerAdapter",
    "MessageRouter",
    "ZoneSources",
]
