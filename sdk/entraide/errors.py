"""Errors: one tree, one table of stable codes.

    EntraideError
    ├── RequestError        the caller must change something
    │   ├── AuthenticationError
    │   ├── NotFoundError
    │   └── QuotaError      has ``retry_after_s``
    ├── PoolError           the pool failed
    │   └── AnswerLost      it no longer has the answer that it had begun
    └── PoolUnreachable     the network between caller and pool failed
        └── ConnectionCut  in the middle of an answer, and did not come back

``CODES`` has each code once, with its HTTP status, its gRPC status and whether trying again may
help. The sentence that a person reads is in the message catalogue under ``error-CODE``. Expected
refusals are passed as codes (values); exceptions are raised to callers only.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct


class CodeFacts(Struct, frozen=True):
    """How the protocols represent a stable code.

    Attributes:
        http: HTTP status.
        grpc: name of the canonical gRPC status.
        kind: OpenAI's error ``type``.
        retryable: whether the same request may succeed later, unchanged.
    """

    http: int
    grpc: str
    kind: str
    retryable: bool


def _request(http: int, grpc: str, *, retryable: bool = False) -> CodeFacts:
    return CodeFacts(http, grpc, "invalid_request_error", retryable)


def _pool(http: int, grpc: str, *, retryable: bool = True) -> CodeFacts:
    return CodeFacts(http, grpc, "server_error", retryable)


def _quota() -> CodeFacts:
    return CodeFacts(429, "RESOURCE_EXHAUSTED", "insufficient_quota", retryable=True)


CODES: Mapping[str, CodeFacts] = MappingProxyType(
    {
        # Errors of the caller.
        "invalid_json": _request(400, "INVALID_ARGUMENT"),
        "invalid_request": _request(400, "INVALID_ARGUMENT"),
        "engine_refused": _request(400, "INVALID_ARGUMENT"),
        "feature_unsupported": _request(400, "INVALID_ARGUMENT"),
        "context_length_exceeded": _request(400, "INVALID_ARGUMENT"),
        "request_ends_engine": _request(422, "INVALID_ARGUMENT"),
        "deadline_passed": _request(400, "INVALID_ARGUMENT"),
        "unauthorised": CodeFacts(401, "UNAUTHENTICATED", "authentication_error", False),
        "not_signed_in": CodeFacts(401, "UNAUTHENTICATED", "authentication_error", False),
        "signin_link_unknown": CodeFacts(401, "UNAUTHENTICATED", "authentication_error", False),
        "signin_link_used": CodeFacts(401, "UNAUTHENTICATED", "authentication_error", False),
        "signin_link_expired": CodeFacts(401, "UNAUTHENTICATED", "authentication_error", False),
        "oidc_refused": CodeFacts(401, "UNAUTHENTICATED", "authentication_error", False),
        "oidc_person_unknown": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "csrf_refused": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "role_refused": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "session_new_start": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "forbidden": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "statement_of_another": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "key_quarantined": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "unknown_model": _request(404, "NOT_FOUND"),
        "unknown_job": _request(404, "NOT_FOUND"),
        "unknown_file": _request(404, "NOT_FOUND"),
        "unknown_batch": _request(404, "NOT_FOUND"),
        "unknown_path": _request(404, "NOT_FOUND"),
        "unknown_node": _request(404, "NOT_FOUND"),
        "unknown_coop": _request(404, "NOT_FOUND"),
        "unknown_key": _request(404, "NOT_FOUND"),
        "unknown_person": _request(404, "NOT_FOUND"),
        "unknown_session": _request(404, "NOT_FOUND"),
        "unknown_policy": _request(404, "NOT_FOUND"),
        "journal_absent": _request(404, "NOT_FOUND"),
        "method_not_allowed": _request(405, "UNIMPLEMENTED"),
        "node_key_revoked": _request(409, "FAILED_PRECONDITION"),
        "node_record_gone": _request(409, "FAILED_PRECONDITION"),
        "already_exists": _request(409, "ALREADY_EXISTS"),
        "idempotency_mismatch": _request(409, "ALREADY_EXISTS"),
        "answer_not_held": _request(409, "ALREADY_EXISTS"),
        "email_taken": _request(409, "ALREADY_EXISTS"),
        "email_unproven": _request(409, "FAILED_PRECONDITION"),
        "person_disabled": _request(409, "FAILED_PRECONDITION"),
        "people_full": _request(409, "FAILED_PRECONDITION"),
        "placement_refused": _request(409, "FAILED_PRECONDITION"),
        "job_ended": _request(409, "FAILED_PRECONDITION"),
        "batch_ended": _request(409, "FAILED_PRECONDITION"),
        "file_in_use": _request(409, "FAILED_PRECONDITION"),
        "not_ready": _request(409, "FAILED_PRECONDITION", retryable=True),
        "result_expired": _request(410, "NOT_FOUND"),
        "stream_taken_over": _request(409, "ABORTED"),
        "stream_not_kept": _request(409, "FAILED_PRECONDITION"),
        "receipts_absent": _request(404, "NOT_FOUND"),
        "receipt_keys_unreadable": _request(400, "INVALID_ARGUMENT"),
        "file_unreadable": _request(400, "INVALID_ARGUMENT"),
        "receipt_keys_full": _request(409, "FAILED_PRECONDITION"),
        "policy_refused": _request(400, "INVALID_ARGUMENT"),
        "policy_changed": _request(409, "ABORTED"),
        "policy_base_unknown": _request(400, "FAILED_PRECONDITION"),
        "policy_unchanged": _request(409, "FAILED_PRECONDITION"),
        "series_refused": _request(400, "INVALID_ARGUMENT"),
        "scenario_refused": _request(400, "INVALID_ARGUMENT"),
        "plan_refused": _request(400, "INVALID_ARGUMENT"),
        "seeds_refused": _request(400, "INVALID_ARGUMENT"),
        "catalogue_refused": _request(400, "INVALID_ARGUMENT"),
        "catalogue_changed": _request(409, "ABORTED", retryable=True),
        "operation_busy": _request(409, "FAILED_PRECONDITION", retryable=True),
        "pin_failed": _request(400, "FAILED_PRECONDITION"),
        "body_too_large": _request(413, "INVALID_ARGUMENT"),
        "head_too_large": _request(431, "INVALID_ARGUMENT"),
        "request_timeout": _request(408, "DEADLINE_EXCEEDED", retryable=True),
        "too_many_wrong_keys": CodeFacts(429, "UNAUTHENTICATED", "authentication_error", False),
        "join_token_refused": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "join_signature_refused": CodeFacts(403, "PERMISSION_DENIED", "permission_error", False),
        "too_many_joins": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        "too_many_signins": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        "node_live": _request(409, "FAILED_PRECONDITION"),
        # Quotas and queues.
        "rate_limit_exceeded": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        "quota_tokens": _quota(),
        "quota_requests": _quota(),
        "quota_jobs": _quota(),
        "quota_energy": _quota(),
        "quota_carbon": _quota(),
        "too_many_requests": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        "files_full": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", False),
        "batches_full": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        "queue_full": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        "queue_shapes": CodeFacts(429, "RESOURCE_EXHAUSTED", "rate_limit_error", True),
        # Errors of the pool.
        "admin_elsewhere": _pool(503, "UNAVAILABLE", retryable=False),
        "oidc_unreachable": _pool(502, "UNAVAILABLE"),
        "email_failed": _pool(502, "UNAVAILABLE"),
        "place_unknown": _pool(503, "FAILED_PRECONDITION", retryable=False),
        "place_outside": _pool(503, "FAILED_PRECONDITION", retryable=False),
        "no_node_serves": _pool(503, "FAILED_PRECONDITION", retryable=False),
        "no_node_live": _pool(503, "UNAVAILABLE"),
        "waited_too_long": _pool(503, "UNAVAILABLE"),
        "no_model_fits": _pool(503, "FAILED_PRECONDITION", retryable=False),
        "model_failed": _pool(503, "UNAVAILABLE"),
        "node_lost": _pool(502, "UNAVAILABLE"),
        "too_many_attempts": _pool(502, "UNAVAILABLE"),
        "stream_broken": _pool(502, "UNAVAILABLE"),
        "engine_exited": _pool(502, "UNAVAILABLE"),
        "engine_failed": _pool(502, "UNAVAILABLE"),
        "engine_hung": _pool(502, "UNAVAILABLE"),
        "owner_terms": _pool(503, "UNAVAILABLE"),
        "gateway_lost": _pool(502, "UNAVAILABLE"),
        "storage_full": _pool(507, "RESOURCE_EXHAUSTED"),
        "store_away": _pool(503, "UNAVAILABLE"),
        "clock_far": _pool(503, "UNAVAILABLE"),
        "deadline_exceeded": _pool(504, "DEADLINE_EXCEEDED"),
        "batch_expired": _pool(504, "DEADLINE_EXCEEDED"),
        "batch_cancelled": CodeFacts(499, "CANCELLED", "cancelled", True),
        "pool_unreachable": _pool(503, "UNAVAILABLE"),
        "connection_cut": _pool(502, "UNAVAILABLE"),
        "shutting_down": _pool(503, "UNAVAILABLE"),
        "upgrade_trial": _pool(503, "UNAVAILABLE"),
        "cancelled": CodeFacts(499, "CANCELLED", "cancelled", True),
        "client_gone": CodeFacts(499, "CANCELLED", "cancelled", True),
        "client_too_slow": CodeFacts(499, "CANCELLED", "cancelled", True),
        # Errors of starting a process, printed on a terminal.
        "already_running": _request(409, "FAILED_PRECONDITION"),
        "file_unwritable": _request(400, "FAILED_PRECONDITION"),
        "pdf_unavailable": _pool(501, "UNIMPLEMENTED", retryable=False),
        "up_failed": _pool(500, "INTERNAL", retryable=False),
        "internal": _pool(500, "INTERNAL", retryable=False),
    }
)


class EntraideError(Exception):
    """Root of all errors that Entraide raises to its callers.

    Attributes:
        code: stable code, a key of ``CODES``.
        message: a sentence in the caller's language.
        job: identifier of the job, or "" when there is none yet.
        retry_after_s: when to try again, if known.
        values: the numbers and names behind the sentence.
        text: what had come of a streamed answer; ``go_on`` of the clients goes on from there.
        request: the request of a chat, as it was sent; None for any other call.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        job: str = "",
        retry_after_s: float | None = None,
        values: Mapping[str, str | int | float] | None = None,
    ) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.job = job
        self.retry_after_s = retry_after_s
        self.values = dict(values or {})
        self.text = ""
        self.request: Any = None

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later, unchanged."""
        return CODES[self.code].retryable if self.code in CODES else False


class RequestError(EntraideError):
    """The caller must change something."""


class AuthenticationError(RequestError):
    """The key is missing, wrong or revoked, or may not do this."""


class NotFoundError(RequestError):
    """The requested object does not exist, or belongs to another caller."""


class QuotaError(RequestError):
    """A quota or a queue is full; ``retry_after_s`` says when to try again."""


class PoolError(EntraideError):
    """The pool failed to serve the request."""


class AnswerLost(PoolError):
    """The pool no longer has the answer: its gateway has stopped, or the client came too late."""


class PoolUnreachable(EntraideError):
    """The pool could not be reached; ``values["fault"]`` says what failed.

    ``refused`` (connection refused), ``host`` (the name is unknown), ``certificate`` (TLS),
    ``timeout``, ``cut`` (the connection broke before an answer) or ``no_pool`` (something else
    answered).
    """


class ConnectionCut(PoolUnreachable):
    """The connection broke in the middle of an answer, and did not come back."""


_KINDS: Mapping[str, type[EntraideError]] = MappingProxyType(
    {
        "pool_unreachable": PoolUnreachable,
        "connection_cut": ConnectionCut,
        "gateway_lost": AnswerLost,
    }
)


def error_for(
    code: str,
    message: str = "",
    *,
    job: str = "",
    retry_after_s: float | None = None,
    values: Mapping[str, str | int | float] | None = None,
) -> EntraideError:
    """Returns the exception of a stable code; an unknown code gives a ``PoolError``."""
    facts = CODES.get(code)
    kind: type[EntraideError]
    if facts is None or facts.http >= 500 or facts.http == 499:
        kind = _KINDS.get(code, PoolError)
    elif facts.http in (401, 403):
        kind = AuthenticationError
    elif facts.http in (404, 410):
        kind = NotFoundError
    elif facts.http == 429:
        kind = QuotaError
    else:
        kind = RequestError
    return kind(code, message, job=job, retry_after_s=retry_after_s, values=values)
