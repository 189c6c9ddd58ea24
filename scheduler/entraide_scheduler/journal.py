"""Journal: the events since the last snapshot, so that the core can be what it was.

An event is written after the core has taken it and before any durable consequence of it leaves.
Recovery feeds the written events to the core again; what the core then asks for was carried out
already, or has lost its point, save for the books: those are written once more, which changes
nothing when they stand.
"""

import asyncio
from asyncio import Future
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from entraide.errors import PoolError
from entraide_scheduler.core.commands import PostCorrection, Settle
from entraide_scheduler.core.events import Event, PeriodBegan, SchedulerStarted
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Period
from entraide_scheduler.store.store import Store

EVENTS_PER_SNAPSHOT = 20_000
SNAPSHOT_EVERY_S = 300.0
GATHER_S = 0.005

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


class Frame(Struct, frozen=True, array_like=True):
    """A snapshot: the core's state, and what its driver must remember beside it.

    Attributes:
        core: ``Core.snapshot()``.
        event_id, at: of the last event in it.
        incarnation: how many times the scheduler has started.
        periods: when the present period of each kind ends.
    """

    core: bytes
    event_id: int = 0
    at: float = 0.0
    incarnation: int = 0
    periods: dict[Period, float] = {}


class Recovered(Struct):
    """The core as it was, and what its driver must go on with.

    Attributes:
        core: after the last written event.
        event_id, at, incarnation, periods: as in ``Frame``.
        postings: the books that the replayed events asked for, with the time of each.
    """

    core: Core
    event_id: int
    at: float
    incarnation: int
    periods: dict[Period, float]
    postings: list[tuple[float, Settle | PostCorrection]]


async def recover(store: Store) -> Recovered:
    """Brings the core back from the store; a fresh core when there is nothing.

    Raises:
        PoolError: ``journal_unreadable``: a snapshot or an event cannot be understood, so that
            starting would forget what was promised.
    """
    snapshot, events = await store.journal_load()
    try:
        frame = (
            Frame(Core().snapshot())
            if snapshot is None
            else msgspec.msgpack.decode(snapshot[1], type=Frame)
        )
        found = Recovered(
            core=Core.restore(frame.core),
            event_id=frame.event_id,
            at=frame.at,
            incarnation=frame.incarnation,
            periods=dict(frame.periods),
            postings=[],
        )
    except Exception as problem:
        raise _unreadable(snapshot[0] if snapshot else 0, problem) from problem
    for seq, raw in events:
        try:
            _replay(found, _decoder.decode(raw))
        except Exception as problem:
            raise _unreadable(seq, problem) from problem
    return found


def _replay(found: Recovered, event: Event) -> None:
    for command in found.core.handle(event):
        if isinstance(command, Settle | PostCorrection):
            found.postings.append((event.at, command))
    found.event_id = event.id
    found.at = event.at
    if isinstance(event, PeriodBegan):
        found.periods[event.period] = event.ends_at
    elif isinstance(event, SchedulerStarted):
        found.incarnation = event.incarnation


def _unreadable(seq: int, problem: Exception) -> PoolError:
    return PoolError(
        "journal_unreadable",
        f"The journal cannot be read at event {seq} ({problem!r}): restore the store from its"
        " backup, or start the version that wrote it.",
        values={"event": seq, "detail": repr(problem)},
    )


class Journal:
    """The writing side: gathers events into one write, for ``GATHER_S`` unless somebody waits."""

    def __init__(self, store: Store, *, at: float) -> None:
        self._store = store
        self._pending: list[tuple[int, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._since_snapshot = 0
        self._snapshot_at = at
        self._log = structlog.get_logger("entraide.journal")
        self.failed: Future[None] = asyncio.get_running_loop().create_future()

    def append(self, event: Event) -> None:
        """Writes an event, soon."""
        self._pending.append((event.id, _encoder.encode(event)))
        self._since_snapshot += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self.flush)

    def flush(self) -> None:
        """Hands what was gathered to the store, ahead of whatever is written next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            written = self._store.journal_append(self._pending)
            written.add_done_callback(self._written)
            self._pending = []

    def committed(self) -> Future[None]:
        """Returns a future that resolves when all that was written so far is on disk."""
        self.flush()
        return self._store.committed()

    def snapshot_is_due(self, at: float) -> bool:
        """Whether the journal has grown, or aged, enough."""
        old = at - self._snapshot_at >= SNAPSHOT_EVERY_S
        return self._since_snapshot >= EVENTS_PER_SNAPSHOT or (old and self._since_snapshot > 0)

    def snapshot(self, frame: Frame) -> Future[None]:
        """Puts a snapshot in the place of the events so far."""
        self.flush()
        self._since_snapshot = 0
        self._snapshot_at = frame.at
        return self._store.put_snapshot(frame.event_id, _encoder.encode(frame))

    def _written(self, future: Future[Any]) -> None:
        problem = None if future.cancelled() else future.exception()
        if problem is not None and not self.failed.done():
            self._log.critical("journal.failed", problem=repr(problem))
            self.failed.set_exception(problem)
