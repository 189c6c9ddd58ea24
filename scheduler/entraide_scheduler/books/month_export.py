"""Month export: writes the file of a month from the store, in a process of its own.

In: what to export, as JSON in the environment: the store's address may have a password, which is
not for the list of processes. Out: ``DIR/closed/YYYY-MM.entraide``, signed with the pool's receipt
key; it is complete or does not appear.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from entraide.closed_months import FORMAT, MonthHead, MonthSums, MonthWriter
from entraide.decoding import decode_json
from entraide.files import PRIVATE_DIRECTORY_MODE, sync_directory
from entraide.merkle import MerkleTree
from entraide_scheduler.nats.receipt_keys import describe_key, load_receipt_keys
from entraide_scheduler.store.closed_files import find_file
from entraide_scheduler.store.dump import open_reading
from entraide_scheduler.store.month_records import read_records

VARIABLE = "ENTRAIDE_MONTH_EXPORT"


class MonthWish(Struct, frozen=True):
    """What to export.

    Attributes:
        store_url: address of the store.
        home: the pool's directory.
        pool: name of the pool.
        month, timezone, start_at, end_at, closed_at, previous: as in the file's head.
    """

    store_url: str
    home: str
    pool: str
    month: str
    timezone: str
    start_at: float
    end_at: float
    closed_at: float
    previous: str


def export_month(wish: MonthWish) -> MonthHead:
    """Writes a month's file and returns its head. Blocks.

    Raises:
        PoolError: the store or the pool's keys cannot be read.
        OSError: the file cannot be written.
    """
    home, target = Path(wish.home), find_file(Path(wish.home), wish.month)
    target.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)
    # Beside the folder: a backup takes the folder, and no file that begins with a point.
    handle, name = tempfile.mkstemp(dir=home, prefix=f".{target.name}-")  # made 0600
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            head = _write(file, wish)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        raise
    sync_directory(target.parent)
    return head


def export_from_environment() -> None:
    """Writes the month that the environment names."""
    export_month(decode_json(os.environ.pop(VARIABLE, "").encode(), type=MonthWish))


def _write(file: BinaryIO, wish: MonthWish) -> MonthHead:
    key = load_receipt_keys(Path(wish.home)).signing
    writer, tree, sums = MonthWriter(file), MerkleTree(), MonthSums()
    with open_reading(wish.store_url) as connection:
        for record in read_records(connection, wish.start_at, wish.end_at):
            tree.append(writer.add(record))
            sums.add(record)
    head = MonthHead(
        format=FORMAT,
        pool=wish.pool,
        month=wish.month,
        timezone=wish.timezone,
        start_at=wish.start_at,
        end_at=wish.end_at,
        closed_at=wish.closed_at,
        jobs=sums.jobs,
        records=tree.size,
        root=tree.root().hex(),
        previous=wish.previous,
        sums=sums.pairs(),
        accounts=sums.accounts(),
        key=describe_key(key).id,
    )
    return writer.finish(head, key.sign)
