"""Ports: where the parts of a pool listen, the same ones at each start as long as they are free.

A machine that joined, a program and a bookmark know the pool by its ports.
"""

import socket
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide_scheduler.nats.config import free_port

NAME = "ports.json"
HOST = "127.0.0.1"


class Ports(Struct, frozen=True):
    """A port of each part; 0 for one that is to be chosen."""

    http: int = 0
    grpc: int = 0
    nats: int = 0


def choose_ports(state: Path, *, http: int = 0) -> Ports:
    """Returns the ports for a start and remembers them: those of the last start where free.

    Args:
        state: the pool's state directory.
        http: the port that is asked for; 0 for that of the last start.
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
    part = state / f"{NAME}.part"
    part.write_bytes(msgspec.json.encode(chosen))
    part.replace(state / NAME)
    return chosen


def _free(port: int) -> int:
    """This port if nothing listens there, else one that is free."""
    if 0 < port < 2**16:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return free_port(HOST)
            return port
    return free_port(HOST)
