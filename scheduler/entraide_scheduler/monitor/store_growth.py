"""Store growth: how large the store is, how fast it grows, and when its disk is full.

In: sizes at times of the steady clock. The growth is that of the last ``KEPT_S``, once at least
``SPAN_MIN_S`` of it are known.
"""

from collections import deque
from collections.abc import Iterator

from entraide_scheduler.findings import Finding, finding

DAY_S = 86_400.0
EVERY_S = 600.0  # between two sizes
KEPT_S = DAY_S
SPAN_MIN_S = 3_600.0
DAYS_LOW = 30.0


class StoreGrowth:
    """The sizes of a store within the last day."""

    def __init__(self) -> None:
        self._sizes: deque[tuple[float, int]] = deque(maxlen=int(KEPT_S / EVERY_S) + 1)

    @property
    def size_bytes(self) -> int | None:
        """The last size; None before the first."""
        return self._sizes[-1][1] if self._sizes else None

    @property
    def bytes_per_day(self) -> float | None:
        """Its growth; None while too little of it is known."""
        if not self._sizes:
            return None
        (first_at, first), (last_at, last) = self._sizes[0], self._sizes[-1]
        span_s = last_at - first_at
        return (last - first) / span_s * DAY_S if span_s >= SPAN_MIN_S else None

    def is_due(self, now: float) -> bool:
        """Whether the next size is to be measured."""
        return not self._sizes or now - self._sizes[-1][0] >= EVERY_S

    def add(self, now: float, size_bytes: int) -> None:
        """Adds a size."""
        self._sizes.append((now, size_bytes))

    def check(self, free_bytes: float) -> Iterator[Finding]:
        """Yields whether the store fills its disk within ``DAYS_LOW``."""
        per_day = self.bytes_per_day
        if per_day is None or per_day <= 0.0 or free_bytes / per_day >= DAYS_LOW:
            return
        gigabytes = {"size_gb": self._sizes[-1][1], "per_day_gb": per_day, "free_gb": free_bytes}
        values = {name: round(size / 1e9, 2) for name, size in gigabytes.items()}
        yield finding("store-growing", days=int(free_bytes / per_day), **values)
