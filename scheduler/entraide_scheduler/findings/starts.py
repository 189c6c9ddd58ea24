"""Starts: the starts of a pool's processes after an end that nobody asked for.

In: the pool's directory. ``note_start`` and ``note_end`` keep a small file there for each part, the
scheduler and the process that supervises it. A start that finds no ``note_end`` counts as a break.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_private
from entraide_scheduler.findings.occurrences import Occurrences, Sort

FILES = "starts-*.json"
BREAKS_MAX = 20


class Starts(Struct, frozen=True):
    """Content of the file.

    Attributes:
        runs: whether a process has started and not ended in order.
        breaks: times of the starts after an end that nobody asked for, seconds since the epoch.
    """

    runs: bool = False
    breaks: tuple[float, ...] = ()


def note_start(home: Path, part: str, now: Callable[[], float] = time.time) -> None:
    """Notes that a process starts; it alone has the directory's lock."""
    last = _read(home, part)
    breaks = (*last.breaks, now())[-BREAKS_MAX:] if last.runs else last.breaks
    _write(home, part, Starts(runs=True, breaks=breaks))


def note_end(home: Path, part: str) -> None:
    """Notes that the process ends because it was asked to."""
    _write(home, part, Starts(breaks=_read(home, part).breaks))


def note_breaks(occurrences: Occurrences, home: Path, now: Callable[[], float] = time.time) -> None:
    """Notes the breaks of all parts as occurrences; none of a time that is to come."""
    for part in (Sort.POOL, Sort.SCHEDULER):
        for at in _read(home, part).breaks:
            if at <= now():
                occurrences.add(part, age_s=now() - at)


def _read(home: Path, part: str) -> Starts:
    try:
        return decode_json(_path(home, part).read_bytes(), type=Starts)
    except (OSError, msgspec.MsgspecError):
        return Starts()


def _write(home: Path, part: str, starts: Starts) -> None:
    with contextlib.suppress(OSError):  # a full disk must not keep a pool from starting
        write_private(_path(home, part), msgspec.json.encode(starts))


def _path(home: Path, part: str) -> Path:
    return home / FILES.replace("*", part)
