"""Codes: which stable error codes each kind of request may be answered with.

``entraide.errors.CODES`` has the status of each code. Codes that only a line of a batch, gRPC, the
operator's commands or a client that has left could see are in no group.
"""

from collections.abc import Iterable, Mapping

from entraide.errors import CODES

# Of any request: malformed, too slow or too large HTTP, or a fault of the pool.
ANY = ("invalid_request", "request_timeout", "body_too_large", "head_too_large", "internal")
# Of any path below /v1 but enrolment.
KEYED = (
    "unauthorised", "not_signed_in", "csrf_refused", "too_many_wrong_keys", "too_many_requests",
    "store_away",
)  # fmt: skip
# Of a person who comes with a one-time link.
SIGN_IN = (
    "invalid_json", "signin_link_unknown", "signin_link_used", "signin_link_expired",
    "csrf_refused", "too_many_signins",
)  # fmt: skip
# Of a change of people.
PEOPLE = ("role_refused", "email_taken")
# Of a call of the Admin service.
ADMIN = (
    "invalid_json", "forbidden", "role_refused", "admin_elsewhere", "already_exists",
    "catalogue_changed", "catalogue_refused", "email_failed", "email_taken", "node_key_revoked",
    "node_live", "people_full", "person_disabled", "placement_refused", "policy_base_unknown",
    "policy_changed", "policy_refused", "policy_unchanged", "storage_full", "unknown_coop",
    "unknown_key", "unknown_node", "unknown_person", "unknown_policy", "operation_busy",
    "series_refused",
)  # fmt: skip
# Of a body that is JSON.
BODY = ("invalid_json", "invalid_request")
# Of a question to the scheduler, which a gateway in another process asks over the bus.
SCHEDULER = ("pool_unreachable",)
# Of a new job, live or kept, before the scheduler has seen it.
NEW_JOB = (*BODY, "deadline_passed", "idempotency_mismatch", "shutting_down", "storage_full")
# Of new kept work.
NEW_KEPT = ("storage_full", "upgrade_trial")
# Of text that must not pass a server.
PLACE = ("place_unknown", "place_outside")
# Of what somebody sent: somebody else's is unknown, and that of another start is closed.
UNKNOWN_JOB = ("unknown_job", "session_new_start")
UNKNOWN_FILE = ("unknown_file", "session_new_start")
UNKNOWN_BATCH = ("unknown_batch", "session_new_start")
NEW_BATCH = (*NEW_KEPT, *UNKNOWN_FILE, "deadline_passed", "batches_full")
# Of a live job: refused by the scheduler, or ended before its answer began.
LIVE_JOB = (
    *NEW_JOB, *SCHEDULER, "answer_not_held", "queue_full", "queue_shapes", "unknown_model",
    "unknown_coop", "feature_unsupported", "context_length_exceeded", "place_unknown",
    "place_outside", "no_node_serves", "no_node_live", "no_model_fits", "model_failed",
    "key_quarantined", "rate_limit_exceeded", "quota_tokens", "quota_requests", "quota_jobs",
    "quota_energy", "quota_carbon", "engine_refused",
    "request_ends_engine", "node_lost", "too_many_attempts", "stream_broken",
    "engine_exited", "engine_failed", "engine_hung", "owner_terms", "gateway_lost",
    "deadline_exceeded", "cancelled",
)  # fmt: skip
# Of a client that comes back to a stream.
RECONNECTION = (*UNKNOWN_JOB, "stream_not_kept", "result_expired", "client_gone")
# Of a machine that joins.
ENROLMENT = (
    *BODY, *SCHEDULER, "join_signature_refused", "join_token_refused", "too_many_joins",
    "node_key_revoked", "node_record_gone", "upgrade_trial", "store_away",
)  # fmt: skip
# Of a request whose path or method the pool does not have.
NO_OPERATION = ("unknown_path", "method_not_allowed")


def by_status(codes: Iterable[str]) -> Mapping[int, list[str]]:
    """Returns codes by HTTP status, both sorted.

    >>> by_status(["unknown_job", "invalid_request", "invalid_json"])
    {400: ['invalid_json', 'invalid_request'], 404: ['unknown_job']}
    """
    grouped: dict[int, list[str]] = {}
    for code in sorted(set(codes), key=lambda code: (CODES[code].http, code)):
        grouped.setdefault(CODES[code].http, []).append(code)
    return grouped
