# mypy: implicit-reexport
"""Rules: which nodes may run a job, and why the others may not.

Input: a node, one of its replicas and a job's shape. Output: the first rule that excludes the
replica, with a stable code and the values of its sentence, or none.

A rule is one declaration, whose form and inputs ``rule`` explains. A permanent rule reads what a
node is and offers: only a new card, new terms of the owner or another policy can change its answer,
and the fleet caches it by what the job needs. A temporary rule reads a replica's present state: a
lease, a message or a moment can change it. Each replica keeps the answers of all temporary rules as
bits, so that a shape is compared with one mask. The limits of a job need a prediction. Rules filter
only: what a run would cost is ``prediction``, and which admissible node is best is ``placement``.
CONTRIBUTING.md has a checklist for a new rule.

``node_rules``, ``offer_rules``, ``replica_rules`` and ``job_rules`` declare the rules, in the order
in which they are checked; ``place_rules`` checks the pool's own servers; ``permanent`` and
``temporary`` evaluate the rules on machines; ``own_capacity`` counts
the co-ops' own slots by kind of replica; ``bounded_cache`` keeps answers by what a job needs.
"""

from entraide_scheduler.core.rules.bounded_cache import BoundedCache
from entraide_scheduler.core.rules.job_rules import (
    ALONE_LIMIT,
    GREENER_LATER,
    JOB_RULES,
    LIMIT_RULES,
    SAME_ENGINE,
    TRIED_BEFORE,
    limits_exceeded,
)
from entraide_scheduler.core.rules.node_rules import (
    LENDS_NOTHING,
    LOADABLE_RULES,
    MODEL_NOT_LOADED,
    NODE_LEFT,
    NODE_QUARANTINED,
)
from entraide_scheduler.core.rules.offer_rules import (
    CHAT,
    MODEL_NOT_OPEN,
    has_control,
    is_in_jurisdiction,
)
from entraide_scheduler.core.rules.own_capacity import OwnModelSlots, OwnSlots, OwnSlotsChange
from entraide_scheduler.core.rules.permanent import (
    PERMANENT_RULES,
    broken_rules,
    first_broken_rule,
    first_node_rule,
    first_offer_rule,
    rule_without_model,
)
from entraide_scheduler.core.rules.place_rules import PlaceWish, find_place_fault
from entraide_scheduler.core.rules.replica_rules import (
    NO_FREE_SLOT,
    NOT_ACCEPTING,
    NOT_EMPTY,
    REPLICA_RULES,
)
from entraide_scheduler.core.rules.rule import (
    Change,
    LimitFilter,
    LoadedReplica,
    Needs,
    Predicted,
    Rule,
    Values,
    needs_of,
)
from entraide_scheduler.core.rules.temporary import (
    CLOSED_BITS,
    OUT_OF_SERVICE_BITS,
    REQUESTER_MASKS,
    RESERVED_BITS,
    RULE_BY_BIT,
    bit_of,
    blocked_codes,
    blocking_bits,
    blocking_rule,
    find_blocked_bits,
    masks_for,
    may_open,
    own_requester,
    refuses_others,
    would_accept,
)

RULES = (*PERMANENT_RULES, *REPLICA_RULES, *JOB_RULES)  # in the order in which they are checked
