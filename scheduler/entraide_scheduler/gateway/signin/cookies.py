"""Cookies: the session's cookie, and the checks that a request with it comes from the pool's pages.

The cookie is ``HttpOnly``, ``SameSite=Lax`` and without a domain. Over HTTPS its name begins with
``__Host-``, so that no other host and no plain connection can set it (RFC 6265bis, 4.1.3.2). A
request that changes something must carry the session's CSRF token in a header that a form cannot
send, and must come from the pool's own origin where the browser says whence it comes (Fetch
Metadata Request Headers, W3C).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from entraide_scheduler.gateway.http import HttpRequest
from entraide_scheduler.gateway.refusals import refused

SECURE_NAME, PLAIN_NAME = "__Host-entraide", "entraide"
CSRF_HEADER = "x-entraide-csrf"
SAFE_METHODS = frozenset({"GET", "HEAD"})
SECRET_MAX_CHARS = 200
STATE_SUFFIX = "-oidc"
STATE_MAX_CHARS = 1_000


def make_csrf_token(secret: str) -> str:
    """Returns the CSRF token of a session, from which its secret cannot be computed."""
    digest = hmac.digest(
        secret.encode("utf-8", "surrogateescape"), b"entraide/csrf", hashlib.sha256
    )
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class CookiePolicy:
    """How this gateway sets and reads the cookie.

    Args:
        public: address at which browsers reach the pool; "" for that of each request.
        is_https: whether they reach it by HTTPS.
    """

    def __init__(self, public: str, *, is_https: bool) -> None:
        self._is_https = is_https
        self._origin = public.rstrip("/").lower()
        self._name = SECURE_NAME if is_https else PLAIN_NAME

    def read(self, request: HttpRequest) -> str:
        """Returns the secret in the cookie of a request, or ""."""
        return _read(request, self._name, SECRET_MAX_CHARS)

    def read_state(self, request: HttpRequest) -> str:
        """Returns what the browser kept while it was at the identity provider, or ""."""
        return _read(request, self._name + STATE_SUFFIX, STATE_MAX_CHARS)

    def set_state(self, kept: str, *, keep_s: float) -> tuple[str, str]:
        """Returns the header that has the browser keep it meanwhile; 0 seconds to forget it."""
        return self._set(self._name + STATE_SUFFIX, kept, keep_s)

    def set(self, secret: str, *, keep_s: float) -> tuple[str, str]:
        """Returns the header that sets the cookie for ``keep_s`` seconds, 0 to delete it."""
        return self._set(self._name, secret, keep_s)

    def _set(self, name: str, value: str, keep_s: float) -> tuple[str, str]:
        secure = "; Secure" if self._is_https else ""
        attributes = f"Path=/; Max-Age={int(keep_s)}; HttpOnly; SameSite=Lax{secure}"
        return ("set-cookie", f"{name}={value}; {attributes}")

    def clear(self) -> tuple[str, str]:
        """Returns the header that deletes the cookie."""
        return self.set("", keep_s=0.0)

    def check_token(self, request: HttpRequest, secret: str) -> None:
        """Checks that a request with the cookie was made by the pool's own page.

        Raises:
            Refused: ``csrf_refused``.
        """
        if request.method in SAFE_METHODS:
            return
        sent = request.headers.get(CSRF_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(sent, make_csrf_token(secret).encode()):
            raise refused("csrf_refused")
        self.check_origin(request)

    def check_origin(self, request: HttpRequest) -> None:
        """Checks that a request comes from the pool's origin, as far as the browser says.

        Raises:
            Refused: ``csrf_refused``.
        """
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        if site != "same-origin" or (
            origin is not None and origin.lower() not in self._own(request)
        ):
            raise refused("csrf_refused")

    def _own(self, request: HttpRequest) -> Iterable[str]:
        host = request.headers.get("host", "").lower()
        return (self._origin, f"http{'s' if self._is_https else ''}://{host}")


def _read(request: HttpRequest, cookie: str, chars_max: int) -> str:
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == cookie:
            return value if len(value) <= chars_max else ""
    return ""
