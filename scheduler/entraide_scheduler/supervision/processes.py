"""Pool processes: starts, supervises and ends the bus and the children of one pool.

In: the pool's state directory and the settings of its bus. Out: running processes, ``pool.json``
while the pool is ready, and calls of the scheduler's ``Admin`` service over gRPC, as an operator
makes them. ``up`` and ``pool run`` decide what is started and in which order.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, TypeAlias

import grpc

from entraide.errors import PoolError
from entraide.v1 import admin_pb2, admin_pb2_grpc
from entraide_scheduler.nats.config import NatsSettings
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.keyfiles import lock_home
from entraide_scheduler.nats.server import NatsServer
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.children import Child, ChildSpec
from entraide_scheduler.supervision.poolfile import PoolFile

READY_TIMEOUT_S = 180.0
POLL_S = 0.1
WATCH_S = 0.5
ADMIN_TIMEOUT_S = 1.0
STARTS_MAX = 5  # of one child before the pool is ready; then starting fails
SCHEDULER = "scheduler"

Admin: TypeAlias = "admin_pb2_grpc.AdminAsyncStub"


class PoolProcesses:
    """The bus and the children of one pool.

    Args:
        state: the pool's state directory.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.children: dict[str, Child] = {}
        self._nats: NatsServer | None = None
        self._channel: grpc.aio.Channel | None = None
        self._file_task: asyncio.Task[None] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def nats(self) -> NatsServer:
        """The bus, once started."""
        assert self._nats is not None, "the bus was not started"
        return self._nats

    @property
    def ca(self) -> Path | None:
        """Certificate file of the pool's CA; None without TLS, or before the start."""
        return self._nats.config.ca if self._nats is not None else None

    @property
    def pids(self) -> dict[str, int]:
        """Process id of this process, of the bus and of each child that runs."""
        pids = {poolfile.SUPERVISOR: os.getpid(), "nats": self.nats.pid}
        return pids | {name: child.pid for name, child in self.children.items() if child.pid}

    def lock(self, name: str) -> None:
        """Locks the state directory for this process.

        Raises:
            PoolError: ``already_running``.
        """
        self._lock = lock_home(self.state, name)

    async def start_nats(self, settings: NatsSettings) -> None:
        """Starts the bus with the pool's identity; creates that at the first start.

        Raises:
            PoolError: see ``NatsServer.start``.
        """
        self._nats = NatsServer(settings, PoolIdentity(self.state))
        await self._nats.start()

    async def start_child(
        self,
        name: str,
        argv: tuple[str, ...],
        *,
        env: Mapping[str, str] = MappingProxyType({}),
        sockets: Sequence[socket.socket] = (),
        key: str = "",
    ) -> Child:
        """Starts and supervises a child; its output goes to ``logs/NAME.log``.

        Args:
            name: of the child.
            argv: program and arguments.
            env: variables in addition to this process's own.
            sockets: listening sockets that it inherits.
            key: its name in ``children`` if it waits to take the place of the present one.
        """
        log = self.state / "logs" / f"{name}.log"
        spec = ChildSpec(name=name, argv=argv, log=log, env=env)
        child = self.children[key or name] = Child(spec, sockets, waits=bool(key))
        await child.start()
        return child

    def admin(self, address: str) -> Admin:
        """Returns the stub of the scheduler's ``Admin`` service, at ``host:port``."""
        if self._channel is None:
            if self.ca is None:
                self._channel = grpc.aio.insecure_channel(address)
            else:
                trust = grpc.ssl_channel_credentials(self.ca.read_bytes())
                self._channel = grpc.aio.secure_channel(address, trust)
        return admin_pb2_grpc.AdminStub(self._channel)

    async def wait_for_scheduler(self, admin: Admin, key: str) -> None:
        """Waits until the scheduler answers the operator's key.

        Raises:
            PoolError: ``up_failed``.
        """

        async def late() -> list[str]:
            try:
                await admin.GetStatus(
                    admin_pb2.GetStatusRequest(), metadata=bearer(key), timeout=ADMIN_TIMEOUT_S
                )
            except grpc.aio.AioRpcError:
                return [SCHEDULER]
            return []

        await self.wait_until_none_late(late)

    async def wait_until_none_late(self, late: Callable[[], Awaitable[list[str]]]) -> None:
        """Waits until ``late`` names no child any more.

        Raises:
            PoolError: ``up_failed``: a child died too often, or was not ready in time.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        while names := await late():
            for name in names:
                child = self.children[name]
                if time.monotonic() > deadline or child.starts >= STARTS_MAX:
                    raise start_error(name, child.read_log_tail())
            await asyncio.sleep(POLL_S)

    def keep_pool_file(self, current: Callable[[], PoolFile]) -> None:
        """Writes ``pool.json`` now and, until ``stop``, whenever its content changes."""
        poolfile.write(self.state, written := current())

        async def update(written: PoolFile) -> None:
            while True:
                await asyncio.sleep(WATCH_S)
                if (now := current()) != written:
                    poolfile.write(self.state, now)
                    written = now

        self._file_task = asyncio.create_task(update(written), name="pool-file")

    async def stop(self) -> None:
        """Stops the other children, which drain, then the scheduler, then the bus."""
        if self._lock is not None:  # else the folder is another process's
            poolfile.remove(self.state)
        if self._file_task is not None:
            self._file_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._file_task
        others = [child for name, child in self.children.items() if name != SCHEDULER]
        await asyncio.gather(*(child.stop() for child in others))
        if SCHEDULER in self.children:
            await self.children[SCHEDULER].stop()
        if self._channel is not None:
            await self._channel.close()
        if self._nats is not None:
            await self._nats.stop()
        if self._lock is not None:
            self._lock.close()


def bearer(key: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call that shows a key."""
    return (("authorization", f"Bearer {key}"),)


def start_error(name: str, detail: str) -> PoolError:
    """Returns the error of a part that does not start, with the last lines of its output."""
    return PoolError("up_failed", f"{name}: {detail}", values={"child": name, "detail": detail})
