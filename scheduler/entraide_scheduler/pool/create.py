"""Pool creation: makes a pool's directory with keys, CA, configuration and store, or nothing.

In: the operator's options. Out: a directory that ``pool run`` can start. Everything is made in a
temporary directory beside it, which is renamed at the end, so that a failure leaves nothing half
made. An existing pool is left unchanged.
"""

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import tomli_w
from cryptography import x509
from msgspec import Struct

from entraide import i18n
from entraide.errors import PoolError
from entraide.files import PRIVATE_DIRECTORY_MODE, sync_directory, write_private
from entraide_scheduler.certificates import LiveCertificate
from entraide_scheduler.nats.config import ensure_server_files
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nats.keyfiles import load_admin_key
from entraide_scheduler.nats.tls import TlsFiles
from entraide_scheduler.pool.config import (
    FILE,
    PoolConfig,
    bus_settings,
    check_config,
    load_pool_config,
)
from entraide_scheduler.store.store import Store

FOLDERS = ("weights", "logs")


class CreatedPool(Struct, frozen=True):
    """A pool's configuration, and whether this call made the pool."""

    config: PoolConfig
    is_new: bool


def create_pool(state: Path, config: PoolConfig) -> CreatedPool:
    """Creates a pool in a directory that is missing or empty; leaves an existing pool unchanged.

    Args:
        state: the pool's directory.
        config: content of its ``pool.toml``.

    Raises:
        PoolError: ``pool_config_refused``, ``pool_directory_not_empty``, ``pool_address_unknown``,
            ``pool_port_taken``, ``certificate_unusable``, ``certificate_refused``,
            ``pool_database_taken``, ``pool_not_created``, or an error of the store.
    """
    if (state / FILE).exists():
        return CreatedPool(load_pool_config(state), is_new=False)
    check_config(config, state / FILE)
    _check_directory(state)
    _check_address(config.address)
    check_ports(config.ports)
    if config.tls.cert_file:
        check_certificate(config)
    try:
        _make_directory(state, config)
    except OSError as problem:
        raise PoolError(
            "pool_not_created",
            f"{state}: {problem}",
            values={"path": str(state), "problem": problem.strerror or str(problem)},
        ) from problem
    return CreatedPool(config, is_new=True)


def _make_directory(state: Path, config: PoolConfig) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=state.parent, prefix=f".{state.name}-"))  # made 0700
    try:
        PoolIdentity(draft)
        ensure_server_files(bus_settings(config, draft))
        load_admin_key(draft)
        for name in FOLDERS:
            (draft / name).mkdir(mode=PRIVATE_DIRECTORY_MODE)
        write_private(draft / FILE, format_config(config).encode())
        asyncio.run(_make_store(config.database or f"sqlite:///{draft / 'store.db'}"))
        draft.rename(state)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_directory(state.parent)


async def _make_store(url: str) -> None:
    """Creates the tables; refuses a database that has a pool already."""
    store = await Store.open(url)
    try:
        if await store.get_policy() is not None or await store.list_nodes():
            raise PoolError("pool_database_taken", "the database has a pool already")
    finally:
        await store.close()


def format_config(config: PoolConfig) -> str:
    """Returns a configuration as TOML, without the values that the code sets by default."""
    document = msgspec.to_builtins(config)
    kept = ("http", "grpc", "bus", "tls", "journal")
    defaults = msgspec.to_builtins(PoolConfig(name=config.name, address=config.address))
    written: dict[str, object] = {}
    for key, value in document.items():
        if isinstance(value, dict) and key in kept:
            hidden = {"limits"}
            written[key] = {name: each for name, each in value.items() if name not in hidden}
        elif key in ("place", "backup"):
            written[key] = {name: each for name, each in value.items() if each is not False}
        elif (
            value is None or key == "grid" or (key == "weights_folders" and value == defaults[key])
        ):
            continue
        else:
            written[key] = value
    head = i18n.text("pool-file-head", config.lang)
    return f"# {head}\n\n{tomli_w.dumps(written)}"


def _check_directory(state: Path) -> None:
    try:
        is_free = not state.exists() or (state.is_dir() and not any(state.iterdir()))
    except OSError as problem:
        raise PoolError(
            "pool_not_created",
            f"{state}: {problem}",
            values={"path": str(state), "problem": problem.strerror or str(problem)},
        ) from problem
    if not is_free:
        raise PoolError(
            "pool_directory_not_empty", f"{state} is not empty", values={"path": str(state)}
        )


def _check_address(address: str) -> None:
    try:
        socket.getaddrinfo(address, None)
    except OSError as problem:
        raise PoolError(
            "pool_address_unknown", f"{address}: {problem}", values={"address": address}
        ) from problem


def check_ports(ports: Iterable[tuple[str, str, int]]) -> None:
    """Checks that each port is free now.

    Raises:
        PoolError: ``pool_port_taken`` or ``pool_port_refused``, with the key of ``pool.toml``.
    """
    for key, host, port in ports:
        problem = port_problem(host, port)
        if problem is None:
            continue
        code = "pool_port_refused" if isinstance(problem, PermissionError) else "pool_port_taken"
        values = {"key": key, "host": host, "port": str(port)}
        raise PoolError(code, f"{key}: {host}:{port}: {problem}", values=values) from problem


def port_problem(host: str, port: int) -> OSError | None:
    """Returns why a server cannot listen at this address now, or None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            return problem
    return None


def check_certificate(config: PoolConfig) -> None:
    """Checks that the given certificate and key match, and are valid now and for the address.

    Raises:
        PoolError: ``certificate_unusable`` or ``certificate_refused``.
    """
    files = TlsFiles(Path(), Path(config.tls.cert_file), Path(config.tls.key_file))
    LiveCertificate(files)
    leaf = x509.load_pem_x509_certificate(files.cert.read_bytes())
    fault = ""
    if leaf.not_valid_after_utc.timestamp() < time.time():
        fault = "expired"
    elif not covers(leaf, config.address):
        fault = "other_name"
    if fault:
        raise PoolError(
            "certificate_refused",
            f"{files.cert}: {fault}",
            values={"cert": str(files.cert), "address": config.address, "fault": fault},
        )


def covers(leaf: x509.Certificate, address: str) -> bool:
    """Whether a certificate is valid for a host name or an IP address."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if address in {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}:
        return True
    wildcard = f"*.{address.partition('.')[2]}".lower()
    listed = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    return address.lower() in listed or wildcard in listed
