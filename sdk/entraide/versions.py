"""Versions: whether a part of a pool is older than the pool.

The pool and its nodes report their versions to each other; no registry is asked.
"""

import re

_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:\.dev(\d{1,9}))?(?![\w.])")
_RELEASED = 10**9  # above the number of commits of any version before a release


def is_older(own_version: str, pool_version: str) -> bool:
    """Tells whether a version is older than the pool's; the commit after ``+`` does not count.

    >>> is_older("0.1.9", "0.2.0"), is_older("0.2.1", "0.2.0"), is_older("1.0.0", "")
    (True, False, False)
    >>> is_older("0.1.0.dev7+g1a2b3c4d", "0.1.0.dev8+g5e6f7a8b"), is_older("0.1.0.dev8", "0.1.0")
    (True, True)
    """
    own, other = _sort_key(own_version), _sort_key(pool_version)
    return bool(own and other) and own < other


def _sort_key(version: str) -> tuple[int, ...]:
    """Returns what orders versions; nothing if the text is none."""
    parts = _VERSION.match(version)
    if parts is None:
        return ()
    major, minor, patch, commits = parts.groups()
    return (int(major), int(minor), int(patch or 0), int(commits or _RELEASED))
