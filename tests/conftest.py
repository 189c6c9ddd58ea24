"""What every test gets: nothing but a promise that no child process outlives the run."""

from collections.abc import Iterator

import psutil
import pytest


@pytest.fixture(scope="session", autouse=True)
def no_process_left_behind() -> Iterator[None]:
    """Fails the run when a process that a test started is still there at its end."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs([c for c in children if c.pid not in before], timeout=5)
    left = [f"{child.pid} {' '.join(child.cmdline())}" for child in alive if child.is_running()]
    for child in alive:
        child.kill()

    assert [] == left
