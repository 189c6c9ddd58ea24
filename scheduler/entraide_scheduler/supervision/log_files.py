"""Log files: bounds the logs of a pool's processes while these run.

A process writes to a file that it inherited, always at its end, so a file that is too long is
copied to ``NAME.log.1``, which is replaced, and emptied in its place. A line that is written
between the two is lost.
"""

import contextlib
import shutil
from pathlib import Path

LOG_BYTES_MAX = 5_000_000  # of the file and of the one before it


def rotate_log(path: Path) -> bool:
    """Moves the content of a log to the file before it, if it is too long; returns whether it was.

    Its writers must append.
    """
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size <= LOG_BYTES_MAX:
            return False
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+b") as file:
            file.truncate()
        return True
    return False
