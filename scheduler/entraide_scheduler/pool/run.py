"""Pool processes: runs the pool of a directory until it is stopped.

In: ``pool.toml``. Out: the bus, the scheduler with its gateway, and further gateways, supervised;
``pool.json`` while the pool is ready. This process alone renews the certificates of the pool's CA;
the bus reloads them at once, the others see the new files.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from entraide_scheduler.certificates import file_signature
from entraide_scheduler.clock_check import wait_until_decided
from entraide_scheduler.driver import Clock
from entraide_scheduler.findings import Sort, note_end, note_start
from entraide_scheduler.nats.config import LOOPBACK, WILDCARDS, ensure_server_files
from entraide_scheduler.nats.keyfiles import load_admin_key
from entraide_scheduler.pool.config import (
    PoolConfig,
    bus_settings,
    load_pool_config,
    scheduler_config,
)
from entraide_scheduler.pool.create import check_ports
from entraide_scheduler.pool.handover import Handover, delete_record, read_record
from entraide_scheduler.pool.parts import write_parts
from entraide_scheduler.pool.trial import POOL_LOCK
from entraide_scheduler.supervision.poolfile import PoolFile
from entraide_scheduler.supervision.processes import SCHEDULER, PoolProcesses

CERTIFICATE_WATCH_S = 2.0
RENEWAL_CHECK_S = 3_600.0

log = structlog.get_logger("entraide.pool")


class FoundedPool:
    """The processes of the pool in a directory.

    Args:
        state: the pool's directory.
        report: called at each step, with a stable code and the values of its sentence.
    """

    def __init__(self, state: Path, report: Callable[..., None]) -> None:
        self.config: PoolConfig = load_pool_config(state)
        self._state = state
        self._report = report
        self._admin_key = load_admin_key(state)
        self._processes = PoolProcesses(state)
        self._certificates: asyncio.Task[None] | None = None
        self._handover: asyncio.Task[None] | None = None
        self._is_ready = False

    async def start(self) -> PoolFile:
        """Starts all parts; returns when each of them accepts connections.

        Raises:
            PoolError: ``already_running``, ``pool_port_taken``, ``up_failed`` with the last lines
                of the child's log, or see ``NatsServer.start``.
        """
        config, processes = self.config, self._processes
        processes.lock(POOL_LOCK)
        delete_record(self._state)  # of a process before this one
        note_start(self._state, Sort.POOL)
        check_ports(config.ports)
        await wait_until_decided(scheduler_config(config, self._state, bus_url=""), self._report)
        self._report("up-nats")
        settings = bus_settings(config, self._state)
        await processes.start_nats(settings)
        bus_url = processes.nats.url
        self._report("up-scheduler")
        for name, command in write_parts(config, self._state, bus_url=bus_url).items():
            await processes.start_child(name, command)
            if name == SCHEDULER:
                await processes.wait_for_scheduler(processes.admin(self._grpc), self._admin_key)
        await processes.wait_until_none_late(self._find_late_gateways)
        self._certificates = asyncio.create_task(self._keep_certificates(), name="certificates")
        processes.keep_pool_file(self._pool_file)
        self._is_ready = True
        return self._pool_file()

    def begin_handover(self, restart: Callable[[], None]) -> bool:
        """Begins to hand the pool over as ``handover.json`` asks; returns whether it does.

        Args:
            restart: stops the pool and starts this process's command anew; called if the pool can
                go on in no other way.
        """
        record = read_record(self._state)
        if record is None or record.step != "asked" or not self._is_ready:
            return False
        if self._handover is None or self._handover.done():
            handover = Handover(self._state, self._processes, restart)
            self._handover = asyncio.create_task(handover.run(record), name="handover")
        return True

    async def stop(self) -> None:
        """Stops the gateways, the scheduler and the bus, in this order."""
        for task in filter(None, (self._handover, self._certificates)):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._processes.stop()
        if self._is_ready:  # it ends because it was asked to
            note_end(self._state, Sort.POOL)

    def _pool_file(self) -> PoolFile:
        processes = self._processes
        assert processes.ca is not None
        return PoolFile(
            http=self.config.public_url,
            grpc=self._grpc,
            nats=processes.nats.url,
            admin_key=self._admin_key,
            keys={},
            pids=processes.pids,
            ca=processes.ca.read_text("ascii"),
        )

    @property
    def _grpc(self) -> str:
        return local_address(self.config.grpc.host, self.config.grpc.port)

    async def _find_late_gateways(self) -> list[str]:
        """Returns the further gateways that do not accept connections yet."""
        late = []
        http = self.config.http
        host = LOOPBACK[1] if http.host in WILDCARDS else http.host
        for number in range(2, self.config.gateways + 1):
            try:
                _, writer = await asyncio.open_connection(host, http.gateway_port + number - 2)
            except OSError:
                late.append(f"gateway-{number}")
            else:
                writer.close()
        return late

    async def _keep_certificates(self) -> None:
        """Renews the bus's certificate in time, and makes the bus load each new one."""
        settings, clock = bus_settings(self.config, self._state), Clock()
        files = ensure_server_files(settings, now=clock)
        loaded, renewal_at = file_signature(files.cert), time.monotonic() + RENEWAL_CHECK_S
        while True:
            await asyncio.sleep(CERTIFICATE_WATCH_S)
            clock()  # it has to see a jump when it happens
            try:
                if time.monotonic() > renewal_at:
                    renewal_at = time.monotonic() + RENEWAL_CHECK_S
                    ensure_server_files(settings, now=clock)
                present = file_signature(files.cert)
                if present != loaded and await self._processes.nats.reload():
                    loaded = file_signature(files.cert)
            except Exception as problem:  # noqa: BLE001  (a damaged file must not end the watch)
                log.warning("pool.certificate_not_renewed", problem=str(problem))


def local_address(host: str, port: int) -> str:
    """Returns ``host:port`` at which this machine reaches a server that listens on a host."""
    host = LOOPBACK[1] if host in WILDCARDS else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
