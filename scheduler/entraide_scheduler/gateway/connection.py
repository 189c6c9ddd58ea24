"""Connection: parses one HTTP/1.1 connection into requests, with limits of memory and time.

In: bytes from asyncio, parsed by httptools. Out: one ``Exchange`` at a time. A head (its key, its
announced length) is checked before its body is read. While a request is checked or answered, or
answers are unread, up to ``AHEAD_MAX_BYTES`` of further input are buffered; then reading pauses.
Deadlines are absolute. One timer serves all deadlines of a connection; it is set again only if the
next deadline is earlier.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Protocol, cast

import httptools
from msgspec import Struct

from entraide_scheduler.gateway.bus_tunnel import BusTunnels, is_bus_request
from entraide_scheduler.gateway.exchange import Exchange, HttpRequest
from entraide_scheduler.gateway.incoming import IncomingRequest
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.http_limits import (
    AHEAD_MAX_BYTES,
    DISCARDED_MAX_BYTES,
    HEAD_MAX_BYTES,
    LINGER_S,
    PIPELINED_MAX,
    UNREAD_HIGH_BYTES,
    HttpLimits,
)

NEVER = float("inf")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Permit(Struct, frozen=True):
    """Permission to send a body and to be answered.

    Attributes:
        body_max: maximum bytes of the body.
        key: identifier of the API key, or "".
    """

    body_max: int
    key: str = ""


HeadDecision = Permit | ErrorReply


class Server(Protocol):
    """The interface of the server for its connections."""

    loop: asyncio.AbstractEventLoop
    limits: HttpLimits
    stopping: bool
    tunnels: BusTunnels | None

    def add_connection(self, connection: "Connection") -> bool:
        """Registers a connection; returns False if there are too many."""

    def remove_connection(self, connection: "Connection") -> None:
        """Removes a connection."""

    def set_idle(self, connection: "Connection", *, idle: bool) -> None:
        """Records whether a connection is between two requests."""

    def get_client_address(self, connection: "Connection", headers: dict[str, str]) -> str:
        """Returns the client's address."""

    def check_head(
        self, connection: "Connection", head: HttpRequest
    ) -> HeadDecision | Awaitable[HeadDecision]:
        """Decides by a request's head whether its body may be sent."""

    def await_decision(
        self, connection: "Connection", incoming: IncomingRequest, verdict: Awaitable[HeadDecision]
    ) -> None:
        """Awaits a decision and passes it to the connection."""

    def release(self, admission: Permit) -> None:
        """Releases a permit: its exchange has ended."""

    def handle(self, exchange: Exchange) -> None:
        """Starts to answer a request."""

    def refuse(self, exchange: Exchange, refusal: ErrorReply) -> None:
        """Answers with an error."""

    def count(self, reason: str) -> None:
        """Counts a refusal or a closed connection, by reason."""


