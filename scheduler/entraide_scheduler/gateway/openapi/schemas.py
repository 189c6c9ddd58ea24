"""Schemas: the components of the document, made from the structs that are read and sent.

msgspec makes each schema from its struct; here are added the sentences of ``texts.toml``, what an
answer always has, and what the types do not say (``REFINED``).
"""

import inspect
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from entraide.types import JobClass, JobKind, JobState, NodeState
from entraide_scheduler.gateway.batches import BatchState, ResultLine
from entraide_scheduler.gateway.chat import NAME_MAX, PoolFields
from entraide_scheduler.gateway.jobs import DEADLINE_S_MAX
from entraide_scheduler.gateway.openapi.admin import build_admin_schemas
from entraide_scheduler.gateway.openapi.codes import NO_OPERATION
from entraide_scheduler.gateway.openapi.operations import OPERATIONS, TOKEN_COUNT_REQUEST
from entraide_scheduler.gateway.openapi.texts import SCHEMA, find_text
from entraide_scheduler.gateway.openapi.translated_answers import Error, LineRequest, MessageError
from entraide_scheduler.gateway.requests import (
    IGNORED,
    MESSAGES,
    NEUTRAL,
    PATHS,
    REQUESTS,
    SEPARATING,
)

PREFIX = "#/components/schemas/"
ATTRIBUTES = "Attributes:"
ATTRIBUTE = re.compile(r"^ {4}(\w[\w, ]*): ((?:.*\n? {8,})*.*)$", re.MULTILINE)
TAGS = "tags"  # the section of the sentences about fields that name a struct's kind

# Names under which clients know a schema, where the struct has another.
PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "ExclusionView": "Exclusion",
        "ExplanationView": "Explanation",
        "JobStatus": "JobView",
        "OfferedModel": "Model",
        "ResultLine": "BatchOutputLine",
        "LineRequest": "BatchInputLine",
    }
)
SPARSE = frozenset({"JobView"})  # fields with their default are left out
ANSWERS = ("ChatCompletion", "Completion", "EmbeddingList", "Response", "MessageAnswer")


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": PREFIX + name}


def _words(words: type[Any], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"enum": [str(word) for word in words if word not in without]}


def _only(value: Any) -> dict[str, Any]:
    """Returns the schema of one value."""
    if isinstance(value, list):
        items = {"enum": value}
        return {"type": "array", "items": items, "minItems": len(value), "maxItems": len(value)}
    return {"const": value}


def _refined() -> dict[tuple[str, str], dict[str, Any]]:
    """Returns what the types of fields do not say, by schema and field."""
    codes = {code for operation in OPERATIONS.values() for code in operation.all_codes}
    by_code = {"enum": sorted({*codes, *NO_OPERATION})}
    requests = [_ref(kind.__name__) for kind in REQUESTS.values()]
    bytes_of_file = {"type": "string", "format": "binary"}
    return {
        ("BatchObject", "endpoint"): {"enum": list(PATHS)},
        ("BatchObject", "status"): _words(BatchState),
        ("BatchInputLine", "url"): {"enum": list(PATHS)},
        ("BatchInputLine", "body"): {"anyOf": requests},
        ("BatchOutputLine", "custom_id"): {"type": "string"},
        ("LineResponse", "body"): {"anyOf": [*map(_ref, ANSWERS), _ref("Error")]},
        ("ErrorFields", "code"): by_code,
        ("Explanation", "decision"): {"enum": ["placed", "waiting", "deferred", "refused"]},
        ("FileForm", "file"): bytes_of_file,
        ("JobRequest", "request"): {"anyOf": requests},
        ("JobView", "job_class"): _words(JobClass),
        ("JobView", "kind"): _words(JobKind),
        ("JobView", "object"): {"const": "job"},
        ("JobView", "receipt"): _ref("Receipt"),
        ("JobView", "result"): {"anyOf": [*map(_ref, ANSWERS)]},
        ("JobView", "state"): _words(JobState, without=("offered",)),
        ("MessageErrorFields", "code"): by_code,
        ("PublicNode", "state"): _words(NodeState),
        ("RunExpectation", "reason"): {"enum": ["later", "due", "short", "unknown"]},
    }


