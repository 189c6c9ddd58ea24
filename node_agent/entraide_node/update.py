"""Updates: the command that updates this installation.

Input: the environment's path. Output: the command of the installer in use.
"""

import sys
from pathlib import Path


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
