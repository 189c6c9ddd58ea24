"""Reconnectable streams: streamed answers that outlast the connection of their client.

In: the events of an answer, as an ``AnswerSink``. Out: its numbered events to the one client that
reads them, from any number on. If that client's connection closes, the job goes on for
``reconnect_s`` seconds, in which the client may come back; then it is cancelled as ``client_gone``.
An answer that has ended is held for ``reconnect_s`` seconds more, since nobody can know whether its
client received the end. The events are in memory only: a gateway that stops forgets them.

If the events of all streams take more than ``HELD_BYTES_MAX``, those that have ended are forgotten
first, then the jobs whose clients have been away longest are cancelled, then what the connected
clients have read is forgotten: they read on, but cannot come back for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from msgspec import Struct

from entraide_scheduler.gateway.answers import CompleteAnswer
from entraide_scheduler.gateway.jobs.event_log import EventLog
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.requests import AnswerEvent

HELD_BYTES_MAX = 256 * 1024 * 1024
HELD_BYTES_AFTER = HELD_BYTES_MAX // 10 * 9  # to which a gateway makes room at once
WITHOUT_CLIENT_PER_OWNER_MAX = 256
QUIET_S = 5.0  # after which a client without a new event gets a sign of life


class Encoder(Protocol):
    """Writes the events of an answer in a protocol."""

    def encode(self, event: AnswerEvent) -> list[bytes]:
        """Returns the events of the stream that an event of the answer becomes."""


class Owner(Struct, frozen=True):
    """Who may read a stream: the API key or the person that sent the request."""

    coop: str
    key: str


class StreamReader:
    """A client's connection that reads a stream; ``end`` ends that connection."""

    __slots__ = ("end", "has_more", "number")

    def __init__(self, end: Callable[[], None], number: int) -> None:
        self.end = end
        self.number = number  # of the next event
        self.has_more = asyncio.Event()


