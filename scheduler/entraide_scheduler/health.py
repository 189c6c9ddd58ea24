"""Health: what has gone wrong in the scheduler and did not stop it, for readiness and metrics.

A trouble is a stable code, what it concerns, how often and when last. It is kept for ``KEPT_S``, or
until it is known to be over. Nothing here names a job, an API key or a text.

Codes:

- ``event_dropped``: the core failed on an event of that kind, which was dropped;
- ``deadline_dropped``: the core failed twice on a deadline of that kind, which was dropped;
- ``node_quarantined``, ``key_quarantined``: a sender was put in quarantine for such an event;
- ``command_failed``: a command of that kind could not be carried out;
- ``snapshot_failed``: the core's state cannot be encoded; the journal grows until it can;
- ``question_failed``: the core failed on a question (``next_deadline``, ``explain``).
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

KEPT_S = 3_600.0
TROUBLES_MAX = 100  # distinct ones; the oldest goes first


class Trouble(Struct, frozen=True):
    """Something that has gone wrong.

    Attributes:
        code: stable code.
        what: a kind of event, deadline, command or question; or "".
        count: how often since the first time.
        last_at: seconds since the epoch.
    """

    code: str
    what: str
    count: int
    last_at: float


class Health:
    """The troubles of one scheduler, and its counts.

    Args:
        now: the scheduler's clock.
        counts: what the scheduler counts, by name.
    """

    def __init__(self, now: Callable[[], float], counts: Mapping[str, int]) -> None:
        self._now = now
        self._troubles: dict[tuple[str, str], Trouble] = {}
        self.counts = counts

    def note(self, code: str, what: str = "") -> None:
        """Notes a trouble."""
        before = self._troubles.pop((code, what), None)
        count = 1 if before is None else before.count + 1
        self._troubles[code, what] = Trouble(code, what, count, self._now())
        if len(self._troubles) > TROUBLES_MAX:
            del self._troubles[next(iter(self._troubles))]

    def clear(self, code: str) -> None:
        """Notes that troubles with a code are over."""
        for key in [key for key in self._troubles if key[0] == code]:
            del self._troubles[key]

    def troubles(self) -> tuple[Trouble, ...]:
        """Returns the troubles of the last hour, by code and what they concern."""
        oldest = self._now() - KEPT_S
        recent = [self._troubles[key] for key in sorted(self._troubles)]
        return tuple(trouble for trouble in recent if trouble.last_at >= oldest)
