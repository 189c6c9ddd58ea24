"""Rules: the hard filter of placement, an ordered list of plain functions.

Each looks at one node and at what a job wants, and tells whether the node is ruled out, with the
numbers a person would ask for. The first rule that a node breaks is the one it is told by. Rules
know nothing of speed, energy or grams.
"""

from collections.abc import Callable

from msgspec import Struct

from entraide.types import DataClass, Lending, NodeState
from entraide_scheduler.core.records import Node, Shape
from entraide_scheduler.core.shelf import on_its_way
from entraide_scheduler.core.tables import ReplicaState

Values = dict[str, str | int | float]


class Rule(Struct, frozen=True):
    """One rule.

    Attributes:
        code: stable code; the catalogue has its sentence.
        broken: whether a node breaks it.
        values: the numbers and names in its sentence.
        waiting_helps: whether the node may pass it later without being changed by its owner.
    """

    code: str
    broken: Callable[[Node, Shape], bool]
    values: Callable[[Node, Shape], Values]
    waiting_helps: bool


def lies_in(zone: str, jurisdiction: str) -> bool:
    """Tells whether a zone lies in a jurisdiction: ``CA-QC`` lies in ``CA`` and in ``CA-QC``."""
    return zone == jurisdiction or zone.startswith(jurisdiction + "-")


def _paused(node: Node, want: Shape) -> str:
    load = node.loads.get(want.model)
    return "" if load is None else load.paused


def _not_accepting(node: Node, want: Shape) -> bool:
    return not node.accepting or _paused(node, want) != ""


def _why_not_accepting(node: Node, want: Shape) -> Values:
    return {"reason": _paused(node, want) if node.accepting else node.reason}


def _replica_state(node: Node, want: Shape) -> ReplicaState:
    backoff = node.backoffs.get(want.model)
    return ReplicaState.SERVING if backoff is None else backoff.state


def _is_probed(node: Node, want: Shape) -> bool:
    """Tells whether the one run that a replica gets after its rest is under way."""
    load = node.loads.get(want.model)
    busy = load is not None and load.leases > 0
    return busy and _replica_state(node, want) is ReplicaState.PROBING


def _reserved(node: Node, want: Shape) -> bool:
    load = node.loads.get(want.model)
    return load is not None and load.reserved not in ("", want.alone)


def _not_empty(node: Node, want: Shape) -> bool:
    load = node.loads.get(want.model)
    return want.alone != "" and load is not None and load.leases > 0


def _why_resting(node: Node, want: Shape) -> Values:
    backoff = node.backoffs[want.model]
    return {"failure": backoff.code, "failures": backoff.failures, "again_at": backoff.until}


def _why_probing(node: Node, want: Shape) -> Values:
    backoff = node.backoffs[want.model]
    return {"failure": backoff.code, "failures": backoff.failures}


def _feature_missing(node: Node, want: Shape) -> bool:
    has = node.replicas[want.model].features
    return any(feature not in has for feature in want.features)


def _missing_features(node: Node, want: Shape) -> Values:
    has = node.replicas[want.model].features
    return {"features": ", ".join(feature for feature in want.features if feature not in has)}


def _others_data(node: Node, want: Shape) -> bool:
    return want.data_class is DataClass.RESTRICTED and node.card.coop != want.coop


def _contexts(node: Node, want: Shape) -> Values:
    offered = node.replicas[want.model].context_tokens
    return {"context_tokens": offered, "needed_tokens": want.context_tokens}


def _no_free_slot(node: Node, want: Shape) -> bool:
    load = node.loads.get(want.model)
    return load is not None and load.leases >= node.replicas[want.model].slots


def _slots(node: Node, want: Shape) -> Values:
    return {"slots": node.replicas[want.model].slots}


def _beyond_lent(node: Node, want: Shape) -> bool:
    load = node.loads.get(want.model)
    return load is not None and node.card.coop != want.coop and load.foreign >= load.lend_slots


def _lent(node: Node, want: Shape) -> Values:
    load = node.loads[want.model]
    return {"coop": node.card.coop, "lent": load.foreign, "limit": load.lend_slots}


def _beyond_batch(node: Node, want: Shape) -> bool:
    load = node.loads.get(want.model)
    return want.batch and load is not None and load.batch >= load.batch_slots


def _last_seen(node: Node, _: Shape) -> Values:
    return {"last_seen_at": node.last_seen}


