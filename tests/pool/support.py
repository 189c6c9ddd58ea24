"""A pool as its operator founds it: real processes on free ports of loopback."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.ports import free_ports
from tests.waiting import ENGINES_S

from entraide_node import keys
from entraide_node.join import JoinOptions, join_pool
from entraide_scheduler.pool.config import PoolBus, PoolConfig, PoolGrpc, PoolHttp
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.poolfile import PoolFile

HOST = "127.0.0.1"
DEADLINE_S = ENGINES_S


def pool_config(**more: Any) -> PoolConfig:
    """The configuration of a pool on free ports of loopback."""
    http, grpc, bus, websocket, gateway, gateway_grpc = free_ports(6)
    config = PoolConfig(
        name="Parc d’essai",
        address="localhost",
        http=PoolHttp(host=HOST, port=http, gateway_port=gateway),
        grpc=PoolGrpc(host=HOST, port=grpc, gateway_port=gateway_grpc),
        bus=PoolBus(host=HOST, port=bus, websocket=websocket),
    )
    return msgspec.structs.replace(config, **more)


def entraide(
    *arguments: str, lang: str = "en", timeout_s: float = 100.0
) -> subprocess.CompletedProcess[str]:
    """Runs the ``entraide`` command."""
    command = [sys.executable, "-m", "entraide.cli", "--lang", lang, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


class RunningPool:
    """A pool that ``entraide pool run`` supervises."""

    def __init__(self, state: Path, config: PoolConfig) -> None:
        self.state = state
        self.config = config
        command = [sys.executable, "-m", "entraide.cli", "--lang", "en", "pool", "run", str(state)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    @property
    def file(self) -> PoolFile:
        """Content of ``pool.json``."""
        present = poolfile.read(self.state)
        assert present is not None
        return present

    @property
    def ca(self) -> str:
        """PEM of the pool's CA."""
        return (self.state / "tls" / "ca.pem").read_text()

    def wait_until_ready(self) -> None:
        """Waits for ``pool.json``."""
        wait_until(lambda: self.process.poll() is not None or poolfile.read(self.state), "ready")
        assert self.process.poll() is None, self.logs()

    def get(self, path: str, *, ca: str | None = None, url: str = "", key: str = "") -> Any:
        """Fetches JSON over HTTPS from the pool, trusting one authority only."""
        context = ssl.create_default_context(cadata=ca or self.ca)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        asked = urllib.request.Request((url or self.file.http) + path, None, headers)
        try:
            with urllib.request.urlopen(asked, timeout=20, context=context) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            refused.close()  # it holds the connection
            raise

    def logs(self) -> str:
        """The last lines of every log."""
        return "\n".join(
            f"== {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            for log in sorted((self.state / "logs").glob("*.log"))
        )

    def stop(self) -> int:
        """Ends the pool as a service manager does; returns the exit status."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


def admit_node(pool: RunningPool, folder: Path, name: str = "a") -> keys.Keyring:
    """Has a machine join, with a folder of its own; returns what it has then."""
    state = ("--state", str(pool.state))
    entraide("coops", "add", "boreale", "--author", "Test", "--reason", "test", *state)
    invited = entraide("invite", "boreale", "--zone", "CA-QC", "--json", *state)
    link = json.loads(invited.stdout)["link"]
    join_pool(link, "", folder=folder, options=JoinOptions(name=name))
    return keys.Keyring(folder)


@contextmanager
def running_pool(state: Path, config: PoolConfig) -> Iterator[RunningPool]:
    """A new pool that is ready, and ended afterwards whatever happens."""
    create_pool(state, config)
    pool = RunningPool(state, config)
    try:
        pool.wait_until_ready()
        yield pool
    finally:
        pool.stop()


def wait_until(condition: Any, what: str, within_s: float = DEADLINE_S) -> None:
    """Waits until a condition holds, and fails saying what was waited for."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)
