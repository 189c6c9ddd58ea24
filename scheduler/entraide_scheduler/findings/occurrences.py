"""Occurrences: what happened lately, and was over too soon for somebody to see it last.

A machine that was silent for three seconds, an engine or a process that ended and was started
again: each is noted by its sort and by whom it concerns, and shown for ``RECENT_S``. Three restarts
of one part within ``LOOP_S`` are a loop. Times are of the steady clock, which nobody sets.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from entraide_scheduler.findings.finding import Finding, finding, listed

RECENT_S = 60.0
LOOP_S = 600.0
LOOP_MIN = 3  # restarts of one part within LOOP_S
SUBJECTS_MAX = 1_000  # of one sort; the one that is heard of least lately is forgotten first
TIMES_MAX = 100  # kept of one subject


class Sort(StrEnum):
    """Sort of an occurrence; the first five are parts of a pool that ended unasked."""

    POOL = "pool"
    SCHEDULER = "scheduler"
    BUS = "bus"
    GATEWAY = "gateway"
    NODE = "node"
    SILENT = "silent"
    ENGINE = "engine"
    STREAM = "stream"
    DISK = "disk"
    STORE = "store"
    TERM = "term"


PARTS = (Sort.POOL, Sort.SCHEDULER, Sort.BUS, Sort.GATEWAY, Sort.NODE)


class Occurrences:
    """What happened within the last ``LOOP_S``, by sort and subject."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._times: dict[Sort, dict[str, deque[float]]] = {}

    def add(self, sort: Sort, subject: str = "", *, age_s: float = 0.0) -> None:
        """Notes an occurrence; one without a subject concerns the whole sort."""
        subjects = self._times.setdefault(sort, {})
        times = subjects.pop(subject, None) or deque(maxlen=TIMES_MAX)
        times.append(self._steady() - age_s)
        subjects[subject] = times
        if len(subjects) > SUBJECTS_MAX:
            del subjects[next(iter(subjects))]

    def recent(self, sort: Sort) -> dict[str, Sequence[float]]:
        """Returns the subjects with an occurrence within ``RECENT_S``.

        Of each the ages of its occurrences within ``LOOP_S``, in seconds, the oldest first.
        """
        now = self._steady()
        return {
            subject: [now - at for at in times if now - at < LOOP_S]
            for subject, times in sorted(self._times.get(sort, {}).items())
            if now - times[-1] < RECENT_S
        }


def find_restarts(occurrences: Occurrences) -> Iterator[Finding]:
    """Yields which parts of a pool ended unasked and started again, those in a loop apart."""
    for part in PARTS:
        counts: dict[str, dict[str, int]] = {"restarts-loop": {}, "restarts-recent": {}}
        for subject, ages in occurrences.recent(part).items():
            if len(ages) >= LOOP_MIN:
                counts["restarts-loop"][subject] = len(ages)
            else:
                counts["restarts-recent"][subject] = sum(age < RECENT_S for age in ages)
        for code, subjects in counts.items():
            if subjects:
                names = [f"{name} ({count})" if name else f"{count}"
                         for name, count in subjects.items()]  # fmt: skip
                yield finding(code, part=part.value, names=listed(names))
