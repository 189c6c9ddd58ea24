"""The clients over a real gRPC server: refusals keep their code, and leaving cancels."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from tests.sdk.conftest import ServedPool

from entraide import i18n
from entraide.client import AsyncClient, Client
from entraide.client._address import Address, resolve
from entraide.client.http import WebCaller, WebRequest
from entraide.errors import (
    AuthenticationError,
    ConnectionCut,
    NotFoundError,
    PoolUnreachable,
    QuotaError,
    RequestError,
)

KEY = "key-soleil"


@contextmanager
def web_page(body: bytes) -> Iterator[str]:
    """A web address that returns the address of a pool's gRPC service."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_descriptor = self.path == "/.well-known/entraide"
            self.send_response(200 if is_descriptor else 404)
            self.end_headers()
            self.wfile.write(body if is_descriptor else b"")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def test_the_whole_client(served: ServedPool) -> None:
    """Each method works over the wire."""
    with Client(served.address, KEY) as client:
        answer = client.chat("Bonjour")

        assert "Bonjour à toi" == answer.text
        assert answer.receipt is not None
        assert 0.000_54 == answer.receipt.carbon_lifecycle_gco2e
        assert ["smollm2-135m", "phrases"] == [model.model for model in client.models()]
        assert ["job-1"] == [job.job for job in client.jobs()]
        assert "completed" == client.get("job-1").state
        assert {"slots": 4} == client.explain("job-1").explanation.excluded[0].values


async def test_the_whole_asyncio_client(served: ServedPool) -> None:
    """Each method works over the wire in asyncio too."""
    async with AsyncClient(served.address, KEY) as client:
        async with client.stream("Bonjour") as stream:
            pieces = [piece async for piece in stream]

        assert ["Bonjour", " à toi"] == pieces
        assert stream.receipt is not None
        assert "completed" == (await client.get("job-1")).state
        with pytest.raises(NotFoundError, match="absent"):
            await client.chat("Bonjour", model="absent")


def test_a_refusal_keeps_its_code_and_sentence(served: ServedPool) -> None:
    """The code, the sentence in the caller's language and the wait arrive as the pool sent them."""
    with Client(served.address, KEY, lang="en") as client, pytest.raises(QuotaError) as raised:
        client.chat("Bonjour", model="spent")

    assert ("quota_tokens", 3_600.0) == (raised.value.code, raised.value.retry_after_s)
    assert {"limit": "1000", "left": "0", "needed": "9"} == raised.value.values
    assert str(raised.value).startswith("Your co-op's quota of tokens is spent: 0 of 1,000")


def test_a_refusal_names_the_job(served: ServedPool) -> None:
    """An error about a job has its identifier."""
    with Client(served.address, KEY) as client, pytest.raises(RequestError) as raised:
        client.cancel("job-1")

    assert ("job_ended", "job-1") == (raised.value.code, raised.value.job)


def test_a_wrong_key(served: ServedPool) -> None:
    """A key that the pool does not know is an authentication error."""
    with Client(served.address, "wrong") as client, pytest.raises(AuthenticationError) as raised:
        client.models()

    assert "unauthorised" == raised.value.code


def test_nobody_there(served: ServedPool) -> None:
    """An address where nothing listens is an error of its own kind, with the address in it."""
    with (
        Client("127.0.0.1:1", KEY, retries=0) as client,
        pytest.raises(PoolUnreachable, match=r"127\.0\.0\.1:1"),
    ):
        client.models()


def test_leaving_a_stream_cancels_the_call(served: ServedPool) -> None:
    """The pool notices at once that a caller left in the middle of an answer."""
    has_left = threading.Event()
    served.pool.gone = Noticed(has_left)
    with Client(served.address, KEY) as client:
        with client.stream("Bonjour", model="endless") as stream:
            assert "encore " == next(iter(stream))

        assert has_left.wait(10)


class Noticed(list[str]):
    """A list that rings when something is added."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def append(self, item: str) -> None:
        super().append(item)
        self._event.set()


def test_the_web_address_is_enough(served: ServedPool) -> None:
    """A pool's web address leads to its gRPC service."""
    body = msgspec.json.encode({"grpc": served.address, "tls": False, "ca_pem": "", "pool": "p"})
    with web_page(body) as url, Client(url, KEY) as client:
        assert ["smollm2-135m", "phrases"] == [model.model for model in client.models()]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"grpc": 1}'])
def test_a_web_address_that_is_no_pool(body: bytes) -> None:
    """A page that is not a pool's is reported as such, with its address."""
    with (
        web_page(body) as url,
        Client(url, KEY, retries=0) as client,
        pytest.raises(PoolUnreachable, match="http"),
    ):
        client.models()


@pytest.mark.parametrize(
    "body", [b"content-length: 9\r\n\r\nab", b"transfer-encoding: chunked\r\n\r\n9\r\nab"]
)
def test_a_body_that_breaks_off_is_a_cut_connection(body: bytes) -> None:
    """Where files and batches are read, too, the connection broke, and what came is no whole."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_partly() -> None:
            visit, _ = server.accept()
            with visit:
                visit.recv(65_536)
                visit.sendall(b"HTTP/1.1 200 OK\r\n" + body)

        thread = threading.Thread(target=answer_partly)
        thread.start()
        caller = WebCaller(f"http://127.0.0.1:{server.getsockname()[1]}", KEY)
        pieces = caller.send(WebRequest("GET", "/v1/files"), timeout_s=9.0, lang="fr")
        with pytest.raises(ConnectionCut) as cut:
            list(pieces)
        thread.join()

    assert i18n.error("connection_cut", "fr") == cut.value.message


@pytest.mark.parametrize(
    ("url", "ca_pem", "address"),
    [
        ("127.0.0.1:9", "", Address("127.0.0.1:9", tls=False)),
        ("localhost:9", "", Address("localhost:9", tls=False)),
        ("[::1]:9", "", Address("[::1]:9", tls=False)),
        ("pool.example:9", "", Address("pool.example:9", tls=True)),
        ("127.0.0.1:9", "PEM", Address("127.0.0.1:9", tls=True, ca_pem="PEM")),
        ("grpcs://127.0.0.1:9/", "", Address("127.0.0.1:9", tls=True)),
        ("grpc://pool.example:9", "", Address("pool.example:9", tls=False)),
    ],
)
def test_a_key_never_leaves_the_machine_in_clear(url: str, ca_pem: str, address: Address) -> None:
    """TLS is used wherever a call leaves this machine, unless it is refused in so many words."""
    assert address == resolve(url, ca_pem=ca_pem, lang="fr")