@cache
def build_schemas() -> Mapping[str, Any]:
    """Returns the schemas of requests and answers, by name."""
    taken = _requests()
    _, asked = msgspec.json.schema_components(taken, ref_template=PREFIX + "{name}")
    _, components = msgspec.json.schema_components(
        [*taken, *_answers()], ref_template=PREFIX + "{name}"
    )
    schemas = {PUBLISHED.get(name, name): _published(schema) for name, schema in components.items()}
    for (name, field), refined in _refined().items():
        schemas[name]["properties"][field] = dict(refined)
    for name, schema in schemas.items():
        if name not in asked and "properties" in schema:
            _complete(schema, sparse=name in SPARSE)
    _complete_requests(schemas)
    for name, schema in schemas.items():
        _describe(name, schema)
    return schemas | build_admin_schemas(PREFIX)


def _requests() -> list[type[Struct]]:
    kinds = [operation.request or operation.form for operation in OPERATIONS.values()]
    return [LineRequest, *dict.fromkeys(kind for kind in kinds if isinstance(kind, type))]


def _answers() -> list[type[Struct]]:
    kinds = [
        kind
        for operation in OPERATIONS.values()
        for answer in operation.answers
        for kind in (answer.schema, *answer.events)
        if isinstance(kind, type)
    ]
    return [Error, MessageError, ResultLine, *dict.fromkeys(kinds)]


def _published(schema: Any) -> Any:
    """Returns a schema with the published names of others, and of one truth value."""
    if isinstance(schema, dict):
        if schema.get("enum") in ([True], [False]):  # as generators of clients know it
            return {"type": "boolean", "const": schema["enum"][0]}
        return {key: _published(value) for key, value in schema.items()}
    if isinstance(schema, list | tuple):
        return [_published(value) for value in schema]
    if isinstance(schema, str) and schema.startswith(PREFIX):
        name = schema.removeprefix(PREFIX)
        return PREFIX + PUBLISHED.get(name, name)
    return schema


def _complete(schema: dict[str, Any], *, sparse: bool) -> None:
    """Marks the fields that an answer always has."""
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        if "default" in field:
            del field["default"]
            required |= set() if sparse else {name}
    schema["required"] = [name for name in schema["properties"] if name in required]


def _complete_requests(schemas: dict[str, Any]) -> None:
    """Adds the fields without effect, and what the gateway does before it reads a request."""
    for path, kind in REQUESTS.items():
        properties = schemas[kind.__name__]["properties"]
        for name in sorted(IGNORED[path]):
            properties[name] = {"description": find_text("fields", "ignored")}
        for name in sorted(SEPARATING[path]):
            properties[name] = {"description": find_text("fields", "separating")}
        for name, value in sorted(NEUTRAL[path].items()):
            neutral = {"anyOf": [_only(value), {"type": "null"}]}
            properties[name] = {**neutral, "description": find_text("fields", "one_value")}
        # Any other field is accepted if it is null.
        schemas[kind.__name__]["additionalProperties"] = {"type": "null"}
    schemas["BatchRequest"]["additionalProperties"] = {"type": "null"}
    schemas["MessageItem"]["required"].remove("type")  # see ``responses.with_item_types``
    for field in schemas["FileForm"]["properties"].values():  # a form has no null
        if "anyOf" in field or "enum" in field:
            value = _without_null(field)
            field.clear()
            field.update(value)
    deadline = schemas[PoolFields.__name__]["properties"]["deadline"]["anyOf"]
    number = next(part for part in deadline if part.get("type") == "number")
    number.update({"exclusiveMinimum": 0, "maximum": DEADLINE_S_MAX})
    schemas[TOKEN_COUNT_REQUEST] = _token_count_request(schemas[REQUESTS[MESSAGES].__name__])


