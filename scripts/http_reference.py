"""Writes the page of the HTTP interface from the gateway's fields, bounds and paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from entraide_scheduler.gateway import (
    conversation,
    options,
    pattern_bounds,
    schema_bounds,
    strict_json,
)
from entraide_scheduler.gateway.endpoints import (
    IGNORED,
    MESSAGES,
    NEUTRAL,
    REPLACEMENTS,
    REQUESTS,
    RESPONSES,
    JobRequest,
)
from entraide_scheduler.gateway.fields import (
    CHAT,
    COMPLETION,
    EMBEDDINGS,
    PoolFields,
)
from entraide_scheduler.gateway.openapi.operations import OPERATIONS, Access
from entraide_scheduler.gateway.openapi.schemas import (
    build_option_schemas,
    build_schemas,
    describe_field,
)
from entraide_scheduler.gateway.openapi.texts import find_text
from entraide_scheduler.gateway.routes import PATHS

HEAD = """\
# HTTP

Made from the code by `python scripts/reference.py`; do not edit. A pool serves the same as OpenAPI
3.1 at `/openapi.json`, without a key.

Point any OpenAI client at `http://HOST:PORT/v1` with a key of the pool. The fields of a request are
in four groups. *Honoured*: checked against its limit, and passed to the engine.
*Ignored*: has no effect, with any value. *One value*: accepted only with the value that the
pool uses anyway. *Refused*: every other top-level field of a request, unless it is null, with a
400, its name in `param` and a sentence that says what to write instead. The engine's request
contains only the honoured fields. Over gRPC a field has the same limit and is in `extra`;
the Python client takes it as a keyword argument.
"""

REFUSED_HEAD = """
### Refused, with a substitute

All other fields are refused; for these the refusal says what to write instead.

| field | write instead |
|---|---|
"""

CHAT_MESSAGES = """
### Messages

| role | content | also |
|---|---|---|
| `system`, `developer` | text, or a list of `text` parts | `name` |
| `user` | text, or a list of `text` and `image_url` parts | `name` |
| `assistant` | text, a list of `text` and `refusal` parts, or null | `name`, `tool_calls` |
| `tool` | text, or a list of `text` parts | `tool_call_id`, `name` |

`developer` reaches the engine as `system`, a `refusal` part not at all. Any other field of a
message, part, tool or call (`reasoning_content`, `annotations`, `audio`, `cache_control`, …) is
left out. Pictures are `data:` URLs of PNG, JPEG, WebP or GIF, at most {images}; sound and files are
refused. A result of a tool answers a call of the assistant's message just before it, each call
once; `arguments` is the text of a JSON object, or empty.

Tools, pictures and JSON formats need an engine that supports them. A 400 `feature_unsupported`
means that no machine of the pool supports it with this model, a 503 `no_node_live` that the
machines which do are offline.
"""

EMBEDDINGS_TEXT = """
### Answer

```json
{"object": "list", "model": "…",
 "data": [{"object": "embedding", "index": 0, "embedding": [0.0123, …]}, …],
 "usage": {"prompt_tokens": 14, "total_tokens": 14}, "entraide": {…}}
```

All inputs of a request are one job: one placement, one receipt, `output_tokens` 0. Tokens are
charged as those of a prompt; the promise of its class is kept if the embeddings come within the
time of a first token. Each input, not their sum, must fit the model's context. An answer has at
most 6 MiB (about 1,100 embeddings of 1,024 numbers as `base64`, 300 as numbers); a longer one is
a 400 that says to send fewer inputs.

A 400 `feature_unsupported` means that the model computes no embeddings, or (`dimensions`) that no
machine shortens those of this model. `GET /v1/models` lists `embeddings` among the features of a
model, and `embeddings_only` if it writes no text. Over gRPC texts are `inputs`, and the numbers
are in `Done.embeddings`; the Python client has `client.embeddings`.
"""

SCHEMAS = """
## JSON schemas

In `response_format` and in `tools`; of all tools together {tools_bytes:,} bytes.

| of a schema | at most |
|---|---|
| bytes | {bytes:,} |
| depth | {depth} |
| `minItems`, `maxLength`, …; `{{n,m}}` in a `pattern` | {count:,} |
| `{{n,m}}` in a group that `{{n,m}}` repeats, multiplied | {nested} |
| these added up | {sum:,} |
| values in `enum`, added up | {enum:,} |
| `properties` of all objects, added up | {properties} |
| characters of a `pattern` | {pattern} |
| groups in groups of a `pattern` | {groups} |
| parts of a `pattern` that may be missing | {optional} |

A group that `{{n,m}}` repeats cannot be empty. A minimum is not larger than its maximum. `$ref`
names a part of the same schema, without a cycle of `$ref` alone. `minimum`, `maximum` and similar
bounds are at most 2^53.
"""

JSON = """
## JSON

UTF-8 text with one object; no duplicate name in an object, no `NaN` or `Infinity`, no unpaired
surrogate, integers of at most 63 bits where any JSON is allowed, and at most
{containers:,} objects and lists. Anything else is a 400 `invalid_json` that names the line and
column, or the field.
"""

OPTIONS = """
## The pool's own options

Each works by a header, by a field of the body's `entraide` object, over gRPC by a field of
`JobOptions`, and in the Python clients by a keyword of that name. A header and the body that
contradict each other are refused (`invalid_request`, with both names).

