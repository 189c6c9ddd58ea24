"""Restore: makes a pool's directory and store from a backup, or nothing.

In: a sealed file and its passphrase. Out: a directory that ``pool run`` can start, with the store
in SQLite or PostgreSQL, whichever the backup came from. The directory is made beside its place and
renamed at the end; the store's rows are one transaction.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from entraide.errors import PoolError
from entraide.files import (
    PRIVATE_DIRECTORY_MODE,
    append_private,
    sync_directory,
    write_private,
)
from entraide_scheduler.erasure_list import BESIDE_BACKUPS, ErasureList, merge_lists, read_list
from entraide_scheduler.erasure_list import FILE as FILE_OF_ERASURES
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.pool.backup_records import FileRecord, RowsRecord, read_records
from entraide_scheduler.pool.config import FILE, PoolConfig, load_pool_config
from entraide_scheduler.pool.create import FOLDERS
from entraide_scheduler.pool.sealed_file import (
    FORMAT,
    SealedFault,
    SealedHead,
    SealedReader,
    read_head,
)
from entraide_scheduler.restored import RestoredMark, read_mark, write_mark
from entraide_scheduler.store.database import (
    database_url,
    is_unreleased,
    known_revisions,
    make_engines,
    unreachable_error,
)
from entraide_scheduler.store.dump import TableRows, drop_all, fill_store, is_empty
from entraide_scheduler.store.ended_access import (
    EndedAccess,
    end_signins,
    read_ended,
    repeat_ended,
    repeat_revocations,
)
from entraide_scheduler.store.erasures import Erasure, list_erasures, repeat

SQLITE = "sqlite"  # as --database: the store in the pool's directory
DATABASE_LINE = re.compile(r"^database\s*=.*$", re.MULTILINE)


class RestoreSummary(Struct, frozen=True):
    """What was restored.

    Attributes:
        path: the pool's directory.
        name: the pool's name.
        version: version of Entraide that wrote the backup.
        at: the moment of which the content is, seconds since the epoch.
        files, rows: how many.
        erased: how many erasures found something to erase again.
        revoked: how many keys, nodes and people of the backup had been revoked since.
        lists: the lists of erasures and revocations that were read.
        lacks_mirror: whether the pool has no files from which machines install.
        missing_weights: the models of which the pool lacks pinned files.
        mirror_source: what its mirror is made of, ``release`` or ``index``.
    """

    path: str
    name: str
    version: str
    at: float
    files: int
    rows: int
    erased: int = 0
    revoked: int = 0
    lists: tuple[str, ...] = ()
    lacks_mirror: bool = False
    missing_weights: tuple[str, ...] = ()
    mirror_source: str = "index"


class _Rows:
    """The rows of a backup, counted; the files before them go to ``draft``."""

    def __init__(self, records: Iterator[FileRecord | RowsRecord], draft: Path) -> None:
        self._records = records
        self._draft = draft
        self._first: RowsRecord | None = None
        self.files = self.rows = 0
        for record in records:
            if isinstance(record, RowsRecord):
                self._first = record
                break
            path = draft / record.path
            path.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
            if record.offset:
                append_private(path, record.content)
            else:
                write_private(path, record.content)
                self.files += 1

    def __iter__(self) -> Iterator[TableRows]:
        record: FileRecord | RowsRecord | None = self._first
        while record is not None:
            if isinstance(record, FileRecord):
                raise SealedFault("damaged")  # files come first
            self.rows += len(record.rows)
            yield TableRows(record.table, record.columns, record.rows)
            record = next(self._records, None)


def restore_pool(
    file: Path,
    state: Path,
    passphrase: str,
    *,
    database: str | None = None,
    erased: Path | None = None,
) -> RestoreSummary:
    """Restores a backup into a directory and a database that are empty or missing. Blocks.

    All sign-in sessions end, and sign-in links are deleted. What was erased or revoked after the
    backup, as the lists say, is erased or revoked again.

    Args:
        file: the backup.
        state: the pool's new directory.
        passphrase: with which the backup was sealed.
        database: URL of the new store; ``sqlite`` for SQLite in the directory; None for what
            ``pool.toml`` of the backup says.
        erased: a list of erasures to repeat, besides the one beside the backup.

    Raises:
        PoolError: ``erasures_unreadable``, ``backup_unreadable``, ``backup_refused`` with its
            fault, ``restore_target``, ``pool_database_taken``, ``restore_database``,
            ``pool_not_created``, or an error of opening a store.
    """
    check_target(state)
    lists = [path for path in (erased, file.parent / BESIDE_BACKUPS) if path and path.exists()]
    if erased is not None and erased not in lists:
        lists.insert(0, erased)  # reading it says what is wrong
    repeated = merge_lists(*map(read_list, lists))
    with open_backup(file) as (raw, head, raw_head):
        reader = unseal(file, raw, passphrase, head, raw_head)
        try:
            state.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=state.parent, prefix=f".{state.name}-"))  # made 0700
        except OSError as problem:
            raise _not_created(state, problem) from problem
        try:
            summary = _restore(reader, head, draft, state, database=database, repeated=repeated)
            return structs.replace(summary, lists=tuple(map(str, lists)))
        except SealedFault as fault:
            raise refused(file, fault, head) from fault
        except OSError as problem:
            raise _not_created(state, problem) from problem
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _restore(
    reader: SealedReader,
    head: SealedHead,
    draft: Path,
    state: Path,
    *,
    database: str | None,
    repeated: ErasureList,
) -> RestoreSummary:
    rows = _Rows(read_records(reader.read), draft)
    config = _prepare_config(draft, database)
    identity = PoolIdentity(draft)
    for name in FOLDERS:
        (draft / name).mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)
    at = time.time()
    write_mark(draft, RestoredMark(at, head.at, head.version, joined_until=at))
    url = database_url(config.database or f"sqlite:///{draft / 'store.db'}")
    is_own = not config.database
    with empty_database(url) as connection:
        fill(connection, head.schema, rows, reader)
        end_signins(connection, at)  # some were ended, and links used, after the backup
        erased = repeat(connection, repeated.erased)
        revoked, node_keys = repeat_revocations(connection, repeated.revoked, head.at)
        identity.record_revocations(node_keys)
        if not is_own:
            _move(draft, state)  # before the commit, which is the last step that can fail
    if is_own:
        _move(draft, state)
    counts = (rows.files, rows.rows, erased, revoked)
    return RestoreSummary(str(state), config.name, head.version, head.at, *counts)


def fill(connection: Connection, schema: str, rows: _Rows, reader: SealedReader) -> None:
    """Inserts the rows of a backup and checks its end.

    Raises:
        SealedFault: ``damaged``.
        SQLAlchemyError: the database refuses a row.
    """
    try:
        fill_store(connection, schema, rows)
    except (KeyError, ValueError):
        raise SealedFault("damaged") from None
    reader.check_end()


def put_back(file: Path, passphrase: str, state: Path) -> None:
    """Puts a backup's files and rows in the place of a pool's own. Blocks.

    No node has joined since, because a trial lets none join. What was taken away since
    stays so: what was erased, deleted or cancelled, revoked keys, disabled people, ended sessions,
    used sign-in links.

    Args:
        file: the backup of this pool.
        passphrase: with which it was sealed.
        state: the pool's directory; no process may use it or its store.

    Raises:
        PoolError: as ``restore_pool``; the store is then unchanged.
    """
    with (
        open_backup(file) as (raw, head, raw_head),
        tempfile.TemporaryDirectory(dir=state, prefix=".put-back-") as folder,
    ):
        draft = Path(folder)
        reader = unseal(file, raw, passphrase, head, raw_head)
        try:
            rows = _Rows(read_records(reader.read), draft)
            mark = RestoredMark(time.time(), head.at, head.version, read_mark(draft).joined_until)
            put_in_place(state, draft, mark, lambda c: fill(c, head.schema, rows, reader))
        except SealedFault as fault:
            raise refused(file, fault, head) from fault
        except OSError as problem:
            raise _not_created(state, problem) from problem


def put_in_place(
    state: Path, draft: Path, mark: RestoredMark, fill_with: Callable[[Connection], None]
) -> None:
    """Puts files and rows of before in the place of a pool's own, as ``put_back`` says.

    Args:
        state: the pool's directory.
        draft: the files, which are moved.
        mark: of the pool that is then there.
        fill_with: makes the tables and rows.
    """
    config = load_pool_config(draft)
    with _writing(database_url(config.database or f"sqlite:///{state / 'store.db'}")) as c:
        ended, erased = _read_ended(c), _read_erased(c, state)
        drop_all(c)
        fill_with(c)
        if ended is None:
            end_signins(c, time.time())
        else:
            repeat_ended(c, ended)
        _keep_revocations(state, draft)
        repeat(c, erased)
        for path in filter(Path.is_file, sorted(draft.rglob("*"))):
            _put_file(path, state / path.relative_to(draft))
        write_mark(state, mark)


def _put_file(path: Path, target: Path) -> None:
    """Moves a private file, which is whole and on disk, into the place of another."""
    target.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    path.replace(target)
    sync_directory(target.parent)


def _read_ended(connection: Connection) -> EndedAccess | None:
    """Returns what is over in the store of a trial; None if its later schema has no such facts."""
    with suppress(SQLAlchemyError), connection.begin_nested():
        return read_ended(connection)
    return None


def _read_erased(connection: Connection, state: Path) -> tuple[Erasure, ...]:
    """Returns what was erased in a trial: by its store, and by the list, which lags behind it."""
    own = state / FILE_OF_ERASURES
    listed = read_list(own) if own.exists() else ErasureList()
    with suppress(SQLAlchemyError), connection.begin_nested():
        listed = merge_lists(listed, ErasureList(list_erasures(connection)))
    return listed.erased


def _keep_revocations(state: Path, draft: Path) -> None:
    """Adds a pool's revoked keys to those of the backup that comes in its place."""
    with suppress(PoolError):  # what a trial has damaged must not stop the way back
        PoolIdentity(draft).record_revocations(PoolIdentity(state).read_revocations())


