"""Job outcomes: how each job of a life ended, what it used and when its first word came.

Input: the events of a core and their commands, recorded or simulated: both lives are measured by
their settlements, so that their figures are comparable. Output: an outcome by job, once it ended.
"""

from collections.abc import Sequence

from msgspec import Struct

from entraide.types import JobState
from entraide_scheduler.core import commands as c
from entraide_scheduler.core.events import Event, JobRequested
from entraide_scheduler.core.state import State


class JobOutcome(Struct, gc=False):
    """The end of a job.

    Attributes:
        state: final state; None for a job whose end is not known.
        code: stable code of why, "" if it completed.
        job_class: as requested.
        tokens: of prompt and answer of a completed job.
        energy_uwh: of the runs that were settled.
        ttft_s: from the request to the first token of a completed job.
    """

    job_class: str
    state: JobState | None = None
    code: str = ""
    tokens: int = 0
    energy_uwh: int = 0
    ttft_s: float = 0.0


class JobOutcomes:
    """Collects outcomes; call ``observe`` with each event and its commands.

    Attributes:
        by_job: outcomes of all jobs that were requested or in progress.
    """

    def __init__(self, start: State) -> None:
        """Starts with the core's state at the start of the life."""
        self.by_job = {
            name: JobOutcome(job.facts.job_class.value) for name, job in start.jobs.items()
        }

    def observe(self, event: Event, commands: Sequence[c.Command]) -> None:
        """Processes an event and its commands."""
        if isinstance(event, JobRequested) and event.facts.job not in self.by_job:
            self.by_job[event.facts.job] = JobOutcome(event.facts.job_class.value)
        for command in commands:
            match command:
                case c.Refuse() if command.job in self.by_job:
                    self._end(command.job, JobState.REFUSED, command.code)
                case c.EndJob() | c.EndStalledJob() if command.job in self.by_job:
                    self._end(command.job, command.state, command.code)
                case c.Settle() if command.job in self.by_job:
                    self._settle(command.job, command.state, (command,))
                case c.SettleResumed() if command.job in self.by_job:
                    self._settle(command.job, command.state, command.runs)
                case _:
                    pass

    def _end(self, job: str, state: JobState, code: str) -> None:
        outcome = self.by_job[job]
        outcome.state, outcome.code = state, code

    def _settle(self, job: str, state: JobState, runs: Sequence[c.Settle | c.SettledRun]) -> None:
        outcome = self.by_job[job]
        outcome.energy_uwh += sum(run.settlement.energy_uwh for run in runs)
        if state is JobState.COMPLETED:
            outcome.tokens = sum(run.usage.input_tokens + run.usage.output_tokens for run in runs)
            outcome.ttft_s = runs[-1].settlement.ttft_s
