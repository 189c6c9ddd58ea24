"""Clock: the only one that the core is ever told of, seconds since the epoch, never going back.

When the system's clock is set back, ours goes on at half speed until the two meet: deadlines then
take at most twice as long, and no event is older than the one before it.
"""

import time
from collections.abc import Callable


class Clock:
    """Reads the time of day, kept from going back."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        last: float = 0.0,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._last = last
        self._mark = steady()

    def __call__(self) -> float:
        """Returns now."""
        mark = self._steady()
        self._last = max(self._wall(), self._last + (mark - self._mark) / 2)
        self._mark = mark
        return self._last