@contextmanager
def open_backup(file: Path) -> Iterator[tuple[BinaryIO, SealedHead, bytes]]:
    """Opens a backup that this version can restore, and reads its head.

    Raises:
        PoolError: ``backup_unreadable`` or ``backup_refused``.
    """
    try:
        raw = file.open("rb")
    except OSError as problem:
        values = {"path": str(file), "problem": problem.strerror or str(problem)}
        raise PoolError("backup_unreadable", f"{file}: {problem}", values=values) from problem
    with raw:
        try:
            head, raw_head = read_head(raw)
        except SealedFault as fault:
            raise refused(file, fault) from fault
        except OSError as problem:
            values = {"path": str(file), "problem": problem.strerror or str(problem)}
            raise PoolError("backup_unreadable", f"{file}: {problem}", values=values) from problem
        if is_unreleased(head.schema):
            raise refused(file, SealedFault("unreleased"), head)
        if head.format > FORMAT or head.schema not in known_revisions():
            raise refused(file, SealedFault("too_new"), head)
        yield raw, head, raw_head


def unseal(
    file: Path, raw: BinaryIO, passphrase: str, head: SealedHead, raw_head: bytes
) -> SealedReader:
    """Returns the content of a backup.

    Raises:
        PoolError: ``backup_refused``: the passphrase is wrong.
    """
    try:
        return SealedReader(raw, passphrase, head, raw_head)
    except SealedFault as fault:
        raise refused(file, fault, head) from fault


