"""The node's connection to the bus: subjects, control messages and parts of answers.

Input: messages of the agent and of the runs. Output: published messages, and callbacks for received
messages. While the connection is down, heartbeats and progress are dropped and answers are
buffered; each usage report is kept until the scheduler acknowledges it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from entraide.printable import shortened
from entraide.wire import codec, subjects
from entraide.wire.bus_connection import BusConnection
from entraide.wire.messages import (
    PARTS_MAX,
    Heartbeat,
    JoinedParts,
    NodeDownCtl,
    NodeIn,
    NodeOut,
    NodeUp,
    Progress,
    UsageReport,
)
from entraide.wire.nats import client_context, connect
from entraide_node.keys import Keyring
from entraide_node.report_outbox import ReportOutbox

JOINED_BYTES_MAX = 256 * 1024
PENDING_MAX_BYTES = 64 * 1024 * 1024
LOGGED_CHARS_MAX = 80
RTT_SAMPLES = 3
RTT_TIMEOUT_S = 5
CLOSE_TIMEOUT_S = 2.0


class NodeBus:
    """The bus connection of one agent."""

    def __init__(
        self,
        node: str,
        *,
        keyring: Keyring,
        reports: ReportOutbox,
        on_control: Callable[[NodeDownCtl], Awaitable[None]],
        on_gateway_message: Callable[[NodeIn], None],
        on_change: Callable[[str], None],
    ) -> None:
        """Does not connect yet.

        Args:
            node: identifier of the node.
            keyring: the node's identity, read before each connection.
            reports: stores the usage reports that are not acknowledged.
            on_control: awaited for each message of the scheduler, one after another.
            on_gateway_message: called for each message of a gateway.
            on_change: called with ``up``, ``down`` or ``refused``.
        """
        self._node = node
        self._keyring = keyring
        self._key = keyring.public_key
        self._reports = reports
        self._on_control = on_control
        self._on_gateway_message = on_gateway_message
        self._on_change = on_change
        self._connection: BusConnection | None = None
        self._parts: dict[tuple[str, bool], list[bytes]] = {}  # by gateway, and whether to join
        self._controls: list[bytes] = []
        self._log = structlog.get_logger("entraide.node")

    @property
    def connection(self) -> BusConnection | None:
        """The connection; None before the first."""
        return self._connection

    @property
    def is_up(self) -> bool:
        """Whether the node is connected now."""
        return self._connection is not None and bool(self._connection.is_connected)

    async def open(self, servers: tuple[str, ...], *, ca_pem: str) -> None:
        """Connects, retrying without a time limit, and subscribes.

        Raises:
            AuthenticationError: the bus does not accept the node's identity.
            PoolError: the server is not the pool's, or TLS is missing where it is needed.
        """

        async def report_up() -> None:
            self._on_change("up")

        async def report_down() -> None:
            self._on_change("down")

        async def report_refused() -> None:
            self._on_change("refused")

        self._connection = await connect(
            servers,
            identity=self._keyring.identity,
            name=f"node-{self._node}",
            tls=client_context(ca_pem) if ca_pem else None,
            on_reconnected=report_up,
            on_disconnected=report_down,
            on_refused=report_refused,
            before_write=self._send_waiting,
        )
        await self._connection.subscribe(
            subjects.node_ctl_down(self._key),
            cb=self._receive_control,
            pending_bytes_limit=PENDING_MAX_BYTES,
        )
        await self._connection.receive(subjects.node_in(self._key), self._receive_from_gateway)
        await self._connection.flush(RTT_TIMEOUT_S)
        self._on_change("up")

    async def rtt_s(self) -> float:
        """Measures the round-trip time to the bus, seconds; 0 if the bus does not respond."""
        if self._connection is None:
            return 0.0
        shortest_s = 0.0
        try:
            for _ in range(RTT_SAMPLES):
                started_at = time.perf_counter()
                await self._connection.flush(RTT_TIMEOUT_S)
                elapsed_s = time.perf_counter() - started_at
                shortest_s = min(shortest_s or elapsed_s, elapsed_s)
        except (NatsError, TimeoutError):
            return shortest_s
        return shortest_s

    def send_to_scheduler(self, message: NodeUp) -> None:
        """Sends a message to the scheduler; drops heartbeats and progress while disconnected."""
        if isinstance(message, Heartbeat | Progress) and not self.is_up:
            return
        self._controls.append(codec.encode(message))
        self._write_soon()

    def send_to_gateway(self, gateway: str, message: NodeOut, *, joins: bool = False) -> None:
        """Sends a part of an answer to the job's gateway.

        Args:
            gateway: identifier.
            message: the part, or the end.
            joins: whether the gateway reads several parts in one message.
        """
        self._parts.setdefault((gateway, joins), []).append(codec.encode(message))
        self._write_soon()

    async def keep_report(self, message: UsageReport) -> None:
        """Puts a usage report on the disk; it is sent until it is acknowledged."""
        await self._reports.keep(message)

    def resend_reports(self) -> None:
        """Sends every report that is not acknowledged."""
        self._reports.write_behind()
        if self.is_up:
            for report in self._reports.pending():
                self.send_to_scheduler(report)

    async def flush(self, timeout_s: float) -> None:
        """Waits until the server has received all sent messages, or until the timeout."""
        if self._connection is not None and self.is_up:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._connection.flush()
            except (NatsError, TimeoutError):
                self._log.warning("bus.flush_failed")

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._connection.close()
            except TimeoutError:
                self._log.warning("bus.close_timeout")

    @property
    def has_room(self) -> bool:
        """Whether little of what was sent before waits for the bus."""
        return self._connection is None or self._connection.has_room

    async def wait_for_room(self) -> None:
        """Waits until there is room."""
        if self._connection is not None:
            await self._connection.wait_for_room()

    def _write_soon(self) -> None:
        assert self._connection is not None, "open() precedes every message"
        self._connection.write_soon()

    def _send_waiting(self) -> None:
        """Sends what came since it last did: answers first, then their reports."""
        parts, self._parts = self._parts, {}
        controls, self._controls = self._controls, []
        for (gateway, joins), encoded in parts.items():
            try:
                subject = subjects.node_out(self._key, subjects.checked(gateway))
            except ValueError:
                self._log.error("bus.bad_gateway", gateway=shortened(gateway, LOGGED_CHARS_MAX))
                continue
            for message in join_parts(encoded) if joins else encoded:
                self._send(subject, message)
        for control in controls:
            self._send(subjects.node_ctl_up(self._key), control)

    def _send(self, subject: str, data: bytes) -> None:
        assert self._connection is not None, "open() precedes every message"
        try:
            self._connection.send(subject, data)
        except NatsError as problem:  # connection closed, message too long, buffer full
            self._log.warning("bus.send_failed", subject=subject, problem=type(problem).__name__)

    async def _receive_control(self, message: Msg) -> None:
        try:
            decoded = codec.node_down_ctl.decode(message.data)
        except msgspec.DecodeError as problem:
            self._log.warning("bus.undecodable", subject=message.subject, problem=str(problem))
            return
        await self._on_control(decoded)

    def _receive_from_gateway(self, subject: str, data: bytes) -> None:
        try:
            decoded = codec.node_in.decode(data)
        except msgspec.DecodeError:  # the error's text could contain the prompt
            self._log.warning("bus.undecodable", subject=subject)
            return
        self._on_gateway_message(decoded)


def join_parts(parts: list[bytes]) -> Iterator[bytes]:
    """Yields messages with encoded parts: one part, or several of ``JOINED_BYTES_MAX`` together.

    >>> [len(joined) for joined in join_parts([b"a" * 10, b"b" * 10])], list(join_parts([b"a"]))
    ([32], [b'a'])
    """
    joined: list[bytes] = []
    size = 0
    for part in parts:
        if joined and (size + len(part) > JOINED_BYTES_MAX or len(joined) == PARTS_MAX):
            yield _encode_joined(joined)
            joined, size = [], 0
        joined.append(part)
        size += len(part)
    if joined:
        yield _encode_joined(joined)


def _encode_joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else codec.encode(JoinedParts(tuple(parts)))
