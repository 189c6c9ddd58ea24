"""Converts a failed gRPC call to an ``EntraideError``, by the pool's stable code, else the status.

The pool sends its stable code as ``reason`` of ``google.rpc.ErrorInfo``, with the job and the
sentence's values as metadata, and the wait in ``google.rpc.RetryInfo``.
"""

from collections.abc import Mapping
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from entraide import i18n
from entraide.errors import EntraideError, error_for

DETAILS_KEY = "grpc-status-details-bin"

# For answers without a code of the pool: from a proxy or another server, or no answer at all.
_BY_STATUS: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.UNAVAILABLE: "pool_unreachable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
    grpc.StatusCode.UNAUTHENTICATED: "unauthorised",
    grpc.StatusCode.PERMISSION_DENIED: "forbidden",
    grpc.StatusCode.CANCELLED: "cancelled",
    grpc.StatusCode.INVALID_ARGUMENT: "invalid_request",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "queue_full",
}

# What the text of a failed call says of the reason, the first that it contains; gRPC has no code.
_FAULTS = (
    ("refused", ("connection refused",)),
    ("host", ("errors resolving", "lookup", "name resolution", "dns resolution")),
    ("certificate", ("certificate", "verification check", "tls handshake", "ssl handshake")),
    ("timeout", ("timed out", "timeout", "handshaker shutdown")),
    ("no_pool", ("failed to connect", "http2 header", "failed parsing")),
)


def fault_of(details: str) -> str:
    """Returns what failed on the way to a pool; see ``PoolUnreachable``.

    >>> fault_of("ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused")
    'refused'
    >>> fault_of("Socket closed")
    'cut'
    """
    text = details.lower()
    return next((name for name, words in _FAULTS if any(word in text for word in words)), "cut")


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def is_from_pool(error: grpc.RpcError) -> bool:
    """Whether the pool itself has sent an error, rather than something on the way."""
    trailing: Any = error.trailing_metadata()
    return any(key == DETAILS_KEY for key, _ in trailing or ())


def error_from_rpc(error: grpc.RpcError, *, address: str, lang: str) -> EntraideError:
    """Returns the exception for a failed call, with a sentence in the caller's language.

    Args:
        error: error of grpc or grpc.aio.
        address: address of the pool, for the sentence.
        lang: language of the sentence where the pool sent none.
    """
    trailing: Any = error.trailing_metadata()  # pairs; the stubs of grpc are wrong here
    for key, raw in trailing or ():
        if key == DETAILS_KEY:
            status = status_pb2.Status.FromString(raw)
            return _from_details(status, error.details() or status.message, lang)
    detail = error.details() or ""
    code = _BY_STATUS.get(error.code(), "internal")
    values = {"address": address, "detail": detail}
    if code == "internal" and fault_of(detail) == "no_pool":
        code = "pool_unreachable"
    if code == "pool_unreachable":
        values["fault"] = fault_of(detail)
    return error_for(code, i18n.error(code, lang, values), values=values)


def _from_details(status: status_pb2.Status, message: str, lang: str) -> EntraideError:
    code, metadata, retry_after_s = "internal", dict[str, str](), None
    for detail in status.details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            code, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    if retry_after_s is None:
        retry_after_s = _number(metadata.get("retry_after_s"))
    return error_for(
        code,
        message or i18n.error(code, lang, metadata),
        job=metadata.pop("job", ""),
        retry_after_s=retry_after_s,
        values=metadata,
    )
