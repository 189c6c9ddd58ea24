"""Refusals: errors of a gateway as values, and their HTTP status, headers, sentence and body.

The body has OpenAI's error format. Sentences come from the locale files, statuses from
``entraide.errors.CODES``.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide import i18n
from entraide.errors import CODES, EntraideError
from entraide.models import ENGINE_OPTIONS
from entraide.printable import printable
from entraide.wire.cards import QuotaLeft

# The parameter of a chat that an error concerns, if the error does not name one itself.
PARAMS: Mapping[str, str] = MappingProxyType(
    {
        "answer_not_held": "Idempotency-Key",
        "context_length_exceeded": "messages",
        "feature_unsupported": "model",
        "idempotency_mismatch": "Idempotency-Key",
        "job_ended": "job",
        "no_model_fits": "model",
        "no_node_live": "model",
        "no_node_serves": "model",
        "not_ready": "job",
        "result_expired": "job",
        "statement_of_another": "coop",
        "unknown_job": "job",
        "unknown_model": "model",
    }
)
# The parameter of a feature that no machine has.
FEATURE_PARAMS: Mapping[str, str] = MappingProxyType(
    {
        "images": "messages",
        "schema": "response_format",
        "tools": "tools",
        **{name: name for name in ENGINE_OPTIONS},
    }
)

# Time to wait after an error whose cause ends by itself, seconds, unless the error has its own: a
# gateway drains, ends and starts again, machines come back. Without one, OpenAI's and Anthropic's
# clients ask twice within 2 s, and give up.
RETRY_AFTER_S: Mapping[str, float] = MappingProxyType({"no_node_live": 10.0, "shutting_down": 10.0})

Values = Mapping[str, str | int | float]
NO_VALUES: Values = {}
NAME_SHOWN_MAX_CHARS = 60
_ONE_LINE = str.maketrans("\n\t\u2028\u2029", "    ")


class ErrorReply(Struct, frozen=True):
    """An error to send to a client.

    Attributes:
        code: stable code, a key of ``CODES``; any other becomes ``internal``.
        values: values of the sentence.
        retry_after_s: seconds after which to retry, if known.
        job: identifier of the job, or "".
        quotas: what the quotas leave to the sender, if the core has said it.
    """

    code: str
    values: Values = NO_VALUES
    retry_after_s: float | None = None
    job: str = ""
    quotas: tuple[QuotaLeft, ...] = ()

    @property
    def known_code(self) -> str:
        """The code, or ``internal`` if it is not in ``CODES``."""
        return self.code if self.code in CODES else "internal"


class Refused(Exception):
    """Raised to end a request with an error; the protocol's handler sends it."""

    def __init__(self, refusal: ErrorReply) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def reply_of(problem: Refused | EntraideError) -> ErrorReply:
    """Returns the error to send for an exception."""
    if isinstance(problem, Refused):
        return problem.refusal
    return ErrorReply(problem.code, problem.values, problem.retry_after_s, problem.job)


def refused(code: str, *, job: str = "", **values: str | float) -> Refused:
    """Returns the exception for an error."""
    return Refused(ErrorReply(code, values, job=job))


def clean_text(text: str, limit: int = NAME_SHOWN_MAX_CHARS) -> str:
    r"""Returns a client's text for a sentence: shortened, and without control characters.

    >>> clean_text("a\x1b[31mb" + "c" * 9, limit=8)
    'a[31mbc…'
    """
    excerpt = printable(text[:limit]).translate(_ONE_LINE)
    return excerpt + "…" if len(text) > limit else excerpt


def http_status(refusal: ErrorReply) -> int:
    """Returns the HTTP status of an error."""
    return CODES[refusal.known_code].http


def error_sentence(refusal: ErrorReply, lang: str) -> str:
    """Returns the sentence of an error."""
    named = {"job": refusal.job} if refusal.job else {}
    return i18n.error(refusal.known_code, lang, {**refusal.values, **named})


def error_messages(refusal: ErrorReply, langs: str) -> dict[str, str]:
    """Returns the sentences of an error by field: ``message``, then ``message_fr`` beside it.

    Args:
        refusal: the error.
        langs: languages, separated by spaces; see ``entraide.language.error_langs``.
    """
    first, *others = langs.split()
    beside = {f"message_{lang}": error_sentence(refusal, lang) for lang in others}
    return {"message": error_sentence(refusal, first), **beside}


