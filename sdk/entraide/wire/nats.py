"""Connection to the bus (NATS): connects, reconnects with back-off, and logs both.

Every process uses the same connection options, so all behave alike when the server is lost. Only
the shells import this module: it needs nats-py, which the plain SDK does not install.

It works around eight properties of nats-py: most errors from the server (an expired identity among
them) close the connection without a reconnection; ``flush`` does not wait for data that is not yet
written, and may ignore a cancellation; a late answer to a ``flush`` that gave up ends the reading;
the back-off is constant; a first connection is retried without end even if the server refuses the
identity; an unexpected exception silently ends the reconnection attempts; and each end of a TLS
connection logs a warning (``DirectProtocol``).
"""

import asyncio
import base64
import binascii
import ipaddress
import math
import os
import random
import ssl
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
import nkeys
import structlog
from msgspec import Struct
from nats import errors
from nats.aio.client import Server

from entraide.cancellation import cancel_until_ended
from entraide.decoding import decode_json
from entraide.errors import AuthenticationError, EntraideError, PoolError, PoolUnreachable
from entraide.wire.bus_connection import (
    CONNECT_TIMEOUT_S,
    FLUSH_TIMEOUT_S,
    PENDING_MAX_BYTES,
    BusConnection,
)
from entraide.wire.websocket import websocket_context

RECONNECT_DELAY_MIN_S = 0.05
RECONNECT_DELAY_MAX_S = 2.0
PING_INTERVAL_S = 10
PINGS_UNANSWERED_MAX = 2

Callback = Callable[[], Awaitable[None]]


class Identity(Struct, frozen=True):
    """Credentials of a process: a JWT, and the seed of the key in it.

    Attributes:
        jwt: the user JWT that the pool issued.
        seed: the private half of the user key; it never leaves the process.
        inbox_prefix: prefix of the subjects for replies to its requests (``_INBOX.…``).
    """

    jwt: str
    seed: str
    inbox_prefix: str

    def __repr__(self) -> str:
        """Leaves the seed out, so that no log or traceback holds it."""
        return f"Identity(inbox_prefix={self.inbox_prefix!r})"


IdentitySource = Callable[[], Identity]


def new_user_key() -> tuple[str, str]:
    """Makes a user key; the seed stays with the caller.

    Returns:
        The seed (``SU…``) and the public key (``U…``).
    """
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER).decode("ascii")
    return seed, public_user_key(seed)


def public_user_key(seed: str) -> str:
    """Returns the public key (``U…``) of a user key's seed."""
    return str(nkeys.from_seed(seed.encode("ascii")).public_key, "ascii")


def expires_at(jwt: str) -> float:
    """Returns when a JWT expires, seconds since the epoch; infinity when it never does.

    The signature is not checked: the holder uses this to renew its own JWT in time.

    Raises:
        ValueError: the text is not a JWT.
    """
    expiry = read_claims(jwt).get("exp", math.inf)
    if not isinstance(expiry, int | float):
        raise ValueError("not a JWT")
    return float(expiry)


def read_claims(jwt: str) -> dict[str, object]:
    """Returns the claims of a JWT, whose signature is not checked.

    Raises:
        ValueError: the text is not a JWT.
    """
    try:
        body = jwt.split(".")[1]
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return decode_json(raw, type=dict[str, object])
    except (IndexError, binascii.Error, msgspec.MsgspecError) as problem:
        raise ValueError("not a JWT") from problem


def requires_tls(host: str) -> bool:
    """Whether a host can be reached from other machines, so that TLS is required.

    >>> [requires_tls(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "bus.coop")]
    [False, False, False, True, True]
    """
    if host.lower() == "localhost":
        return False
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return not address.is_loopback


