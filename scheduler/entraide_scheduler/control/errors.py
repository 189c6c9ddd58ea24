"""gRPC errors: converts a stable error code to a status with ``google.rpc`` details.

``ErrorInfo`` has the code and the sentence's values, ``RetryInfo`` the wait, and ``BadRequest`` the
invalid field. For a caller that names no language, the sentence is in English, and in the pool's
language in ``LocalizedMessage``.
"""

from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from entraide import i18n
from entraide.errors import CODES, error_for
from entraide_scheduler.control.local_calls import LocalContext

DOMAIN = "entraide"

RemoteContext = grpc.aio.ServicerContext[Any, Any]
Context = RemoteContext | LocalContext


def language(context: Context, default: str = i18n.DEFAULT_LANG) -> i18n.Lang:
    """Returns the caller's language, by its ``accept-language`` metadata."""
    return i18n.lang_of_header(metadata(context).get("accept-language"), i18n.lang_of(default))


def error_languages(context: Context, default: str = i18n.DEFAULT_LANG) -> str:
    """Returns the languages of an error to the caller; see ``entraide.language.error_langs``."""
    return i18n.error_langs(metadata(context).get("accept-language"), i18n.lang_of(default))


def metadata(context: Context) -> dict[str, str]:
    """Returns a call's textual metadata, the last value of each key."""
    pairs = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


async def abort(
    context: Context,
    code: str,
    *,
    job: str = "",
    retry_after_s: float | None = None,
    default_lang: str = i18n.DEFAULT_LANG,
    **values: str | float,
) -> NoReturn:
    """Ends a call with an error; that of a ``LocalContext`` with an exception.

    Args:
        context: context of the call.
        code: stable code; a code that is not in ``CODES`` becomes ``internal``.
        job: identifier of the job, or "".
        retry_after_s: seconds after which the same call may succeed.
        default_lang: the pool's, beside English for callers that name none.
        values: values of the sentence.
    """
    known_code = code if code in CODES else "internal"
    if isinstance(context, LocalContext):
        raise error_for(known_code, job=job, retry_after_s=retry_after_s, values=values)
    lang, *others = error_languages(context, default_lang).split()
    named = values | ({"job": job} if job else {})
    info = error_details_pb2.ErrorInfo(
        reason=known_code,
        domain=DOMAIN,
        metadata={name: str(value) for name, value in values.items()} | {"job": job},
    )
    sentence = i18n.error(known_code, lang, named)
    details: list[Message] = [info]
    for other in others:
        message = i18n.error(known_code, other, named)
        details.append(error_details_pb2.LocalizedMessage(locale=other, message=message))
    if retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if isinstance(field := values.get("param"), str):
        fault = error_details_pb2.BadRequest.FieldViolation(field=field, description=sentence)
        details.append(error_details_pb2.BadRequest(field_violations=[fault]))
    status = status_pb2.Status(
        code=grpc.StatusCode[CODES[known_code].grpc].value[0],
        message=sentence,
        details=[_packed(detail) for detail in details],
    )
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status does not return")


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
