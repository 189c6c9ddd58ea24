"""Pool states: asks the scheduler for the pool's state, at most once in ``FRESH_S`` seconds.

All readers of one gateway share the answer. The position of a co-op is asked for and kept apart.
"""

import asyncio
import time

from entraide.wire.pool_state import PoolState
from entraide_scheduler.bus import SchedulerPort

FRESH_S = 1.0
KEPT_MAX = 256  # co-ops whose position is kept


class PoolStates:
    """The pool's state, at most ``FRESH_S`` seconds old."""

    def __init__(self, scheduler: SchedulerPort) -> None:
        self._scheduler = scheduler
        self._states: dict[str, tuple[float, PoolState]] = {}
        self._asking = asyncio.Lock()

    async def get(self, coop: str = "") -> PoolState:
        """Returns the pool's state, with the position of a co-op if one is named.

        Raises:
            PoolUnreachable: no scheduler answered.
        """
        async with self._asking:
            kept = self._states.get(coop)
            if kept is None or kept[0] <= time.monotonic():
                state = await self._scheduler.describe_pool(coop)
                if len(self._states) >= KEPT_MAX:
                    self._states.clear()
                kept = self._states[coop] = (time.monotonic() + FRESH_S, state)
            return kept[1]
