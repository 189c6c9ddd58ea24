"""Rules: which nodes may run a job, and why the others may not.

Input: a node, one of its replicas and a job's shape. Output: the first reason that excludes the
replica, with a stable code and the values of its sentence, or none.

A reason is a code and the values of its sentence; a filter is a reason with a condition. A
permanent filter reads what a node is and offers: only a new card, new terms of the owner or another
policy can change its answer, and the fleet caches it by shape. A temporary filter reads a replica's
present state: a lease, a message or a moment can change it. Each replica keeps the answers of all
temporary filters as bits, so that a shape is compared with one mask. Limits that need a prediction
or the job's history are reasons here and conditions in ``placement``. Rules filter only: what a run
would cost is ``prediction``, and which admissible node is best is ``placement``. CONTRIBUTING.md
has a checklist for a new rule.

``reasons`` lists the reasons in the order in which they are checked; ``permanent`` and
``temporary`` hold the filters; ``own_capacity`` counts the co-ops' own slots by kind of replica.
"""

from entraide_scheduler.core.rules.own_capacity import OwnModelSlots, OwnSlots, OwnSlotsChange
from entraide_scheduler.core.rules.permanent import (
    PERMANENT_REASONS,
    permanent_reason,
    permanent_reasons,
)
from entraide_scheduler.core.rules.reasons import (
    ALONE_LIMIT,
    BATCH_SHARE_FULL,
    CHAT,
    DATA_CLASS_OWN_COOP,
    DATA_CLASS_REFUSED,
    GREENER_LATER,
    JOB_REASONS,
    LEND_ENERGY_SPENT,
    LIMIT_REASONS,
    LOADABLE_REASONS,
    MODEL_NOT_LOADED,
    NO_FREE_SLOT,
    NODE_LEFT,
    NODE_LOST,
    NODE_SUSPECT,
    NOT_ACCEPTING,
    NOT_EMPTY,
    OVER_CARBON_CAP,
    OVER_CARBON_QUOTA,
    OVER_ENERGY_QUOTA,
    OWN_ONLY,
    RESTING,
    SAME_ENGINE,
    TRIED_BEFORE,
    Reason,
    Values,
)
from entraide_scheduler.core.rules.temporary import (
    REASON_BY_BIT,
    REQUESTER_MASKS,
    RESERVED_BITS,
    TEMPORARY_FILTERS,
    TEMPORARY_REASONS,
    LoadedReplica,
    bit_of,
    blocked_codes,
    blocking_bits,
    blocking_reason,
    find_blocked_bits,
    masks_for,
    own_requester,
)

__all__ = [
    "ALONE_LIMIT",
    "BATCH_SHARE_FULL",
    "CHAT",
    "DATA_CLASS_OWN_COOP",
    "DATA_CLASS_REFUSED",
    "GREENER_LATER",
    "JOB_REASONS",
    "LEND_ENERGY_SPENT",
    "LIMIT_REASONS",
    "LOADABLE_REASONS",
    "MODEL_NOT_LOADED",
    "NODE_LEFT",
    "NODE_LOST",
    "NODE_SUSPECT",
    "NOT_ACCEPTING",
    "NOT_EMPTY",
    "NO_FREE_SLOT",
    "OVER_CARBON_CAP",
    "OVER_CARBON_QUOTA",
    "OVER_ENERGY_QUOTA",
    "OWN_ONLY",
    "PERMANENT_REASONS",
    "REASON_BY_BIT",
    "REQUESTER_MASKS",
    "RESERVED_BITS",
    "RESTING",
    "SAME_ENGINE",
    "TEMPORARY_FILTERS",
    "TEMPORARY_REASONS",
    "TRIED_BEFORE",
    "LoadedReplica",
    "OwnModelSlots",
    "OwnSlots",
    "OwnSlotsChange",
    "Reason",
    "Values",
    "bit_of",
    "blocked_codes",
    "blocking_bits",
    "blocking_reason",
    "find_blocked_bits",
    "masks_for",
    "own_requester",
    "permanent_reason",
    "permanent_reasons",
]  # fmt: skip
