"""The testbed leaves nothing behind, however its run ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
from tests.testbed.network import FOLDER, PREFIX, TEMPORARY, namespaces, remove_left_behind

pytestmark = pytest.mark.engines

HOLD = """
import signal
from tests.testbed.hosts import running_testbed
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with running_testbed() as bed:
    for host in bed.hosts.values():
        host.start("setsid sleep 1000 & sleep 1000")
    print("made", flush=True)
    signal.pause()
"""


@contextmanager
def run_apart() -> Iterator[subprocess.Popen[str]]:
    """A run in another process, whose testbed is made."""
    command = [sys.executable, "-c", HOLD]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "made\n" == process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()
        remove_left_behind()


def left(pid: int) -> list[str]:
    """What is there of a run: namespaces, files, home folders and processes."""
    prefix = f"{PREFIX}-{pid}-"
    processes = [
        str(process.pid)
        for process in psutil.process_iter(["environ"])
        if prefix in (process.info["environ"] or {}).get("HOME", "")
    ]
    files = [str(path) for place in (FOLDER, TEMPORARY) for path in place.glob(f"{prefix}*")]
    return namespaces(prefix) + files + processes


def test_runs_at_the_same_time_end_clean() -> None:
    """Of two runs one is interrupted, and the other keeps what it has; killed, it is swept up."""
    with ExitStack() as stack:
        interrupted, killed = (stack.enter_context(run_apart()) for _ in range(2))
        before = namespaces(f"{PREFIX}-{killed.pid}-")
        interrupted.send_signal(signal.SIGINT)
        interrupted.wait(60)

        assert [] == left(interrupted.pid)
        assert 7 == len(before)
        assert before == namespaces(f"{PREFIX}-{killed.pid}-")

        killed.kill()
        killed.wait(60)
        remove_left_behind()

        assert [] == left(killed.pid)
