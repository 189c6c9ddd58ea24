"""Admin routes: the Admin service over HTTP, for pages and for the operator's key.

``POST /v1/admin/METHOD`` takes and returns the messages of the method in protobuf's JSON mapping.
There is one handler for all methods; it calls the servicer that gRPC calls, too.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from entraide.v1 import admin_pb2, admin_pb2_grpc
from entraide_scheduler.control.local_calls import LocalContext
from entraide_scheduler.gateway.admin.admin_access import (
    METHODS,
    OF_KEY,
    check_role,
    handler_of,
    restrict_answer,
    restrict_request,
)
from entraide_scheduler.gateway.http import HttpRequest, RouteCall, RouteHandler
from entraide_scheduler.gateway.refusals import clean_text, read_object, refused
from entraide_scheduler.gateway.signin import NO_STORE, Callers
from entraide_scheduler.people import OPERATOR, Actor
from entraide_scheduler.store.person_rows import Role

PREFIX = "/v1/admin/"
ADMIN_PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {f"{PREFIX}{method}": {"POST": handler_of(method)} for method in METHODS}
)
DETAIL_MAX_CHARS = 200


class AdminRoutes:
    """Handles the calls of the Admin service, once it is attached.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._servicer: admin_pb2_grpc.AdminServicer | None = None
        self._has_operator_key: Callable[[str], bool] = lambda _authorization: False
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {handler_of(method): partial(self._call, method) for method in METHODS}
        )

    def attach(
        self,
        servicer: admin_pb2_grpc.AdminServicer,
        has_operator_key: Callable[[str], bool],
    ) -> None:
        """Serves the scheduler's Admin service, which is in the same process.

        Args:
            servicer: the service.
            has_operator_key: whether an ``Authorization`` header has the operator's key.
        """
        self._servicer = servicer
        self._has_operator_key = has_operator_key

    def is_operator(self, request: HttpRequest) -> bool:
        """Whether a request for the Admin service has the operator's key."""
        return request.path.startswith(PREFIX) and self._has_operator_key(
            request.headers.get("authorization", "")
        )

    async def _call(self, method: str, call: RouteCall) -> None:
        actor = await self._find_actor(call.exchange.request)
        check_role(actor, method)
        if self._servicer is None:
            raise refused("admin_elsewhere")
        request = read_message(METHODS[method].input_type, call.exchange.request.body)
        restrict_request(actor, method, request)
        context = LocalContext(actor, call.lang)
        if method == OF_KEY and actor.role == Role.COOP_ADMIN:
            await self._check_key(request.key, context)
        answer = await getattr(self._servicer, method)(request, context)
        restrict_answer(actor, method, answer)
        if not call.exchange.is_over:
            call.exchange.respond(200, write_message(answer), headers=[NO_STORE])

    async def _find_actor(self, request: HttpRequest) -> Actor:
        if self.is_operator(request):
            return OPERATOR
        if request.headers.get("authorization"):
            raise refused("forbidden")  # an API key: no role
        return (await self._callers.find_signed_in(request)).actor

    async def _check_key(self, key: str, context: LocalContext) -> None:
        """Refuses the key of another co-op as unknown."""
        assert self._servicer is not None
        asked = admin_pb2.ListKeysRequest(coop=context.actor.coop)
        listed: Any = await self._servicer.ListKeys(asked, context)  # type: ignore[misc,arg-type]
        if key not in {each.key for each in listed.keys}:
            raise refused("unknown_key", key=clean_text(key))


def read_message(kind: Any, body: bytes) -> Any:
    """Returns the message of a request in protobuf's JSON mapping; no body is an empty message.

    Raises:
        Refused: ``invalid_json`` or ``invalid_request``.
    """
    message = GetMessageClass(kind)()
    try:
        return json_format.ParseDict(read_object(body) if body else {}, message)
    except (json_format.ParseError, ValueError, TypeError, OverflowError) as problem:
        detail = clean_text(str(problem), DETAIL_MAX_CHARS)
        raise refused("invalid_request", detail=detail) from None


def write_message(message: Any) -> bytes:
    """Returns a message in protobuf's JSON mapping, with the fields that are not set."""
    fields = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
