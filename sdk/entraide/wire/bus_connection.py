"""Bus connection: nats-py's client with a direct way for messages, and sure reconnections.

nats-py gives each published and each received message to another task. That costs as much as the
message's own work, and a turn of the event loop. Here ``send`` writes after one more turn,
with all that was sent until then, and a ``receive`` callback is called as soon as its message is
read.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from typing import Any

from nats import errors
from nats.aio.client import DEFAULT_BUFFER_SIZE, Client, Srv
from nats.aio.subscription import Subscription

from entraide.cancellation import cancel_until_ended, keeping_cancellation
from entraide.wire.direct_transport import DirectTransport, Receiver
from entraide.wire.terms import FollowedTerm
from entraide.wire.websocket import WebSocket

CONNECT_TIMEOUT_S = 5
FLUSH_TIMEOUT_S = 10
RETRY_AFTER_BUG_S = 2.0
PENDING_MAX_BYTES = 16 * 1024 * 1024  # that wait while the server is away
SENDING_MAX_BYTES = 64 * 1024 * 1024  # that wait for a server that is there
ROOM_BYTES = 1024 * 1024  # pending bytes above which producers should wait


class BusConnection(Client):
    """nats-py's client, which reconnects after every failure of the server or the network.

    Attributes:
        web_trust: TLS context of WebSocket connections; None if no address needs one.
        followed_term: the term of the scheduler that is heard; messages of lower ones are dropped.
    """

    web_trust: ssl.SSLContext | None = None

    def __init__(self, before_write: Callable[[], None] = lambda: None) -> None:
        """Creates a connection; ``before_write`` sends what waits until something is written."""
        super().__init__()
        self._receivers: dict[int, Receiver] = {}
        self._reporting: set[asyncio.Future[None]] = set()
        self._is_write_due = False
        self._before_write = before_write
        self.followed_term = FollowedTerm()

    def send(self, subject: str, data: bytes, headers: bytes = b"") -> None:
        """Publishes a message, after one more turn of the event loop.

        Args:
            subject: of the message.
            data: its body.
            headers: in the form of the protocol, with its version and the empty line.

        Raises:
            nats.errors.ConnectionClosedError: the connection was closed.
            nats.errors.OutboundBufferLimitError: too many bytes wait for the bus: more than
                ``SENDING_MAX_BYTES``, or ``PENDING_MAX_BYTES`` while there is no connection.
            nats.errors.MaxPayloadError: the server takes no message of this size.
        """
        if self.is_closed:
            raise errors.ConnectionClosedError
        if len(data) > self._max_payload:
            raise errors.MaxPayloadError
        limit_bytes = SENDING_MAX_BYTES if self.is_connected else PENDING_MAX_BYTES
        if self._pending_data_size + len(data) > limit_bytes:
            raise errors.OutboundBufferLimitError
        if headers:
            sizes = (len(headers), len(headers) + len(data))
            command = b"HPUB %b %d %d\r\n%b%b\r\n" % (subject.encode(), *sizes, headers, data)
        else:
            command = b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(data), data)
        self._pending.append(command)
        self._pending_data_size += len(command)
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += len(data)
        self.write_soon()

    def write_soon(self) -> None:
        """Calls ``before_write`` and writes what was sent, after one more turn of the loop.

        In that turn the loop looks at its sockets without waiting, so that what came meanwhile is
        written in the same call: engines write the tokens of several sequences one after the other.
        """
        if not self._is_write_due:
            self._is_write_due = True
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._write_pending)

    @property
    def has_room(self) -> bool:
        """Whether little of what was sent waits for a server that is there."""
        return self._pending_data_size <= ROOM_BYTES or not self.is_connected

    async def wait_for_room(self) -> None:
        """Waits until there is room."""
        while not self.has_room:
            # Not nats-py's ``_flush_pending``, which loses a cancellation.
            assert self._flush_queue is not None, "a connection has one"
            written = asyncio.get_running_loop().create_future()
            await self._flush_queue.put(written)
            await asyncio.wait({written}, timeout=FLUSH_TIMEOUT_S)

    async def receive(self, subject: str, receiver: Receiver) -> Subscription:
        """Subscribes; the receiver gets the subject and the bytes of each message.

        Args:
            subject: may have wildcards.
            receiver: is called before anything that was read later; what it raises is reported.
        """
        sid = self._sid + 1  # that nats-py gives next: messages may come before it returns
        self._receivers[sid] = receiver
        try:
            return await self.subscribe(subject)
        except BaseException:
            self._remove_sub(sid)
            raise

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._receivers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    def _write_pending(self) -> None:
        try:
            self._before_write()
        finally:
            self._is_write_due = False
        if not self.is_connected or not self._pending:
            return  # after a reconnection nats-py sends what waits
        writer = getattr(self._transport, "_io_writer", None)
        if writer is None or writer.transport.get_write_buffer_size() > 0:
            # The flusher waits until the bus takes more; a WebSocket is written by it alone.
            if self._flush_queue is not None and self._flush_queue.empty():
                self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())
            return
        pending, self._pending, self._pending_data_size = self._pending, [], 0
        try:
            writer.writelines(pending)
        except (OSError, RuntimeError):  # uvloop's, on a closed transport: the read loop sees it
            self._pending = pending + self._pending
            self._pending_data_size += sum(map(len, pending))

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        receiver = self._receivers.get(sid)
        if receiver is not None:
            self._deliver(receiver, subject, data, headers)
        elif not headers or self.followed_term.accepts(subject, headers):
            await super()._process_msg(sid, subject, reply, data, headers)

    def _deliver(self, receiver: Receiver, subject: bytes, data: bytes, headers: bytes) -> None:
        if headers and not self.followed_term.accepts(subject, headers):
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        try:
            receiver(subject.decode(), data)
        except Exception as problem:  # noqa: BLE001  (one message must not end the connection)
            reporting = asyncio.ensure_future(self._error_cb(problem))
            self._reporting.add(reporting)
            reporting.add_done_callback(self._reporting.discard)

    def _setup_server_pool(self, connect_url: str | list[str]) -> None:
        # nats-py refuses TCP and WebSocket addresses in one list.
        for address in [connect_url] if isinstance(connect_url, str) else connect_url:
            self._server_pool.append(Srv(self._parse_server_uri(address)))

    async def _connect_to_server(self, s: Srv) -> None:
        # nats-py keeps the first transport, whatever the scheme of the next address is, and opens
        # the next connection over one that a server refused, which stays open.
        await self._drop_transport()
        s.last_attempt = time.monotonic()
        if s.uri.scheme != "wss":
            tls_first = bool(self.options.get("tls_handshake_first"))
            self._transport = DirectTransport(self._receivers, self._deliver, tls_first=tls_first)
            await self._transport.connect(
                s.uri, buffer_size=DEFAULT_BUFFER_SIZE, connect_timeout=CONNECT_TIMEOUT_S
            )
            return
        assert self.web_trust is not None
        self._transport = await WebSocket.open(
            s.uri.geturl(), self.web_trust, timeout_s=CONNECT_TIMEOUT_S
        )

    async def _drop_transport(self) -> None:
        transport: Any = self._transport
        self._transport = None
        if isinstance(transport, DirectTransport):
            transport.abort()
        elif transport is not None:
            with contextlib.suppress(OSError):
                transport.close()
                await transport.wait_closed()

    async def flush(self, timeout: int = FLUSH_TIMEOUT_S) -> None:
        """Returns when the server has received everything published and subscribed before.

        nats-py's own ``flush`` sends its ping before the data that is not yet written.
        """
        self._before_write()
        with keeping_cancellation():
            await self._flush_pending(force_flush=True)
        with keeping_cancellation():
            await super().flush(timeout)

    async def _process_pong(self) -> None:
        # nats-py's read loop would end if the flush that asked has given up meanwhile.
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_err(self, err_msg: str) -> None:
        # nats-py would close without a reconnection. After an error that ends the connection the
        # server closes it, and the read loop reconnects; other errors do not end the connection.
        await self._error_cb(errors.Error(f"nats: {err_msg.strip()}"))

    async def _attempt_reconnect(self) -> None:
        # nats-py catches its own errors and OSError only. Another exception (uvloop raises
        # RuntimeError on a closed transport) would silently end the attempts.
        while not self.is_closed:
            try:
                await super()._attempt_reconnect()
            except Exception as problem:  # noqa: BLE001  (a bug must not end a node's reconnections)
                await self._error_cb(problem)
                self._status = Client.RECONNECTING
                await asyncio.sleep(RETRY_AFTER_BUG_S)
            else:
                return

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self._before_write()
        await self._write_last()
        if status == Client.CLOSED:
            self._receivers.clear()  # nothing is received while it closes
        try:
            await self._close_and_tell(status, do_cbs)
            if self._reconnection_task is not asyncio.current_task():
                await cancel_until_ended(self._reconnection_task)
            if not self.is_closed:  # an attempt missed its cancellation, and succeeded
                await super()._close(status, False)
        finally:
            # nats-py's ``_close`` does nothing on a connection that counts as closed. It does so
            # from the beginning of another ``_close``, which may have been cancelled before it
            # closed it, or while it waited for the server to answer the end of TLS.
            await self._drop_transport()

    async def _close_and_tell(self, status: int, do_cbs: bool) -> None:
        """Closes as nats-py does, also where another task gave up waiting for the same transport.

        asyncio cancels what both wait for with that task, and this one would end as if cancelled.
        """
        try:
            await super()._close(status, do_cbs)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            for callback in (self._disconnected_cb, self._closed_cb) if do_cbs else ():
                if callback is not None:
                    await callback()

    async def _write_last(self) -> None:
        """Writes what waits if it can; nats-py's ``_close`` would raise if the server is away."""
        pending, self._pending, self._pending_data_size = self._pending, [], 0
        transport: Any = self._transport
        if pending and self.is_connected and transport is not None:
            with contextlib.suppress(OSError, RuntimeError):
                transport.writelines(pending)
                await transport.drain()
