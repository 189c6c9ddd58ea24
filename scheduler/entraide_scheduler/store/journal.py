"""The journal's rows: snapshots and the events between them, as functions on a connection.

The newest snapshot and the events after it are what a start goes on from. Older ones are kept for
replays, within bounds; of older snapshots only as many as give a replay somewhere to begin.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from entraide_scheduler.store.schema import journal, snapshots

SNAPSHOTS_APART_S = 3_600.0  # of the older ones
FORGET_MAX = 100_000  # events forgotten by one snapshot: the writer has others to serve
ROWS_AT_ONCE = 1_000

_APPEND = insert(journal)


class JournalRow(NamedTuple):
    """An event's row: its number, its bytes, and the chain of digests, if one is kept."""

    seq: int
    event: bytes
    digest: bytes = b""


class Retention(Struct, frozen=True):
    """What is kept of the past: events of so many seconds, and no more than so many."""

    keep_s: float = 0.0
    events_max: int = 0


class SnapshotKey(NamedTuple):
    """A snapshot that is kept: the number of its last event, and when it was taken."""

    seq: int
    at: float


NO_RETENTION = Retention()


def append_events(connection: Connection, batches: list[Sequence[JournalRow]]) -> list[None]:
    """Adds events to the journal; a number that stands there already is an error."""
    rows = [
        {"seq": row.seq, "event": row.event, "digest": row.digest or None}
        for batch in batches
        for row in batch
    ]
    if rows:
        connection.execute(_APPEND, rows)
    return [None] * len(batches)


def put_snapshot(
    connection: Connection,
    seq: int,
    state: bytes,
    *,
    at: float = 0.0,
    retention: Retention = NO_RETENTION,
) -> None:
    """Adds a snapshot of all events up to and including ``seq``; forgets what is too old."""
    connection.execute(delete(snapshots).where(snapshots.c.seq == seq))
    connection.execute(insert(snapshots).values(seq=seq, state=state, at=at))
    retained = select_retained(list_snapshots(connection), retention)
    connection.execute(
        delete(snapshots).where(snapshots.c.seq.not_in([row.seq for row in retained]))
    )
    first = connection.execute(select(func.min(journal.c.seq))).scalar()
    if first is not None and first <= retained[0].seq:
        edge = min(retained[0].seq, first + FORGET_MAX)
        connection.execute(delete(journal).where(journal.c.seq <= edge))


def select_retained(rows: Sequence[SnapshotKey], retention: Retention) -> list[SnapshotKey]:
    """Returns which snapshots stay: one to begin at, some on the way, and the newest."""
    newest = rows[-1]
    candidates = [row for row in rows[:-1] if newest.seq - row.seq <= retention.events_max]
    # The last one before the edge stays, so that all of the time that is kept can be replayed.
    before_limit = [row for row in candidates if row.at <= newest.at - retention.keep_s]
    candidates = [row for row in candidates if row.at > newest.at - retention.keep_s]
    if before_limit and retention.keep_s > 0.0:
        candidates.insert(0, before_limit[-1])
    spaced: list[SnapshotKey] = []
    for row in candidates:
        if not spaced or row.at - spaced[-1].at >= SNAPSHOTS_APART_S:
            spaced.append(row)
    return [*spaced, newest]


def list_snapshots(connection: Connection) -> list[SnapshotKey]:
    """Returns the snapshots that are kept, oldest first."""
    query = select(snapshots.c.seq, snapshots.c.at).order_by(snapshots.c.seq)
    return [SnapshotKey(*row) for row in connection.execute(query)]


def last_undigested_seq(connection: Connection) -> int:
    """Returns the number of the last event without a digest; -1 when there is none."""
    result = connection.execute(select(func.max(journal.c.seq)).where(journal.c.digest.is_(None)))
    newest = result.scalar()
    return -1 if newest is None else int(newest)


def read_snapshot(connection: Connection, seq: int) -> bytes:
    """Returns the snapshot with that number, which must be there."""
    query = select(snapshots.c.state).where(snapshots.c.seq == seq)
    return bytes(connection.execute(query).scalar_one())


def load_latest(connection: Connection) -> tuple[tuple[int, bytes] | None, tuple[JournalRow, ...]]:
    """Returns the newest snapshot (number, state) if any, and the events after it in order."""
    query = select(snapshots.c.seq, snapshots.c.state).order_by(snapshots.c.seq.desc()).limit(1)
    newest = connection.execute(query).first()
    seq = newest.seq if newest else -1
    return ((newest.seq, newest.state) if newest else None), tuple(
        read_events_after(connection, seq)
    )


def read_events_after(connection: Connection, seq: int) -> Iterator[JournalRow]:
    """Yields the events after a number, in order."""
    columns = (journal.c.seq, journal.c.event, journal.c.digest)
    query = select(*columns).where(journal.c.seq > seq).order_by(journal.c.seq)
    for row in connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
        yield JournalRow(row.seq, row.event, row.digest or b"")
