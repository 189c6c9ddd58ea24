"""Command output: JSON for programs, aligned columns for people."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from entraide import i18n
from entraide.printable import printable
from entraide.relative_time import format_moment

if TYPE_CHECKING:
    from entraide.v1.admin_pb2 import JournalKept, Quarantine


def to_plain(value: Any) -> Any:
    """Returns a value as JSON types; protobuf's 64-bit integers become numbers, not strings."""
    import msgspec
    from google.protobuf.message import Message

    if isinstance(value, Message):
        contents = [(field, getattr(value, field.name)) for field in value.DESCRIPTOR.fields]
        return {
            field.name: list(map(to_plain, content)) if field.is_repeated else to_plain(content)
            for field, content in contents
        }
    if isinstance(value, list | tuple):
        return [to_plain(element) for element in value]
    return msgspec.to_builtins(value)


def print_json(value: Any) -> None:
    """Prints a value as JSON."""
    typer.echo(json.dumps(to_plain(value), ensure_ascii=False, indent=2))


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = False
) -> None:
    """Prints columns as wide as their widest cell; no cell is truncated.

    Args:
        headings: one for each column.
        rows: the cells of each line.
        numeric: whether all columns but the first are right-aligned.
    """
    lines = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for index, line in enumerate(lines):
        cells = [
            cell.rjust(width) if numeric and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo(typer.style("  ".join(cells).rstrip(), bold=index == 0))


def format_time(at: float, lang: str) -> str:
    """Returns a time in local time, ``2026-03-01 14:05 EST``; a dash for 0 (never)."""
    return format_moment(at, lang) if at else i18n.text("cli-never", lang)


def journal_text(journal: "JournalKept", lang: str) -> str:
    """Returns how much of the journal is kept, and within which limits."""
    values: dict[str, i18n.Value] = {
        "events": i18n.decimal(journal.events, lang),
        "events_max": i18n.decimal(journal.events_max, lang),
        "keep_days": i18n.decimal(journal.keep_days, lang),
        "size_mb": i18n.decimal(journal.bytes / 1e6, lang),
    }
    if journal.since:
        values["first"] = format_time(journal.since, lang)
    return i18n.text("cli-journal-kept", lang, **values)


def quarantine_text(quarantine: "Quarantine", lang: str) -> str:
    """Returns the start and the reason of a quarantine; "" without one."""
    if not quarantine.since:
        return ""
    values = {"since": format_time(quarantine.since, lang), "quarantine": quarantine.reason}
    if quarantine.detail:
        values["detail"] = quarantine.detail
    return i18n.text("cli-quarantine", lang, **values)


def yes_or_no(value: bool, lang: str) -> str:
    """Returns the word for yes or no."""
    return i18n.text("word-yes" if value else "word-no", lang)
