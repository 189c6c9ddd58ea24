"""The scheduler as a process: start, stop, and error messages."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import write_config

READY = b'"event": "scheduler.ready"'


async def started(folder: Path, bus: NatsPool) -> asyncio.subprocess.Process:
    """Starts a scheduler on the end of a pipe, and returns when it is ready."""
    write_config(folder, bus.url)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "entraide_scheduler", "run"),
        *("--config", str(folder / "scheduler.toml")),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "ENTRAIDE_PARENT_PIPE": "1"},
    )
    assert process.stderr is not None
    output = []
    async for line in process.stderr:
        output.append(line)
        if READY in line:
            return process
    raise AssertionError(b"".join(output).decode())


async def test_scheduler_ends_when_its_parents_pipe_closes(tmp_path: Path, bus: NatsPool) -> None:
    """A scheduler whose parent is gone stops by itself, in order."""
    process = await started(tmp_path, bus)
    assert process.stdin is not None
    process.stdin.close()
    _, output = await process.communicate()

    assert 0 == process.returncode
    assert b"gateway.stopped" in output


async def test_scheduler_ends_in_order_when_it_is_told_to(tmp_path: Path, bus: NatsPool) -> None:
    """SIGTERM stops a scheduler in order, with status 0."""
    process = await started(tmp_path, bus)
    process.send_signal(signal.SIGTERM)
    _, output = await process.communicate()

    assert 0 == process.returncode
    assert b"gateway.stopped" in output


async def test_scheduler_that_waits_for_the_bus_can_be_told_to_stop(tmp_path: Path) -> None:
    """Without a bus a scheduler waits, and still ends when it is told to."""
    path = tmp_path / "scheduler.toml"
    path.write_text(f'dir = "{tmp_path}"\n[nats]\nurls = ["nats://127.0.0.1:1"]\n')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "entraide_scheduler", "run", "--config", str(path)),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if b"bus.error" in line:
            break
    process.send_signal(signal.SIGTERM)
    await process.communicate()

    assert 0 == process.returncode


async def test_config_that_is_refused_is_one_sentence_in_the_readers_language(
    tmp_path: Path,
) -> None:
    """A config with an unknown key ends the start with its file and key, and status 1."""
    path = tmp_path / "scheduler.toml"
    path.write_text('dir = "x"\ncouleur = "vert"\n')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "entraide_scheduler", "run", "--config", str(path)),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "ENTRAIDE_LANG": "fr"},
    )
    _, output = await process.communicate()

    assert 1 == process.returncode
    assert output.decode().startswith("La configuration est inutilisable")
    assert "couleur" in output.decode()
    assert 1 == len(output.decode().strip().split("\n"))
