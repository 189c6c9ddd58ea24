"""Updates: whether this node is older than its pool, and the command that updates it.

Input: both versions (the pool reports its own; no registry is asked) and the environment's path.
Output: whether the major or minor version is lower, and the command of the installer in use.
"""

import re
import sys
from pathlib import Path

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


def update_command(prefix: Path | None = None) -> str:
    """Returns the command that updates this installation and restarts the agent.

    Args:
        prefix: folder of the program's environment; None for the current one.
    """
    parts = (prefix or Path(sys.prefix)).parts
    if "pipx" in parts:
        first = "pipx upgrade entraide"
    elif "uv" in parts and "tools" in parts:
        first = "uv tool upgrade entraide"
    else:
        first = 'python -m pip install --upgrade "entraide[node]"'
    return f"{first} && entraide node service restart"
