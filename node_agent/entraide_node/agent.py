"""The agent: keeps its engines, one connection and one promise, to say truly what it can do.

It decides when to beat and when to stop; what to accept, ``core.duty`` decides, which models are
loaded, ``core.garage``, and what follows on a signal, ``core.phases``. What it says, the ``voice``
says.

Two loops: one asks the engines whether they serve, the other reads the owner's files, speaks to
the pool and writes the status. Anything that matters pokes the second one, so nothing waits for a
tick.
"""

import asyncio
import contextlib
import math
import time
from pathlib import Path

import structlog

from entraide.types import Lending
from entraide.wire.messages import (
    CancelRun,
    CatalogueReply,
    CatalogueRequest,
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
from entraide_node.bus import Bus
from entraide_node.config import NodeConfig
from entraide_node.core.duty import DRAINING, Standing, owners_reason, reason_not_accepting
from entraide_node.core.garage import Limits, Refusal
from entraide_node.core.phases import Phase, Sign, after
from entraide_node.energy.sampler import Sampler
from entraide_node.energy.site import Site
from entraide_node.garage.garage import Garage
from entraide_node.garage.supplier import NoSupplier, Supplier
from entraide_node.keys import Keyring, ca_pem
from entraide_node.machine import Machine
from entraide_node.owner import files as owner_files
from entraide_node.owner.stewardship import OWNER_RETURNED, Steward, Unattended, Work
from entraide_node.reports import Reports
from entraide_node.runs import Runs
from entraide_node.voice import Voice

__all__ = ["OWNER_RETURNED", "Agent", "Steward", "Unattended"]

RESEND_S = 5.0
PROGRESS_S = 1.0
CATALOGUE_S = 3_600.0
RTT_EVERY_S = 60.0
RTT_CHANGE_S = 0.005
LEAVE_S = 2.0  # for the last reports and the goodbye


class Agent:
    """One node agent, from its first hello to its goodbye."""

    def __init__(
        self, config: NodeConfig, *, machine: Machine, steward: Steward | None = None,
        supplier: Supplier | None = None,
    ) -> None:  # fmt: skip
        """Connects nothing yet.

        Args:
            config: all that it is told; ``dir`` holds its identity.
            machine: what the owner put on it, at work; the agent stops it.
            steward: speaks for the machine's owner; None for one without terms.
            supplier: of models that the pool asks for; None for none.
        """
        self._config = config
        self._folder = Path(config.dir)
        self._steward = steward or Unattended()
        self._supplier = supplier or NoSupplier()
        self._power = Sampler(machine.power, machine.meters)
        self._site = Site(config.energy, self._folder, added_w=lambda: self._power.added_w)
        self._keyring = Keyring(self._folder)
        self._reports = Reports(self._folder)
        self._bus = Bus(
            config.node, keyring=self._keyring, reports=self._reports,
            on_ctl=self._on_ctl, on_in=self._on_in, on_change=self._on_change,
        )  # fmt: skip
        self._phase = Phase.SERVING
        self._poked = asyncio.Event()
        self._turned = asyncio.Event()
        self._paused = owner_files.is_paused(self._folder)
        self._garage = Garage(
            machine.bays, folder=self._folder, limits=self._limits, supplier=self._supplier,
            awaited=machine.awaited, failed=self._load_failed, changed=self._poked.set,
        )  # fmt: skip
        self._allowed = self._limits()
        self._runs = Runs(
            self._garage, post=self._bus, meter=self._power,
            slots_max=lambda: self._steward.lent().slots,
        )  # fmt: skip
        self._voice = Voice(
            config, bus=self._bus, garage=self._garage, runs=self._runs, power=self._power,
            site=self._site, reports=self._reports,
        )  # fmt: skip
        self._catalogue_s = -math.inf  # when it was last asked for
        self._log = structlog.get_logger("entraide.node").bind(node=config.node)

    # What happens to it.

    def sign(self, sign: Sign) -> None:
        """Takes a signal, or what came of one."""
        before, self._phase = self._phase, after(self._phase, sign)
        if before is not self._phase:
            self._log.info("node.phase", phase=self._phase, sign=sign)
            self._turned.set()
            self._poked.set()

    def _on_change(self, what: str) -> None:
        self._again(refused=what == "refused")

    def _again(self, *, refused: bool = False) -> None:
        """The pool may be another one than before: all is said, and asked, again."""
        self._voice.again(refused=refused)
        self._catalogue_s = -math.inf
        self._poked.set()

    def _give_back(self, code: str, others_only: bool) -> None:
        """The owner's machine is the owner's again: what still runs ends now."""
        self._log.info("node.given_back", code=code, running=len(self._runs.held()))
        self._runs.stop_all(code=code, others_only=others_only)
        self._poked.set()

    def _work(self) -> Work:
        """What the steward judges by."""
        now, power = time.time(), self._power.power()
        energy = self._voice.energy(now)
        return Work(
            running=len(self._runs.held()),
            foreign=self._runs.foreign,
            slots=sum(replica.slots for replica in self._garage.replicas()),
            surplus_w=energy.surplus_w if energy is not None and now < energy.expires_at else 0.0,
            idle_w=power.idle_w,
            active_w=power.active_w,
        )

    async def _on_in(self, message: NodeIn) -> None:
        if isinstance(message, StartRun):
            own_only = self._steward.lent().lending is Lending.OWN_ONLY
            await self._runs.take(message, reason=self._reason(), own_only=own_only)
        elif isinstance(message, CancelRun):
            self._runs.stop(message.job, message.epoch)

    async def _on_ctl(self, message: NodeDownCtl) -> None:
        match message:
            case Welcome():
                self._on_welcome(message)
            case HelloRequest():
                self._again()
            case UsageAck():
                self._reports.acknowledged(message.job, message.epoch)
                if self._phase is not Phase.SERVING:
                    self._poked.set()  # it may be the last one that it waits for
            case StopRun():
                self._runs.stop(message.job, message.epoch)
            case IdentityRenewed():
                self._keyring.renew(message.jwt)
                self._log.info("node.renewed")
            case LoadModel():
                await self._garage.load(message.model)
            case UnloadModel():
                await self._garage.unload(message.model)
            case CatalogueReply():
                if await self._supplier.take(message.document, message.signature):
                    self._garage.look_again()

    def _on_welcome(self, message: Welcome) -> None:
        for job, epoch in self._voice.welcomed(message):
            self._runs.stop(job, epoch)
        self._log.info("node.welcomed", heartbeat_s=self._voice.heartbeat_s)
        self._poked.set()

    async def _load_failed(self, refusal: Refusal) -> None:
        await self._bus.ctl(LoadFailed(refusal.model, refusal.code, refusal.values))

    # Its life.

    async def run(self) -> None:
        """Serves until it was told to stop, and has stopped.

        Raises:
            AuthenticationError: the bus does not accept this identity.
            PoolError: the bus is not the pool's, or TLS is missing where it is needed.
        """
        stages = (
            self._wind_down(), self._connect(), self._pulse(), self._garage.run(),
            self._supplier.run(changed=self._garage.look_again),
            self._power.run(), self._site.run(),
            self._steward.run(
                poke=self._poked.set, give_back=self._give_back, busy=self._work
            ),
        )  # fmt: skip
        tasks = [asyncio.create_task(stage) for stage in stages]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:  # the first ends with its phase; another one only by what it raises
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._leave()

    async def _wind_down(self) -> None:
        """Ends when it is time to leave."""
        await self._turn(Phase.SERVING)
        if self._phase is Phase.DRAINING:
            idle = asyncio.create_task(self._runs.idle.wait())
            turned = asyncio.create_task(self._turn(Phase.DRAINING))
            await asyncio.wait(
                {idle, turned},
                timeout=self._config.drain_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            self.sign(Sign.IDLE if idle.done() else Sign.TIME_UP)
            for waiter in (idle, turned):
                waiter.cancel()

    async def _turn(self, phase: Phase) -> None:
        """Waits for the end of a phase."""
        while self._phase is phase:
            self._turned.clear()
            await self._turned.wait()

    async def _connect(self) -> None:
        await self._bus.open(self._config.nats_urls, ca_pem=ca_pem(self._folder))
        while True:
            rtt_s, known_s = round(await self._bus.rtt_s(), 6), self._voice.rtt_s
            if rtt_s and (not known_s or abs(rtt_s - known_s) > RTT_CHANGE_S):
                self._voice.rtt_s = rtt_s
                self._poked.set()
            await asyncio.sleep(RTT_EVERY_S)

    async def _pulse(self) -> None:
        beaten_s = progressed_s = resent_s = -math.inf
        while True:
            self._poked.clear()
            now_s = time.monotonic()
            self._look_around()
            if self._bus.is_up:
                if await self._speak(due=now_s - beaten_s >= self._voice.heartbeat_s):
                    beaten_s = now_s
                if now_s - progressed_s >= PROGRESS_S:
                    progressed_s = now_s
                    await self._runs.progress()
                if self._voice.is_welcomed and now_s - resent_s >= RESEND_S:
                    resent_s = now_s
                    await self._bus.resend()
                await self._ask_catalogue(now_s)
            self._voice.write_status(self._state(), self._steward.told())
            with contextlib.suppress(TimeoutError):
                # Not wait_for, which loses a cancellation that comes together with a poke.
                async with asyncio.timeout(min(PROGRESS_S, self._voice.heartbeat_s)):
                    await self._poked.wait()

    def _look_around(self) -> None:
        """Sees what the owner says now; what that means for the models is the garage's affair."""
        self._paused = owner_files.is_paused(self._folder)
        limits = self._limits()
        if limits != self._allowed:
            self._allowed = limits
            self._garage.look_again()

    async def _ask_catalogue(self, now_s: float) -> None:
        digest = self._supplier.digest
        due = now_s - self._catalogue_s >= CATALOGUE_S
        if digest is not None and due and self._voice.is_welcomed:
            self._catalogue_s = now_s
            await self._bus.ctl(CatalogueRequest(digest))

    async def _leave(self) -> None:
        self._phase = Phase.LEAVING
        self._runs.stop_all(code="shutting_down")
        last = [
            asyncio.create_task(self._hand_in()),
            asyncio.create_task(self._turn(Phase.LEAVING)),
        ]
        await asyncio.wait(last, return_when=asyncio.FIRST_COMPLETED)
        for task in last:
            task.cancel()
        await asyncio.wait(last)
        await self._garage.stop()
        await self._bus.close()
        self.sign(Sign.DONE)

    async def _hand_in(self) -> None:
        """Ends the runs, hands in the reports as far as the pool answers, says goodbye."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._runs.idle.wait()
                while self._reports and self._bus.is_up:
                    self._poked.clear()
                    await self._poked.wait()
        if self._bus.is_up:
            await self._bus.ctl(Goodbye(DRAINING))
            await self._bus.flush(LEAVE_S)

    # What it says.

    async def _speak(self, *, due: bool) -> bool:
        return await self._voice.speak(
            self._reason(), self._steward.lent(), models_bytes=self._allowed.models_bytes, due=due
        )

    def _standing(self) -> Standing:
        return Standing(
            phase=self._phase,
            paused=self._paused,
            owner=self._steward.reason(),
            engine_up=self._garage.is_up,
            measuring=self._garage.is_measuring,
        )

    def _reason(self) -> str:
        return reason_not_accepting(self._standing())

    def _limits(self) -> Limits:
        """What the owner allows of loading now."""
        most, lent = self._supplier.models_bytes, self._steward.lent().models_bytes
        return Limits(
            models_bytes=most if lent is None else min(most, lent),
            unload_idle_s=self._config.models.unload_idle_s,
            reason=owners_reason(
                Standing(
                    phase=self._phase,
                    paused=self._paused,
                    engine_up=True,
                    owner=self._steward.reason(),
                )
            ),
        )

    def _state(self) -> str:
        if self._phase is not Phase.SERVING:
            return DRAINING
        if self._voice.is_refused:
            return "refused"
        if not self._bus.is_up:
            return "connecting"
        if not self._voice.is_welcomed:
            return "waiting"
        if self._reason() or self._garage.replicas():
            return self._reason() or ("working" if self._runs.held() else "ready")
        return "loading" if self._garage.loading() else "empty"
