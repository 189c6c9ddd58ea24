"""A fair queue and a few slots that run its jobs, for tests of whose turn it is."""

from tests.core.fairplain import job, reserved

from entraide_scheduler.core.charges import RunCharge
from entraide_scheduler.core.fair_queue import FairQueue
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import Job


class Slots:
    """A queue and a few slots that run one job after the other.

    Attributes:
        running: job and bill, oldest first. served: jobs in the order of their turns.
    """

    def __init__(self, terms: Policy, slots: int = 1) -> None:
        self.queue = FairQueue()
        self.queue.apply_policy(terms)
        self.slots = slots
        self.running: list[tuple[Job, RunCharge]] = []
        self.served: list[Job] = []
        self.asked = 0

    def ask(self, coop: str, times: int = 1, **wanted) -> list[Job]:
        """Jobs come; nothing is placed yet."""
        jobs = [job(self.asked + number, coop, **wanted) for number in range(times)]
        self.asked += times
        for one in jobs:
            self.queue.add(one)
        return jobs

    def fill(self) -> None:
        """Gives each free slot to whose turn it is."""
        while len(self.running) < self.slots and (one := self.queue.next_job()) is not None:
            self.start(one)

    def start(self, one: Job, *, expected: int | None = None) -> RunCharge:
        bill = self.queue.start_run(
            one,
            input_tokens=one.facts.input_tokens_est,
            expected_tokens=one.output_tokens_max if expected is None else expected,
            reserved_tokens=reserved(one),
        )
        self.running.append((one, bill))
        self.served.append(one)
        return bill

    def end(self, which: int = 0, *, output: int | None = None) -> None:
        """The oldest run ends, with its longest answer unless said otherwise."""
        one, bill = self.running.pop(which)
        self.queue.end_run(bill)
        self.queue.correct_charge(
            bill,
            input_tokens=one.facts.input_tokens_est,
            output_tokens=one.output_tokens_max if output is None else output,
        )

    def turns(self, count: int) -> list[Job]:
        """Runs jobs one after the other; returns whose turns they were."""
        before = len(self.served)
        self.fill()
        while len(self.served) < before + count and self.running:
            self.end()
            self.fill()
        return self.served[before : before + count]


def coops(jobs: list[Job]) -> list[str]:
    return [one.facts.coop for one in jobs]
