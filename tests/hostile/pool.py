"""A live pool for hostile tests: a real bus, a real scheduler, honest nodes, and a rogue node.

The rogue node has a valid token and sends anything, well formed or not. After an attack
``HostilePool.check`` asks that another co-op's request is served by an honest node, and that the
books sum to zero; after all attacks the scheduler stops and starts again from its store.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.core.builders import MODEL, replica, usage
from tests.integration.nats_support import NatsPool, running_pool
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, write_config
from tests.waiting import eventually

from entraide.types import Usage
from entraide.wire import codec, subjects
from entraide.wire import messages as m
from entraide_scheduler.core.machine import Core
from entraide_scheduler.driver import recover
from entraide_scheduler.service import Service

CHAT = "/v1/chat/completions"
BEAT_S = 0.5
ANSWER_S = 20.0  # a client is answered sooner, whatever a node does
SERVED = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"oui"}}]}'


class HonestNode:
    """A node without an engine that does as the protocol asks, until it is closed."""

    def __init__(self, node: ScriptedNode) -> None:
        self.node = node
        self.served = 0
        self._live = asyncio.create_task(self._keep_up())

    async def _keep_up(self) -> None:
        await self.node.send_hello(energy=None)
        beaten_at = time.monotonic()
        while True:
            if self.node.received(m.HelloRequest):
                self.node.control_messages.clear()
                await self.node.send_hello(energy=None)
            while self.node.runs:
                await self._serve(self.node.runs.pop(0))
            if time.monotonic() - beaten_at > BEAT_S:
                beaten_at = time.monotonic()
                await self.node.send_heartbeat()
            await asyncio.sleep(0.005)

    async def _serve(self, run: m.StartRun) -> None:
        used = usage(input_tokens=9, output_tokens=3, **NO_ENERGY)
        await self.node.send(m.Accept(run.job, run.epoch))
        await self.node.answer(run, SERVED, used)
        await self.node.report(run, used)
        self.served += 1

    async def close(self) -> None:
        """Stops it."""
        self._live.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._live


NO_ENERGY: dict[str, Any] = {
    "energy_prefill_uwh": 0, "energy_decode_uwh": 0, "ttft_s": 0.0, "run_s": 0.0,
}  # fmt: skip


class RogueNode:
    """A node with a valid identity that sends anything; it serves a model of its own."""

    def __init__(self, node: ScriptedNode) -> None:
        self.node = node
        self.name = node.name
        self.model = f"model-of-{node.name}"

    async def hello(self, **changes: Any) -> None:
        """Says hello with a card that is well formed but for the changes."""
        await self.node.send_hello(**{"replicas": (replica(self.model),), **changes})

    async def send(self, message: Any) -> None:
        """Sends a control message, or bytes as they are."""
        data = message if isinstance(message, bytes) else codec.encode(message)
        await self.node.connection.publish(subjects.node_ctl_up(self.node.key), data)
        await self.node.connection.flush()

    async def send_out(self, run: m.StartRun, message: Any) -> None:
        """Sends a part of an answer, or bytes as they are."""
        data = message if isinstance(message, bytes) else codec.encode(message)
        await self.node.connection.publish(subjects.node_out(self.node.key, run.gateway), data)
        await self.node.connection.flush()

    async def withdraw(self, pool: "HostilePool") -> None:
        """Leaves, so that nothing more is placed here."""
        await self.send(m.Goodbye("stopped"))
        await eventually(lambda: pool.running.state(self.name) in ("left", ""))

    async def run(self) -> m.StartRun:
        """Returns the run that the pool gave it."""
        await eventually(lambda: self.node.runs)
        run = self.node.runs.pop(0)
        await self.node.send(m.Accept(run.job, run.epoch))
        return run

    async def finish(self, run: m.StartRun, used: Usage) -> None:
        """Ends a run that is not streamed, with one usage for the client and for the books."""
        await self.node.answer(run, SERVED, used)
        await self.node.report(run, used)


class HostilePool:
    """The pool: co-op alpha asks, alpha's node is honest, the rogue nodes are beta's.

    The honest node's grid is the dirtiest, so that a rogue node that serves its model goes first.
    """

    def __init__(self, folder: Path, bus: NatsPool) -> None:
        self._folder = folder
        self._bus = bus
        self._numbers = itertools.count(1)
        self.key = ""

    async def start(self) -> None:
        """Starts the scheduler and the honest node."""
        await self._start()
        self.key = await self.running.operator.key("alpha")
        node = await self.running.join("honest", coop="alpha", zone="CA-AB")
        self.honest = HonestNode(node)
        await eventually(lambda: self.running.state("honest") == "live")

    async def _start(self) -> None:
        self.service = Service(write_config(self._folder, self._bus.url))
        await self.service.start()
        self.running = RunningScheduler(self.service)

    async def restart(self) -> None:
        """Stops the scheduler and starts it from its store; nodes stay on the bus."""
        await self.running.operator.channel.close()
        await self.service.stop()
        connections = self.running._closing
        await self._start()
        self.running._closing.extend(connections)

    async def close(self) -> None:
        """Stops everything."""
        await self.honest.close()
        await self.running.close()
        await self.service.stop()

    async def rogue(self) -> RogueNode:
        """Joins a rogue node; it has not said hello yet."""
        name = f"rogue-{next(self._numbers)}"
        return RogueNode(await self.running.join(name, coop="beta"))

    def count(self, name: str) -> int:
        """Returns a counter of the scheduler."""
        return self.running.driver.counts[name]

    def store_bytes(self) -> int:
        """Returns how large the store's files are."""
        return sum(path.stat().st_size for path in self._folder.glob("*.db*"))

    async def ask(self, model: str = MODEL, **fields: Any) -> tuple[int, Any]:
        """Asks as a client of alpha; returns status and body, decoded unless it is a stream."""
        body = {"model": model, "messages": [{"role": "user", "content": "Bonjour"}], **fields}
        async with (
            self.running.session(self.key) as session,
            session.post(CHAT, json=body, timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as answer,
        ):
            if fields.get("stream"):
                return answer.status, await answer.text()
            return answer.status, await answer.json()

    async def check(self) -> None:
        """Asks that the pool is whole: it serves, and its books balance, in the core and on disk.

        What the attack left in the core survives a snapshot, and what it left in the journal is
        read. That the pool starts again is asked at the end, after all attacks of a module.
        """
        snapshot = self.running.driver.core.snapshot()
        await self.serves()
        self._balances(self.running.driver.core.balances())
        store = self.service.parts.store
        await store.committed()
        self._balances(await store.get_balances())
        await recover(store)

        assert snapshot == Core.restore(snapshot).snapshot()

    async def starts_again(self) -> None:
        """Asks that the pool is whole after a restart from its store."""
        await self.restart()
        await eventually(lambda: self.running.state("honest") == "live")
        await self.check()

    async def serves(self) -> None:
        """Asks that another request is served by the honest node."""
        served = self.honest.served
        status, body = await self.ask()

        assert (200, "oui") == (status, body["choices"][0]["message"]["content"])
        await eventually(lambda: self.honest.served > served)
        await eventually(lambda: not any(self._held_by_honest()))

    def _held_by_honest(self) -> list[int]:
        views = self.running.driver.core.nodes()
        return [sum(view.leases.values()) for view in views if view.card.node == "honest"]

    @staticmethod
    def _balances(balances: dict[str, dict[str, int]]) -> None:
        for unit in ("tokens", "energy_uwh", "carbon_ug"):
            assert 0 == sum(amounts.get(unit, 0) for amounts in balances.values())


@asynccontextmanager
async def hostile_pool(folder: Path) -> AsyncIterator[HostilePool]:
    """Runs a pool with one honest node."""
    async with running_pool(folder) as bus:
        pool = HostilePool(folder, bus)
        await pool.start()
        try:
            yield pool
            await pool.starts_again()
        finally:
            await pool.close()
