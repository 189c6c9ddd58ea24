"""VTC and first-come-first-served schedulers with the interface of the core.

Virtual token counter: algorithm 2 with weights of Sheng et al., *Fairness in serving large language
models* (OSDI 2024). A returning client is lifted to the lowest counter of the waiting clients, or
to the counter of the client that left last; while a node has room, the oldest request of the client
with the lowest counter runs; its prompt is charged at once, its answer as it is produced. With
oracle lengths the whole answer is charged at once. The schedulers get the same events as the core
and ignore classes, quotas and carbon.
"""

from collections import deque
from collections.abc import Mapping

from benchmarks.support.vtc_simulation import progress_of
from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Basis, Candidates, Explanation, JobClass, JobState, RequestFacts, Terms
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Command, EndJob, Place
from entraide_scheduler.core.policy import ChargeWeights

OUTPUT_TOKENS_DEFAULT = 512


class RunCharge(Struct):
    """A run: its co-op, node, gateway, and charged output tokens."""

    coop: str
    node: str
    gateway: str
    charged_tokens: int = 0


class FirstComeScheduler:
    """First-come-first-served scheduler, and base class of ``VtcScheduler``.

    It ignores ``lengths`` (true answer lengths by job).
    """

    def __init__(self, lengths: Mapping[str, int] | None = None) -> None:
        self.lengths = lengths
        self._free: dict[str, int] = {}
        self._waiting: deque[RequestFacts] = deque()
        self._running: dict[str, RunCharge] = {}

    def next_deadline(self) -> float | None:
        """Returns None: it needs no wake-up."""
        return None

    def handle(self, event: events.Event) -> list[Command]:
        """Takes in one event and returns the commands that follow."""
        asked: list[Command] = []
        match event:
            case events.PolicyChanged():
                self.set_policy(event)
            case events.NodeJoined():
                slots = sum(replica.slots for replica in event.card.replicas)
                self._free[event.card.node] = slots
            case events.JobRequested():
                self.enqueue(event.facts)
            case events.RunProgressed() | events.NodeBeat():
                for job, output_tokens in progress_of(event):
                    self._charge_progress(job, output_tokens)
            case events.RunReported():
                self._charge_progress(event.job, event.usage.output_tokens)
                asked.append(self._end_run(event))
            case _:
                return asked
        while self._has_waiting() and (node := self._free_node()) is not None:
            asked.append(self._place_request(event.id, self.dequeue(), node))
        return asked

    def set_policy(self, event: events.PolicyChanged) -> None:
        """Ignores the policy."""

    def enqueue(self, facts: RequestFacts) -> None:
        """Queues a request."""
        self._waiting.append(facts)

    def dequeue(self) -> RequestFacts:
        """Removes and returns the next request."""
        return self._waiting.popleft()

    def charge(self, coop: str, virtual_tokens: float) -> None:
        """Charges nothing."""

    def charge_dispatch(self, facts: RequestFacts, run: RunCharge) -> None:
        """Charges nothing at dispatch."""

    def charge_output(self, run: RunCharge, tokens: int) -> None:
        """Charges output tokens."""

    def _has_waiting(self) -> bool:
        return bool(self._waiting)

    def _free_node(self) -> str | None:
        """Returns the node with most free slots, or None if all are full."""
        node = max(self._free, key=lambda name: (self._free[name], name), default=None)
        return node if node is not None and self._free[node] > 0 else None

    def _charge_progress(self, job: str, output_tokens: int) -> None:
        run = self._running[job]
        more = output_tokens - run.charged_tokens
        if more > 0:
            run.charged_tokens = output_tokens
            self.charge_output(run, more)

    def _place_request(self, cause: int, facts: RequestFacts, node: str) -> Place:
        self._free[node] -= 1
        run = self._running[facts.job] = RunCharge(facts.coop, node, facts.gateway)
        self.charge_dispatch(facts, run)
        limit = facts.output_tokens_max or OUTPUT_TOKENS_DEFAULT
        terms = replace(TERMS, model=facts.model)
        return Place(cause, facts.job, 1, node, facts.gateway, limit, terms, UNEXPLAINED)

    def _end_run(self, event: events.RunReported) -> EndJob:
        run = self._running.pop(event.job)
        self._free[run.node] += 1
        return EndJob(event.id, event.job, run.gateway, JobState.COMPLETED, "", event.epoch, {})


class VtcScheduler(FirstComeScheduler):
    """The virtual token counter.

    Attributes:
        counters: virtual tokens by client, divided by its weight.
        queued: the waiting requests by client; no client without any.
    """

    def __init__(self, lengths: Mapping[str, int] | None = None) -> None:
        super().__init__(lengths)
        self.counters: dict[str, float] = {}
        self.queued: dict[str, deque[RequestFacts]] = {}
        self._charge = ChargeWeights()
        self._weights: dict[str, float] = {}
        self._left_last = ""

    def set_policy(self, event: events.PolicyChanged) -> None:
        """Sets weights and charge."""
        self._weights = {terms.coop: terms.shares for terms in event.policy.coops}
        self._charge = event.policy.charge

    def enqueue(self, facts: RequestFacts) -> None:
        """Queues a request, and lifts a client without queued requests."""
        coop, counters = facts.coop, self.counters
        own = counters.setdefault(coop, 0.0)
        if coop not in self.queued:
            if self.queued:
                counters[coop] = max(own, min(counters[other] for other in self.queued))
            elif self._left_last:
                counters[coop] = max(own, counters[self._left_last])
            self.queued[coop] = deque()
        self.queued[coop].append(facts)

    def dequeue(self) -> RequestFacts:
        """Removes the oldest request of the client with the lowest counter, then by name."""
        coop = min(self.queued, key=lambda name: (self.counters[name], name))
        facts = self.queued[coop].popleft()
        if not self.queued[coop]:
            del self.queued[coop]
            self._left_last = coop
        return facts

    def charge(self, coop: str, virtual_tokens: float) -> None:
        """Charges what was served."""
        self.counters[coop] += virtual_tokens / self._weights.get(coop, 1.0)

    def charge_dispatch(self, facts: RequestFacts, run: RunCharge) -> None:
        """Charges the prompt, and the answer if its length is known."""
        self.charge(facts.coop, self._charge.input_weight * facts.input_tokens_est)
        if self.lengths is not None:
            run.charged_tokens = self.lengths[facts.job]
            self.charge_output(run, run.charged_tokens)

    def charge_output(self, run: RunCharge, tokens: int) -> None:
        """Charges output tokens."""
        self.charge(run.coop, self._charge.output_weight * tokens)

    def _has_waiting(self) -> bool:
        return bool(self.queued)


# The simulator reads neither of the two.
TERMS = Terms(
    job="", epoch=0, borrower="", node="", lender="", site="", zone="", engine="", model="",
    revision="", job_class=JobClass.INTERACTIVE, objective_ttft_s=None,
    intensity_direct_g_per_kwh=0.0, intensity_lifecycle_g_per_kwh=0.0,
    intensity_basis=Basis.DEFAULT, surplus_basis=None, requested_at=0.0, placed_at=0.0,
    policy_version="", at_risk=False,
)  # fmt: skip
UNEXPLAINED = Explanation(
    job="", at=0.0, policy_version="", decision="placed", reason="", values={}, epoch=0, node="",
    candidates=Candidates(), excluded=(), excluded_counts={}, waiting_helps=False,
    objective_ttft_s=None,
)  # fmt: skip
