"""What a hostile HTTP peer does to an address, by plain blocking sockets.

It decides the bytes and reads what comes back; it knows no server, so that the same peers meet our
gateway in the tests and other servers in ``benchmarks.http_servers``. Call it from a thread of its
own: the server may run in the caller's event loop.
"""

import contextlib
import re
import socket
import time
from collections.abc import Iterator

from msgspec import Struct

PATIENCE_S = 20.0  # more than any deadline that is waited for
DRIP_S = 0.02
PAUSE_S = 0.0005  # so that requests arrive one by one
STALLED_S = 1.0
PAD = b"X-Pad: " + b"a" * 8_000 + b"\r\n"
CHAT = "/v1/chat/completions"
LONG_ANSWER = "/openapi.json"  # longer than the kernel buffers
BODY_BYTES = 4 * 1024 * 1024

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


class Address(Struct, frozen=True):
    """Where the peers go, and a key that is known there."""

    port: int
    key: str
    host: str = "127.0.0.1"


@contextlib.contextmanager
def dialled(address: Address, *, buffer_bytes: int = 0) -> Iterator[socket.socket]:
    """Opens a connection, with a small receive buffer if wanted."""
    with socket.socket() as peer:
        if buffer_bytes:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        peer.settimeout(PATIENCE_S)
        peer.connect((address.host, address.port))
        yield peer


def head(method: str, path: str, key: str = "", **headers: str) -> bytes:
    """Returns the head of a request."""
    named = {"Host": "x"} | ({"Authorization": f"Bearer {key}"} if key else {})
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def until_closed(peer: socket.socket) -> bytes:
    """Reads until the server closes; a reset is an end too.

    Raises:
        TimeoutError: it does not close.
    """
    parts = []
    with contextlib.suppress(ConnectionError):
        while data := peer.recv(65_536):
            parts.append(data)
    return b"".join(parts)


def statuses(data: bytes) -> list[int]:
    """Returns the statuses of the answers in a row of bytes."""
    return [int(status) for status in _STATUS.findall(data)]


def answers(address: Address, raw: bytes) -> list[int]:
    """Sends bytes and returns the statuses of all that comes back until the server closes."""
    with dialled(address) as peer:
        with contextlib.suppress(ConnectionError):
            peer.sendall(raw)
        return statuses(until_closed(peer))


def send_in_parts(address: Address, raw: bytes, length: int) -> bytes:
    """Sends bytes in parts of a length and returns all that comes back until the server closes."""
    with dialled(address) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(raw), length):
            peer.sendall(raw[start : start + length])
            time.sleep(PAUSE_S)
        return until_closed(peer)


def drip(address: Address, first: bytes, drop: bytes) -> bytes:
    """Sends ``first`` and then ``drop`` byte by byte, again and again, until it is cut off.

    Returns:
        What came back.

    Raises:
        TimeoutError: it was never cut off.
    """
    deadline = time.monotonic() + PATIENCE_S
    parts = []
    with dialled(address) as peer:
        peer.settimeout(DRIP_S)
        with contextlib.suppress(ConnectionError):
            peer.sendall(first)
            while time.monotonic() < deadline:
                for byte in drop:
                    peer.sendall(bytes((byte,)))
                    with contextlib.suppress(TimeoutError):
                        data = peer.recv(65_536)
                        parts.append(data)
                        if not data:
                            return b"".join(parts)
            raise TimeoutError
    return b"".join(parts)


