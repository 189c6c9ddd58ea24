"""A scheduler as a process that a test kills at a step of a job, with nodes that the test plays.

The step is reached by waiting for what it leaves in the store, or by holding the store's write
lock from outside, so that the scheduler does everything up to a write and nothing after it.
"""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import Operator, ScriptedNode, write_config
from tests.waiting import eventually

from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.nats import Identity, connect, new_user_key

READY = "scheduler.ready"
HEARTBEAT_S = 1.0
RUN = """
import sys
from entraide_scheduler.nodes import usage_reports
from entraide_scheduler.__main__ import main

usage_reports.REPORT_TIMEOUT_S = float(sys.argv.pop(1))
main()
"""


class SchedulerProcess:
    """A scheduler in a process of its own, on a bus that outlives it.

    Attributes:
        program: what the process runs; its first argument is ``seconds``.
    """

    program = RUN

    def __init__(self, folder: Path, bus: NatsPool, *, state: Path | None = None) -> None:
        self.folder, self.bus = folder, bus
        self.state = state or folder
        self.lines: list[dict[str, Any]] = []
        self.environment: dict[str, str] = {}
        self.seconds = 2.0
        self._reader: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.operator: Operator | None = None
        self.url = ""

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process, once started."""
        assert self._process is not None
        return self._process

    async def start(self) -> None:
        """Starts the scheduler and waits until it is ready."""
        self.lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", self.program, str(self.seconds), "run"),
            *("--config", str(self.folder / "scheduler.toml")),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.environment},
        )
        self._reader = asyncio.create_task(self._read())
        await eventually(lambda: self.said(READY) or self.process.returncode is not None)
        (ready,) = self.said(READY) or self.lines[-1:]
        self.url = ready["http"]
        self.operator = Operator(ready["grpc"])

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            with contextlib.suppress(json.JSONDecodeError):
                self.lines.append(json.loads(line))

    def said(self, event: str) -> list[dict[str, Any]]:
        """Returns the lines of its log with an event."""
        return [line for line in self.lines if line.get("event") == event]

    async def end(self, sign: signal.Signals = signal.SIGKILL) -> int:
        """Ends the process by a signal; returns its status."""
        if self._process is None:
            return 0
        if self.process.returncode is None:
            self.process.send_signal(sign)
        status = await self.process.wait()
        assert self._reader is not None
        await self._reader
        if self.operator is not None:
            await self.operator.channel.close()
        return status

    def session(self, key: str) -> aiohttp.ClientSession:
        """Returns an HTTP session of a key's holder."""
        return aiohttp.ClientSession(self.url, headers={"authorization": f"Bearer {key}"})

    def rows(self, query: str) -> list[Any]:
        """Returns what a query of its store gives now."""
        with contextlib.closing(sqlite3.connect(self.state / "store.db")) as store:
            return store.execute(query).fetchall()

    def settled(self) -> list[str]:
        """Returns the settled jobs, once for each settlement."""
        return [job for (job,) in self.rows("SELECT job FROM settled ORDER BY job")]

    def events(self) -> list[str]:
        """Returns the kinds of the journal's events."""
        return [
            msgspec.msgpack.decode(event)[0] for (event,) in self.rows("SELECT event FROM journal")
        ]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the store's write lock: the scheduler's next commit waits."""
        store = sqlite3.connect(self.state / "store.db", isolation_level=None, timeout=30.0)
        try:
            store.execute("BEGIN IMMEDIATE")
            yield
        finally:
            store.close()


class PlayedNode:
    """A node that stays on the bus, and beats, while schedulers come and go."""

    def __init__(self, node: ScriptedNode) -> None:
        self.node = node

    async def beat(self) -> None:
        """Sends a heartbeat each second, as agents do, until it is cancelled."""
        while True:
            await self.node.send_heartbeat()
            await asyncio.sleep(HEARTBEAT_S)

    async def come(self, *running: m.StartRun, restarted: bool = False) -> None:
        """Says hello to the scheduler that runs, with the runs it holds, once it is asked to."""
        if restarted:
            self.node.boot += "x"
            self.node.seq = 0
        else:
            asked = len(self.node.received(m.HelloRequest))
            await eventually(lambda: len(self.node.received(m.HelloRequest)) > asked)
        welcomes = len(self.node.received(m.Welcome))
        await self.node.send_hello(running=tuple((run.job, run.epoch) for run in running))
        await eventually(lambda: len(self.node.received(m.Welcome)) > welcomes)

    async def next_run(self) -> m.StartRun:
        """Returns the next run, accepted."""
        await eventually(lambda: self.node.runs)
        run = self.node.runs.pop(0)
        await self.node.send(m.Accept(run.job, run.epoch))
        return run

    def acknowledged(self, run: m.StartRun) -> bool:
        """Whether the report of a run is acknowledged."""
        return (run.job, run.epoch) in self.node.acknowledged()


async def play_node(scheduler: SchedulerProcess) -> PlayedNode:
    """Joins a node of the co-op ``beta`` and connects it; it has said nothing yet."""
    assert scheduler.operator is not None
    seed, public = new_user_key()
    token = await scheduler.operator.token("beta")
    joined = await scheduler.operator.join(token, seed)
    identity = Identity(joined.jwt, seed, subjects.node_inbox(public))
    connection = await connect([scheduler.bus.url], identity=identity, name="n1", deadline_s=10.0)
    node = ScriptedNode(joined.node, identity, connection)
    await node.listen()
    return PlayedNode(node)


@asynccontextmanager
async def killable(
    folder: Path, bus: NatsPool, more: str = ""
) -> AsyncIterator[tuple[SchedulerProcess, PlayedNode, str]]:
    """A scheduler's process, a live node and a key of the co-op ``alpha``."""
    write_config(folder, bus.url, more)
    scheduler = SchedulerProcess(folder, bus)
    connection = beating = None
    try:
        await scheduler.start()
        assert scheduler.operator is not None
        played = await play_node(scheduler)
        connection = played.node.connection
        beating = asyncio.create_task(played.beat())
        await played.come()
        yield scheduler, played, await scheduler.operator.key("alpha")
    finally:
        if beating is not None:
            beating.cancel()
        if connection is not None:
            await connection.close()
        await scheduler.end()
