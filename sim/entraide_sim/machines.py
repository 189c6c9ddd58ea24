"""Machines: what the nodes of a world do with runs, and what they say of them.

A node takes a run or declines it by the decision of its own core (``entraide_node.core.duty``),
works on it, and says what an agent says: accepted, signs of life, usage; each message takes half a
round trip. It refuses to know why the pool asked.
"""

from collections.abc import Callable
from math import inf
from typing import Any

from msgspec import Struct

from entraide.types import Basis, Outcome, Usage
from entraide.units import uwh_from_joules
from entraide_node.core.duty import Asked, Decision, Holding, Verdict, judge
from entraide_scheduler.core.events import (
    RunAccepted,
    RunDeclined,
    RunProgressed,
    RunReported,
)
from entraide_sim.driver import Driver
from entraide_sim.hardware import Run
from entraide_sim.jobs import Job
from entraide_sim.nodes import Node, hardware_of

PATH = "/v1/chat/completions"
GIVEN_BACK = "owner_returned"  # what a run ends with whose owner wants the machine
FAILED = "engine_failed"  # what a run ends with on a machine whose engine is broken
NOTHING_USED = Usage(0, 0, 0, Basis.ESTIMATED, 0, 0, Basis.ESTIMATED, 0.0, 0.0)
TOO_LONG = Decision(Verdict.DECLINE, "context_exceeded")

Values = tuple[Any, ...]


class Offer(Struct, frozen=True, gc=False):
    """A run on its way to a node; ``model`` is the one that runs it, "" for the one asked for."""

    node: Node
    job: Job
    epoch: int
    output_tokens_max: int
    model: str = ""


