"""Transports of the clients' calls: gRPC, HTTP for batches, and the protocol of any other one.

A transport raises exceptions of ``entraide.errors`` only, and never retries by itself.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import cached_property
from typing import Any, Protocol

import grpc
import grpc.aio
from google.protobuf.message import Message

from entraide.client._address import Address, resolve
from entraide.client._constants import MESSAGE_BYTES_MAX, SILENCE_S
from entraide.client._receive_watchdog import ReceiveWatchdog
from entraide.client._rpc_errors import error_from_rpc
from entraide.client.http import WebCaller, WebRequest, is_loopback, unreachable
from entraide.v1 import admin_pb2_grpc, enrolment_pb2_grpc, pool_pb2, pool_pb2_grpc

SERVICES = {
    "Pool": pool_pb2_grpc.PoolStub,
    "Admin": admin_pb2_grpc.AdminStub,
    "Enrolment": enrolment_pb2_grpc.EnrolmentStub,
}


class Transport(Protocol):
    """Transport of a ``Client``."""

    def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Makes one call (``Pool/Get``) and returns its answer."""

    def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Runs a live job; a generator, whose ``close`` ends the call."""

    def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Goes on with a stream whose connection was lost; a generator."""

    def read(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Iterator[Any]:
        """Makes one call whose answer comes in parts (``Admin/ExportJournal``)."""

    def http(self, request: WebRequest, *, timeout_s: float, lang: str) -> Iterator[bytes]:
        """Makes one HTTP request, and yields its answer in pieces; a generator."""

    def close(self) -> None:
        """Closes the connection."""


class AsyncTransport(Protocol):
    """Transport of an ``AsyncClient``."""

    async def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Makes one call (``Pool/Get``) and returns its answer."""

    def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Runs a live job; an asynchronous generator, whose ``aclose`` ends the call."""

    def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Goes on with a stream whose connection was lost; an asynchronous generator."""

    def http(self, request: WebRequest, *, timeout_s: float, lang: str) -> AsyncIterator[bytes]:
        """Makes one HTTP request, and yields its answer in pieces; an asynchronous generator."""

    async def close(self) -> None:
        """Closes the connection."""


def _options(address: Address) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        # A lost connection is tried again soon, and an attempt without an answer given up soon.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 3_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if is_loopback(address.target):
        options.append(("grpc.enable_http_proxy", 0))
    return options


def _credentials(address: Address) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(address.ca_pem.encode() or None)


def _metadata(key: str, lang: str) -> tuple[tuple[str, str | bytes], ...]:
    return (("authorization", f"Bearer {key}"), ("accept-language", lang))


def _web_of(url: str) -> str:
    """Returns the web address of a pool, if its address is one; else ""."""
    return url if url.startswith(("http://", "https://")) else ""


class GrpcTransport:
    """Calls over one gRPC channel, opened at first use. Thread-safe.

    Files and batches go over HTTP.
    """

    def __init__(self, url: str, key: str, *, ca_pem: str = "", web: str = "") -> None:
        self._url, self._key, self._ca_pem = url, key, ca_pem
        self._web = web or _web_of(url)
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    @cached_property
    def _caller(self) -> WebCaller:
        return WebCaller(self._web, self._key, ca_pem=self._ca_pem)

    def _open(self, lang: str) -> grpc.Channel:
        with self._lock:
            if self._channel is None:
                address = resolve(self._url, ca_pem=self._ca_pem, lang=lang)
                options = _options(address)
                if address.tls:
                    self._channel = grpc.secure_channel(
                        address.target, _credentials(address), options
                    )
                else:
                    self._channel = grpc.insecure_channel(address.target, options)
            return self._channel

    def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Makes one call (``Pool/Get``) and returns its answer."""
        service, _, name = method.partition("/")
        stub = SERVICES[service](self._open(lang))
        try:
            return getattr(stub, name)(
                request, timeout=timeout_s, metadata=_metadata(self._key, lang)
            )
        except grpc.RpcError as problem:
            raise error_from_rpc(problem, address=self._url, lang=lang) from problem

    def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Runs a live job; closing the generator ends the call."""
        stub = pool_pb2_grpc.PoolStub(self._open(lang))
        call = stub.Stream(request, timeout=timeout_s, metadata=_metadata(self._key, lang))
        yield from self._receive(call, lang)

    def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Goes on with a stream whose connection was lost; closing the generator ends the call."""
        stub = pool_pb2_grpc.PoolStub(self._open(lang))
        call = stub.Reconnect(request, timeout=timeout_s, metadata=_metadata(self._key, lang))
        yield from self._receive(call, lang)

    def _receive(self, call: Any, lang: str) -> Iterator[pool_pb2.StreamEvent]:
        """Yields the events of a call; a numbered stream that is silent too long is lost."""
        watch = ReceiveWatchdog(self.close)  # which ends the call: its connection leads nowhere
        try:
            while (event := watch.wait_for(lambda: next(call, None))) is not None:
                if event.number or event.started.reconnect_s:
                    watch.start()
                yield event
        except grpc.RpcError as problem:
            raise error_from_rpc(problem, address=self._url, lang=lang) from problem
        finally:
            watch.stop()
            call.cancel()

    def read(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Iterator[Any]:
        """Makes one call whose answer comes in parts; closing the generator cancels it."""
        service, _, name = method.partition("/")
        stub = SERVICES[service](self._open(lang))
        call = getattr(stub, name)(request, timeout=timeout_s, metadata=_metadata(self._key, lang))
        try:
            yield from call
        except grpc.RpcError as problem:
            raise error_from_rpc(problem, address=self._url, lang=lang) from problem
        finally:
            call.cancel()

    def http(self, request: WebRequest, *, timeout_s: float, lang: str) -> Iterator[bytes]:
        """Makes one HTTP request, and yields its answer in pieces."""
        yield from self._caller.send(request, timeout_s=timeout_s, lang=lang)

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None


class AsyncGrpcTransport:
    """Calls over one gRPC channel in the running event loop, opened at first use.

    Files and batches go over HTTP, in threads.
    """

    def __init__(self, url: str, key: str, *, ca_pem: str = "", web: str = "") -> None:
        self._url, self._key, self._ca_pem = url, key, ca_pem
        self._web = web or _web_of(url)
        self._lock = asyncio.Lock()
        self._channel: grpc.aio.Channel | None = None

    @cached_property
    def _caller(self) -> WebCaller:
        return WebCaller(self._web, self._key, ca_pem=self._ca_pem)

    async def _open(self, lang: str) -> grpc.aio.Channel:
        async with self._lock:
            if self._channel is None:
                address = await asyncio.to_thread(
                    resolve, self._url, ca_pem=self._ca_pem, lang=lang
                )
                options = _options(address)
                if address.tls:
                    self._channel = grpc.aio.secure_channel(
                        address.target, _credentials(address), options
                    )
                else:
                    self._channel = grpc.aio.insecure_channel(address.target, options)
            return self._channel

    async def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Makes one call (``Pool/Get``) and returns its answer."""
        service, _, name = method.partition("/")
        stub: Any = SERVICES[service](await self._open(lang))
        try:
            return await getattr(stub, name)(
                request, timeout=timeout_s, metadata=_metadata(self._key, lang)
            )
        except grpc.RpcError as problem:
            raise error_from_rpc(problem, address=self._url, lang=lang) from problem

    async def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Runs a live job; closing the generator ends the call."""
        events = self._receive("Stream", request, timeout_s=timeout_s, lang=lang)
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Goes on with a stream whose connection was lost; closing the generator ends the call."""
        events = self._receive("Reconnect", request, timeout_s=timeout_s, lang=lang)
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def _receive(
        self, name: str, request: Message, *, timeout_s: float, lang: str
    ) -> AsyncGenerator[pool_pb2.StreamEvent, None]:
        """Yields the events of a call; a numbered stream that is silent too long is lost."""
        stub: Any = pool_pb2_grpc.PoolStub(await self._open(lang))
        call = getattr(stub, name)(request, timeout=timeout_s, metadata=_metadata(self._key, lang))
        silence_s: float | None = None
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    event = await call.read()
                if event is grpc.aio.EOF:
                    return
                if event.number or event.started.reconnect_s:
                    silence_s = SILENCE_S
                yield event
        except TimeoutError as problem:
            await self.close()  # the connection leads nowhere
            raise unreachable(self._url, lang, "cut") from problem
        except grpc.RpcError as problem:
            raise error_from_rpc(problem, address=self._url, lang=lang) from problem
        finally:
            call.cancel()

    async def http(
        self, request: WebRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[bytes]:
        """Makes one HTTP request, and yields its answer in pieces."""
        pieces = self._caller.send(request, timeout_s=timeout_s, lang=lang)
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            # If this call was cancelled, a thread still waits for a piece; it ends by itself.
            with contextlib.suppress(ValueError):
                pieces.close()

    async def close(self) -> None:
        """Closes the connection."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None
