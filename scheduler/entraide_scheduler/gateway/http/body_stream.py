"""Body stream: a request's body that a handler reads while the body arrives.

In: bytes from the connection, which pauses reading while ``is_full``. Out: the same bytes, in
order, to one reader. What ends the body early (a client that left, a limit) is raised to it.
"""

import asyncio
from collections.abc import Callable

from entraide_scheduler.config import STREAM_HIGH_BYTES
from entraide_scheduler.gateway.refusals import ErrorReply, Refused


class BodyStream:
    """The body of one request.

    Attributes:
        complete: whether its last byte has arrived.
    """

    def __init__(self, on_read: Callable[[], None]) -> None:
        """Creates an empty stream; ``on_read`` is called after bytes were read from it."""
        self.complete = False
        self._on_read = on_read
        self._chunks: list[bytes] = []
        self._buffered_bytes = 0
        self._failure = ""
        self._changed = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether no more should be added before something was read."""
        return self._buffered_bytes >= STREAM_HIGH_BYTES

    def add(self, data: bytes) -> None:
        """Adds bytes; called by the connection."""
        self._chunks.append(data)
        self._buffered_bytes += len(data)
        self._changed.set()

    def end(self) -> None:
        """Marks the body as complete; called by the connection."""
        self.complete = True
        self._changed.set()

    def fail(self, code: str) -> None:
        """Ends an incomplete body with an error code; called by the connection."""
        if not self.complete:
            self._failure = self._failure or code
            self._changed.set()

    async def read(self) -> bytes:
        """Returns all bytes that have arrived, waiting for some; b"" after the last.

        Raises:
            Refused: the body ended early; the code says why.
        """
        while not self._chunks:
            if self._failure:
                raise Refused(ErrorReply(self._failure))
            if self.complete:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._buffered_bytes = 0
        self._on_read()
        return data
