r"""Printable text: makes untrusted text safe for a terminal, a log or a sentence.

Input: text that a node, a model or a client wrote. Output: the same text without control
characters (C0, C1, and the characters that change the writing direction), shortened where a length
is given. A terminal interprets such characters: they can hide text, change the window's title or
overwrite earlier lines.
"""

import re

CUT = " […] "
LAST_CHARS = 1 / 3  # share of a shortened text's characters that come from its end

# C0 and C1 except tab and newline, line separators, and the characters that change the direction
# of the text after them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Returns a text without control characters; tabs and newlines stay.

    >>> printable("a\x1b[31mb\u202ec")
    'a[31mbc'
    """
    return _CONTROLS.sub("", text)


def is_printable(text: str) -> bool:
    r"""Whether a text has no control character, tab or newline.

    >>> is_printable("Mac mini, étage 2"), is_printable("a\nb"), is_printable("a\x1b[2J")
    (True, False, False)
    """
    if text.isprintable():  # so is nearly every text, and Python looks faster than a pattern
        return True
    return "\n" not in text and "\t" not in text and _CONTROLS.search(text) is None


def shortened(text: str, chars_max: int) -> str:
    r"""Returns a text without control characters, cut down in its middle to a length.

    Args:
        text: any text.
        chars_max: maximum length of the result, characters; at least 20.

    >>> shortened("a\x1b[31mb", 80), shortened("0123456789" * 3, 20)
    ('a[31mb', '0123456789 […] 56789')
    """
    if len(text) > chars_max * 4:  # enough remains even if many characters are removed
        text = text[: chars_max * 2] + text[-chars_max * 2 :]
    text = printable(text)
    if len(text) <= chars_max:
        return text
    last = int((chars_max - len(CUT)) * LAST_CHARS)
    return text[: chars_max - len(CUT) - last] + CUT + text[-last:]
