"""The agent: keeps one engine, one connection and one promise, to say truly what it can do.

It decides when to say hello, when to beat and when to stop; what to accept, ``core.duty`` decides,
and what follows on a signal, ``core.phases``. It never advertises an engine that does not answer.

Two loops: one asks the engine whether it serves, the other reads the owner's files, speaks to the
pool and writes the status. Anything that matters pokes the second one, so nothing waits for a tick.
"""

import asyncio
import contextlib
import math
import os
import secrets
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import msgspec
import psutil
import structlog

from entraide.types import EnergyStatus, NodeCard, Power, Replica
from entraide.wire.messages import (
    Cancel,
    Goodbye,
    Heartbeat,
    Hello,
    NodeDownCtl,
    NodeIn,
    Renewed,
    Run,
    SayHello,
    Stop,
    UsageAck,
    Welcome,
)
from entraide_node import owner
from entraide_node.bus import Bus
from entraide_node.config import NodeConfig
from entraide_node.core.duty import DRAINING, Lent, Standing, reason_not_accepting
from entraide_node.core.phases import Phase, Sign, after
from entraide_node.energy.meters import Meter
from entraide_node.energy.sampler import Sampler
from entraide_node.energy.site import Site
from entraide_node.engines.base import Engine
from entraide_node.keys import Keyring, ca_pem
from entraide_node.reports import Reports
from entraide_node.runs import Runs

HEARTBEAT_MIN_S, HEARTBEAT_MAX_S = 0.1, 60.0
ENGINE_ASK_S = 1.0
ENGINE_GONE_S = 15.0  # down for longer: the model leaves the card
RESEND_S = 5.0
PROGRESS_S = 1.0
RTT_EVERY_S = 60.0
RTT_CHANGE_S = 0.005
LEAVE_S = 2.0  # for the last reports and the goodbye
VERSION = version("entraide")
OWNER_RETURNED = "owner_returned"  # what a run ends with that is given back in mid-answer


class Steward(Protocol):
    """Whoever speaks for the machine's owner: when it may work, and when it is given back."""

    def reason(self) -> str:
        """Returns the stable code why the machine takes no work now, or "" when it may."""
        ...

    def lent(self) -> Lent:
        """Returns how much of the machine may be used now."""
        ...

    async def run(self, *, poke: Callable[[], object], give_back: Callable[[str], object]) -> None:
        """Looks for as long as the agent lives.

        Args:
            poke: to be called when ``reason`` or ``lent`` has changed: the pool hears of it at once.
            give_back: to be called, with ``OWNER_RETURNED``, when what runs must end now.
        """
        ...


class Unattended:
    """The steward of a machine whose owner has set no terms."""

    def reason(self) -> str:
        """See ``Steward``."""
        return ""

    def lent(self) -> Lent:
        """See ``Steward``."""
        return Lent()

    async def run(self, *, poke: Callable[[], object], give_back: Callable[[str], object]) -> None:
        """See ``Steward``."""
        await asyncio.Event().wait()


