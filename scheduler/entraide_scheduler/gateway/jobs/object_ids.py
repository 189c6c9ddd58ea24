"""Object identifiers: of files and batches, with the time of their creation.

An identifier has the time in milliseconds and a random number, 22 hexadecimal digits in all. It
sorts by time; it is unique but not secret: access depends on the co-op.
"""

import re
import secrets

FILE_PREFIX = "file-"
BATCH_PREFIX = "batch_"
_DIGITS = re.compile(r"[0-9a-f]{22}")


def make_id(prefix: str, now: float) -> str:
    """Returns a new identifier.

    Args:
        prefix: ``FILE_PREFIX`` or ``BATCH_PREFIX``.
        now: seconds since the epoch.
    """
    return f"{prefix}{int(now * 1_000):012x}{secrets.token_hex(5)}"


def has_form(text: str, prefix: str) -> bool:
    r"""Whether a text has the form of an identifier with a prefix.

    >>> has_form(make_id(FILE_PREFIX, 1_795_612_841.25), FILE_PREFIX), has_form("file-x", "file-")
    (True, False)
    """
    return text.startswith(prefix) and _DIGITS.fullmatch(text[len(prefix) :]) is not None
