"""A pool on this machine whose scheduler runs in this process, and whose nodes reach it by a link.

NATS, node agents, engines and model are real processes. Each node's connection to the bus passes
through a link that can be cut: bytes then stay where they are and nothing is closed, as when a
cable is pulled.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from tests.cutting_proxy import HOST, CuttingProxy

from entraide_node.engines.llamacpp_child import MODULE as ENGINE_MODULE
from entraide_scheduler.config import load_config
from entraide_scheduler.core.records import ReplicaState
from entraide_scheduler.core.views import JobView
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.service import Service
from entraide_scheduler.up import settings
from entraide_scheduler.up.pool import LocalPool, PoolOptions


class WatchedPool(LocalPool):
    """A pool whose core can be looked into; see ``watched_pool``."""

    def __init__(self, options: PoolOptions) -> None:
        super().__init__(options)
        self.links: dict[int, CuttingProxy] = {}
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
        return len(ready) == self._options.nodes and not backs_off

    async def stop(self) -> None:
        """Stops the nodes, the scheduler, then the bus."""
        for link in self.links.values():
            link.heal()
        if self._service is not None:
            await self._service.stop()
        await super().stop()
        for link in self.links.values():
            await link.close()

    def _node_bus_url(self, number: int) -> str:
        return f"nats://{HOST}:{self.links[number].port}"

    async def _launch_scheduler(self) -> None:
        for number in range(1, self._options.nodes + 1):
            self.links[number] = CuttingProxy(self._ports.nats)
            await self.links[number].start()
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
