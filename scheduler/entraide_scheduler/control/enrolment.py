"""Enrolment service: joining over gRPC, for programs; members' machines join over HTTPS."""

from typing import Any

import msgspec

from entraide.v1 import enrolment_pb2, enrolment_pb2_grpc
from entraide.wire.enrolment import JoinRequest
from entraide_scheduler.control.errors import RemoteContext, abort
from entraide_scheduler.nodes import Enrolment


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServicer):
    """The Enrolment service."""

    def __init__(self, enrolment: Enrolment, lang: str) -> None:
        self._enrolment = enrolment
        self._lang = lang

    async def Join(
        self, request: enrolment_pb2.JoinRequest, context: RemoteContext
    ) -> enrolment_pb2.JoinResponse:
        """Enrols a machine; see ``Enrolment.join``."""
        fields = {field.name: getattr(request, field.name) for field in request.DESCRIPTOR.fields}
        try:
            machine = msgspec.convert(fields, JoinRequest)
        except msgspec.ValidationError as problem:
            detail = str(problem)
            await abort(context, "invalid_request", default_lang=self._lang, detail=detail)
        reply = await self._enrolment.join(machine, _peer_address(context.peer()))
        if reply.response is None:
            values: dict[str, Any] = dict(reply.values)
            wait_s = reply.retry_after_s
            await abort(
                context, reply.code, retry_after_s=wait_s, default_lang=self._lang, **values
            )
        return enrolment_pb2.JoinResponse(**msgspec.to_builtins(reply.response))


def _peer_address(peer: str) -> str:
    """Returns the address in gRPC's name of a peer.

    >>> _peer_address("ipv4:203.0.113.9:4711"), _peer_address("ipv6:%5B2001:db8::1%5D:4711")
    ('203.0.113.9', '2001:db8::1')
    """
    address = peer.partition(":")[2].rpartition(":")[0]
    return address.replace("%5B", "").replace("%5D", "").strip("[]")
