"""World: nodes, sites, grid and requests around a decision core.

Delivers each request to the core, executes the core's commands, and keeps each job until the job
and all its runs have ended; then ``recorder`` receives the job. ``node_agents`` models the nodes;
``environment`` models what happens independently of the pool's decisions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Protocol

from entraide.models import Catalogue
from entraide.types import JobState, Terms
from entraide_scheduler.core import commands
from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import (
    AnswerResumed,
    CatalogueChanged,
    Event,
    JobCancelled,
    JobRequested,
    NodeJoined,
)
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Policy, Timing
from entraide_sim.driver import DecisionCore, Driver, RestorableCore
from entraide_sim.grid import Grid
from entraide_sim.machines import Node, NodeSpec, Site, SiteSpec
from entraide_sim.workload import Request
from entraide_sim.world.environment import DELAY_S_MAX, Fault, SimulatedEnvironment
from entraide_sim.world.jobs import Job
from entraide_sim.world.line_feeder import LineFeeder, SimulatedBatch
from entraide_sim.world.model_driver import ModelDriver
from entraide_sim.world.node_agents import NodeAgents, RunOffer

DRAIN_S = 604_800.0  # longest simulated time after the last request


def slow_heartbeat_timing(heartbeat_s: float) -> Timing:
    """Returns policy timing for a long heartbeat interval, in proportion to the live timing."""
    live = Timing()
    return Timing(
        suspect_after_s=live.suspect_after_s * heartbeat_s,
        lost_after_s=live.lost_after_s * heartbeat_s,
        lease_s=live.lease_s * heartbeat_s,
        busy_suspect_after_s=live.busy_suspect_after_s * heartbeat_s,
        busy_lost_after_s=live.busy_lost_after_s * heartbeat_s,
        reconnect_s=live.reconnect_s * heartbeat_s,
    )


def _check_periods(timing: Timing, *, heartbeat_s: float, progress_s: float) -> None:
    busy_s = min(timing.busy_suspect_after_s, timing.suspect_after_s, timing.lease_s)
    if heartbeat_s >= timing.suspect_after_s or progress_s >= busy_s:
        raise ValueError("heartbeat_s or progress_s is too long for the policy's timing")


class Environment(Protocol):
    """Schedules what happens independently of the pool's decisions.

    Attributes:
        loads_models: whether machines load and unload models as the core asks them to.
    """

    loads_models: bool

    def start(self, policy: Policy, faults: Sequence[Fault]) -> None:
        """Delivers the initial state to the core, and schedules all later events."""

    def schedule_battery_event(self, site: Site, at: float) -> None:
        """Schedules the moment at which a site's battery will be full or empty."""


