"""Admin: the messages of the gRPC service Admin as schemas, made from their descriptors.

The schemas are those of protobuf's JSON mapping: names in lower camel case, integers of 64 bits as
texts, bytes in base64. Each has the prefix ``Admin``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from entraide_scheduler.gateway.admin import METHODS

PREFIX = "Admin"
STRUCT = "google.protobuf.Struct"
WHOLE = {"type": "integer"}
SCALARS: Mapping[int, Mapping[str, Any]] = {
    FieldDescriptor.CPPTYPE_INT32: WHOLE,
    FieldDescriptor.CPPTYPE_UINT32: WHOLE,
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}


def schema_name(message: Descriptor) -> str:
    """Returns the name of a message's schema."""
    return f"{PREFIX}{message.name}"


def build_admin_schemas(prefix: str) -> dict[str, Any]:
    """Returns the schemas of all messages of the service, by name.

    Args:
        prefix: what a reference to a schema begins with.
    """
    left = [kind for each in METHODS.values() for kind in (each.input_type, each.output_type)]
    schemas: dict[str, Any] = {}
    while left:
        message = left.pop()
        name = schema_name(message)
        if name in schemas or message.full_name == STRUCT:
            continue
        schemas[name] = {
            "title": name,
            "description": f"`{message.name}` of the gRPC service Admin.",
            "type": "object",
            "properties": {
                field.json_name: _describe(message, field, prefix) for field in message.fields
            },
        }
        left += _messages_of(message)
    return schemas


def _messages_of(message: Descriptor) -> Iterable[Descriptor]:
    for field in message.fields:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            inner = inner.fields_by_name["value"].message_type
        if inner is not None:
            yield inner


def _describe(message: Descriptor, field: FieldDescriptor, prefix: str) -> dict[str, Any]:
    text = f"`{field.name}` of `{message.name}` in `admin.proto`, which explains it."
    return {**_schema_of(field, prefix), "description": text}


def _schema_of(field: FieldDescriptor, prefix: str) -> dict[str, Any]:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return {
            "type": "object",
            "additionalProperties": _schema_of(inner.fields_by_name["value"], prefix),
        }
    if inner is None:
        schema = dict(SCALARS[field.cpp_type])
        if field.type == FieldDescriptor.TYPE_BYTES:
            schema["contentEncoding"] = "base64"
    elif inner.full_name == STRUCT:
        schema = {"type": "object"}
    else:
        schema = {"$ref": prefix + schema_name(inner)}
    return {"type": "array", "items": schema} if field.is_repeated else schema
