"""Rules: the hard filter of placement, an ordered list of pure functions.

Each rule is a predicate on a node and a shape, with a stable code and the values of its sentence.
The first rule that a node breaks is the one that explanations name. Permanent rules depend on what
a node is, temporary rules on its present state. No rule reads speed, energy or carbon.
"""

from collections.abc import Callable

from msgspec import Struct

from entraide.types import DataClass, Lending, NodeState
from entraide_scheduler.core.records import Node, ReplicaState, Shape, is_loading

Values = dict[str, str | int | float]


class Rule(Struct, frozen=True):
    """One rule.

    Attributes:
        code: stable code, the key of its sentence in the message catalogue.
        broken: whether a node breaks the rule for a shape.
        values: numbers and names of its sentence.
        waiting_helps: whether the node may pass later without a change by its owner.
    """

    code: str
    broken: Callable[[Node, Shape], bool]
    values: Callable[[Node, Shape], Values]
    waiting_helps: bool


def is_in_jurisdiction(zone: str, jurisdiction: str) -> bool:
    """Tells whether a zone lies in a jurisdiction: ``CA-QC`` lies in ``CA`` and in ``CA-QC``."""
    return zone == jurisdiction or zone.startswith(jurisdiction + "-")


def _pause_reason(node: Node, shape: Shape) -> str:
    load = node.loads.get(shape.model)
    return "" if load is None else load.paused


def _is_not_accepting(node: Node, shape: Shape) -> bool:
    return not node.accepting or _pause_reason(node, shape) != ""


def _not_accepting_values(node: Node, shape: Shape) -> Values:
    return {"reason": _pause_reason(node, shape) if node.accepting else node.reason}


def _replica_state(node: Node, shape: Shape) -> ReplicaState:
    backoff = node.backoffs.get(shape.model)
    return ReplicaState.SERVING if backoff is None else backoff.state


def _is_probed(node: Node, shape: Shape) -> bool:
    """Tells whether the probing run after a replica's backoff is in progress."""
    load = node.loads.get(shape.model)
    busy = load is not None and load.leases > 0
    return busy and _replica_state(node, shape) is ReplicaState.PROBING


def _is_reserved(node: Node, shape: Shape) -> bool:
    load = node.loads.get(shape.model)
    return load is not None and load.reserved not in ("", shape.alone)


def _is_not_empty(node: Node, shape: Shape) -> bool:
    load = node.loads.get(shape.model)
    return shape.alone != "" and load is not None and load.leases > 0


def _resting_values(node: Node, shape: Shape) -> Values:
    backoff = node.backoffs[shape.model]
    return {"failure": backoff.code, "failures": backoff.failures, "again_at": backoff.until}


def _probing_values(node: Node, shape: Shape) -> Values:
    backoff = node.backoffs[shape.model]
    return {"failure": backoff.code, "failures": backoff.failures}


def _lacks_feature(node: Node, shape: Shape) -> bool:
    has = node.replicas[shape.model].features
    return any(feature not in has for feature in shape.features)


def _missing_feature_values(node: Node, shape: Shape) -> Values:
    has = node.replicas[shape.model].features
    return {"features": ", ".join(feature for feature in shape.features if feature not in has)}


def _is_foreign_restricted(node: Node, shape: Shape) -> bool:
    return shape.data_class is DataClass.RESTRICTED and node.card.coop != shape.coop


def _context_values(node: Node, shape: Shape) -> Values:
    offered = node.replicas[shape.model].context_tokens
    return {"context_tokens": offered, "needed_tokens": shape.context_tokens}


def _has_no_free_slot(node: Node, shape: Shape) -> bool:
    load = node.loads.get(shape.model)
    return load is not None and load.leases >= node.replicas[shape.model].slots


def _slot_values(node: Node, shape: Shape) -> Values:
    return {"slots": node.replicas[shape.model].slots}


def _exceeds_lent_slots(node: Node, shape: Shape) -> bool:
    load = node.loads.get(shape.model)
    return load is not None and node.card.coop != shape.coop and load.foreign >= load.lend_slots


def _lent_values(node: Node, shape: Shape) -> Values:
    load = node.loads[shape.model]
    return {"coop": node.card.coop, "lent": load.foreign, "limit": load.lend_slots}


def _exceeds_batch_slots(node: Node, shape: Shape) -> bool:
    load = node.loads.get(shape.model)
    return shape.batch and load is not None and load.batch >= load.batch_slots


def _last_seen_values(node: Node, _: Shape) -> Values:
    return {"last_seen_at": node.last_seen}


def could_load(node: Node, shape: Shape) -> bool:
    """Tells whether a node could load a shape's model and would then be eligible."""
    offer = node.loadable.get(shape.model)
    return (
        offer is not None
        and all(feature in offer.features for feature in shape.features)
        and is_in_jurisdiction(node.card.zone, shape.jurisdiction)
        and not _is_foreign_restricted(node, shape)
        and shape.data_class in node.card.data_classes
        and offer.context_tokens >= shape.context_tokens
    )