| header | in `entraide` | gRPC and Python | accepted | effect |
|---|---|---|---|---|
"""

FIELDS_HEAD = "| field | accepted | effect |\n|---|---|---|\n"

KINDS = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false",
    "object": "object", "array": "list",
}  # fmt: skip


def accepted(schema: Mapping[str, Any]) -> str:
    """Returns the accepted values of a field, in words."""
    if "$ref" in schema:
        return "object"
    if "anyOf" in schema:
        parts = [accepted(part) for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "")
    words = KINDS.get(kind, "any JSON")
    if "minimum" in schema and "maximum" in schema:
        return f"{words}, {plain(schema['minimum'])} to {plain(schema['maximum'])}"
    unit = {"string": "characters", "array": "entries"}.get(kind, "entries")
    most = schema.get("maxLength", schema.get("maxItems", schema.get("maxProperties")))
    return words if most is None else f"{words}, at most {most:,} {unit}"


def plain(number: float) -> str:
    """Returns a bound as text."""
    if abs(number) > 2**53:
        return "2^63" if number > 0 else "-2^63"
    return f"{number:,.15g}"


def field_rows(name: str, components: Mapping[str, Any], honoured: tuple[str, ...]) -> str:
    """Returns the rows of a request's honoured fields."""
    rows = []
    required = components[name]["required"]
    for field in honoured:
        schema = components[name]["properties"][field]
        needed = " (required)" if field in required else ""
        rows.append(f"| `{field}`{needed} | {accepted(schema)} | {describe_field(name, field)} |\n")
    return "".join(rows)


def endpoint(path: str, components: Mapping[str, Any]) -> str:
    """Returns the section of one inference endpoint."""
    kind = REQUESTS[path]
    honoured = kind.__struct_fields__
    lines = [f"\n## POST {path}\n\n### Honoured\n\n{FIELDS_HEAD}"]
    lines.append(field_rows(kind.__name__, components, honoured))
    ignored = ", ".join(f"`{name}`" for name in sorted(IGNORED[path]))
    lines.append(f"\n### Ignored\n\n{ignored}.\n")
    if NEUTRAL[path]:
        lines.append("\n### One value\n\n| field | value |\n|---|---|\n")
    for name, value in sorted(NEUTRAL[path].items()):
        lines.append(f"| `{name}` | `{json.dumps(value)}` |\n")
    substitutes = {
        name: instead
        for name, instead in sorted(REPLACEMENTS.items())
        if instead in honoured and name not in NEUTRAL[path]
    }
    if substitutes:
        lines.append(REFUSED_HEAD)
    lines += [f"| `{name}` | `{instead}` |\n" for name, instead in substitutes.items()]
    if path == CHAT:
        lines.append(CHAT_MESSAGES.format(images=conversation.IMAGES_MAX))
    if path == EMBEDDINGS:
        lines.append(EMBEDDINGS_TEXT)
    return "".join(lines)


def jobs_section(components: Mapping[str, Any]) -> str:
    """Returns the section on kept jobs."""
    rows = field_rows("JobRequest", components, JobRequest.__struct_fields__)
    return f"\n## POST /v1/jobs\n\n{FIELDS_HEAD}{rows}\nAny other field is refused.\n"


def options_section() -> str:
    """Returns the table of the pool's own options."""
    schemas = build_option_schemas()
    rows = []
    for option in options.OPTIONS:
        body = f"`{option.name}`" if option.name in PoolFields.__struct_fields__ else ""
        text = find_text("PoolFields", option.name)
        rows.append(
            f"| `{option.header}` | {body} | `{option.keyword}` |"
            f" {accepted(schemas[option.name])} | {text} |\n"
        )
    return OPTIONS + "".join(rows)


def paths_section() -> str:
    """Returns the table of all paths."""
    lines = ["\n## Paths\n\n| method | path | key | purpose |\n|---|---|---|---|\n"]
    for pattern, methods in sorted(PATHS.items()):
        for method, name in methods.items():
            key = "no" if OPERATIONS[name].access is Access.ALL else "yes"
            summary = find_text("operations", name)
            lines.append(f"| {method} | `{pattern}` | {key} | {summary} |\n")
    lines.append(
        "\nRefusals have OpenAI's error format; [their codes](errors.md) are stable. A 5xx with a"
        " useless retry has\n`x-should-retry: false`, which the official clients follow.\n"
    )
    return "".join(lines)


def http_page() -> str:
    """Returns the whole page."""
    components = build_schemas()
    schemas = SCHEMAS.format(
        tools_bytes=conversation.TOOLS_BYTES_MAX, bytes=schema_bounds.SCHEMA_BYTES_MAX,
        depth=schema_bounds.SCHEMA_DEPTH_MAX, count=pattern_bounds.REPETITIONS_MAX,
        sum=schema_bounds.REPETITIONS_SUM_MAX, enum=schema_bounds.ENUM_VALUES_MAX,
        optional=pattern_bounds.OPTIONAL_MAX, nested=pattern_bounds.NESTED_REPETITIONS_MAX,
        properties=schema_bounds.PROPERTIES_MAX,
        pattern=pattern_bounds.PATTERN_CHARS_MAX, groups=pattern_bounds.PATTERN_GROUPS_MAX,
    )  # fmt: skip
    json_text = JSON.format(containers=strict_json.CONTAINERS_MAX)
    parts = [
        endpoint(CHAT, components),
        endpoint(COMPLETION, components),
        endpoint(EMBEDDINGS, components),
        endpoint(RESPONSES, components),
        endpoint(MESSAGES, components),
        jobs_section(components),
        schemas,
    ]
    return "".join([HEAD, *parts, options_section(), json_text, paths_section()])
