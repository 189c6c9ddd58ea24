"""Passphrase of a backup: from a file, from standard input, or asked for at the terminal.

Never from the command line, which other accounts of the machine can read.
"""

import sys
from pathlib import Path

import typer

from entraide import i18n
from entraide.errors import PoolError

CHARS_MIN = 8
BYTES_MAX = 4_096
STANDARD_INPUT = "-"


def read_passphrase(source: str, lang: str, *, is_new: bool) -> str:
    """Returns the passphrase: the first line of a source, or what the person types.

    Args:
        source: path of a file, ``-`` for standard input, "" to ask.
        lang: language of the question.
        is_new: whether it seals a new backup: it is asked twice, and must not be too short.

    Raises:
        PoolError: ``passphrase_missing``, ``passphrase_unreadable`` or ``passphrase_short``.
    """
    if source:
        passphrase = _read(source)
    elif sys.stdin.isatty():
        passphrase = typer.prompt(
            i18n.text("pool-passphrase", lang),
            hide_input=True,
            confirmation_prompt=i18n.text("pool-passphrase-again", lang) if is_new else False,
            err=True,
        )
    else:
        raise PoolError("passphrase_missing", "no terminal and no --passphrase-file")
    if is_new and len(passphrase) < CHARS_MIN:
        raise PoolError("passphrase_short", "too short", values={"min": CHARS_MIN})
    return passphrase


def _read(source: str) -> str:
    try:
        if source == STANDARD_INPUT:
            data = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(BYTES_MAX + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        values = {"path": source, "problem": reason}
        raise PoolError("passphrase_unreadable", f"{source}: {problem}", values=values) from problem
    passphrase = text.partition("\n")[0].rstrip("\r")
    if not passphrase or len(data) > BYTES_MAX:
        raise PoolError(
            "passphrase_unreadable",
            f"{source}: empty or too long",
            values={"path": source, "problem": "0 B" if not passphrase else f"> {BYTES_MAX} B"},
        )
    return passphrase
