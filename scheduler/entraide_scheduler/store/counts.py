"""Counts: numbers of rows that are kept with the rows, so that nobody counts them.

A number is counted once, when the first row is written by a version that keeps it.
"""

from collections.abc import Callable

from sqlalchemy import Connection, bindparam, insert, select, update

from entraide_scheduler.store.compiled import CompiledStatement
from entraide_scheduler.store.schema import counts

_ADD = CompiledStatement(
    update(counts)
    .where(counts.c.name == bindparam("which"))
    .values(value=counts.c.value + bindparam("more")),
    ["more", "which"],
)

CountRows = Callable[[Connection], int]


def add_to_count(connection: Connection, name: str, more: int, count: CountRows) -> None:
    """Adds to a number, after the rows were written; ``count`` counts them all."""
    if not _ADD.execute(connection, (more, name)).rowcount:
        connection.execute(insert(counts).values(name=name, value=count(connection)))


def read_count(connection: Connection, name: str, count: CountRows) -> int:
    """Returns a number; ``count`` counts the rows of a store that has not kept it yet."""
    query = select(counts.c.value).where(counts.c.name == name)
    value = connection.execute(query).scalar()
    return count(connection) if value is None else int(value)
