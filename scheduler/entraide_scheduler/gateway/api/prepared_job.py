"""Prepared job: a live job that can be started, and a job's status."""

from typing import Any

from msgspec import Struct

from entraide.types import RequestFacts
from entraide_scheduler.gateway.jobs import Caller, JobStatus, Submission
from entraide_scheduler.gateway.requests import openai
from entraide_scheduler.store.rows import KeptJobRow


class PreparedJob(Struct, frozen=True):
    """A live job that can be started.

    Attributes:
        caller: who sent the request.
        facts: of the request, for the core.
        request: the parsed request.
        submission: the request as it came.
    """

    caller: Caller
    facts: RequestFacts
    request: openai.ParsedRequest
    submission: Submission

    def find_option(self, name: str) -> Any:
        """Returns an option of the request or of its body; None if neither has it."""
        value = getattr(self.submission.options, name)
        return getattr(self.request.pool_fields, name) if value is None else value

    @property
    def reconnect_s(self) -> float:
        """For how long the job goes on without its client, seconds; 0 unless it is streamed."""
        return (self.find_option("reconnect_s") or 0.0) if self.facts.stream else 0.0


class JobDetails(Struct, frozen=True):
    """A job's status; for a kept job also its row, and its result once it is completed."""

    view: JobStatus
    row: KeptJobRow | None = None
    result: bytes = b""
