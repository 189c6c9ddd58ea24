"""Erasure: deletes what a person sent, as functions on a connection; the books stay.

What is under way is cancelled first. A batch that has not ended yet, and the file that it reads,
are deleted with its end.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from entraide_scheduler.store.files import delete_file
from entraide_scheduler.store.owners import is_sent_by
from entraide_scheduler.store.schema import batch_results, batches, explanations, files, kept


def list_under_way(
    connection: Connection, person: str, keep: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns a person's kept jobs and batches that have not ended.

    Args:
        connection: of a reader.
        person: who sent them.
        keep: senders, of the person, that are left out.
    """
    jobs = _of(kept, person, keep) & (kept.c.ended_at == 0.0) & (kept.c.batch == "")
    open_batches = _of(batches, person, keep) & (batches.c.ended_at == 0.0)
    return (
        tuple(connection.execute(select(kept.c.job).where(jobs)).scalars()),
        tuple(connection.execute(select(batches.c.batch).where(open_batches)).scalars()),
    )


def erase_sent(
    connection: Connection, person: str, keep: Sequence[str], unless_in: Sequence[str], now: float
) -> None:
    """Deletes a person's kept jobs, batches with their results, files and explanations.

    Args:
        connection: of the writer.
        person: who sent them.
        keep: senders, of the person, whose things stay.
        unless_in: states of batches whose input stays until they end.
        now: seconds since the epoch.
    """
    ended = _of(kept, person, keep) & (kept.c.ended_at > 0.0) & (kept.c.batch == "")
    connection.execute(delete(kept).where(ended))
    own = _of(batches, person, keep)
    over = select(batches.c.batch).where(own & (batches.c.ended_at > 0.0))
    connection.execute(delete(batch_results).where(batch_results.c.batch.in_(over)))
    connection.execute(delete(batches).where(own & (batches.c.ended_at > 0.0)))
    connection.execute(update(batches).where(own).values(keep_s=0.0))
    for file in connection.execute(select(files.c.file).where(_of(files, person, keep))).scalars():
        if not delete_file(connection, file, unless_in):
            expired = update(files).where(files.c.file == file)
            connection.execute(expired.values(expires_at=now))
    connection.execute(delete(explanations).where(_of(explanations, person, keep)))


def _of(table: Table, person: str, keep: Sequence[str]) -> Any:
    return is_sent_by(table.c.key, person) & table.c.key.not_in(keep)
