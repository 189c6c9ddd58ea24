"""Temporary filters: which replicas take a job now, by their present state.

A condition depends on the replica and the policy alone, not on the time; what depends on the job is
only whether the filter affects it. So the conditions are evaluated when a replica changes, not for
each job: bit n of ``blocked_bits`` is set while filter n excludes the jobs that it affects. For a
job the bits of the filters that affect it remain; the lowest of them is the first filter that
excludes the replica.

Inputs: a node, one of its replicas, that replica's load, the policy. Outputs: bits, and the same as
a code for each kind of requester (the filter's number from 1, or 0 for none).
"""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from entraide.types import Lending, NodeState, Replica
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Load, Node, ReplicaState, Shape
from entraide_scheduler.core.rules.reasons import (
    BATCH_SHARE_FULL,
    LEND_LIMIT,
    NO_FREE_SLOT,
    NODE_LOST,
    NODE_SUSPECT,
    NOT_ACCEPTING,
    NOT_EMPTY,
    OWN_ONLY,
    PROBING,
    RESERVED,
    RESTING,
    Reason,
)


class LoadedReplica(Struct, eq=False):
    """A replica with its load, as the temporary filters read it.

    Attributes:
        node, replica, load: the node, the replica, and the leases on it.
        blocked_bits: the temporary filters that exclude some job; see the module.
    """

    node: Node
    replica: Replica
    load: Load
    blocked_bits: int


class Affects(Enum):
    """Which jobs a temporary filter may exclude; ``masks_for`` has the filters of a shape."""

    ALL = "all"
    OTHER_COOPS = "other_coops"  # jobs of co-ops other than the node's
    BATCH = "batch"
    EXCLUSIVE = "exclusive"  # jobs that must run alone
    ALL_BUT_HOLDER = "all_but_holder"  # not the job for which the replica is reserved


class TemporaryFilter(NamedTuple):
    """A condition on the present state of a replica.

    Attributes:
        reason: what it is called in an explanation.
        affects: the jobs that it may exclude.
        excludes: whether a replica excludes these jobs.
    """

    reason: Reason
    affects: Affects
    excludes: Callable[[LoadedReplica, Policy], bool]


def _is_not_accepting(replica: LoadedReplica, _: Policy) -> bool:
    return not replica.node.accepting or replica.load.paused != ""


def _is_resting(replica: LoadedReplica, _: Policy) -> bool:
    backoff = replica.node.backoffs.get(replica.replica.model)
    return backoff is not None and backoff.state is ReplicaState.RESTING


def _is_probed(replica: LoadedReplica, _: Policy) -> bool:
    """Tells whether the probing run after a replica's backoff is in progress."""
    backoff = replica.node.backoffs.get(replica.replica.model)
    return backoff is not None and backoff.state is ReplicaState.PROBING and replica.load.leases > 0


def _exceeds_lent_slots(replica: LoadedReplica, _: Policy) -> bool:
    return replica.load.foreign >= replica.load.lend_slots


def _exceeds_batch_slots(replica: LoadedReplica, _: Policy) -> bool:
    return replica.load.batch >= replica.load.batch_slots


TEMPORARY_FILTERS = (
    TemporaryFilter(
        NODE_SUSPECT, Affects.ALL, lambda replica, _: replica.node.state is NodeState.SUSPECT
    ),
    TemporaryFilter(
        NODE_LOST, Affects.ALL, lambda replica, _: replica.node.state is NodeState.LOST
    ),
    TemporaryFilter(NOT_ACCEPTING, Affects.ALL, _is_not_accepting),
    TemporaryFilter(RESTING, Affects.ALL, _is_resting),
    TemporaryFilter(PROBING, Affects.ALL, _is_probed),
    TemporaryFilter(
        RESERVED, Affects.ALL_BUT_HOLDER, lambda replica, _: replica.load.reserved != ""
    ),
    TemporaryFilter(
        NO_FREE_SLOT,
        Affects.ALL,
        lambda replica, _: replica.load.leases >= replica.replica.slots,
    ),
    TemporaryFilter(
        OWN_ONLY,
        Affects.OTHER_COOPS,
        lambda replica, _: replica.node.lending is Lending.OWN_ONLY,
    ),
    TemporaryFilter(LEND_LIMIT, Affects.OTHER_COOPS, _exceeds_lent_slots),
    TemporaryFilter(BATCH_SHARE_FULL, Affects.BATCH, _exceeds_batch_slots),
    TemporaryFilter(NOT_EMPTY, Affects.EXCLUSIVE, lambda replica, _: replica.load.leases > 0),
)

