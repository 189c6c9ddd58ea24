"""Batches: queries as functions on a connection.

A batch's row, the kept jobs of its lines and its results change together: a line is requested in
the same transaction in which the batch's progress moves past it, and its kept job is replaced by
its result in one transaction (``kept_jobs.end_job``). So after a crash each line is either still to
come, or a kept job, or a result.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from entraide.decoding import MsgpackDecoder
from entraide.types import Usage
from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.batch_results import add_result
from entraide_scheduler.store.erasure_notes import note
from entraide_scheduler.store.kept_jobs import put_job
from entraide_scheduler.store.owners import is_owned
from entraide_scheduler.store.rows import BatchProgress, BatchResultRow, BatchRow, KeptJobRow
from entraide_scheduler.store.schema import batch_results, batches, kept, settled

_progress = MsgpackDecoder[BatchProgress](BatchProgress)
_usage = MsgpackDecoder[Usage](Usage)
_encode = msgspec.msgpack.Encoder().encode
CANCELLING = "cancelling"  # the state of a batch whose lines are being cancelled
LINE_DIGITS = 8  # hexadecimal, at the end of the identifier of a line's job


class SettledAmount(NamedTuple):
    """What the settled jobs of a batch used."""

    jobs: int
    tokens: int
    energy_uwh: int
    carbon_direct_ug: int
    carbon_lifecycle_ug: int


class SettledTokens(NamedTuple):
    """Tokens of the settled jobs of a batch; cached ones are input, and thoughts output, too."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0


def create_batch(
    connection: Connection, row: BatchRow, *, unended_states: Sequence[str], unended_max: int
) -> bool:
    """Adds a batch; returns False if the co-op has ``unended_max`` that have not ended."""
    unended = (batches.c.coop == row.coop) & batches.c.state.in_(unended_states)
    count = connection.execute(select(func.count()).select_from(batches).where(unended))
    if count.scalar_one() >= unended_max:
        return False
    connection.execute(insert(batches).values(**_values(msgspec.structs.asdict(row))))
    return True


def get_batch(connection: Connection, batch: str) -> BatchRow | None:
    """Returns a batch."""
    row = connection.execute(select(batches).where(batches.c.batch == batch)).first()
    return _row(row) if row else None


def list_of_coop(
    connection: Connection, coop: str, *, senders: Sequence[str] = (), after: str = "", limit: int
) -> tuple[BatchRow, ...]:
    """Returns the batches of a co-op's keys, or of a person, newest first, after one of them.

    Identifiers sort by time.
    """
    query = select(batches).where((batches.c.coop == coop) & is_owned(batches.c.key, senders))
    if after:
        query = query.where(batches.c.batch < after)
    ordered = query.order_by(batches.c.batch.desc()).limit(limit)
    return tuple(_row(row) for row in connection.execute(ordered))


def list_in(connection: Connection, states: Sequence[str]) -> tuple[BatchRow, ...]:
    """Returns the batches in some states, oldest first."""
    query = select(batches).where(batches.c.state.in_(states)).order_by(batches.c.batch)
    return tuple(_row(row) for row in connection.execute(query))


def change_batch(
    connection: Connection, batch: str, only_in: Sequence[str], **changes: Any
) -> bool:
    """Changes a batch that is in one of some states; returns whether it was."""
    at = (batches.c.batch == batch) & batches.c.state.in_(only_in)
    return bool(connection.execute(update(batches).where(at).values(**_values(changes))).rowcount)


def cancel_batch(connection: Connection, batch: str, *, only_in: Sequence[str], now: float) -> bool:
    """Begins to cancel a batch in one of some states, also again after a restore."""
    is_begun = change_batch(connection, batch, only_in, state=CANCELLING, cancelling_at=now)
    if is_begun:
        note(connection, batch, now)
    return is_begun


def request_lines(
    connection: Connection,
    batch: str,
    *,
    only_in: Sequence[str],
    progress: BatchProgress,
    jobs: Iterable[KeptJobRow] = (),
    results: Sequence[BatchResultRow] = (),
) -> bool:
    """Moves a batch's progress past lines that became jobs or ended; returns whether it could.

    Args:
        connection: of the writer.
        batch: identifier.
        only_in: states in which it is done.
        progress: after these lines.
        jobs: their kept jobs.
        results: of lines that end without a job.
    """
    if not change_batch(connection, batch, only_in, progress=progress):
        return False
    for row in jobs:
        put_job(connection, row)
    for result in results:
        add_result(connection, result)
    return True


def replace_job(connection: Connection, job: str, row: KeptJobRow) -> bool:
    """Puts a kept job in the place of one that was never admitted; returns False if it ended."""
    waiting = (kept.c.job == job) & (kept.c.ended_at == 0.0)
    if not connection.execute(delete(kept).where(waiting)).rowcount:
        return False
    put_job(connection, row)
    return True


def sum_settled(connection: Connection, job_prefix: str) -> SettledAmount:
    """Returns what the settled jobs of a batch's lines used.

    Args:
        connection: of a reader.
        job_prefix: what their identifiers begin with, before ``LINE_DIGITS`` digits.
    """
    table = settled.c
    sums = (table.tokens, table.energy_uwh, table.carbon_direct_ug, table.carbon_lifecycle_ug)
    chosen = _of_lines(job_prefix)
    query = select(func.count(), *(func.coalesce(func.sum(column), 0) for column in sums))
    count, *amounts = connection.execute(query.where(chosen)).one()
    return SettledAmount(count, *map(int, amounts))


def sum_tokens(connection: Connection, job_prefix: str) -> SettledTokens:
    """Returns the tokens of the settled jobs of a batch's lines; arguments as above."""
    input_tokens = cached_tokens = output_tokens = reasoning_tokens = 0
    for (encoded,) in connection.execute(select(settled.c.usage).where(_of_lines(job_prefix))):
        usage = _usage.decode(encoded)
        input_tokens += usage.input_tokens
        cached_tokens += usage.cached_tokens
        output_tokens += usage.output_tokens
        reasoning_tokens += usage.reasoning_tokens
    return SettledTokens(input_tokens, cached_tokens, output_tokens, reasoning_tokens)


def _of_lines(job_prefix: str) -> ColumnElement[bool]:
    """Returns the condition of the jobs of a batch's lines."""
    return settled.c.job.between(job_prefix + "0" * LINE_DIGITS, job_prefix + "f" * LINE_DIGITS)


def expire_batches(connection: Connection, now: float) -> int:
    """Deletes batches and their results after their time; returns the number of batches.

    One that was erased while it ran, whose ``keep_s`` is 0, is over as soon as it has ended.
    """
    now = trusted_time.limit(connection, now)
    is_old = (batches.c.expires_at > 0.0) & (batches.c.expires_at <= now)
    over = is_old | ((batches.c.ended_at > 0.0) & (batches.c.keep_s == 0.0))
    expired = [batch for (batch,) in connection.execute(select(batches.c.batch).where(over))]
    for batch in expired:
        connection.execute(delete(batch_results).where(batch_results.c.batch == batch))
        connection.execute(delete(batches).where(batches.c.batch == batch))
    return len(expired)


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _encode(value) if isinstance(value, BatchProgress) else value
        for name, value in fields.items()
    }


def _row(row: Row[Any]) -> BatchRow:
    values = dict(row._mapping)  # noqa: SLF001  (public in SQLAlchemy, in spite of its name)
    values["progress"] = _progress.decode(values["progress"])
    return BatchRow(**values)
