"""Journal: snapshots and the events between them, so that the core can be what it was.

An event is written after the core has taken it and before any durable consequence of it leaves.
Recovery feeds the written events to the core again; what the core then asks for was carried out
already, or has lost its point, save for the books: those are written once more, which changes
nothing when they stand. What is older than the last snapshot is kept for a while, with a chain of
digests of what was decided, so that it can be exported and replayed exactly.
"""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from entraide.decoding import MsgpackDecoder, decode_msgpack
from entraide.errors import PoolError
from entraide_scheduler.core.commands import Command, PostCorrection, Settle
from entraide_scheduler.core.events import Event, PeriodBegan, SchedulerStarted
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period
from entraide_scheduler.core.recording import chained
from entraide_scheduler.store.journal import NO_RETENTION, JournalRow, Retention
from entraide_scheduler.store.store import Store

EVENTS_PER_SNAPSHOT = 20_000
SNAPSHOT_EVERY_S = 300.0
GATHER_S = 0.005

_encoder = msgspec.msgpack.Encoder()
_decoder: MsgpackDecoder[Event] = MsgpackDecoder(Event)


class DriverSnapshot(Struct, frozen=True, array_like=True):
    """A snapshot: the core's state, and what its driver must remember beside it.

    Attributes:
        core: ``Core.snapshot()``.
        event_id, at: of the last event in it.
        incarnation: how many times the scheduler has started.
        periods: when the present period of each kind ends.
        digest: the chain of digests up to there; empty when none was kept.
        version: of Entraide, which took it.
    """

    core: bytes
    event_id: int = 0
    at: float = 0.0
    incarnation: int = 0
    periods: dict[Period, float] = {}
    digest: bytes = b""
    version: str = ""


class RecoveredState(Struct):
    """The core as it was, and what its driver must go on with.

    Attributes:
        core: after the last written event.
        event_id, at, incarnation, periods, digest: as in ``Frame``.
        postings: the books that the replayed events asked for, with the time of each.
        base, since: the snapshot that it was brought back from, and the encoded events after it.
    """

    core: Core
    event_id: int
    at: float
    incarnation: int
    periods: dict[Period, float]
    postings: list[tuple[float, Settle | PostCorrection]]
    digest: bytes = b""
    base: bytes = b""
    since: list[bytes] = []


async def recover(store: Store) -> RecoveredState:
    """Brings the core back from the store; a fresh core when there is nothing.

    Raises:
        PoolError: ``journal_unreadable``: a snapshot or an event cannot be understood, so that
            starting would forget what was promised.
    """
    snapshot, events = await store.load_journal()
    try:
        frame = (
            DriverSnapshot(Core().snapshot())
            if snapshot is None
            else decode_msgpack(snapshot[1], type=DriverSnapshot)
        )
        recovered = RecoveredState(
            core=Core.restore(frame.core),
            event_id=frame.event_id,
            at=frame.at,
            incarnation=frame.incarnation,
            periods=dict(frame.periods),
            postings=[],
            digest=frame.digest,
            base=frame.core,
        )
    except Exception as problem:
        raise _unreadable(snapshot[0] if snapshot else 0, problem) from problem
    matches = True
    for row in events:
        try:
            _replay(recovered, row)
        except Exception as problem:
            raise _unreadable(row.seq, problem) from problem
        if matches and row.digest and row.digest != recovered.digest:
            matches = False
            structlog.get_logger("entraide.journal").warning("journal.diverged", seq=row.seq)
    return recovered


def _replay(recovered: RecoveredState, row: JournalRow) -> None:
    event = _decoder.decode(row.event)
    commands = recovered.core.handle(event)
    if row.digest:
        recovered.digest = chained(recovered.digest, row.event, commands)
    for command in commands:
        if isinstance(command, Settle | PostCorrection):
            recovered.postings.append((event.at, command))
    recovered.since.append(row.event)
    recovered.event_id = event.id
    recovered.at = event.at
    if isinstance(event, PeriodBegan):
        recovered.periods[event.period] = event.ends_at
    elif isinstance(event, SchedulerStarted):
        recovered.incarnation = event.incarnation


def _unreadable(seq: int, problem: Exception) -> PoolError:
    return PoolError(
        "journal_unreadable",
        f"The journal cannot be read at event {seq} ({problem!r}): restore the store from its"
        " backup, or start the version that wrote it.",
        values={"event": seq, "detail": repr(problem)},
    )


class Journal:
    """The writing side: gathers events into one write, for ``GATHER_S`` unless somebody waits."""

    def __init__(
        self, store: Store, *, at: float, digest: bytes = b"", retention: Retention = NO_RETENTION
    ) -> None:
        """Writes on where a digest stands.

        Args:
            store: to write to.
            at: now.
            digest: the chain so far.
            retention: how much of the past is kept; without retention no digests are kept.
        """
        self._store = store
        self._digest = digest
        self._retention = retention
        self._rows: list[JournalRow] = []
        self._timer: asyncio.TimerHandle | None = None
        self._since_snapshot = 0
        self._snapshot_at = at
        self._log = structlog.get_logger("entraide.journal")
        self.failed: Future[None] = asyncio.get_running_loop().create_future()

    def encode(self, event: Event) -> bytes:
        """Returns an event as it is written; raises when it cannot be."""
        return _encoder.encode(event)

    def append(self, event: int, packed: bytes, commands: Sequence[Command]) -> None:
        """Writes an event, soon, and the digest of what was decided on it.

        Args:
            event: its number.
            packed: the event, encoded.
            commands: what followed from it; where they cannot be encoded, nothing is written.
        """
        if self._retention.keep_s > 0.0:
            self._digest = chained(self._digest, packed, commands)
            self._rows.append(JournalRow(event, packed, self._digest))
        else:
            self._rows.append(JournalRow(event, packed))
        self._since_snapshot += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self.flush)

    def flush(self) -> None:
        """Hands what was gathered to the store, ahead of whatever is written next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._rows:
            written = self._store.append_journal(self._rows)
            written.add_done_callback(self._on_written)
            self._rows = []

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all that was written so far is on disk."""
        self.flush()
        return self._store.committed()

    def snapshot_is_due(self, at: float) -> bool:
        """Whether the journal has grown, or aged, enough."""
        old = at - self._snapshot_at >= SNAPSHOT_EVERY_S
        return self._since_snapshot >= EVENTS_PER_SNAPSHOT or (old and self._since_snapshot > 0)

    def write_snapshot(self, frame: DriverSnapshot, *, at: float) -> Future[None]:
        """Writes a snapshot with the digest so far; forgets what is too old to be kept."""
        self.flush()
        self._since_snapshot = 0
        self._snapshot_at = at
        state = _encoder.encode(msgspec.structs.replace(frame, digest=self._digest))
        return self._store.put_snapshot(
            frame.event_id, state, at=frame.at, retention=self._retention
        )

    def _on_written(self, future: Future[Any]) -> None:
        problem = None if future.cancelled() else future.exception()
        if problem is not None and not self.failed.done():
            self._log.critical("journal.failed", problem=repr(problem))
            self.failed.set_exception(problem)
