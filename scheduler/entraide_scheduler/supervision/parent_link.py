"""Parent link: what a part of a pool and the process that supervises it say to each other.

Where ``ENTRAIDE_PARENT_PIPE=1``, standard input of a part is a pipe or one end of a socket pair,
whose end means stop. Over a socket pair the part says that it is ready; its parent asks it for the
sockets on which it listens, so that another process may take them over, and tells it to leave:
then it listens no longer, ends what it has begun, and ends. ``ENTRAIDE_SOCKETS`` names the file
descriptors of listening sockets that a part inherits. With ``ENTRAIDE_WAIT=1`` a part loads its
code, says so, and uses nothing of the pool before its parent tells it to begin.
"""

import asyncio
import os
import socket
import stat
import sys
from collections.abc import Sequence

from entraide_scheduler.supervision.foreground import PARENT_PIPE, stop_event

SOCKETS = "ENTRAIDE_SOCKETS"
WAIT = "ENTRAIDE_WAIT"
SHARE, LEAVE, BEGIN = b"s", b"l", b"b"
LOADED, READY, SHARED = b"loaded\n", b"ready ", b"sockets\n"
LEAVE_MAX_S = 1_800.0  # for answers to end whose part leaves


class ParentLink:
    """The link of this process to its parent.

    Attributes:
        stopped: is set by SIGTERM, SIGINT and the end of the parent.
        leaving: is set when the parent tells this process to leave.
        sockets: the listening sockets that this process inherited.
        is_supervised: whether the parent is at the other end of a socket pair.
    """

    def __init__(self) -> None:
        self.leaving = asyncio.Event()
        self.sockets = _inherited_sockets()
        self._link = _open_link()
        self.is_supervised = self._link is not None
        self._listening: Sequence[int] = ()
        self._begun = asyncio.Event()
        self.stopped = stop_event(self._on_bytes)

    async def wait_to_begin(self) -> None:
        """Returns when this process may begin; it never does if that is at once stopped."""
        if os.environ.pop(WAIT, "") == "1" and self._link is not None:
            self._link.sendall(LOADED)
            await self._begun.wait()

    def say_ready(self, version: str, listening: Sequence[int]) -> None:
        """Tells the parent that this process serves, and keeps what it may be asked to share.

        Args:
            version: of this process's code.
            listening: file descriptors of the sockets on which it listens.
        """
        self._listening = listening
        if self._link is not None:
            self._link.sendall(READY + version.encode() + b"\n")

    def _on_bytes(self, data: bytes) -> None:
        if SHARE in data and self._link is not None:
            socket.send_fds(self._link, [SHARED], list(self._listening))
        if LEAVE in data:
            self.leaving.set()
        if BEGIN in data:
            self._begun.set()


def _inherited_sockets() -> tuple[socket.socket, ...]:
    numbers = os.environ.pop(SOCKETS, "").split(",")
    return tuple(socket.socket(fileno=int(number)) for number in numbers if number)


def _open_link() -> socket.socket | None:
    number = sys.stdin.fileno() if os.environ.get(PARENT_PIPE) == "1" else -1
    if number < 0 or not stat.S_ISSOCK(os.fstat(number).st_mode):
        return None
    return socket.socket(fileno=os.dup(number))
