"""People administration: the Admin service's calls about who signs in at the pool's pages."""

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from entraide.errors import EntraideError
from entraide.v1 import admin_pb2
from entraide_scheduler.control.errors import Context, language
from entraide_scheduler.control.local_calls import LocalContext
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.people import OPERATOR, Actor, MadeLink, People, write_link
from entraide_scheduler.store.person_rows import PersonRow

CHANGEABLE = ("name", "email", "role", "project", "lang")
SendLetter = Callable[[MadeLink, str], Awaitable[bool]]


class PeopleAdmin:
    """The calls about people.

    Args:
        access: checks the operator's key.
        people: the people of all co-ops.
        pool_url: returns the address at which browsers reach the pool.
        send_letter: sends a link by e-mail; returns False if it cannot.
        lang: language of callers that name none.
    """

    def __init__(
        self,
        *,
        access: OperatorAccess,
        people: People,
        pool_url: Callable[[], str],
        send_letter: SendLetter,
        lang: str = "fr",
    ) -> None:
        self._access = access
        self._people = people
        self._pool_url = pool_url
        self._send_letter = send_letter
        self._lang = lang

    async def ListPeople(
        self, request: admin_pb2.ListPeopleRequest, context: Context
    ) -> admin_pb2.ListPeopleResponse:
        """Lists the people of a co-op, or all."""
        try:
            rows = await self._people.list_people(_actor(context), request.coop)
        except EntraideError as problem:
            await self._refuse(context, problem)
        return admin_pb2.ListPeopleResponse(people=map(person_message, rows))

    async def AddPerson(
        self, request: admin_pb2.AddPersonRequest, context: Context
    ) -> admin_pb2.Person:
        """Adds a person."""
        fields = {name: getattr(request, name) for name in ("coop", *CHANGEABLE)}
        return await self._answer(context, self._people.add(_actor(context), **fields))

    async def ChangePerson(
        self, request: admin_pb2.ChangePersonRequest, context: Context
    ) -> admin_pb2.Person:
        """Changes what is set, or lets a disabled person in again."""
        changes: dict[str, Any] = {
            field.name: value for field, value in request.ListFields() if field.name in CHANGEABLE
        }
        enabled = request.enabled if request.HasField("enabled") else None
        change = self._people.change(_actor(context), request.person, is_enabled=enabled, **changes)
        return await self._answer(context, change)

    async def DisablePerson(
        self, request: admin_pb2.PersonRequest, context: Context
    ) -> admin_pb2.Person:
        """Ends a person's access at once."""
        return await self._answer(context, self._people.disable(_actor(context), request.person))

    async def MakeSigninLink(
        self, request: admin_pb2.MakeSigninLinkRequest, context: Context
    ) -> admin_pb2.SigninLink:
        """Makes a one-time link; the token is returned only here, and its hash is stored."""
        lang = language(context, self._lang)
        try:
            made = await self._people.make_link(_actor(context), request.person, request.valid_s)
            emailed = request.email and await self._send_letter(made, lang)
        except EntraideError as problem:
            await self._refuse(context, problem)
        return admin_pb2.SigninLink(
            link=write_link(self._pool_url(), made.token),
            expires_at=made.expires_at,
            emailed=emailed,
        )

    async def _answer(self, context: Context, done: Awaitable[PersonRow]) -> admin_pb2.Person:
        try:
            return person_message(await done)
        except EntraideError as problem:
            await self._refuse(context, problem)

    async def _refuse(self, context: Context, problem: EntraideError) -> NoReturn:
        await self._access.abort(context, problem.code, **problem.values)


def person_message(row: PersonRow) -> admin_pb2.Person:
    """Returns a person's message."""
    return admin_pb2.Person(
        person=row.person,
        coop=row.coop,
        name=row.name,
        email=row.email,
        role=row.role,
        project=row.project,
        lang=row.lang,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _actor(context: Context) -> Actor:
    return context.actor if isinstance(context, LocalContext) else OPERATOR
