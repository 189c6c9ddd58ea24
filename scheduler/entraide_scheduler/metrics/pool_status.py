"""Pool status: what the status page says of the pool, from the core's state."""

from entraide.types import Lending
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.gateway import NodeStatus, PoolStatus
from entraide_scheduler.gateway.views import OWNER_TERMS, public_reason


def build_pool_status(driver: LiveDriver) -> PoolStatus:
    """Returns the pool's state for the status page."""
    core = driver.core
    nodes = tuple(
        NodeStatus(
            node=view.card.node,
            coop=view.card.coop,
            site=view.card.site,
            zone=view.card.zone,
            state=view.state.value,
            accepting=view.accepting and view.lending is not Lending.OWN_ONLY,
            reason=OWNER_TERMS
            if view.accepting and view.lending is Lending.OWN_ONLY
            else public_reason(view.reason),
            surplus_w=view.energy.surplus_w if view.energy else 0.0,
            models=tuple(replica.model for replica in view.card.replicas),
            slots=sum(replica.slots for replica in view.card.replicas),
            running=sum(view.leases.values()),
        )
        for view in core.nodes()
    )
    return PoolStatus(
        queued=sum(core.queue_lengths().values()),
        running=core.count_running(),
        policy_version=driver.policy_version,
        nodes=nodes,
    )
