"""Where an engine's socket file stands: a folder of its own that only we may enter.

It decides whether there can be one at all; where there cannot, engines listen on the loopback.
"""

import os
import socket
import tempfile
from pathlib import Path

NAME = "engine.sock"
SOCKET_PATH_BYTES_MAX = 100  # systems allow 104 to 108


def socket_folder() -> Path | None:
    """Makes a folder for one engine's socket; None where socket files cannot be."""
    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        return None
    folder = Path(tempfile.mkdtemp(prefix="entraide-"))
    if len(os.fsencode(folder / NAME)) <= SOCKET_PATH_BYTES_MAX:
        return folder
    folder.rmdir()
    return None
