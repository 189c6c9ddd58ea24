"""Backup verification: opens a sealed backup and reads it to its end, as a restore does.

In: the file and its passphrase. Out: the number of files and rows in it. Each frame is
authenticated, each part is compared with its digest, and a pool's configuration and keys are there.
"""

from pathlib import Path

from entraide.errors import PoolError
from entraide_scheduler.pool.backup_records import FileRecord, read_records
from entraide_scheduler.pool.config import FILE
from entraide_scheduler.pool.restore import open_backup, refused, unseal
from entraide_scheduler.pool.sealed_file import SealedFault

KEYS = "identity/"


def verify_backup(file: Path, passphrase: str) -> tuple[int, int]:
    """Returns the number of files and of rows of a backup that can be restored. Blocks.

    Raises:
        PoolError: ``backup_unreadable``, or ``backup_refused`` with its fault.
    """
    files: set[str] = set()
    rows = 0
    with open_backup(file) as (raw, head, raw_head):
        reader = unseal(file, raw, passphrase, head, raw_head)
        try:
            for record in read_records(reader.read):
                if isinstance(record, FileRecord):
                    files.add(record.path)
                else:
                    rows += len(record.rows)
            reader.check_end()
        except SealedFault as fault:
            raise refused(file, fault, head) from fault
        except OSError as problem:
            values = {"path": str(file), "problem": problem.strerror or str(problem)}
            raise PoolError("backup_unreadable", f"{file}: {problem}", values=values) from problem
    if FILE not in files or not any(path.startswith(KEYS) for path in files):
        raise refused(file, SealedFault("damaged"), head)
    return len(files), rows
