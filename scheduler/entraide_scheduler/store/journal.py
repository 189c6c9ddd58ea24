"""Journal rows: snapshots and events, with queries as functions on a connection.

A start recovers from the newest snapshot and the events after it. Older rows are retained for
replays, within the retention; of older snapshots, one per hour is kept for three days, then one per
day. How old a row is, the trusted time says.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select, update

from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.compiled import insert_into
from entraide_scheduler.store.schema import journal, snapshots

SNAPSHOTS_APART_S = 3_600.0  # between two snapshots of the last days
SNAPSHOTS_HOURLY_S = 3 * 86_400.0
OLD_SNAPSHOTS_APART_S = 86_400.0  # between two older ones
FORGET_MAX = 100_000  # events deleted per snapshot, to bound the writer's time
ROWS_AT_ONCE = 1_000
SAMPLE_EVENTS = 1_000

_APPEND = insert_into(journal)


class JournalRow(NamedTuple):
    """An event's row: number, encoded event, and hash chain (empty without retention)."""

    seq: int
    event: bytes
    digest: bytes = b""


class Retention(Struct, frozen=True):
    """Retention of old events: at most ``keep_s`` seconds and ``events_max`` events."""

    keep_s: float = 0.0
    events_max: int = 0


class SnapshotKey(NamedTuple):
    """A stored snapshot: number of its last event, and its time."""

    seq: int
    at: float


class JournalExtent(NamedTuple):
    """How much of the past is stored.

    Attributes:
        since: time of the oldest snapshot, seconds since the epoch; 0 without one.
        events: number of events after it.
        bytes: their size, estimated from the newest ``SAMPLE_EVENTS``.
    """

    since: float
    events: int
    bytes: int


NO_RETENTION = Retention()


def append_events(connection: Connection, batches: list[Sequence[JournalRow]]) -> list[None]:
    """Adds events to the journal; an existing number is an error."""
    rows = [(row.seq, row.event, row.digest or None) for batch in batches for row in batch]
    if rows:
        _APPEND.execute(connection, rows)
    return [None] * len(batches)


def put_snapshot(
    connection: Connection,
    seq: int,
    state: bytes,
    *,
    at: float = 0.0,
    retention: Retention = NO_RETENTION,
) -> None:
    """Adds a snapshot up to and including event ``seq``; deletes rows beyond the retention."""
    connection.execute(delete(snapshots).where(snapshots.c.seq == seq))
    connection.execute(insert(snapshots).values(seq=seq, state=state, at=at))
    now = trusted_time.limit(connection, at)
    retained = select_retained(list_snapshots(connection), retention, now=now)
    connection.execute(
        delete(snapshots).where(snapshots.c.seq.not_in([row.seq for row in retained]))
    )
    first = connection.execute(select(func.min(journal.c.seq))).scalar()
    if first is not None and first <= retained[0].seq:
        edge = min(retained[0].seq, first + FORGET_MAX)
        connection.execute(delete(journal).where(journal.c.seq <= edge))


def select_retained(
    rows: Sequence[SnapshotKey], retention: Retention, *, now: float
) -> list[SnapshotKey]:
    """Returns the snapshots to retain: one before the limit, some after it, and the newest."""
    newest = rows[-1]
    candidates = [row for row in rows[:-1] if newest.seq - row.seq <= retention.events_max]
    # The last snapshot before the limit is kept, so that all retained events can be replayed.
    before_limit = [row for row in candidates if row.at <= now - retention.keep_s]
    candidates = [row for row in candidates if row.at > now - retention.keep_s]
    if before_limit and retention.keep_s > 0.0:
        candidates.insert(0, before_limit[-1])
    spaced: list[SnapshotKey] = []
    for row in candidates:
        is_recent = row.at > now - SNAPSHOTS_HOURLY_S
        apart_s = SNAPSHOTS_APART_S if is_recent else OLD_SNAPSHOTS_APART_S
        if not spaced or row.at - spaced[-1].at >= apart_s:
            spaced.append(row)
    return [*spaced, newest]


def list_snapshots(connection: Connection) -> list[SnapshotKey]:
    """Returns the stored snapshots, oldest first."""
    query = select(snapshots.c.seq, snapshots.c.at).order_by(snapshots.c.seq)
    return [SnapshotKey(*row) for row in connection.execute(query)]


def last_undigested_seq(connection: Connection) -> int:
    """Returns the number of the last event without a digest; -1 if there is none."""
    result = connection.execute(select(func.max(journal.c.seq)).where(journal.c.digest.is_(None)))
    newest = result.scalar()
    return -1 if newest is None else int(newest)


def read_extent(connection: Connection) -> JournalExtent:
    """Returns how much of the past is stored, without reading every row."""
    rows = list_snapshots(connection)
    newest = connection.execute(select(func.max(journal.c.seq))).scalar()
    if not rows or newest is None:
        return JournalExtent(rows[0].at if rows else 0.0, 0, 0)
    # Events are numbered without gaps, so their number follows from the first and the last.
    events = max(0, newest - rows[0].seq)
    sample = select(func.length(journal.c.event).label("size")).where(
        journal.c.seq > max(rows[0].seq, newest - SAMPLE_EVENTS)
    )
    mean = connection.execute(select(func.avg(sample.subquery().c.size))).scalar() or 0.0
    return JournalExtent(rows[0].at, events, round(events * float(mean)))


def read_snapshot(connection: Connection, seq: int) -> bytes:
    """Returns the snapshot with that number, which must exist."""
    query = select(snapshots.c.state).where(snapshots.c.seq == seq)
    return bytes(connection.execute(query).scalar_one())


def load_latest(connection: Connection) -> tuple[tuple[int, bytes] | None, tuple[JournalRow, ...]]:
    """Returns the newest snapshot (number, state) or None, and the events after it in order."""
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


def date_no_later(connection: Connection, at: float) -> None:
    """Dates the snapshots that are later than a time at that time."""
    connection.execute(update(snapshots).where(snapshots.c.at > at).values(at=at))
