"""A fair queue and a few slots that run its jobs, for tests of the order of service."""

from tests.core.fair_jobs import make_job

from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.fair_queue.formulas import reserved_tokens
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job, RunCharge


class Slots:
    """A queue and a few slots that run one job after the other.

    Attributes:
        running: job and charge, oldest first. served: jobs in order of service.
    """

    def __init__(self, terms: Policy, slots: int = 1) -> None:
        self.queue = FairQueue()
        self.queue.apply_policy(terms)
        self.slots = slots
        self.running: list[tuple[Job, RunCharge]] = []
        self.served: list[Job] = []
        self.asked = 0

    def ask(self, coop: str, times: int = 1, **wanted) -> list[Job]:
        """Enqueues jobs; places none."""
        jobs = [make_job(self.asked + number, coop, **wanted) for number in range(times)]
        self.asked += times
        for job in jobs:
            self.queue.add(job)
        return jobs

    def fill(self) -> None:
        """Starts the next jobs on the free slots."""
        while len(self.running) < self.slots and (job := self.queue.next_job()) is not None:
            self.start(job)

    def start(self, job: Job, *, expected: int | None = None) -> RunCharge:
        charge = self.queue.start_run(
            job,
            input_tokens=job.facts.input_tokens_est,
            expected_tokens=job.output_tokens_max if expected is None else expected,
            reserved_tokens=reserved_tokens(job),
        )
        self.running.append((job, charge))
        self.served.append(job)
        return charge

    def end(self, index: int = 0, *, output: int | None = None) -> None:
        """Ends a run, by default the oldest, with its longest answer."""
        job, charge = self.running.pop(index)
        self.queue.counters.end_run(charge)
        self.queue.counters.correct_charge(
            charge,
            input_tokens=job.facts.input_tokens_est,
            output_tokens=job.output_tokens_max if output is None else output,
        )

    def turns(self, count: int) -> list[Job]:
        """Serves jobs until ``count`` more have started; returns these."""
        before = len(self.served)
        self.fill()
        while len(self.served) < before + count and self.running:
            self.end()
            self.fill()
        return self.served[before : before + count]


def coops(jobs: list[Job]) -> list[str]:
    return [job.facts.coop for job in jobs]
