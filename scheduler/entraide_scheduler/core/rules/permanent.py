"""Permanent filters: who may ever run a job, by what a node is and what it offers.

Only the owner or the members can change the answer, so the fleet caches it by shape. Node filters
read the node as a whole; offer filters read what a replica offers and where it stands, and hold for
a served replica, for a model that a node could load, and for a co-op's own kind of replica alike.

Inputs: a node and a shape. Outputs: the reasons that exclude the node.
"""

from collections.abc import Callable, Iterator

from entraide.models import EMBEDDINGS, EMBEDDINGS_ONLY
from entraide.types import Control, DataClass, Loadable, NodeCard, NodeState, Replica
from entraide_scheduler.core.records import Node, OwnKind, Shape, is_loading
from entraide_scheduler.core.rules.reasons import (
    CONTEXT_TOO_SMALL,
    DATA_CLASS_OWN_COOP,
    DATA_CLASS_REFUSED,
    FEATURE_MISSING,
    MODEL_LOADABLE,
    MODEL_LOADING,
    MODEL_NOT_LOADED,
    NODE_LEFT,
    NODE_QUARANTINED,
    OTHER_REVISION,
    WRONG_CONTROL,
    WRONG_JURISDICTION,
    Reason,
)

Site = NodeCard | OwnKind
Offer = Replica | Loadable | OwnKind
NodeFilter = Callable[[Node, Shape], bool]
OfferFilter = Callable[[Site, Offer, str, Shape], bool]  # the third is the owning co-op


def is_in_jurisdiction(zone: str, jurisdiction: str) -> bool:
    """Tells whether a zone lies in a jurisdiction: ``CA-QC`` lies in ``CA`` and in ``CA-QC``."""
    return zone == jurisdiction or zone.startswith(jurisdiction + "-")


# The closest first; what is unstated counts as the farthest.
_DISTANCES = {
    Control.MEMBER: 0, Control.CANADIAN: 1, Control.OTHER: 2, Control.UNSTATED: 2
}  # fmt: skip


def has_control(controlled_by: Control, asked: Control) -> bool:
    """Tells whether a node's control is the one asked for, or a closer one.

    ``member`` is closer than ``canadian``. Unstated, a node's control counts as ``other``, and a
    job asks for none.
    """
    return _DISTANCES[controlled_by] <= _DISTANCES[asked]


def lacks_feature(offer: Offer, shape: Shape) -> bool:
    """Tells whether an offer lacks a feature that a shape needs; chat is one of an embedding model.

    A replica or loadable model with ``embeddings_only`` answers requests for embeddings only.
    """
    if any(feature not in offer.features for feature in shape.features):
        return True
    return EMBEDDINGS_ONLY in offer.features and EMBEDDINGS not in shape.features


def could_load(node: Node, shape: Shape) -> bool:
    """Tells whether a node could load a shape's model and would then be eligible."""
    offer = node.loadable.get(shape.model)
    return offer is not None and is_suitable(node.card, offer, node.card.coop, shape)


def has_other_revision(node: Node, shape: Shape) -> bool:
    """Tells whether a node serves a shape's model in another revision than the shape's."""
    replica = node.replicas.get(shape.model)
    return replica is not None and replica.revision != shape.revision


NODE_FILTERS: tuple[tuple[Reason, NodeFilter], ...] = (
    (NODE_QUARANTINED, lambda node, _: node.quarantine != ""),
    (NODE_LEFT, lambda node, _: node.state is NodeState.LEFT),
    (
        MODEL_LOADING,
        lambda node, shape: could_load(node, shape) and is_loading(node, shape.model),
    ),
    (MODEL_LOADABLE, could_load),
    (MODEL_NOT_LOADED, lambda node, shape: shape.model not in node.replicas),
    (OTHER_REVISION, lambda node, shape: shape.revision != "" and has_other_revision(node, shape)),
)

OFFER_FILTERS: tuple[tuple[Reason, OfferFilter], ...] = (
    (FEATURE_MISSING, lambda _site, offer, _coop, shape: lacks_feature(offer, shape)),
    (
        WRONG_JURISDICTION,
        lambda site, _offer, _coop, shape: not is_in_jurisdiction(site.zone, shape.jurisdiction),
    ),
    (
        WRONG_CONTROL,
        lambda site, _offer, _coop, shape: not has_control(site.controlled_by, shape.controlled_by),
    ),
    (
        DATA_CLASS_OWN_COOP,
        lambda _site, _offer, coop, shape: (
            shape.data_class is DataClass.RESTRICTED and coop != shape.coop
        ),
    ),
    (
        DATA_CLASS_REFUSED,
        lambda site, _offer, _coop, shape: shape.data_class not in site.data_classes,
    ),
    (
        CONTEXT_TOO_SMALL,
        lambda _site, offer, _coop, shape: offer.context_tokens < shape.context_tokens,
    ),
)
PERMANENT_REASONS = tuple(reason for reason, _ in (*NODE_FILTERS, *OFFER_FILTERS))


def is_suitable(site: Site, offer: Offer, coop: str, shape: Shape) -> bool:
    """Tells whether no offer filter excludes what a site of a co-op offers."""
    return not any(excludes(site, offer, coop, shape) for _, excludes in OFFER_FILTERS)


def permanent_reasons(node: Node, shape: Shape) -> Iterator[Reason]:
    """Yields the reasons of the permanent filters that exclude a node, in order."""
    for reason, excludes in NODE_FILTERS:
        if excludes(node, shape):
            yield reason
    offer = node.replicas.get(shape.model)
    if offer is not None:
        card = node.card
        for reason, excludes_offer in OFFER_FILTERS:
            if excludes_offer(card, offer, card.coop, shape):
                yield reason


def permanent_reason(node: Node, shape: Shape) -> Reason | None:
    """Returns the first reason why a node can never run a job; None when it can."""
    return next(permanent_reasons(node, shape), None)
