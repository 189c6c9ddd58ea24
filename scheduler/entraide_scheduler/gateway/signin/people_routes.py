"""People routes: the HTTP codec of the people of co-ops, for co-op admins and the operator."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from entraide_scheduler.gateway.http import RouteCall, RouteHandler, read_query
from entraide_scheduler.gateway.refusals import convert, read_object
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.gateway.signin.letters import SigninLetters
from entraide_scheduler.gateway.signin.session_views import send
from entraide_scheduler.people import (
    EMAIL_MAX,
    LINK_LEAST_S,
    LINK_MOST_S,
    NAME_MAX,
    Actor,
    People,
    write_link,
)
from entraide_scheduler.store.person_rows import PersonRow

Name = Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
Email = Annotated[str, Meta(max_length=EMAIL_MAX)]
RoleName = Literal["person", "coop_admin", "operator", "auditor"]
LangName = Literal["", "fr", "en"]


class NewPerson(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is added.

    Attributes:
        name: as the pages show it.
        coop: co-op of the person; "" for the sender's own.
        email: address, unique in the pool; "" without one.
        role: what the person may do.
        project: on which the person's use counts; "" for ``default``.
        lang: language of the pages; "" for the browser's.
    """

    name: Name
    coop: str = ""
    email: Email = ""
    role: RoleName = "person"
    project: Annotated[str, Meta(max_length=NAME_MAX)] = ""
    lang: LangName = ""


class PersonChanges(Struct, frozen=True, forbid_unknown_fields=True):
    """What of a person changes; what is left out stays.

    Attributes:
        name: as the pages show it.
        email: address, unique in the pool; "" for none.
        role: what the person may do; the person then signs in again.
        project: on which the person's use counts.
        lang: language of the pages; "" for the browser's.
        enabled: false ends the person's access, true lets the person in again.
    """

    name: Name | None = None
    email: Email | None = None
    role: RoleName | None = None
    project: Name | None = None
    lang: LangName | None = None
    enabled: bool | None = None


class LinkRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Which sign-in link is made.

    Attributes:
        valid_s: for how long it can be used, seconds; a day without it.
        email: whether it is sent to the person's address, if the pool has a mail server.
    """

    valid_s: Annotated[float, Meta(ge=LINK_LEAST_S, le=LINK_MOST_S)] | None = None
    email: bool = False


class Person(Struct, frozen=True):
    """Somebody at a co-op who signs in; times are seconds since the epoch, 0 for never.

    Attributes:
        id: identifier, in the place of a key's.
        name: as the pages show it.
        email: in lower case; "" without one.
        role: ``person``, ``coop_admin``, ``operator`` or ``auditor``.
        coop: co-op of the person.
        project: on which the person's use counts.
        lang: language of the pages; "" for the browser's.
        created_at: when the person was added.
        disabled_at: since when the person may not sign in.
    """

    id: str
    name: str
    email: str
    role: str
    coop: str
    project: str
    lang: str
    created_at: float
    disabled_at: float


class PersonList(Struct, frozen=True):
    """People, by co-op and name.

    Attributes:
        data: the people.
    """

    data: list[Person]
    object: str = "list"


class SigninLink(Struct, frozen=True):
    """A one-time sign-in link.

    Attributes:
        link: the address that signs the person in, once.
        expires_at: until when it can be used, seconds since the epoch.
        emailed: whether it was sent to the person's address.
    """

    link: str
    expires_at: float
    emailed: bool


class PeopleRoutes:
    """Handles the requests for people.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(
        self,
        callers: Callers,
        people: People,
        letters: SigninLetters,
        pool_url: Callable[[], str],
    ) -> None:
        self._callers = callers
        self._people = people
        self._letters = letters
        self._pool_url = pool_url
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {
                "list_people": self._list,
                "add_person": self._add,
                "change_person": self._change,
                "disable_person": self._disable,
                "make_signin_link": self._make_link,
            }
        )

    async def _find_actor(self, call: RouteCall) -> Actor:
        return (await self._callers.find_signed_in(call.exchange.request)).actor

    async def _list(self, call: RouteCall) -> None:
        actor = await self._find_actor(call)
        coop = read_query(call.exchange.request.query).get("coop", "")
        rows = await self._people.list_people(actor, coop)
        send(call, PersonList([describe_person(row) for row in rows]))

    async def _add(self, call: RouteCall) -> None:
        actor = await self._find_actor(call)
        fields = convert(read_object(call.exchange.request.body), NewPerson)
        row = await self._people.add(actor, **msgspec.structs.asdict(fields))
        send(call, describe_person(row), status=201)

    async def _change(self, call: RouteCall) -> None:
        actor = await self._find_actor(call)
        fields = convert(read_object(call.exchange.request.body), PersonChanges)
        changes: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(fields).items()
            if value is not None
        }
        enabled = changes.pop("enabled", None)
        row = await self._people.change(actor, call.name, is_enabled=enabled, **changes)
        self._callers.sessions.clear_cache()
        send(call, describe_person(row))

    async def _disable(self, call: RouteCall) -> None:
        actor = await self._find_actor(call)
        send(call, describe_person(await self._people.disable(actor, call.name)))

    async def _make_link(self, call: RouteCall) -> None:
        actor = await self._find_actor(call)
        body = call.exchange.request.body
        asked = convert(read_object(body), LinkRequest) if body else LinkRequest()
        made = await self._people.make_link(actor, call.name, asked.valid_s or 0.0)
        emailed = asked.email and await self._letters.send(made, call.lang)
        link = write_link(self._pool_url(), made.token)
        send(call, SigninLink(link, made.expires_at, emailed), status=201)


def describe_person(row: PersonRow) -> Person:
    """Returns a person as the API shows it."""
    return Person(
        id=row.person,
        name=row.name,
        email=row.email,
        role=row.role,
        coop=row.coop,
        project=row.project,
        lang=row.lang,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
