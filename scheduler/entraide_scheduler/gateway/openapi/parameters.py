"""Parameters: those of paths and queries, request headers, and the headers of answers."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from entraide_scheduler.gateway.api import EVENT_ID, JOBS_MAX, LAST_EVENT_ID
from entraide_scheduler.gateway.batches import BATCHES_MAX, FILES_MAX, ORDERS
from entraide_scheduler.gateway.jobs import OPTIONS
from entraide_scheduler.gateway.openapi.operations import Operation
from entraide_scheduler.gateway.openapi.schemas import build_option_schemas
from entraide_scheduler.gateway.openapi.texts import find_text

MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
RANGE = r"^bytes=[0-9]{1,15}-([0-9]{1,15})?$"
QUOTA_KINDS = ("requests", "tokens")


def _limit(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


TEXT: Mapping[str, Any] = MappingProxyType({"type": "string"})

# Of each name: the name in the query, and the schema.
QUERY: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "limit_jobs": ("limit", _limit(JOBS_MAX)),
        "limit_files": ("limit", _limit(FILES_MAX)),
        "limit_batches": ("limit", _limit(BATCHES_MAX)),
        "after": ("after", TEXT),
        "order": ("order", {"enum": list(ORDERS)}),
        "purpose": ("purpose", TEXT),
        "month": ("month", {"type": "string", "pattern": MONTH}),
        "coop": ("coop", TEXT),
        "code": ("code", TEXT),
        "state": ("state", TEXT),
        "lang": ("lang", TEXT),
        "erase": ("erase", {"type": "boolean"}),
    }
)
PLACEHOLDERS = ("job", "model", "sha256", "file", "batch", "session", "person")
REQUEST_HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "range": ("Range", {"type": "string", "pattern": RANGE}),
        "last_event_id": (LAST_EVENT_ID, {"type": "string", "pattern": EVENT_ID}),
    }
)
RATE_LIMIT_HEADERS = tuple(
    f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset") for kind in QUOTA_KINDS
)
INTEGER: Mapping[str, Any] = MappingProxyType({"type": "integer", "minimum": 0})

# The headers of answers, with their schemas.
RESPONSE_HEADERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "x-request-id": TEXT,
        **{name: TEXT if "-reset-" in name else INTEGER for name in RATE_LIMIT_HEADERS},
        "retry-after": {"type": "integer", "minimum": 1},
        "x-should-retry": {"enum": ["false"]},
        "location": TEXT,
        "content-range": TEXT,
        "accept-ranges": {"enum": ["bytes"]},
        "www-authenticate": TEXT,
        "set-cookie": TEXT,
    }
)


def list_parameters(pattern: str, operation: Operation) -> list[dict[str, Any]]:
    """Returns the parameters of an operation at a path."""
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": find_text("parameters", name),
            "schema": {"type": "string"},
        }
        for name in PLACEHOLDERS
        if f"{{{name}}}" in pattern
    ]
    for place, table, names in (
        ("query", QUERY, operation.query),
        ("header", REQUEST_HEADERS, operation.headers),
    ):
        parameters += [
            {
                "name": table[name][0],
                "in": place,
                "description": find_text("parameters", name),
                "schema": dict(table[name][1]),
            }
            for name in names
        ]
    parameters += [
        {"$ref": f"#/components/parameters/{option.name}"}
        for option in OPTIONS
        if option.name in operation.options
    ]
    return [*parameters, {"$ref": "#/components/parameters/accept_language"}]


def build_parameters() -> dict[str, Any]:
    """Returns the parameters that several operations share, by name."""
    schemas = build_option_schemas()
    options = {
        option.name: {
            "name": option.header,
            "in": "header",
            "description": find_text("PoolFields", option.name),
            "schema": schemas[option.name],
        }
        for option in OPTIONS
    }
    language = {
        "name": "Accept-Language",
        "in": "header",
        "description": find_text("parameters", "language"),
        "schema": {"type": "string"},
    }
    return {**options, "accept_language": language}


def build_headers() -> dict[str, Any]:
    """Returns the headers of answers, by name."""
    return {
        name: {"description": find_text("headers", name), "schema": dict(schema)}
        for name, schema in RESPONSE_HEADERS.items()
    }


def refer_to_headers(names: Iterable[str]) -> dict[str, Any]:
    """Returns references to headers; ``x-ratelimit`` stands for all of these."""
    whole = [
        each
        for name in names
        for each in (RATE_LIMIT_HEADERS if name == "x-ratelimit" else (name,))
    ]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in whole}
