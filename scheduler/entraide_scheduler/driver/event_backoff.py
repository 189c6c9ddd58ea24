"""Event back-off: how long events of a kind that keeps failing are dropped without being tried.

Each recovery of the core blocks the scheduler for up to one second. Quarantine limits how often one
sender causes a recovery; exponential back-off limits how often one kind of event does, over all
senders.
"""

from msgspec import Struct

from entraide_scheduler.core.events import Event

FREE_FAILURES = 20  # of events with a sender, which is quarantined at its first failure
PAUSE_FIRST_S, PAUSE_MAX_S = 2.0, 64.0
FORGET_AFTER_S = 300.0  # after so long without a failure, the count starts again at 0


class _Entry(Struct):
    failures: int = 0
    last_at: float = 0.0
    until: float = 0.0


class EventBackoff:
    """Counts failures and computes pauses, by class of event."""

    def __init__(self) -> None:
        self._entries: dict[type[Event], _Entry] = {}

    def note_failure(self, kind: type[Event], at: float, *, free: int = 0) -> None:
        """Records a failure; after ``free`` failures, each further one doubles the pause."""
        entry = self._entries.setdefault(kind, _Entry())
        if at - entry.last_at > FORGET_AFTER_S:
            entry.failures = 0
        entry.failures += 1
        entry.last_at = at
        beyond = entry.failures - free
        if beyond > 0:
            entry.until = at + min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** min(beyond - 1, 16))

    def paused_until(self, kind: type[Event]) -> float:
        """Returns when the pause of a kind ends, seconds since the epoch; 0 without one."""
        entry = self._entries.get(kind)
        return 0.0 if entry is None else entry.until
