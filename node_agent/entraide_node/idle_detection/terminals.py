"""Terminals: since when nobody has typed on a console, or from far away.

It decides by what ``w`` goes by: a terminal's file is read when somebody types, and its access time
says when (Linux rounds it down to 8 s). On a server without a screen this is all there is; on a
desktop, it is how an owner who is signed in from elsewhere is seen.
"""

from collections.abc import Iterable
from math import inf
from pathlib import Path

LINUX = (("/dev/pts", "[0-9]*"), ("/dev", "tty[1-9]*"))
MACOS = (("/dev", "ttys[0-9]*"),)
TERMINALS_MAX = 4_096


def find_terminals(places: Iterable[tuple[str, str]], *, boot_at: float) -> list[Path]:
    """Returns the terminals that somebody may sit at: those touched since the system started."""
    paths: list[Path] = []
    for folder, pattern in places:
        try:
            paths += sorted(Path(folder).glob(pattern))[:TERMINALS_MAX]
        except OSError:
            continue
    return [path for path in paths if _touched_at(path) > boot_at]


def idle_s(places: Iterable[tuple[str, str]], *, now: float, boot_at: float) -> float:
    """Returns since when nobody has typed; infinite where nobody is signed in.

    Args:
        places: folders, and what terminals are called there.
        now: seconds since the epoch.
        boot_at: when the system started: consoles untouched since then are nobody's.
    """
    touched = [_touched_at(path) for path in find_terminals(places, boot_at=boot_at)]
    return max(0.0, now - max(touched)) if touched else inf


def _touched_at(path: Path) -> float:
    try:
        stat = path.stat()
    except OSError:
        return 0.0
    return stat.st_atime
