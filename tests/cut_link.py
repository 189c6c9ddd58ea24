"""A link that a test can cut: a proxy between a process and a server on TCP."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CutLink:
    """Passes bytes both ways until it is cut; then nothing passes, and nobody is told."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def cut(self) -> None:
        """Cuts the link silently, as a pulled cable does."""
        self._whole.clear()

    def reset(self) -> None:
        """Closes the connections at once (RST); new ones pass unless the link is cut."""
        for writer in list(self._writers):
            sock = writer.get_extra_info("socket")
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    def heal(self) -> None:
        """Lets everything pass again."""
        self._whole.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        await self._whole.wait()
        there_reader, there = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there}
        for pair in ((reader, there), (there_reader, writer)):
            task = asyncio.create_task(self._pass(*pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    async def close(self) -> None:
        """Ends all connections."""
        self.heal()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.close()


@asynccontextmanager
async def cut_link(host: str, port: int) -> AsyncIterator[CutLink]:
    """Runs a link to a server, on a free port of loopback."""
    link = CutLink(host, port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        await link.close()
