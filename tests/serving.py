"""A server of a test's own, in the test's loop: its end leaves no connection open."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes each connection at once."""
    writer.close()


@asynccontextmanager
async def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, path: Path | None = None
) -> AsyncIterator[int]:
    """Serves connections on a free port of loopback, which it yields, or on a Unix socket (0).

    On Python 3.11 ``asyncio.Server`` lets its connections be when it is closed. A handler that is
    cancelled with the loop, perhaps before it began, would leave its socket open.
    """
    visits: list[tuple[asyncio.StreamWriter, asyncio.Future[None]]] = []

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append((writer, asyncio.ensure_future(handler(reader, writer))))

    if path is not None:
        server = await asyncio.start_unix_server(on_connection, path)
    else:
        server = await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=tls)
    try:
        yield 0 if path is not None else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)  # a connection that was accepted just now gets its handler
        for writer, visit in visits:
            visit.cancel()
            writer.transport.abort()
        await asyncio.gather(*(visit for _, visit in visits), return_exceptions=True)
