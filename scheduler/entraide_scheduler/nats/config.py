"""Configuration of the pool's nats-server: limits, TLS and trust; and the path of its program.

Plain text is refused on any address but loopback. The server reads the account's claims from its
configuration at each start. ``write_config`` must therefore run before each start, also after a
crash: an older configuration would accept keys that were revoked since. The server's monitoring
endpoint knows no password and shows every connection's token, so its pages stand under a secret
path, which only the configuration names.
"""

import secrets
import shutil
import socket
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.errors import PoolError
from entraide.files import PRIVATE_DIRECTORY_MODE, write_private
from entraide.wire.messages import MESSAGE_BYTES_MAX
from entraide.wire.nats import requires_tls
from entraide_scheduler.nats.identity import PoolIdentity, ServerClaims
from entraide_scheduler.nats.tls import TlsFiles, ensure_files

CONNECTIONS_MAX = 16_384
PENDING_MAX_BYTES = 64 * 1024 * 1024
LOG_FILE_MAX_BYTES = 16 * 1024 * 1024
LOG_FILES_MAX = 4
ACCOUNTS_MAX = 16
MONITOR_PATH_BYTES = 16
LOOPBACK = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  (compared with, not listened at)


class NatsSettings(Struct, frozen=True):
    """Where a server listens.

    Attributes:
        state: the pool's state directory; the server's files are in ``state/nats``.
        host: address to listen at; beyond loopback only with TLS.
        port: 0 takes a free one.
        tls_hosts: names and addresses at which others reach the server; if any, TLS is on.
        websocket_port: port on loopback for WebSocket connections, unencrypted; 0 for none. A
            server that ends TLS passes connections on to it.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    tls_hosts: tuple[str, ...] = ()
    websocket_port: int = 0


class NatsServerConfig(Struct, frozen=True):
    """A written configuration of a server.

    Attributes:
        path: the configuration file.
        url: address for processes of this machine.
        port: port of the server.
        monitor_port: port of the monitoring endpoint, on loopback.
        monitor_path: secret path of its pages, ``/…``.
        ca: certificate file of the CA; None without TLS.
    """

    path: Path
    url: str
    port: int
    monitor_port: int
    monitor_path: str
    ca: Path | None

    def __repr__(self) -> str:
        """Leaves the secret path out."""
        return f"NatsServerConfig(path={str(self.path)!r})"


def format_config(
    settings: NatsSettings,
    trust: ServerClaims,
    *,
    monitor_port: int,
    monitor_path: str,
    tls: TlsFiles | None,
) -> str:
    """Returns the configuration of a server, as JSON.

    Raises:
        PoolError: ``nats_plain_refused``: it would be reachable from other machines without TLS.
    """
    if tls is None and requires_tls(settings.host):
        raise PoolError(
            "nats_plain_refused",
            f"{settings.host} can be reached from other machines: turn TLS on to listen there.",
            values={"host": settings.host},
        )
    directory = settings.state / "nats"
    config: dict[str, object] = {
        "host": settings.host,
        "port": settings.port,
        "http": f"127.0.0.1:{monitor_port}",
        "http_base_path": monitor_path,
        "pid_file": str(directory / "nats-server.pid"),
        "log_file": str(directory / "nats-server.log"),
        "logfile_size_limit": LOG_FILE_MAX_BYTES,
        "logfile_max_num": LOG_FILES_MAX,
        "max_payload": MESSAGE_BYTES_MAX,
        "max_pending": PENDING_MAX_BYTES,
        "max_connections": CONNECTIONS_MAX,
        "max_control_line": 4_096,
        "write_deadline": "10s",
        "ping_interval": "10s",
        "ping_max": 2,
        "authorization": {"timeout": 5},
        "operator": trust.operator_jwt,
        "system_account": trust.system,
        "resolver": {"type": "full", "dir": str(directory / "jwt"), "limit": ACCOUNTS_MAX},
        "resolver_preload": {
            trust.account: trust.account_jwt,
            trust.system: trust.system_jwt,
        },
    }
    if tls is not None:
        config["tls"] = {
            "cert_file": str(tls.cert),
            "key_file": str(tls.key),
            "min_version": "1.3",
            "timeout": 5,
            "handshake_first": True,  # the TLS handshake precedes any other byte
        }
    if settings.websocket_port:
        config["websocket"] = {
            "host": LOOPBACK[1],
            "port": settings.websocket_port,
            "no_tls": True,
            "handshake_timeout": "5s",
        }
    return msgspec.json.format(msgspec.json.encode(config), indent=2).decode()


def write_config(
    settings: NatsSettings,
    identity: PoolIdentity,
    *,
    monitor_port: int = 0,
    monitor_path: str = "",
) -> NatsServerConfig:
    """Writes the configuration for the next start, with the present claims.

    Creates or renews the server's certificate if TLS is on. A port 0 is replaced by a free one, an
    empty path by a new one.

    Raises:
        PoolError: ``nats_plain_refused``, or a secret file is open to others, missing or damaged.
    """
    if not settings.port:
        settings = msgspec.structs.replace(settings, port=free_port(settings.host))
    monitor_port = monitor_port or free_port("127.0.0.1")
    monitor_path = monitor_path or f"/{secrets.token_hex(MONITOR_PATH_BYTES)}"
    tls = ensure_server_files(settings) if settings.tls_hosts else None
    text = format_config(
        settings,
        identity.build_server_claims(),
        monitor_port=monitor_port,
        monitor_path=monitor_path,
        tls=tls,
    )
    path = settings.state / "nats" / "nats-server.conf"
    path.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    write_private(path, text.encode())
    host = LOOPBACK[1] if settings.host in WILDCARDS else settings.host
    host = f"[{host}]" if ":" in host else host
    return NatsServerConfig(
        path=path,
        url=f"{'tls' if tls else 'nats'}://{host}:{settings.port}",
        port=settings.port,
        monitor_port=monitor_port,
        monitor_path=monitor_path,
        ca=tls.ca if tls else None,
    )


def ensure_server_files(
    settings: NatsSettings, *, now: Callable[[], float] = time.time
) -> TlsFiles:
    """Returns the certificate files of a server; creates or renews them when needed.

    Args:
        settings: of the server.
        now: returns the time, seconds since the epoch.

    Raises:
        PoolError: see ``ensure_files``.
    """
    own = () if settings.host in WILDCARDS else (settings.host,)
    return ensure_files(settings.state, (*LOOPBACK, *own, *settings.tls_hosts), now=now)


def find_server_binary() -> Path:
    """Returns the path of the nats-server that was installed with Entraide.

    Raises:
        PoolError: ``nats_binary_missing``.
    """
    folders = (Path(sys.executable).parent, Path(sysconfig.get_path("scripts")))
    for folder in folders:
        program = shutil.which("nats-server", path=str(folder))
        if program:
            return Path(program)
    raise PoolError(
        "nats_binary_missing",
        f"nats-server is not in {folders[0]}: install Entraide with its extra “scheduler”.",
        values={"path": str(folders[0])},
    )


def build_server_command(config: NatsServerConfig) -> list[str]:
    """Returns the command line that starts a server with this configuration."""
    return [str(find_server_binary()), "-c", str(config.path)]


def free_port(host: str) -> int:
    """Returns a port that is free now; another process may still take it first."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