def refused(file: Path, fault: SealedFault, head: SealedHead | None = None) -> PoolError:
    """Returns the error of a backup that cannot be used."""
    version = head.version if head is not None else ""
    return PoolError(
        "backup_refused",
        f"{file}: {fault.code}",
        values={"path": str(file), "fault": fault.code, "version": version},
    )


def check_target(state: Path) -> None:
    """Checks that a directory is missing or empty.

    Raises:
        PoolError: ``restore_target`` or ``pool_not_created``.
    """
    try:
        is_free = not state.exists() or (state.is_dir() and not any(state.iterdir()))
    except OSError as problem:
        raise _not_created(state, problem) from problem
    if not is_free:
        raise PoolError("restore_target", f"{state} is not empty", values={"path": str(state)})


def _prepare_config(draft: Path, database: str | None) -> PoolConfig:
    """Writes the new database into ``pool.toml``; returns the configuration."""
    config = load_pool_config(draft)
    if database is None:
        return config
    wanted = msgspec.structs.replace(config, database="" if database == SQLITE else database)
    if wanted.database:
        database_url(wanted.database)
    line = f"database = {msgspec.json.encode(wanted.database).decode()}"  # also a TOML string
    path = draft / FILE
    text = path.read_text("utf-8")
    head, table, rest = _split_at_first_table(text)
    present = DATABASE_LINE.search(head)
    if present is None:
        head = f"{head.rstrip()}\n{line}\n\n"
    else:
        head = head[: present.start()] + line + head[present.end() :]
    write_private(path, (head + table + rest).encode())
    changed = load_pool_config(draft)
    assert changed == wanted, "pool.toml holds the new database and nothing else has changed"
    return changed


def _split_at_first_table(text: str) -> tuple[str, str, str]:
    table = re.search(r"^\[", text, re.MULTILINE)
    return (text, "", "") if table is None else (text[: table.start()], "[", text[table.end() :])


@contextmanager
def empty_database(url: URL) -> Iterator[Connection]:
    """Opens a transaction in an empty database; it is committed at the end of the context.

    Raises:
        PoolError: ``pool_database_taken``, ``store_unreachable``.
    """
    is_sqlite = url.drivername == "sqlite"
    path = Path(url.database or "")
    was_missing = is_sqlite and not path.exists()
    try:
        with _writing(url) as connection:
            if not is_empty(connection):
                raise PoolError("pool_database_taken", "the database is not empty")
            yield connection
    except BaseException:
        if was_missing:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        raise


@contextmanager
def _writing(url: URL) -> Iterator[Connection]:
    """Opens a transaction, committed at the end of the context.

    Raises:
        PoolError: ``store_unreachable``; ``restore_database``: the database refuses a statement.
    """
    engines = make_engines(url)
    try:
        try:
            connection = engines[0].connect()
        except OperationalError as problem:
            raise unreachable_error(engines[0], problem) from problem
        try:
            with connection, connection.begin():
                yield connection
        except SQLAlchemyError as problem:
            detail = str(getattr(problem, "orig", problem)).partition("\n")[0]
            raise PoolError("restore_database", detail, values={"problem": detail}) from problem
    finally:
        for engine in engines:
            engine.dispose()


def _move(draft: Path, state: Path) -> None:
    draft.rename(state)
    sync_directory(state.parent)


def _not_created(state: Path, problem: OSError) -> PoolError:
    reason = problem.strerror or str(problem)
    return PoolError(
        "pool_not_created", f"{state}: {problem}", values={"path": str(state), "problem": reason}
    )
