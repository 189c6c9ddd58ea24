"""Nodes: what the scheduler hears of machines, and which machines it knows.

Input: heartbeats, hellos, usage reports, join requests. Output: events for the core.

``node_listener`` handles messages, ``usage_reports`` brings reports and answers together,
``connections`` hears of connections and of their end, ``unrecorded_keys`` revokes those that no
node has. ``node_registry`` has the nodes, ``enrolment`` takes new ones in, ``hardware`` is the
catalogue of devices.
"""

from entraide_scheduler.nodes.connections import ConnectionWatcher
from entraide_scheduler.nodes.enrolment import ZONE, Enrolment, PoolFacts, hash_token
from entraide_scheduler.nodes.node_listener import LoadRefusal, NodeListener
from entraide_scheduler.nodes.node_registry import APPROVED, NodeRegistry
from entraide_scheduler.nodes.unrecorded_keys import UnrecordedKeys
from entraide_scheduler.nodes.usage_reports import UsageReports
from entraide_scheduler.store.rows import REVOKED

__all__ = [
    "APPROVED",
    "REVOKED",
    "ZONE",
    "ConnectionWatcher",
    "Enrolment",
    "LoadRefusal",
    "NodeListener",
    "NodeRegistry",
    "PoolFacts",
    "UnrecordedKeys",
    "UsageReports",
    "hash_token",
]
