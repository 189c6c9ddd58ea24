"""``pool.json``: how everything else finds the pool that ``entraide up`` runs.

It holds keys and is readable by its owner only. It exists while the pool is ready, and only then.
"""

import os
from pathlib import Path

import msgspec
import platformdirs
import psutil
from msgspec import Struct

from entraide.decoding import decode_json

NAME = "pool.json"
SUPERVISOR = "up"


class PoolFile(Struct, frozen=True):
    """What a ready pool tells.

    Attributes:
        http: address of the OpenAI-compatible API and of the page.
        grpc: ``host:port`` of the gRPC services.
        nats: address of the bus.
        admin_key: key of the operator.
        keys: an API key for each co-op.
        pids: process id of each part, ``up`` among them.
    """

    http: str
    grpc: str
    nats: str
    admin_key: str
    keys: dict[str, str]
    pids: dict[str, int]


def default_state() -> Path:
    """Returns where a pool's state is when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("entraide")) / "pool"


def write(state: Path, pool: PoolFile) -> None:
    """Writes the file at once and whole, mode 0600."""
    part = state / f"{NAME}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(pool), indent=2) + b"\n")
    part.replace(state / NAME)


def read(state: Path) -> PoolFile | None:
    """Returns the pool in this directory, or None when there is none."""
    try:
        return decode_json((state / NAME).read_bytes(), type=PoolFile)
    except (OSError, msgspec.MsgspecError):
        return None


def running(state: Path) -> PoolFile | None:
    """Returns the pool in this directory if its supervisor is alive."""
    pool = read(state)
    if pool is None:
        return None
    pid = pool.pids.get(SUPERVISOR, 0)
    return pool if pid and psutil.pid_exists(pid) else None


def remove(state: Path) -> None:
    """Says that no pool is ready here any more."""
    (state / NAME).unlink(missing_ok=True)
