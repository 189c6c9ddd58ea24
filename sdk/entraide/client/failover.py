"""Failover: the transports of a pool with several addresses, one for each gateway.

A call goes to the address that worked last. Where that one cannot be reached, the next is tried at
once, each address once; a stream only before its first event, a request over HTTP not at all, since
its body may have been read. The caller's own retries come on top, and begin at the next address.
What concerns a streamed job goes to the address that took it: only that gateway knows its stream.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from google.protobuf.message import Message

from entraide.client.http import WebRequest
from entraide.client.transport import AsyncGrpcTransport, AsyncTransport, GrpcTransport, Transport
from entraide.errors import EntraideError
from entraide.v1 import pool_pb2

ADDRESSES_MAX = 16
STREAMS_MAX = 1_000  # whose addresses are remembered, the latest ones
DEAD = frozenset({"gateway_lost", "pool_unreachable", "shutting_down"})


def split_addresses(url: str) -> list[str]:
    """Returns the addresses in a text that separates them by commas.

    >>> split_addresses("https://a.coop, https://b.coop")
    ['https://a.coop', 'https://b.coop']
    """
    return [each.strip() for each in url.split(",") if each.strip()][:ADDRESSES_MAX]


def open_transport(url: str, key: str, *, ca_pem: str, web: str) -> Transport:
    """Returns the transport of a pool with one address or several; see ``split_addresses``."""
    made = [GrpcTransport(each, key, ca_pem=ca_pem, web=web) for each in split_addresses(url)]
    return made[0] if len(made) == 1 else FailoverTransport(made)


def open_async_transport(url: str, key: str, *, ca_pem: str, web: str) -> AsyncTransport:
    """Returns the transport of a pool with one address or several, for asyncio programs."""
    made = [AsyncGrpcTransport(each, key, ca_pem=ca_pem, web=web) for each in split_addresses(url)]
    return made[0] if len(made) == 1 else AsyncFailoverTransport(made)


class _Turn:
    """Whose turn it is among the addresses. Two threads may turn at once: no address is lost."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._takers: dict[str, int] = {}
        self.at = 0

    def leave(self, index: int, problem: EntraideError) -> bool:
        """Turns to the next address if this one is dead; returns whether it is."""
        if problem.code not in DEAD:
            return False
        if self.at == index:
            self.at = (index + 1) % self._number
        return True

    def note(self, event: pool_pb2.StreamEvent, index: int) -> None:
        """Remembers which address took a streamed job, as its first event says."""
        if event.HasField("started"):
            self._takers[event.started.job] = index
            for job in list(self._takers)[:-STREAMS_MAX]:
                self._takers.pop(job, None)

    def taker_of(self, request: Any) -> int:
        """Returns the address that took the job of a request, else the present one."""
        return self._takers.get(getattr(request, "job", ""), self.at)

    def tries(self, start: int) -> Iterator[tuple[int, bool]]:
        """Yields each address once, from one on, and whether it is the last."""
        for step in range(self._number):
            yield (start + step) % self._number, step == self._number - 1


class FailoverTransport:
    """Transports of the same pool; the next one is tried when one is dead. Thread-safe."""

    def __init__(self, transports: Sequence[Transport]) -> None:
        self._transports = transports
        self._turn = _Turn(len(transports))

    def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Makes one call (``Pool/Get``) and returns its answer."""
        for index, is_last in self._turn.tries(self._turn.taker_of(request)):
            try:
                return self._transports[index].call(method, request, timeout_s=timeout_s, lang=lang)
            except EntraideError as problem:
                if not self._turn.leave(index, problem) or is_last:
                    raise
        raise AssertionError("unreachable: the last try raises")

    def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Runs a live job; closing the generator cancels the job."""
        has_begun = False
        for index, is_last in self._turn.tries(self._turn.at):
            events = self._transports[index].stream(request, timeout_s=timeout_s, lang=lang)
            try:
                with closing(events):  # type: ignore[type-var]  # a generator, by the protocol
                    for event in events:
                        has_begun = True
                        self._turn.note(event, index)
                        yield event
                return
            except EntraideError as problem:
                if not self._turn.leave(index, problem) or is_last or has_begun:
                    raise

    def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Goes on with a stream whose connection was lost, at the address that took its job."""
        taker = self._transports[self._turn.taker_of(request)]
        yield from taker.reconnect(request, timeout_s=timeout_s, lang=lang)

    def read(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Iterator[Any]:
        """Makes one call whose answer comes in parts."""
        index = self._turn.at
        try:
            yield from self._transports[index].read(method, request, timeout_s=timeout_s, lang=lang)
        except EntraideError as problem:
            self._turn.leave(index, problem)
            raise

    def http(self, request: WebRequest, *, timeout_s: float, lang: str) -> Iterator[bytes]:
        """Makes one HTTP request, and yields its answer in pieces."""
        index = self._turn.at
        try:
            yield from self._transports[index].http(request, timeout_s=timeout_s, lang=lang)
        except EntraideError as problem:
            self._turn.leave(index, problem)
            raise

    def close(self) -> None:
        """Closes the connections."""
        for transport in self._transports:
            transport.close()


class AsyncFailoverTransport:
    """Transports of the same pool for asyncio programs; the next is tried when one is dead."""

    def __init__(self, transports: Sequence[AsyncTransport]) -> None:
        self._transports = transports
        self._turn = _Turn(len(transports))

    async def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Makes one call (``Pool/Get``) and returns its answer."""
        for index, is_last in self._turn.tries(self._turn.taker_of(request)):
            try:
                return await self._transports[index].call(
                    method, request, timeout_s=timeout_s, lang=lang
                )
            except EntraideError as problem:
                if not self._turn.leave(index, problem) or is_last:
                    raise
        raise AssertionError("unreachable: the last try raises")

    async def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Runs a live job; closing the generator cancels the job."""
        has_begun = False
        for index, is_last in self._turn.tries(self._turn.at):
            events = self._transports[index].stream(request, timeout_s=timeout_s, lang=lang)
            try:
                async with aclosing(events):  # type: ignore[type-var]  # as above
                    async for event in events:
                        has_begun = True
                        self._turn.note(event, index)
                        yield event
                return
            except EntraideError as problem:
                if not self._turn.leave(index, problem) or is_last or has_begun:
                    raise

    async def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Goes on with a stream whose connection was lost, at the address that took its job."""
        taker = self._transports[self._turn.taker_of(request)]
        events = taker.reconnect(request, timeout_s=timeout_s, lang=lang)
        async with aclosing(events):  # type: ignore[type-var]  # as above
            async for event in events:
                yield event

    async def http(
        self, request: WebRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[bytes]:
        """Makes one HTTP request, and yields its answer in pieces."""
        index = self._turn.at
        try:
            async for piece in self._transports[index].http(
                request, timeout_s=timeout_s, lang=lang
            ):
                yield piece
        except EntraideError as problem:
            self._turn.leave(index, problem)
            raise

    async def close(self) -> None:
        """Closes the connections."""
        for transport in self._transports:
            await transport.close()
