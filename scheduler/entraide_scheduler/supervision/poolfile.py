"""``pool.json``: addresses, keys and process ids of a pool that runs on this machine.

Readable by its owner only. It exists only while the pool is ready.
"""

from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from entraide.cli.pool_access import POOL_FILE
from entraide.decoding import decode_json
from entraide.files import write_private

SUPERVISOR = "up"


class PoolFile(Struct, frozen=True):
    """Content of ``pool.json``.

    Attributes:
        http: address of the OpenAI-compatible API and of the page.
        grpc: ``host:port`` of the gRPC services.
        nats: address of the bus.
        admin_key: key of the operator.
        keys: an API key for each co-op.
        pids: process id of each part, and of the supervisor as ``up``.
        ca: PEM of the CA that signed the certificate of gRPC; "" without TLS.
    """

    http: str
    grpc: str
    nats: str
    admin_key: str
    keys: dict[str, str]
    pids: dict[str, int]
    ca: str = ""


def write(state: Path, pool: PoolFile) -> None:
    """Writes the file atomically, mode 0600."""
    write_private(
        state / POOL_FILE, msgspec.json.format(msgspec.json.encode(pool), indent=2) + b"\n"
    )


def read(state: Path) -> PoolFile | None:
    """Returns the pool file of this directory, or None."""
    try:
        return decode_json((state / POOL_FILE).read_bytes(), type=PoolFile)
    except (OSError, msgspec.MsgspecError):
        return None


def read_running(state: Path) -> PoolFile | None:
    """Returns the pool file of this directory if its supervisor is alive, or None."""
    pool = read(state)
    if pool is None:
        return None
    pid = pool.pids.get(SUPERVISOR, 0)
    return pool if pid and psutil.pid_exists(pid) else None


def remove(state: Path) -> None:
    """Removes the pool file: no pool is ready here."""
    (state / POOL_FILE).unlink(missing_ok=True)
