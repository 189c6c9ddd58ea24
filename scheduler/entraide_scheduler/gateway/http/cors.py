"""CORS: which web pages may read the pool's answers, as the Fetch standard defines it. Pure.

The operator names the origins; without one, no header is sent and a browser keeps pages away.
Requests carry an API key, never a cookie: credentials are not allowed, and an origin is always
named (``*`` would let any page use a key that a browser extension adds).
"""

from collections.abc import Iterable

from entraide_scheduler.gateway.http.exchange import HttpRequest

PREFLIGHT_MAX_AGE_S = 600
METHODS = "GET, POST, DELETE"
EXPOSED = ", ".join(
    (
        "x-request-id",
        "retry-after",
        "location",
        *(
            f"x-ratelimit-{what}-{kind}"
            for kind in ("requests", "tokens")
            for what in ("limit", "remaining", "reset")
        ),
    )
)
VARY = ("vary", "origin")


class CorsPolicy:
    """Answers the questions of browsers.

    Args:
        origins: the origins whose pages may read answers.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Returns the headers that each answer to a request has."""
        if not self._origins:
            return []
        if not self._allows(request):
            return [VARY]
        return [
            VARY,
            ("access-control-allow-origin", request.headers["origin"]),
            ("access-control-expose-headers", EXPOSED),
        ]

    def is_preflight(self, request: HttpRequest) -> bool:
        """Whether a request is a browser's question of an allowed page; it has no key."""
        return (
            request.method == "OPTIONS"
            and "access-control-request-method" in request.headers
            and self._allows(request)
        )

    def preflight_headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Returns the further headers of the answer to a preflight request.

        A page may send any header that it asked for: none of them is a credential of its own.
        """
        asked = request.headers.get("access-control-request-headers", "")
        return [
            ("access-control-allow-methods", METHODS),
            ("access-control-max-age", str(PREFLIGHT_MAX_AGE_S)),
            *([("access-control-allow-headers", asked)] if asked else []),
        ]

    def _allows(self, request: HttpRequest) -> bool:
        return request.headers.get("origin", "") in self._origins