def _token_count_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the schema of a request for ``/v1/messages`` whose length does not matter."""
    ignored = {"description": find_text("fields", "ignored")}
    return {
        **request,
        "title": TOKEN_COUNT_REQUEST,
        "required": [name for name in request["required"] if name != "max_tokens"],
        "properties": {**request["properties"], "max_tokens": ignored},
    }


def _describe(name: str, schema: dict[str, Any]) -> None:
    """Adds the sentences about a schema and its fields."""
    # Python 3.13 takes the margin of a docstring away, earlier ones leave it.
    docstring = inspect.cleandoc(schema.get("description", ""))
    schema["title"] = name
    own = find_text(name, SCHEMA) or _first_paragraph(docstring)
    if own:
        schema["description"] = own
    attributes = read_attributes(docstring)
    for field, value in schema.get("properties", {}).items():
        text = describe_field(name, field) or attributes.get(field, "")
        if text:
            value["description"] = text


def describe_field(schema: str, field: str, lang: str = "en") -> str:
    """Returns the sentence about a field of a schema, or ""."""
    sections = [schema, *(base.__name__ for base in _bases().get(schema, ()))]
    for section in sections:
        if text := find_text(section, field, lang):
            return text
    return find_text(TAGS, field, lang)


@cache
def _bases() -> Mapping[str, tuple[type, ...]]:
    """Returns the structs from which each schema's struct inherits fields, by published name."""
    kinds = [*_requests(), *_answers()]
    bases: dict[str, tuple[type, ...]] = {TOKEN_COUNT_REQUEST: (REQUESTS[MESSAGES],)}
    while kinds:
        kind = kinds.pop()
        name = PUBLISHED.get(kind.__name__, kind.__name__)
        if name not in bases:
            bases[name] = tuple(base for base in kind.__mro__[1:-2] if base is not Struct)
            kinds += find_structs(msgspec.inspect.type_info(kind))
    return bases


def find_structs(info: Any) -> list[type[Struct]]:
    """Returns the structs among the fields of a struct, also inside of lists and unions."""
    kinds: list[type[Struct]] = []
    inner = [field.type for field in getattr(info, "fields", ())]
    while inner:
        part = inner.pop()
        if isinstance(part, msgspec.inspect.StructType):
            kinds.append(part.cls)
            continue
        for name in ("types", "item_types"):
            inner += getattr(part, name, ())
        for name in ("item_type", "key_type", "value_type", "type"):
            if isinstance(getattr(part, name, None), msgspec.inspect.Type):
                inner.append(getattr(part, name))
    return kinds


def _first_paragraph(docstring: str) -> str:
    """Returns a docstring's sentences without its list of attributes, as Markdown."""
    return _as_markdown(docstring.partition(ATTRIBUTES)[0])


def read_attributes(docstring: str) -> dict[str, str]:
    r"""Returns the sentences about the fields in a struct's docstring without margin, by field.

    >>> read_attributes("A.\n\nAttributes:\n    x, y: ``m`` east\n        and north.")
    {'x': '`m` east and north.', 'y': '`m` east and north.'}
    """
    sentences = {}
    for names, text in ATTRIBUTE.findall(docstring.partition(ATTRIBUTES)[2]):
        for name in names.split(","):
            sentences[name.strip()] = _as_markdown(text)
    return sentences


def _as_markdown(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def build_option_schemas() -> dict[str, Any]:
    """Returns the schemas of the pool's own options, by name; those of the body's object."""
    properties = build_schemas()[PoolFields.__name__]["properties"]
    schemas = {name: _without_null(schema) for name, schema in properties.items()}
    return {**schemas, "idempotency": {"type": "string", "maxLength": NAME_MAX}}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a value that is given, without its description."""
    if "enum" in schema:
        return {"enum": [value for value in schema["enum"] if value is not None]}
    choices = [part for part in schema["anyOf"] if part != {"type": "null"}]
    return dict(choices[0]) if len(choices) == 1 else {"anyOf": choices}