class Machines:
    """All nodes at work.

    Args of the constructor:
        driver: virtual time and the core.
        progress_s: how often a running job is heard of.
        closed: is told each job of which a machine has nothing any more.
    """

    def __init__(self, driver: Driver, *, progress_s: float, closed: Callable[[Job], None]) -> None:
        self._driver = driver
        self._progress_s = progress_s
        self._closed = closed

    # What reaches a node.

    def send(self, offer: Offer) -> None:
        """Sends a run on its way to a node."""
        offer.job.runs += 1
        self._driver.at(self._driver.now + offer.node.half_s, self._receive, offer)

    def cancel(self, node: Node, job: str, epoch: int) -> None:
        """Sends a cancellation after it."""
        for bay in node.all():
            self._driver.at(self._driver.now + node.half_s, self._stop, (bay, job, epoch))

    def vanish(self, node: Node) -> None:
        """A node is gone with all it has; nobody is told."""
        for bay in node.all():
            self._account(bay)
            bay.up = False
            for run in bay.engine.lose():
                self._close(bay, run)
            bay.runs.clear()
            bay.due_at = inf
        if node.shared:
            node.site.settle()

    def limit(self, node: Node, power_cap_w: float) -> None:
        """A node's owner limits its power, watts; infinite for no limit."""
        for bay in node.all():
            self._account(bay)
            bay.engine.allow(hardware_of(bay.work, power_cap_w=power_cap_w), self._driver.now)
            self._schedule(bay)

    def give_back(self, node: Node) -> None:
        """Ends all that a node runs: its owner wants the machine."""
        for bay in node.all():
            self._account(bay)
            for run in list(bay.runs.values()):
                if not run.stopped:
                    run.given_back = True
                    self._halt(bay, run)
            self._schedule(bay)

    def _receive(self, offer: Offer) -> None:
        node, job = offer.node, offer.job
        if not node.up:
            self._leave(job)
            return
        decision = _judge(offer)
        facts = job.request.facts
        if decision.verdict is not Verdict.TAKE:
            self._leave(job)
            if decision.verdict is Verdict.DECLINE:
                self._say(node, RunDeclined, (facts.job, offer.epoch, node.name, decision.code, {}))
            return
        old = node.runs.get(facts.job)
        self._account(node)
        if old is not None:
            self._halt(node, old)
        if node.broken:
            self._fail(offer)
            return
        self._take(offer)
        self._say(node, RunAccepted, (facts.job, offer.epoch, node.name))

    def _fail(self, offer: Offer) -> None:
        """A broken engine takes a run and fails it before its first token."""
        node, job = offer.node, offer.job
        run = job.request.facts.job, offer.epoch, node.name
        self._say(node, RunAccepted, run)
        self._say(node, RunReported, (*run, Outcome.FAILED, FAILED, False, NOTHING_USED))
        self._leave(job)

    def _take(self, offer: Offer) -> None:
        node, job, now = offer.node, offer.job, self._driver.now
        request = job.request
        facts = request.facts
        cached = 0
        if node.cache is not None and facts.prefix_keys:
            cached = node.cache.cached_tokens(
                facts.coop, facts.prefix_keys, input_tokens=request.input_tokens
            )
        room = node.replica.context_tokens - request.input_tokens
        limit = min(offer.output_tokens_max, room)
        run = Run(
            facts.job,
            offer.epoch,
            request.input_tokens,
            cached,
            min(request.output_tokens, limit),
            limit,
            now,
            job,
        )
        node.runs[facts.job] = run
        node.engine.add(run, now, node.site.g_per_j)
        node.site.supply.balance.grid_j += run.wake_j
        if node.group:
            self._share(node)
        if node.engine.next_at <= now:
            self._step(node)
        else:
            self._schedule(node)
        if not node.ticking:
            node.ticking = True
            self._driver.at(now + self._progress_s, self._tick, node)

    def _stop(self, what: tuple[Node, str, int]) -> None:
        node, job, epoch = what
        run = node.runs.get(job)
        if run is None or run.epoch != epoch or run.stopped:
            return
        self._account(node)
        self._halt(node, run)
        self._schedule(node)

    def _halt(self, node: Node, run: Run) -> None:
        if node.engine.stop(run, self._driver.now):
            self._end(node, run)

    # What an engine does by itself.

    def _account(self, node: Node) -> None:
        site = node.site
        if node.shared:
            site.account(self._driver.now)
        else:
            node.engine.account(self._driver.now, site.g_per_j)

    def _schedule(self, node: Node) -> None:
        if node.shared:
            node.site.settle()
        at = node.engine.next_at
        if at != node.due_at:
            node.due_at = at
            if at < inf:
                self._driver.at(at, self._due, node)

    def _due(self, node: Node) -> None:
        # A phase that was cut short leaves its old end behind in the heap.
        if node.engine.next_at == self._driver.now:
            self._account(node)
            self._step(node)

    def _step(self, node: Node) -> None:
        first, over = node.engine.advance(self._driver.now)
        for run in first:
            self._begin_answer(node, run)
        for run in over:
            self._end(node, run)
        if node.group and not node.engine.holds:
            self._share(node)
        self._schedule(node)

    def _share(self, node: Node) -> None:
        """Divides a machine among its models that have something to do."""
        busy = [bay for bay in node.group if bay.engine.holds]
        for bay in busy:
            if bay.engine.beside != len(busy):
                self._account(bay)
                bay.engine.share(len(busy), self._driver.now)
                if bay is not node:
                    self._schedule(bay)

    def _begin_answer(self, node: Node, run: Run) -> None:
        job: Job = run.owner
        facts = job.request.facts
        if node.cache is not None and facts.prefix_keys:
            node.cache.keep(facts.coop, facts.prefix_keys)
        if run.epoch == job.epoch:
            job.first_at = self._driver.now + node.half_s
        self._say(node, RunProgressed, (run.job, run.epoch, node.name, 1))

    def _end(self, node: Node, run: Run) -> None:
        now, spec = self._driver.now, node.work
        outcome = Outcome.CANCELLED if run.stopped else Outcome.COMPLETED
        code = ""
        first = run.first_at > 0.0
        if run.given_back:
            outcome, code = Outcome.FAILED, GIVEN_BACK
        usage = Usage(
            run.input_tokens if first else 0,
            run.cached_tokens if first else 0,
            run.produced,
            Basis.MEASURED,
            uwh_from_joules(run.prefill_j * spec.energy_told),
            uwh_from_joules(run.decode_j * spec.energy_told),
            spec.energy_basis,
            run.first_at - run.received_at if first else 0.0,
            now - run.received_at,
        )
        if node.runs.get(run.job) is run:
            del node.runs[run.job]
        values = (run.job, run.epoch, node.name, outcome, code, run.produced > 0, usage)
        self._say(node, RunReported, values)
        self._close(node, run)

    def _close(self, node: Node, run: Run) -> None:
        job: Job = run.owner
        node.slot_s += self._driver.now - run.received_at
        job.prefill_j += run.prefill_j
        job.decode_j += run.decode_j
        job.wake_j += run.wake_j
        job.carbon_g += run.carbon_g
        if run.epoch == job.epoch:
            job.cached_tokens, job.output_tokens = run.cached_tokens, run.produced
        self._leave(job)

    def _leave(self, job: Job) -> None:
        job.runs -= 1
        if job.runs == 0:
            self._closed(job)

    # What it says.

    def _tick(self, node: Node) -> None:
        """Signs of life of all runs that a node has, in one message's time."""
        if not node.runs:
            node.ticking = False
            return
        now, engine = self._driver.now, node.engine
        said = [
            (run.job, run.epoch, node.name, engine.produced(run, now)) for run in node.runs.values()
        ]
        self._driver.at(now + node.half_s, self._deliver_signs, said)
        self._driver.at(now + self._progress_s, self._tick, node)

    def _deliver_signs(self, said: list[Values]) -> None:
        tell = self._driver.tell
        for values in said:
            tell(RunProgressed, *values)

    def _say(self, node: Node, kind: Callable[..., Any], values: Values) -> None:
        self._driver.at(self._driver.now + node.half_s, self._deliver, (kind, values))

    def _deliver(self, said: tuple[Callable[..., Any], Values]) -> None:
        kind, values = said
        self._driver.tell(kind, *values)


def _judge(offer: Offer) -> Decision:
    """Lets the node's core decide on a run; a prompt too long is the engine's to refuse."""
    node, request = offer.node, offer.job.request
    job = request.facts.job
    old = node.runs.get(job)
    decision = judge(
        Asked(job, offer.epoch, PATH, offer.model or request.facts.model, sealed=False),
        holding=Holding(
            node.replica.model if node.is_loaded else "",
            node.replica.slots,
            len(node.runs),
            0 if old is None else old.epoch,
            old is not None,
        ),
        reason=node.reason,
    )
    if decision.verdict is not Verdict.TAKE:
        return decision
    hardware = node.engine.hardware
    longest = min(hardware.pool_tokens, node.replica.context_tokens)
    wanted = request.input_tokens + min(offer.output_tokens_max, request.output_tokens)
    if request.input_tokens >= longest or wanted > hardware.pool_tokens:
        return TOO_LONG
    return decision
