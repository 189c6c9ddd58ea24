"""A real llama.cpp that is killed while its agent starts it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from entraide_node import machine_setup
from entraide_node.config import LlamaCpp, NodeConfig
from entraide_node.core.supervision import START_TRIES_MAX
from entraide_node.engines.base import EngineProblem
from entraide_node.machine_setup import (
    RATES_VARIABLE,
    EngineInstance,
    MachineSetup,
    start_machine,
)

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

WITHIN_S = 240.0
AGAIN = "node.engine_start_failed"


Engines = Callable[[], list[int]]


@asynccontextmanager
async def killer(
    engines: Engines, killed: set[int], is_due: Callable[[], bool]
) -> AsyncIterator[None]:
    """Kills each engine as soon as it exists, while it is due."""

    async def kill_each() -> None:
        while True:
            for pid in set(engines()) - killed:
                if is_due():
                    killed.add(pid)
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.005)

    killing = asyncio.create_task(kill_each())
    try:
        yield
    finally:
        killing.cancel()


async def start(
    folder: Path,
    engines: Engines,
    killed: set[int],
    is_due: Callable[[list[str]], bool],
    *,
    model: str = "demo",
) -> tuple[MachineSetup | EngineProblem, list[EventDict]]:
    """Starts a machine with one engine; returns what becomes of it, and the log of new starts."""
    config = NodeConfig(
        node="n1", coop="alpha", zone="CA-QC", nats_urls=(), dir=str(folder),
        engine=LlamaCpp(model=model, threads=1, slots=1),
    )  # fmt: skip
    states: list[str] = []
    with capture_logs() as logs:
        async with asyncio.timeout(WITHIN_S), killer(engines, killed, lambda: is_due(states)):
            machine = await start_machine(config, tell=states.append)
    if isinstance(machine, MachineSetup):
        await machine.stop()
    return machine, [event for event in logs if event["event"] == AGAIN]


async def test_an_engine_that_is_killed_while_it_loads_is_started_again(
    tmp_path: Path, engines: Engines
) -> None:
    """Twice, with growing pauses; then it serves."""
    killed: set[int] = set()

    machine, again = await start(tmp_path, engines, killed, lambda _: len(killed) < 2)

    assert isinstance(machine, MachineSetup), machine
    assert [EngineInstance] == [type(instance) for instance in machine.instances]
    assert [("engine_exited", 0.5), ("engine_exited", 1.0)] == [
        (event["code"], event["wait_s"]) for event in again
    ]


async def test_an_engine_that_is_killed_in_its_benchmark_is_started_again(
    tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark begins anew with the next process."""
    monkeypatch.delenv(RATES_VARIABLE)  # it is benchmarked whatever an earlier test measured
    # Nor does it wait for other tests' benchmarks, in which time it would be killed before its own.
    monkeypatch.setattr(machine_setup, "exclusive_benchmark", nullcontext)
    killed: set[int] = set()

    machine, again = await start(
        tmp_path, engines, killed, lambda states: not killed and states[-1] == "benchmarking"
    )

    assert isinstance(machine, MachineSetup), machine
    assert ["engine_bench_failed"] == [event["code"] for event in again]


async def test_an_engine_that_is_killed_each_time_ends_with_an_error(
    tmp_path: Path, engines: Engines
) -> None:
    """After the last try the problem is told, and no process is left."""
    killed: set[int] = set()

    problem, again = await start(tmp_path, engines, killed, lambda _: True)

    assert isinstance(problem, EngineProblem), problem
    assert ("engine_exited", -signal.SIGKILL) == (problem.code, problem.values["status"])
    assert START_TRIES_MAX == len(killed)
    assert START_TRIES_MAX - 1 == len(again)
    assert [] == engines()


async def test_a_wrong_model_file_fails_at_once(tmp_path: Path, engines: Engines) -> None:
    """What would be the same the next time is not tried again."""
    (tmp_path / "wrong.gguf").write_bytes(b"hello")

    problem, again = await start(tmp_path, engines, set(), lambda _: False, model="wrong.gguf")

    assert isinstance(problem, EngineProblem), problem
    assert "model_damaged" == problem.code
    assert [] == again
