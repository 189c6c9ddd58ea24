"""Permanent rules, evaluated: who may ever run a job, by what a node is and what it offers.

Only the owner or the members can change the answer, so the fleet caches it by what the job needs. A
node that neither serves nor could load a model is excluded from it by a rule on the node alone.

Inputs: a node and a job's needs. Outputs: the rules that exclude the node, in order.
"""

from collections.abc import Iterator

from entraide.types import NodeCard, NodeState, Replica
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules.node_rules import (
    LENDS_NOTHING,
    MODEL_NOT_LOADED,
    NODE_LEFT,
    NODE_QUARANTINED,
    NODE_RULES,
)
from entraide_scheduler.core.rules.offer_rules import OFFER_RULES
from entraide_scheduler.core.rules.rule import Needs, NodeFilter, OfferFilter, Rule

PERMANENT_RULES = (*NODE_RULES, *OFFER_RULES)

_NODE_CONDITIONS = tuple(
    (rule, rule.filter.excludes) for rule in NODE_RULES if isinstance(rule.filter, NodeFilter)
)
_OFFER_CONDITIONS = tuple(
    (rule, rule.filter.excludes) for rule in OFFER_RULES if isinstance(rule.filter, OfferFilter)
)


def broken_rules(node: Node, needs: Needs) -> Iterator[Rule]:
    """Yields the permanent rules that exclude a node, in order."""
    for rule, excludes in _NODE_CONDITIONS:
        if excludes(node, needs):
            yield rule
    offer = node.replicas.get(needs.model)
    if offer is not None:
        card = node.card
        for rule, excludes_offer in _OFFER_CONDITIONS:
            if excludes_offer(card, offer, card.coop, needs):
                yield rule


def first_broken_rule(node: Node, needs: Needs) -> Rule | None:
    """Returns the first rule by which a node can never run a job; None when it can."""
    rule = first_node_rule(node, needs)
    if rule is not None:
        return rule
    return first_offer_rule(node.card, node.replicas[needs.model], needs)


def first_node_rule(node: Node, needs: Needs) -> Rule | None:
    """Returns the first rule on a node as a whole that excludes it; None if it has the model."""
    for rule, excludes in _NODE_CONDITIONS:
        if excludes(node, needs):
            return rule
    return None


def first_offer_rule(card: NodeCard, replica: Replica, needs: Needs) -> Rule | None:
    """Returns the first rule on an offer that excludes a served replica.

    Replicas of one co-op and one kind (``kind_of_replica``) are all excluded, or none.
    """
    for rule, excludes in _OFFER_CONDITIONS:
        if excludes(card, replica, card.coop, needs):
            return rule
    return None


def rule_without_model(node: Node) -> Rule:
    """Returns the first rule that excludes a node from each model that it has nothing to do with.

    It does not depend on the job, but for ``LENDS_NOTHING``: jobs of the node's own co-op are
    excluded by ``MODEL_NOT_LOADED``.
    """
    if node.quarantine:
        return NODE_QUARANTINED
    if node.state is NodeState.LEFT:
        return NODE_LEFT
    return MODEL_NOT_LOADED if node.lends else LENDS_NOTHING
