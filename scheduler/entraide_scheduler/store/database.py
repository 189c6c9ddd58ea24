"""Database: SQLAlchemy engines for a URL, and migrations of older schemas.

The first migration makes the schema of the first release. No migration leads there from the
schemas of the versions before: a store of theirs is refused.

SQLite runs in WAL mode with ``synchronous=FULL``, so that an acknowledged commit survives a power
failure; group commit spreads the cost. PostgreSQL has the same guarantee by default.
"""

import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from entraide.errors import PoolError
from entraide.log_format import without_secrets

BUSY_TIMEOUT_MS = 15_000
LOG_WAIT_MS = 250
READERS_MAX = 8
# PostgreSQL: a server out of reach is noticed within these times, unless the URL names others.
CONNECT_TIMEOUT_S = 5
LINK_OPTIONS = {"connect_timeout": CONNECT_TIMEOUT_S, "tcp_user_timeout": 10_000,
                "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}  # fmt: skip
IDLE_MAX_S = 5  # of a writer's transaction: that of a suspended process ends within its term


def database_url(url: str) -> URL:
    """Returns the SQLAlchemy URL of a store.

    Raises:
        PoolError: ``store_url_refused``: neither SQLite in a file nor PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    raise PoolError(
        "store_url_refused",
        "The store is a SQLite file (sqlite:///FILE) or PostgreSQL (postgresql://…).",
        values={"driver": parsed.drivername},
    )


def make_engines(url: URL) -> tuple[Engine, Engine]:
    """Returns the engine of the single writer and the engine of the readers."""
    options: dict[str, Any] = {"hide_parameters": True}  # the text of an error goes to the log
    if url.drivername != "sqlite":
        # Values by position, as SQLite takes them, so that compiled statements suit both.
        links = {name: value for name, value in LINK_OPTIONS.items() if name not in url.query}
        options |= {"pool_pre_ping": True, "paramstyle": "format", "connect_args": links}
        writer = create_engine(url, pool_size=1, max_overflow=0, **options)
        event.listen(writer, "connect", _prepare_postgresql_writer)
        return writer, create_engine(url, pool_size=READERS_MAX, **options)
    options["connect_args"] = {"check_same_thread": False}
    writer = create_engine(url, **options)
    reader = create_engine(url, pool_size=READERS_MAX, **options)
    for engine, begin in ((writer, "BEGIN IMMEDIATE"), (reader, "BEGIN")):
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_with(begin))
    return writer, reader


def truncate_log(engine: Engine) -> bool:
    """Writes SQLite's log into the database and empties it; returns False if it is in use.

    Waits ``LOG_WAIT_MS`` at most for those who read, because writers wait meanwhile.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout={LOG_WAIT_MS}")
        ((busy, *_),) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        return not busy
    finally:
        raw.close()


def find_schema_fault(engine: Engine) -> str:
    """Returns what is wrong with a database's schema; "" if nothing is. Changes nothing.

    One of ``absent``, ``older``, ``newer`` and ``unreleased``.
    """
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present is None:
        return "absent"
    if present == ScriptDirectory.from_config(migration_config()).get_current_head():
        return ""
    if present in known_revisions():
        return "older"
    return "unreleased" if is_unreleased(present) else "newer"


def upgrade(engine: Engine) -> None:
    """Migrates the database to this version's schema.

    Raises:
        PoolError: ``store_too_new`` or ``store_unreleased``: a later version of Entraide created
            it, or one before the first release.
    """
    head = ScriptDirectory.from_config(migration_config()).get_current_head()
    with engine.connect() as connection:
        with connection.begin():
            present = MigrationContext.configure(connection).get_current_revision()
        if present == head:
            return
        if present is not None:
            check_known(present)
        with connection.begin():
            migrate(connection, "head")


def migrate(connection: Connection, revision: str) -> None:
    """Migrates a database to a revision, in the connection's transaction."""
    config = migration_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def known_revisions() -> frozenset[str]:
    """Returns the revisions of the schema that this version knows."""
    scripts = ScriptDirectory.from_config(migration_config())
    return frozenset(step.revision for step in scripts.walk_revisions())


def check_known(revision: str) -> None:
    """Checks that this version knows a schema.

    Raises:
        PoolError: ``store_too_new`` or ``store_unreleased``.
    """
    if revision in known_revisions():
        return
    if is_unreleased(revision):
        code, maker = "store_unreleased", "A version before the first release"
    else:
        code, maker = "store_too_new", "A later version of Entraide"
    raise PoolError(
        code, f"{maker} made this store (schema {revision}).", values={"schema": revision}
    )


def is_unreleased(revision: str) -> bool:
    """Whether a schema is from before the first release; the numbers of schemas only grow."""
    return "" < revision < min(known_revisions())


def unreachable_error(engine: Engine, problem: OperationalError) -> PoolError:
    """Returns the error with the database's URL, without its password, and the driver's message."""
    place = without_secrets(engine.url.render_as_string(hide_password=True))
    lines = str(problem.orig).splitlines() or [""]
    return PoolError(
        "store_unreachable",
        f"The store {place} cannot be opened: {lines[0]}",
        values={"place": place, "problem": lines[0]},
    )


def check_current(connection: Connection) -> None:
    """Checks that a database has this version's schema, for read-only use.

    Raises:
        PoolError: ``store_too_new``, ``store_too_old`` or ``store_unreleased``.
    """
    present = MigrationContext.configure(connection).get_current_revision()
    if present == ScriptDirectory.from_config(migration_config()).get_current_head():
        return
    if present is not None:
        check_known(present)
    raise PoolError(
        "store_too_old", f"The store has schema {present}.", values={"schema": present or "0"}
    )


def migration_config() -> Config:
    """Returns Alembic's configuration: where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _prepare_sqlite(raw: sqlite3.Connection, _record: Any) -> None:
    raw.isolation_level = None  # transactions begin by BEGIN below; sqlite3 would begin them later
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is deleted is overwritten with zeros
    ):
        raw.execute(f"PRAGMA {pragma}")


def _prepare_postgresql_writer(raw: Any, _record: Any) -> None:
    raw.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_MAX_S}s'")
    raw.commit()


def _begin_with(statement: str) -> Any:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
