"""Recent jobs: the live jobs that ended last, for queries of their owners. In memory only."""

from msgspec import Struct, structs

from entraide.types import JobKind, RequestFacts
from entraide_scheduler.gateway.jobs.options import Caller

RECENT_MAX = 5_000


class EndedJob(Struct, frozen=True):
    """A live job that ended; ``code`` is "" if it completed."""

    facts: RequestFacts
    code: str
    ended_at: float


class RecentJobs:
    """The ``RECENT_MAX`` live jobs that ended last."""

    def __init__(self) -> None:
        self._ended: dict[str, EndedJob] = {}

    def add(self, facts: RequestFacts, state: str, ended_at: float) -> None:
        """Adds a live job; above the limit, drops the oldest."""
        if facts.kind is JobKind.LIVE:
            if len(self._ended) >= RECENT_MAX:
                del self._ended[next(iter(self._ended))]
            code = "" if state == "completed" else state
            facts = structs.replace(facts, prefix_keys=())
            self._ended[facts.job] = EndedJob(facts, code, ended_at)

    def get(self, job: str) -> EndedJob | None:
        """Returns a recently ended job, or None."""
        return self._ended.get(job)

    def list_of(self, caller: Caller) -> list[EndedJob]:
        """Returns the caller's recently ended jobs, newest first."""
        return [
            job
            for job in reversed(self._ended.values())
            if caller.owns(job.facts.coop, job.facts.key)
        ]
