"""Refusals: what a request must not be, and the errors of a gateway as values.

Input: bodies and fields of requests. Output: parsed JSON, or a ``Refused`` with its code and
values.

``refusals`` are the errors with status, sentence and body; ``field_faults`` makes them of
msgspec's errors; ``strict_json`` parses a body. ``schema_bounds`` and ``pattern_bounds`` limit
JSON schemas and the regular expressions in them.
"""

from entraide_scheduler.gateway.refusals import refusals
from entraide_scheduler.gateway.refusals.field_faults import convert, show_value
from entraide_scheduler.gateway.refusals.refusals import (
    ErrorReply,
    Refused,
    Values,
    clean_text,
    error_body,
    quota_headers,
    refused,
    rename_param,
    reply_of,
)
from entraide_scheduler.gateway.refusals.schema_bounds import SCHEMA_BYTES_MAX, check_schema
from entraide_scheduler.gateway.refusals.strict_json import DEPTH_MAX, check_free_json, read_object

__all__ = [
    "DEPTH_MAX",
    "SCHEMA_BYTES_MAX",
    "ErrorReply",
    "Refused",
    "Values",
    "check_free_json",
    "check_schema",
    "clean_text",
    "convert",
    "error_body",
    "quota_headers",
    "read_object",
    "refusals",
    "refused",
    "rename_param",
    "reply_of",
    "show_value",
]
