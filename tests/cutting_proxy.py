"""A TCP proxy on the way to a server that cuts its connections, aloud or in silence."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from enum import StrEnum

from tests.serving import serving

HOST = "127.0.0.1"
PIECE_BYTES = 64 * 1024
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of the last packets

Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]


class Cut(StrEnum):
    """How a connection ends."""

    RESET = "reset"  # both ends get a TCP reset
    SILENT = "silent"  # nothing passes any more, and neither end is told


class CuttingProxy:
    """Passes bytes on until a connection is cut.

    Attributes:
        port: where it listens.
        target: the server's port on this machine.
        plan: of the next connection: after how many bytes to the client it is cut, and how; None
            for a connection that is not cut.
        first_word: bytes of the proxy's own that the next client gets before the server's; b"" for
            none. The client after it gets none.
        is_closed: whether new connections are reset at once.
        silenced: set once a connection was cut in silence.
        connections: number of connections so far.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.target = target
        self.plan: Callable[[], tuple[int, Cut] | None] = lambda: None
        self.first_word = b""
        self.is_closed = False
        self.silenced = asyncio.Event()
        self.connections = 0
        self._ending = AsyncExitStack()
        self._whole = asyncio.Event()
        self._whole.set()
        self._pairs: set[Pair] = set()
        self._downstreams: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        """Its web address."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listens on a free port."""
        self.port = await self._ending.enter_async_context(serving(self._serve))

    def cut(self, how: Cut = Cut.RESET) -> int:
        """Cuts all open connections; they do not come back. Returns their number."""
        pairs = list(self._pairs)
        for pair in pairs:
            self._cut(pair, how)
        return len(pairs)

    def hold(self) -> None:
        """Holds back all bytes, of new connections too, as a pulled cable does."""
        self._whole.clear()

    def heal(self) -> None:
        """Lets the held bytes pass."""
        self._whole.set()

    async def close(self) -> None:
        """Ends everything."""
        await self._ending.aclose()
        for downstream in self._downstreams:
            downstream.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        cut_after = self.plan()
        first_word, self.first_word = self.first_word, b""
        writer.write(first_word)
        await self._whole.wait()
        try:
            if self.is_closed:
                raise ConnectionRefusedError
            upstream, downstream = await asyncio.open_connection(HOST, self.target)
        except OSError:
            _reset(writer)
            return
        self._downstreams.append(downstream)
        pair = (writer, downstream)
        self._pairs.add(pair)
        await asyncio.gather(
            self._pass(reader, downstream, pair, None),
            self._pass(upstream, writer, pair, cut_after),
        )

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: Pair,
        cut_after: tuple[int, Cut] | None,
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                await self._whole.wait()
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
        await self._whole.wait()
        if pair in self._pairs:  # one end has closed the connection
            self._pairs.discard(pair)
            for end in pair:
                end.close()

    def _cut(self, pair: Pair, how: Cut) -> None:
        self._pairs.discard(pair)
        if how is Cut.RESET:
            for end in pair:
                _reset(end)
        else:
            self.silenced.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def cutting_proxy(target: int) -> AsyncIterator[CuttingProxy]:
    """Runs a proxy to a port of this machine."""
    proxy = CuttingProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
