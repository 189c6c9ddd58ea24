"""What each operation of the pool reads of a person: the one table, over HTTP and gRPC.

``test_own_alone.py`` walks it with every role; ``tests/house/test_person_routes.py`` is red while
an operation is missing.
"""

from collections.abc import Mapping
from enum import StrEnum

from entraide.v1 import pool_pb2
from entraide_scheduler.gateway.admin import METHODS


class Reads(StrEnum):
    """What an operation reads of a person."""

    THING = "one thing that somebody sent, by its identifier"
    LIST = "the things that the caller sent"
    SESSION = "the session that asks, and what of the person it may see"
    WORK = "what the caller sends with it, and a file, a stream or a repeated name of the caller"
    COOP = "sums of the caller's co-op"
    PEOPLE = "names, addresses and roles, for those who administer people"
    ADMIN = "what operators, auditors and admins of a co-op administer; nothing that was sent"
    NOTHING = "nothing"


# The refusal of each operation on one thing, for whoever is not its owner.
THINGS: Mapping[tuple[str, str], str] = {
    ("GET", "/v1/jobs/{job}"): "unknown_job",
    ("DELETE", "/v1/jobs/{job}"): "unknown_job",
    ("POST", "/v1/jobs/{job}/cancel"): "unknown_job",
    ("GET", "/v1/jobs/{job}/explanation"): "unknown_job",
    ("GET", "/v1/jobs/{job}/receipt"): "unknown_job",
    ("GET", "/v1/jobs/{job}/stream"): "unknown_job",
    ("GET", "/v1/files/{file}"): "unknown_file",
    ("DELETE", "/v1/files/{file}"): "unknown_file",
    ("GET", "/v1/files/{file}/content"): "unknown_file",
    ("GET", "/v1/batches/{batch}"): "unknown_batch",
    ("POST", "/v1/batches/{batch}/cancel"): "unknown_batch",
    ("DELETE", "/v1/sessions/{session}"): "unknown_session",
    ("POST", "/v1/sessions/{session}/opening"): "unknown_session",
}
LISTS = ("/v1/jobs", "/v1/files", "/v1/batches", "/v1/sessions")
HTTP: Mapping[tuple[str, str], Reads] = {
    **dict.fromkeys(THINGS, Reads.THING),
    **{("GET", path): Reads.LIST for path in LISTS},
    ("GET", "/v1/session"): Reads.SESSION,
    ("POST", "/v1/session"): Reads.SESSION,
    ("PATCH", "/v1/session"): Reads.SESSION,
    ("DELETE", "/v1/session"): Reads.SESSION,
    ("POST", "/v1/session/browser"): Reads.SESSION,
    ("POST", "/v1/session/opening"): Reads.SESSION,
    ("GET", "/v1/session/export"): Reads.LIST,
    ("POST", "/v1/session/email"): Reads.SESSION,
    ("DELETE", "/v1/session/earlier"): Reads.SESSION,
    ("GET", "/v1/oidc/start"): Reads.SESSION,
    ("GET", "/v1/oidc/callback"): Reads.SESSION,
    ("POST", "/v1/chat/completions"): Reads.WORK,
    ("POST", "/v1/completions"): Reads.WORK,
    ("POST", "/v1/embeddings"): Reads.WORK,
    ("POST", "/v1/responses"): Reads.WORK,
    ("POST", "/v1/messages"): Reads.WORK,
    ("POST", "/v1/messages/count_tokens"): Reads.WORK,
    ("POST", "/v1/jobs"): Reads.WORK,
    ("POST", "/v1/files"): Reads.WORK,
    ("POST", "/v1/batches"): Reads.WORK,
    ("GET", "/v1/coop"): Reads.COOP,
    ("GET", "/v1/statement"): Reads.COOP,
    ("GET", "/v1/machines"): Reads.COOP,
    ("GET", "/v1/people"): Reads.PEOPLE,
    ("POST", "/v1/people"): Reads.PEOPLE,
    ("PATCH", "/v1/people/{person}"): Reads.PEOPLE,
    ("DELETE", "/v1/people/{person}"): Reads.PEOPLE,
    ("POST", "/v1/people/{person}/link"): Reads.PEOPLE,
    **{("POST", f"/v1/admin/{method}"): Reads.ADMIN for method in METHODS},
    ("GET", "/"): Reads.NOTHING,
    ("GET", "/assets/{file}"): Reads.NOTHING,
    ("GET", "/status.json"): Reads.NOTHING,
    ("GET", "/.well-known/entraide"): Reads.NOTHING,
    ("GET", "/openapi.json"): Reads.NOTHING,
    ("GET", "/healthz"): Reads.NOTHING,
    ("GET", "/readyz"): Reads.NOTHING,
    ("GET", "/metrics"): Reads.NOTHING,
    ("GET", "/v1/models"): Reads.NOTHING,
    ("GET", "/v1/models/{model}"): Reads.NOTHING,
    ("GET", "/v1/pool"): Reads.NOTHING,
    ("GET", "/v1/pool/events"): Reads.NOTHING,
    ("GET", "/v1/grid"): Reads.NOTHING,
    ("GET", "/v1/signin"): Reads.NOTHING,
    ("POST", "/v1/signin/email"): Reads.NOTHING,
    ("GET", "/node/statement"): Reads.NOTHING,
    ("GET", "/weights/{sha256}"): Reads.NOTHING,
    ("POST", "/v1/enrolment"): Reads.NOTHING,
    ("GET", "/install"): Reads.NOTHING,
    ("GET", "/install.sh"): Reads.NOTHING,
    ("GET", "/install/wheels/{file}"): Reads.NOTHING,
}
GRPC: Mapping[str, Reads] = {
    "Get": Reads.THING,
    "Cancel": Reads.THING,
    "Explain": Reads.THING,
    "Reconnect": Reads.THING,
    "ListJobs": Reads.LIST,
    "Stream": Reads.WORK,
    "Submit": Reads.WORK,
    "ListModels": Reads.NOTHING,
}
POOL_METHODS = tuple(pool_pb2.DESCRIPTOR.services_by_name["Pool"].methods_by_name)
