"""Terminals: time since the last input on a console or a remote terminal.

Input: the access times of terminal files, which ``w`` uses too (Linux rounds them down to 8 s).
Output: the idle time in seconds. On a server without a screen this is the only source; on a desktop
it detects an owner who is signed in remotely.
"""

from collections.abc import Iterable
from math import inf
from pathlib import Path

LINUX = (("/dev/pts", "[0-9]*"), ("/dev", "tty[1-9]*"))
MACOS = (("/dev", "ttys[0-9]*"),)
TERMINALS_MAX = 4_096


def find_terminals(places: Iterable[tuple[str, str]], *, boot_at: float) -> list[Path]:
    """Returns the terminals in use: those accessed since the system started."""
    paths: list[Path] = []
    for folder, pattern in places:
        try:
            paths += sorted(Path(folder).glob(pattern))[:TERMINALS_MAX]
        except OSError:
            continue
    return [path for path in paths if _touched_at(path) > boot_at]


def idle_s(places: Iterable[tuple[str, str]], *, now: float, boot_at: float) -> float:
    """Returns the time since the last terminal input; infinite if nobody is signed in.

    Args:
        places: folders, and patterns of terminals in them.
        now: seconds since the epoch.
        boot_at: when the system started; a console without access since then is not in use.
    """
    touched = [_touched_at(path) for path in find_terminals(places, boot_at=boot_at)]
    return max(0.0, now - max(touched)) if touched else inf


def _touched_at(path: Path) -> float:
    try:
        stat = path.stat()
    except OSError:
        return 0.0
    return stat.st_atime