class World:
    """A simulated pool around one decision core.

    Attributes:
        driver: virtual time and the core.
        nodes: nodes by name.
        sites: locations of the nodes.
        agents: agents of the nodes.
        jobs: jobs in progress, by identifier.
        line_feeder: requests the lines of batches.
        requests_received: number of requests received.
        dropped_messages: number of messages that the core dropped, by kind.
    """

    def __init__(
        self,
        core: DecisionCore,
        *,
        start_at: float,
        policy: Policy,
        nodes: Sequence[NodeSpec],
        grid: Grid,
        sites: Sequence[SiteSpec] = (),
        faults: Sequence[Fault] = (),
        seed: int = 0,
        heartbeat_s: float = 1.0,
        progress_s: float = 0.5,
        recorder: Callable[[Job], None] | None = None,
        make_environment: Callable[["World"], Environment] | None = None,
        catalogue: Catalogue | None = None,
        watch: Callable[[Event, list[Command]], None] | None = None,
    ) -> None:
        """Builds a world; ``run`` starts it.

        Args:
            core: the decision core.
            start_at: virtual start time, seconds since the epoch.
            policy: delivered to the core first.
            nodes: the machines.
            grid: intensities of all their zones.
            sites: sites with own generation.
            faults: failures to inject.
            seed: seed of all random draws.
            heartbeat_s: heartbeat interval; for long intervals see ``slow_heartbeat_timing``.
            progress_s: interval of the heartbeats of nodes with runs.
            recorder: called with each job once the job and its runs have ended.
            make_environment: makes the environment; None for a ``SimulatedEnvironment``.
            catalogue: model catalogue, delivered to the core before the first request.
            watch: called with each event and the commands that follow (a journal, a checker).

        Raises:
            ValueError: ``heartbeat_s`` or ``progress_s`` is too long for the policy, a site has no
                node or nodes in two zones, or a fault is impossible: an unknown node, a duration
                out of range, or a restart of a core without snapshots.
        """
        _check_periods(policy.timing, heartbeat_s=heartbeat_s, progress_s=progress_s)
        driver = Driver(core, start_at=start_at, execute=self._execute, watch=watch)
        self.driver = driver
        self.policy = policy
        self.started_at = driver.now
        self.jobs: dict[str, Job] = {}
        self.requests_received = 0
        self.dropped_messages: dict[str, int] = {}
        self._recorder = recorder
        self._faults = faults
        self._catalogue = catalogue
        self.line_feeder = LineFeeder(driver, self._submit)
        self._requests: Iterator[Request] = iter(())
        self._requests_ended = False
        self.nodes: dict[str, Node] = {}
        self.sites = self._place_nodes(nodes, sites, seed)
        _check_sites(self.sites)
        _check_faults(faults, self.nodes, restarts=isinstance(driver.core, RestorableCore))
        self._models = ModelDriver(driver, self._send_card)
        self.agents = NodeAgents(
            driver, self._models, progress_s=progress_s, closed=self._release_job
        )
        self._environment: Environment
        if make_environment is None:
            self._environment = SimulatedEnvironment(
                driver,
                machines=self.agents,
                models=self._models,
                grid=grid,
                nodes=self.nodes,
                sites=self.sites,
                heartbeat_s=heartbeat_s,
            )
        else:
            self._environment = make_environment(self)

    def _place_nodes(
        self, specs: Sequence[NodeSpec], sites: Sequence[SiteSpec], seed: int
    ) -> list[Site]:
        """Makes the nodes, each at its site; returns the sites."""
        now = self.driver.now
        make_site = partial(Site, at=now, schedule_battery_event=self._schedule_battery_event)
        site_by_key = {(site.coop, site.site): make_site(site) for site in sites}
        for number, spec in enumerate(specs):
            key = (spec.card.coop, spec.card.site)
            site = site_by_key.setdefault(key, make_site(None))
            node = Node(spec, site, seed=seed, number=number, at=now)
            site.nodes.append(node)
            self.nodes[node.name] = node
        return list(site_by_key.values())

    def _schedule_battery_event(self, site: Site, at: float) -> None:
        self._environment.schedule_battery_event(site, at)

    def run(
        self,
        requests: Iterable[Request],
        *,
        batches: Sequence[SimulatedBatch] = (),
        until: float = inf,
    ) -> None:
        """Runs the simulation until all requests and batches have ended.

        Args:
            requests: requests in order of time.
            batches: whose lines are requested some at a time.
            until: latest end, seconds since the epoch.
        """
        driver = self.driver
        if self._catalogue is not None:
            driver.deliver(CatalogueChanged, self._catalogue)
        self._environment.start(self.policy, self._faults)
        self._requests = iter(requests)
        self.line_feeder.schedule(batches)
        self._schedule_next_request()
        if not self._is_done():
            driver.run(until)

    def adopt_job(
        self,
        request: Request,
        *,
        terms: Terms | None = None,
        output_tokens_max: int = 0,
        begun_tokens: int = 0,
    ) -> None:
        """Adds a job that the core already knows; call it before ``run``.

        Args:
            request: request of the job.
            terms: of the job's run, which goes on on its node; None for a queued job.
            output_tokens_max: output limit of that run.
            begun_tokens: output tokens that the run has produced.
        """
        self.requests_received += 1
        job = self.jobs[request.facts.job] = Job(request)
        if terms is not None:
            job.begun_tokens = begun_tokens
            self._start_run(
                job, terms.node, terms, epoch=terms.epoch, output_tokens_max=output_tokens_max
            )
            job.begun_tokens, job.placed_at = 0, terms.placed_at

    def _send_card(self, node: Node) -> None:
        """Makes a node send its card, with the site's surplus if the environment knows it."""
        if isinstance(self._environment, SimulatedEnvironment):
            self._environment.send_card(node)
        else:
            self.driver.deliver(NodeJoined, node.card, node.accepting, node.reason)

    # Requests.

    def _schedule_next_request(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self.driver.schedule(request.at, self._submit_request, request)
            return
        self._requests_ended = True
        self.driver.schedule(self.driver.now + DRAIN_S, lambda _: self.driver.stop())
        self._stop_if_done()

    def _submit_request(self, request: Request) -> None:
        self._submit(request)
        self._schedule_next_request()

    def _submit(self, request: Request) -> None:
        name = request.facts.job
        assert name not in self.jobs, f"two requests have the identifier {name}"
        self.requests_received += 1
        self.jobs[name] = Job(request)
        self.driver.deliver(JobRequested, request.facts)
        if request.patience_s is not None and name in self.jobs:
            self.driver.schedule(self.driver.now + request.patience_s, self._cancel_if_queued, name)

    def _cancel_if_queued(self, name: str) -> None:
        job = self.jobs.get(name)
        if job is not None and job.state is JobState.QUEUED:
            self.driver.deliver(JobCancelled, name, "cancelled")

    # Commands.

    def _execute(self, command: commands.Command) -> None:
        match command:
            case commands.Place():
                self._place_job(command)
            case commands.EndJob() | commands.EndStalledJob():
                self._end_job(command.job, command.state, command.code)
            case commands.Refuse() if self.line_feeder.postpone(command):
                del self.jobs[command.job]
            case commands.Refuse():
                self._end_job(command.job, JobState.REFUSED, command.code)
            case commands.CancelRun():
                self.agents.send_cancellation(self.nodes[command.node], command.job, command.epoch)
            case commands.LoadModel() if self._environment.loads_models:
                self._models.send_load(self.nodes[command.node], command.model)
            case commands.UnloadModel() if self._environment.loads_models:
                self._models.send_unload(self.nodes[command.node], command.model)
            case commands.Dropped():
                self.dropped_messages[command.what] = self.dropped_messages.get(command.what, 0) + 1
            case _:
                pass

    def _place_job(self, command: commands.Place) -> None:
        self._start_run(
            self.jobs[command.job],
            command.node,
            command.terms,
            epoch=command.epoch,
            output_tokens_max=command.output_tokens_max,
        )

    def _start_run(
        self, job: Job, name: str, terms: Terms, *, epoch: int, output_tokens_max: int
    ) -> None:
        node = self.nodes[name]
        if node.sharing_instances:
            instance = node.instance_of(terms.model)
            assert instance is not None, f"{name} has no {terms.model}"
            node = instance
        self._resume_answer(job, epoch)
        job.node = node
        job.epoch = epoch
        job.placements += 1
        if not job.delivered:
            job.placed_at = self.driver.now
            job.first_at = 0.0
        self.agents.send_offer(
            RunOffer(node, job, epoch, output_tokens_max, terms.model, job.begun_tokens)
        )

    def _resume_answer(self, job: Job, epoch: int) -> None:
        """Notes what the client of a resumable job has of its last run, and tells the core.

        The gateway has all output that the node had sent before it was lost.
        """
        core, name = self.driver.core, job.request.facts.job
        earlier = core.earlier_runs(name) if isinstance(core, Core) else ()
        if not earlier or job.node is None:
            return
        run = job.node.runs.get(name)
        if run is not None and run.epoch == job.epoch:
            tokens = job.node.engine.output_tokens(run, self.driver.now)
        else:
            tokens = max(0, job.output_tokens - job.answered_tokens)
        known = {each.lease.terms.epoch for each in earlier}
        if tokens and job.epoch in known:
            job.delivered = {**job.delivered, job.epoch: tokens}
        delivered = tuple((each, job.delivered.get(each, 0)) for each in sorted(known))
        self.driver.schedule(self.driver.now, self._tell_resumed, (name, epoch, delivered))

    def _tell_resumed(self, values: tuple[str, int, tuple[tuple[int, int], ...]]) -> None:
        self.driver.deliver(AnswerResumed, *values)

    def _end_job(self, name: str, state: JobState, code: str) -> None:
        """Records a job's end; the job is kept while a node still has a run of it."""
        job = self.jobs[name]
        job.state, job.code, job.end_at = state, code, self.driver.now
        if job.runs == 0:
            self._release_job(job)

    def _release_job(self, job: Job) -> None:
        if job.state is JobState.QUEUED:
            return
        name = job.request.facts.job
        if self.jobs.pop(name, None) is None:
            return
        if self._recorder is not None:
            self._recorder(job)
        self.line_feeder.on_job_ended(name)
        self._stop_if_done()

    def _is_done(self) -> bool:
        return self._requests_ended and not self.jobs and self.line_feeder.is_done

    def _stop_if_done(self) -> None:
        if self._is_done():
            self.driver.stop()


def _check_sites(sites: Iterable[Site]) -> None:
    for site in sites:
        zones = sorted({node.card.zone for node in site.nodes})
        if len(zones) > 1:
            raise ValueError(f"site {site.nodes[0].card.site} is in {' and '.join(zones)}")
        if site.spec is not None and not zones:
            raise ValueError(f"site {site.spec.site} of {site.spec.coop} has no node")


def _check_faults(faults: Iterable[Fault], nodes: dict[str, Node], *, restarts: bool) -> None:
    for fault in faults:
        if fault.kind in ("restart", "late") and not 0.0 <= fault.value <= DELAY_S_MAX:
            raise ValueError(
                f"fault {fault.kind} lasts {fault.value} s; allowed: 0 to {DELAY_S_MAX} s"
            )
        if fault.kind == "restart":
            if not restarts:
                raise ValueError("this core has no snapshots, so it cannot be restarted")
        elif fault.node not in nodes:
            raise ValueError(f"fault of unknown node {fault.node}")
