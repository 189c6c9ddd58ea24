"""Callers: from a request to who sends it: an API key, or a person by the cookie of a session.

A key counts where both are sent. A request with the cookie that changes something is refused unless
the pool's own page made it; see ``signin.cookies``.
"""

from entraide_scheduler.gateway.http import HttpRequest
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.refusals import Refused, refused
from entraide_scheduler.gateway.signin.auth import Authenticator
from entraide_scheduler.gateway.signin.cookies import CookiePolicy
from entraide_scheduler.gateway.signin.sessions import SignedIn, SigninSessions
from entraide_scheduler.gateway.signin.streams import SessionStreams


class Callers:
    """Authenticates the senders of HTTP requests.

    Attributes:
        cookies: how the cookie of a session is set and read.
        sessions: the sign-in sessions.
        streams: the responses that end when a session ends or a key is revoked.
    """

    def __init__(
        self, authenticator: Authenticator, sessions: SigninSessions, cookies: CookiePolicy
    ) -> None:
        self._authenticator = authenticator
        self.sessions = sessions
        self.cookies = cookies
        self.streams = SessionStreams()

    def is_named(self, request: HttpRequest) -> bool:
        """Whether a request has a key or a cookie, of whatever value."""
        return bool(request.headers.get("authorization") or self.cookies.read(request))

    def cached(self, request: HttpRequest) -> Caller | None:
        """Returns the caller of a request if it is cached.

        Raises:
            Refused: ``csrf_refused``.
        """
        authorization = request.headers.get("authorization", "")
        if authorization:
            return self._authenticator.cached_caller(authorization)
        secret = self.cookies.read(request)
        signed_in = self.sessions.cached(secret)
        if signed_in is None:
            return None
        self.cookies.check_token(request, secret)
        return signed_in.caller

    async def authenticate(self, request: HttpRequest) -> Caller:
        """Returns the caller of a request.

        Raises:
            Refused: ``unauthorised``, ``not_signed_in`` or ``csrf_refused``.
        """
        authorization = request.headers.get("authorization", "")
        if authorization or not self.cookies.read(request):
            return await self._authenticator.authenticate(authorization)
        return (await self.find_signed_in(request)).caller

    async def is_known(self, request: HttpRequest) -> bool:
        """Whether a key or a person sends a request that only reads."""
        try:
            await self.authenticate(request)
        except Refused:
            return False
        return True

    async def find_signed_in(self, request: HttpRequest) -> SignedIn:
        """Returns the person who sends a request, and the session.

        Raises:
            Refused: ``not_signed_in``, also with a key, or ``csrf_refused``.
        """
        secret = self.cookies.read(request)
        if not secret or request.headers.get("authorization"):
            raise refused("not_signed_in")
        signed_in = await self.sessions.find(secret)
        self.cookies.check_token(request, secret)
        return signed_in
