"""HTTP of a pool, for what has no gRPC method: its address, keys and statements; files and batches.

``get_document`` reads one document. ``WebCaller`` makes any request and streams its answer: an
upload is sent, and an answer read, piece by piece.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Generator, Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.client._constants import DOCUMENT_BYTES_MAX, HTTP_IDLE_S, HTTP_TIMEOUT_S
from entraide.decoding import decode_json
from entraide.errors import EntraideError, error_for

PIECE_BYTES = 256 * 1024
Pieces = Generator[bytes, None, None]


class _Error(Struct):
    code: str = ""
    message: str = ""


class _Refusal(Struct):
    error: _Error


class WebRequest(Struct, frozen=True):
    """A request to a pool.

    Attributes:
        method, path: the path with its query.
        body: pieces of the body; each iteration begins anew, for another attempt.
        bytes: size of the body.
        kind: its content type.
    """

    method: str
    path: str
    body: Iterable[bytes] = ()
    bytes: int = 0
    kind: str = ""


def get_document(
    url: str,
    *,
    key: str = "",
    ca_pem: str = "",
    lang: str,
    max_bytes: int = DOCUMENT_BYTES_MAX,
    kind: str = "application/json",
) -> bytes:
    """Returns a document of a pool.

    Args:
        url: its web address.
        key: API key; "" for a public document.
        ca_pem: certificate authority to trust, PEM; "" for the system's.
        lang: language of sentences.
        max_bytes: longest document.
        kind: its media type.

    Raises:
        EntraideError: the pool's refusal; ``PoolUnreachable`` where it does not answer.
    """
    headers = {"accept": kind, "accept-language": lang}
    if key:
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (only http and https)
    context = ssl.create_default_context(cadata=ca_pem) if ca_pem else None
    try:
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=HTTP_TIMEOUT_S, context=context
        ) as answer:
            body: bytes = answer.read(max_bytes)
    except urllib.error.HTTPError as problem:
        with problem:
            raise _read_refusal(problem.read(max_bytes), url, lang) from None
    except (OSError, http.client.HTTPException) as problem:
        raise unreachable(url, lang, _fault_of(problem)) from problem
    return body


_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "refused"),
    (socket.gaierror, "host"),
    (ssl.SSLError, "certificate"),
    (TimeoutError, "timeout"),
)


def _fault_of(problem: Exception) -> str:
    """Returns what failed on the way to a pool; see ``PoolUnreachable``."""
    cause = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    return next((fault for kind, fault in _FAULTS if isinstance(cause, kind)), "cut")


def unreachable(url: str, lang: str, fault: str = "no_pool") -> EntraideError:
    """Returns the error for an address that does not answer as a pool does."""
    values = {"address": url, "fault": fault}
    sentence = i18n.error("pool_unreachable", lang, values)
    return error_for("pool_unreachable", sentence, values=values)


def _read_refusal(
    body: bytes, url: str, lang: str, retry_after: str | None = None
) -> EntraideError:
    try:
        error = decode_json(body, type=_Refusal).error
    except msgspec.MsgspecError:
        return unreachable(url, lang)
    if not error.code:
        return unreachable(url, lang)
    retry_after_s = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return error_for(error.code, error.message, retry_after_s=retry_after_s)


def is_loopback(target: str) -> bool:
    """Whether ``host:port`` is on this machine."""
    host = urlsplit(f"//{target}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key is for the pool's address only."""

    def redirect_request(self, *_: Any) -> None:
        """Leaves the redirect to the caller, for whom it is an error."""


class _Patient:
    """A connection that reads the answer although the server has closed its side.

    A pool that refuses an upload answers before it has read all of it; the refusal says why.
    """

    def send(self, data: Any) -> None:
        """Sends data; what the server no longer reads is left out."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            super().send(data)  # type: ignore[misc]


class _PatientHttp(_Patient, http.client.HTTPConnection):
    pass


class _PatientHttps(_Patient, http.client.HTTPSConnection):
    pass


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        """Opens a connection."""
        return self.do_open(_PatientHttp, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._chosen = context

    def https_open(self, request: urllib.request.Request) -> Any:
        """Opens a connection."""
        return self.do_open(_PatientHttps, request, context=self._chosen)


class WebCaller:
    """Makes requests to the web address of a pool. Thread-safe."""

    def __init__(self, url: str, key: str, *, ca_pem: str = "") -> None:
        """Creates a caller; "" for a web address that is not known."""
        self._url, self._key = url.rstrip("/"), key
        context = ssl.create_default_context(cadata=ca_pem or None)
        handlers = [_NoRedirect(), _HttpHandler(), _HttpsHandler(context)]
        if is_loopback(urlsplit(url).netloc):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def send(self, request: WebRequest, *, timeout_s: float, lang: str) -> Pieces:
        """Makes a request and yields its answer in pieces; closing the generator ends it.

        Raises:
            EntraideError: the pool's refusal; ``PoolUnreachable`` where it does not answer;
                ``ConnectionCut`` where its answer breaks off.
        """
        if not self._url:
            raise error_for("invalid_request", i18n.text("client-no-web", lang))
        headers = {"accept-language": lang, "authorization": f"Bearer {self._key}"}
        if request.kind:
            headers |= {"content-type": request.kind}
        if request.method != "GET":
            headers |= {"content-length": str(request.bytes)}
        call = urllib.request.Request(  # noqa: S310  (only http and https)
            self._url + request.path,
            data=request.body if request.bytes else None,
            headers=headers,
            method=request.method,
        )
        try:
            answer = self._opener.open(call, timeout=min(timeout_s, HTTP_IDLE_S))
        except urllib.error.HTTPError as problem:
            with problem:
                body, wait = problem.read(DOCUMENT_BYTES_MAX), problem.headers["retry-after"]
                raise _read_refusal(body, self._url, lang, wait) from None
        except (OSError, http.client.HTTPException) as problem:
            raise unreachable(self._url, lang, _fault_of(problem)) from problem
        with answer:
            try:
                while piece := answer.read1(PIECE_BYTES):
                    yield piece
                if answer.length:  # ``read1`` is silent about an end that comes too early
                    raise http.client.IncompleteRead(b"", answer.length)
            except (OSError, http.client.HTTPException) as problem:
                raise error_for("connection_cut", i18n.error("connection_cut", lang)) from problem
