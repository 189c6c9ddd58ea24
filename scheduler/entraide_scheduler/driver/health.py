"""Health: errors from which the scheduler recovered, for ``/readyz`` and the metrics.

An incident has a stable code, a subject, a count and the time of its last occurrence. It is kept
for ``KEPT_S`` seconds, or until ``clear``. An incident never names a job, an API key or a text.

Codes:

- ``event_dropped``: the core raised on an event of that kind, and the event was dropped;
- ``deadline_dropped``: the core raised twice on a deadline of that kind, which was dropped;
- ``node_quarantined``, ``key_quarantined``: the sender of such an event was quarantined;
- ``command_failed``: a command of that kind could not be carried out;
- ``storage_full``: the disk of the store takes no new kept work, or no new work at all;
- ``store_away``: the database does not answer, so no new work is accepted;
- ``clock_far``: the system clock is days ahead of the pool's, or behind it by minutes;
- ``gateway_twice``: two processes use the name of that gateway;
- ``snapshot_failed``: the core's state cannot be encoded, so the journal keeps growing;
- ``question_failed``: the core raised on a query (``next_deadline``, ``explain``).
"""

from collections.abc import Callable

from msgspec import Struct

KEPT_S = 3_600.0
INCIDENTS_MAX = 100  # distinct ones; the oldest is dropped first


class Incident(Struct, frozen=True):
    """An error from which the scheduler recovered.

    Attributes:
        code: stable code.
        what: kind of event, deadline, command or query; or "".
        count: number of occurrences.
        last_at: time of the last occurrence, seconds since the epoch.
    """

    code: str
    what: str
    count: int
    last_at: float


class Health:
    """The incidents of one scheduler; ``now`` is its clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._incidents: dict[tuple[str, str], Incident] = {}

    def add(self, code: str, what: str = "") -> None:
        """Records an incident."""
        previous = self._incidents.pop((code, what), None)
        count = 1 if previous is None else previous.count + 1
        self._incidents[code, what] = Incident(code, what, count, self._now())
        if len(self._incidents) > INCIDENTS_MAX:
            del self._incidents[next(iter(self._incidents))]

    def clear(self, code: str) -> None:
        """Removes the incidents with a code."""
        for key in [key for key in self._incidents if key[0] == code]:
            del self._incidents[key]

    def incidents(self) -> tuple[Incident, ...]:
        """Returns the incidents of the last ``KEPT_S`` seconds, sorted by code and subject."""
        oldest = self._now() - KEPT_S
        recent = [self._incidents[key] for key in sorted(self._incidents)]
        return tuple(incident for incident in recent if incident.last_at >= oldest)
