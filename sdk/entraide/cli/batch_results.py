"""Results of a batch: for a person on the terminal, for a program as JSON lines, into a file.

A file appears whole: lines go to a temporary file beside it, which gets its name at the end. An
existing file is replaced only if that was asked for.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer
from msgspec import Struct

from entraide import i18n
from entraide.errors import error_for
from entraide.printable import printable

if TYPE_CHECKING:
    from entraide.client import BatchResult


class WrittenLines(Struct):
    """How many lines were written: all, and those that are errors."""

    lines: int = 0
    failed: int = 0

    def add(self, result: "BatchResult") -> None:
        """Counts a line."""
        self.lines += 1
        self.failed += result.error is not None


def encode_result(result: "BatchResult") -> bytes:
    """Returns a result as JSON in one line, with the text of the answer beside its body."""
    text = {"custom_id": result.custom_id, "text": result.text}
    return msgspec.json.encode(text | {"error": result.error, "body": result.body})


def print_results(results: Iterable["BatchResult"], lang: str, *, json: bool) -> WrittenLines:
    """Prints results; returns how many."""
    written = WrittenLines()
    for result in results:
        written.add(result)
        if json:
            typer.echo(encode_result(result).decode())
            continue
        typer.echo(typer.style(printable(result.custom_id), bold=True))
        if result.error is not None:
            typer.echo(typer.style(printable(result.error.message), fg="red"))
        elif vectors := result.vectors:
            typer.echo(i18n.text("cli-batch-vectors", lang, vectors=len(vectors)))
        else:
            typer.echo(printable(result.text))
        typer.echo()
    return written


def check_new(path: Path | None, lang: str, *, force: bool) -> None:
    """Checks that a file may be written.

    Raises:
        RequestError: ``already_exists``, or ``file_unreadable`` for a folder that is not there.
    """
    if path is None:
        return
    if path.is_dir() or (path.exists() and not force):
        raise error_for("already_exists", i18n.text("cli-file-exists", lang, path=str(path)))
    if not path.parent.is_dir():
        sentence = i18n.text("cli-no-folder", lang, path=str(path.parent))
        raise error_for("file_unreadable", sentence)


def write_results(
    results: Iterable["BatchResult"], path: Path, lang: str, *, force: bool
) -> WrittenLines:
    """Writes results into a file, which appears whole; returns how many.

    Raises:
        RequestError: the file exists, or cannot be written.
    """
    written = WrittenLines()
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as file:
            try:
                for result in results:
                    written.add(result)
                    file.write(encode_result(result) + b"\n")
                file.flush()
                os.fsync(file.fileno())
                check_new(path, lang, force=force)
                os.replace(file.name, path)  # noqa: PTH105  (the name of an open file)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as problem:
        sentence = i18n.text(
            "cli-file-unwritable", lang, path=str(path), detail=problem.strerror or ""
        )
        raise error_for("file_unreadable", sentence) from problem
    return written
