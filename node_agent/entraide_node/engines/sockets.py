"""Socket files: a private folder for the socket file of one engine.

If the system has no socket files, or the path would be too long, engines listen on the loopback.
"""

import os
import socket
import tempfile
from pathlib import Path

NAME = "engine.sock"
SOCKET_PATH_BYTES_MAX = 100  # systems allow 104 to 108


def socket_folder() -> Path | None:
    """Creates a folder for one engine's socket; None if socket files are unavailable."""
    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        return None
    folder = Path(tempfile.mkdtemp(prefix="entraide-"))
    if len(os.fsencode(folder / NAME)) <= SOCKET_PATH_BYTES_MAX:
        return folder
    folder.rmdir()
    return None