class ReconnectableStream:
    """One stream; an ``AnswerSink``.

    Attributes:
        job: identifier of the job.
        owner: who may read it.
        encoder: of its events.
        log: its events.
        failure: the error that ended it, or None.
        has_ended: whether the last event is in the log.
        is_known: whether a client was sent the job's identifier, without which none comes back.
        away_at: since when it has no client, or ended, on the loop's clock; 0 while it has one.
    """

    def __init__(
        self,
        streams: "ReconnectableStreams",
        job: str,
        owner: Owner,
        encoder: Encoder,
        *,
        reconnect_s: float,
    ) -> None:
        self.job = job
        self.owner = owner
        self.encoder = encoder
        self.log = EventLog()
        self.failure: ErrorReply | None = None
        self.has_ended = False
        self.is_known = False
        self.away_at = 0.0
        self._streams = streams
        self._reconnect_s = reconnect_s
        self._reader: StreamReader | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._had_reader = False
        self._is_forgotten = False

    @property
    def has_reader(self) -> bool:
        """Whether a client is connected."""
        return self._reader is not None

    def __call__(self, event: AnswerEvent) -> bool:
        """Adds an event of the answer; its client is never too slow, since the event is held."""
        if self._is_forgotten:
            return True
        for encoded in self.encoder.encode(event):
            self._add(encoded)
        if isinstance(event, CompleteAnswer | ErrorReply):
            self.failure = event if isinstance(event, ErrorReply) else None
            self.has_ended = True
            self._await_client()
        if self._reader is not None:
            self._reader.has_more.set()
        return True

    def attach(self, end: Callable[[], None], start: int = 0) -> StreamReader:
        """Lets a client read from a number on; the connection that read before is ended.

        Args:
            end: ends the client's connection, if another one takes the stream over.
            start: number of the first event, of those that the log holds, or the next one.
        """
        before, self._reader = self._reader, StreamReader(end, start)
        if self._had_reader:
            self._streams.count("reconnected")
        self._had_reader = True
        if not self.has_ended:
            self._cancel_timer()
            self.away_at = 0.0
        if before is not None:
            before.has_more.set()
            before.end()
        return self._reader

    def leave(self, reader: StreamReader) -> None:
        """Handles that a client's connection has closed, or has read everything."""
        if reader is not self._reader:
            return  # another one has taken the stream over
        self._reader = None
        reader.has_more.set()
        self._streams.on_reader_left()
        if self.has_ended:
            return
        if self.is_known:
            self._await_client()
        else:
            self._streams.abandon(self)

    async def read(self, reader: StreamReader) -> AsyncIterator[list[bytes]]:
        """Yields events as they come, and [] after ``QUIET_S`` without one.

        It ends after the last event, or once the reader has left or another has taken over.
        ``reader.number`` is then, and at each yield, the number of the event after those yielded.
        """
        while self._reader is reader:
            events = self.log.read(reader.number)
            if events:
                reader.number += len(events)
                yield events
            elif self.has_ended:
                return
            else:
                reader.has_more.clear()
                try:
                    async with asyncio.timeout(QUIET_S):
                        await reader.has_more.wait()
                except TimeoutError:
                    yield []

    def forget_read(self) -> None:
        """Forgets what the client has read."""
        if self._reader is not None:
            before = self.log.size_bytes
            self.log.forget(self._reader.number)
            self._streams.on_size_changed(self, self.log.size_bytes - before)

    def close(self) -> None:
        """Takes no more events and waits for no client: the stream is no longer held."""
        self._is_forgotten = True
        self._cancel_timer()

    def _add(self, encoded: bytes) -> None:
        before = self.log.size_bytes
        self.log.add(encoded)
        self._streams.on_size_changed(self, self.log.size_bytes - before)

    def _await_client(self) -> None:
        """Starts the time in which a client may come back."""
        before = self.log.size_bytes
        self.log.compress()
        self._streams.on_size_changed(self, self.log.size_bytes - before)
        loop = asyncio.get_running_loop()
        self.away_at = loop.time()
        self._cancel_timer()
        self._timer = loop.call_later(self._reconnect_s, self._on_time_over)

    def _on_time_over(self) -> None:
        if not self.has_ended:
            self._streams.abandon(self)
        elif self._reader is not None:  # it still reads what is held
            self._await_client()
        else:
            self._streams.forget(self)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ReconnectableStreams:
    """The streams of one gateway to which a client may come back.

    Args:
        cancel: cancels a job, with an error code.
        count: counts what becomes of a stream without a client.

    Attributes:
        held_bytes: memory of all their events.
    """

    def __init__(self, cancel: Callable[[str, str], object], count: Callable[[str], None]) -> None:
        self.held_bytes = 0
        self.count = count
        self._cancel = cancel
        self._streams: dict[str, ReconnectableStream] = {}
        self._is_making_room = False
        self._reader_left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._streams)

    def open(
        self, job: str, owner: Owner, encoder: Encoder, *, reconnect_s: float
    ) -> ReconnectableStream:
        """Begins a stream, which has no client yet; see ``ReconnectableStream``."""
        if len(self._streams) >= WITHOUT_CLIENT_PER_OWNER_MAX:
            alone = [each for each in self._without_client() if each.owner == owner]
            if len(alone) >= WITHOUT_CLIENT_PER_OWNER_MAX:
                self._evict(alone[0])
        stream = ReconnectableStream(self, job, owner, encoder, reconnect_s=reconnect_s)
        self._streams[job] = stream
        return stream

    def get(self, job: str, owner: Owner) -> ReconnectableStream | None:
        """Returns the stream of a job, or None if its owner has none that is held."""
        stream = self._streams.get(job)
        return stream if stream is not None and stream.owner == owner else None

    def forget(self, stream: ReconnectableStream) -> None:
        """Forgets a stream and its events."""
        if self._streams.pop(stream.job, None) is not None:
            self.held_bytes -= stream.log.size_bytes
        stream.close()

    def abandon(self, stream: ReconnectableStream) -> None:
        """Cancels the job of a stream whose client has not come back, and forgets it."""
        self.count("abandoned")
        self.forget(stream)
        self._cancel(stream.job, "client_gone")

    async def stop(self, wait_s: float) -> None:
        """Waits until the clients have read what is held, for a limited time; forgets all."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while any(stream.has_reader for stream in self._streams.values()):
                    self._reader_left.clear()
                    await self._reader_left.wait()
        for stream in list(self._streams.values()):
            self.forget(stream)

    def on_reader_left(self) -> None:
        """Lets ``stop`` look again whether a client still reads."""
        self._reader_left.set()

    def on_size_changed(self, stream: ReconnectableStream, bytes_added: int) -> None:
        """Counts the memory of a stream; makes room soon if there is too little."""
        if self._streams.get(stream.job) is not stream:
            return
        self.held_bytes += bytes_added
        if self.held_bytes > HELD_BYTES_MAX and not self._is_making_room:
            self._is_making_room = True
            asyncio.get_running_loop().call_soon(self._make_room)

    def _make_room(self) -> None:
        self._is_making_room = False
        for stream in self._without_client():
            if self.held_bytes <= HELD_BYTES_AFTER:
                return
            self._evict(stream)
        for stream in self._streams.values():
            stream.forget_read()

    def _without_client(self) -> Iterator[ReconnectableStream]:
        """Yields the streams without a client: those that have ended first, each longest first."""
        alone = [each for each in self._streams.values() if each.away_at and not each.has_reader]
        alone.sort(key=lambda stream: (not stream.has_ended, stream.away_at))
        yield from alone

    def _evict(self, stream: ReconnectableStream) -> None:
        if stream.has_ended:
            self.count("evicted")
            self.forget(stream)
        else:
            self.abandon(stream)