def _loading_values(node: Node, shape: Shape) -> Values:
    order = node.orders.get(shape.model)
    values: Values = {"model": shape.model}
    return values if order is None else {**values, "ready_at": order.ready_at}


MODEL_LOADING = Rule(
    "model_loading",
    lambda node, shape: could_load(node, shape) and is_loading(node, shape.model),
    _loading_values,
    waiting_helps=True,
)
MODEL_LOADABLE = Rule(
    "model_loadable",
    could_load,
    lambda node, shape: {"model": shape.model, "load_s": node.loadable[shape.model].load_s},
    waiting_helps=True,
)
LOADABLE_RULES = (MODEL_LOADING, MODEL_LOADABLE)  # the node is eligible once it has the model

# Rules on what a node is, which only its owner or the members can change. They come first, since
# waiting does not help against them.
PERMANENT_RULES = (
    Rule(
        "node_quarantined",
        lambda node, _: node.quarantine != "",
        lambda node, _: {"quarantine": node.quarantine},
        waiting_helps=False,
    ),
    Rule(
        "node_left",
        lambda node, _: node.state is NodeState.LEFT,
        lambda node, _: {"reason": node.reason},
        waiting_helps=False,
    ),
    *LOADABLE_RULES,
    Rule(
        "model_not_loaded",
        lambda node, shape: shape.model not in node.replicas,
        lambda _, shape: {"model": shape.model},
        waiting_helps=False,
    ),
    Rule("feature_missing", _lacks_feature, _missing_feature_values, waiting_helps=False),
    Rule(
        "wrong_jurisdiction",
        lambda node, shape: not is_in_jurisdiction(node.card.zone, shape.jurisdiction),
        lambda node, shape: {"zone": node.card.zone, "jurisdiction": shape.jurisdiction},
        waiting_helps=False,
    ),
    Rule(
        "data_class_own_coop",
        _is_foreign_restricted,
        lambda _, shape: {"coop": shape.coop, "data_class": shape.data_class.value},
        waiting_helps=False,
    ),
    Rule(
        "data_class_refused",
        lambda node, shape: shape.data_class not in node.card.data_classes,
        lambda _, shape: {"data_class": shape.data_class.value},
        waiting_helps=False,
    ),
    Rule(
        "context_too_small",
        lambda node, shape: node.replicas[shape.model].context_tokens < shape.context_tokens,
        _context_values,
        waiting_helps=False,
    ),
)

# Rules on a node's present state.
SUSPECT = Rule(
    "node_suspect",
    lambda node, _: node.state is NodeState.SUSPECT,
    _last_seen_values,
    waiting_helps=True,
)
LOST = Rule(
    "node_lost", lambda node, _: node.state is NodeState.LOST, _last_seen_values, waiting_helps=True
)
NOT_ACCEPTING = Rule("not_accepting", _is_not_accepting, _not_accepting_values, waiting_helps=True)
RESTING = Rule(
    "resting",
    lambda node, shape: _replica_state(node, shape) is ReplicaState.RESTING,
    _resting_values,
    waiting_helps=True,
)
PROBING = Rule("probing", _is_probed, _probing_values, waiting_helps=True)
RESERVED = Rule("reserved", _is_reserved, lambda *_: {}, waiting_helps=True)
NO_FREE_SLOT = Rule("no_free_slot", _has_no_free_slot, _slot_values, waiting_helps=True)
OWN_ONLY = Rule(
    "own_only",
    lambda node, shape: node.lending is Lending.OWN_ONLY and node.card.coop != shape.coop,
    lambda node, _: {"coop": node.card.coop},
    waiting_helps=True,
)
LEND_LIMIT = Rule("lend_limit", _exceeds_lent_slots, _lent_values, waiting_helps=True)
BATCH_SHARE_FULL = Rule(
    "batch_share_full",
    _exceeds_batch_slots,
    lambda node, shape: {"slots": node.loads[shape.model].batch_slots},
    waiting_helps=True,
)
NOT_EMPTY = Rule(
    "not_empty",
    _is_not_empty,
    lambda node, shape: {"running": node.loads[shape.model].leases},
    waiting_helps=True,
)
TEMPORARY_RULES = (
    SUSPECT,
    LOST,
    NOT_ACCEPTING,
    RESTING,
    PROBING,
    RESERVED,
    NO_FREE_SLOT,
    OWN_ONLY,
    LEND_LIMIT,
    BATCH_SHARE_FULL,
    NOT_EMPTY,
)

ALL_RULES = (*PERMANENT_RULES, *TEMPORARY_RULES)


def first_broken(node: Node, shape: Shape, rules: tuple[Rule, ...] = ALL_RULES) -> Rule | None:
    """Returns the first rule that a node breaks; None when it may run the job."""
    for rule in rules:
        if rule.broken(node, shape):
            return rule
    return None
