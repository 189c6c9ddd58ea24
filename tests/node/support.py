"""A node under test: its agent on a real bus, and a peer that plays scheduler and gateway."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from nats.aio.msg import Msg
from tests.integration.nats_support import NatsPool, node_key
from tests.waiting import eventually

from entraide import __version__
from entraide.types import Basis, Outcome, Power, Rates, Replica
from entraide.wire import codec, subjects
from entraide.wire.messages import (
    PROTOCOL,
    CancelRun,
    Heartbeat,
    Hello,
    NodeDownCtl,
    NodeOut,
    NodeUp,
    StartRun,
    UsageAck,
    UsageReport,
    Welcome,
)
from entraide_node import keys
from entraide_node.agent import Agent
from entraide_node.config import NodeConfig
from entraide_node.core.phases import PhaseEvent
from entraide_node.energy.meters import PowerMeter
from entraide_node.engines.base import (
    CHAT,
    ChunkReceiver,
    Engine,
    EngineChunk,
    EngineEnd,
    EngineFacts,
    EngineFailure,
    EngineMetrics,
    EngineProblem,
    EngineRequest,
    EngineTimings,
    EngineUsage,
    HeldPrefixes,
)
from entraide_node.machine_probes import MachineProbes
from entraide_node.machine_setup import EngineInstance, MachineSetup
from entraide_node.model_manager.catalogue_source import CatalogueSource
from entraide_node.sleep_inhibitor import TakeLock

DEADLINE_S = 20.0
NODE, GATEWAY, MODEL = "node-1", "desk-1", "small"
POWER = Power(device="test", idle_w=10.0, active_w=46.0, basis=Basis.DEFAULT)
RATES = Rates(
    prefill_tokens_per_s=500.0, tpot_base_s=0.02, tpot_per_sequence_s=0.001, basis=Basis.MEASURED
)
M = TypeVar("M")


class ScriptedEngine:
    """An engine that the test controls: each run passes on what the test queues."""

    def __init__(self) -> None:
        self.lines: dict[str, asyncio.Queue[EngineChunk | EngineEnd]] = {}
        self.cancelled: list[str] = []
        self.closed: list[str] = []
        self.problem: EngineProblem | None = None
        self.requests: list[EngineRequest] = []
        self.rest_bytes_max: int | None = 0
        self.forgotten: list[bytes] = []
        self.held = HeldPrefixes()
        self.facts = EngineFacts(
            name="scripted", version="1", model_alias=MODEL, model_revision="sha256:00",
            context_tokens=2048, slots=2, threads=1, features=(), api_base="",
        )  # fmt: skip

    async def start(self) -> EngineProblem | None:
        """Serves at once."""
        return None

    async def ready(self) -> EngineProblem | None:
        """Serves unless the test says otherwise."""
        return self.problem

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Passes on what the test says, until the end."""
        self.requests.append(request)
        line = self.lines.setdefault(request.job, asyncio.Queue())
        try:
            while not isinstance(item := await line.get(), EngineEnd):
                waiting = receive(item)
                if waiting is not None:
                    await waiting
            return item
        finally:
            self.closed.append(request.job)

    def cancel(self, job: str) -> bool:
        """Ends a run as cancelled, with what it had."""
        self.cancelled.append(job)
        line = self.lines.setdefault(job, asyncio.Queue())
        line.put_nowait(end(Outcome.CANCELLED, completion=3))
        return True

    async def metrics(self) -> EngineMetrics | None:
        """Tells nothing."""
        return None

    def expect_rates(self, rates: Rates) -> None:
        """Measures no steps."""

    def limit_prefixes(self, rest_bytes_max: int | None) -> None:
        """Notes what it may hold."""
        self.rest_bytes_max = rest_bytes_max

    def forget_prefixes(self, owner: bytes) -> None:
        """Notes whose prompts it forgets."""
        self.forgotten.append(owner)

    def held_prefixes(self) -> HeldPrefixes:
        """Holds what the test says."""
        return self.held

    async def stop(self) -> None:
        """Has nothing to stop."""

    def say(self, job: str, item: EngineChunk | EngineEnd) -> None:
        """Lets a run pass something on, or end."""
        self.lines.setdefault(job, asyncio.Queue()).put_nowait(item)


def end(
    outcome: Outcome = Outcome.COMPLETED,
    *,
    completion: int = 5,
    failure: EngineFailure | None = None,
    body: bytes = b"",
    final: bytes = b"",
) -> EngineEnd:
    """How a scripted run ends."""
    return EngineEnd(
        outcome,
        usage=EngineUsage(7, completion, 2, counted=Basis.MEASURED),
        timings=EngineTimings(0.1, 0.2, 0.1, 0.1, timed=Basis.MEASURED),
        failure=failure,
        body=body,
        final_chunk=final,
    )