TEMPORARY_REASONS = tuple(each.reason for each in TEMPORARY_FILTERS)


# Bits.

_CONDITIONS = tuple((1 << place, each.excludes) for place, each in enumerate(TEMPORARY_FILTERS))
_BIT_BY_CODE = {reason.code: 1 << place for place, reason in enumerate(TEMPORARY_REASONS)}


def _bits_affecting(*affected: Affects) -> int:
    return sum(
        1 << place for place, each in enumerate(TEMPORARY_FILTERS) if each.affects in affected
    )


def bit_of(reason: Reason) -> int:
    """Returns the bit of the temporary filter of a reason; 0 for any other reason."""
    return _BIT_BY_CODE.get(reason.code, 0)


REASON_BY_BIT: Mapping[int, Reason | None] = MappingProxyType(
    {0: None} | {1 << place: reason for place, reason in enumerate(TEMPORARY_REASONS)}
)
RESERVED_BITS = _bits_affecting(Affects.ALL_BUT_HOLDER)
EXCLUSIVE_BITS = _bits_affecting(Affects.EXCLUSIVE)
_ANY_JOB = _bits_affecting(Affects.ALL, Affects.ALL_BUT_HOLDER)
_OTHERS_JOB = _bits_affecting(Affects.OTHER_COOPS)
_BATCH_JOB = _bits_affecting(Affects.BATCH)
# A requester is a kind of job, of the node's own co-op or of another. Each replica keeps the first
# code of each requester: own co-op, other co-op, own co-op's batch job, other co-op's batch job.
REQUESTER_MASKS = (
    _ANY_JOB,
    _ANY_JOB | _OTHERS_JOB,
    _ANY_JOB | _BATCH_JOB,
    _ANY_JOB | _BATCH_JOB | _OTHERS_JOB,
)
BlockedBy = tuple[int, int, int, int]  # a code for each of these requesters
NOT_BLOCKED: BlockedBy = (0, 0, 0, 0)


def find_blocked_bits(replica: LoadedReplica, policy: Policy) -> int:
    """Evaluates the temporary filters for a replica."""
    bits = 0
    for bit, excludes in _CONDITIONS:
        if excludes(replica, policy):
            bits |= bit
    return bits


def own_requester(shape: Shape) -> int:
    """Returns a shape's requester on its own co-op's nodes; on others' it is the next one."""
    return 2 if shape.batch else 0


def masks_for(shape: Shape) -> tuple[int, int]:
    """Returns the bits of the filters that affect a shape, on its own co-op's nodes and others'."""
    requester = own_requester(shape)
    own, others = REQUESTER_MASKS[requester : requester + 2]
    return (own | EXCLUSIVE_BITS, others | EXCLUSIVE_BITS) if shape.alone else (own, others)


def blocking_bits(replica: LoadedReplica, shape: Shape) -> int:
    """Returns the bits of the temporary filters that exclude a replica from a shape."""
    own, others = masks_for(shape)
    bits = replica.blocked_bits & (own if replica.node.card.coop == shape.coop else others)
    if bits & RESERVED_BITS and replica.load.reserved == shape.alone:
        bits &= ~RESERVED_BITS
    return bits


def first_code(bits: int) -> int:
    """Returns the number of the first filter of some bits, from 1; 0 for none."""
    return (bits & -bits).bit_length()


def blocking_reason(replica: LoadedReplica, shape: Shape) -> Reason | None:
    """Returns the first reason why a replica does not take a shape now; None when it does."""
    bits = blocking_bits(replica, shape)
    return REASON_BY_BIT[bits & -bits]


def blocked_codes(bits: int) -> BlockedBy:
    """Returns the code of the first filter that excludes each kind of requester."""
    if not bits:
        return NOT_BLOCKED
    own, other, own_batch, other_batch = REQUESTER_MASKS
    return (
        first_code(bits & own),
        first_code(bits & other),
        first_code(bits & own_batch),
        first_code(bits & other_batch),
    )
