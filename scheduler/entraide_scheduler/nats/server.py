"""NATS server: starts, supervises, restarts and ends the nats-server as a child process.

After a crash the server restarts on the same port, so that its clients reconnect by themselves.
``config`` writes its configuration before each start.
"""

import asyncio
import contextlib
import signal
import time
from asyncio.subprocess import Process
from typing import Any

import msgspec
import structlog

from entraide.decoding import decode_json
from entraide.errors import PoolError
from entraide_scheduler.nats.config import (
    NatsServerConfig,
    NatsSettings,
    build_server_command,
    find_server_binary,
    format_config,
    write_config,
)
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.parent_watch import claim_directory, make_death_signal_hook

__all__ = [
    "NatsServer",
    "NatsServerConfig",
    "NatsSettings",
    "build_server_command",
    "find_server_binary",
    "format_config",
    "is_healthy",
    "write_config",
]

READY_TIMEOUT_S = 10.0
READY_POLL_S = 0.02
RELOAD_TIMEOUT_S = 5.0
MONITOR_TIMEOUT_S = 1.0
STOP_TIMEOUT_S = 5.0
FREE_PORT_ATTEMPTS_MAX = 3
RESTART_DELAY_MIN_S = 0.1
RESTART_DELAY_MAX_S = 5.0
STEADY_AFTER_S = 60.0
COMPLAINT_MAX_BYTES = 4_096

_STDERR_FILE = "nats-server.stderr"

_log = structlog.get_logger("entraide.nats")


class NatsServer:
    """One supervised nats-server.

    Logged events: ``nats.ready``, ``nats.died``, ``nats.restart_failed``,
    ``nats.reload_failed``, ``nats.stopped``.

    Args:
        settings: where it listens.
        identity: the pool's identity; its claims are written before each start.
    """

    def __init__(self, settings: NatsSettings, identity: PoolIdentity) -> None:
        self._settings = settings
        self._identity = identity
        self._config: NatsServerConfig | None = None
        self._process: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def config(self) -> NatsServerConfig:
        """The configuration in use, after ``start``."""
        assert self._config is not None, "the server was not started"
        return self._config

    @property
    def url(self) -> str:
        """Address for processes of this machine."""
        return self.config.url

    @property
    def pid(self) -> int:
        """Process id of the present or the last server."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    async def start(self) -> None:
        """Starts the server; returns when it accepts connections.

        Raises:
            PoolError: ``nats_not_ready``, ``nats_binary_missing``, ``nats_plain_refused``,
                ``nats_already_running``, or an error of the pool's identity files.
        """
        assert self._supervisor is None, "start a server once"
        await asyncio.to_thread(
            claim_directory, self._settings.state / "nats", program="nats-server"
        )
        attempts = 1 if self._settings.port else FREE_PORT_ATTEMPTS_MAX
        for attempt in range(1, attempts + 1):
            try:
                await self._spawn()
                break
            except PoolError:
                if attempt == attempts:
                    raise
        self._settings = msgspec.structs.replace(self._settings, port=self.config.port)
        self._supervisor = asyncio.create_task(self._supervise(), name="nats-server keeper")

    async def stop(self) -> None:
        """Ends the server and its supervision; idempotent."""
        self._stopping.set()
        await self._terminate()
        if self._supervisor is not None:
            await self._supervisor
        _log.info("nats.stopped")

    async def reload(self) -> bool:
        """Makes the running server reload its certificate and claims; connections stay open.

        Returns:
            Whether the server loaded them; if not, its log has the reason.
        """
        assert self._process is not None, "the server was not started"
        loaded = await _loaded_at(self.config)
        write_config(
            self._settings,
            self._identity,
            monitor_port=self.config.monitor_port,
            monitor_path=self.config.monitor_path,
        )
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + RELOAD_TIMEOUT_S
        while await _loaded_at(self.config) in {loaded, ""}:
            if time.monotonic() > deadline:
                _log.error("nats.reload_failed", log=str(self.config.path.parent))
                return False
            await asyncio.sleep(READY_POLL_S)
        return True

    async def _supervise(self) -> None:
        failures = 0
        while True:
            assert self._process is not None
            started_at = time.monotonic()
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started_at > STEADY_AFTER_S else failures + 1
            _log.error("nats.died", exit_code=code, failures=failures)
            delay_s = min(RESTART_DELAY_MAX_S, RESTART_DELAY_MIN_S * (1 << min(failures, 16)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()
                return
            try:
                await self._spawn()
            except (PoolError, OSError) as problem:
                _log.error("nats.restart_failed", problem=str(problem))

    async def _spawn(self) -> None:
        config = write_config(self._settings, self._identity)
        with config.path.with_name(_STDERR_FILE).open("wb") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                *build_server_command(config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                preexec_fn=make_death_signal_hook(),
                start_new_session=True,  # Ctrl-C reaches the parent only, which ends its children
            )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not await is_healthy(config):
            exited = self._process.returncode is not None
            if exited or self._stopping.is_set() or time.monotonic() > deadline:
                await self._terminate()
                reason = _read_last_error(config)
                raise PoolError(
                    "nats_not_ready",
                    f"nats-server did not become ready: {reason}",
                    values={"path": str(config.path.parent), "problem": reason},
                )
            await asyncio.sleep(READY_POLL_S)
        self._config = config
        _log.info("nats.ready", pid=self._process.pid, url=config.url)

    async def _terminate(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _read_last_error(config: NatsServerConfig) -> str:
    """Returns the server's last error: its stderr, or the fatal lines of its log."""
    output = config.path.with_name(_STDERR_FILE).read_bytes()[-COMPLAINT_MAX_BYTES:]
    if not output.strip():
        with contextlib.suppress(OSError):
            log = config.path.with_name("nats-server.log").read_bytes()[-COMPLAINT_MAX_BYTES:]
            output = b"\n".join(line for line in log.splitlines()[-2:] if b"[FTL]" in line)
    return output.decode(errors="replace").strip() or "it gave no reason"


async def is_healthy(config: NatsServerConfig) -> bool:
    """Whether the server with this configuration is healthy (``/healthz``)."""
    status, _ = await _monitor(config, "/healthz")
    return status == 200


async def _loaded_at(config: NatsServerConfig) -> str:
    """Returns the server's ``config_load_time``; "" if it does not reply."""
    status, body = await _monitor(config, "/varz")
    if status != 200:
        return ""
    return str(decode_json(body, type=dict[str, Any]).get("config_load_time", ""))


async def _monitor(config: NatsServerConfig, path: str) -> tuple[int, bytes]:
    """Requests a monitoring page; status 0 if the server does not reply."""
    try:
        async with asyncio.timeout(MONITOR_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", config.monitor_port)
            try:
                writer.write(f"GET {config.monitor_path}{path} HTTP/1.0\r\n\r\n".encode())
                await writer.drain()
                response = await reader.read()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return 0, b""
    head, _, body = response.partition(b"\r\n\r\n")
    status_field = head.split()[1:2]
    return (int(status_field[0]) if status_field and status_field[0].isdigit() else 0), body
