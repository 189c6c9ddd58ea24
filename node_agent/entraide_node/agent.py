"""The agent: one node's life, from its first hello to its goodbye.

It connects the parts: the bus, the engines, the runs, the meters and the owner's policy. Input:
messages of the bus, signals and the owner's files. Output: messages through the ``announcer`` and
the status file. The cores decide: ``run_admission`` what is accepted, ``model_manager`` which
models are loaded, ``owner_policy`` whether the owner lends the machine, ``phases`` what a signal
leads to.

Two loops run: one probes the engines, the other sends the heartbeat and writes the status. Each
event that matters wakes the second loop, so nothing waits for the next period.
"""

import asyncio
import contextlib
import math
import time
from pathlib import Path

import msgspec
import structlog

from entraide.bubblewrap import find_bubblewrap_problem
from entraide.errors import AuthenticationError
from entraide.types import Lending
from entraide.wire.messages import (
    BEAT_RUNS_MAX,
    ApprovalPending,
    CancelRun,
    CatalogueReply,
    CatalogueRequest,
    ForgetPartition,
    Goodbye,
    HelloRequest,
    IdentityRenewed,
    LoadFailed,
    LoadModel,
    NodeDownCtl,
    NodeIn,
    StartRun,
    StopRun,
    UnloadModel,
    UsageAck,
    Welcome,
)
from entraide_node.announcer import Announcer
from entraide_node.bus import NodeBus
from entraide_node.config import Attach, NodeConfig
from entraide_node.core.model_manager import LoadLimits, Refusal
from entraide_node.core.owner_policy import ENDED_FOR_OWNER, EndRuns
from entraide_node.core.phases import AGENT, Phase, PhaseEvent
from entraide_node.core.run_admission import (
    DRAINING,
    NodeReadiness,
    reason_not_accepting,
    reason_not_loading,
)
from entraide_node.energy.power_sampler import PowerSampler
from entraide_node.energy.site_meters import SiteMeters
from entraide_node.keys import Keyring, read_ca_pem
from entraide_node.machine_probes import MachineProbes
from entraide_node.machine_setup import MachineSetup
from entraide_node.model_manager.engine_manager import EngineManager
from entraide_node.model_manager.model_source import ModelSource
from entraide_node.owner.lent_time import LentTimeCounter
from entraide_node.owner.policy_driver import AgentLoad, PolicyDriver
from entraide_node.report_outbox import ReportOutbox
from entraide_node.revocation import ASK_AGAIN_S, end_error, find_end
from entraide_node.run_manager import RunManager
from entraide_node.sleep_inhibitor import SleepInhibitor, TakeLock, system_lock

RESEND_S = 5.0
PROGRESS_S = 1.0
EARLY_S = 0.005  # a timer may fire this much too early
CATALOGUE_S = 3_600.0
RTT_EVERY_S = 60.0
RTT_CHANGE_S = 0.005
CANCEL_AGAIN_S = 0.2
TAKES_JOBS = ("working", "ready", "loading", "empty")  # states in which the machine is lent
LEAVE_S = 2.0  # for sending the last reports and the goodbye


