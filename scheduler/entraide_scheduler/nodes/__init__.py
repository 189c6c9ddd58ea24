"""Nodes: what the scheduler hears of machines, and which machines it knows.

Input: heartbeats, hellos, usage reports, join requests. Output: events for the core.

``node_listener`` handles messages, ``usage_reports`` brings reports and answers together,
``disconnections`` hears of lost connections. ``node_registry`` has the nodes, ``enrolment`` takes
new ones in, ``hardware`` is the catalogue of devices.
"""

from entraide_scheduler.nodes.disconnections import DisconnectionWatcher
from entraide_scheduler.nodes.enrolment import ZONE, Enrolment, PoolFacts, hash_token
from entraide_scheduler.nodes.node_listener import LoadRefusal, NodeListener
from entraide_scheduler.nodes.node_registry import APPROVED, REVOKED, NodeRegistry

__all__ = [
    "APPROVED",
    "REVOKED",
    "ZONE",
    "DisconnectionWatcher",
    "Enrolment",
    "LoadRefusal",
    "NodeListener",
    "NodeRegistry",
    "PoolFacts",
    "hash_token",
]