def dripping_head(address: Address) -> bytes:
    """Sends the head of a request without end, each byte just in time."""
    return drip(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n")


def dripping_body(address: Address) -> bytes:
    """Sends a whole head with a key, and then its body byte by byte."""
    first = head("POST", CHAT, address.key, Content_Length="1000000")
    return drip(address, first, b" ")


def silent(address: Address) -> bytes:
    """Connects and says nothing."""
    with dialled(address) as peer:
        return until_closed(peer)


def send_without_reading(peer: socket.socket, *, path: str = LONG_ANSWER, most_bytes: int) -> int:
    """Sends one request after another and reads no answer.

    Returns:
        How many bytes of requests the server took before it stopped reading or cut the
        connection, or ``most_bytes``.
    """
    request = head("GET", path).replace(b"\r\n\r\n", b"\r\n" + PAD + b"\r\n")
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.settimeout(STALLED_S)
    sent = 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while sent < most_bytes:
            sent += peer.send(request)
            time.sleep(PAUSE_S)
    return sent


def unread(address: Address, *, most_bytes: int = 16 * 1024 * 1024) -> int:
    """Opens a connection and sends requests without reading an answer."""
    with dialled(address, buffer_bytes=4_096) as peer:
        return send_without_reading(peer, most_bytes=most_bytes)


def flood_of_headers(address: Address, count: int) -> list[int]:
    """Sends one request with many headers."""
    return answers(
        address, head("GET", "/").replace(b"\r\n\r\n", b"\r\n" + b"A: b\r\n" * count + b"\r\n")
    )


def one_long_header(address: Address, size_bytes: int) -> tuple[int, list[int]]:
    """Sends one header that is long; returns how much of it was taken, and the answers."""
    sent = 0
    with dialled(address) as peer:
        peer.settimeout(2.0)
        with contextlib.suppress(TimeoutError, ConnectionError):
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
            while sent < size_bytes:
                sent += peer.send(b"a" * 65_536)
        with contextlib.suppress(TimeoutError):
            return sent, statuses(until_closed(peer))
    return sent, []


def refused_before_body(address: Address, **headers: str) -> list[int]:
    """Sends the head of a large request with a wrong key, and no byte of its body."""
    with dialled(address) as peer:
        length = str(BODY_BYTES)
        peer.sendall(head("POST", CHAT, "wrong", Content_Length=length, **headers))
        first = peer.recv(65_536)
    return statuses(first)


def refused_while_sending(address: Address) -> list[int]:
    """Sends a large request with a wrong key to its end, and then reads the answer."""
    with dialled(address) as peer:
        with contextlib.suppress(ConnectionError):
            length = str(BODY_BYTES)
            peer.sendall(head("POST", CHAT, "wrong", Content_Length=length))
            for _ in range(BODY_BYTES // 65_536):
                peer.sendall(b" " * 65_536)
        with contextlib.suppress(ConnectionError):
            return statuses(peer.recv(65_536))
    return []


POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
CLOSE = b"Connection: close\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED = [400]

# Name: what is sent, and the answers (a list of statuses each) that are right.
ODD_REQUESTS: dict[str, tuple[bytes, list[list[int]]]] = {
    "two lengths that differ": (
        POST + b"Content-Length: 1\r\nContent-Length: 37\r\n\r\n" + HIDDEN, [REFUSED]),
    "two lengths that agree": (
        POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", [REFUSED]),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\n1", [REFUSED]),
    "a signed length": (POST + b"Content-Length: +1\r\n\r\n1", [REFUSED]),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", [REFUSED]),
    "a hexadecimal length": (POST + b"Content-Length: 0x1\r\n\r\n1", [REFUSED]),
    "a length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", [REFUSED]),
    "length and coding": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        [REFUSED]),
    "coding and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN,
        [REFUSED]),
    "an unknown coding": (
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [REFUSED, [401]]),
    "a coding after chunked": (
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", [REFUSED]),
    "chunked twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        [REFUSED]),
    "coding in HTTP/1.0": (
        b"POST /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        [REFUSED]),
    "space before the colon": (POST + b"Content-Length : 37\r\n\r\n" + HIDDEN, [REFUSED]),
    "a folded header": (GET + b"A: b\r\n Content-Length: 37\r\n\r\n", [REFUSED]),
    "a header before any name": (GET + b" A: b\r\n\r\n", [REFUSED]),
    "line feeds alone": (b"GET /healthz HTTP/1.1\nHost: x\n\n", [REFUSED]),
    "a line feed alone in the head": (GET + b"A: b\nB: c\r\n\r\n", [REFUSED]),
    "a carriage return alone": (GET + b"A: b\rContent-Length: 37\r\n\r\n", [REFUSED]),
    "NUL in a header": (GET + b"A: b\0c\r\n\r\n", [REFUSED]),
    "NUL in a name": (GET + b"A\0: b\r\n\r\n", [REFUSED]),
    "NUL in the target": (b"GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n", [REFUSED]),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", [REFUSED]),
    "two hosts": (GET + b"Host: y\r\n\r\n", [REFUSED]),
    "a chunk length beyond 64 bits": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", [REFUSED, [401]]),
    "a chunk without its end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" + HIDDEN,
        [REFUSED, [401]]),
    "no version": (b"GET /healthz\r\n\r\n", [REFUSED]),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [REFUSED, [505], []]),
    "another version": (b"GET /healthz HTTP/3.7\r\nHost: x\r\n\r\n", [REFUSED, [505]]),
    "an unknown method": (b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [REFUSED, [405], [501]]),
    "a method in lower case": (b"get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [REFUSED, [405]]),
    "a method that the path lacks": (
        b"PATCH /healthz HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n", [[405]]),
    "CONNECT": (
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN, [REFUSED, [401], [404], [405]]),
    "OPTIONS of everything": (
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n", [REFUSED, [401], [404], [405]]),
    "an upgrade": (GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN, [[200]]),
    "the absolute form": (
        b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n", [[200]]),
    "HEAD": (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n", [[200]]),
    "bytes after the last request": (GET + CLOSE + b"\r\n" + HIDDEN, [[200]]),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [REFUSED, []]),
}  # fmt: skip