class Agent:
    """One node agent."""

    def __init__(
        self, config: NodeConfig, *, machine: MachineSetup, model_source: ModelSource,
        probes: MachineProbes | None = None, take_lock: TakeLock | None = None,
    ) -> None:  # fmt: skip
        """Does not connect yet.

        Args:
            config: of the node; ``dir`` holds its identity.
            machine: the started engines, the power and the meters; the agent stops them.
            model_source: source of the models that the pool orders.
            probes: of the machine, for the owner policy; None for this machine's own.
            take_lock: keeps the machine awake; None for this system's own way.
        """
        self._config = config
        self._folder = Path(config.dir)
        # The load of an engine that the owner started cannot be told from the owner's load.
        attached = any(isinstance(engine, Attach) for engine in config.owner_engines)
        self._policy_driver = PolicyDriver(
            self._folder, probes or MachineProbes(tells_load=not attached)
        )
        self._model_source = model_source
        self._power_sampler = PowerSampler(machine.power, machine.meters)
        self._site_meters = SiteMeters(
            config.energy, self._folder, added_w=lambda: self._power_sampler.added_w
        )
        self._keyring = Keyring(self._folder)
        self._reports = ReportOutbox(self._folder)
        self._bus = NodeBus(
            config.node, keyring=self._keyring, reports=self._reports,
            on_control=self._on_control, on_gateway_message=self._on_gateway_message,
            on_change=self._on_change,
        )  # fmt: skip
        self._lent_time = LentTimeCounter(self._folder)
        self._phase = Phase.SERVING
        self._wake = asyncio.Event()
        self._refused = asyncio.Event()
        self._phase_changed = asyncio.Event()
        self._engines = EngineManager(
            machine.instances,
            folder=self._folder,
            limits=self._load_limits,
            source=self._model_source,
            unreachable=machine.unreachable,
            failed=self._load_failed,
            changed=self._wake.set,
        )
        self._limits_in_force = self._load_limits()
        self._was_own_only = False
        self._inhibitor = SleepInhibitor(self._must_stay_awake, take=take_lock or system_lock())
        self._runs = RunManager(
            self._engines, transport=self._bus, energy=self._power_sampler,
            slots_max=lambda: self._policy_driver.limits().slots, on_noticed=self._list_first_run,
            on_count=self._inhibitor.wake,
        )  # fmt: skip
        self._announcer = Announcer(
            config,
            bus=self._bus,
            engines=self._engines,
            runs=self._runs,
            power=self._power_sampler,
            site=self._site_meters,
            reports=self._reports,
        )
        self._catalogue_asked_s = -math.inf  # when the catalogue was last requested
        self._log = structlog.get_logger("entraide.node").bind(node=config.node)

    # Events.

    def apply_event(self, event: PhaseEvent) -> None:
        """Applies a signal or another phase event."""
        before = self._phase
        self._phase = AGENT.step(before, event, subject=self._config.node)
        if before is not self._phase:
            self._log.info("node.phase", phase=self._phase, sign=event)
            self._phase_changed.set()
            self._wake.set()

    def _on_change(self, change: str) -> None:
        is_refused = change == "refused"
        if is_refused:
            self._refused.set()
        elif change == "up":
            self._refused.clear()
        self._announce_anew(refused=is_refused)

    def _announce_anew(self, *, refused: bool = False) -> None:
        """Sends a hello and asks for the catalogue again, because the pool may have changed."""
        self._announcer.reset(refused=refused)
        self._catalogue_asked_s = -math.inf
        self._wake.set()

    def _end_runs(self, command: EndRuns) -> None:
        """Ends the current runs because the owner needs the machine."""
        self._log.info(
            "node.runs_ended_for_owner",
            foreign_only=command.foreign_only,
            running=len(self._runs.active_runs()),
        )
        self._runs.stop_all(code=ENDED_FOR_OWNER, foreign_only=command.foreign_only)
        self._wake.set()

    def _workload(self) -> AgentLoad:
        """The current load, for the owner policy."""
        now, power = time.time(), self._power_sampler.power()
        energy = self._announcer.energy_status(now)
        return AgentLoad(
            running=len(self._runs.active_runs()),
            foreign=self._runs.foreign_count,
            slots=sum(replica.slots for replica in self._engines.replicas()),
            surplus_w=energy.surplus_w if energy is not None and now < energy.expires_at else 0.0,
            idle_w=power.idle_w,
            active_w=power.active_w,
        )

    def _must_stay_awake(self) -> bool:
        return bool(self._runs.active_runs()) and self._policy_driver.keeps_awake

    def _on_gateway_message(self, message: NodeIn) -> None:
        if isinstance(message, StartRun):
            own_only = self._policy_driver.limits().lending is Lending.OWN_ONLY
            self._runs.admit(message, reason=self._reason(), own_only=own_only)
        elif isinstance(message, CancelRun):
            self._runs.stop(message.job, message.epoch)
        elif isinstance(message, ForgetPartition):
            self._engines.forget_prefixes(message.owner)

    def _list_first_run(self) -> None:
        if self._announcer.must_list_runs:
            self._wake.set()

    async def _on_control(self, message: NodeDownCtl) -> None:
        match message:
            case Welcome():
                self._on_welcome(message)
            case HelloRequest():
                self._announce_anew()
            case ApprovalPending():
                self._announcer.note_pending_approval()
            case UsageAck():
                self._reports.acknowledge((message.job, message.epoch), *message.more)
                if self._phase is not Phase.SERVING:
                    self._wake.set()  # it may be the last report that the agent waits for
            case StopRun():
                self._runs.stop(message.job, message.epoch)
            case IdentityRenewed():
                self._keyring.renew(message.jwt)
                self._log.info("node.renewed")
            case LoadModel():
                await self._engines.load_model(message.model)
            case UnloadModel():
                await self._engines.unload_model(message.model)
            case CatalogueReply():
                if await self._model_source.accept_catalogue(message.document, message.signature):
                    self._engines.wake()

    def _on_welcome(self, message: Welcome) -> None:
        for job, epoch in self._announcer.accept_welcome(message):
            self._runs.stop(job, epoch)
        self._log.info("node.welcomed", heartbeat_s=self._announcer.heartbeat_s)
        self._wake.set()

    async def _load_failed(self, refusal: Refusal) -> None:
        self._bus.send_to_scheduler(LoadFailed(refusal.model, refusal.code, refusal.values))

    # Life cycle.

    async def run(self) -> None:
        """Serves until it was asked to stop, and has stopped.

        Raises:
            AuthenticationError: the bus does not accept this identity, or the pool has revoked it.
            PoolError: the bus is not the pool's, or TLS is missing where it is needed.
        """
        await asyncio.to_thread(find_bubblewrap_problem)  # the first call blocks; the card needs it
        stages = (
            self._wait_for_end(),
            self._keep_connected(),
            self._end_if_out(),
            self._heartbeat_loop(),
            self._engines.run(),
            self._model_source.run(changed=self._engines.wake),
            self._power_sampler.run(),
            self._site_meters.run(),
            self._inhibitor.run(),
            self._serve_metrics(),
            self._policy_driver.run(
                notify=self._wake.set, end_runs=self._end_runs, read_workload=self._workload
            ),
        )
        tasks = [asyncio.create_task(stage) for stage in stages]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:  # the first stage ends with its phase; others only by an exception
                task.result()
        finally:
            await _cancel_all(tasks)
            self._lent_time.save(time.time())
            await self._leave()

    async def _serve_metrics(self) -> None:
        """Serves metrics on loopback if the owner turned them on."""
        if not self._config.metrics.port:
            await asyncio.Event().wait()
        # Loaded only here: an agent without metrics does without Prometheus' client.
        from entraide_node.metrics_server import MetricsServer  # noqa: PLC0415

        await MetricsServer(
            self._config.metrics.port,
            status=lambda: self._announcer.status,
            ended_runs=self._runs.ended_runs,
            connection=lambda: self._bus.connection,
        ).run()

    async def _wait_for_end(self) -> None:
        """Returns when the agent must leave."""
        await self._wait_phase_end(Phase.SERVING)
        if self._phase is Phase.DRAINING:
            idle = asyncio.create_task(self._runs.idle.wait())
            phase_ended = asyncio.create_task(self._wait_phase_end(Phase.DRAINING))
            await asyncio.wait(
                {idle, phase_ended},
                timeout=self._config.drain_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._phase is Phase.DRAINING:
                self.apply_event(PhaseEvent.IDLE if idle.done() else PhaseEvent.TIME_UP)
            for waiter in (idle, phase_ended):
                waiter.cancel()

    async def _wait_phase_end(self, phase: Phase) -> None:
        """Waits until a phase has ended."""
        while self._phase is phase:
            self._phase_changed.clear()
            await self._phase_changed.wait()

    async def _keep_connected(self) -> None:
        try:
            await self._bus.open(self._config.nats_urls, ca_pem=read_ca_pem(self._folder))
        except AuthenticationError as problem:
            if end := await asyncio.to_thread(find_end, self._folder):
                raise end_error(end, self._folder) from problem
            raise
        while True:
            rtt_s, known_s = round(await self._bus.rtt_s(), 6), self._announcer.rtt_s
            if rtt_s and (not known_s or abs(rtt_s - known_s) > RTT_CHANGE_S):
                self._announcer.rtt_s = rtt_s
                self._wake.set()
            await asyncio.sleep(RTT_EVERY_S)

    async def _end_if_out(self) -> None:
        """Ends the agent if the pool says that the node is out of it for good.

        That the bus refuses the identity ends nothing by itself: it may pass.
        """
        while True:
            await self._refused.wait()
            if end := await asyncio.to_thread(find_end, self._folder):
                raise end_error(end, self._folder)
            self._refused.clear()
            await asyncio.sleep(ASK_AGAIN_S)

    async def _heartbeat_loop(self) -> None:
        heartbeat_sent_s = progress_sent_s = reports_sent_s = -math.inf
        while True:
            self._wake.clear()
            now_s = time.monotonic()
            self._refresh_limits()
            if self._bus.is_up:
                if self._announce(
                    due=now_s - heartbeat_sent_s >= self._announcer.period_s - EARLY_S
                ):
                    heartbeat_sent_s = now_s
                if now_s - progress_sent_s >= PROGRESS_S:
                    progress_sent_s = now_s
                    self._runs.send_progress(after=BEAT_RUNS_MAX)
                if self._announcer.is_welcomed and now_s - reports_sent_s >= RESEND_S:
                    reports_sent_s = now_s
                    self._bus.resend_reports()
                self._ask_catalogue(now_s)
            state = self._state_code()
            self._announcer.write_status(state, self._policy_driver.status())
            self._lent_time.note(time.time(), takes_jobs=state in TAKES_JOBS)
            wait_s = min(PROGRESS_S, self._announcer.period_s)
            if self._bus.is_up and heartbeat_sent_s + wait_s > now_s:
                wait_s = max(0.0, heartbeat_sent_s + wait_s - time.monotonic())
            with contextlib.suppress(TimeoutError):
                # Not wait_for, which loses a cancellation that comes together with a wake-up.
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    def _refresh_limits(self) -> None:
        """Wakes the engine manager if the owner's limits changed; forgets prompts if it must."""
        limits = self._load_limits()
        if limits != self._limits_in_force:
            self._limits_in_force = limits
            self._engines.wake()
        is_serving = self._phase is Phase.SERVING
        self._engines.limit_prefixes(self._policy_driver.prefix_part if is_serving else None)
        own_only = self._policy_driver.limits().lending is Lending.OWN_ONLY
        if own_only and not self._was_own_only:
            self._engines.forget_prefixes(b"")
        self._was_own_only = own_only

    def _ask_catalogue(self, now_s: float) -> None:
        digest = self._model_source.digest
        due = now_s - self._catalogue_asked_s >= CATALOGUE_S
        if digest is not None and due and self._announcer.is_welcomed:
            self._catalogue_asked_s = now_s
            self._bus.send_to_scheduler(CatalogueRequest(digest))

    async def _leave(self) -> None:
        self.apply_event(PhaseEvent.STOPPED)
        self._runs.stop_all(code="shutting_down")
        closing_tasks = [
            asyncio.create_task(self._send_last_reports()),
            asyncio.create_task(self._wait_phase_end(Phase.LEAVING)),
        ]
        await asyncio.wait(closing_tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in closing_tasks:
            task.cancel()
        await asyncio.wait(closing_tasks)
        await self._engines.stop()
        await self._bus.close()
        self.apply_event(PhaseEvent.DONE)

    async def _send_last_reports(self) -> None:
        """Ends the runs, sends the remaining reports while the pool answers, and says goodbye."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._runs.idle.wait()
                while self._reports and self._bus.is_up:
                    self._wake.clear()
                    await self._wake.wait()
        if self._bus.is_up:
            self._bus.send_to_scheduler(Goodbye(DRAINING))
            await self._bus.flush(LEAVE_S)

    # State.

    def _announce(self, *, due: bool) -> bool:
        announced = msgspec.structs.replace(
            self._readiness(), owner=self._policy_driver.told_reason()
        )
        return self._announcer.announce(
            reason_not_accepting(announced),
            self._policy_driver.limits(),
            models_bytes=self._limits_in_force.models_bytes,
            terms=self._policy_driver.told_terms(),
            due=due,
        )

    def _readiness(self) -> NodeReadiness:
        return NodeReadiness(
            phase=self._phase,
            owner=self._policy_driver.reason(),
            engine_up=self._engines.is_up,
            measuring=self._engines.is_measuring,
        )

    def _reason(self) -> str:
        return reason_not_accepting(self._readiness())

    def _load_limits(self) -> LoadLimits:
        """The owner's current limits on loading."""
        limit_bytes, lent_bytes = (
            self._model_source.models_bytes,
            self._policy_driver.limits().models_bytes,
        )
        return LoadLimits(
            models_bytes=limit_bytes if lent_bytes is None else min(limit_bytes, lent_bytes),
            unload_idle_s=self._config.models.unload_idle_s,
            reason=reason_not_loading(self._phase, self._policy_driver.reason()),
        )

    def _state_code(self) -> str:
        if self._phase is not Phase.SERVING:
            return DRAINING
        if self._announcer.is_refused:
            return "refused"
        if not self._bus.is_up:
            return "connecting"
        if not self._announcer.is_welcomed:
            return "unapproved" if self._announcer.is_unapproved else "waiting"
        if self._reason() or self._engines.replicas():
            return self._reason() or ("working" if self._runs.active_runs() else "ready")
        return "loading" if self._engines.loading_models() else "empty"


async def _cancel_all(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels tasks until they have ended.

    One cancellation is not enough: ``asyncio.wait_for`` of Python 3.11, which nats-py uses, loses
    one that arrives together with the awaited answer.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
