"""Ports: the ports of a pool's parts, the same at each start if they are free.

Nodes, programs and bookmarks refer to the pool by its ports. They are taken from below the range
that operating systems give to outgoing connections (Linux from 32768 on, by
`net.ipv4.ip_local_port_range`; macOS and Windows from 49152 on), so that none is lost to a
connection of another program between two starts.
"""

import random
import socket
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_private
from entraide_scheduler.nats.config import free_port

NAME = "ports.json"
HOST = "127.0.0.1"
LOWEST_PORT = 20_000
HIGHEST_PORT = 32_767
TRIED_PORTS = 100


class Ports(Struct, frozen=True):
    """The port of each part; 0 for one that is not chosen yet."""

    http: int = 0
    grpc: int = 0
    nats: int = 0


def choose_ports(state: Path, *, http: int = 0) -> Ports:
    """Chooses and stores the ports for a start: those of the last start, if they are free.

    Args:
        state: the pool's state directory.
        http: requested port; 0 for that of the last start.
    """
    try:
        last = decode_json((state / NAME).read_bytes(), type=Ports)
    except (OSError, msgspec.MsgspecError):
        last = Ports()
    http = http or _free(last.http, taken=())
    grpc = _free(last.grpc, taken=(http,))
    nats = _free(last.nats, taken=(http, grpc))
    chosen = Ports(http=http, grpc=grpc, nats=nats)
    write_private(state / NAME, msgspec.json.encode(chosen))
    return chosen


def _free(port: int, *, taken: tuple[int, ...]) -> int:
    """Returns this port if it is free and not taken, else another free one."""
    others = random.sample(range(LOWEST_PORT, HIGHEST_PORT + 1), TRIED_PORTS)
    for candidate in (port, *others):
        if candidate not in taken and _can_listen(candidate):
            return candidate
    return free_port(HOST)


def _can_listen(port: int) -> bool:
    """Whether a server can listen at this port of this machine."""
    if not 0 < port < 2**16:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
