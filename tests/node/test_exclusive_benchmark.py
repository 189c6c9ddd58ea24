"""The lock of the start's benchmark: a file in its place keeps no node from starting."""

import getpass
import tempfile
from pathlib import Path

import pytest

from entraide_node.machine_setup import exclusive_benchmark


async def test_a_strange_file_in_the_place_of_the_lock_stops_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link of another account of the machine is not followed, and the benchmark runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / f"entraide-bench-{getpass.getuser()}.lock").symlink_to(elsewhere)

    async with exclusive_benchmark():
        has_run = True

    assert has_run
    assert not elsewhere.exists()
