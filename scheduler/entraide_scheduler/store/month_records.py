"""Month records: the rows of a month as records of its file, in the order of their names.

Nodes have their numbers in place of their names, which are joined again when a record is read. The
reasons of corrections stay in the store.
"""

import re
from collections.abc import Callable, Iterator
from itertools import groupby

from msgspec.structs import replace
from sqlalchemy import Connection, Row, select

from entraide.closed_months import (
    CORRECTION_PREFIX,
    ClosedCorrection,
    ClosedEntry,
    ClosedJob,
    ClosedRun,
    Record,
)
from entraide.decoding import MsgpackDecoder
from entraide.types import Receipt, Settlement, Terms, Usage
from entraide_scheduler.store.members import (
    NODE_PREFIX,
    digest_name,
    list_names,
    list_nodes,
    number_node,
)
from entraide_scheduler.store.schema import corrections, entries, settled

JOBS_AT_ONCE = 500
ROWS_AT_ONCE = 1_000

_receipt = MsgpackDecoder[Receipt](Receipt)
_terms = MsgpackDecoder[Terms](Terms)
_usage = MsgpackDecoder[Usage](Usage)
_settlement = MsgpackDecoder[Settlement](Settlement)
_COLUMNS = (
    "job", "run", "coop", "key", "project", "state", "settled_at", "receipt", "terms", "usage",
    "settlement", "late",
)  # fmt: skip
_NUMBER = re.compile(rf"{NODE_PREFIX}[0-9a-f]{{12}}")

Rename = Callable[[str], str]


def read_records(connection: Connection, start_at: float, end_at: float) -> Iterator[Record]:
    """Yields the corrections and the jobs of a month.

    Args:
        connection: whose transaction sees one moment.
        start_at: begin of the month, seconds since the epoch.
        end_at: its end, which is not part of it.
    """
    yield from _read_corrections(connection, start_at, end_at)
    number = _numbering(connection)
    columns = settled.c
    # As an expression, the time is no reason to read by its index and to sort all rows by job.
    at = columns.settled_at + 0.0
    order = columns.job.collate("C") if connection.dialect.name == "postgresql" else columns.job
    query = select(*(columns[name] for name in _COLUMNS)).where(at >= start_at, at < end_at)
    query = query.order_by(order, columns.run).execution_options(yield_per=ROWS_AT_ONCE)
    rows = connection.execute(query)
    group: list[list[Row[tuple[object, ...]]]] = []
    for _, runs in groupby(rows, key=lambda row: row.job):
        group.append(list(runs))
        if len(group) == JOBS_AT_ONCE:
            yield from _make_jobs(connection, group, number)
            group = []
    yield from _make_jobs(connection, group, number)


def rename_receipt(receipt: Receipt, rename: Rename) -> Receipt:
    """Returns a receipt with other names of its nodes."""
    runs = tuple(replace(run, node=rename(run.node)) for run in receipt.runs)
    return replace(receipt, node=rename(receipt.node), runs=runs)


def read_names(connection: Connection) -> Rename:
    """Returns what gives a node's number the node's name, unless it was forgotten."""
    names = {number_node(row.public_key): row.node for row in list_nodes(connection)}
    return lambda number: names.get(number, number)


def _numbering(connection: Connection) -> Rename:
    """Returns what gives a node's name its number; a name that nobody was given is hidden too."""
    keys = list_names(connection)
    known: dict[str, str] = {}

    def number(node: str) -> str:
        if node not in known:
            digest = digest_name(node)
            key = keys.get(digest)
            is_number = key is None and _NUMBER.fullmatch(node)
            unknown = node if is_number else f"{NODE_PREFIX}{digest[:12]}"
            known[node] = unknown if key is None else number_node(key)
        return known[node]

    return number


def _read_corrections(
    connection: Connection, start_at: float, end_at: float
) -> Iterator[ClosedCorrection]:
    query = select(corrections.c.correction, corrections.c.at)
    query = query.where(corrections.c.at >= start_at, corrections.c.at < end_at)
    heads = {f"{CORRECTION_PREFIX}{row.correction}": row for row in connection.execute(query)}
    for name in sorted(heads):
        lines = _read_lines(connection, [name]).get(name, ())
        yield ClosedCorrection(heads[name].correction, heads[name].at, tuple(lines))


def _make_jobs(
    connection: Connection, group: list[list[Row[tuple[object, ...]]]], number: Rename
) -> Iterator[ClosedJob]:
    lines = _read_lines(connection, [runs[0].job for runs in group])
    for runs in group:
        ended = runs[0]
        yield ClosedJob(
            job=ended.job,
            coop=ended.coop,
            key=ended.key,
            project=ended.project,
            state=ended.state,
            settled_at=ended.settled_at,
            receipt=rename_receipt(_receipt.decode(ended.receipt), number),
            runs=tuple(_make_run(run, number) for run in runs),
            entries=tuple(lines.get(ended.job, ())),
            is_late=bool(ended.late),
        )


def _make_run(row: Row[tuple[object, ...]], number: Rename) -> ClosedRun:
    terms = _terms.decode(row.terms)
    return ClosedRun(
        replace(terms, node=number(terms.node)),
        _usage.decode(row.usage),
        _settlement.decode(row.settlement),
    )


def _read_lines(connection: Connection, jobs: list[str]) -> dict[str, list[ClosedEntry]]:
    columns = entries.c
    query = select(columns.job, columns.account, columns.unit, columns.amount)
    query = query.where(columns.job.in_(jobs)).order_by(columns.job, columns.line)
    lines: dict[str, list[ClosedEntry]] = {}
    for job, account, unit, amount in connection.execute(query).all():
        lines.setdefault(job, []).append(ClosedEntry(account, unit, amount))
    return lines
