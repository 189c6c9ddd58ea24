"""Reading: the system clock, compared with the last event in the store. Nothing is changed.

A pool that was restored from a backup counts its restore as an event, since its operator was there.
"""

import time
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from entraide.decoding import MsgpackDecoder
from entraide_scheduler.core.events import Event
from entraide_scheduler.driver import ClockState, compare_clock
from entraide_scheduler.restored import read_mark
from entraide_scheduler.store.database import database_url, make_engines
from entraide_scheduler.store.schema import journal, snapshots

_decoder: MsgpackDecoder[Event] = MsgpackDecoder(Event)


class ClockReading(Struct, frozen=True):
    """The system clock and the pool's time.

    Attributes:
        now: the system clock, seconds since the epoch.
        last_at: time of the last event; 0 if there is none.
    """

    now: float
    last_at: float

    @property
    def offset_s(self) -> float:
        """How far the clock is ahead of the last event, seconds; 0 where there is none."""
        return self.now - self.last_at if self.last_at else 0.0

    @property
    def state(self) -> ClockState:
        """Where the system clock is."""
        return compare_clock(self.offset_s)


def read_clock(state: Path, url: str) -> ClockReading:
    """Compares the system clock with the last event of a pool.

    Args:
        state: the pool's directory.
        url: of its store; one that cannot be read has no events.
    """
    now, last_at = time.time(), read_last_at(url)
    restored_at = read_mark(state).at
    if last_at and last_at < restored_at <= now:
        last_at = restored_at
    return ClockReading(now, last_at)


def read_last_at(url: str) -> float:
    """Returns the time of the last event in a store; 0 if there is none."""
    parsed = database_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
        return 0.0
    engines = make_engines(parsed)
    try:
        with engines[1].connect() as connection:
            return _find_last_at(connection)
    except (SQLAlchemyError, msgspec.MsgspecError):
        return 0.0  # opening the store reports what is wrong
    finally:
        for engine in engines:
            engine.dispose()


def _find_last_at(connection: Connection) -> float:
    newest = select(journal.c.seq, journal.c.event).order_by(journal.c.seq.desc()).limit(1)
    kept = select(snapshots.c.seq, snapshots.c.at).order_by(snapshots.c.seq.desc()).limit(1)
    event, snapshot = connection.execute(newest).first(), connection.execute(kept).first()
    if event is not None and (snapshot is None or event.seq > snapshot.seq):
        return float(_decoder.decode(event.event).at)
    return float(snapshot.at) if snapshot is not None else 0.0
