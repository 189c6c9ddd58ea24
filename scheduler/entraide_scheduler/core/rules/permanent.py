"""Permanent rules, evaluated: who may ever run a job, by what a node is and what it offers.

Only the owner or the members can change the answer, so the fleet caches it by what the job needs.

Inputs: a node and a job's needs. Outputs: the rules that exclude the node, in order.
"""

from collections.abc import Iterator

from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules.node_rules import NODE_RULES
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
    return next(broken_rules(node, needs), None)