def client_context(ca_pem: str) -> ssl.SSLContext:
    """Makes a TLS context that trusts the pool's own CA only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=ca_pem)
    return context


def reconnect_delay_s(attempt: int, jitter: float) -> float:
    """Returns the wait before an attempt: exponential back-off, bounded, with jitter in [0, 1).

    The wait is between half of the doubled value and all of it, so that the nodes that lost their
    server at the same time do not all reconnect at the same time.

    >>> [reconnect_delay_s(attempt, 1.0) for attempt in (0, 1, 2, 20)]
    [0.05, 0.1, 0.2, 2.0]
    """
    doubled = RECONNECT_DELAY_MIN_S * (1 << min(attempt, 16))
    return min(RECONNECT_DELAY_MAX_S, doubled) * (0.5 + 0.5 * jitter)


class _ConnectionState:
    """State of one connection: attempts, identity in use, logging and the caller's callbacks."""

    def __init__(
        self,
        identity: Identity | IdentitySource,
        name: str,
        addresses: Sequence[str],
        before_write: Callable[[], None],
    ) -> None:
        self._source = identity
        self._hosts = [_split(address).netloc for address in addresses]
        self._working = 0  # index of the address that worked last
        self._log = structlog.get_logger("entraide.bus").bind(connection=name)
        self.connection = BusConnection(before_write)
        self.identity = self._current_identity()
        self.attempt = 0
        self.problem = ""
        self.refusal: asyncio.Future[EntraideError] = asyncio.get_running_loop().create_future()
        self.on_reconnected: Callback | None = None
        self.on_disconnected: Callback | None = None
        self.on_refused: Callback | None = None

    def _current_identity(self) -> Identity:
        return self._source if isinstance(self._source, Identity) else self._source()

    def next_delay_s(self) -> float:
        delay_s = reconnect_delay_s(self.attempt, random.random())  # noqa: S311  (no secret)
        self.attempt += 1
        return delay_s

    def next_server(
        self, servers: list[Server], _info: dict[str, object]
    ) -> tuple[Server | None, float]:
        self.identity = self._current_identity()
        hosts = self._hosts
        in_order = sorted(
            servers,
            key=lambda server: (*hosts, server.uri.netloc).index(server.uri.netloc),
        )
        server = in_order[(self._working + self.attempt) % len(in_order)]
        return server, self.next_delay_s()

    def _note_working(self) -> None:
        url = self.connection.connected_url
        if url is not None and url.netloc in self._hosts:
            self._working = self._hosts.index(url.netloc)

    def jwt(self) -> bytes:
        return self.identity.jwt.encode("ascii")

    def signature(self, nonce: str) -> bytes:
        pair = nkeys.from_seed(self.identity.seed.encode("ascii"))
        return base64.b64encode(pair.sign(nonce.encode("ascii")))

    async def error(self, problem: Exception) -> None:
        self.problem = str(problem) or type(problem).__name__
        lowered = self.problem.lower()
        if "permissions violation" in lowered:
            self._log.error("bus.forbidden", problem=self.problem)
        elif isinstance(problem, errors.SlowConsumerError):
            self._log.error("bus.slow", subject=problem.subject)
        elif isinstance(problem, ssl.SSLCertVerificationError):
            self._log_attempt("bus.untrusted")
            self._give_up(PoolError("bus_untrusted", self.problem))
        elif "authorization violation" in lowered or "user authentication" in lowered:
            self._log_attempt("bus.refused")
            self._give_up(AuthenticationError("bus_refused", self.problem))
            if self.on_refused is not None:
                await self.on_refused()
        else:
            self._log_attempt("bus.error")

    def _give_up(self, problem: EntraideError) -> None:
        """Ends the first connection; later reconnections are retried without limit."""
        if not self.refusal.done():
            self.refusal.set_result(problem)

    def _log_attempt(self, event: str) -> None:
        if (
            self.attempt & (self.attempt - 1) == 0
        ):  # 0, 1, 2, 4, 8…: a long outage must not fill the disk
            self._log.warning(event, problem=self.problem, attempt=self.attempt)

    async def disconnected(self) -> None:
        if self.connection.is_closed:  # this process closed it
            return
        self._log.warning("bus.disconnected")
        if self.on_disconnected is not None:
            await self.on_disconnected()

    async def reconnected(self) -> None:
        self._log.info("bus.reconnected", attempts=self.attempt)
        self.attempt = 0
        self._note_working()
        if self.on_reconnected is not None:
            await self.on_reconnected()

    async def closed(self) -> None:
        self._log.info("bus.closed")

    def connected(self) -> None:
        self._log.info("bus.connected")
        self.attempt = 0
        self._note_working()


