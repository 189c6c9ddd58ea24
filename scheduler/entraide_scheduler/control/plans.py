"""Plans: builds messages of planned and present model loads."""

from collections.abc import Sequence

from google.protobuf import struct_pb2

from entraide.v1 import admin_pb2
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.model_loading import PlanStep


def plan_message(core: Core, steps: Sequence[PlanStep], *, at: float) -> admin_pb2.ModelPlan:
    """Returns steps, and the present loads, as a message.

    Args:
        core: source of nodes and present loads.
        steps: planned steps.
        at: time now, seconds since the epoch.
    """
    cards = {view.card.node: view.card for view in core.nodes()}
    plan = admin_pb2.ModelPlan(at=at)
    for step in steps:
        values = struct_pb2.Struct()
        values.update(step.values)
        plan.steps.add(
            load=step.load,
            node=step.node,
            coop=cards[step.node].coop,
            zone=cards[step.node].zone,
            model=step.model,
            reason=step.reason,
            values=values,
        )
    for order in core.model_loads():
        plan.orders.add(
            node=order.node,
            coop=order.coop,
            zone=order.zone,
            model=order.model,
            state=order.state.value,
            reason=order.reason,
            since=order.since,
            ready_at=order.ready_at,
            memory_bytes=order.memory_bytes,
        )
    return plan
