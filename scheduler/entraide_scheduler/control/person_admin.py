"""Person administration: the calls of the Admin service that export or erase a person."""

from collections.abc import AsyncIterator

from msgspec import structs

from entraide.errors import EntraideError
from entraide.v1 import admin_pb2
from entraide_scheduler.control.erasing import Erasing
from entraide_scheduler.control.errors import Context, language
from entraide_scheduler.control.local_calls import LocalContext
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.people import OPERATOR, Actor, People
from entraide_scheduler.person_export import export_person
from entraide_scheduler.store.store import Store


class PersonAdmin:
    """The calls about all that is held of one person.

    Args:
        access: checks the operator's key.
        store: the pool's.
        people: the people of all co-ops.
        erasing: forgets persons.
        lang: language of callers that name none.
    """

    def __init__(
        self,
        *,
        access: OperatorAccess,
        store: Store,
        people: People,
        erasing: Erasing,
        lang: str = "fr",
    ) -> None:
        self._access = access
        self._store = store
        self._people = people
        self._erasing = erasing
        self._lang = lang

    async def ExportPerson(
        self, request: admin_pb2.PersonRequest, context: Context
    ) -> AsyncIterator[admin_pb2.ExportPart]:
        """Sends all that is held of a person but the texts, which only the person reads."""
        try:
            row = await self._people.find(_actor(context), request.person)
        except EntraideError as problem:
            await self._access.abort(context, problem.code, **problem.values)
        lang = language(context, self._lang)
        async for part in export_person(self._store, row.person, lang=lang):
            yield admin_pb2.ExportPart(data=part)

    async def ForgetPerson(
        self, request: admin_pb2.ForgetPersonRequest, context: Context
    ) -> admin_pb2.ForgottenPerson:
        """Erases a person for good; all is erased on return."""
        try:
            forgotten = await self._erasing.forget(
                _actor(context), request.person, list(request.keys)
            )
        except EntraideError as problem:
            await self._access.abort(context, problem.code, **problem.values)
        return admin_pb2.ForgottenPerson(**structs.asdict(forgotten))


def _actor(context: Context) -> Actor:
    return context.actor if isinstance(context, LocalContext) else OPERATOR
