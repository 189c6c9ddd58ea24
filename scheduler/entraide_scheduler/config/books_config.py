"""Books: when a month is closed."""

from msgspec import Struct

# An idempotency key is forgotten when its month is closed: not within a day.
GRACE_DAYS_MIN, GRACE_DAYS_MAX = 1.0, 366.0


class BooksConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """When the books of a month are closed.

    Attributes:
        grace_days: how long after its end a month stays open for what is settled late, days.
    """

    grace_days: float = 5.0

    @property
    def fault(self) -> str:
        """Name of the first field with an invalid value, or ""."""
        return "" if GRACE_DAYS_MIN <= self.grace_days <= GRACE_DAYS_MAX else "grace_days"
