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
from entraide_scheduler.core.events import Event, JobRequested
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import (
    RecordedEvent,
    RecordingHead,
    UnreadableRecording,
    event_of,
    lines_of,
    next_digest,
    read_parts,
)
from entraide_sim.scenario import version

BLOCK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"

Watch = Callable[[Event, Sequence[Command]], None]


class Divergence(Struct, frozen=True):
    """The first event at which a replay diverges.

    Attributes:
        number: index in the recording, from 1.
        event: identifier; 0 if unreadable.
        at: time of the event, seconds since the epoch; 0 if unreadable.
        kind: type (``JobRequested``); "" if unreadable.
        commands: types of the replayed commands.
        detail: the core's exception, if it raised one.
    """

    number: int
    event: int
    at: float
    kind: str
    commands: tuple[str, ...]
    detail: str = ""


class ExactReplay(Struct, frozen=True):
    """Result of an exact replay.

    Attributes:
        recorded_version, version: of Entraide, at the recording and now.
        start_at, end_at: of the recording, seconds since the epoch.
        events, commands: replayed identically.
        diverged: the divergence; None if there is none.
    """

    recorded_version: str
    version: str
    start_at: float
    end_at: float
    events: int
    commands: int
    diverged: Divergence | None = None


def read_head(path: Path) -> RecordingHead:
    """Reads a recording completely to verify it; returns its head.

    Raises:
        RequestError: ``journal_refused``: not a journal, or cut or altered.
    """
    head: RecordingHead | None = None
    try:
        for part in read_parts(_read_blocks(path)):
            if head is None:
                if not isinstance(part, RecordingHead):
                    raise UnreadableRecording("altered")
                head = part
    except UnreadableRecording as problem:
        raise journal_error(path, problem.code) from problem
    assert head is not None
    return head


def read_lines(path: Path) -> Iterator[RecordedEvent]:
    """Yields the lines of a verified recording."""
    parts = read_parts(_read_blocks(path), verified=True)
    return (part for part in parts if isinstance(part, RecordedEvent))


def read_events(path: Path) -> Iterator[Event]:
    """Yields the events of a recording that was replayed exactly."""
    return map(event_of, read_lines(path))


def read_requests(path: Path) -> Iterator[Event]:
    """Yields the requests of a recording that was replayed exactly; the rest is not decoded."""
    return map(event_of, lines_of(read_lines(path), JobRequested))


def restore_core(path: Path, head: RecordingHead) -> Core:
    """Returns the core with its state at the start of a recording.

    Raises:
        RequestError: ``journal_refused``: another version wrote it.
    """
    try:
        return Core.restore(head.core)
    except msgspec.DecodeError as problem:
        versions = {"recorded": head.version, "version": version()}
        raise journal_error(path, "other_version", **versions) from problem


def replay_exactly(
    path: Path, head: RecordingHead, *, watch: Watch | None = None
) -> tuple[ExactReplay, Core]:
    """Replays all events, up to the first whose commands differ.

    Args:
        path: of the recording.
        head: as returned by ``read_head``.
        watch: called with each event and its commands.

    Returns:
        The result, and the core at the end.

    Raises:
        RequestError: as ``restore_core``.
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
        except Exception as problem:  # noqa: BLE001  (any exception ends the replay)
            diverged = _divergence(events + 1, event, replayed, repr(problem))
            break
        digest = next_digest(digest, line.event, replayed)
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
    """Returns the error of an unusable recording."""
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
        raise UnreadableRecording("no_file") from None
    except EOFError:
        raise UnreadableRecording("cut") from None
    except (OSError, zlib.error) as problem:
        raise UnreadableRecording("altered" if _is_gzip(path) else "no_journal") from problem


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
