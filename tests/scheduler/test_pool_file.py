"""``pool.json``: who writes it, and who may remove it."""

from pathlib import Path

import pytest

from entraide.errors import PoolError
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.processes import PoolProcesses


async def test_a_refused_second_start_leaves_the_file_of_the_pool_that_runs(
    tmp_path: Path,
) -> None:
    """A second ``make run`` is refused, and the commands still find the first one's pool."""
    running = poolfile.PoolFile(
        http="http://127.0.0.1:1", grpc="127.0.0.1:2", nats="", admin_key="", keys={}, pids={}
    )
    first, second = PoolProcesses(tmp_path), PoolProcesses(tmp_path)
    first.lock("up.lock")
    poolfile.write(tmp_path, running)
    with pytest.raises(PoolError) as refused:
        second.lock("up.lock")
    await second.stop()
    kept = poolfile.read(tmp_path)
    await first.stop()

    assert ("already_running", running) == (refused.value.code, kept)
    assert poolfile.read(tmp_path) is None
