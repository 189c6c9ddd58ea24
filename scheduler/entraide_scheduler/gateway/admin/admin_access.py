"""Admin access: which role may call which method of the Admin service over HTTP, and on what.

The operator calls all. An auditor calls those that only read. A co-op admin calls those of
``OF_COOP``, within the own co-op: the co-op of the request is set, and what the answer says of
others is left out. The calls about people check the role themselves (``people.Actor``).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.message import Message

from entraide.v1 import admin_pb2
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.people import Actor
from entraide_scheduler.store.person_rows import Role

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["Admin"]
# Streams have no form as one JSON document: ``entraide policy`` exports the journal.
METHODS: Mapping[str, Any] = MappingProxyType(
    {method.name: method for method in SERVICE.methods if not method.server_streaming}
)
HANDLER_PREFIX = "admin_"
READING = ("Get", "List", "Plan", "Check")
OF_PEOPLE = frozenset(
    {"ListPeople", "AddPerson", "ChangePerson", "DisablePerson", "MakeSigninLink"}
)
# Methods whose request names a co-op, and those whose answer lists things of co-ops (its field).
IN_COOP = frozenset({"ListKeys", "CreateKey", "GetStatement", "GetStatementPdf"})
LISTING: Mapping[str, str] = MappingProxyType({"ListNodes": "nodes", "ListCoops": "coops"})
OF_KEY = "RevokeKey"
OF_COOP = IN_COOP | LISTING.keys() | {OF_KEY}


def handler_of(method: str) -> str:
    """Returns the name of the handler of a method's path."""
    return HANDLER_PREFIX + method


def check_role(actor: Actor, method: str) -> None:
    """Checks that a role may call a method at all.

    Raises:
        Refused: ``role_refused``.
    """
    if actor.role == Role.OPERATOR or method in OF_PEOPLE:
        return
    if actor.role == Role.AUDITOR and method.startswith(READING):
        return
    if actor.role == Role.COOP_ADMIN and method in OF_COOP:
        return
    raise refused("role_refused")


def restrict_request(actor: Actor, method: str, request: Any) -> None:
    """Sets the co-op of a co-op admin's request, and who makes a person's change.

    Raises:
        Refused: ``role_refused``: the request names another co-op.
    """
    if actor.person and "author" in request.DESCRIPTOR.fields_by_name:
        request.author = actor.person
    if actor.role == Role.COOP_ADMIN and method in IN_COOP:
        if request.coop not in ("", actor.coop):
            raise refused("role_refused")
        request.coop = actor.coop


def restrict_answer(actor: Actor, method: str, answer: Message) -> None:
    """Leaves what belongs to other co-ops out of the answer to a co-op admin."""
    if actor.role != Role.COOP_ADMIN or method not in LISTING:
        return
    listed = getattr(answer, LISTING[method])
    own = [each for each in listed if each.coop == actor.coop]
    del listed[:]
    listed.extend(own)
