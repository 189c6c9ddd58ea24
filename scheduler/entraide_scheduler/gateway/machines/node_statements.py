"""Node statements: tells an approved node what it gave today and in the month."""

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from entraide.statements import NODE_PATH, NodeStatement
from entraide_scheduler.books import make_node_statement
from entraide_scheduler.gateway.machines.node_passes import NodePasses
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.store.store import Store


class NodeStatements:
    """Reads the statements of nodes.

    Args:
        passes: checks the passes of nodes.
        store: the pool's store.
        coop_of: returns the co-op of an approved node.
        zone: the pool's time zone.
    """

    def __init__(
        self,
        passes: NodePasses,
        *,
        store: Store,
        coop_of: Callable[[str], str],
        zone: ZoneInfo,
    ) -> None:
        self._passes = passes
        self._store = store
        self._coop_of = coop_of
        self._zone = zone

    async def read(self, authorization: str) -> NodeStatement:
        """Returns the statement of the node whose pass a header is.

        Raises:
            Refused: ``unauthorised``: no valid pass.
        """
        node = self._passes.find_node(authorization, NODE_PATH)
        if not node:
            raise refused("unauthorised")
        coop = self._coop_of(node)
        return await make_node_statement(self._store, node, coop, zone=self._zone, now=time.time())
