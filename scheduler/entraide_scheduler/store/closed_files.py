"""Closed files: reads jobs of closed months in ``DIR/closed``, with the names that the store has.

What a file says is believed if one of the pool's keys signed it and it is the month that the store
closed; a file that is missing, or is another, is logged and has no jobs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, select

from entraide.closed_months import ClosedJob, MonthFault, MonthFile, open_month
from entraide.receipts import ReceiptKey, is_signed
from entraide_scheduler.store.closed_months import ClosedMonthRow, list_months
from entraide_scheduler.store.month_records import Rename, read_names, rename_receipt
from entraide_scheduler.store.owners import is_sent_by, person_of
from entraide_scheduler.store.schema import closed_sums
from entraide_scheduler.store.settlements import SettledReceipt

FOLDER = "closed"
SUFFIX = ".entraide"
UNREADABLE = "month_unreadable"  # in the place of rows
BLOCKS_AT_ONCE = 20
TIME_DIGITS = 12  # of an identifier, hexadecimal: when the job was made, milliseconds


def find_file(state: Path, month: str) -> Path:
    """Returns the path of a month's file; ``state`` is the pool's directory."""
    return state / FOLDER / f"{month}{SUFFIX}"


@contextmanager
def open_closed(
    state: Path, row: ClosedMonthRow, keys: Mapping[str, ReceiptKey]
) -> Iterator[MonthFile]:
    """Opens a month's file and checks that a key of the pool signed it, and its root.

    Raises:
        MonthFault: it is another file.
        OSError: it cannot be read.
    """
    with find_file(state, row.month).open("rb") as file:
        month = open_month(file)
        key = keys.get(month.head.key)
        if key is None or not is_signed(month.signed, month.signature, key):
            raise MonthFault("not signed by this pool")
        if (month.head.month, month.head.root) != (row.month, row.root):
            raise MonthFault("not the month that was closed")
        yield month


class ClosedFiles:
    """The files of a pool.

    Args:
        state: the pool's directory.
        keys: the keys with which the pool signs and has signed, by identifier.
    """

    def __init__(self, state: Path, keys: Mapping[str, ReceiptKey]) -> None:
        self._state = state
        self._keys = keys
        self._log = structlog.get_logger("entraide.books")

    def read_receipt(self, connection: Connection, job: str) -> SettledReceipt | None:
        """Returns the receipt of a job, or None."""
        made_at = _read_time(job)
        for row in list_months(connection):
            if row.closed_at and row.end_at > made_at:
                closed = self._find_job(row, job)
                if closed is not None:
                    receipt = rename_receipt(closed.receipt, read_names(connection))
                    return SettledReceipt(closed.coop, closed.key, receipt)
        return None

    def list_months_of(self, connection: Connection, person: str) -> tuple[ClosedMonthRow, ...]:
        """Returns the closed months in which a person sent something."""
        query = select(closed_sums.c.month).where(is_sent_by(closed_sums.c.key, person)).distinct()
        months = set(connection.execute(query).scalars())
        rows = list_months(connection)
        return tuple(row for row in rows if row.closed_at and row.month in months)

    def read_entries(
        self,
        connection: Connection,
        row: ClosedMonthRow,
        person: str,
        *,
        senders: Sequence[str],
        first: int,
    ) -> tuple[list[dict[str, Any]], int]:
        """Returns what a person sent, from some blocks of a month, and where to go on.

        Args:
            connection: of a reader.
            row: the month.
            person: who sent it.
            senders: the person, in the starts that may be read; none for all of them.
            first: number of the first block.

        Returns:
            Rows as of the table of settled jobs, and the number of the next block; 0 at the end.
            Where the file cannot be read, a row says so.
        """
        rename = read_names(connection)
        rows: list[dict[str, Any]] = []
        try:
            with open_closed(self._state, row, self._keys) as month:
                for number in range(first, first + BLOCKS_AT_ONCE):
                    records = month.read_records(number)
                    if not records:
                        return rows, 0
                    for record in records:
                        if isinstance(record, ClosedJob) and _is_own(record.key, person, senders):
                            rows += _make_rows(record, rename)
        except (MonthFault, OSError) as problem:
            self._log.error("books.month_unreadable", month=row.month, problem=str(problem))
            return [*rows, {"month": row.month, "withheld": UNREADABLE}], 0
        return rows, first + BLOCKS_AT_ONCE

    def _find_job(self, row: ClosedMonthRow, job: str) -> ClosedJob | None:
        try:
            with open_closed(self._state, row, self._keys) as month:
                closed = month.find(job)
        except (MonthFault, OSError) as problem:
            self._log.error("books.month_unreadable", month=row.month, problem=str(problem))
            return None
        return closed if isinstance(closed, ClosedJob) else None


def _read_time(job: str) -> float:
    """Returns when a job was made, by its identifier, seconds since the epoch; 0 if unknown."""
    try:
        return int(job.partition("-")[2][:TIME_DIGITS], 16) / 1_000
    except ValueError:
        return 0.0


def _is_own(sender: str, person: str, senders: Sequence[str]) -> bool:
    return sender in senders if senders else person_of(sender) == person


def _make_rows(job: ClosedJob, rename: Rename) -> Iterator[dict[str, Any]]:
    for number, run in enumerate(job.runs):
        terms, usage, settlement = run.terms, run.usage, run.settlement
        yield {
            "job": job.job,
            "run": number,
            "coop": job.coop,
            "state": job.state,
            "settled_at": job.settled_at,
            "lender": terms.lender,
            "tokens": terms.count_tokens(usage),
            "energy_uwh": settlement.energy_uwh,
            "carbon_direct_ug": settlement.carbon_direct_ug,
            "carbon_lifecycle_ug": settlement.carbon_lifecycle_ug,
            "key": job.key,
            "project": job.project,
            "model": terms.model,
            "node": rename(terms.node),
            "zone": terms.zone,
            "job_class": terms.job_class.value,
            "promise": settlement.promise.value,
            "energy_basis": usage.energy_basis.value,
            "intensity_basis": terms.intensity_basis.value,
            "surplus_basis": terms.surplus_basis or "",
            "late": int(job.is_late),
        }
