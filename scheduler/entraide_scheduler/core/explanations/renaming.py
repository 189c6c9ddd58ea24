"""Renaming: puts a number in the place of a node's name in an explanation."""

from collections.abc import Mapping

from msgspec.structs import replace

from entraide.types import Explanation

# Values of a sentence that name a node.
NODE_VALUES = ("node", "could_node", "next_node", "greener_node", "obstacle_node", "warm_node")


def rename_node(explanation: Explanation, name: str, number: str) -> Explanation:
    """Returns an explanation that has a number wherever it names a node."""

    def renamed(node: str) -> str:
        return number if node == name else node

    def said(values: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
        named = [key for key in NODE_VALUES if values.get(key) == name]
        return {**values, **dict.fromkeys(named, number)}

    nodes = [renamed(node) for node in explanation.candidates.node]
    return replace(
        explanation,
        node=renamed(explanation.node),
        values=said(explanation.values),
        candidates=replace(explanation.candidates, node=nodes),
        excluded=tuple(
            replace(each, node=renamed(each.node), values=said(each.values))
            for each in explanation.excluded
        ),
    )
