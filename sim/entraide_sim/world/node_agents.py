"""Node agents: the simulated nodes' reactions to offers and cancellations.

A node accepts or declines a run by the decision function of the live node agent, executes the run
on its engine, and sends the events that an agent sends: acceptance, progress, usage report. Each
message takes half the node's round trip.
"""

from collections.abc import Callable
from math import inf
from typing import Any

from msgspec import Struct

from entraide.types import Basis, Outcome, Usage
from entraide.units import uwh_from_joules
from entraide_node.core.owner_policy import ENDED_FOR_OWNER
from entraide_node.core.run_admission import (
    Admission,
    AdmissionDecision,
    ModelOccupancy,
    RunRequest,
    admit_run,
)
from entraide_scheduler.core.events import (
    NodeBeat,
    RunAccepted,
    RunDeclined,
    RunProgressed,
    RunReported,
)
from entraide_sim.driver import Driver
from entraide_sim.machines import Node, Run, make_hardware
from entraide_sim.world.jobs import Job
from entraide_sim.world.model_driver import ModelDriver

ENDPOINT = "/v1/chat/completions"
ENGINE_FAILED = "engine_failed"  # code of a run on a broken engine
NO_USAGE = Usage(0, 0, 0, Basis.ESTIMATED, 0, 0, Basis.ESTIMATED, 0.0, 0.0)
TOO_LONG = AdmissionDecision(Admission.DECLINE, "context_length_exceeded")

Values = tuple[Any, ...]


class RunOffer(Struct, frozen=True, gc=False):
    """A run sent to a node.

    Attributes:
        node, job, epoch, output_tokens_max: of the placement.
        model: the placed one, not the alias.
        begun_tokens: output tokens that it has produced before.
    """

    node: Node
    job: Job
    epoch: int
    output_tokens_max: int
    model: str
    begun_tokens: int = 0


