"""Session views: what the HTTP of sessions shows of a person's sign-ins.

Each response forbids its storage.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from entraide_scheduler.gateway.http import RouteCall
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.gateway.signin.cookies import make_csrf_token
from entraide_scheduler.gateway.signin.letters import SigninLetters
from entraide_scheduler.gateway.signin.sessions import SignedIn
from entraide_scheduler.store.person_rows import SigninWay

NO_STORE = ("cache-control", "no-store")


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


class NewStart(Struct, frozen=True):
    """Why what the person sent before is closed to the session; times are since the epoch.

    Attributes:
        way: how the session began: ``link``; ``email`` or ``oidc``: at an address that the person
            had not confirmed.
        made_by: name of who made the link, or wrote the address; "" for the operator's key, and
            words of the request's language for somebody who was forgotten since.
        made_at: when the session began.
        earlier_by: likewise, of the person's earlier start.
        earlier_at: when the earlier start began.
        asked: whether the session has asked to be opened from an older one.
        by_email: whether a letter to the person's own address opens it.
        by_oidc: whether a sign-in at the identity provider opens it: with the account that is
            bound to the earlier start, or that has the address which the person confirmed there.
    """

    way: Literal["link", "email", "oidc"]
    made_by: str
    made_at: float
    earlier_by: str
    earlier_at: float
    asked: bool
    by_email: bool
    by_oidc: bool


class SessionView(Struct, frozen=True):
    """The present sign-in: the person, and what the page needs for its requests.

    Attributes:
        person: who has signed in.
        session: identifier of the session.
        csrf: for the header ``X-Entraide-Csrf`` of each request but GET and HEAD.
        expires_at: end of the session unless it is used again, seconds since the epoch.
        pool: name of the pool.
        email_to_confirm: the address to which the pool sends links, or that the provider knows,
            if the person has not confirmed it; "" if there is nothing to confirm.
        email_proven: whether a letter to that address began this session.
        new_start: why what the person sent before is closed to the session; null if it is not.
        machine_mail: whether the pool writes to the person about the co-op's machines; null where
            it cannot: no mail server, no confirmed address, another role, or a new start.
        coop_names: what people read in place of co-ops' identifiers, for co-ops that have a name.
    """

    person: SignedInPerson
    session: str
    csrf: str
    expires_at: float
    pool: str
    email_to_confirm: str
    email_proven: bool
    new_start: NewStart | None
    machine_mail: bool | None
    coop_names: dict[str, str]


class OpenSession(Struct, frozen=True):
    """A session of a person, in one browser; times are seconds since the epoch.

    Attributes:
        session: identifier.
        device: browser and system, as the browser names them.
        made_at: when the person signed in.
        seen_at: last use, exact to a minute.
        expires_at: end unless it is used again.
        current: whether it is the session that asks.
        new_start: whether what the person sent before is closed to it.
        way: how it began: ``link``, ``email`` (a letter with a link) or ``oidc``.
        made_by: name of who made its link, or wrote the address; "" for the operator's key.
        asks: whether it asks to be opened from a session like this one.
    """

    session: str
    device: str
    made_at: float
    seen_at: float
    expires_at: float
    current: bool
    new_start: bool
    way: Literal["link", "email", "oidc"]
    made_by: str
    asks: bool


class SessionList(Struct, frozen=True):
    """The open sessions of a person, the last used first.

    Attributes:
        data: the sessions.
    """

    data: list[OpenSession]
    object: str = "list"


class BrowserHalf(Struct, frozen=True):
    """The pool's half of the key under which a browser keeps conversations.

    Attributes:
        half: 32 random bytes in Base64. With the browser's own half it makes the key.
        is_new: whether it was made now: with it nothing opens that the browser has kept before.
    """

    half: str
    is_new: bool


class EndedSession(Struct, frozen=True):
    """The reply to the end of a session.

    Attributes:
        session: identifier.
        ended: always true.
    """

    session: str
    ended: bool = True


class SessionViews:
    """Describes sessions, and sends the descriptions.

    Args:
        callers: authenticates persons.
        pool: name of the pool.
        letters: whether links are sent by e-mail.
        has_provider: whether there is an identity provider.
    """

    def __init__(
        self, callers: Callers, *, pool: str, letters: SigninLetters, has_provider: bool
    ) -> None:
        self._callers = callers
        self._pool = pool
        self._letters = letters
        self._has_provider = has_provider
        self._uses_addresses = has_provider or letters.can_send

    async def send_session(self, call: RouteCall, signed_in: SignedIn | None = None) -> None:
        """Sends a session; without one, the one that asks, as it is now."""
        request = call.exchange.request
        signed_in = signed_in or await self._callers.find_signed_in(request)
        secret = self._callers.cookies.read(request)
        send(call, await self.describe(signed_in, secret, call.lang))

    async def send_sessions(self, call: RouteCall) -> None:
        """Sends the sessions that the one that asks may see."""
        signed_in = await self._callers.find_signed_in(call.exchange.request)
        sessions, views = self._callers.sessions, []
        starts = {row.start: row for row in signed_in.starts}
        for row in await sessions.list_sessions(signed_in):
            if (start := starts.get(row.start)) is None:
                continue
            view = OpenSession(
                session=row.session,
                device=row.device,
                made_at=row.made_at,
                seen_at=row.seen_at,
                expires_at=row.expires_at,
                current=row.session == signed_in.session.session,
                new_start=start.is_new,
                way=SigninWay(row.way).value,
                made_by=await sessions.find_name(row.made_by, call.lang),
                asks=start.is_new and start.asked_at > 0.0,
            )
            views.append(view)
        send(call, SessionList(views))

    async def describe(self, signed_in: SignedIn, secret: str, lang: str) -> SessionView:
        """Returns a session as the API shows it; ``secret`` is the cookie's."""
        row = signed_in.person
        is_open = not signed_in.start.is_new and not row.has_confirmed
        has_mail = not signed_in.start.is_new and row.may_have_machine_mail
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
            email_to_confirm=row.email if is_open and self._uses_addresses else "",
            email_proven=signed_in.session.proven_email == row.email,
            new_start=await self._describe_start(signed_in, lang),
            machine_mail=row.machine_mail_at > 0.0 if has_mail and self._letters.can_send else None,
            coop_names=await self._callers.sessions.get_coop_names(),
        )

    async def _describe_start(self, signed_in: SignedIn, lang: str) -> NewStart | None:
        row, session, person = signed_in.start, signed_in.session, signed_in.person
        earlier = next((each for each in signed_in.starts if not each.is_new), None)
        if not row.is_new or earlier is None:
            return None
        sessions = self._callers.sessions
        is_known = bool(person.confirmed_email) and person.confirmed_start == earlier.start
        opens = is_known and person.has_confirmed and not person.oidc_start
        return NewStart(
            way=SigninWay(session.way).value,
            made_by=await sessions.find_name(session.made_by, lang),
            made_at=session.made_at,
            earlier_by=await sessions.find_name(earlier.made_by, lang),
            earlier_at=earlier.made_at,
            asked=row.asked_at > 0.0,
            by_email=is_known and self._letters.can_send,
            by_oidc=self._has_provider and (person.oidc_start == earlier.start or opens),
        )


def send(call: RouteCall, view: Struct, *headers: tuple[str, str], status: int = 200) -> None:
    """Sends a JSON response that no cache may store, unless the client has left."""
    if not call.exchange.is_over:
        body = msgspec.json.encode(view)
        call.exchange.respond(status, body, headers=[NO_STORE, *headers])
