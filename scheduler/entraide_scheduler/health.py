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
INCIDENTS_MAX = 100  # distinct ones; the oldest goes first


class Incident(Struct, frozen=True):
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
        self._incidents: dict[tuple[str, str], Incident] = {}
        self.counts = counts

    def add(self, code: str, what: str = "") -> None:
        """Notes a trouble."""
        previous = self._incidents.pop((code, what), None)
        count = 1 if previous is None else previous.count + 1
        self._incidents[code, what] = Incident(code, what, count, self._now())
        if len(self._incidents) > INCIDENTS_MAX:
            del self._incidents[next(iter(self._incidents))]

    def clear(self, code: str) -> None:
        """Notes that troubles with a code are over."""
        for key in [key for key in self._incidents if key[0] == code]:
            del self._incidents[key]

    def incidents(self) -> tuple[Incident, ...]:
        """Returns the troubles of the last hour, by code and what they concern."""
        oldest = self._now() - KEPT_S
        recent = [self._incidents[key] for key in sorted(self._incidents)]
        return tuple(trouble for trouble in recent if trouble.last_at >= oldest)
