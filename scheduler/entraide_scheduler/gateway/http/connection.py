"""Connection: parses one HTTP/1.1 connection into requests, with limits of memory and time.

In: bytes from asyncio, parsed by httptools. Out: one ``Exchange`` at a time. A head (its key, its
announced length) is checked before its body is read. While a request is checked or answered, or
answers are unread, up to ``AHEAD_MAX_BYTES`` of further input are buffered; then reading pauses.
The body of a request with a permit to stream is passed on while it arrives; reading pauses while
its handler is behind.
"""

import asyncio
import select
from collections import deque
from typing import cast

import httptools

from entraide_scheduler.config import (
    AHEAD_MAX_BYTES,
    DISCARDED_MAX_BYTES,
    HEAD_MAX_BYTES,
    LINGER_S,
    PIPELINED_MAX,
    STREAM_PART_BYTES,
    UNREAD_HIGH_BYTES,
)
from entraide_scheduler.gateway.http.body_stream import BodyStream
from entraide_scheduler.gateway.http.bus_tunnel import is_bus_request
from entraide_scheduler.gateway.http.connection_deadlines import ConnectionDeadlines
from entraide_scheduler.gateway.http.connection_server import HeadDecision, Permit, Server
from entraide_scheduler.gateway.http.exchange import Exchange, HttpRequest
from entraide_scheduler.gateway.http.incoming import IncomingRequest
from entraide_scheduler.gateway.refusals import ErrorReply

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def has_unread_input(transport: asyncio.BaseTransport) -> bool:
    """Whether bytes have come that the event loop has not read; False where that is not known."""
    connected = transport.get_extra_info("socket")
    if connected is None or connected.fileno() < 0 or not hasattr(select, "poll"):
        return False
    poller = select.poll()
    poller.register(connected.fileno(), select.POLLIN)
    return bool(poller.poll(0))


