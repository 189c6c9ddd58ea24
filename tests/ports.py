"""Ports for servers of tests: no other test takes them, and no outgoing connection."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

HOST = "127.0.0.1"
FIRST, LAST = 10_000, 32_767  # below those that Linux and macOS give to outgoing connections

# This process locks the byte with the port's number until it ends; the locks of a process are
# lost if it closes any descriptor of the file, so that this one stays open.
_claims = (Path(tempfile.gettempdir()) / f"entraide-test-ports-{os.getuid()}").open("ab")
_given: set[int] = set()


def free_ports(number: int) -> list[int]:
    """Ports on which nobody listens, each another one, and never again given in this process.

    A port of the kernel's choice can be another process's a moment later: tests run at once, and
    each outgoing connection takes a port of that range.
    """
    ports: list[int] = []
    while len(ports) < number:
        port = random.randint(FIRST, LAST)
        if port not in _given and _claim(port) and _is_free(port):
            ports.append(port)
    return ports


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def _claim(port: int) -> bool:
    try:
        fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _given.add(port)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
