"""Rules on a node as a whole, whatever it offers.

``NODE_RULES`` has them in the order in which they are checked, before the rules on its offer.
"""

from entraide.types import NodeState
from entraide_scheduler.core.policy import Lend
from entraide_scheduler.core.records import Node, Shape, is_loading
from entraide_scheduler.core.rules.offer_rules import OFFER_RULES
from entraide_scheduler.core.rules.rule import (
    EXAMPLE_MODEL,
    Change,
    Example,
    Needs,
    NodeFilter,
    Offer,
    OfferFilter,
    Rule,
    Site,
    Values,
)

_OFFER_CONDITIONS = tuple(
    rule.filter.excludes for rule in OFFER_RULES if isinstance(rule.filter, OfferFilter)
)


def is_suitable(site: Site, offer: Offer, coop: str, needs: Needs) -> bool:
    """Tells whether no offer filter excludes what a site of a co-op offers."""
    return not any(excludes(site, offer, coop, needs) for excludes in _OFFER_CONDITIONS)


def could_load(node: Node, needs: Needs) -> bool:
    """Tells whether a node could load a job's model and would then be eligible."""
    offer = node.loadable.get(needs.model)
    return offer is not None and is_suitable(node.card, offer, node.card.coop, needs)


def has_other_revision(node: Node, needs: Needs) -> bool:
    """Tells whether a node serves a job's model in another revision than the job's."""
    replica = node.replicas.get(needs.model)
    return replica is not None and replica.revision != needs.revision


NODE_QUARANTINED = Rule(
    code="node_quarantined",
    excluded_if="its messages are [ignored](states.md#quarantine) until the operator clears it",
    waiting_helps=False,
    filter=NodeFilter(lambda node, _: node.quarantine != ""),
    lifted=lambda _node, _shape: Change(node={"quarantine": ""}),
    values=lambda node, _: {"quarantine": node.quarantine},
    example=Example(node={"quarantine": "event_raised"}),
)

NODE_LEFT = Rule(
    code="node_left",
    excluded_if="it said goodbye or was revoked",
    waiting_helps=False,
    filter=NodeFilter(lambda node, _: node.state is NodeState.LEFT),
    lifted=None,  # nothing can be checked behind it
    values=lambda node, _: {"reason": node.reason},
    example=Example(node={"state": NodeState.LEFT, "reason": "goodbye"}),
)

LENDS_NOTHING = Rule(
    code="lends_nothing",
    excluded_if="its co-op lends nothing to the others (policy: `lend.part` or "
    "`lend.energy_wh_per_day` is 0)",
    waiting_helps=False,
    filter=NodeFilter(lambda node, needs: not node.lends and node.card.coop != needs.coop),
    lifted=None,  # how much the co-op would lend is unknown
    values=lambda node, _: {"coop": node.card.coop},
    example=Example(lender={"lend": Lend(part=0.0)}),
)


def _loading_values(node: Node, shape: Shape) -> Values:
    order = node.orders.get(shape.model)
    values: Values = {"model": shape.model}
    return values if order is None else {**values, "ready_at": order.ready_at}


_LOADABLE = (
    "it does not serve the model yet, but [loads it, or can](loading.md), and may run the job then"
)

MODEL_LOADING = Rule(
    code="model_loading",
    excluded_if=_LOADABLE,
    waiting_helps=True,
    filter=NodeFilter(
        lambda node, needs: could_load(node, needs) and is_loading(node, needs.model)
    ),
    lifted=lambda _node, _shape: Change(),  # see ``LOADABLE_RULES``
    values=_loading_values,
    example=Example(
        card={"models_bytes": 9**12, "loading": (EXAMPLE_MODEL,)}, replica=None, loadable={}
    ),
)

MODEL_LOADABLE = Rule(
    code="model_loadable",
    excluded_if=_LOADABLE,
    waiting_helps=True,
    filter=NodeFilter(could_load),
    lifted=lambda _node, _shape: Change(),
    values=lambda node, shape: {"model": shape.model, "load_s": node.loadable[shape.model].load_s},
    example=Example(card={"models_bytes": 9**12}, replica=None, loadable={}),
)

MODEL_NOT_LOADED = Rule(
    code="model_not_loaded",
    excluded_if="it does not serve the model",
    waiting_helps=False,
    filter=NodeFilter(lambda node, needs: needs.model not in node.replicas),
    lifted=None,  # what it would offer is unknown
    values=lambda _, shape: {"model": shape.model},
    example=Example(replica={"model": "another"}),
)

OTHER_REVISION = Rule(
    code="other_revision",
    excluded_if="the client has a part of the answer, which another machine began, and this one "
    "serves another revision of the model",
    waiting_helps=False,
    filter=NodeFilter(lambda node, needs: needs.revision != "" and has_other_revision(node, needs)),
    lifted=lambda node, shape: Change(shapes=({"revision": node.replicas[shape.model].revision},)),
    values=lambda _, shape: {"model": shape.model},
    example=Example(
        replica={"revision": "sha256:def", "features": ("resume",)},
        able_replica={"revision": "sha256:abc", "features": ("resume",)},
        job={"revision": "sha256:abc"},
    ),
)

NODE_RULES = (
    NODE_QUARANTINED,
    NODE_LEFT,
    LENDS_NOTHING,
    MODEL_LOADING,
    MODEL_LOADABLE,
    MODEL_NOT_LOADED,
    OTHER_REVISION,
)
# Behind these, the rules on offers have passed: the node may run the job once it has the model.
LOADABLE_RULES = (MODEL_LOADING, MODEL_LOADABLE)
