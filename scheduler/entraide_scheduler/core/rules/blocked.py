"""Blocked codes: which temporary rule a replica breaks, as small integers.

Evaluates ``rules.TEMPORARY_RULES`` for the four kinds of requesters of a replica at once, whenever
the replica changes, so that placement compares integers instead of calling functions.
Inputs: a node, one of its replicas and that replica's load. Output: a code for each requester.
"""

from entraide.types import Lending, NodeState, Replica
from entraide_scheduler.core.records import Load, Node, ReplicaState
from entraide_scheduler.core.rules.rules import TEMPORARY_RULES

# Number of the rule of ``TEMPORARY_RULES`` that a replica breaks, from 1, or 0 for none, by
# requester: own co-op, other co-op, own co-op's batch job, other co-op's batch job.
BlockedBy = tuple[int, int, int, int]
NOT_BLOCKED: BlockedBy = (0, 0, 0, 0)
(
    SUSPECT_CODE, LOST_CODE, NOT_ACCEPTING_CODE, RESTING_CODE, PROBING_CODE, RESERVED_CODE,
    NO_FREE_SLOT_CODE, OWN_ONLY_CODE, LEND_LIMIT_CODE, BATCH_SHARE_CODE, NOT_EMPTY_CODE,
) = range(1, len(TEMPORARY_RULES) + 1)  # fmt: skip


def blocked_codes(node: Node, replica: Replica, load: Load, *, reserved: bool = True) -> BlockedBy:
    """Returns the first temporary rule that a replica breaks, by requester.

    The codes agree with the rules' own predicates.

    Args:
        node: node of the replica.
        replica: the replica.
        load: load of the replica.
        reserved: whether a reservation for one exclusive job counts.
    """
    code = _code_for_all(node, replica, load, reserved=reserved)
    if code:
        return code, code, code, code
    foreign = batch = 0
    if node.lending is Lending.OWN_ONLY:
        foreign = OWN_ONLY_CODE
    elif load.foreign >= load.lend_slots:
        foreign = LEND_LIMIT_CODE
    if load.batch >= load.batch_slots:
        batch = BATCH_SHARE_CODE
    if not foreign and not batch:
        return NOT_BLOCKED
    return 0, foreign, batch, foreign or batch


def _code_for_all(node: Node, replica: Replica, load: Load, *, reserved: bool) -> int:
    """Returns the temporary rule that excludes every requester; 0 for none."""
    if node.state is not NodeState.LIVE:
        return SUSPECT_CODE if node.state is NodeState.SUSPECT else LOST_CODE
    if not node.accepting or load.paused:
        return NOT_ACCEPTING_CODE
    backoff = node.backoffs.get(replica.model) if node.backoffs else None
    if backoff is not None and backoff.state is ReplicaState.RESTING:
        return RESTING_CODE
    if backoff is not None and backoff.state is ReplicaState.PROBING and load.leases:
        return PROBING_CODE
    if load.reserved and reserved:
        return RESERVED_CODE
    return NO_FREE_SLOT_CODE if load.leases >= replica.slots else 0
