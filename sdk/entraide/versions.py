"""Versions: whether a part of a pool is older than the pool.

The pool and its nodes report their versions to each other; no registry is asked.
"""

import re

_VERSION = re.compile(r"(\d+)\.(\d+)")


def is_older(own_version: str, pool_version: str) -> bool:
    """Tells whether a version is at least one minor version older than the pool's.

    >>> is_older("0.1.9", "0.2.0"), is_older("0.2.0", "0.2.7"), is_older("1.0.0", "")
    (True, False, False)
    """
    own, other = _VERSION.match(own_version), _VERSION.match(pool_version)
    if own is None or other is None:
        return False
    return (int(own[1]), int(own[2])) < (int(other[1]), int(other[2]))
