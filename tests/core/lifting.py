"""Lifting: takes away the one rule that keeps a job from a node, and nothing else."""

from math import inf

from msgspec import structs
from tests.core.builders import MODEL, replica

from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules import LOADABLE_RULES, RULES
from entraide_scheduler.core.rules.rule import Fields
from entraide_scheduler.core.state import State

# What a node is predicted to miss of the promise, by code.
PARTS = {
    "promise_at_risk": "ttft_left_s",
    "stream_at_risk": "tpot_s",
    "end_at_risk": "completion_left_s",
}
RULE_BY_CODE = {rule.code: rule for rule in RULES}


def set_fields(record: object, fields: Fields) -> None:
    """Sets fields of a record; it must have them."""
    for name, value in fields.items():
        assert hasattr(record, name), name
        setattr(record, name, value)


def change_node(state: State, node: Node, fields: Fields, load: Fields) -> None:
    """Sets fields of a node and of its replica's load; the indexes follow."""
    index = state.fleet.replica_index
    index.set_lending(node, fields.get("lending", node.lending))
    state.fleet.set_probation(node, fields.get("probation", node.probation))
    set_fields(node, fields)
    view = index.view_of(MODEL, node.card.node)
    if view is not None:
        index.update_node(node, state.now)
        set_fields(view.load, load)
        index.refresh(view, state.now)
    state.fleet.eligibility.update_node(node.card.node, (MODEL,))


def _load_model(state: State, node: Node) -> None:
    """Has a node serve what it could load; what else it is stays as it is."""
    offer = node.loadable[MODEL]
    served = replica(
        slots=offer.slots, context_tokens=offer.context_tokens, features=offer.features
    )
    changed = structs.replace(node.card, replicas=(served,), loadable=(), loading=())
    accepting, lending, was = node.accepting, node.lending, node.state
    state.fleet.add_or_update(changed, accepting=accepting, reason="", at=0.0, lending=lending)
    node.state = was


def lifted(state: State, node: Node, code: str, request: PlacementRequest) -> PlacementRequest:
    """Changes the node, the job or its limits so that the node no longer breaks one rule."""
    if code in PARTS:
        only_end = code == "promise_at_risk" and request.objective.ttft_s is None
        part = "completion_left_s" if only_end else PARTS[code]
        return structs.replace(request, **{part: inf})
    rule = RULE_BY_CODE[code]
    if rule in LOADABLE_RULES:
        _load_model(state, node)
        change_node(state, node, {}, {})
        return request
    assert rule.lifted is not None, f"no explanation may offer to lift {code}"
    change = rule.lifted(node, request.shape)
    change_node(state, node, change.node, change.load)
    shape = structs.replace(request.shape, **change.shapes[0]) if change.shapes else request.shape
    return structs.replace(request, shape=shape, **change.request)
