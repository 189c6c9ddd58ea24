"""A real X server on which an owner types, for machines of a real pool."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.node import desktops


@contextmanager
def typed_screen(folder: Path) -> Iterator[dict[str, str]]:
    """Starts the server; what is started within the context belongs to its session.

    Args:
        folder: of the session.

    Returns:
        The session's variables.
    """
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [str(desktops.XVFB), "-displayfd", str(writer), "-nolisten", "tcp"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(writer,),
    )  # fmt: skip
    os.close(writer)
    try:
        with os.fdopen(reader) as display_pipe, pytest.MonkeyPatch.context() as patch:
            environ = {
                "DISPLAY": f":{int(display_pipe.readline())}",
                "XDG_RUNTIME_DIR": str(folder),
            }
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.delenv("WAYLAND_DISPLAY", raising=False)
            patch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
            yield environ
    finally:
        process.terminate()
        process.wait(10)


def type_a_key(screen: dict[str, str] | None = None) -> None:
    """The owner is back."""
    subprocess.run(["xdotool", "key", "a"], env={**os.environ, **(screen or {})}, check=True)
