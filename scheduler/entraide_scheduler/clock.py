"""Clock: the only one that the core is ever told of, seconds since the epoch, never going back.

When the system's clock is set back, ours goes on at half speed until the two meet: deadlines then
take at most twice as long, and no event is older than the one before it.

Time during which the process was held up counts only bit by bit: the clock stands back by as much
and comes home at one and a half times its speed. What happened meanwhile can then be read before
conclusions are drawn from silence.
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
        self._steady_at = steady()
        self._offset_s = 0.0

    def set_back(self, by_s: float) -> None:
        """Lets time that passed unseen count later: the one way in which the clock goes back.

        Whoever keeps events in order must look to that itself.
        """
        self._steady_at = self._steady()
        self._offset_s += by_s
        self._last = min(self._last, self._wall() - self._offset_s)

    def __call__(self) -> float:
        """Returns now."""
        mark = self._steady()
        half = (mark - self._steady_at) / 2
        self._offset_s = max(0.0, self._offset_s - half)
        self._last = max(self._wall() - self._offset_s, self._last + half)
        self._steady_at = mark
        return self._last
