"""TOML writing: a scenario as the file that would be read as it.

Only what a scenario holds is written: tables, arrays of tables, strings, numbers, booleans, moments
and lists of them. What has its default is left out.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

Table = dict[str, Any]


def scenario_toml(scenario: Struct, *, comment: str = "") -> str:
    """Returns a scenario as TOML.

    Args:
        scenario: or any struct of structs.
        comment: a line above it, or "".
    """
    head = [f"# {comment}"] if comment else []
    return "\n".join([*head, *_table(_plain(scenario), ())]).strip() + "\n"


def _plain(value: Any) -> Any:
    """Returns built-in values, keys with their defaults left out."""
    if isinstance(value, Struct):
        found = {}
        for field in msgspec.structs.fields(value):
            held = getattr(value, field.name)
            if held is not None and held != field.default:
                found[field.encode_name] = _plain(held)
        return found
    if isinstance(value, Mapping):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    if isinstance(value, dt.datetime):
        return value
    return msgspec.to_builtins(value)


def _table(table: Table, path: tuple[str, ...]) -> Iterator[str]:
    deep = {key: value for key, value in table.items() if _is_table(value) or _is_array(value)}
    for key, value in table.items():
        if key not in deep:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in deep.items():
        here = (*path, key)
        name = ".".join(map(_key, here))
        if _is_table(value):
            yield ""
            yield f"[{name}]"
            yield from _table(value, here)
            continue
        for item in value:
            yield ""
            yield f"[[{name}]]"
            yield from _table(item, here)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_table(item) for item in value)


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            return value.isoformat()
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case str():
            # JSON's strings are TOML's basic strings, but for a delete sign that nobody writes.
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)
