"""Results of the lines of batches: queries as functions on a connection."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from entraide_scheduler.store.rows import BatchResultRow
from entraide_scheduler.store.schema import batch_results, batches

_COLUMNS = tuple(batch_results.c[name] for name in BatchResultRow.__struct_fields__)


class ResultGroup(NamedTuple):
    """Results of a batch with one error code ("" for answers): how many, and their sealed bytes."""

    code: str
    results: int
    name_bytes: int
    result_bytes: int


def add_result(connection: Connection, result: BatchResultRow) -> None:
    """Adds the result of a line and counts it."""
    counter = batches.c.failed if result.code else batches.c.completed
    counted = update(batches).where(batches.c.batch == result.batch).values({counter: counter + 1})
    connection.execute(counted)
    ended = select(batches.c.completed + batches.c.failed).where(batches.c.batch == result.batch)
    position = connection.execute(ended).scalar() or 0
    row = msgspec.structs.asdict(result) | {"position": position}
    connection.execute(insert(batch_results).values(**row))


def list_results(
    connection: Connection, batch: str, *, failed: bool, after: int, limit: int
) -> tuple[BatchResultRow, ...]:
    """Returns answers or errors of a batch in the order of their ends, after a position."""
    chosen = (batch_results.c.batch == batch) & (batch_results.c.position > after)
    chosen &= batch_results.c.code != "" if failed else batch_results.c.code == ""
    query = select(*_COLUMNS).where(chosen).order_by(batch_results.c.position).limit(limit)
    return tuple(BatchResultRow(*row) for row in connection.execute(query))


def group_results(connection: Connection, batch: str) -> tuple[ResultGroup, ...]:
    """Returns the number and the size of a batch's results, by error code."""
    query = _grouped().where(batch_results.c.batch == batch)
    return tuple(_group(*row) for _, *row in connection.execute(query))


def group_results_of(connection: Connection, coop: str) -> dict[str, list[ResultGroup]]:
    """Returns the same for each batch of a co-op that has results."""
    own = select(batches.c.batch).where(batches.c.coop == coop)
    groups: dict[str, list[ResultGroup]] = {}
    for batch, *row in connection.execute(_grouped().where(batch_results.c.batch.in_(own))):
        groups.setdefault(batch, []).append(_group(*row))
    return groups


def _grouped() -> Select[Any]:
    table = batch_results.c
    sizes = func.sum(func.length(table.sealed_name)), func.sum(func.length(table.sealed_result))
    query = select(table.batch, table.code, func.count(), *sizes)
    return query.group_by(table.batch, table.code).order_by(table.batch, table.code)


def _group(code: str, results: int, name_bytes: Any, result_bytes: Any) -> ResultGroup:
    return ResultGroup(code, results, int(name_bytes), int(result_bytes))


def delete_results(connection: Connection, batch: str, *, failed: bool) -> None:
    """Deletes the answers or the errors of a batch."""
    code = batch_results.c.code != "" if failed else batch_results.c.code == ""
    connection.execute(delete(batch_results).where((batch_results.c.batch == batch) & code))