def find_param(refusal: ErrorReply) -> str | None:
    """Returns the parameter of the request that an error concerns, or None."""
    values, code = refusal.values, refusal.known_code
    if "param" in values:
        return str(values["param"])
    if code == "already_exists":
        return str(values["name"]) if "name" in values else None
    if code == "feature_unsupported":
        return FEATURE_PARAMS.get(str(values.get("features")), PARAMS[code])
    return PARAMS.get(code)


def rename_param(refusal: ErrorReply, names: Mapping[str, str]) -> ErrorReply:
    """Returns an error that names its parameter as an endpoint does (``endpoints.NAMES``)."""
    param = find_param(refusal)
    if param is None or param not in names:
        return refusal
    return replace(refusal, values={**refusal.values, "param": names[param]})


def error_body(refusal: ErrorReply, langs: str) -> bytes:
    """Returns an error as JSON in OpenAI's format; ``langs`` as in ``error_messages``."""
    return msgspec.json.encode({"error": error_fields(refusal, langs)})


def error_fields(refusal: ErrorReply, langs: str) -> dict[str, object]:
    """Returns an error as OpenAI's format describes it; ``langs`` as in ``error_messages``."""
    facts = CODES[refusal.known_code]
    error: dict[str, object] = {
        **error_messages(refusal, langs),
        "type": facts.kind,
        "param": find_param(refusal),
        "code": refusal.known_code,
    }
    if refusal.job:
        error["job"] = refusal.job
    if path := explanation_path(refusal):
        error["explanation"] = path
    return error


def explanation_path(refusal: ErrorReply) -> str:
    """Returns where the explanation of a request that waited too long is read; "" for others."""
    is_explained = refusal.job and _has_waited(refusal)
    return f"/v1/jobs/{refusal.job}/explanation" if is_explained else ""


def _has_waited(refusal: ErrorReply) -> bool:
    """Whether a request waited for as long as it may, for a machine or for a quota."""
    return refusal.known_code == "waited_too_long" or "waited_s" in refusal.values


def quota_headers(quotas: Iterable[QuotaLeft]) -> list[tuple[str, str]]:
    """Returns OpenAI's headers for what the quotas of requests and tokens leave."""
    header_list = []
    for quota in quotas:
        header_list += [
            (f"x-ratelimit-limit-{quota.kind}", str(quota.limit)),
            (f"x-ratelimit-remaining-{quota.kind}", str(quota.left)),
            (f"x-ratelimit-reset-{quota.kind}", format_duration(quota.reset_s)),
        ]
    return header_list


def format_duration(seconds: float) -> str:
    """Returns a time as OpenAI's headers write it, to the next whole second.

    >>> format_duration(0.2), format_duration(360.0), format_duration(90_061.0)
    ('1s', '6m0s', '25h1m1s')
    """
    minutes, rest_s = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest_s}s"
    return f"{minutes}m{rest_s}s" if minutes else f"{rest_s}s"


def is_retried(status: int) -> bool:
    """Whether OpenAI's and Anthropic's clients repeat a request by themselves after a status."""
    return status in (408, 409, 429) or status >= 500


def _may_pass(refusal: ErrorReply) -> bool:
    """Whether trying again at once helps.

    It does not if a request exceeds a whole quota, or has waited as long as it may: clients would
    wait as long again, twice.
    """
    if _has_waited(refusal):
        return False
    return refusal.retry_after_s is not None or not refusal.known_code.startswith("quota_")


def error_headers(refusal: ErrorReply) -> list[tuple[str, str]]:
    """Returns the headers of an error, among them ``Retry-After`` in whole seconds."""
    header_list = [("x-request-id", refusal.job)] if refusal.job else []
    header_list += quota_headers(refusal.quotas)
    wait_s = refusal.retry_after_s
    if wait_s is None:
        wait_s = RETRY_AFTER_S.get(refusal.known_code)
    if wait_s is not None:
        header_list.append(("retry-after", str(max(1, math.ceil(wait_s)))))
    facts = CODES[refusal.known_code]
    if is_retried(facts.http) and not (facts.retryable and _may_pass(refusal)):
        header_list.append(("x-should-retry", "false"))
    if "allow" in refusal.values:  # RFC 9110, 15.5.6
        header_list.append(("allow", str(refusal.values["allow"])))
    if refusal.known_code == "unauthorised":
        header_list.append(("www-authenticate", "Bearer"))
    return header_list