class NodeAgents:
    """The agents of all nodes.

    Args of the constructor:
        driver: virtual time and the core.
        models: the nodes' models.
        progress_s: interval of a busy node's heartbeats, which list its runs.
        closed: called with each job whose last run has ended.
    """

    def __init__(
        self,
        driver: Driver,
        models: ModelDriver,
        *,
        progress_s: float,
        closed: Callable[[Job], None],
    ) -> None:
        self._driver = driver
        self._models = models
        self._progress_s = progress_s
        self._on_job_released = closed

    # Messages to a node.

    def send_offer(self, offer: RunOffer) -> None:
        """Sends a run to a node."""
        offer.job.runs += 1
        self._driver.schedule(self._driver.now + offer.node.one_way_s, self._receive_offer, offer)

    def send_cancellation(self, node: Node, job: str, epoch: int) -> None:
        """Sends the cancellation of a run to a node."""
        for instance in node.model_instances():
            self._driver.schedule(
                self._driver.now + node.one_way_s,
                self._receive_cancellation,
                (instance, job, epoch),
            )

    def crash_node(self, node: Node) -> None:
        """Stops a node and drops its runs without any message."""
        for instance in node.model_instances():
            self._account_energy(instance)
            instance.up = False
            for run in instance.engine.runs():
                run.produced_tokens = instance.engine.output_tokens(run, self._driver.now)
            for run in instance.engine.drop_runs():
                self._add_usage(instance, run)
            instance.runs.clear()
            instance.phase_end_at = inf
        node.restarts += 1
        node.unsent.clear()
        self._models.crash(node)
        if node.shares_surplus:
            node.site.update_carbon_rate()

    def set_power_cap(self, node: Node, power_cap_w: float) -> None:
        """Sets the owner's power cap of a node, watts; infinite for no cap."""
        for instance in node.model_instances():
            self._account_energy(instance)
            instance.engine.set_hardware(
                make_hardware(instance.served_spec, power_cap_w=power_cap_w), self._driver.now
            )
            self._schedule_phase_end(instance)

    def heal_link(self, node: Node) -> None:
        """Restores a machine's link; the messages that waited for it are sent."""
        node.linked = True
        unsent, node.unsent = node.unsent, []
        for kind, values in unsent:
            self._send_event(node, kind, values)

    def return_to_owner(self, node: Node) -> None:
        """Ends all runs of a node because its owner needs the machine."""
        for instance in node.model_instances():
            self.fail_runs(instance, ENDED_FOR_OWNER)

    def fail_runs(self, instance: Node, code: str) -> None:
        """Ends all runs of an instance with a code, as when its engine exits."""
        self._account_energy(instance)
        for run in list(instance.runs.values()):
            if not run.cancelled:
                run.fails_with = code
                self._cancel_run(instance, run)
        self._schedule_phase_end(instance)

    def _receive_offer(self, offer: RunOffer) -> None:
        node, job = offer.node, offer.job
        if not (node.up and node.host.linked):
            self._release_run(job)
            return
        facts, fails_with = job.request.facts, job.request.fails_with
        decision = _admit_run(offer)
        if decision.verdict is Admission.TAKE and fails_with:
            decision = AdmissionDecision(Admission.DECLINE, fails_with)
        if decision.verdict is not Admission.TAKE:
            self._release_run(job)
            if decision.verdict is Admission.DECLINE:
                self._send_event(
                    node, RunDeclined, (facts.job, offer.epoch, node.name, decision.code, {})
                )
            return
        old = node.runs.get(facts.job)
        self._account_energy(node)
        if old is not None:
            self._cancel_run(node, old)
        if node.broken:
            self._fail_run(offer)
            return
        self._start_run(offer)
        self._send_event(node, RunAccepted, (facts.job, offer.epoch, node.name))

    def _fail_run(self, offer: RunOffer) -> None:
        """Accepts a run and fails it before its first token, as a broken engine does."""
        node, job = offer.node, offer.job
        run = job.request.facts.job, offer.epoch, node.name
        self._send_event(node, RunAccepted, run)
        self._send_event(node, RunReported, (*run, Outcome.FAILED, ENGINE_FAILED, False, NO_USAGE))
        self._release_run(job)

    def _start_run(self, offer: RunOffer) -> None:
        node, job, now = offer.node, offer.job, self._driver.now
        request, answered = job.request, job.answered_tokens
        facts = request.facts
        input_tokens = request.input_tokens + answered  # the answer so far is read, too
        cached = 0
        if node.cache is not None and facts.prefix_keys:
            cached = node.cache.cached_tokens(
                facts.coop, facts.prefix_keys, input_tokens=request.input_tokens
            )
        if offer.begun_tokens:
            cached = input_tokens - 1
        room = node.replica.context_tokens - input_tokens
        limit = max(1, min(offer.output_tokens_max - answered, room))
        run = Run(
            facts.job,
            offer.epoch,
            input_tokens,
            cached,
            max(1, min(request.output_tokens - answered, limit) - offer.begun_tokens),
            limit,
            now,
            job,
            begun_tokens=offer.begun_tokens,
        )
        node.runs[facts.job] = run
        node.engine.add_run(run, now, node.site.g_per_j)
        node.site.supply.balance.grid_j += run.wake_j
        if node.sharing_instances:
            self._models.update_run_count(node)
            self._update_sharing(node)
        if node.engine.next_at <= now:
            self._advance_engine(node)
        else:
            self._schedule_phase_end(node)
        if not node.host.progress_scheduled:
            node.host.progress_scheduled = True
            self._driver.schedule(now + self._progress_s, self._send_beat, node.host)

    def _receive_cancellation(self, cancellation: tuple[Node, str, int]) -> None:
        node, job, epoch = cancellation
        run = node.runs.get(job) if node.host.linked else None
        if run is None or run.epoch != epoch or run.cancelled:
            return
        self._account_energy(node)
        self._cancel_run(node, run)
        self._schedule_phase_end(node)

    def _cancel_run(self, node: Node, run: Run) -> None:
        if node.engine.cancel_run(run, self._driver.now):
            self._end_run(node, run)

    # Progress of the engine.

    def _account_energy(self, node: Node) -> None:
        site = node.site
        if node.shares_surplus:
            site.account_energy(self._driver.now)
        else:
            node.engine.account_energy(self._driver.now, site.g_per_j)

    def _schedule_phase_end(self, node: Node) -> None:
        if node.shares_surplus:
            node.site.update_carbon_rate()
        at = node.engine.next_at
        if at != node.phase_end_at:
            node.phase_end_at = at
            if at < inf:
                self._driver.schedule(at, self._end_phase, node)

    def _end_phase(self, node: Node) -> None:
        # A phase that was cut short leaves its old end in the heap.
        if node.engine.next_at == self._driver.now:
            self._account_energy(node)
            self._advance_engine(node)

    def _advance_engine(self, node: Node) -> None:
        first, over = node.engine.advance(self._driver.now)
        for run in first:
            self._report_first_token(node, run)
        for run in over:
            self._end_run(node, run)
        if node.sharing_instances and not node.engine.run_count:
            self._update_sharing(node)
        self._schedule_phase_end(node)

    def _update_sharing(self, node: Node) -> None:
        """Divides a machine among its models that have runs."""
        busy = [instance for instance in node.sharing_instances if instance.engine.run_count]
        for instance in busy:
            if instance.engine.sharing_engines != len(busy):
                self._account_energy(instance)
                instance.engine.set_sharing(len(busy), self._driver.now)
                if instance is not node:
                    self._schedule_phase_end(instance)

    def _report_first_token(self, node: Node, run: Run) -> None:
        job: Job = run.payload
        facts = job.request.facts
        if node.cache is not None and facts.prefix_keys:
            node.cache.insert(facts.job, facts.coop, facts.prefix_keys)
        if run.epoch == job.epoch and not job.first_at:
            job.first_at = self._driver.now + node.one_way_s
        self._send_event(node, RunProgressed, (run.job, run.epoch, node.name, 1))

    def _end_run(self, node: Node, run: Run) -> None:
        now, spec = self._driver.now, node.served_spec
        outcome = Outcome.CANCELLED if run.cancelled else Outcome.COMPLETED
        code = ""
        first = run.first_at > 0.0
        if run.fails_with:
            outcome, code = Outcome.FAILED, run.fails_with
        produced = run.produced_tokens
        whole = 1.0 + run.begun_tokens / max(1, produced)  # what it used before counts alike
        produced += run.begun_tokens
        if run.payload.request.facts.embeds:
            produced = 0
        usage = Usage(
            run.input_tokens if first else 0,
            run.cached_tokens if first and not run.begun_tokens else 0,
            produced,
            Basis.MEASURED,
            uwh_from_joules(run.prefill_j * spec.energy_told),
            uwh_from_joules(run.decode_j * spec.energy_told * whole),
            spec.energy_basis,
            run.first_at - run.received_at if first else 0.0,
            now - run.received_at,
        )
        if node.runs.get(run.job) is run:
            del node.runs[run.job]
            if node.sharing_instances:
                self._models.update_run_count(node)
        values = (run.job, run.epoch, node.name, outcome, code, produced > 0, usage)
        self._send_event(node, RunReported, values)
        if node.cache is not None and node.host.linked:
            self._driver.schedule(now + node.one_way_s, self._report_held, node.host)
        self._add_usage(node, run)

    def _report_held(self, host: Node) -> None:
        """Reports the last jobs of the prompt states that a machine holds."""
        caches = [instance.cache for instance in host.model_instances()]
        jobs = [job for cache in caches if cache is not None for job in cache.held_jobs()]
        self._driver.prefixes.note_held(host.name, tuple(jobs))

    def _add_usage(self, node: Node, run: Run) -> None:
        job: Job = run.payload
        node.slot_s += self._driver.now - run.received_at
        job.prefill_j += run.prefill_j
        job.decode_j += run.decode_j
        job.wake_j += run.wake_j
        job.carbon_g += run.carbon_g
        if run.epoch == job.epoch:
            job.cached_tokens = run.cached_tokens
            job.output_tokens = job.answered_tokens + run.begun_tokens + run.produced_tokens
        self._release_run(job)

    def _release_run(self, job: Job) -> None:
        job.runs -= 1
        if job.runs == 0:
            self._on_job_released(job)

    # Messages from a node.

    def _send_beat(self, node: Node) -> None:
        """Sends a heartbeat with all runs of a machine, until one that lists none."""
        now = self._driver.now
        runs = tuple(
            (run.job, run.epoch, run.begun_tokens + instance.engine.output_tokens(run, now))
            for instance in node.model_instances()
            for run in instance.runs.values()
        )
        if node.up and node.reachable and node.linked:
            arrives_at = now + node.one_way_s + node.heartbeat_delay_s
            self._driver.schedule(arrives_at, self._deliver_event, (NodeBeat, (node.name, runs)))
        node.progress_scheduled = bool(runs)
        if runs:
            self._driver.schedule(now + self._progress_s, self._send_beat, node)

    def _send_event(self, node: Node, kind: Callable[..., Any], values: Values) -> None:
        if not node.host.linked:
            node.host.unsent.append((kind, values))
            return
        self._driver.schedule(
            self._driver.now + node.one_way_s, self._deliver_event, (kind, values)
        )

    def _deliver_event(self, kind_and_values: tuple[Callable[..., Any], Values]) -> None:
        kind, values = kind_and_values
        self._driver.deliver(kind, *values)


def _admit_run(offer: RunOffer) -> AdmissionDecision:
    """Returns the decision of the node's core; a prompt that is too long is declined."""
    node, request = offer.node, offer.job.request
    job = request.facts.job
    old = node.runs.get(job)
    decision = admit_run(
        RunRequest(job, offer.epoch, ENDPOINT, offer.model, sealed=False),
        occupancy=ModelOccupancy(
            node.replica.model if node.is_loaded else "",
            node.replica.slots,
            len(node.runs),
            0 if old is None else old.epoch,
            old is not None,
        ),
        reason=node.reason,
    )
    if decision.verdict is not Admission.TAKE:
        return decision
    hardware = node.engine.hardware
    longest = min(hardware.pool_tokens, node.replica.context_tokens)
    wanted = request.input_tokens + min(offer.output_tokens_max, request.output_tokens)
    if request.input_tokens >= longest or wanted > hardware.pool_tokens:
        return TOO_LONG
    return decision
