"""Results of the lines of batches: queries as functions on a connection."""

import msgspec
from sqlalchemy import Connection, insert, select, update

from entraide_scheduler.store.rows import BatchResultRow
from entraide_scheduler.store.schema import batch_results, batches


def add_result(connection: Connection, result: BatchResultRow) -> None:
    """Adds the result of a line and counts it."""
    counter = batches.c.failed if result.code else batches.c.completed
    counted = update(batches).where(batches.c.batch == result.batch).values({counter: counter + 1})
    connection.execute(counted)
    ended = select(batches.c.completed + batches.c.failed).where(batches.c.batch == result.batch)
    position = connection.execute(ended).scalar() or 0
    row = msgspec.structs.asdict(result) | {"position": position}
    connection.execute(insert(batch_results).values(**row))
