"""Operator access: the check of the operator's key, and the errors of the Admin service's parts.

``OperatorInterceptor`` checks every call of the service that comes over gRPC, before the service
sees it; the gateway checks those over HTTP, and makes them with a ``LocalContext``.
The methods of the service are in several classes, one for each subject; ``join_parts`` makes one
servicer of them.
"""

import functools
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc

from entraide.printable import printable
from entraide.v1 import admin_pb2, admin_pb2_grpc
from entraide_scheduler.control.errors import Context, abort
from entraide_scheduler.core.policy import PolicyFault
from entraide_scheduler.store.outage import StoreAway, StoreHalted
from entraide_scheduler.store.space import StorageFull

AUTHOR_MAX = 200
REASON_MAX = 2_000
SERVICE = admin_pb2.DESCRIPTOR.services_by_name["Admin"]
METHODS = SERVICE.methods_by_name

if TYPE_CHECKING:  # generic in gRPC's stubs only
    Handler = grpc.RpcMethodHandler[Any, Any]


class OperatorAccess:
    """Authenticates the operator by one bearer key.

    Args:
        key: the operator's key.
        lang: language of errors for callers that name none.
    """

    def __init__(self, key: str, *, lang: str = "fr") -> None:
        self._key_hash = hashlib.sha256(key.encode()).digest()
        self._lang = lang

    def is_operator(self, authorization: str) -> bool:
        """Whether an ``Authorization`` header has the operator's key."""
        scheme, _, secret = authorization.partition(" ")
        digest = hashlib.sha256(secret.strip().encode("utf-8", "surrogateescape")).digest()
        return scheme.lower() == "bearer" and hmac.compare_digest(digest, self._key_hash)

    async def abort(self, context: Context, code: str, **values: Any) -> NoReturn:
        """Ends the call with an error in the caller's language."""
        await abort(context, code, default_lang=self._lang, **values)

    async def refuse_policy(self, fault: PolicyFault, context: Context) -> NoReturn:
        """Ends the call with ``policy_refused`` and the fault of a policy."""
        values = {**fault.values, "key": fault.key, "fault": fault.fault}
        await self.abort(context, "policy_refused", **values)

    async def check_signature(
        self, author: str, reason: str, context: Context, *, is_required: bool = False
    ) -> None:
        """Ends the call unless author and reason of a change can be recorded.

        Args:
            author: who makes the change.
            reason: why.
            context: context of the call.
            is_required: whether both must have a character.
        """
        for param, text, limit in (("author", author, AUTHOR_MAX), ("reason", reason, REASON_MAX)):
            values: dict[str, str | int] = {"param": param}
            if is_required and not printable(text).strip():
                await self.abort(context, "invalid_request", **values, fault="empty")
            if len(text) > limit:
                values |= {"fault": "too_long", "limit": limit}
                await self.abort(context, "invalid_request", **values)
            if printable(text) != text:
                await self.abort(context, "invalid_request", **values, fault="control_signs")


class OperatorInterceptor(grpc.aio.ServerInterceptor):
    """Ends each call of the Admin service with ``unauthorised`` unless it has the operator's key.

    Calls of other services pass.
    """

    def __init__(self, access: OperatorAccess) -> None:
        self._access = access

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Returns the handler of a call, or one that refuses it."""
        handler = await continuation(handler_call_details)
        if not handler_call_details.method.startswith(f"/{SERVICE.full_name}/"):
            return handler
        sent = dict(handler_call_details.invocation_metadata or ())
        if self._access.is_operator(str(sent.get("authorization", ""))):
            return handler
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    async def _refuse(self, _: bytes, context: Context) -> NoReturn:
        await self._access.abort(context, "unauthorised")


def join_parts(*parts: object) -> admin_pb2_grpc.AdminServicer:
    """Returns a servicer of the Admin service whose methods are those of several objects."""
    methods = {
        name: _refusing_with_store(name, getattr(part, name))
        for part in parts
        for name in vars(type(part))
        if name in METHODS
    }
    assert methods.keys() == set(METHODS), set(METHODS) - methods.keys()
    return cast("admin_pb2_grpc.AdminServicer", SimpleNamespace(**methods))


def _refusing_with_store(name: str, method: Callable[[Any, Context], Awaitable[Any]]) -> Any:
    """Returns a method that ends its call with the store's error if that took no change."""
    if METHODS[name].server_streaming:  # it changes nothing
        return method

    @functools.wraps(method)
    async def answer(request: Any, context: Context) -> Any:
        try:
            return await method(request, context)
        except (StorageFull, StoreAway, StoreHalted) as problem:
            await abort(context, problem.code, retry_after_s=problem.retry_after_s)

    return answer
