"""Own version: the version of this code. A checkout derives it from git, a wheel holds it.

The release line and the number of commits since its last release, so that a pool can tell which
of two commits is the older one: ``0.1.0.dev1457+g9a0461c6``. A commit with a tag ``v…`` is the
release itself. The build back end runs this file, so it imports the standard library only.
"""

import subprocess
from pathlib import Path

LINE = "0.1.0"
BUILT = "built_version.txt"  # beside this file, in a wheel
GIT_TIMEOUT_S = 10.0
COMMITS = ("git", "rev-list", "--abbrev-commit", "--abbrev=8", "HEAD", "--not", "--tags=v*")


def read_version() -> str:
    """Returns the version in the wheel, or that of the checkout; of sources without git, the line.

    It takes some milliseconds in a checkout: the package does it once, when it is asked for.
    """
    folder = Path(__file__).resolve().parent
    try:
        return (folder / BUILT).read_text("ascii").strip()
    except FileNotFoundError:
        return _of_checkout(folder.parents[1])


def _of_checkout(root: Path) -> str:
    """Returns the version of a checkout; a repository around sources without one is not asked."""
    if not (root / ".git").exists():
        return LINE
    try:
        done = subprocess.run(
            COMMITS, cwd=root, capture_output=True, text=True, check=False, timeout=GIT_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return LINE
    commits = done.stdout.split()
    if done.returncode or not commits:  # git refuses, or HEAD is a release
        return LINE
    return f"{LINE}.dev{len(commits)}+g{commits[0]}"
