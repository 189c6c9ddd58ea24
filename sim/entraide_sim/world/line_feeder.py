"""Line feeder: has the lines of simulated batches requested some at a time, as the gateway does.

Which lines may be requested, and when again those that the core refused, is decided by the
gateway's own line window (``line_window``), in virtual time. What is left of each batch is
stated to the core by the same rule. Input: batches, refusals and ends of jobs. Output: requests,
``BatchStated`` events, and the number of lines that each batch had requested at once at most.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from entraide.types import RequestFacts
from entraide_scheduler.core.commands import Refuse
from entraide_scheduler.core.events import BatchStated
from entraide_scheduler.line_window import LineWindow, is_stated_anew, remaining_facts
from entraide_sim.driver import Driver
from entraide_sim.workload import Request

POLL_S = 2.0  # while lines wait to be requested again, as in the gateway


class SimulatedBatch(Struct, frozen=True):
    """A batch.

    Attributes:
        at: when its file has been checked, seconds since the epoch.
        facts: of a typical line; ``job`` is the batch's identifier, ``deadline_at`` its deadline.
        lines: true prompt and answer tokens of each line.
    """

    at: float
    facts: RequestFacts
    lines: Sequence[tuple[int, int]]


class RunningBatch:
    """A batch whose lines are being requested.

    Attributes:
        batch: the batch.
        requested: lines requested so far.
        input_tokens, output_tokens: sums of the lines that are left.
        stated: lines left, as the core was told.
    """

    def __init__(self, batch: SimulatedBatch) -> None:
        self.batch = batch
        self.requested = 0
        self.input_tokens = sum(line[0] for line in batch.lines)
        self.output_tokens = sum(line[1] for line in batch.lines)
        self.stated: int | None = None

    @property
    def left(self) -> int:
        """Number of lines that are not yet requested."""
        return len(self.batch.lines) - self.requested

    def next_request(self, at: float) -> Request:
        """Returns the request of the next line."""
        number, (input_tokens, output_tokens) = self.requested, self.batch.lines[self.requested]
        self.requested += 1
        self.input_tokens -= input_tokens
        self.output_tokens -= output_tokens
        facts = structs.replace(
            self.batch.facts,
            job=f"{self.batch.facts.job}/{number:06}",
            input_tokens_est=input_tokens,
            input_tokens_max=input_tokens,
            output_tokens_max=output_tokens,
        )
        return Request(at, facts, input_tokens, output_tokens)


class LineFeeder:
    """Requests the lines of batches.

    Attributes:
        window: the lines that are requested and have not ended.
        most_at_once: most lines that a co-op had requested at once.
    """

    def __init__(self, driver: Driver, submit: Callable[[Request], None]) -> None:
        """Creates a feeder.

        Args:
            driver: virtual time and the core.
            submit: delivers a request to the core.
        """
        self.window = LineWindow()
        self.most_at_once: Counter[str] = Counter()
        self._driver = driver
        self._submit = submit
        self._coming = 0
        self._running: dict[str, RunningBatch] = {}
        self._requests: dict[str, Request] = {}  # of the lines in the window
        self._attempts: Counter[str] = Counter()
        self._advances_at = -1.0

    @property
    def is_done(self) -> bool:
        """Whether no line is left to be requested, or to be requested again."""
        return not (self._coming or self._running or self._requests)

    def schedule(self, batches: Sequence[SimulatedBatch]) -> None:
        """Has batches begin at their times."""
        self._coming += len(batches)
        for batch in batches:
            self._driver.schedule(batch.at, self._begin, batch)

    def postpone(self, command: Refuse) -> bool:
        """Postpones a line that the core refused for now; returns False for any other job."""
        is_postponed = self.window.refuse(
            command.job, command.code, command.retry_after_s, at=self._driver.now
        )
        if is_postponed:
            self._driver.schedule(self._driver.now + POLL_S, self._advance)
        return is_postponed

    def on_job_ended(self, job: str) -> None:
        """Removes a line; has more requested if there is room."""
        self._requests.pop(job, None)
        if self.window.end(job):
            self._wake()

    def _begin(self, batch: SimulatedBatch) -> None:
        self._coming -= 1
        self._running[batch.facts.job] = RunningBatch(batch)
        self._advance(None)

    def _wake(self) -> None:
        """Advances once the present event is complete."""
        if self._advances_at != self._driver.now:
            self._advances_at = self._driver.now
            self._driver.schedule(self._driver.now, self._advance)

    def _advance(self, _: object) -> None:
        """Requests postponed lines again, then more lines of each batch."""
        self._advances_at = -1.0
        at = self._driver.now
        running = Counter(state.batch.facts.coop for state in self._running.values())
        for coop in {request.facts.coop for request in self._requests.values()}:
            self._request_postponed(coop, at)
        for name, state in list(self._running.items()):
            deadline_at = state.batch.facts.deadline_at
            if deadline_at is not None and at >= deadline_at:
                state.requested = len(state.batch.lines)  # what is left expires
            else:
                self._request_lines(state, running[state.batch.facts.coop], at)
            self._state_batch(state)
            if not state.left:
                del self._running[name]

    def _request_lines(self, state: RunningBatch, batches: int, at: float) -> None:
        facts = state.batch.facts
        count = self.window.count_refill(
            facts.coop, facts.job, batches=batches, left=state.left, at=at
        )
        requests = [state.next_request(at) for _ in range(count)]
        for request in requests:
            self._add(request, facts.job)
        for request in requests:
            self._submit(request)

    def _request_postponed(self, coop: str, at: float) -> None:
        while (line := self.window.take_postponed(coop, at)) is not None:
            request, known = self._requests.pop(line.job), self.window.remove(line.job)
            assert known is not None
            first = line.job.partition("+")[0]
            self._attempts[first] += 1
            facts = structs.replace(request.facts, job=f"{first}+{self._attempts[first]}")
            again = structs.replace(request, at=at, facts=facts)
            self._add(again, known.batch)
            self._submit(again)

    def _add(self, request: Request, batch: str) -> None:
        facts = request.facts
        self._requests[facts.job] = request
        self.window.add(facts.job, batch, facts.coop)
        self.most_at_once[facts.coop] = max(
            self.most_at_once[facts.coop], self.window.count(facts.coop)
        )

    def _state_batch(self, state: RunningBatch) -> None:
        left, total = state.left, len(state.batch.lines)
        if is_stated_anew(state.stated, left, total):
            state.stated = left
            facts = remaining_facts(
                state.batch.facts,
                input_tokens=state.input_tokens,
                output_tokens=state.output_tokens,
                left=left,
            )
            self._driver.deliver(BatchStated, facts, left)
