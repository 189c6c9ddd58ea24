"""Ports: the ports of a pool's parts, the same at each start if they are free.

Nodes, programs and bookmarks refer to the pool by its ports.
"""

import socket
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_atomically
from entraide_scheduler.nats.config import free_port

NAME = "ports.json"
HOST = "127.0.0.1"


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
    chosen = Ports(
        http=http or _free(last.http),
        grpc=_free(last.grpc),
        nats=_free(last.nats),
    )
    write_atomically(state / NAME, msgspec.json.encode(chosen))
    return chosen


def _free(port: int) -> int:
    """Returns this port if it is free, else another free one."""
    if 0 < port < 2**16:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return free_port(HOST)
            return port
    return free_port(HOST)
