"""Books: journal, settlements, ledger entries and explanations, as functions on a connection."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from entraide.types import Receipt
from entraide_scheduler.store.rows import SettleRow
from entraide_scheduler.store.schema import entries, explanations, journal, settled, snapshots

EXPLANATIONS_MAX = 200_000
EXPLANATIONS_KEEP_S = 30 * 86_400.0

_receipt = msgspec.msgpack.Decoder(Receipt)
_encode = msgspec.msgpack.encode


def append(connection: Connection, events: Sequence[tuple[int, bytes]]) -> None:
    """Adds events to the journal; a number that stands there already is an error."""
    connection.execute(insert(journal), [{"seq": seq, "event": event} for seq, event in events])


def put_snapshot(connection: Connection, seq: int, state: bytes) -> None:
    """Puts a snapshot in the place of all events up to and including ``seq``."""
    connection.execute(delete(snapshots))
    connection.execute(insert(snapshots).values(seq=seq, state=state))
    connection.execute(delete(journal).where(journal.c.seq <= seq))


def load(connection: Connection) -> tuple[tuple[int, bytes] | None, tuple[tuple[int, bytes], ...]]:
    """Returns the snapshot (number, state) if any, and the events after it in order."""
    found = connection.execute(select(snapshots.c.seq, snapshots.c.state)).first()
    seq = found.seq if found else -1
    query = (
        select(journal.c.seq, journal.c.event).where(journal.c.seq > seq).order_by(journal.c.seq)
    )
    events = tuple((row.seq, row.event) for row in connection.execute(query))
    return ((found.seq, found.state) if found else None), events


def settle(connection: Connection, row: SettleRow) -> bool:
    """Writes the books of a job, once; returns whether this call did."""
    if connection.execute(select(settled.c.job).where(settled.c.job == row.job)).first():
        return False
    connection.execute(
        insert(settled).values(
            job=row.job,
            coop=row.coop,
            state=row.state.value,
            settled_at=row.receipt.issued_at,
            terms=_encode(row.terms),
            usage=_encode(row.usage),
            settlement=_encode(row.settlement),
            receipt=_encode(row.receipt),
        )
    )
    lines = [
        {"job": row.job, "line": line, "account": e.account, "unit": e.unit, "amount": e.amount}
        for line, e in enumerate(row.entries)
    ]
    if lines:
        connection.execute(insert(entries), lines)
    return True


def receipt(connection: Connection, job: str) -> tuple[str, Receipt] | None:
    """Returns the co-op and the settled receipt of a job."""
    query = select(settled.c.coop, settled.c.receipt).where(settled.c.job == job)
    row = connection.execute(query).first()
    return (row.coop, _receipt.decode(row.receipt)) if row else None


def settled_count(connection: Connection) -> int:
    """Returns how many jobs are settled."""
    return connection.execute(select(func.count()).select_from(settled)).scalar_one()


def balances(connection: Connection) -> dict[str, dict[str, int]]:
    """Returns the balance of each account in each unit, from the entries alone."""
    query = (
        select(entries.c.account, entries.c.unit, func.sum(entries.c.amount))
        .group_by(entries.c.account, entries.c.unit)
        .order_by(entries.c.account, entries.c.unit)
    )
    found: dict[str, dict[str, int]] = {}
    for account, unit, amount in connection.execute(query):
        found.setdefault(account, {})[unit] = int(amount)
    return found


def put_explanation(
    connection: Connection, job: str, *, coop: str, at: float, document: bytes
) -> None:
    """Keeps the newest explanation of a job."""
    values = {"coop": coop, "at": at, "document": document}
    changed = connection.execute(
        update(explanations).where(explanations.c.job == job).values(**values)
    )
    if not changed.rowcount:
        connection.execute(insert(explanations).values(job=job, **values))


def explanation(connection: Connection, job: str) -> tuple[str, bytes] | None:
    """Returns the co-op and the newest explanation of a job."""
    query = select(explanations.c.coop, explanations.c.document).where(explanations.c.job == job)
    row = connection.execute(query).first()
    return (row.coop, row.document) if row else None


def expire_explanations(connection: Connection, now: float) -> int:
    """Forgets explanations that are too old, or beyond the newest ``EXPLANATIONS_MAX``."""
    newest = select(explanations.c.at).order_by(explanations.c.at.desc())
    edge = connection.execute(newest.offset(EXPLANATIONS_MAX).limit(1)).scalar()
    oldest = max(now - EXPLANATIONS_KEEP_S, edge if edge is not None else 0.0)
    return connection.execute(delete(explanations).where(explanations.c.at <= oldest)).rowcount
