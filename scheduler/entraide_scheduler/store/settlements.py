"""Settlements, ledger entries and explanations: queries as functions on a connection.

Settlements are checked twice: entries sum to zero and a receipt is of its job, before a row is
written and after it is read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select, union_all, update

from entraide.decoding import MsgpackDecoder
from entraide.types import Explanation, JobState, Receipt, idempotency_key_of
from entraide_scheduler.core.commands import Entry
from entraide_scheduler.core.explanations import rename_node
from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.answered import delete_settled
from entraide_scheduler.store.booked import is_open
from entraide_scheduler.store.closed_months import booking_start
from entraide_scheduler.store.compiled import CompiledStatement, insert_into
from entraide_scheduler.store.counts import add_to_count, read_count
from entraide_scheduler.store.late_jobs import is_late, make_correction
from entraide_scheduler.store.rows import EarlierSettlement, SettlementRow
from entraide_scheduler.store.schema import (
    closed_balances,
    closed_sums,
    entries,
    explanations,
    settled,
)
from entraide_scheduler.store.statements import write_corrections

EXPLANATIONS_MAX = 200_000
EXPLANATIONS_KEEP_S = 30 * 86_400.0
ROWS_AT_ONCE = 1_000
SETTLED = "settled"  # name of their count

_explanation = MsgpackDecoder[Explanation](Explanation)
_receipt = MsgpackDecoder[Receipt](Receipt)
_encode = msgspec.msgpack.Encoder().encode

_SETTLE = insert_into(settled)
_ENTER = insert_into(entries)
_EXPLAIN = insert_into(explanations)
_FORGET = CompiledStatement(
    delete(explanations).where(explanations.c.job == bindparam("forgotten")), ["forgotten"]
)


class ExplanationRow(NamedTuple):
    """The newest explanation of a job; ``document`` is an ``Explanation`` in MessagePack."""

    job: str
    coop: str
    at: float
    document: bytes
    key: str = ""


class SettledRunRow(NamedTuple):
    """A run of a settled job, as the table has it."""

    job: str
    run: int
    coop: str
    state: str
    settled_at: float
    terms: bytes
    usage: bytes
    settlement: bytes
    receipt: bytes
    lender: str
    tokens: int
    energy_uwh: int
    carbon_direct_ug: int
    carbon_lifecycle_ug: int
    key: str
    project: str
    model: str
    node: str
    zone: str
    job_class: str
    promise: str
    energy_basis: str
    intensity_basis: str
    surplus_basis: str
    idempotency: str
    late: int = 0


class SettledReceipt(NamedTuple):
    """The receipt of a settled job, and who sent the job."""

    coop: str
    key: str
    receipt: Receipt


def write_nothing(_: Connection, rows: list[None]) -> list[None]:
    """Writes nothing: its future resolves after all earlier writes are committed."""
    return rows


def write_settlements(connection: Connection, rows: list[SettlementRow]) -> list[bool]:
    """Writes the settlement and entries of each new job; returns, per row, whether it was new."""
    known = _list_settled(connection, [row.job for row in rows])
    fresh: list[bool] = []
    for row in rows:
        fresh.append(row.job not in known)
        known.add(row.job)
    new = [row for row, is_new in zip(rows, fresh, strict=True) if is_new]
    for row in new:
        _check_sums((entry.unit, entry.amount) for entry in _entries(row))
        _check_receipt(row.job, row.receipt)
    if new:
        _write_new(connection, new)
    return fresh


def _write_new(connection: Connection, rows: list[SettlementRow]) -> None:
    start_at = booking_start(connection)
    late = [row for row in rows if is_late(row, start_at, _entries(row))]
    late_jobs = {row.job for row in late}
    lines = [
        (row.job, line, entry.account, entry.unit, entry.amount)
        for row in rows
        for line, entry in enumerate(_entries(row))
        if row.job not in late_jobs
    ]
    settled_rows: list[tuple[Any, ...]] = [
        run._replace(settled_at=max(run.settled_at, start_at), late=int(row.job in late_jobs))
        for row in rows
        for run in _settled_rows(row)
    ]
    _SETTLE.execute(connection, settled_rows)
    add_to_count(connection, SETTLED, len(rows), _count_rows)
    delete_settled(connection)
    if lines:
        _ENTER.execute(connection, lines)
    if late:
        posted = [make_correction(row, start_at, _entries(row)) for row in late]
        write_corrections(connection, posted)


def _list_settled(connection: Connection, jobs: Sequence[str]) -> set[str]:
    """Returns which of some jobs are settled."""
    size = 1 << (len(jobs) - 1).bit_length()  # few statements for all sizes of groups
    padded = (*jobs, *[jobs[-1]] * (size - len(jobs)))
    return {job for (job,) in _settled_of(size).execute(connection, padded)}


@cache
def _settled_of(size: int) -> CompiledStatement:
    """Returns the statement that lists the settled ones of so many jobs."""
    names = [f"job_{number}" for number in range(size)]
    query = select(settled.c.job).where(settled.c.job.in_([bindparam(name) for name in names]))
    return CompiledStatement(query, names)


def _entries(row: SettlementRow) -> list[Entry]:
    """Returns the entries of all runs of a job; those of the run that ended it come first."""
    return [*row.entries, *(entry for run in row.earlier for entry in run.entries)]


def _settled_rows(row: SettlementRow) -> Iterator[SettledRunRow]:
    """Yields the rows of a job: of the run that ended it, then of its earlier runs."""
    ended = EarlierSettlement(row.terms, row.usage, row.settlement, row.entries)
    for number, run in enumerate((ended, *row.earlier)):
        terms, usage, settlement = run.terms, run.usage, run.settlement
        yield SettledRunRow(
            job=row.job,
            run=number,
            coop=row.coop,
            state=row.state.value,
            settled_at=row.receipt.issued_at,
            terms=_encode(terms),
            usage=_encode(usage),
            settlement=_encode(settlement),
            receipt=_encode(row.receipt) if number == 0 else b"",
            lender=terms.lender,
            tokens=terms.count_tokens(usage),
            energy_uwh=settlement.energy_uwh,
            carbon_direct_ug=settlement.carbon_direct_ug,
            carbon_lifecycle_ug=settlement.carbon_lifecycle_ug,
            key=row.key,
            project=row.project,
            model=terms.model,
            node=terms.node,
            zone=terms.zone,
            job_class=terms.job_class.value,
            promise=settlement.promise.value,
            energy_basis=usage.energy_basis.value,
            intensity_basis=terms.intensity_basis.value,
            surplus_basis=terms.surplus_basis or "",
            idempotency=row.idempotency if number == 0 else "",
        )


def read_receipt(connection: Connection, job: str) -> SettledReceipt | None:
    """Returns the settled receipt of a job, or None."""
    query = select(settled.c.coop, settled.c.key, settled.c.receipt)
    row = connection.execute(query.where(settled.c.job == job, settled.c.run == 0)).first()
    if row is None:
        return None
    receipt = _receipt.decode(row.receipt)
    _check_receipt(job, receipt)
    return SettledReceipt(row.coop, row.key, receipt)


def find_key(connection: Connection, coop: str, key: str, idempotency: str) -> tuple[str, str]:
    """Returns the job of an idempotency key that is charged, and its ``idempotency``; or "", "".

    A job that the pool failed is none: what was asked may be asked again.
    """
    hashed = idempotency_key_of(idempotency)
    of_key = settled.c.idempotency.between(hashed, f"{hashed}g")  # hexadecimal digits may follow
    is_sent = of_key & (settled.c.key == key)
    ended = settled.c.state.in_([JobState.COMPLETED.value, JobState.CANCELLED.value])
    query = select(settled.c.job, settled.c.idempotency).where(
        is_sent, settled.c.coop == coop, ended
    )
    row = connection.execute(query).first()
    return ("", "") if row is None else (row.job, row.idempotency)


def count_settled(connection: Connection) -> int:
    """Returns how many jobs are settled, without counting them; those of closed months, too."""
    return read_count(connection, SETTLED, _count_rows)


def _count_rows(connection: Connection) -> int:
    query = select(func.count()).select_from(settled).where(settled.c.run == 0)
    return connection.execute(query).scalar_one()


def read_balances(connection: Connection) -> dict[str, dict[str, int]]:
    """Returns the balance of each account in each unit: the sum of its entries."""
    columns = entries.c.account, entries.c.unit, entries.c.amount
    closed = select(settled.c.job).where(~is_open())  # their rows are being deleted
    lines = select(*columns).where(entries.c.job.not_in(closed))
    every = union_all(lines, select(*closed_balances.columns)).subquery().c
    query = (
        select(every.account, every.unit, func.sum(every.amount))
        .group_by(every.account, every.unit)
        .order_by(every.account, every.unit)
    )
    balances: dict[str, dict[str, int]] = {}
    for account, unit, amount in connection.execute(query):
        balances.setdefault(account, {})[unit] = int(amount)
    _check_sums(item for account in balances.values() for item in account.items())
    return balances


def _check_sums(amounts: Iterable[tuple[str, int]]) -> None:
    """Asserts that amounts, each with its unit, sum to zero in each unit."""
    sums: Counter[str] = Counter()
    for unit, amount in amounts:
        sums[unit] += amount
    assert not any(sums.values()), f"entries that do not sum to zero: {dict(sums)}"


def _check_receipt(job: str, receipt: Receipt) -> None:
    """Asserts that a receipt is of a job."""
    assert receipt.job == job, f"the receipt of {job} is of {receipt.job}"


def put_explanations(connection: Connection, rows: list[ExplanationRow]) -> list[None]:
    """Stores the newest explanation of each job."""
    newest = {row.job: row for row in rows}
    _FORGET.execute(connection, [(job,) for job in newest])
    _EXPLAIN.execute(connection, list(newest.values()))
    return [None] * len(rows)


def read_explanation(connection: Connection, job: str) -> ExplanationRow | None:
    """Returns the newest explanation of a job, or None."""
    columns = (explanations.c[name] for name in ExplanationRow._fields)
    row = connection.execute(select(*columns).where(explanations.c.job == job)).first()
    return ExplanationRow(*row) if row else None


def rename_settled(connection: Connection, name: str, number: str) -> None:
    """Puts a number in the place of a node's name, in statements and explanations.

    Receipts stay as they were signed.
    """
    for table in (settled, closed_sums):
        connection.execute(update(table).where(table.c.node == name).values(node=number))
    query = select(explanations.c.job, explanations.c.document)
    for job, document in connection.execute(query).yield_per(ROWS_AT_ONCE):
        if name.encode() in document:
            renamed = _encode(rename_node(_explanation.decode(document), name, number))
            chosen = update(explanations).where(explanations.c.job == job)
            connection.execute(chosen.values(document=renamed))


def read_explained(connection: Connection) -> tuple[float, int]:
    """Returns the time of the oldest explanation and their number, up to ``EXPLANATIONS_MAX``."""
    query = select(func.coalesce(func.min(explanations.c.at), 0.0), func.count())
    oldest, number = connection.execute(query.select_from(explanations)).one()
    return float(oldest), min(int(number), EXPLANATIONS_MAX)


def expire_explanations(connection: Connection, now: float) -> int:
    """Deletes explanations beyond ``EXPLANATIONS_KEEP_S`` and ``EXPLANATIONS_MAX``."""
    newest = select(explanations.c.at).order_by(explanations.c.at.desc())
    edge = connection.execute(newest.offset(EXPLANATIONS_MAX).limit(1)).scalar()
    now = trusted_time.limit(connection, now)
    oldest = max(now - EXPLANATIONS_KEEP_S, edge if edge is not None else 0.0)
    return connection.execute(delete(explanations).where(explanations.c.at <= oldest)).rowcount
