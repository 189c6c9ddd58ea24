"""A pool on this machine whose scheduler runs in this process, and whose nodes reach it by a link.

NATS, node agents, engines and model are real processes. Each node's connection to the bus passes
through a link that can be cut: bytes then stay where they are and nothing is closed, as when a
cable is pulled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from entraide_node.engines.llamacpp_child import MODULE as ENGINE_MODULE
from entraide_scheduler.config import load_config
from entraide_scheduler.core.records import ReplicaState
from entraide_scheduler.core.views import JobView
from entraide_scheduler.live_driver import LiveDriver
from entraide_scheduler.service import Service
from entraide_scheduler.up import settings
from entraide_scheduler.up.pool import LocalPool, PoolOptions

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536


class Link:
    """A TCP relay to the bus that can be cut.

    Attributes:
        port: where the node connects.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listens on a free port."""
        self._server = await asyncio.start_server(self._relay, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Holds back all bytes from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Lets the bytes pass again."""
        self._whole.set()

    async def stop(self) -> None:
        """Ends every connection."""
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bus_reader, bus_writer = await asyncio.open_connection(HOST, self._target_port)
        for source, sink in ((reader, bus_writer), (bus_reader, writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                await self._whole.wait()
                sink.write(data)
                await sink.drain()
        await self._whole.wait()
        sink.close()


class WatchedPool(LocalPool):
    """A pool whose core can be looked into; see ``watched_pool``."""

    def __init__(self, options: PoolOptions) -> None:
        super().__init__(options)
        self.links = {number: Link(0) for number in range(1, options.nodes + 1)}
        self._service: Service | None = None

    @property
    def driver(self) -> LiveDriver:
        """The driver of the core."""
        assert self._service is not None
        return self._service.parts.driver

    @property
    def url(self) -> str:
        """Address of the HTTP API."""
        return self.pool_file.http

    def key(self, coop: str) -> str:
        """An API key of a demo co-op."""
        return self.pool_file.keys[coop]

    def agent(self, node: str) -> psutil.Process:
        """The present process of a node's agent."""
        return psutil.Process(self.pool_file.pids[node])

    def engine(self, node: str) -> psutil.Process | None:
        """The engine's process of a node; None while it has none."""
        children = self.agent(node).children()
        return next((child for child in children if ENGINE_MODULE in child.cmdline()), None)

    def active_job(self) -> JobView | None:
        """A job that has produced output, with its node."""
        jobs = self.driver.core.jobs()
        return next((job for job in jobs if job.node and job.output_tokens), None)

    def is_whole(self) -> bool:
        """Whether every node is live, takes work, serves its model and does not back off."""
        views = [view for view in self.driver.core.nodes() if view.state.value == "live"]
        ready = [view for view in views if view.accepting and view.card.replicas]
        backs_off = any(
            backoff.state is ReplicaState.RESTING for view in ready for backoff in view.resting
        )
        return len(ready) == len(self.links) and not backs_off

    async def stop(self) -> None:
        """Stops the nodes, the scheduler, then the bus."""
        for link in self.links.values():
            link.mend()
        if self._service is not None:
            await self._service.stop()
        await super().stop()
        for link in self.links.values():
            await link.stop()

    def _node_bus_url(self, number: int) -> str:
        return f"nats://{HOST}:{self.links[number].port}"

    async def _launch_scheduler(self) -> None:
        for link in self.links.values():
            link._target_port = self._ports.nats  # noqa: SLF001
            await link.start()
        config = settings.write_scheduler_config(
            self._options.state,
            nats_url=self._processes.nats.url,
            http_port=self._ports.http,
            grpc_port=self._ports.grpc,
            lang=self._options.lang,
            admin_key=self._secrets.admin_key,
            tls=None,
        )
        self._service = Service(load_config(config))
        await self._service.start()


@asynccontextmanager
async def watched_pool(state: Path, *, nodes: int) -> AsyncIterator[WatchedPool]:
    """Runs a pool within a context."""
    pool = WatchedPool(PoolOptions(state, nodes=nodes, lang="en"))
    try:
        await pool.start()
        yield pool
    finally:
        await pool.stop()
