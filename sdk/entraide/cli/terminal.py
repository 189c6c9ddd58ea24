r"""Terminal: what the command writes, without anything that a terminal would obey but colour.

Input: every text that a command prints; nodes, models and key holders wrote parts of it. Output:
the same text, in which only the sequences that set colour and weight (SGR, ECMA-48 section 8.3.117)
are left of the control characters.
"""

import re
import sys
from typing import Any, TextIO, cast

from entraide.printable import printable

_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,20}m)")


def without_controls(text: str) -> str:
    r"""Returns a text in which colours are the only control sequences.

    >>> without_controls("\x1b[1mgras\x1b[0m\x1b]0;titre\x07\x1b[2J")
    '\x1b[1mgras\x1b[0m]0;titre[2J'
    """
    if "\x1b" not in text:
        return printable(text)
    parts = _COLOUR.split(text)
    return "".join(part if at % 2 else printable(part) for at, part in enumerate(parts))


class CleanStream:
    """An output stream that writes texts without control characters; all else is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text; returns its length as it was given."""
        self._stream.write(without_controls(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def clean_output() -> None:
    """Cleans what this process writes to its standard output and error from now on."""
    if not isinstance(sys.stdout, CleanStream):
        sys.stdout = cast("TextIO", CleanStream(sys.stdout))
        sys.stderr = cast("TextIO", CleanStream(sys.stderr))
