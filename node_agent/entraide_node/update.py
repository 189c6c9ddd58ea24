"""Updates: whether this node is older than its pool, and the one command that brings it level.

It decides what counts as older (a smaller major or minor version; a fix alone is not worth a
notice) and which installer put this program here. It asks no registry: the pool tells its version.
"""

import re
import sys
from pathlib import Path

_VERSION = re.compile(r"(\d+)\.(\d+)")


def is_older(own_version: str, pool_version: str) -> bool:
    """Tells whether a version is older than the pool's by a minor one at least.

    >>> is_older("0.1.9", "0.2.0"), is_older("0.2.0", "0.2.7"), is_older("1.0.0", "")
    (True, False, False)
    """
    own, other = _VERSION.match(own_version), _VERSION.match(pool_version)
    if own is None or other is None:
        return False
    return (int(own[1]), int(own[2])) < (int(other[1]), int(other[2]))


def update_command(prefix: Path | None = None) -> str:
    """Returns the command that updates this installation and starts the agent anew.

    Args:
        prefix: folder of the environment that this program runs in; None for the present one.
    """
    parts = (prefix or Path(sys.prefix)).parts
    if "pipx" in parts:
        first = "pipx upgrade entraide"
    elif "uv" in parts and "tools" in parts:
        first = "uv tool upgrade entraide"
    else:
        first = 'python -m pip install --upgrade "entraide[node]"'
    return f"{first} && entraide node service restart"
