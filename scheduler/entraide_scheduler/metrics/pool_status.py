"""Pool status: what the status page says of the pool, from the core's state."""

from entraide.types import Lending
from entraide_scheduler.core.views import NodeView
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.gateway import NodeStatus, PoolStatus
from entraide_scheduler.gateway.views import OWNER_TERMS, public_reason


def build_pool_status(driver: LiveDriver) -> PoolStatus:
    """Returns the pool's state for the status page."""
    core = driver.core
    nodes = tuple(_node_status(view) for view in core.nodes())
    return PoolStatus(
        queued=sum(core.queue_lengths().values()),
        running=sum(node.running for node in nodes),
        policy_version=driver.policy_version,
        nodes=nodes,
    )


def _node_status(view: NodeView) -> NodeStatus:
    """Returns a node's state as other co-ops see it: one that serves its own only is paused."""
    is_own_only = view.accepting and view.lending is Lending.OWN_ONLY
    return NodeStatus(
        node=view.card.node,
        coop=view.card.coop,
        site=view.card.site,
        zone=view.card.zone,
        state=view.state.value,
        accepting=view.accepting and not is_own_only,
        reason=OWNER_TERMS if is_own_only else public_reason(view.reason),
        surplus_w=view.energy.surplus_w if view.energy else 0.0,
        models=tuple(replica.model for replica in view.card.replicas),
        slots=sum(replica.slots for replica in view.card.replicas),
        running=0 if is_own_only else sum(view.leases.values()),
    )
