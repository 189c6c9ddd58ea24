"""Pool HTTP: a member's calls to the pool's address, and how they check that it is the pool.

In: an address, and the secret part of an invitation. Out: answers of that pool. A pool has a public
certificate, which the system checks; or its own CA, whose fingerprint is in the invitation; or its
server's key is pinned there. Without one of these no check is ever turned off. Plain HTTP goes to
this machine only.
"""

import base64
import contextlib
import hashlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import PoolUnreachable, RequestError
from entraide.printable import printable
from entraide.wire.enrolment import JoinSecret
from entraide.wire.nats import requires_tls

T = TypeVar("T")

TIMEOUT_S = 15.0
BODY_BYTES_MAX = 256 * 1024
PIECE_BYTES = 256 * 1024
PAGE_PATH = "/.well-known/entraide"


class PoolPage(Struct, frozen=True):
    """The document at a pool's ``/.well-known/entraide``; unknown fields are skipped.

    Attributes:
        grpc: address of the pool's gRPC services, ``host:port``.
        tls: whether these services use TLS.
        ca_pem: certificate of the pool's CA, or "".
        pool: name of the pool.
        version: the pool's version of Entraide; "" if unknown.
        now: time of the pool's clock, seconds since the epoch; 0 if unknown.
    """

    grpc: str
    tls: bool = False
    ca_pem: str = ""
    pool: str = ""
    version: str = ""
    now: float = 0.0


class PoolRefusal(RequestError):
    """The pool refused a call; ``message`` is the pool's own sentence."""


class _ErrorFields(Struct, frozen=True):
    code: str = ""
    message: str = ""


class _ErrorBody(Struct, frozen=True):
    error: _ErrorFields = _ErrorFields()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the address that the operator gave is the pool's."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _PinnedConnection(http.client.HTTPSConnection):
    """A connection that sends nothing to a server whose key is not the pinned one."""

    pin = ""

    def connect(self) -> None:
        super().connect()
        certificate = self.sock.getpeercert(binary_form=True)
        if compute_key_pin(certificate) != self.pin:
            self.sock.close()
            raise ssl.SSLCertVerificationError("the server's key is not the pinned one")


class _PinnedHandler(urllib.request.HTTPSHandler):
    """Opens https addresses with a pin instead of a chain of certificates."""

    def __init__(self, pin: str) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(context=context)
        self._context = context
        self._pin = pin

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        def connect(host: str, **options: Any) -> _PinnedConnection:
            connection = _PinnedConnection(host, context=self._context, **options)
            connection.pin = self._pin
            return connection

        return self.do_open(connect, request)


