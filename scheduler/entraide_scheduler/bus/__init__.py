"""Bus: the ports between scheduler, gateways and nodes, and what carries them over NATS.

Input: messages to send. Output: messages that came, decoded.

``scheduler_port`` are the interfaces, ``bus`` implements them over NATS, ``publisher`` sends.
``reported_answers`` remembers the answers that were reported, ``term_claims`` finds a second
scheduler on the bus.
"""

from entraide_scheduler.bus.bus import (
    NatsNodeChannel,
    NatsSchedulerAdapter,
    subscribe,
    subscribe_answers,
)
from entraide_scheduler.bus.publisher import Publisher
from entraide_scheduler.bus.scheduler_port import (
    BatchPlanner,
    GatewaySink,
    NodeChannel,
    SchedulerPort,
)
from entraide_scheduler.bus.term_claims import TermClaim, TermClaims

__all__ = [
    "BatchPlanner",
    "GatewaySink",
    "NatsNodeChannel",
    "NatsSchedulerAdapter",
    "NodeChannel",
    "Publisher",
    "SchedulerPort",
    "TermClaim",
    "TermClaims",
    "subscribe",
    "subscribe_answers",
]