class Peer:
    """The pool's side of the bus: answers hellos, records the node's messages, sends runs."""

    def __init__(self, pool: NatsPool) -> None:
        self._pool = pool
        self.ctl: list[NodeUp] = []
        self.out: list[NodeOut] = []
        self.keep: tuple[tuple[str, int], ...] | None = None  # None: all that the hello names
        self.welcomes = True
        self.periods_s = (0.2, 0.2)  # of the heartbeats of an idle and of a busy node
        self.acknowledges = True

    async def start(self) -> None:
        """Connects as scheduler and as gateway."""
        self._scheduler = await self._pool.scheduler()
        self._gateway = await self._pool.gateway(GATEWAY)
        await self._scheduler.subscribe(subjects.ALL_NODES_CTL, cb=self._on_ctl)
        await self._gateway.subscribe(subjects.out_of_all_nodes(GATEWAY), cb=self._on_out)
        await self._scheduler.flush()
        await self._gateway.flush()

    async def _on_ctl(self, message: Msg) -> None:
        said = codec.node_up.decode(message.data)
        self.ctl.append(said)
        if isinstance(said, Hello) and self.welcomes:
            keep = said.running if self.keep is None else self.keep
            idle_s, busy_s = self.periods_s
            await self.tell(Welcome(idle_s, keep, PROTOCOL, __version__, time.time(), busy_s))
        if isinstance(said, UsageReport) and self.acknowledges:
            await self.tell(UsageAck(said.job, said.epoch))

    async def _on_out(self, message: Msg) -> None:
        self.out.append(codec.node_out.decode(message.data))

    async def tell(self, message: NodeDownCtl) -> None:
        """Speaks as the scheduler."""
        await self._scheduler.publish(subjects.node_ctl_down(node_key(NODE)), codec.encode(message))

    async def send(self, message: StartRun | CancelRun) -> None:
        """Speaks as the gateway."""
        await self._gateway.publish(subjects.node_in(node_key(NODE)), codec.encode(message))

    def said(self, kind: type[M], **fields: object) -> list[M]:
        """Returns what the node said of one kind, with these fields."""
        return [
            message
            for message in (*self.ctl, *self.out)
            if isinstance(message, kind)
            and all(getattr(message, name) == value for name, value in fields.items())
        ]

    def states(self, **fields: object) -> list[Hello | Heartbeat]:
        """Returns what the node said of its state, with these fields.

        A hello or a later heartbeat says it: a hello is sent again only where the card changes, so
        it depends on whether the engine or the owner's terms were ready first.
        """
        return [*self.said(Hello, **fields), *self.said(Heartbeat, **fields)]

    async def hear_state(self, **fields: object) -> Hello | Heartbeat:
        """Waits until the node has said that its state has these fields."""
        await eventually(lambda: self.states(**fields))
        return self.states(**fields)[-1]

    async def hear(self, kind: type[M], **fields: object) -> M:
        """Waits until the node has said something, and returns the last of it."""
        await eventually(lambda: self.said(kind, **fields))
        return self.said(kind, **fields)[-1]


def configure(pool: NatsPool, folder: Path, **fields: object) -> NodeConfig:
    """Admits a node and gives it a folder."""
    identity, _ = pool.new_node(NODE)
    keys.save_identity(folder, keys.StoredIdentity(node=NODE, jwt=identity.jwt, seed=identity.seed))
    config = NodeConfig(
        node=NODE, coop="boreale", zone="CA-QC", nats_urls=(pool.url,), dir=str(folder),
        drain_s=5.0, lang="en",
    )  # fmt: skip
    return msgspec.structs.replace(config, **fields)


def replica(facts: EngineFacts) -> Replica:
    """What the node says of an engine that was not measured."""
    return Replica(
        model=facts.model_alias, revision=facts.model_revision, context_tokens=facts.context_tokens,
        engine=f"{facts.name}/{facts.version}", slots=facts.slots, features=facts.features,
        rates=RATES,
    )  # fmt: skip


async def read_terms(agent: Agent) -> None:
    """Waits until an agent has read its owner's terms; before, it accepts no run."""
    await eventually(lambda: agent._policy_driver.reason() != "starting")


@asynccontextmanager
async def serving(
    config: NodeConfig, engine: Engine, *, meters: tuple[PowerMeter, ...] = (),
    probes: MachineProbes | None = None, take_lock: TakeLock | None = None,
) -> AsyncIterator[Agent]:  # fmt: skip
    """An agent at work that has read its owner's terms; it has left when this ends."""
    instance = EngineInstance(engine, replica(engine.facts), measured_at=time.time())
    machine = MachineSetup((instance,), POWER, meters)
    agent = Agent(
        config, machine=machine, model_source=CatalogueSource(config), probes=probes,
        take_lock=take_lock,
    )  # fmt: skip
    task = asyncio.create_task(agent.run())
    try:
        await read_terms(agent)
        yield agent
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        with contextlib.suppress(asyncio.CancelledError):
            await task


def run(job: str, *, epoch: int = 1, stream: bool = False, **fields: object) -> StartRun:
    """A run of a chat."""
    body = b'{"model":"small","messages":[{"role":"user","content":"Bonjour"}],"max_tokens":8}'
    message = StartRun(
        job=job, epoch=epoch, gateway=GATEWAY, path=CHAT, model=MODEL, stream=stream, body=body
    )
    return msgspec.structs.replace(message, **fields)