class PoolClient:
    """The pool at one address, checked as an invitation says.

    Attributes:
        url: the pool's address, without a path.
        trusts_system: whether the system's authorities vouch for the pool.
    """

    def __init__(
        self, url: str, *, secret: JoinSecret, ca_pem: str = "", timeout_s: float = TIMEOUT_S
    ) -> None:
        """Checks the address, and the pool's CA by its fingerprint if the secret has one.

        Args:
            url: address that the operator gave; without a scheme, ``https://``.
            secret: fingerprint or pin, or neither.
            ca_pem: certificate of a CA that the owner trusts, PEM; "" for none.
            timeout_s: longest wait for a connection or for data.

        Raises:
            RequestError: ``join_bad_address``, ``join_plain_refused`` or ``join_untrusted``.
            PoolUnreachable: the pool does not answer.
        """
        self.url = _complete_url(url)
        self._timeout_s = timeout_s
        self._handlers: tuple[urllib.request.BaseHandler, ...] = ()
        self.trusts_system = False
        if self.url.startswith("http://"):
            host = urlsplit(self.url).hostname or ""
            if requires_tls(host) or secret.ca_fingerprint or secret.key_pin:
                # A fingerprint or a pin implies TLS: a server without TLS is not the pool.
                raise RequestError("join_plain_refused", url, values={"host": host})
        elif ca_pem or secret.ca_fingerprint:
            authority = ca_pem or self._read_unchecked_page().ca_pem
            if secret.ca_fingerprint and _fingerprint_of(authority) != secret.ca_fingerprint:
                self._fail_untrusted()
            context = _context_of(authority)
            self._handlers = (urllib.request.HTTPSHandler(context=context),)
        elif secret.key_pin:
            self._handlers = (_PinnedHandler(secret.key_pin),)
        else:
            self.trusts_system = True

    def read_page(self) -> PoolPage:
        """Returns the document that describes the pool.

        Raises:
            RequestError: ``join_bad_address``: no pool has this address; ``join_untrusted``.
            PoolUnreachable: the pool does not answer.
        """
        return self._decode(self._open(PAGE_PATH, self._handlers), PoolPage)

    def post(self, path: str, body: bytes, kind: type[T], *, lang: str) -> T:
        """Posts JSON and returns the answer, decoded.

        Raises:
            PoolRefusal: with the pool's own code and sentence.
            RequestError: ``join_bad_address`` or ``join_untrusted``.
            PoolUnreachable: the pool does not answer.
        """
        return self._decode(self._open(path, self._handlers, body=body, lang=lang), kind)

    def stream(self, path: str) -> Iterator[bytes]:
        """Yields the pieces of a file, which the caller bounds.

        Raises:
            PoolRefusal: with the pool's own code and sentence.
            RequestError: ``join_bad_address`` or ``join_untrusted``.
            PoolUnreachable: the pool does not answer.
        """
        with self._answer(path, self._handlers) as response:
            while piece := response.read(PIECE_BYTES):
                yield piece

    def _read_unchecked_page(self) -> PoolPage:
        """Reads the page for its CA alone, which its fingerprint then proves."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handler = urllib.request.HTTPSHandler(context=context)
        return self._decode(self._open(PAGE_PATH, (handler,)), PoolPage)

    def _open(
        self,
        path: str,
        handlers: tuple[urllib.request.BaseHandler, ...],
        *,
        body: bytes | None = None,
        lang: str = "",
    ) -> bytes:
        with self._answer(path, handlers, body=body, lang=lang) as response:
            answer: bytes = response.read(BODY_BYTES_MAX)
            return answer

    @contextlib.contextmanager
    def _answer(
        self,
        path: str,
        handlers: tuple[urllib.request.BaseHandler, ...],
        *,
        body: bytes | None = None,
        lang: str = "",
    ) -> Iterator[Any]:
        headers = {"content-type": "application/json"} if body is not None else {}
        if lang:
            headers["accept-language"] = lang
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirect, *handlers)
        try:
            with opener.open(request, timeout=self._timeout_s) as response:
                yield response
        except urllib.error.HTTPError as problem:
            with problem:
                self._fail_refused(problem.read(BODY_BYTES_MAX), cause=problem)
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", problem)
            if isinstance(reason, ssl.SSLCertVerificationError):
                self._fail_untrusted(cause=reason)
            values = {"address": self.url, "fault": _fault_of(reason)}
            detail = str(reason) or type(reason).__name__
            raise PoolUnreachable("pool_unreachable", detail, values=values) from problem

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return decode_json(body, type=kind)
        except msgspec.MsgspecError as problem:
            raise RequestError("join_bad_address", self.url, values={"url": self.url}) from problem

    def _fail_refused(self, body: bytes, *, cause: Exception) -> NoReturn:
        try:
            error = decode_json(body, type=_ErrorBody).error
        except msgspec.MsgspecError:
            error = _ErrorFields()
        if not error.code:  # a server of another kind answered
            raise RequestError("join_bad_address", self.url, values={"url": self.url}) from cause
        raise PoolRefusal(printable(error.code), printable(error.message)) from cause

    def _fail_untrusted(self, *, cause: Exception | None = None) -> NoReturn:
        raise RequestError("join_untrusted", self.url, values={"url": self.url}) from cause


def _fault_of(reason: object) -> str:
    """Returns the code of why a pool did not answer."""
    faults = ((TimeoutError, "dropped"), (ConnectionRefusedError, "refused"),
              (socket.gaierror, "host"), (ssl.SSLError, "certificate"))  # fmt: skip
    return next((fault for kind, fault in faults if isinstance(reason, kind)), "cut")


def compute_key_pin(certificate_der: bytes | None) -> str:
    """Returns the pin of a certificate's key, as in ``JoinSecret``; "" without a certificate."""
    if not certificate_der:
        return ""
    from cryptography import x509  # noqa: PLC0415  (only a pinned pool needs it)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    key = x509.load_der_x509_certificate(certificate_der).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).decode("ascii").rstrip("=")


def compute_fingerprint(ca_pem: str) -> str:
    """Returns the SHA-256 of a certificate's DER bytes, in hexadecimal.

    Raises:
        ValueError: the text is not a certificate.
    """
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca_pem.strip())).hexdigest()


def _fingerprint_of(ca_pem: str) -> str:
    try:
        return compute_fingerprint(ca_pem)
    except ValueError:
        return ""


def _context_of(ca_pem: str) -> ssl.SSLContext:
    """Returns a context that trusts one CA.

    Raises:
        RequestError: ``join_bad_authority``: the text is not a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as problem:
        raise RequestError("join_bad_authority", str(problem)) from problem
    return context


def _complete_url(url: str) -> str:
    """Returns an address with its scheme and without a path.

    Raises:
        RequestError: ``join_bad_address``: it is not an address of HTTP.

    >>> _complete_url("pool.coop"), _complete_url("https://pool.coop/x"), _complete_url("[::1]:80")
    ('https://pool.coop', 'https://pool.coop', 'http://[::1]:80')
    """
    if "://" not in url:
        host = urlsplit(f"//{url}").hostname or ""
        url = f"{'https' if requires_tls(host) else 'http'}://{url}"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        sound = False
    if not sound:
        raise RequestError("join_bad_address", url, values={"url": url})
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
