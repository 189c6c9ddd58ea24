"""TOML writer: a scenario as the TOML text that reads back as the same scenario.

Values equal to their defaults are omitted.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct


def scenario_toml(scenario: Struct, *, comment: str = "") -> str:
    """Returns a scenario as TOML.

    Args:
        scenario: or any struct of structs.
        comment: a line at the top, or "".
    """
    head = f"# {comment}\n\n" if comment else ""
    return head + tomli_w.dumps(_to_builtins(scenario))


def _to_builtins(value: Any) -> Any:
    """Returns built-in values without keys that have their defaults."""
    if isinstance(value, Struct):
        table = {}
        for field in msgspec.structs.fields(value):
            held = getattr(value, field.name)
            if held is not None and held != field.default:
                table[field.encode_name] = _to_builtins(held)
        return table
    if isinstance(value, Mapping):
        return {key: _to_builtins(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_to_builtins(held) for held in value]
    if isinstance(value, dt.date):
        return value
    return msgspec.to_builtins(value)
