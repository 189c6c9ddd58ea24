"""Kept jobs: encrypted requests and results, with queries as functions on a connection."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from entraide.decoding import MsgpackDecoder
from entraide.types import JobState, RequestFacts
from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.answered import AnsweredRun, add_run
from entraide_scheduler.store.batch_results import add_result
from entraide_scheduler.store.erasure_notes import note
from entraide_scheduler.store.owners import is_owned
from entraide_scheduler.store.rows import BatchResultRow, KeptJobRow
from entraide_scheduler.store.schema import batch_results, batches, kept, settled

ANSWERED_MAX = 10_000  # answers without a settlement that a start looks for

_facts = MsgpackDecoder[RequestFacts](RequestFacts)


def put_job(connection: Connection, row: KeptJobRow) -> str:
    """Stores a job; returns its id, or the id of the co-op's job with the same idempotency key."""
    if row.idempotency:
        earlier = find_by_idempotency(connection, row.coop, row.idempotency)
        if earlier is not None:
            return earlier.job
    values = msgspec.structs.asdict(row)
    warm = () if row.facts.prefix_keys else None
    facts = msgspec.structs.replace(row.facts, prefix_keys=(), warm=warm)  # no disk has digests
    values["facts"] = msgspec.msgpack.encode(facts)
    values["idempotency"] = row.idempotency or None
    connection.execute(insert(kept).values(**values))
    return row.job


def get_job(connection: Connection, job: str) -> KeptJobRow | None:
    """Returns one kept job."""
    row = connection.execute(select(kept).where(kept.c.job == job)).first()
    return _row(row) if row else None


def find_by_idempotency(connection: Connection, coop: str, key: str) -> KeptJobRow | None:
    """Returns a co-op's kept job with this idempotency key."""
    query = select(kept).where((kept.c.coop == coop) & (kept.c.idempotency == key))
    row = connection.execute(query).first()
    return _row(row) if row else None


def list_of_coop(
    connection: Connection, coop: str, limit: int, senders: Sequence[str] = ()
) -> tuple[KeptJobRow, ...]:
    """Returns a co-op's or a person's kept jobs, newest first, without the lines of batches."""
    own = (kept.c.coop == coop) & is_owned(kept.c.key, senders)
    query = select(kept).where(own & (kept.c.batch == ""))
    ordered = query.order_by(kept.c.submitted_at.desc(), kept.c.job).limit(limit)
    return tuple(_row(row) for row in connection.execute(ordered))


def list_pending(connection: Connection) -> tuple[KeptJobRow, ...]:
    """Returns the kept jobs that have not ended, oldest first."""
    query = select(kept).where(kept.c.ended_at == 0.0).order_by(kept.c.submitted_at, kept.c.job)
    return tuple(_row(row) for row in connection.execute(query))


def list_waiting(connection: Connection, submitted_before: float) -> tuple[str, ...]:
    """Returns the kept jobs that have not ended, without the lines of batches, oldest first."""
    is_waiting = (kept.c.ended_at == 0.0) & (kept.c.batch == "")
    query = select(kept.c.job).where(is_waiting & (kept.c.submitted_at < submitted_before))
    return tuple(connection.execute(query.order_by(kept.c.submitted_at, kept.c.job)).scalars())


def list_answered(connection: Connection) -> tuple[str, ...]:
    """Returns the kept jobs, lines of running batches too, that have an answer and no settlement.

    After a crash there are at most as many as jobs ran; see ``ANSWERED_MAX``.
    """
    unsettled = kept.c.job.not_in(select(settled.c.job))
    jobs = select(kept.c.job).where((kept.c.state == JobState.COMPLETED.value) & unsettled)
    running = select(batches.c.batch).where(batches.c.ended_at == 0.0)
    lines = select(batch_results.c.job).where(
        batch_results.c.batch.in_(running)
        & (batch_results.c.code == "")
        & batch_results.c.job.not_in(select(settled.c.job))
    )
    query = jobs.union_all(lines).limit(ANSWERED_MAX)
    return tuple(connection.execute(query).scalars())


def end_job(
    connection: Connection,
    job: str,
    *,
    state: str,
    code: str,
    sealed_result: bytes,
    receipt_json: bytes,
    ended_at: float,
    run: AnsweredRun | None = None,
) -> bool:
    """Ends a kept job; returns False if it had ended already.

    The job of a batch's line is deleted, and its result added to the batch's. The request of a
    cancelled job is erased, also again after a restore. The run of an answer is noted until it is
    settled.
    """
    line = select(kept.c.batch, kept.c.line, kept.c.sealed_name).where(kept.c.job == job)
    row = connection.execute(line.where(kept.c.ended_at == 0.0)).first()
    if row is None:
        return False
    if run is not None:
        add_run(connection, run)
    if row.batch:
        connection.execute(delete(kept).where(kept.c.job == job))
        result = BatchResultRow(row.batch, row.line, job, code, row.sealed_name, sealed_result)
        add_result(connection, result)
        return True
    values = {
        "state": state,
        "code": code,
        "sealed_result": sealed_result,
        "receipt_json": receipt_json,
        # A result whose gateway's clock is far behind would count as old at once.
        "ended_at": trusted_time.correct(connection, ended_at),
    }
    if state == JobState.CANCELLED:
        values["sealed_body"] = b""
        note(connection, job, ended_at)
    connection.execute(update(kept).where(kept.c.job == job).values(**values))
    return True


def expire_jobs(connection: Connection, now: float) -> int:
    """Deletes ended jobs after their ``keep_s``; returns their number."""
    now = trusted_time.limit(connection, now)
    over = (kept.c.ended_at > 0.0) & (kept.c.ended_at + kept.c.keep_s <= now)
    return connection.execute(delete(kept).where(over)).rowcount


def _row(row: Row[Any]) -> KeptJobRow:
    values = dict(row._mapping)  # noqa: SLF001  (public in SQLAlchemy, in spite of its name)
    values["facts"] = _facts.decode(values["facts"])
    values["idempotency"] = values["idempotency"] or ""
    values["sealed_name"] = values["sealed_name"] or b""
    return KeptJobRow(**values)
