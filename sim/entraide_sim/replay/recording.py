"""Recording: reads a journal file and replays it exactly.

The core's state at the start and the recorded events must give the same commands, byte for byte.
The replay diverges at the first event whose digest differs.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.errors import RequestError
from entraide_scheduler.core.commands import Command
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import Head, Line, Unreadable, chained, event_of, parts
from entraide_sim.results import version

BLOCK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"

Watch = Callable[[Event, Sequence[Command]], None]


class Divergence(Struct, frozen=True):
    """The first event at which a replay differs.

    Attributes:
        number: its place in the recording, from 1.
        event: its identifier; 0 when it cannot be read.
        at: when it happened, seconds since the epoch; 0 when it cannot be read.
        kind: what it is (``JobRequested``); "" when it cannot be read.
        commands: what is asked for now, by kind.
        detail: what the core said, where it could not go on.
    """

    number: int
    event: int
    at: float
    kind: str
    commands: tuple[str, ...]
    detail: str = ""


class ExactReplay(Struct, frozen=True):
    """What an exact replay came to.

    Attributes:
        recorded_version, version: of Entraide, then and now.
        start_at, end_at: of the recording, seconds since the epoch.
        events, commands: replayed alike.
        diverged: None when all of it was.
    """

    recorded_version: str
    version: str
    start_at: float
    end_at: float
    events: int
    commands: int
    diverged: Divergence | None = None


def read_head(path: Path) -> Head:
    """Reads a recording to its end, so that it is known to be whole; returns its head.

    Raises:
        RequestError: ``journal_refused``: it is none, or it was cut or altered.
    """
    head: Head | None = None
    try:
        for part in parts(_read_blocks(path)):
            if head is None:
                if not isinstance(part, Head):
                    raise Unreadable("altered")
                head = part
    except Unreadable as problem:
        raise journal_error(path, problem.code) from problem
    assert head is not None
    return head


def read_lines(path: Path) -> Iterator[Line]:
    """Yields the lines of a recording that is known to be whole."""
    return (part for part in parts(_read_blocks(path)) if isinstance(part, Line))


def read_events(path: Path) -> Iterator[Event]:
    """Yields the events of a recording that was replayed exactly."""
    return map(event_of, read_lines(path))


def restore_core(path: Path, head: Head) -> Core:
    """Returns the core as it was where a recording begins.

    Raises:
        RequestError: ``journal_refused``: another version wrote it.
    """
    try:
        return Core.restore(head.core)
    except msgspec.DecodeError as problem:
        versions = {"recorded": head.version, "version": version()}
        raise journal_error(path, "other_version", **versions) from problem


def replay_exactly(
    path: Path, head: Head, *, watch: Watch | None = None
) -> tuple[ExactReplay, Core]:
    """Feeds all events again, up to the first at which the commands differ.

    Args:
        path: of the recording.
        head: as ``head_of`` returned it.
        watch: is shown each event with the commands that followed.

    Returns:
        What it came to, and the core where it ended.

    Raises:
        RequestError: as ``restored``.
    """
    core, digest, at = restore_core(path, head), head.digest, head.at
    events = commands = 0
    diverged: Divergence | None = None
    for line in read_lines(path):
        event: Event | None = None
        replayed: list[Command] = []
        try:
            event = event_of(line)
            replayed = core.handle(event)
        except Exception as problem:  # noqa: BLE001  (whatever it is, the replay ends there)
            diverged = _divergence(events + 1, event, replayed, repr(problem))
            break
        digest = chained(digest, line.event, replayed)
        if digest != line.digest:
            diverged = _divergence(events + 1, event, replayed, "")
            break
        events += 1
        commands += len(replayed)
        at = event.at
        if watch is not None:
            watch(event, replayed)
    exact = ExactReplay(head.version, version(), head.at, at, events, commands, diverged)
    return exact, core


def journal_error(path: Path, fault: str, **values: str | float) -> RequestError:
    """Returns the error of a recording that cannot be used."""
    return RequestError(
        "journal_refused",
        f"{path}: {fault} {values}",
        values={**values, "path": str(path), "fault": fault},
    )


def _divergence(
    number: int, event: Event | None, commands: Sequence[Command], detail: str
) -> Divergence:
    kinds = tuple(type(command).__name__ for command in commands)
    if event is None:
        return Divergence(number, 0, 0.0, "", kinds, detail)
    return Divergence(number, event.id, event.at, type(event).__name__, kinds, detail)


def _read_blocks(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except FileNotFoundError:
        raise Unreadable("no_file") from None
    except EOFError:
        raise Unreadable("cut") from None
    except (OSError, zlib.error) as problem:
        raise Unreadable("altered" if _is_gzip(path) else "no_journal") from problem


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
