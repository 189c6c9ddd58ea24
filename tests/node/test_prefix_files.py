"""States at rest: one sender cannot evict the others', and no file outlives its agent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cases import all_cases

from entraide_node.doctor import engine_checks
from entraide_node.doctor.engine_checks import check_prefixes
from entraide_node.engines import prefix_files
from entraide_node.engines.prefix_files import PrefixFiles

STATE_BYTES, TOKENS = 1_000, 10

in_memory = pytest.mark.skipif(
    prefix_files.find_memory_place() is None, reason="no file system is only in memory here"
)


def partition(owner: int, part: int = 0) -> bytes:
    """Of a person, and of one of that person's conversations."""
    return bytes([owner]) * 16 + bytes([part]) * 16


def save(files: PrefixFiles, of: bytes, at: float) -> bool:
    """Saves a state as the engine does; returns whether it stays."""
    name = files.make_room(of, TOKENS)
    if not name:
        return False
    (files.folder / name).write_bytes(bytes(STATE_BYTES))
    return files.add(
        of, name, size=STATE_BYTES, tokens=TOKENS, job=f"job-{at}", used_at=at, expires_at=1e9
    )


def test_one_sender_cannot_evict_the_states_of_all_others(tmp_path: Path) -> None:
    """Of four places, who asks a hundred times gets what three others leave, and no more."""
    files = PrefixFiles(tmp_path, -1)
    files.limit(4 * STATE_BYTES)
    others = [partition(owner) for owner in (1, 2, 3)]
    for number, other in enumerate(others):
        assert save(files, other, float(number))
    kept = [save(files, partition(9, part), 10.0 + part) for part in range(100)]

    assert all(kept)
    assert {*others, partition(9, 99)} == {*files.jobs()}
    assert 4 == len(list(tmp_path.iterdir()))


def test_who_holds_most_gives_to_one_who_holds_less(tmp_path: Path) -> None:
    """The oldest state of the largest owner goes; its later ones stay."""
    files = PrefixFiles(tmp_path, -1)
    files.limit(4 * STATE_BYTES)
    for part in range(4):
        assert save(files, partition(9, part), float(part))
    assert save(files, partition(1), 10.0)

    assert {partition(1), *(partition(9, part) for part in (1, 2, 3))} == {*files.jobs()}


CHILD = """
import sys, time
from entraide_node.engines.prefix_files import make_prefix_files
files = make_prefix_files()
(files.folder / "state").write_bytes(b"what somebody asked")
print(files.folder, flush=True)
sys.stdin.read()
"""


@in_memory
def test_files_of_a_killed_agent_are_removed_at_the_next_start() -> None:
    """Those of an agent that runs stay."""
    children, folders = [], []
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        assert child.stdout is not None
        folders.append(Path(child.stdout.readline().strip()))
    try:
        os.kill(children[0].pid, signal.SIGKILL)
        children[0].wait()
        left_behind = (folders[0] / "state").exists()
        files = prefix_files.make_prefix_files()
        assert files is not None
        files.close()
        remaining = [(folder / "state").exists() for folder in folders]
    finally:
        for child in children:
            child.kill()
            child.communicate()
        prefix_files.remove_leftovers(folders[1].parent)

    assert (True, [False, True]) == (left_behind, remaining)
    assert not folders[1].exists()


@all_cases(
    ("place", "part", "swap_bytes", "code"),
    [
        (None, 0.1, 0, "none"),
        ("/dev/shm", 0.0, 0, "off"),
        ("/dev/shm", 0.1, 0, "ok"),
        ("/dev/shm", 0.1, 1 << 30, "swap"),
    ],
)
def test_the_doctor_says_where_states_rest(
    place: str | None, part: float, swap_bytes: int, code: str
) -> None:
    """And that the system may write them to a disk, if it swaps memory out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_checks, "find_memory_place", lambda: place)
        swap = type("Swap", (), {"total": swap_bytes})()
        patch.setattr(engine_checks.psutil, "swap_memory", lambda: swap)
        check = check_prefixes(part)

    assert ("prefix", code) == (check.name, check.code)