class Agent:
    """One node agent, from its engine's first answer to its goodbye."""

    def __init__(
        self, config: NodeConfig, *, engine: Engine, replica: Replica, power: Power,
        meters: tuple[Meter, ...] = (), steward: Steward | None = None,
    ) -> None:  # fmt: skip
        """Connects nothing yet.

        Args:
            config: all that it is told; ``dir`` holds its identity.
            engine: started.
            replica: what the engine serves, and how fast.
            power: of the machine, where no meter says otherwise.
            meters: of the machine's power, best first; it closes them.
            steward: speaks for the machine's owner; None for one without terms.
        """
        self._config = config
        self._folder = Path(config.dir)
        self._engine = engine
        self._replica = replica
        self._steward = steward or Unattended()
        self._power = Sampler(power, meters)
        self._site = Site(config.energy, self._folder, added_w=lambda: self._power.added_w)
        self._keyring = Keyring(self._folder)
        self._reports = Reports(self._folder)
        self._declaration = owner.Declaration(self._folder, config.energy)
        self._bus = Bus(
            config.node, keyring=self._keyring, reports=self._reports,
            on_ctl=self._on_ctl, on_in=self._on_in, on_change=self._on_change,
        )  # fmt: skip
        self._runs = Runs(
            engine, model=replica.model, slots=replica.slots, post=self._bus,
            meter=self._power, on_trouble=self._look_at_engine,
        )  # fmt: skip
        self._log = structlog.get_logger("entraide.node").bind(node=config.node)
        self._boot = secrets.token_hex(8)
        self._seq = 0
        self._phase = Phase.SERVING
        self._poked = asyncio.Event()
        self._turned = asyncio.Event()
        self._paused = owner.is_paused(self._folder)
        self._engine_down_since_s: float | None = None
        self._rtt_s = 0.0
        self._refused = False
        self._heartbeat_s = 1.0
        self._welcomed = False  # the pool answered
        self._asked = True  # to say hello (again)
        self._started_at = psutil.Process().create_time()
        self._hello: Hello | None = None
        self._said: tuple[str, EnergyStatus | None] = ("", None)
        self._pool_version = ""
        self._clock_offset_s: float | None = None

    # What happens to it.

    def sign(self, sign: Sign) -> None:
        """Takes a signal, or what came of one."""
        before, self._phase = self._phase, after(self._phase, sign)
        if before is not self._phase:
            self._log.info("node.phase", phase=self._phase, sign=sign)
            self._turned.set()
            self._poked.set()

    def _on_change(self, what: str) -> None:
        self._refused = what == "refused"
        self._welcomed, self._asked = False, True
        self._poked.set()

    def _give_back(self, code: str) -> None:
        """The owner's machine is the owner's again: what still runs ends now."""
        self._log.info("node.given_back", code=code, running=len(self._runs.held()))
        self._runs.stop_all(code=code)
        self._poked.set()

    async def _on_in(self, message: NodeIn) -> None:
        if isinstance(message, Run):
            await self._runs.take(message, reason=self._reason())
        elif isinstance(message, Cancel):
            self._runs.stop(message.job, message.epoch)

    async def _on_ctl(self, message: NodeDownCtl) -> None:
        match message:
            case Welcome():
                self._on_welcome(message)
            case SayHello():
                self._welcomed, self._asked = False, True
                self._poked.set()
            case UsageAck():
                self._reports.acknowledged(message.job, message.epoch)
                if self._phase is not Phase.SERVING:
                    self._poked.set()  # it may be the last one that it waits for
            case Stop():
                self._runs.stop(message.job, message.epoch)
            case Renewed():
                self._keyring.renew(message.jwt)
                self._log.info("node.renewed")

    def _on_welcome(self, message: Welcome) -> None:
        self._welcomed = True
        self._pool_version = message.pool_version
        if message.sent_at:
            self._clock_offset_s = round(time.time() - message.sent_at, 3)
        self._heartbeat_s = min(HEARTBEAT_MAX_S, max(HEARTBEAT_MIN_S, message.heartbeat_s))
        # Only what the hello spoke of: a run that came since is not in the answer to it.
        for job, epoch in self._hello.running if self._hello is not None else ():
            if (job, epoch) not in message.keep:
                self._runs.stop(job, epoch)
        self._log.info("node.welcomed", heartbeat_s=self._heartbeat_s)
        self._poked.set()

    # Its life.

    async def run(self) -> None:
        """Serves until it was told to stop, and has stopped.

        Raises:
            AuthenticationError: the bus does not accept this identity.
            PoolError: the bus is not the pool's, or TLS is missing where it is needed.
        """
        stages = (
            self._wind_down(), self._connect(), self._pulse(), self._ask_engine(),
            self._power.run(), self._site.run(),
            self._steward.run(poke=self._poked.set, give_back=self._give_back),
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
            rtt_s = round(await self._bus.rtt_s(), 6)
            if rtt_s and (not self._rtt_s or abs(rtt_s - self._rtt_s) > RTT_CHANGE_S):
                self._rtt_s = rtt_s
                self._poked.set()
            await asyncio.sleep(RTT_EVERY_S)

    async def _ask_engine(self) -> None:
        while True:
            await self._look_at_engine()
            await asyncio.sleep(ENGINE_ASK_S)

    async def _look_at_engine(self) -> None:
        problem = await self._engine.ready()
        down = self._engine_down_since_s is not None
        if problem is None and down:
            self._engine_down_since_s = None
            self._log.info("node.engine_up")
            self._poked.set()
        elif problem is not None and not down:
            self._engine_down_since_s = time.monotonic()
            self._log.warning("node.engine_down", code=problem.code)
            self._poked.set()

    async def _pulse(self) -> None:
        beaten_s = progressed_s = resent_s = -math.inf
        while True:
            self._poked.clear()
            now_s = time.monotonic()
            self._paused = owner.is_paused(self._folder)
            if self._bus.is_up:
                if await self._speak(due=now_s - beaten_s >= self._heartbeat_s):
                    beaten_s = now_s
                if now_s - progressed_s >= PROGRESS_S:
                    progressed_s = now_s
                    await self._runs.progress()
                if self._welcomed and now_s - resent_s >= RESEND_S:
                    resent_s = now_s
                    await self._bus.resend()
            self._write_status()
            with contextlib.suppress(TimeoutError):
                # Not wait_for, which loses a cancellation that comes together with a poke.
                async with asyncio.timeout(min(PROGRESS_S, self._heartbeat_s)):
                    await self._poked.wait()

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
        """Says hello or beats, if there is something to say; returns whether it did."""
        card, energy, reason = self._card(), self._energy(), self._reason()
        known = self._hello is not None and self._hello.card == card and not self._asked
        if not known or (due and not self._welcomed):
            hello = Hello(
                card=card,
                boot=self._boot,
                seq=self._next(),
                sent_at=time.time(),
                accepting=not reason,
                reason=reason,
                running=self._runs.held(),
            )
            self._hello, self._asked = hello, False
            with_energy = msgspec.structs.replace(card, energy=energy)
            await self._bus.ctl(msgspec.structs.replace(hello, card=with_energy))
        elif self._welcomed and (due or self._said != (reason, energy)):
            beat = Heartbeat(
                boot=self._boot,
                seq=self._next(),
                sent_at=time.time(),
                accepting=not reason,
                reason=reason,
                running=len(self._runs.held()),
                energy=energy,
            )
            await self._bus.ctl(beat)
        else:
            return False
        self._said = (reason, energy)
        return True

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _reason(self) -> str:
        return reason_not_accepting(
            Standing(
                phase=self._phase,
                paused=self._paused,
                owner=self._steward.reason(),
                engine_up=self._engine_down_since_s is None,
            )
        )

    def _card(self) -> NodeCard:
        """What it is; its energy, which changes by itself, is added when it is said."""
        down_s = self._engine_down_since_s
        gone = down_s is not None and time.monotonic() - down_s > ENGINE_GONE_S
        return NodeCard(
            node=self._config.node, coop=self._config.coop, site=self._config.site,
            zone=self._config.zone, power=self._power.power(),
            replicas=() if gone else (self._replica,),
            data_classes=self._config.data_classes, energy=None, rtt_s=self._rtt_s,
            agent=VERSION,
        )  # fmt: skip

    def _energy(self) -> EnergyStatus | None:
        """The site's renewable status: by its meters, else as declared."""
        now = time.time()
        return self._site.at(now) or self._declaration.at(now)

    def _state(self) -> str:
        if self._phase is not Phase.SERVING:
            return DRAINING
        if self._refused:
            return "refused"
        if not self._bus.is_up:
            return "connecting"
        if not self._welcomed:
            return "waiting"
        return self._reason() or ("working" if self._runs.held() else "ready")

    def _write_status(self) -> None:
        energy, rates = self._energy(), self._replica.rates
        state = self._state()
        status = owner.Status(
            node=self._config.node, coop=self._config.coop, zone=self._config.zone,
            pool=self._config.pool, pid=os.getpid(), started_at=self._started_at, state=state,
            values={"running": len(self._runs.held()), "model": self._replica.model},
            connected=self._bus.is_up, welcomed=self._welcomed,
            running=len(self._runs.held()), slots=self._replica.slots,
            model=self._replica.model, engine=self._replica.engine,
            surplus_w=energy.surplus_w if energy is not None else 0.0,
            site=self._site.told(), power=self._power.told(),
            reports=len(self._reports), prefill_tokens_per_s=rates.prefill_tokens_per_s,
            tpot_base_s=rates.tpot_base_s, tpot_per_sequence_s=rates.tpot_per_sequence_s,
            pool_version=self._pool_version, clock_offset_s=self._clock_offset_s,
            written_at=time.time(),
        )  # fmt: skip
        try:
            owner.write_status(self._folder, status)
        except OSError as problem:  # a full disk must not take the node away
            self._log.warning("node.status_unwritten", problem=str(problem))
