"""Reasons: why a node is excluded from a job, as stable codes with the values of their sentences.

A reason has no condition. Where the condition stands depends on its inputs: ``permanent`` and
``temporary`` hold the filters, ``placement`` what needs a prediction or the job's history. Of
several reasons that apply, an explanation names the first. The message catalogue has a sentence for
each code: why the node is excluded, and what would have changed it.
"""

from collections.abc import Callable

from msgspec import Struct

from entraide.models import EMBEDDINGS, EMBEDDINGS_ONLY
from entraide.types import Control
from entraide_scheduler.core.records import Node, Shape

CHAT = "chat"  # what a replica with ``embeddings_only`` lacks

Values = dict[str, str | int | float]


def _no_values(_node: Node, _shape: Shape) -> Values:
    return {}


class Reason(Struct, frozen=True):
    """Why a node is excluded.

    Attributes:
        code: stable code; its sentence is ``rule-CODE`` in the message catalogue.
        waiting_helps: whether the node may pass later without a change by its owner or the
            members.
        values: numbers and names of its sentence, for a node that it excludes.
    """

    code: str
    waiting_helps: bool
    values: Callable[[Node, Shape], Values] = _no_values


def _missing_feature_values(node: Node, shape: Shape) -> Values:
    has = node.replicas[shape.model].features
    missing = [feature for feature in shape.features if feature not in has]
    if EMBEDDINGS_ONLY in has and EMBEDDINGS not in shape.features:
        missing.append(CHAT)
    return {"features": ", ".join(missing)}


def _context_values(node: Node, shape: Shape) -> Values:
    offered = node.replicas[shape.model].context_tokens
    return {"context_tokens": offered, "needed_tokens": shape.context_tokens}


def _loading_values(node: Node, shape: Shape) -> Values:
    order = node.orders.get(shape.model)
    values: Values = {"model": shape.model}
    return values if order is None else {**values, "ready_at": order.ready_at}


def _last_seen_values(node: Node, _: Shape) -> Values:
    return {"last_seen_at": node.last_seen}


def _not_accepting_values(node: Node, shape: Shape) -> Values:
    load = node.loads.get(shape.model)
    paused = "" if load is None else load.paused
    return {"reason": paused if node.accepting else node.reason}


def _resting_values(node: Node, shape: Shape) -> Values:
    backoff = node.backoffs[shape.model]
    return {"failure": backoff.code, "failures": backoff.failures, "again_at": backoff.until}


def _probing_values(node: Node, shape: Shape) -> Values:
    backoff = node.backoffs[shape.model]
    return {"failure": backoff.code, "failures": backoff.failures}


def _lent_values(node: Node, shape: Shape) -> Values:
    load = node.loads[shape.model]
    return {"coop": node.card.coop, "lent": load.foreign, "limit": load.lend_slots}


# What a node is: only its owner or the members can change it, so waiting does not help.
NODE_QUARANTINED = Reason(
    "node_quarantined",
    waiting_helps=False,
    values=lambda node, _: {"quarantine": node.quarantine},
)
NODE_LEFT = Reason("node_left", waiting_helps=False, values=lambda node, _: {"reason": node.reason})
MODEL_LOADING = Reason("model_loading", waiting_helps=True, values=_loading_values)
MODEL_LOADABLE = Reason(
    "model_loadable",
    waiting_helps=True,
    values=lambda node, shape: {
        "model": shape.model, "load_s": node.loadable[shape.model].load_s
    },
)  # fmt: skip
MODEL_NOT_LOADED = Reason(
    "model_not_loaded", waiting_helps=False, values=lambda _, shape: {"model": shape.model}
)
OTHER_REVISION = Reason(
    "other_revision", waiting_helps=False, values=lambda _, shape: {"model": shape.model}
)
FEATURE_MISSING = Reason("feature_missing", waiting_helps=False, values=_missing_feature_values)
WRONG_JURISDICTION = Reason(
    "wrong_jurisdiction",
    waiting_helps=False,
    values=lambda node, shape: {"zone": node.card.zone, "jurisdiction": shape.jurisdiction},
)
WRONG_CONTROL = Reason(
    "wrong_control",
    waiting_helps=False,
    values=lambda node, shape: {
        "controlled_by": (node.card.controlled_by or Control.OTHER).value,
        "asked_control": shape.controlled_by.value,
    },
)
DATA_CLASS_OWN_COOP = Reason(
    "data_class_own_coop",
    waiting_helps=False,
    values=lambda _, shape: {"coop": shape.coop, "data_class": shape.data_class.value},
)
DATA_CLASS_REFUSED = Reason(
    "data_class_refused",
    waiting_helps=False,
    values=lambda _, shape: {"data_class": shape.data_class.value},
)
CONTEXT_TOO_SMALL = Reason("context_too_small", waiting_helps=False, values=_context_values)

# A node's present state.
NODE_SUSPECT = Reason("node_suspect", waiting_helps=True, values=_last_seen_values)
NODE_LOST = Reason("node_lost", waiting_helps=True, values=_last_seen_values)
NOT_ACCEPTING = Reason("not_accepting", waiting_helps=True, values=_not_accepting_values)
RESTING = Reason("resting", waiting_helps=True, values=_resting_values)
PROBING = Reason("probing", waiting_helps=True, values=_probing_values)
RESERVED = Reason("reserved", waiting_helps=True)
NO_FREE_SLOT = Reason(
    "no_free_slot",
    waiting_helps=True,
    values=lambda node, shape: {"slots": node.replicas[shape.model].slots},
)
OWN_ONLY = Reason("own_only", waiting_helps=True, values=lambda node, _: {"coop": node.card.coop})
LEND_LIMIT = Reason("lend_limit", waiting_helps=True, values=_lent_values)
BATCH_SHARE_FULL = Reason(
    "batch_share_full",
    waiting_helps=True,
    values=lambda node, shape: {"slots": node.loads[shape.model].batch_slots},
)
NOT_EMPTY = Reason(
    "not_empty",
    waiting_helps=True,
    values=lambda node, shape: {"running": node.loads[shape.model].leases},
)

# The job's history, its limits, and what is predicted for it.
ALONE_LIMIT = Reason("alone_limit", waiting_helps=True)
GREENER_LATER = Reason(
    "greener_later", waiting_helps=True, values=lambda node, _: {"zone": node.card.zone}
)
SAME_ENGINE = Reason("same_engine", waiting_helps=False)
LEND_ENERGY_SPENT = Reason(
    "lend_energy_spent", waiting_helps=True, values=lambda node, _: {"coop": node.card.coop}
)
OVER_CARBON_CAP = Reason("over_carbon_cap", waiting_helps=True)
OVER_CARBON_QUOTA = Reason("over_carbon_quota", waiting_helps=True)
OVER_ENERGY_QUOTA = Reason("over_energy_quota", waiting_helps=True)
TRIED_BEFORE = Reason("tried_before", waiting_helps=False)

LOADABLE_REASONS = (MODEL_LOADING, MODEL_LOADABLE)  # the node is eligible once it has the model

# Limits of the job or of the lender: another job of the same shape may pass them.
LIMIT_REASONS = (LEND_ENERGY_SPENT, OVER_CARBON_CAP, OVER_CARBON_QUOTA, OVER_ENERGY_QUOTA)

# In the order in which they are checked, after all filters.
JOB_REASONS = (ALONE_LIMIT, GREENER_LATER, SAME_ENGINE, *LIMIT_REASONS, TRIED_BEFORE)
