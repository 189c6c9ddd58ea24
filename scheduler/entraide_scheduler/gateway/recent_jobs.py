"""Recent: the live jobs that ended last, so that their owners may still ask. In memory only."""

from msgspec import Struct

from entraide.types import JobKind, RequestFacts

RECENT_MAX = 5_000


class EndedJob(Struct, frozen=True):
    """What is remembered of a live job that ended; ``code`` is "" when it completed."""

    facts: RequestFacts
    code: str
    ended_at: float


class RecentJobs:
    """The live jobs that ended last, so that their owners may still ask."""

    def __init__(self) -> None:
        self._ended: dict[str, EndedJob] = {}

    def add(self, facts: RequestFacts, state: str, ended_at: float) -> None:
        """Remembers a live job, and forgets the oldest one when there are too many."""
        if facts.kind is JobKind.LIVE:
            if len(self._ended) >= RECENT_MAX:
                del self._ended[next(iter(self._ended))]
            code = "" if state == "completed" else state
            self._ended[facts.job] = EndedJob(facts, code, ended_at)

    def get(self, job: str) -> EndedJob | None:
        """Returns a job that ended lately."""
        return self._ended.get(job)

    def list_of_coop(self, coop: str) -> list[EndedJob]:
        """Returns a co-op's jobs that ended lately, newest first."""
        return [job for job in reversed(self._ended.values()) if job.facts.coop == coop]
