"""Sign-in routes: the HTTP codec of sessions, and of the ways in which persons sign in.

Each response forbids its storage. Attempts are limited by address, letters by address and person.
"""

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
from entraide_scheduler.gateway.signin.cookies import make_csrf_token
from entraide_scheduler.gateway.signin.letters import SigninLetters
from entraide_scheduler.gateway.signin.sessions import LIFETIME_S, SignedIn
from entraide_scheduler.store.person_rows import PersonRow

SESSION, SESSIONS, SIGNIN, PEOPLE = "/v1/session", "/v1/sessions", "/v1/signin", "/v1/people"
NO_STORE = ("cache-control", "no-store")
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
    """

    lang: Literal["", "fr", "en"] | None = None
    project: str | None = None


class EmailRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for a sign-in link by e-mail.

    Attributes:
        email: the address to which the link is sent, if it is a person's.
    """

    email: str


class SignedInPerson(Struct, frozen=True):
    """Who has signed in.

    Attributes:
        id: identifier, in the place of a key's.
        name: as the inviter wrote it.
        email: in lower case; "" without one.
        role: ``person``, ``coop_admin``, ``operator`` or ``auditor``.
        coop: co-op of the person.
        project: on which the person's use counts.
        lang: language of the pages; "" for the browser's.
    """

    id: str
    name: str
    email: str
    role: str
    coop: str
    project: str
    lang: str


class SessionView(Struct, frozen=True):
    """The present sign-in: the person, and what the page needs for its requests.

    Attributes:
        person: who has signed in.
        session: identifier of the session.
        csrf: for the header ``X-Entraide-Csrf`` of each request but GET and HEAD.
        expires_at: end of the session unless it is used again, seconds since the epoch.
        pool: name of the pool.
    """

    person: SignedInPerson
    session: str
    csrf: str
    expires_at: float
    pool: str


class OpenSession(Struct, frozen=True):
    """A session of a person, in one browser; times are seconds since the epoch.

    Attributes:
        session: identifier.
        device: browser and system, as the browser names them.
        made_at: when the person signed in.
        seen_at: last use, exact to a minute.
        expires_at: end unless it is used again.
        current: whether it is the session that asks.
    """

    session: str
    device: str
    made_at: float
    seen_at: float
    expires_at: float
    current: bool


class SessionList(Struct, frozen=True):
    """The open sessions of a person, the last used first.

    Attributes:
        data: the sessions.
    """

    data: list[OpenSession]
    object: str = "list"


class EndedSession(Struct, frozen=True):
    """The reply to the end of a session.

    Attributes:
        session: identifier.
        ended: always true.
    """

    session: str
    ended: bool = True


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
        oidc_name: str = "",
    ) -> None:
        self._callers = callers
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
                "list_sessions": self._list_sessions,
                "end_session": self._end_session,
                "signin_ways": self._list_ways,
                "send_signin_email": self._send_email,
            }
        )

    async def begin_session(self, call: RouteCall, person: PersonRow) -> tuple[str, str]:
        """Starts a session for a person whom an identity provider knows; returns its cookie."""
        await self._end_present(call)
        agent = call.exchange.request.headers.get("user-agent", "")
        secret, _ = await self._callers.sessions.start(person, agent)
        return self._callers.cookies.set(secret, keep_s=LIFETIME_S)

    async def _sign_in(self, call: RouteCall) -> None:
        request = call.exchange.request
        self._callers.cookies.check_origin(request)
        wait_s = self._refused.wait_s(request.peer, time.monotonic())
        if wait_s:
            raise Refused(ErrorReply("too_many_signins", retry_after_s=wait_s))
        token = convert(read_object(request.body), SignInRequest).token
        agent = request.headers.get("user-agent", "")
        try:
            secret, signed_in = await self._callers.sessions.sign_in_by_link(token, agent)
        except Refused:
            self._refused.count(request.peer, time.monotonic())
            raise
        await self._end_present(call)
        cookie = self._callers.cookies.set(secret, keep_s=LIFETIME_S)
        send(call, self._describe(signed_in, secret), cookie)

    async def _get_session(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        send(call, self._describe(signed_in, self._callers.cookies.read(call.exchange.request)))

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
        send(call, self._describe(signed_in, self._callers.cookies.read(request)))

    async def _sign_out(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        session = signed_in.session.session
        await self._callers.sessions.end(signed_in.person.person, session)
        send(call, EndedSession(session), self._callers.cookies.clear())

    async def _list_sessions(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        rows = await self._callers.sessions.list_sessions(signed_in.person.person)
        present = signed_in.session.session
        views = [
            OpenSession(
                session=row.session,
                device=row.device,
                made_at=row.made_at,
                seen_at=row.seen_at,
                expires_at=row.expires_at,
                current=row.session == present,
            )
            for row in rows
        ]
        send(call, SessionList(views))

    async def _end_session(self, call: RouteCall) -> None:
        signed_in = await self._callers.find_signed_in(call.exchange.request)
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

    async def _end_present(self, call: RouteCall) -> None:
        """Ends the session whose cookie the browser still has: the new one replaces it."""
        secret = self._callers.cookies.read(call.exchange.request)
        if not secret:
            return
        try:
            present = await self._callers.sessions.find(secret)
            await self._callers.sessions.end(present.person.person, present.session.session)
        except Refused:
            return

    def _describe(self, signed_in: SignedIn, secret: str) -> SessionView:
        row = signed_in.person
        return SessionView(
            person=SignedInPerson(
                id=row.person,
                name=row.name,
                email=row.email,
                role=row.role,
                coop=row.coop,
                project=row.project,
                lang=row.lang,
            ),
            session=signed_in.session.session,
            csrf=make_csrf_token(secret),
            expires_at=signed_in.session.expires_at,
            pool=self._pool,
        )


def send(call: RouteCall, view: Struct, *headers: tuple[str, str], status: int = 200) -> None:
    """Sends a JSON response that no cache may store, unless the client has left."""
    if not call.exchange.is_over:
        body = msgspec.json.encode(view)
        call.exchange.respond(status, body, headers=[NO_STORE, *headers])
