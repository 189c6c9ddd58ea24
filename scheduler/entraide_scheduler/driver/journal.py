"""Journal: write-ahead log of events and snapshots, from which the core is recovered.

An event is written after the core has handled it and before any durable effect of it. Recovery
restores the newest snapshot and replays the events after it. The commands of replayed events are
dropped, because they were carried out or have expired; settlements alone are written again, which
is idempotent. Events before the newest snapshot are retained for a time, with a hash chain over
events and commands, so that they can be exported and replayed exactly.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from entraide.decoding import MsgpackDecoder, decode_msgpack
from entraide.errors import PoolError
from entraide_scheduler.core.commands import Command, Posting
from entraide_scheduler.core.events import Event, PeriodBegan, SchedulerStarted
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period
from entraide_scheduler.core.recording import next_digest
from entraide_scheduler.store.journal import NO_RETENTION, JournalRow, Retention
from entraide_scheduler.store.store import Store

EVENTS_PER_SNAPSHOT = 20_000
SNAPSHOT_EVERY_S = 300.0
GATHER_S = 0.005

_encoder = msgspec.msgpack.Encoder()
_decoder: MsgpackDecoder[Event] = MsgpackDecoder(Event)


class DriverSnapshot(Struct, frozen=True, array_like=True):
    """A snapshot of the core and of the driver's own state.

    Attributes:
        core: ``Core.snapshot()``.
        event_id, at: number and time of the last event before the snapshot.
        incarnation: how many times the scheduler has started.
        periods: end of the present period of each kind, seconds since the epoch.
        digest: the hash chain up to this snapshot; empty without retention.
        version: version of Entraide that made the snapshot.
        clock_settings: how many times the pool was set back to an earlier time.
    """

    core: bytes
    event_id: int = 0
    at: float = 0.0
    incarnation: int = 0
    periods: dict[Period, float] = {}
    digest: bytes = b""
    version: str = ""
    clock_settings: int = 0


class RecoveredState(Struct):
    """The recovered core and driver state.

    Attributes:
        core: the core after the last written event.
        event_id, at, incarnation, periods, digest, clock_settings: as in ``DriverSnapshot``.
        postings: settlements and corrections of the replayed events, with their times.
        base, since: the snapshot used, and the encoded events after it.
    """

    core: Core
    event_id: int
    at: float
    incarnation: int
    periods: dict[Period, float]
    postings: list[tuple[float, Posting]]
    digest: bytes = b""
    base: bytes = b""
    since: list[bytes] = []
    clock_settings: int = 0


async def recover(store: Store) -> RecoveredState:
    """Recovers the core from the store; an empty store gives a new core.

    Raises:
        PoolError: ``journal_unreadable``: a snapshot or an event cannot be decoded; starting
            without it would lose accepted jobs.
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
            clock_settings=frame.clock_settings,
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
    if event.id != row.seq or event.id <= recovered.event_id:
        raise ValueError(f"row {row.seq} has event {event.id} after event {recovered.event_id}")
    commands = recovered.core.handle(event)
    if row.digest:
        recovered.digest = next_digest(recovered.digest, row.event, commands)
    for command in commands:
        if isinstance(command, Posting):
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
    """Writes events in batches: each ``GATHER_S``, or at once if a caller awaits the commit.

    Attributes:
        failed: gets the exception of a write that failed.
    """

    def __init__(
        self, store: Store, *, at: float, digest: bytes = b"", retention: Retention = NO_RETENTION
    ) -> None:
        """Continues a journal.

        Args:
            store: receives the rows.
            at: time now, seconds since the epoch.
            digest: the hash chain so far.
            retention: how much of the past is kept; without retention no digests are kept.
        """
        self._store = store
        self._digest = digest
        self._retention = retention
        self._rows: list[JournalRow] = []
        self._written_id = self._appended_id = 0
        self._deferred: list[tuple[int, Callable[[], None]]] = []
        self._is_flush_due = False
        self._since_snapshot = 0
        self._snapshot_at = at
        self._log = structlog.get_logger("entraide.journal")
        self.failed: Future[None] = asyncio.get_running_loop().create_future()

    def encode(self, event: Event) -> bytes:
        """Returns an event encoded; raises if it cannot be encoded."""
        return _encoder.encode(event)

    def append(self, event: int, packed: bytes, commands: Sequence[Command]) -> None:
        """Queues an event for writing, with the digest of its commands.

        Args:
            event: number of the event, above those of the events before.
            packed: the event, encoded.
            commands: commands of the event; if they cannot be encoded, nothing is written.
        """
        assert event > self._appended_id, f"event {event} after event {self._appended_id}"
        self._appended_id = event
        if self._retention.keep_s > 0.0:
            self._digest = next_digest(self._digest, packed, commands)
            self._rows.append(JournalRow(event, packed, self._digest))
        else:
            self._rows.append(JournalRow(event, packed))
        self._since_snapshot += 1
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_later(GATHER_S, self._flush_when_due)

    def _flush_when_due(self) -> None:
        self._is_flush_due = False
        self.flush()

    def flush(self) -> None:
        """Passes the queued events to the store, before any later write."""
        if self._rows:
            written = self._store.append_journal(self._rows)
            written.add_done_callback(partial(self._on_written, self._rows[-1].seq))
            self._rows = []

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all events so far are on disk."""
        self.flush()
        return self._store.committed()

    def defer_until_written(self, event: int, action: Callable[[], None]) -> bool:
        """Calls an action when the events up to a number are on disk; False if they are."""
        if event <= self._written_id:
            return False
        self.flush()
        self._deferred.append((event, action))
        return True

    def snapshot_is_due(self, at: float) -> bool:
        """Whether enough events or time have passed since the last snapshot."""
        old = at - self._snapshot_at >= SNAPSHOT_EVERY_S
        return self._since_snapshot >= EVENTS_PER_SNAPSHOT or (old and self._since_snapshot > 0)

    def write_snapshot(self, frame: DriverSnapshot, *, at: float) -> Future[None]:
        """Writes a snapshot with the digest so far; deletes rows beyond the retention."""
        self.flush()
        self._since_snapshot = 0
        self._snapshot_at = at
        state = _encoder.encode(msgspec.structs.replace(frame, digest=self._digest))
        return self._store.put_snapshot(
            frame.event_id, state, at=frame.at, retention=self._retention
        )

    def _on_written(self, last: int, future: Future[Any]) -> None:
        if future.cancelled():
            return
        problem = future.exception()
        if problem is None:
            self._written_id = last
            deferred, self._deferred = self._deferred, []
            for event, action in deferred:
                if event <= last:
                    asyncio.get_running_loop().call_soon(action)
                else:
                    self._deferred.append((event, action))
        elif not self.failed.done():
            self._log.critical("journal.failed", problem=repr(problem))
            self.failed.set_exception(problem)
