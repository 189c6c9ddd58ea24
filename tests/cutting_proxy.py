"""A TCP proxy on the way to a pool that cuts its connections, aloud or in silence."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

PIECE_BYTES = 64 * 1024
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of the last packets


class Cut(StrEnum):
    """How a connection ends."""

    RESET = "reset"  # both ends get a TCP reset
    SILENT = "silent"  # nothing passes any more, and neither end is told


class CuttingProxy:
    """Passes bytes on until a connection is cut.

    Attributes:
        port: where it listens.
        plan: of the next connection: after how many bytes to the client it is cut, and how; None
            for a connection that is not cut.
        is_closed: whether new connections are reset at once.
        silenced: set once a connection was cut in silence.
        connections: number of connections so far.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.plan: Callable[[], tuple[int, Cut] | None] = lambda: None
        self.is_closed = False
        self.silenced = asyncio.Event()
        self.connections = 0
        self._target = target
        self._silent: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its web address."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self, how: Cut = Cut.RESET) -> int:
        """Cuts all connections now; returns their number."""
        pairs = list(self._pairs)
        for pair in pairs:
            self._cut(pair, how)
        return len(pairs)

    async def on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serves a client."""
        self.connections += 1
        cut_after = self.plan()
        if self.is_closed:
            _reset(writer)
            return
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        pair = (writer, downstream)
        self._pairs.add(pair)
        for passing in (
            self._pass(reader, downstream, pair, None),
            self._pass(upstream, writer, pair, cut_after),
        ):
            task = asyncio.ensure_future(passing)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        cut_after: tuple[int, Cut] | None,
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                if pair not in self._pairs:
                    return
                if cut_after is not None and passed + len(data) > cut_after[0]:
                    writer.write(data[: cut_after[0] - passed])
                    await writer.drain()
                    self._cut(pair, cut_after[1])
                    return
                passed += len(data)
                writer.write(data)
                await writer.drain()
        if pair in self._pairs:  # one end has closed the connection
            self._pairs.discard(pair)
            for end in pair:
                end.close()

    def _cut(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter], how: Cut) -> None:
        self._pairs.discard(pair)
        if how is Cut.RESET:
            for end in pair:
                _reset(end)
        else:
            self._silent.append(pair)
            self.silenced.set()

    async def close(self) -> None:
        """Ends everything."""
        for pair in [*self._pairs, *self._silent]:
            for end in pair:
                _reset(end)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def cutting_proxy(target: int) -> AsyncIterator[CuttingProxy]:
    """Runs a proxy to a port of this machine."""
    proxy = CuttingProxy(target)
    server = await asyncio.start_server(proxy.on_connection, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
