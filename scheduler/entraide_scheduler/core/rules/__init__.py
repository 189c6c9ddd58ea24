"""Rules: which nodes may run a job, and why the others may not.

Input: a node, one of its replicas and a job's shape. Output: the first rule that excludes the
replica, with the stable code and the values of its sentence, or none.

A rule is permanent if only a new card, new terms of the owner or another policy can change its
answer; the fleet caches those by shape. It is temporary if a lease, a message or a moment can
change it; blocked codes summarise these for each replica, so that one comparison tells whether a
shape can be admitted. Rules filter only: what a run would cost is ``prediction``, and which
admissible node is best is ``placement``. CONTRIBUTING.md has a checklist for a new rule.

``rules`` lists the rules in the order in which they are told; ``blocked`` the summary;
``own_capacity`` which kinds of a co-op's own replicas can run its jobs.
"""

from entraide_scheduler.core.rules.blocked import (
    NO_FREE_SLOT_CODE,
    NOT_EMPTY_CODE,
    RESERVED_CODE,
    RESTING_CODE,
    BlockedBy,
    blocked_codes,
)
from entraide_scheduler.core.rules.own_capacity import OwnModelSlots, OwnSlots, OwnSlotsChange
from entraide_scheduler.core.rules.rules import (
    ALL_RULES,
    BATCH_SHARE_FULL,
    LOADABLE_RULES,
    NO_FREE_SLOT,
    NOT_EMPTY,
    PERMANENT_RULES,
    TEMPORARY_RULES,
    Rule,
    Values,
    first_broken,
)

__all__ = [
    "ALL_RULES",
    "BATCH_SHARE_FULL",
    "LOADABLE_RULES",
    "NOT_EMPTY",
    "NOT_EMPTY_CODE",
    "NO_FREE_SLOT",
    "NO_FREE_SLOT_CODE",
    "PERMANENT_RULES",
    "RESERVED_CODE",
    "RESTING_CODE",
    "TEMPORARY_RULES",
    "BlockedBy",
    "OwnModelSlots",
    "OwnSlots",
    "OwnSlotsChange",
    "Rule",
    "Values",
    "blocked_codes",
    "first_broken",
]  # fmt: skip
