"""Dump: all rows of a store in one consistent view, and a store made from such rows.

The same rows come from SQLite and from PostgreSQL, and go into either. A dump names the schema's
revision; its rows are inserted into tables of that revision, which are then migrated to this
version's schema. Rows are read and inserted in small batches.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, Table, inspect, select
from sqlalchemy.exc import OperationalError

from entraide.errors import PoolError
from entraide.files import sync_directory, sync_file
from entraide_scheduler.store.database import (
    check_known,
    database_url,
    make_engines,
    migrate,
    unreachable_error,
)
from entraide_scheduler.store.leader import release_term

REVISION_TABLE = "alembic_version"
NOT_DUMPED = (REVISION_TABLE, "browser_halves")  # of the second no deleted row may come back
NEW_WORK = ("kept", "files", "file_parts", "batches", "nodes")
ROWS_AT_ONCE = 200
LARGE_ROWS = {
    "snapshots": 1,
    "kept": 8,
    "file_parts": 8,
    "batch_results": 8,
}  # rows of up to some MiB each
BATCH_BYTES = 1024 * 1024

Row = list[Any]


class TableRows(NamedTuple):
    """Some rows of a table; several follow each other for one table.

    Attributes:
        table: name.
        columns: names, in the order of the values.
        rows: values: None, bool, int, float, str or bytes.
    """

    table: str
    columns: tuple[str, ...]
    rows: list[Row]


class StoreView:
    """A store as it was at one moment, while others go on writing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._metadata = MetaData()
        self._metadata.reflect(connection)
        self.revision = MigrationContext.configure(connection).get_current_revision() or ""

    def read_rows(self) -> Iterator[TableRows]:
        """Yields the rows of each table, by name; a table without rows is left out.

        So is that of the browsers' halves, since a half that was deleted is never to come back.
        """
        for table in sorted(self._metadata.tables.values(), key=lambda each: each.name):
            if table.name not in NOT_DUMPED:
                yield from _read_table(self._connection, table)


@contextmanager
def open_view(url: str) -> Iterator[StoreView]:
    """Opens a consistent view of a store, for as long as the context lasts.

    Raises:
        PoolError: ``store_unreachable``; ``store_too_new`` or ``store_unreleased``: a later
            version made it, or one before the first release.
    """
    with open_reading(url) as connection:
        view = StoreView(connection)
        check_known(view.revision)
        yield view


@contextmanager
def open_reading(url: str) -> Iterator[Connection]:
    """Opens a connection whose queries see a store as it was at the first of them.

    Raises:
        PoolError: ``store_unreachable``.
    """
    parsed = database_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
        raise PoolError(
            "store_unreachable",
            f"{parsed.database} does not exist",
            values={"place": str(parsed.database), "problem": "it does not exist"},
        )
    engines = make_engines(parsed)
    try:
        with _begin_reading(engines[1]) as connection:
            yield connection
    except OperationalError as problem:
        raise unreachable_error(engines[1], problem) from problem
    finally:
        for engine in engines:
            engine.dispose()


@contextmanager
def _begin_reading(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection  # a transaction begins with the first query and ends here


def _read_table(connection: Connection, table: Table) -> Iterator[TableRows]:
    columns = tuple(str(column.name) for column in table.columns)  # quoted_name otherwise
    query = select(table).order_by(*table.primary_key.columns)
    at_once = LARGE_ROWS.get(table.name, ROWS_AT_ONCE)
    rows: list[Row] = []
    size = 0
    for row in connection.execute(query.execution_options(yield_per=at_once)):
        values = list(row)
        rows.append(values)
        size += sum(len(value) if isinstance(value, bytes | str) else 8 for value in values)
        if size >= BATCH_BYTES:
            yield TableRows(str(table.name), columns, rows)
            rows, size = [], 0
    if rows:
        yield TableRows(str(table.name), columns, rows)


def wait_for_writes(url: str) -> None:
    """Returns once every write of new work that has begun is committed or given up.

    Raises:
        PoolError: ``store_unreachable``.
    """
    engines = make_engines(database_url(url))
    try:
        with engines[0].begin() as connection:  # the one writer of SQLite
            if connection.dialect.name != "sqlite":
                connection.exec_driver_sql(f"LOCK TABLE {', '.join(NEW_WORK)} IN SHARE MODE")
    except OperationalError as problem:
        raise unreachable_error(engines[0], problem) from problem
    finally:
        for engine in engines:
            engine.dispose()


def copy_sqlite(source: Path, target: Path) -> None:
    """Copies a SQLite database, as it is at one moment, into a new file. Blocks.

    The copy has no browsers' halves, as ``read_rows`` says.

    Raises:
        OSError: the file cannot be written.
        sqlite3.Error: the database cannot be read, or the disk is full.
    """
    with closing(sqlite3.connect(source)) as present, closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA synchronous=OFF")
        present.backup(copy)
        copy.execute("PRAGMA secure_delete=ON")
        known = copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'browser_halves'")
        if known.fetchone():
            copy.execute("DELETE FROM browser_halves")
            copy.commit()
    sync_file(target)
    sync_directory(target.parent)


def is_empty(connection: Connection) -> bool:
    """Whether a database has no table."""
    return not inspect(connection).get_table_names()


def drop_all(connection: Connection) -> None:
    """Deletes every table of a database, in the connection's transaction."""
    present = MetaData()
    present.reflect(connection)
    present.drop_all(connection)


def fill_store(connection: Connection, revision: str, batches: Iterable[TableRows]) -> None:
    """Makes the tables of a revision, inserts rows, and migrates to this version's schema.

    Everything happens in the connection's transaction.

    Raises:
        KeyError: the rows name a table or a column that the revision does not have.
        SQLAlchemyError: the database refuses a row.
    """
    migrate(connection, revision)
    made = MetaData()
    made.reflect(connection)
    for batch in batches:
        table = made.tables[batch.table]
        columns = [table.columns[name].name for name in batch.columns]
        rows = [dict(zip(columns, row, strict=True)) for row in batch.rows]
        if rows:
            connection.execute(table.insert(), rows)
    migrate(connection, "head")
    release_term(connection)  # its leader, if it still runs, has another store
