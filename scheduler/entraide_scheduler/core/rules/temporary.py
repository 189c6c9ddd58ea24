"""Temporary rules, evaluated: which replicas take a job now, by their present state.

A condition depends on the replica and the policy alone, not on the time; what depends on the job is
only whether the rule affects it. So the conditions are evaluated when a replica changes, not for
each job: bit n of ``blocked_bits`` is set while rule n excludes the jobs that it affects. For a job
the bits of the rules that affect it remain; the lowest of them is the first rule that excludes the
replica. All masks follow from the declarations.

Inputs: a node, one of its replicas, that replica's load, the policy. Outputs: bits, and the same as
a code for each kind of requester (the rule's number from 1, or 0 for none).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Node, Shape
from entraide_scheduler.core.rules.replica_rules import REPLICA_RULES
from entraide_scheduler.core.rules.rule import (
    Affected,
    LoadedReplica,
    ReplicaFilter,
    Rule,
    any_job,
    is_batch,
    must_be_alone,
)

_FILTERS = tuple(
    (1 << place, rule.filter)
    for place, rule in enumerate(REPLICA_RULES)
    if isinstance(rule.filter, ReplicaFilter)
)
_CONDITIONS = tuple((bit, each.excludes) for bit, each in _FILTERS)
_OTHERS_NODE_CONDITIONS = tuple(
    (each.affects.jobs, each.node_excludes)
    for _, each in _FILTERS
    if each.node_excludes is not None and not each.affects.own
)
_BITS = {rule.code: 1 << place for place, rule in enumerate(REPLICA_RULES)}


def _bits_where(holds: Callable[[Affected], bool]) -> int:
    return sum(bit for bit, each in _FILTERS if holds(each.affects))


def _bits_of(kind: Callable[[Shape], bool]) -> tuple[int, int]:
    """Returns the bits that affect a kind of job, on its own co-op's nodes and on others'."""
    return (
        _bits_where(lambda affects: affects.jobs is kind and affects.own),
        _bits_where(lambda affects: affects.jobs is kind),
    )


def bit_of(rule: Rule) -> int:
    """Returns the bit of a temporary rule; 0 for any other rule."""
    return _BITS.get(rule.code, 0)


RULE_BY_BIT: Mapping[int, Rule | None] = MappingProxyType(
    {0: None} | {1 << place: rule for place, rule in enumerate(REPLICA_RULES)}
)
RESERVED_BITS = _bits_where(lambda affects: not affects.holder)
OUT_OF_SERVICE_BITS = sum(bit for bit, each in _FILTERS if each.out_of_service)
# While one of these excludes a replica, it accepts nothing, however many runs end.
CLOSED_BITS = OUT_OF_SERVICE_BITS | sum(
    bit for bit, each in _FILTERS if each.node_excludes is not None
)

_KINDS = tuple(dict.fromkeys(each.affects.jobs for _, each in _FILTERS))
_KIND_BITS = {kind: _bits_of(kind) for kind in _KINDS}
_OWN_JOB, _OTHERS_JOB = _KIND_BITS.get(any_job, (0, 0))
_OWN_BATCH, _OTHERS_BATCH = _KIND_BITS.get(is_batch, (0, 0))
_SPECIAL_KINDS = tuple((kind, *bits) for kind, bits in _KIND_BITS.items() if kind is not any_job)
# A requester is a kind of job, of the node's own co-op or of another. Each replica keeps the first
# code of each requester: own co-op, other co-op, own co-op's batch job, other co-op's batch job.
REQUESTER_MASKS = (
    _OWN_JOB,
    _OTHERS_JOB,
    _OWN_JOB | _OWN_BATCH,
    _OTHERS_JOB | _OTHERS_BATCH,
)
BlockedBy = tuple[int, int, int, int]  # a code for each of these requesters
NOT_BLOCKED: BlockedBy = (0, 0, 0, 0)
# Bits of other kinds of jobs. A job that must run alone is woken by ``exclusive_retry``.
_UNREQUESTED_BITS = sum(
    others
    for kind, (_, others) in _KIND_BITS.items()
    if kind not in (any_job, is_batch, must_be_alone)
)


def find_blocked_bits(replica: LoadedReplica, policy: Policy) -> int:
    """Evaluates the temporary rules for a replica."""
    bits = 0
    for bit, excludes in _CONDITIONS:
        if excludes(replica, policy):
            bits |= bit
    return bits


def refuses_others(node: Node, policy: Policy, shape: Shape | None = None) -> bool:
    """Tells whether a rule keeps a node, whatever it serves, from jobs of other co-ops.

    Args:
        node: the node.
        policy: the policy in force.
        shape: of the jobs; None: from all of them.
    """
    return any(
        excludes(node, policy)
        for jobs, excludes in _OTHERS_NODE_CONDITIONS
        if jobs is any_job or (shape is not None and jobs(shape))
    )


def own_requester(shape: Shape) -> int:
    """Returns a shape's requester on its own co-op's nodes; on others' it is the next one."""
    return 2 if shape.batch else 0


def masks_for(shape: Shape) -> tuple[int, int]:
    """Returns the bits of the rules that affect a shape, on its own co-op's nodes and others'."""
    own, others = _OWN_JOB, _OTHERS_JOB
    for is_affected, own_bits, others_bits in _SPECIAL_KINDS:
        if is_affected(shape):
            own |= own_bits
            others |= others_bits
    return own, others


def blocking_bits(replica: LoadedReplica, shape: Shape) -> int:
    """Returns the bits of the temporary rules that exclude a replica from a shape."""
    if not replica.blocked_bits:
        return 0
    own, others = masks_for(shape)
    bits = replica.blocked_bits & (own if replica.node.card.coop == shape.coop else others)
    if bits & RESERVED_BITS and replica.load.reserved == shape.alone:
        bits &= ~RESERVED_BITS
    return bits


def would_accept(replica: LoadedReplica, shape: Shape) -> bool:
    """Tells whether a replica takes a shape now, or will once some of its runs have ended."""
    if replica.blocked_bits & CLOSED_BITS and blocking_bits(replica, shape) & CLOSED_BITS:
        return False
    return replica.load.lend_slots > 0 or replica.node.card.coop == shape.coop


def first_code(bits: int) -> int:
    """Returns the number of the first rule of some bits, from 1; 0 for none."""
    return (bits & -bits).bit_length()


def blocking_rule(replica: LoadedReplica, shape: Shape) -> Rule | None:
    """Returns the first rule by which a replica does not take a shape now; None when it does."""
    bits = blocking_bits(replica, shape)
    return RULE_BY_BIT[bits & -bits]


def blocked_codes(bits: int) -> BlockedBy:
    """Returns the code of the first rule that excludes each kind of requester."""
    if not bits:
        return NOT_BLOCKED
    own, other, own_batch, other_batch = REQUESTER_MASKS
    return (
        first_code(bits & own),
        first_code(bits & other),
        first_code(bits & own_batch),
        first_code(bits & other_batch),
    )


def may_open(before: int, after: int) -> bool:
    """Tells whether a replica whose bits change may take a job that it did not take before."""
    if (before ^ after) & _UNREQUESTED_BITS:
        return True
    return blocked_codes(after) != blocked_codes(before)