def could_load(node: Node, want: Shape) -> bool:
    """Tells whether a node could load a job's model, and would be one that may run it then."""
    offer = node.loadable.get(want.model)
    return (
        offer is not None
        and all(feature in offer.features for feature in want.features)
        and lies_in(node.card.zone, want.jurisdiction)
        and not _others_data(node, want)
        and want.data_class in node.card.data_classes
        and offer.context_tokens >= want.context_tokens
    )


def _loading(node: Node, want: Shape) -> Values:
    order = node.orders.get(want.model)
    values: Values = {"model": want.model}
    return values if order is None else {**values, "ready_at": order.ready_at}


MODEL_LOADING = Rule(
    "model_loading",
    lambda node, want: could_load(node, want) and on_its_way(node, want.model),
    _loading,
    waiting_helps=True,
)
MODEL_LOADABLE = Rule(
    "model_loadable",
    could_load,
    lambda node, want: {"model": want.model, "load_s": node.loadable[want.model].load_s},
    waiting_helps=True,
)
COMING = (MODEL_LOADING, MODEL_LOADABLE)  # the node could serve the job, once the model is there

# What a node is: only its owner or the members can change it. These come first, since waiting
# does not help where they exclude.
LASTING = (
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
    *COMING,
    Rule(
        "model_not_loaded",
        lambda node, want: want.model not in node.replicas,
        lambda _, want: {"model": want.model},
        waiting_helps=False,
    ),
    Rule("feature_missing", _feature_missing, _missing_features, waiting_helps=False),
    Rule(
        "wrong_jurisdiction",
        lambda node, want: not lies_in(node.card.zone, want.jurisdiction),
        lambda node, want: {"zone": node.card.zone, "jurisdiction": want.jurisdiction},
        waiting_helps=False,
    ),
    Rule(
        "data_class_own_coop",
        _others_data,
        lambda _, want: {"coop": want.coop, "data_class": want.data_class.value},
        waiting_helps=False,
    ),
    Rule(
        "data_class_refused",
        lambda node, want: want.data_class not in node.card.data_classes,
        lambda _, want: {"data_class": want.data_class.value},
        waiting_helps=False,
    ),
    Rule(
        "context_too_small",
        lambda node, want: node.replicas[want.model].context_tokens < want.context_tokens,
        _contexts,
        waiting_helps=False,
    ),
)

# How a node is now.
SUSPECT = Rule(
    "node_suspect",
    lambda node, _: node.state is NodeState.SUSPECT,
    _last_seen,
    waiting_helps=True,
)
LOST = Rule(
    "node_lost", lambda node, _: node.state is NodeState.LOST, _last_seen, waiting_helps=True
)
NOT_ACCEPTING = Rule("not_accepting", _not_accepting, _why_not_accepting, waiting_helps=True)
RESTING = Rule(
    "resting",
    lambda node, want: _replica_state(node, want) is ReplicaState.RESTING,
    _why_resting,
    waiting_helps=True,
)
PROBING = Rule("probing", _is_probed, _why_probing, waiting_helps=True)
RESERVED = Rule("reserved", _reserved, lambda *_: {}, waiting_helps=True)
NO_FREE_SLOT = Rule("no_free_slot", _no_free_slot, _slots, waiting_helps=True)
OWN_ONLY = Rule(
    "own_only",
    lambda node, want: node.lending is Lending.OWN_ONLY and node.card.coop != want.coop,
    lambda node, _: {"coop": node.card.coop},
    waiting_helps=True,
)
LEND_LIMIT = Rule("lend_limit", _beyond_lent, _lent, waiting_helps=True)
BATCH_SHARE_FULL = Rule(
    "batch_share_full",
    _beyond_batch,
    lambda node, want: {"slots": node.loads[want.model].batch_slots},
    waiting_helps=True,
)
NOT_EMPTY = Rule(
    "not_empty",
    _not_empty,
    lambda node, want: {"running": node.loads[want.model].leases},
    waiting_helps=True,
)
PASSING = (
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

ALL = (*LASTING, *PASSING)


def first_broken(node: Node, want: Shape, rules: tuple[Rule, ...] = ALL) -> Rule | None:
    """Returns the first rule that a node breaks; None when it may run the job."""
    for rule in rules:
        if rule.broken(node, want):
            return rule
    return None