async def connect(
    servers: str | Sequence[str],
    *,
    identity: Identity | IdentitySource,
    name: str,
    tls: ssl.SSLContext | None = None,
    deadline_s: float | None = None,
    ping_interval_s: int = PING_INTERVAL_S,
    on_reconnected: Callback | None = None,
    on_disconnected: Callback | None = None,
    on_refused: Callback | None = None,
    before_write: Callable[[], None] = lambda: None,
) -> BusConnection:
    """Connects to the bus; the connection then reconnects by itself, without limit.

    Subscriptions survive a reconnection, and messages published during an outage are sent after it,
    up to ``PENDING_MAX_BYTES``. Waits start at 50 ms, double up to 2 s, and have jitter. Logged
    events have stable codes: ``bus.connected``, ``bus.disconnected``, ``bus.reconnected``,
    ``bus.refused``, ``bus.untrusted``, ``bus.forbidden``, ``bus.slow``, ``bus.error``,
    ``bus.closed``.

    Args:
        servers: one address or several (``nats://host:port``, ``tls://host:port`` with TLS, or
            ``wss://host[:port]/path`` for a WebSocket); tried in this order, and after a
            disconnection from the one that worked last.
        identity: the credentials, or a function that returns them. The function is called before
            each reconnection, so that a renewed identity is used; it must not raise.
        name: name of the connection in the server's monitoring.
        tls: from ``client_context``; the TLS handshake comes first, so that an attacker on the path
            cannot downgrade the connection to plain text. A WebSocket trusts public CAs too, since
            a proxy with a public certificate may end its TLS.
        deadline_s: maximum time for the first connection, seconds; None waits without limit.
        ping_interval_s: between two pings; after ``PINGS_UNANSWERED_MAX`` without an answer the
            connection counts as lost.
        on_reconnected: awaited after each reconnection, when subscriptions are restored.
        on_disconnected: awaited when the connection is lost.
        on_refused: awaited when the server refuses the identity after the first connection.
        before_write: sends what was to wait until something is written.

    Raises:
        AuthenticationError: ``bus_refused``: the server does not accept this identity.
        PoolUnreachable: ``bus_unreachable``: no server answered before the deadline.
        PoolError: ``bus_untrusted``: the server's certificate is not the pool's;
            ``bus_plain_refused``: no TLS, and a server is not on this machine.
    """
    addresses = [servers] if isinstance(servers, str) else list(servers)
    if tls is None:
        _refuse_plain(addresses)
    state = _ConnectionState(identity, name, addresses, before_write)
    if any(_split(address).scheme == "wss" for address in addresses):
        state.connection.web_trust = websocket_context(tls)
    opening = _open(state, addresses, name=name, tls=tls, ping_interval_s=ping_interval_s)
    first = asyncio.ensure_future(opening)
    try:
        either: set[asyncio.Future[Any]] = {first, state.refusal}
        await asyncio.wait(either, timeout=deadline_s, return_when=FIRST_COMPLETED)
        if not first.done():
            unreachable = PoolUnreachable(
                "bus_unreachable",
                f"no server of the bus answered: {state.problem}",
                values={"servers": ", ".join(addresses), "problem": state.problem},
            )
            raise state.refusal.result() if state.refusal.done() else unreachable
        first.result()
    except BaseException:
        await cancel_until_ended(first)
        await state.connection.close()
        raise
    state.connected()
    state.on_reconnected = on_reconnected
    state.on_disconnected = on_disconnected
    state.on_refused = on_refused
    return state.connection


async def _open(
    state: _ConnectionState,
    addresses: list[str],
    *,
    name: str,
    tls: ssl.SSLContext | None,
    ping_interval_s: int,
) -> None:
    """Makes the first connection; retries until it succeeds or is cancelled."""
    first_time = True

    async def error(problem: Exception) -> None:
        await state.error(problem)
        if first_time:  # the first connection uses nats-py's own constant wait: update it
            state.connection.options["reconnect_time_wait"] = state.next_delay_s()

    await state.connection.connect(
        addresses,
        name=name,
        error_cb=error,
        disconnected_cb=state.disconnected,
        reconnected_cb=state.reconnected,
        closed_cb=state.closed,
        user_jwt_cb=state.jwt,
        signature_cb=state.signature,
        inbox_prefix=state.identity.inbox_prefix,
        reconnect_to_server_handler=state.next_server,
        max_reconnect_attempts=-1,
        connect_timeout=CONNECT_TIMEOUT_S,
        ping_interval=ping_interval_s,
        max_outstanding_pings=PINGS_UNANSWERED_MAX,
        pending_size=PENDING_MAX_BYTES,
        flush_timeout=FLUSH_TIMEOUT_S,
        tls=tls,
        tls_handshake_first=tls is not None,
        dont_randomize=True,
    )
    first_time = False


def _refuse_plain(addresses: Sequence[str]) -> None:
    for address in addresses:
        host = _split(address).hostname or ""
        if _split(address).scheme != "wss" and requires_tls(host):
            raise PoolError(
                "bus_plain_refused",
                f"{host} is not on this machine: connect to it with TLS.",
                values={"host": host},
            )


def _split(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"nats://{address}")