class Connection(asyncio.Protocol):
    """One HTTP connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._incoming: IncomingRequest | None = None  # being read
        self._queue: deque[IncomingRequest] = (
            deque()
        )  # requests with a complete head; the first is the current one
        self._permit: Permit | None = None  # of the current request
        self.exchange: Exchange | None = None
        self._bus_request: HttpRequest | None = None  # the bus takes the connection over
        self.lost = False
        self.address = ""
        self.has_key = self.proxied = False
        self._awaiting_decision = self._write_paused = self._read_paused = False
        self._stopped_parsing = False  # no further request is parsed
        self._pipeline_overflow = False  # because too many requests were pipelined
        self._closing = False  # input is discarded until the answer is sent
        self._read_ahead = bytearray()
        self._discarded = 0
        self._bytes_since_body = 0  # bytes received since the last byte of a body
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = NEVER
        self._unread_deadline = NEVER
        self._stage_began = 0.0
        self._transport: asyncio.Transport

    @property
    def unread_bytes(self) -> int:
        """Bytes in the send buffer."""
        return 0 if self.lost else self._transport.get_write_buffer_size()

    @property
    def _is_busy(self) -> bool:
        return self.exchange is not None or self._awaiting_decision or self._write_paused

    @property
    def _can_read_request(self) -> bool:
        """Whether a further request may be parsed."""
        return not (self.lost or self._is_busy or self._closing)

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Registers with the server and waits for a head."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is no subclass
        self._transport.set_write_buffer_limits(UNREAD_HIGH_BYTES, 0)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._server.add_connection(self):
            self.abort()
            return
        self._set_deadline(self._server.limits.head_deadline_s)

    def data_received(self, data: bytes) -> None:
        """Parses, buffers or discards bytes."""
        if self._closing or self._stopped_parsing:
            self._discarded += len(data)
            if self._discarded > DISCARDED_MAX_BYTES:
                self.abort()
        elif self._is_busy or self._read_ahead:
            self._read_ahead += data
            if len(self._read_ahead) > AHEAD_MAX_BYTES and not self._read_paused:
                self._read_paused = True
                self._transport.pause_reading()
        else:
            self._parse(data)

    def eof_received(self) -> bool:
        """Closes the connection: a client that closes its side has left."""
        return False

    def pause_writing(self) -> None:
        """Stops parsing, because the send buffer is above its limit."""
        self._write_paused = True
        self._unread_deadline = self._server.loop.time() + self._server.limits.unread_deadline_s
        self._set_timer()

    def resume_writing(self) -> None:
        """Continues parsing, because the send buffer is empty."""
        self._write_paused = False
        self._unread_deadline = NEVER
        if self.exchange is not None:
            self.exchange.on_read()
        elif not self._awaiting_decision:
            self._server.loop.call_soon(self._resume)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio gives it)
        """Notifies the exchange that the client has left."""
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._release_permit()
        self._queue.clear()
        self._read_ahead.clear()
        self._server.remove_connection(self)
        if self.exchange is not None:
            self.exchange.on_connection_lost()
            self.exchange = None

    # httptools calls these, from within _parse.

    def on_message_begin(self) -> None:
        """Starts a request."""
        self._bytes_since_body = 0
        self._incoming = None if self._closing or self._stopped_parsing else IncomingRequest()

    def on_url(self, url: bytes) -> None:
        """Adds a part of the target."""
        if self._incoming is not None:
            self._incoming.add_target(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header or a trailer."""
        if self._incoming is not None:
            self._incoming.add_header(name, value)

    def on_headers_complete(self) -> None:
        """Checks the head, if no earlier request is queued."""
        incoming = self._incoming
        if incoming is None:
            return
        incoming.end_head(
            method=self._parser.get_method().decode("ascii"),
            version=self._parser.get_http_version(),
            keep_alive=self._parser.should_keep_alive(),
            peer=self._server.get_client_address(self, incoming.headers),
        )
        if len(self._queue) > PIPELINED_MAX:
            self._server.count("pipelined")
            self._stopped_parsing = self._pipeline_overflow = True
            self._incoming = None
            return
        if self._is_for_bus(incoming):
            self._bus_request, self._incoming = incoming.head, None
            return
        self._queue.append(incoming)
        if len(self._queue) == 1:
            self._check_head(incoming)

    def _is_for_bus(self, incoming: IncomingRequest) -> bool:
        """Whether the connection goes on as a WebSocket to the bus; only its first request may."""
        if self._server.tunnels is None or self._queue or incoming.refusal:
            return False
        head = incoming.head
        return head is not None and self._parser.should_upgrade() and is_bus_request(head)

    def on_body(self, body: bytes) -> None:
        """Adds a part of the body."""
        self._bytes_since_body = 0
        incoming = self._incoming
        if incoming is None or self._closing:
            return
        incoming.add_body(body)
        if incoming.refusal and self._is_current(incoming):
            self._refuse_unread(incoming)

    def on_message_complete(self) -> None:
        """Completes the request."""
        incoming, self._incoming = self._incoming, None
        if incoming is None or self._closing:
            return
        incoming.complete = True
        if not incoming.keep_alive:
            self._stopped_parsing = True  # bytes after the last request are not parsed
        if self._is_current(incoming):
            self._begin_exchange(incoming)

    # Requests, one after another.

    def _is_current(self, incoming: IncomingRequest) -> bool:
        """Whether a request is the first in the queue and may be answered now."""
        return not self._is_busy and bool(self._queue) and self._queue[0] is incoming

    def _parse(self, data: bytes) -> None:
        previous = self._incoming
        had_head = previous is not None and previous.head is not None
        self._bytes_since_body += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stopped_parsing = True  # answered as HTTP/1.1 without upgrade, then closed
            if self._bus_request is not None:
                self._hand_over(self._bus_request, data[upgrade.args[0] :])
                return
        except httptools.HttpParserError:
            self._refuse_current("invalid_request")
        incoming = self._incoming
        if incoming is None or not self._can_read_request:
            return
        if incoming is not previous or (incoming.head is not None and not had_head):
            self._await_input()
        elif self._bytes_since_body > HEAD_MAX_BYTES:
            self._refuse_current("head_too_large")

    def _hand_over(self, head: HttpRequest, ahead: bytes) -> None:
        """Leaves the connection to a tunnel to the bus."""
        assert self._server.tunnels is not None
        self.lost = True  # for this object
        if self._timer is not None:
            self._timer.cancel()
        self._server.remove_connection(self)
        self._server.tunnels.begin(self._transport, head, ahead)

    def _refuse_current(self, code: str) -> None:
        """Refuses the request that is being read; later input is not parsed."""
        if self._closing or self._stopped_parsing:
            return
        incoming, self._incoming = self._incoming or IncomingRequest(), None
        incoming.refuse(code)
        self._stopped_parsing = True
        if not any(queued is incoming for queued in self._queue):
            self._queue.append(incoming)
        if self._is_current(incoming):
            self._refuse_unread(incoming)

    def _check_head(self, incoming: IncomingRequest) -> None:
        """Checks the head of the current request."""
        if incoming.refusal or incoming.head is None:
            self._refuse_unread(incoming)
            return
        verdict = self._server.check_head(self, incoming.head)
        if isinstance(verdict, Permit | ErrorReply):
            self._apply_decision(incoming, verdict)
        else:
            self._awaiting_decision = True
            self._deadline = NEVER
            self._server.await_decision(self, incoming, verdict)

    def on_decision(self, incoming: IncomingRequest, verdict: HeadDecision) -> None:
        """Continues a request after an asynchronous decision."""
        self._awaiting_decision = False
        if self.lost or self._transport.is_closing():
            if isinstance(verdict, Permit):
                self._server.release(verdict)
            return
        self._apply_decision(incoming, verdict)
        self._resume()

    def _apply_decision(self, incoming: IncomingRequest, verdict: HeadDecision) -> None:
        if isinstance(verdict, ErrorReply):
            self._refuse(incoming, verdict)
            return
        self._permit = verdict
        if verdict.body_max < incoming.body_max:
            incoming.body_max = verdict.body_max
            incoming.check_length()
        if incoming.refusal:
            self._refuse_unread(incoming)
        elif incoming.complete:
            self._begin_exchange(incoming)
        elif incoming.expects_continue and not incoming.body_bytes:
            self.write(CONTINUE)

    def _begin_exchange(self, incoming: IncomingRequest) -> None:
        if self._permit is None or incoming.refusal:  # it was queued behind others
            self._check_head(incoming)
            return
        self._deadline = NEVER
        self._server.set_idle(self, idle=False)
        alive = incoming.keep_alive and not self._server.stopping
        self.exchange = Exchange(self, incoming.request, keep_alive=alive, http11=incoming.http11)
        self._server.handle(self.exchange)

    def _refuse(self, incoming: IncomingRequest, refusal: ErrorReply) -> None:
        """Answers with an error; after an incomplete request the connection is closed."""
        self._deadline = NEVER
        self._closing = not incoming.complete
        alive = incoming.complete and incoming.keep_alive and not self._server.stopping
        self.exchange = Exchange(self, incoming.request, keep_alive=alive)
        self._server.refuse(self.exchange, refusal)

    def _refuse_unread(self, incoming: IncomingRequest) -> None:
        """Refuses an invalid request, or one that arrives too slowly."""
        if incoming.refusal != "request_timeout":  # counted by the name of the deadline
            self._server.count(incoming.refusal)
        self._refuse(incoming, ErrorReply(incoming.refusal))

    def _resume(self) -> None:
        """Continues with queued requests and buffered bytes, else waits for input."""
        if not self._can_read_request:
            return
        first = self._queue[0] if self._queue else None
        if first is not None and (first.refusal or first.complete or self._permit is None):
            self._begin_exchange(first)
        if self._read_ahead and self._can_read_request:
            data = bytes(self._read_ahead)
            self._read_ahead.clear()
            self._parse(data)
        if self._read_paused and not self._read_ahead:
            self._read_paused = False
            self._transport.resume_reading()
        if self._deadline == NEVER and self._can_read_request:
            self._await_input()

    # The exchange calls these.

    def write(self, data: bytes) -> None:
        """Sends bytes, unless the client has left."""
        if not self.lost and data:
            self._transport.write(data)

    def abort(self) -> None:
        """Aborts the connection."""
        self._transport.abort()

    def close(self) -> None:
        """Closes once the send buffer is empty, or at the deadline."""
        if not self.lost:
            self._transport.close()
            self._closing = True
            self._set_deadline(self._server.limits.unread_deadline_s)

    def on_exchange_ended(self, *, keep_alive: bool) -> None:
        """Continues after a complete answer."""
        self.exchange = None
        self._release_permit()
        if self.lost or self._transport.is_closing():
            return
        if self._queue:
            self._queue.popleft()
        if self._closing or (self._pipeline_overflow and not self._queue):
            # Input is still arriving: closing now would reset the connection and lose the answer.
            self._closing = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._set_deadline(LINGER_S)
        elif not keep_alive or (self._stopped_parsing and not self._queue):
            self.close()
        elif self._queue or self._read_ahead:
            self._server.loop.call_soon(self._resume)
        else:
            self._await_input()

    def _release_permit(self) -> None:
        if self._permit is not None:
            self._server.release(self._permit)
            self._permit = None

    # Deadlines.

    def _await_input(self) -> None:
        """Sets the deadline for the next request, or for the rest of a head or a body."""
        limits, incoming = self._server.limits, self._incoming
        if incoming is None:
            self._set_deadline(limits.idle_s if self.has_key else limits.idle_without_key_s)
        elif incoming.head is None:
            self._set_deadline(limits.head_deadline_s)
        else:
            self._set_deadline(limits.body_deadline_s)
        self._server.set_idle(self, idle=incoming is None)

    def _set_deadline(self, seconds: float) -> None:
        """Sets the deadline of the present stage."""
        self._deadline = self._server.loop.time() + seconds
        self._set_timer()

    def _set_timer(self) -> None:
        at = min(self._deadline, self._unread_deadline)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._server.loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._server.loop.time()
        if now >= self._unread_deadline:
            self._server.count("unread_deadline")
            self.abort()
        elif now >= self._deadline:
            self._deadline = NEVER
            self._on_deadline()
        elif min(self._deadline, self._unread_deadline) < NEVER:
            self._set_timer()

    def _on_deadline(self) -> None:
        if self._transport.is_closing():
            self.abort()
        elif self._closing:
            self.close()
        elif self._incoming is not None:
            in_head = self._incoming.head is None
            self._server.count("head_deadline" if in_head else "body_deadline")
            self._refuse_current("request_timeout")
        elif not self._write_paused:  # else ``unread_deadline_s`` applies
            self._server.count("idle")
            self.close()
