"""Sign-in routes: the HTTP codec of sessions, and of the ways in which persons sign in.

Attempts are limited by address, letters by address and person.
"""

import base64
import contextlib
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from entraide_scheduler.address_failures import FailuresPerAddress
from entraide_scheduler.gateway.http import RouteCall, RouteHandler
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, convert, read_object
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.gateway.signin.letters import SigninLetters
from entraide_scheduler.gateway.signin.session_views import (
    BrowserHalf,
    EndedSession,
    SessionViews,
    send,
)
from entraide_scheduler.gateway.signin.sessions import LIFETIME_S, SignedIn
from entraide_scheduler.store.person_rows import PersonRow, SigninEvidence

SESSION, SESSIONS, SIGNIN, PEOPLE = "/v1/session", "/v1/sessions", "/v1/signin", "/v1/people"
REFUSED_MAX, LETTERS_MAX = 10, 5  # per address in WINDOW_S
WINDOW_S = 60.0


class SignInRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in by a one-time link.

    Attributes:
        token: what the link has after ``#/entrer/``.
    """

    token: str


class Preferences(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person chooses; what is left out stays.

    Attributes:
        lang: language of the pages; "" for the browser's.
        project: on which the person's use counts; one of the co-op's.
        machine_mail: whether the pool writes to the person's confirmed address when something is
            wrong with a machine of the co-op; for co-op admins and operators.
    """

    lang: Literal["", "fr", "en"] | None = None
    project: str | None = None
    machine_mail: bool | None = None


class BrowserRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for the pool's half of a browser's key.

    Attributes:
        browser: identifier that the browser has chosen, 32 hexadecimal digits.
    """

    browser: str


class EmailRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a sign-in link by e-mail.

    Attributes:
        email: the address to which the link is sent, if it is a person's.
    """

    email: str


class OidcSignin(Struct, frozen=True):
    """The co-ops' identity provider.

    Attributes:
        name: as the button shows it.
    """

    name: str


class SigninWays(Struct, frozen=True):
    """The ways to sign in, besides a link that somebody else sends.

    Attributes:
        pool: name of the pool.
        email: whether a link is sent by e-mail on request.
        oidc: the identity provider; null without one.
    """

    pool: str
    email: bool
    oidc: OidcSignin | None = None


class Accepted(Struct, frozen=True):
    """The reply to a request for a letter, whether or not somebody has the address.

    Attributes:
        accepted: always true.
    """

    accepted: bool = True


class SigninRoutes:
    """Handles the requests for sessions.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(
        self,
        callers: Callers,
        *,
        pool: str,
        letters: SigninLetters,
        views: SessionViews,
        oidc_name: str = "",
    ) -> None:
        self._callers = callers
        self._views = views
        self._pool = pool
        self._letters = letters
        self._oidc_name = oidc_name
        self._refused = FailuresPerAddress(most=REFUSED_MAX, window_s=WINDOW_S)
        self._asked = FailuresPerAddress(most=LETTERS_MAX, window_s=WINDOW_S)
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {
                "sign_in": self._sign_in,
                "get_session": self._get_session,
                "change_session": self._change_session,
                "sign_out": self._sign_out,
                "claim_browser_half": self._claim_half,
                "list_sessions": self._list_sessions,
                "end_session": self._end_session,
                "signin_ways": self._list_ways,
                "send_signin_email": self._send_email,
            }
        )

    async def begin_session(
        self, call: RouteCall, person: PersonRow, evidence: SigninEvidence
    ) -> tuple[str, str]:
        """Starts a session for a person whom an identity provider knows; returns its cookie."""
        present = await self._find_present(call)
        agent = call.exchange.request.headers.get("user-agent", "")
        secret, _ = await self._callers.sessions.start(person, evidence, agent, present)
        await self._end_present(present)
        return self._callers.cookies.set(secret, keep_s=LIFETIME_S)

    async def _sign_in(self, call: RouteCall) -> None:
        request = call.exchange.request
        self._callers.cookies.check_origin(request)
        wait_s = self._refused.wait_s(request.peer, time.monotonic())
        if wait_s:
            raise Refused(ErrorReply("too_many_signins", retry_after_s=wait_s))
        token = convert(read_object(request.body), SignInRequest).token
        agent = request.headers.get("user-agent", "")
        present = await self._find_present(call)
        try:
            secret, signed_in = await self._callers.sessions.sign_in_by_link(token, agent, present)
        except Refused:
            self._refused.count(request.peer, time.monotonic())
            raise
        await self._end_present(present)
        cookie = self._callers.cookies.set(secret, keep_s=LIFETIME_S)
        send(call, await self._views.describe(signed_in, secret, call.lang), cookie)

    async def _get_session(self, call: RouteCall) -> None:
        await self._views.send_session(call)

    async def _change_session(self, call: RouteCall) -> None:
        request = call.exchange.request
        signed_in = await self._callers.find_signed_in(request)
        chosen = convert(read_object(request.body), Preferences)
        changes = {
            name: value
            for name, value in msgspec.structs.asdict(chosen).items()
            if value is not None
        }
        if changes:
            signed_in = await self._callers.sessions.change(signed_in, **changes)
        await self._views.send_session(call, signed_in)

    async def _sign_out(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        session = signed_in.session.session
        await self._callers.sessions.end(signed_in.person.person, session)
        send(call, EndedSession(session), self._callers.cookies.clear())

    async def _claim_half(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        browser = convert(read_object(call.exchange.request.body), BrowserRequest).browser
        half, is_new = await self._callers.sessions.claim_half(signed_in, browser)
        send(call, BrowserHalf(base64.b64encode(half).decode(), is_new))

    async def _list_sessions(self, call: RouteCall) -> None:
        await self._views.send_sessions(call)

    async def _end_session(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        await self._callers.sessions.find_other(signed_in, call.name)
        await self._callers.sessions.end(signed_in.person.person, call.name)
        is_present = call.name == signed_in.session.session
        cookies = [self._callers.cookies.clear()] if is_present else []
        send(call, EndedSession(call.name), *cookies)

    async def _list_ways(self, call: RouteCall) -> None:
        oidc = OidcSignin(self._oidc_name) if self._oidc_name else None
        send(call, SigninWays(self._pool, self._letters.can_send, oidc))

    async def _send_email(self, call: RouteCall) -> None:
        request = call.exchange.request
        self._callers.cookies.check_origin(request)
        wait_s = self._asked.count(request.peer, time.monotonic())
        if wait_s:
            raise Refused(ErrorReply("too_many_signins", retry_after_s=wait_s))
        self._letters.ask_for(convert(read_object(request.body), EmailRequest).email, call.lang)
        send(call, Accepted(), status=202)

    async def _find_present(self, call: RouteCall) -> SignedIn | None:
        """Returns the session whose cookie the browser still has, and which a new one replaces."""
        secret = self._callers.cookies.read(call.exchange.request)
        try:
            return await self._callers.sessions.find(secret) if secret else None
        except Refused:
            return None

    async def _end_present(self, present: SignedIn | None) -> None:
        with contextlib.suppress(Refused):
            if present is not None:
                await self._callers.sessions.end(present.person.person, present.session.session)
