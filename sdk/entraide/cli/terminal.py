r"""Terminal output without control sequences, except those for colour and weight.

Input: every text that a command prints; nodes, models and holders of keys wrote parts of it.
Output: the same text, whose only control sequences are SGR (ECMA-48, section 8.3.117).
"""

import re
import sys
from typing import Any, TextIO, cast

from entraide.printable import printable

_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,20}m)")


def without_controls(text: str) -> str:
    r"""Returns a text whose only control sequences are SGR.

    >>> without_controls("\x1b[1mgras\x1b[0m\x1b]0;titre\x07\x1b[2J")
    '\x1b[1mgras\x1b[0m]0;titre[2J'
    """
    if "\x1b" not in text:
        return printable(text)
    parts = _COLOUR.split(text)
    return "".join(part if index % 2 else printable(part) for index, part in enumerate(parts))


class CleanStream:
    """Output stream that removes control characters, and delegates the rest to another stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text without control characters; returns the length of the original."""
        self._stream.write(without_controls(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def clean_output() -> None:
    """Removes control characters from the standard output and error of this process."""
    if not isinstance(sys.stdout, CleanStream):
        sys.stdout = cast("TextIO", CleanStream(sys.stdout))
        sys.stderr = cast("TextIO", CleanStream(sys.stderr))
