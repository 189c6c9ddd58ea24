"""Eligibility checks: the eligible nodes that are kept as nodes change, against a search of all."""

from collections import Counter

from entraide_scheduler.core.rules import LOADABLE_RULES, first_broken_rule
from entraide_scheduler.core.state import State


def eligible_nodes_are_kept_up_to_date(state: State) -> None:
    """Each cached answer is that of a search through all nodes, in order of their names."""
    fleet = state.fleet
    nodes = sorted(fleet.nodes.items())
    for shape in state.queue.shapes:
        eligible = fleet.eligible_nodes(shape)
        rules = [(node, first_broken_rule(node, shape)) for _, node in nodes]
        broken = [(node, rule) for node, rule in rules if rule is not None]
        counts = Counter(rule.code for _, rule in broken)
        first = {rule: node for node, rule in reversed(broken)}
        views = [fleet.replica_index.view_of(shape.model, node.card.node)
                 for node, rule in rules if rule is None]  # fmt: skip

        assert views == eligible.views
        assert broken == eligible.excluded
        assert list(dict.fromkeys(rule for _, rule in broken)) == [
            rule for _, rule in eligible.examples
        ]
        assert all(first[rule] is node for node, rule in eligible.examples)
        assert list(counts.items()) == list(eligible.counts.items())
        assert [node for node, rule in broken if rule in LOADABLE_RULES] == eligible.could_load
        assert eligible.context_tokens == max(
            (view.replica.context_tokens for view in views), default=0
        )