class Connection(asyncio.Protocol):
    """One HTTP connection."""

    def __init__(self, server: "Server[Connection]") -> None:
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
        self.address = self.coop = ""
        self.has_key = self.proxied = False
        self._awaiting_decision = self._write_paused = self._read_paused = False
        self._was_checked = False  # its first head
        self._stopped_parsing = False  # no further request is parsed
        self._pipeline_overflow = False  # because too many requests were pipelined
        self._closing = False  # input is discarded until the answer is sent
        self._read_ahead = bytearray()
        self._discarded = 0
        self._bytes_since_body = 0  # bytes received since the last byte of a body
        self._part_bytes = 0  # of a streamed body since its deadline was set
        self._deadlines = ConnectionDeadlines(server.loop, self._on_deadline, self._on_unread)
        self._transport: asyncio.Transport

    @property
    def unread_bytes(self) -> int:
        """Bytes in the send buffer."""
        return 0 if self.lost else self._transport.get_write_buffer_size()

    @property
    def is_unchecked(self) -> bool:
        """Whether its first head waits for this process, which has not read or not checked it."""
        if self._was_checked:
            return False
        return self._awaiting_decision or has_unread_input(self._transport)

    @property
    def _is_busy(self) -> bool:
        return self.exchange is not None or self._awaiting_decision or self._write_paused

    @property
    def _open_stream(self) -> BodyStream | None:
        """The body that is read while it arrives; None before, after its end and without one."""
        return None if self._incoming is None or self._closing else self._incoming.stream

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
        self._deadlines.set_stage(self._server.limits.head_deadline_s)

    def data_received(self, data: bytes) -> None:
        """Parses, buffers or discards bytes."""
        if self._closing or self._stopped_parsing:
            self._discarded += len(data)
            if self._discarded > DISCARDED_MAX_BYTES:
                self.abort()
        elif self._open_stream is not None and not self._read_ahead:
            self._parse_streamed(data)
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
        self._deadlines.set_unread(self._server.limits.unread_deadline_s)

    def resume_writing(self) -> None:
        """Continues parsing, because the send buffer is empty."""
        self._write_paused = False
        self._deadlines.clear_unread()
        if self.exchange is not None:
            self.exchange.on_read()
        elif not self._awaiting_decision:
            self._server.loop.call_soon(self._resume)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio gives it)
        """Notifies the exchange that the client has left."""
        self.lost = True
        self._deadlines.cancel()
        if self._open_stream is not None:
            self._open_stream.fail("client_gone")
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
        if incoming.stream is not None:
            self._deadlines.clear_stage()
            incoming.stream.end()
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
        self._deadlines.cancel()
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
            self._deadlines.clear_stage()
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
        self._was_checked = True
        if isinstance(verdict, ErrorReply):
            self._refuse(incoming, verdict)
            return
        self._permit = verdict
        if verdict.body_max < incoming.body_max:
            incoming.body_max = verdict.body_max
            incoming.check_length()
        if incoming.refusal:
            self._refuse_unread(incoming)
        elif verdict.streamed:
            self._begin_stream(incoming)
        elif incoming.complete:
            self._begin_exchange(incoming)
        elif incoming.expects_continue and not incoming.body_bytes:
            self.write(CONTINUE)

    def _begin_exchange(self, incoming: IncomingRequest) -> None:
        if self._permit is None or incoming.refusal:  # it was queued behind others
            self._check_head(incoming)
            return
        self._deadlines.clear_stage()
        self._server.set_idle(self, idle=False)
        alive = incoming.keep_alive and not self._server.ending
        self.exchange = Exchange(self, incoming.request, keep_alive=alive, http11=incoming.http11)
        self.exchange.body = incoming.stream
        self._server.handle(self.exchange)

    # A body that is read while it arrives.

    def _begin_stream(self, incoming: IncomingRequest) -> None:
        """Starts to answer a request whose body is still arriving."""
        stream = BodyStream(self._on_stream_read)
        incoming.begin_stream(stream)
        if incoming.complete:
            stream.end()
        elif incoming.expects_continue and not incoming.body_bytes:
            self.write(CONTINUE)
        self._begin_exchange(incoming)
        if not incoming.complete:
            self._part_bytes = 0
            self._deadlines.set_stage(self._server.limits.body_deadline_s)

    def _parse_streamed(self, data: bytes) -> None:
        """Parses bytes of the body; sets the deadline of its next part, or pauses reading."""
        self._part_bytes += len(data)
        self._parse(data)
        stream = self._open_stream
        if stream is None:
            return
        if self._part_bytes >= STREAM_PART_BYTES:
            self._part_bytes = 0
            self._deadlines.set_stage(self._server.limits.body_deadline_s)
        if stream.is_full and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def _on_stream_read(self) -> None:
        """Reads on, because the handler has caught up."""
        if self._open_stream is not None:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if self._read_paused and not self.lost and not self._transport.is_closing():
            self._read_paused = False
            self._transport.resume_reading()

    def _refuse(self, incoming: IncomingRequest, refusal: ErrorReply) -> None:
        """Answers with an error; after an incomplete request the connection is closed."""
        self._deadlines.clear_stage()
        self._closing = not incoming.complete
        alive = incoming.complete and incoming.keep_alive and not self._server.ending
        self.exchange = Exchange(self, incoming.request, keep_alive=alive)
        self._server.refuse(self.exchange, refusal)

    def _refuse_unread(self, incoming: IncomingRequest) -> None:
        """Refuses an invalid request, or one that arrives too slowly."""
        if incoming.refusal != "request_timeout":  # counted by the name of the deadline
            self._server.count(incoming.refusal)
        self._refuse(incoming, ErrorReply(incoming.refusal))

    def _resume(self) -> None:
        """Continues with queued requests and buffered bytes, else waits for input."""
        if self._open_stream is not None:
            data = bytes(self._read_ahead)
            self._read_ahead.clear()
            self._resume_reading()
            self._parse_streamed(data)
        if not self._can_read_request:
            return
        first = self._queue[0] if self._queue else None
        if first is not None and (first.refusal or first.complete or self._permit is None):
            self._begin_exchange(first)
        if self._read_ahead and self._can_read_request:
            data = bytes(self._read_ahead)
            self._read_ahead.clear()
            self._parse(data)
        if not self._read_ahead:
            self._resume_reading()
        if not self._deadlines.has_stage and self._can_read_request:
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
            self._deadlines.set_stage(self._server.limits.unread_deadline_s)

    def close_unless_asked(self) -> None:
        """Closes an idle connection, unless its client has just sent something."""
        if not has_unread_input(self._transport):
            self._server.set_idle(self, idle=False)
            self.close()

    def on_exchange_ended(self, *, keep_alive: bool) -> None:
        """Continues after a complete answer."""
        self.exchange = None
        self._release_permit()
        if self.lost or self._transport.is_closing():
            return
        if self._queue:
            self._queue.popleft()
        if self._open_stream is not None:  # answered before the end of its body
            self._closing = True
            self._resume_reading()
        if self._closing or (self._pipeline_overflow and not self._queue):
            # Input is still arriving: closing now would reset the connection and lose the answer.
            self._closing = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._deadlines.set_stage(LINGER_S)
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
            self._deadlines.set_stage(limits.idle_s if self.has_key else limits.idle_without_key_s)
        elif incoming.head is None:
            self._deadlines.set_stage(limits.head_deadline_s)
        else:
            self._deadlines.set_stage(limits.body_deadline_s)
        self._server.set_idle(self, idle=incoming is None)

    def _on_unread(self) -> None:
        self._server.count("unread_deadline")
        self.abort()

    def _on_deadline(self) -> None:
        if self._transport.is_closing():
            self.abort()
        elif self._closing:
            self.close()
        elif self._open_stream is not None:
            self._on_part_deadline(self._open_stream)
        elif self._incoming is not None:
            in_head = self._incoming.head is None
            self._server.count("head_deadline" if in_head else "body_deadline")
            self._refuse_current("request_timeout")
        elif not self._write_paused:  # else ``unread_deadline_s`` applies
            self._server.count("idle")
            self.close()

    def _on_part_deadline(self, stream: BodyStream) -> None:
        if self._read_paused:  # the handler is behind, not the client
            self._deadlines.set_stage(self._server.limits.body_deadline_s)
        else:
            self._server.count("body_deadline")
            stream.fail("request_timeout")
