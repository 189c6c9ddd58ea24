"""``pool run``: every part over TLS, in the foreground, until SIGTERM."""

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.commands import forked_entraide
from tests.pool.support import (
    HOST,
    RunningPool,
    pool_config,
    running_pool,
    wait_until,
)

from entraide_scheduler.pool.create import create_pool


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool with two gateways. At the end SIGTERM ends it with status 0, and no process and no
    ``pool.json`` stay."""
    with running_pool(tmp_path_factory.mktemp("run") / "pool", pool_config(gateways=2)) as running:
        yield running
        pids = list(running.file.pids.values())

        assert 0 == running.stop()
        assert pids
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
        assert not (running.state / "pool.json").exists()


def test_every_port_speaks_tls_of_the_pools_ca(pool: RunningPool) -> None:
    """HTTPS, gRPC and the bus show a certificate of the pool's CA for the address."""
    context = ssl.create_default_context(cadata=pool.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    config = pool.config
    of_gateway = (config.http.gateway_port, config.grpc.gateway_port)
    for port in (config.http.port, config.grpc.port, config.bus.port, *of_gateway):
        with (
            socket.create_connection((HOST, port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert "TLSv1.3" == secure.version()


def test_operators_commands_find_the_pool(pool: RunningPool) -> None:
    """With ``--state DIR`` the operator's commands work over TLS without another option."""
    listed = forked_entraide("nodes", "list", "--json", "--state", str(pool.state))
    status = forked_entraide("status", "--state", str(pool.state))

    assert (0, 0) == (listed.returncode, status.returncode), listed.stderr + status.stderr
    assert pool.file.http in status.stdout


def test_second_gateway_answers(pool: RunningPool) -> None:
    """The further gateway serves HTTPS and gRPC on its own ports, and names the latter."""
    url = f"https://localhost:{pool.config.http.gateway_port}"

    assert pool.get("/readyz", url=url)["ready"]
    grpc_port = pool.config.grpc.gateway_port
    assert f"localhost:{grpc_port}" == pool.get("/.well-known/entraide", url=url)["grpc"]
    assert {"up", "nats", "scheduler", "gateway-2"} == set(pool.file.pids)


def test_dead_child_comes_back(pool: RunningPool) -> None:
    """A scheduler that is killed is started again, and ``pool.json`` names the new process."""
    before = pool.file.pids["scheduler"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pool.file.pids.get("scheduler", before) != before, "a new scheduler")

    def is_ready() -> bool:
        try:
            return bool(pool.get("/readyz")["ready"])
        except OSError:
            return False

    wait_until(is_ready, "readiness")


def test_second_run_is_refused(pool: RunningPool) -> None:
    """A pool runs once in its directory."""
    done = forked_entraide("pool", "run", str(pool.state))

    assert 1 == done.returncode
    assert str(pool.state) in done.stderr


def test_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    """A port that another program took since gives one sentence with its key."""
    config = pool_config()
    create_pool(tmp_path / "pool", config)
    with socket.socket() as other:
        other.bind((HOST, config.grpc.port))
        other.listen()
        done = forked_entraide("pool", "run", str(tmp_path / "pool"))

    assert 1 == done.returncode
    assert f"{config.grpc.port} (grpc.port)" in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_missing_pool_is_said(tmp_path: Path) -> None:
    """A directory without a pool gives one sentence with the command that makes one."""
    done = forked_entraide("pool", "run", str(tmp_path))

    assert 1 == done.returncode
    assert "entraide pool create" in done.stderr
