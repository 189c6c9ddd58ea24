"""Views: the pool, the grid and a co-op's position, as those who may see them see them.

Input: ``PoolState`` and the books. Output: JSON structs, and events when the pool changes.

``pool_states`` asks the scheduler, ``pool_view`` and ``grid_view`` show the pool, ``pool_events``
its changes, ``pool_routes`` are the HTTP of it. ``coop_months`` reads the books for ``coop_view``
and ``own_machines``, with ``lent_words``; ``machine_reasons`` says which reasons others may see.
"""

from entraide_scheduler.gateway.views.coop_months import read_machines, read_month
from entraide_scheduler.gateway.views.coop_view import (
    CoopMonth,
    CoopOverview,
    totals_only,
    view_coop,
)
from entraide_scheduler.gateway.views.grid_view import GridView
from entraide_scheduler.gateway.views.machine_reasons import (
    OWNER_TERMS,
    explanation_for,
    public_reason,
)
from entraide_scheduler.gateway.views.own_machines import (
    MachineBooks,
    OwnMachines,
    view_own_machines,
)
from entraide_scheduler.gateway.views.pool_events import PoolEvents
from entraide_scheduler.gateway.views.pool_routes import POOL_PATHS, PoolRoutes, choose_language
from entraide_scheduler.gateway.views.pool_states import PoolStates
from entraide_scheduler.gateway.views.pool_view import PoolChange, PoolView

__all__ = [
    "OWNER_TERMS",
    "POOL_PATHS",
    "CoopMonth",
    "CoopOverview",
    "GridView",
    "MachineBooks",
    "OwnMachines",
    "PoolChange",
    "PoolEvents",
    "PoolRoutes",
    "PoolStates",
    "PoolView",
    "choose_language",
    "explanation_for",
    "public_reason",
    "read_machines",
    "read_month",
    "totals_only",
    "view_coop",
    "view_own_machines",
]
