"""Local pool: starts and stops the processes of a pool on this machine, in order.

In: options of ``entraide up``. Out: NATS, a scheduler and node agents, connected and ready. The
scheduler is administered over gRPC, as by an operator.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
from msgspec import Struct

from entraide.types import Control, SurplusEvidence
from entraide.v1 import admin_pb2
from entraide_scheduler.nats.config import NatsSettings
from entraide_scheduler.supervision.poolfile import PoolFile
from entraide_scheduler.supervision.processes import Admin, PoolProcesses, bearer, start_error
from entraide_scheduler.up import ports, settings
from entraide_scheduler.up.sites import SITES, site_of

TLS_HOSTS = ("localhost", "127.0.0.1")


class PoolOptions(Struct, frozen=True):
    """Options of ``entraide up``.

    Attributes:
        state: directory of the pool's state.
        http_port: port of the HTTP API on loopback; 0 takes a free one.
        nodes: number of node agents.
        model: path of a GGUF file, or "" for the demo model.
        lang: the pool's language.
        engine: the ``[engine]`` table of every node; empty for llama.cpp with ``model``.
        tls: use TLS on every port, as a pool on several machines must.
    """

    state: Path
    http_port: int = 0
    nodes: int = 3
    model: str = ""
    lang: str = "fr"
    engine: Mapping[str, str | int] = {}
    tls: bool = False


class LocalPool:
    """A pool of processes on this machine.

    Args:
        options: options of ``entraide up``.
        report: called at each step, with a stable code and the values of its sentence.
    """

    def __init__(
        self, options: PoolOptions, report: Callable[..., None] = lambda _code, **_values: None
    ) -> None:
        self._options = options
        self._report = report
        self._processes = PoolProcesses(options.state)
        self._secrets = settings.load_or_make_secrets(options.state)
        self._ports = ports.Ports()

    @property
    def pool_file(self) -> PoolFile:
        """Present content of ``pool.json``."""
        return PoolFile(
            http=self._http,
            grpc=f"127.0.0.1:{self._ports.grpc}",
            nats=self._processes.nats.url,
            admin_key=self._secrets.admin_key,
            keys=dict(self._secrets.keys),
            pids=self._processes.pids,
        )

    @property
    def _http(self) -> str:
        return f"http{'s' if self._options.tls else ''}://127.0.0.1:{self._ports.http}"

    @property
    def ca(self) -> Path | None:
        """Certificate file of the pool's CA; None without TLS."""
        return self._processes.ca

    async def start(self) -> PoolFile:
        """Starts all parts; returns when every approved node is live with its model.

        A node that was revoked or has left the pool is not started.

        Raises:
            PoolError: ``already_running``, or ``up_failed`` with the last lines of the child's log.
        """
        state = self._options.state
        self._processes.lock("up.lock")
        self._report("up-nats")
        hosts = TLS_HOSTS if self._options.tls else ()
        self._ports = ports.choose_ports(state, http=self._options.http_port)
        bus = NatsSettings(state=state, port=self._ports.nats, tls_hosts=hosts)
        await self._processes.start_nats(bus)
        self._report("up-scheduler")
        await self._launch_scheduler()
        await self._processes.wait_for_scheduler(self._admin, self._secrets.admin_key)
        await self._make_keys()
        self._report("up-nodes")
        out = await self._excluded_nodes()
        names = {n: self._node_name(n) for n in range(1, self._options.nodes + 1)}
        numbers = [number for number, name in names.items() if name not in out]
        if len(numbers) < len(names):
            left_out = [name for name in names.values() if name in out]
            self._report("up-nodes-out", nodes=", ".join(left_out))
        await asyncio.gather(*(self._start_or_join(number) for number in numbers))
        await self._wait_for_nodes(numbers)
        self._processes.keep_pool_file(lambda: self.pool_file)
        return self.pool_file

    async def stop(self) -> None:
        """Stops the nodes, which drain, then the scheduler, then NATS."""
        await self._processes.stop()

    async def declare_surplus(self, number: int, surplus_w: float) -> None:
        """Changes the surplus that a demo node's site declares, in the node's own file."""
        directory = settings.node_dir(self._options.state, number)
        settings.write_energy(directory, surplus_w, site_of(number).document)

    async def list_nodes(self) -> list[admin_pb2.Node]:
        """Returns the nodes, from the Admin service."""
        answer = await self._admin.ListNodes(admin_pb2.ListNodesRequest(), metadata=self._auth)
        return list(answer.nodes)

    @property
    def _auth(self) -> tuple[tuple[str, str], ...]:
        return bearer(self._secrets.admin_key)

    @property
    def _admin(self) -> Admin:
        return self._processes.admin(f"127.0.0.1:{self._ports.grpc}")

    async def _launch_scheduler(self) -> None:
        config = settings.write_scheduler_config(
            self._options.state,
            nats_url=self._processes.nats.url,
            http_port=self._ports.http,
            grpc_port=self._ports.grpc,
            lang=self._options.lang,
            admin_key=self._secrets.admin_key,
            tls=(TLS_HOSTS, self.ca) if self.ca else None,
        )
        argv = (sys.executable, "-m", "entraide_scheduler", "run", "--config", str(config))
        await self._processes.start_child("scheduler", argv)

    async def _make_keys(self) -> None:
        for site in SITES:
            if site.coop not in self._secrets.keys:
                request = admin_pb2.CreateKeyRequest(
                    coop=site.coop, project="demo", label="entraide up"
                )
                key = await self._admin.CreateKey(request, metadata=self._auth)
                self._secrets = settings.add_key(
                    self._options.state, self._secrets, site.coop, key.secret
                )

    async def _start_or_join(self, number: int) -> None:
        """Starts a node; a new node joins first."""
        if not settings.has_joined(settings.node_dir(self._options.state, number)):
            await self._join_node(number)
        await self._start_node(number)

    async def _join_node(self, number: int) -> None:
        site = site_of(number)
        request = admin_pb2.CreateJoinTokenRequest(
            coop=site.coop, valid_s=300.0, site=site.name, zone=site.zone,
            controlled_by=Control.MEMBER, document=site.document,
            evidence=SurplusEvidence.INVENTED if site.document else SurplusEvidence.NONE,
        )  # fmt: skip
        token = await self._admin.CreateJoinToken(request, metadata=self._auth)
        await self._run_join(number, token.token, settings.node_dir(self._options.state, number))

    async def _start_node(self, number: int) -> None:
        site = site_of(number)
        directory = settings.node_dir(self._options.state, number)
        settings.write_energy(directory, site.surplus_w, site.document)
        settings.configure_node(
            directory,
            nats_url=self._node_bus_url(number),
            model=self._options.model,
            lang=self._options.lang,
            engine=self._options.engine,
            # Half of the memory, divided among the nodes: each would otherwise assume all of it.
            memory_gb=round(psutil.virtual_memory().total / 2e9 / self._options.nodes, 1),
        )
        argv = (sys.executable, "-m", "entraide_node", "run", "--dir", str(directory))
        env = settings.node_environment(self._options.state)
        await self._processes.start_child(f"node-{number}", argv, env=env)

    def _node_bus_url(self, _: int) -> str:
        """Returns the address at which a node reaches the bus."""
        return self._processes.nats.url

    async def _run_join(self, number: int, token: str, directory: Path) -> None:
        argv = [sys.executable, "-m", "entraide_node", "join", self._http]
        argv += ["--token", "-", "--dir", str(directory)]
        argv += ["--name", f"node-{number}", "--no-service", "--any-time"]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(f"{token}\n".encode())
        if process.returncode:
            raise start_error(f"node-{number}", output.decode(errors="replace"))

    def _node_name(self, number: int) -> str:
        """Returns the name that the pool gave to a node."""
        directory = settings.node_dir(self._options.state, number)
        return settings.node_name(directory) or f"node-{number}"

    async def _excluded_nodes(self) -> set[str]:
        """Returns the names of revoked nodes, which are not started."""
        return {node.node for node in await self.list_nodes() if node.approval == "revoked"}

    async def _wait_for_nodes(self, numbers: Sequence[int]) -> None:
        """Waits until each of these nodes is live with its model, or revoked."""
        homes = {n: settings.node_dir(self._options.state, n) for n in numbers}
        empty = {n for n, directory in homes.items() if settings.has_no_own_engine(directory)}

        async def late() -> list[str]:
            nodes = {node.node: node for node in await self.list_nodes()}
            late_nodes = []
            for number in numbers:
                node = nodes.get(self._node_name(number))
                if node is None or (
                    node.approval != "revoked"
                    and not (node.state == "live" and (node.models or number in empty))
                ):
                    late_nodes.append(f"node-{number}")
            return late_nodes

        await self._processes.wait_until_none_late(late)
