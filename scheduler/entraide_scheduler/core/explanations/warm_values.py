"""Warm values: what an explanation says of a prompt that is read in part, on the pick or elsewhere.

Input: the request of a placement and the replica that was picked. Output: the tokens that it need
not read, with the seconds and the energy that this saves; else the node that has read most of it.
"""

from entraide.units import round_half_up, wh_from_uwh
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State


def warm_values(state: State, view: ReplicaView, request: PlacementRequest) -> Values:
    """Returns what a node that holds a part of the prompt saves, or which node holds one."""
    tokens = request.cached.get(view.name, 0)
    if tokens:
        saved_wh = wh_from_uwh(round_half_up(tokens * view.cost.input_uwh))
        saved_s = tokens * view.cost.input_s
        return {"cached_tokens": tokens, "saved_s": saved_s, "saved_wh": saved_wh}
    warmest = max(request.cached, key=lambda name: request.cached[name])
    if warmest not in state.fleet.nodes:
        return {}
    return {"warm_node": warmest, "warm_tokens": request.cached[warmest]}
