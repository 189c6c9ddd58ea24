"""Lifting: takes away the one rule that keeps a job from a node, and nothing else."""

from math import inf

from msgspec import structs
from tests.core.builders import MODEL, replica

from entraide.types import DataClass, Lending, NodeState
from entraide_scheduler.core.prediction import NO_TOKENS, PlacementRequest
from entraide_scheduler.core.records import Load, Node
from entraide_scheduler.core.state import State


def _accept(node: Node) -> None:
    node.accepting = True
    if MODEL in node.loads:
        node.loads[MODEL].paused = ""


def _end_batch_runs(load: Load) -> None:
    while load.batch >= load.batch_slots:
        load.batch -= 1
        load.leases -= 1


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


# How each rule is lifted: on the node, in what the job needs of a node, or among its limits.
ON_NODE = {
    "node_suspect": lambda node: setattr(node, "state", NodeState.LIVE),
    "node_lost": lambda node: setattr(node, "state", NodeState.LIVE),
    "node_quarantined": lambda node: setattr(node, "quarantine", ""),
    "not_accepting": _accept,
    "resting": lambda node: node.backoffs.pop(MODEL),
    "probing": lambda node: node.backoffs.pop(MODEL),
    "reserved": lambda node: setattr(node.loads[MODEL], "reserved", ""),
    "not_empty": lambda node: setattr(node.loads[MODEL], "leases", 0),
    "no_free_slot": lambda node: setattr(
        node.loads[MODEL], "leases", node.replicas[MODEL].slots - 1
    ),
    "lend_limit": lambda node: setattr(
        node.loads[MODEL], "lend_slots", node.loads[MODEL].foreign + 1
    ),
    "batch_share_full": lambda node: _end_batch_runs(node.loads[MODEL]),
}
OF_SHAPE = {
    "wrong_jurisdiction": lambda node: {"jurisdiction": node.card.zone},
    "other_revision": lambda node: {"revision": node.replicas[MODEL].revision},
    "wrong_control": lambda node: {"controlled_by": node.card.controlled_by},
    "feature_missing": lambda node: {"features": node.replicas[MODEL].features},
    "context_too_small": lambda node: {"context_tokens": node.replicas[MODEL].context_tokens},
    "data_class_own_coop": lambda _: {"data_class": DataClass.INTERNAL},
    "data_class_refused": lambda node: {"data_class": node.card.data_classes[0]},
}
OF_REQUEST = {
    "greener_later": {"max_g_per_kwh": None},
    "over_carbon_cap": {"carbon_cap_ug": inf},
    "over_carbon_quota": {"carbon_left_ug": inf},
    "over_energy_quota": {"energy_left_uwh": inf},
    "lend_energy_spent": {"lent_left_uwh": NO_TOKENS},
    "tried_before": {"avoid": ()},
}


def lifted(state: State, node: Node, rule: str, request: PlacementRequest) -> PlacementRequest:
    """Changes the node, the job or its limits so that the node no longer breaks one rule."""
    index = state.fleet.replica_index
    if rule in ON_NODE:
        ON_NODE[rule](node)
    elif rule == "own_only":
        index.set_lending(node, Lending.ALL)
        index.update_node(node, state.now)
    elif rule in ("model_loadable", "model_loading"):
        _load_model(state, node)
    elif rule in OF_SHAPE:
        shape = structs.replace(request.shape, **OF_SHAPE[rule](node))
        request = structs.replace(request, shape=shape)
    elif rule == "promise_at_risk":
        part = "completion_left_s" if request.objective.ttft_s is None else "ttft_left_s"
        request = structs.replace(request, **{part: inf})
    else:
        assert rule in OF_REQUEST, f"say how {rule} is lifted: ON_NODE, OF_SHAPE or OF_REQUEST"
        request = structs.replace(request, **OF_REQUEST[rule])
    view = index.view_of(MODEL, node.card.node)
    if view is not None:
        index.refresh(view, state.now)
    state.fleet._eligible = {}
    return request
