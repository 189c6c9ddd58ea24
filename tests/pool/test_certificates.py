"""Certificates are read again without a restart: HTTPS, gRPC and the bus show the new one."""

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from tests.pool.support import HOST, RunningPool, pool_config, running_pool, wait_until

from entraide_scheduler.nats.config import LOOPBACK
from entraide_scheduler.nats.tls import TlsFiles, ensure_files
from entraide_scheduler.pool.config import PoolTls

DAY_S = 86_400.0


def given_pair(folder: Path) -> TlsFiles:
    """A certificate of another CA, as an operator has one from outside."""
    return ensure_files(folder, ["localhost"])


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool whose HTTPS has a given certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    files = given_pair(folder / "given")
    tls = PoolTls(cert_file=str(files.cert), key_file=str(files.key))
    with running_pool(folder / "pool", pool_config(tls=tls)) as running:
        yield running


def shown(port: int) -> x509.Certificate:
    """The certificate that a server shows now."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((HOST, port)) as plain, context.wrap_socket(plain) as secure:
        der = secure.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def test_renewed_certificate_of_the_pool_is_shown(pool: RunningPool) -> None:
    """gRPC and the bus show a renewed certificate with the same key; no process restarts."""
    ports = (pool.config.grpc.port, pool.config.bus.port)
    before, pids = [shown(port) for port in ports], pool.file.pids
    later = time.time() + 340 * DAY_S
    ensure_files(pool.state, (*LOOPBACK, HOST), now=lambda: later)
    for port, old in zip(ports, before, strict=True):
        wait_until(lambda: shown(port).serial_number != old.serial_number, f"new at {port}")  # noqa: B023

        assert old.public_key() == shown(port).public_key()
    assert pids == pool.file.pids


def test_given_certificate_that_changes_is_shown(pool: RunningPool, tmp_path: Path) -> None:
    """HTTPS shows a new pair; of files that do not match, it keeps the last good pair."""
    port, files = pool.config.http.port, pool.config.tls
    first = shown(port)
    new, other = given_pair(tmp_path / "new"), given_pair(tmp_path / "other")
    shutil.copyfile(new.cert, files.cert_file)
    shutil.copyfile(new.key, files.key_file)
    wait_until(lambda: shown(port).serial_number != first.serial_number, "the new certificate")
    second = shown(port)
    shutil.copyfile(other.cert, files.cert_file)
    log = pool.state / "logs" / "scheduler.log"
    wait_until(lambda: "tls.not_reloaded" in log.read_text(), "the refusal in the log")

    assert second == shown(port)
