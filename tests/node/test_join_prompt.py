"""Joining without ``--token``: a person at a terminal is asked for it, and may give none."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("typed", "status"), [(b"join_abcdefgh\n", 1), (b"\x04", 130)])
def test_token_is_asked_for_and_never_shown(tmp_path: Path, typed: bytes, status: int) -> None:
    """The token is read without an echo; who gives none leaves without a traceback."""
    words = ["-m", "entraide.cli", "--lang", "fr", "node", "join", "http://127.0.0.1:9"]
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *words, "--dir", tmp_path / "node"],
        stdin=end, stdout=end, stderr=end, start_new_session=True,
    )  # fmt: skip
    os.close(end)
    said = b""
    while "Jeton d’adhésion".encode() not in said:
        said += os.read(terminal, 1_024)
    os.write(terminal, typed)
    try:
        while part := os.read(terminal, 1_024):
            said += part
    except OSError:
        pass  # the command has ended
    ended = process.wait()
    os.close(terminal)

    assert status == ended
    assert b"join_abcdefgh" not in said
    assert b"Traceback" not in said
