"""Makes `docs/reference/limits.md`: every limit of the system, from the constants and settings.

A limit is a constant of a module whose name has `MAX` or `MOST` as a word. Its value is computed
from the source, so that no module is loaded; what it bounds is the comment beside it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from entraide_scheduler.config import HttpLimits
from entraide_scheduler.core.policy import Policy

ROOT = Path(__file__).resolve().parent.parent
PARTS = MappingProxyType(
    {
        "Client, command line and messages": "sdk/entraide",
        "Scheduler and gateway": "scheduler/entraide_scheduler",
        "Node agent": "node_agent/entraide_node",
        "Simulator": "sim/entraide_sim",
    }
)
LIMIT = re.compile(r"(^|_)(MAX|MOST)(_|$)")
KIB, MIB = 1024, 1024**2

HEAD = """\
# Limits

Made from the code by `python scripts/reference.py`; do not edit.

Every queue, retry, message and loop of Entraide has a largest number, with a name. This page has
all of them, by module. The name ends in the unit: `S` seconds, `BYTES`, `CHARS` characters; else it
is a count. What a node may send, field by field, is in [what a node may send](node-limits.md), what
members vote in the [policy](policy.md), and what an operator sets in the
[configuration](config.md).

## Voted by the members

`limits` of the [policy](policy.md), with its defaults.
"""
HTTP = """
## Set by the operator

`[http.limits]` of the [configuration](config.md), with its defaults.
"""
FIELDS = "\n| setting | default |\n|---|---|\n"
TABLE = "\n### `{module}`\n\n{what}\n\n| limit | value | what it bounds |\n|---|---|---|\n"


class LimitRow(NamedTuple):
    """A limit: its name, its value as text, and the comment beside it."""

    name: str
    value: str
    what: str


def limits_page() -> str:
    """Returns the page."""
    lines = [HEAD, fields(Policy("", ()).limits), HTTP, fields(HttpLimits())]
    for title, folder in PARTS.items():
        lines.append(f"\n## {title}\n")
        for path in sorted((ROOT / folder).rglob("*.py")):
            rows = [] if "v1" in path.parts else list(limits_of(path.read_text("utf-8")))
            if rows:
                place = path.relative_to((ROOT / folder).parent).with_suffix("").parts
                module = ".".join(part for part in place if part != "__init__")
                lines.append(TABLE.format(module=module, what=sentence(path)))
                lines += [f"| `{row.name}` | {row.value} | {row.what} |\n" for row in rows]
    return "".join(lines)


def fields(settings: Struct) -> str:
    """Returns the table of a struct's fields and their defaults."""
    values = ((name, getattr(settings, name)) for name in settings.__struct_fields__)
    return FIELDS + "".join(f"| `{name}` | {written(name, value)} |\n" for name, value in values)


def limits_of(source: str) -> Iterator[LimitRow]:
    """Yields the limits of a module, in order."""
    lines, known = source.splitlines(), {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                pass
            case _:
                continue
        number = computed(value, known)
        if number is not None:
            known[name] = number
        if LIMIT.search(name):
            text = f"`{ast.unparse(value)}`" if number is None else written(name, number)
            what = (
                lines[statement.end_lineno - 1].partition("  # ")[2] if statement.end_lineno else ""
            )
            yield LimitRow(name, text, what.replace("|", "\\|"))


def computed(value: ast.expr, known: dict[str, float]) -> float | None:
    """Returns the number that an expression of numbers and earlier constants gives, or None."""
    code = compile(ast.Expression(value), "limit", "eval")
    try:
        number: Any = eval(code, {"__builtins__": {}}, known)  # noqa: S307  (our own source)
    except Exception:  # noqa: BLE001  (it uses more than numbers)
        return None
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return number if is_number else None


def written(name: str, value: float) -> str:
    """Returns a value as a person reads it; bytes in the largest whole unit."""
    if "BYTES" in name and value >= KIB and value % KIB == 0:
        return f"{value // MIB:,} MiB" if value % MIB == 0 else f"{value // KIB:,} KiB"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def sentence(path: Path) -> str:
    """Returns the first sentence of a module's docstring."""
    text = " ".join(
        (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0].split()
    )
    first = re.split(r"(?<=\.) (?=[A-Z])", text)[0]
    return re.sub(r"``([^`]+)``", r"`\1`", first)
