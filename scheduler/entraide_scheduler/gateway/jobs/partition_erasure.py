"""Partition erasure: has nodes erase what their engines read for a sender whose access has ended.

In: revocations. Out: ``ForgetPartition`` to each approved node, for each day of which it may hold
something. One gateway does it, the one inside the scheduler, which hears of every revocation; since
the partitions are derived, it need not remember who has asked on which node. A node that is cut off
at that time erases its states after the policy's ``[prefix] keep_s``.
"""

from collections.abc import Callable, Iterable

from entraide.types import account_of
from entraide.wire.messages import ForgetPartition, KeyRevoked, NodeRevoked, Revocation
from entraide_scheduler.bus import NodeChannel
from entraide_scheduler.gateway.jobs.partitions import Partitions


class PartitionErasure:
    """Tells nodes whose states to erase.

    Args:
        partitions: of the pool.
        nodes: sends messages to nodes.
        list_node_keys: returns the public keys of the approved nodes; None in a gateway that leaves
            it to another.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        partitions: Partitions,
        nodes: NodeChannel,
        list_node_keys: Callable[[], Iterable[str]] | None,
        now: Callable[[], float],
    ) -> None:
        self._partitions = partitions
        self._nodes = nodes
        self._list_node_keys = list_node_keys
        self._now = now

    def end_revoked(self, revoked: Revocation) -> None:
        """Handles that a key was revoked, or that a session of a person has ended, or all."""
        if self._list_node_keys is None or isinstance(revoked, NodeRevoked):
            return
        sender = revoked.key if isinstance(revoked, KeyRevoked) else revoked.person
        now = self._now()
        for node_key in self._list_node_keys():
            for owner in self._partitions.list_owners(node_key, account_of(sender), now):
                self._nodes.forget(node_key, ForgetPartition(owner))
