"""A real llama.cpp that dies, hangs, cannot start, or loses its parent."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.engines.support import (
    config,
    demo_model,
    lines_of,
    llamacpp,
    metrics_when,
    ran,
    ready_when,
    request,
)
from tests.waiting import eventually

from entraide.types import Basis, Outcome, Rates
from entraide_node.core.supervision import ProcessState
from entraide_node.engines.base import (
    ENGINE_CRASHED,
    ENGINE_EXITED,
    ENGINE_HUNG,
    ENGINE_REJECTED,
    EngineChunk,
    EngineProblem,
)
from entraide_node.engines.llamacpp import make_llama_cpp
from entraide_node.engines.llamacpp_child import MODULE
from entraide_node.models.model_files import ModelFile

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.engines


async def test_a_child_that_is_killed() -> None:
    """When the child is killed its runs fail as crashed, others are refused, and it comes back."""
    async with llamacpp() as engine:
        first = engine.pid
        assert first is not None
        run = asyncio.create_task(ran(engine, request(max_tokens=1500, ignore_eos=True)))
        await metrics_when(engine, lambda m: m.processing == 1)
        os.kill(first, signal.SIGKILL)
        _, crashed = await run
        await ready_when(engine, "engine_exited")
        _, refused = await ran(engine, request("job-2"))
        await ready_when(engine, None)
        _, served = await ran(engine, request("job-3", max_tokens=2))

        assert first != engine.pid
    assert crashed.failure is not None
    assert (ENGINE_EXITED, True) == (crashed.failure.code, crashed.failure.retryable)
    assert refused.failure is not None
    assert (ENGINE_REJECTED, True) == (refused.failure.code, refused.failure.retryable)
    assert Outcome.COMPLETED is served.outcome


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no way to freeze a process")
async def test_a_child_that_hangs() -> None:
    """A child that computes no more is killed after the stall limit, and the next one serves."""
    async with llamacpp(stall_timeout_s=1.0) as engine:
        first = engine.pid
        assert first is not None

        def freeze(chunk: EngineChunk) -> None:
            if chunk.n_output_tokens == 3:
                os.kill(first, signal.SIGSTOP)

        end = await engine.run(request(max_tokens=1500, ignore_eos=True), freeze)
        await eventually(lambda: not psutil.pid_exists(first))
        await ready_when(engine, None)
        _, served = await ran(engine, request("job-2", max_tokens=2))

    assert end.failure is not None
    assert (ENGINE_HUNG, True) == (end.failure.code, end.failure.retryable)
    assert Outcome.COMPLETED is served.outcome


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no way to freeze a process")
async def test_a_child_that_hangs_after_its_benchmark() -> None:
    """Three times its slowest step is enough: today's limits of a minute and more never come."""
    async with llamacpp() as engine:
        engine.expect_rates(Rates(1_000.0, 0.02, 0.005, Basis.MEASURED))
        first = engine.pid
        assert first is not None
        long = {"max_tokens": 1500, "ignore_eos": True}
        other = asyncio.create_task(ran(engine, request("job-2", **long)))

        def freeze(chunk: EngineChunk) -> None:
            if chunk.n_output_tokens == 3:
                os.kill(first, signal.SIGSTOP)

        end = await engine.run(request(**long), freeze)
        _, beside = await other
        at_once = await engine.ready()
        await eventually(lambda: not psutil.pid_exists(first))
        await ready_when(engine, None)
        _, served = await ran(engine, request("job-3", max_tokens=2))

    assert [ENGINE_HUNG] * 2 == [run.failure.code for run in (end, beside) if run and run.failure]
    assert at_once is not None
    assert Outcome.COMPLETED is served.outcome


def engine_children() -> list[psutil.Process]:
    """The engines that this process has started and that live."""
    return [child for child in psutil.Process().children() if MODULE in child.cmdline()]


def names_in(folder: Path) -> list[str]:
    """What a folder holds."""
    return sorted(path.name for path in folder.iterdir())


async def test_stop_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop cancels what runs, ends the child, and leaves neither process nor socket."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with llamacpp() as engine:
        run = asyncio.create_task(ran(engine, request(max_tokens=1500)))
        await metrics_when(engine, lambda m: m.processing == 1)
        assert 1 == len(engine_children())
    _, end = await run
    await engine.stop()
    problem = await engine.ready()

    assert Outcome.CANCELLED is end.outcome
    assert [] == engine_children()
    assert [] == names_in(tmp_path)
    assert EngineProblem("engine_stopped", {}) == problem
    assert ProcessState.STOPPED is engine._supervisor._supervision.state


async def test_stop_while_it_starts() -> None:
    """An engine that is stopped while its model loads ends at once and serves nobody."""
    engine = make_llama_cpp(config())
    start = asyncio.create_task(engine.start())
    await eventually(lambda: len(engine_children()) == 1)
    await engine.stop()
    problem = await start

    assert problem is not None
    assert [] == engine_children()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
async def test_orphans(tmp_path: Path, how: signal.Signals) -> None:
    """When the agent's process is killed, the engine ends by itself and takes its socket along."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.engines.orphan", "llama.cpp", str(tmp_path),
        stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert parent.stdout is not None
    try:
        pid, address = (await parent.stdout.readline()).decode().split()
        alive = psutil.pid_exists(int(pid))
        parent.send_signal(how)
        await eventually(lambda: not psutil.pid_exists(int(pid)))
        await eventually(lambda: [] == names_in(tmp_path))
    finally:
        if parent.returncode is None:
            parent.kill()
        await parent.wait()

    assert alive
    assert str(tmp_path) in address


def model_at(path: Path) -> ModelFile:
    """A model file that nobody has looked into."""
    return ModelFile(path=path, alias="m", revision="sha256:0", size_bytes=1, context_max=0)


BAD = {
    "no GGUF file": (lambda data: b"hello", "model_damaged"),
    "cut off in its head": (lambda data: data[:3_000], "model_damaged"),
    "cut off in its weights": (lambda data: data[:20_000_000], "model_damaged"),
}


@pytest.mark.parametrize(("cut", "code"), BAD.values(), ids=BAD)
async def test_bad_weights(tmp_path: Path, cut: Callable[[bytes], bytes], code: str) -> None:
    """Weights that cannot be loaded are told in one code with llama.cpp's own words."""
    path, log = tmp_path / "bad.gguf", tmp_path / "engine.log"
    path.write_bytes(cut(demo_model().path.read_bytes()))
    engine = make_llama_cpp(config(model=model_at(path), log_path=log))

    problem = await engine.start()

    assert problem is not None
    assert (code, str(path)) == (problem.code, problem.values["file"])
    assert any(str(problem.values["detail"]) in line for line in lines_of(log))
    assert [] == engine_children()
    assert problem == await engine.ready()


async def test_weights_that_are_not_there(tmp_path: Path) -> None:
    """A file that vanished before the start is told as missing."""
    engine = make_llama_cpp(config(model=model_at(tmp_path / "no.gguf")))

    problem = await engine.start()

    assert problem is not None
    assert "model_missing" == problem.code


async def test_a_start_that_takes_too_long() -> None:
    """A child that does not serve in time is killed, and that is told."""
    engine = make_llama_cpp(config(ready_timeout_s=0.01))

    problem = await engine.start()

    assert problem is not None
    assert "engine_start_too_slow" == problem.code
    assert [] == engine_children()


async def test_it_comes_back_again_and_again() -> None:
    """A child that dies several times comes back each time, and its rests grow."""
    async with llamacpp() as engine:
        for n in range(1, 3):
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGKILL)
            await ready_when(engine, "engine_exited")
            await ready_when(engine, None)

            assert n == engine._supervisor._supervision.failures


async def test_an_exit_is_told_apart_from_a_stop() -> None:
    """Each run of an engine that exited says so, and how many were in it; a stop is none."""
    long = {"max_tokens": 1500, "ignore_eos": True}
    async with llamacpp() as engine:
        assert engine.pid is not None
        runs = [asyncio.create_task(ran(engine, request(f"job-{n}", **long))) for n in range(2)]
        await metrics_when(engine, lambda m: m.processing == 2)
        os.kill(engine.pid, signal.SIGKILL)
        exits = [(await run)[1] for run in runs]
        await ready_when(engine, None)
        alone = asyncio.create_task(ran(engine, request("job-3", **long)))
        await metrics_when(engine, lambda m: m.processing == 1)
        os.kill(engine.pid, signal.SIGKILL)
        _, lone = await alone
        await ready_when(engine, None)
        stopped = asyncio.create_task(ran(engine, request("job-4", **long)))
        await metrics_when(engine, lambda m: m.processing == 1)
        os.kill(
            engine.pid, signal.SIGTERM
        )  # as a service manager stops all of an agent's processes
        _, ended = await stopped

    assert [ENGINE_EXITED] * 2 == [end.failure.code for end in exits if end.failure is not None]
    assert [1, 1, 0] == [end.other_runs for end in (*exits, lone)]
    assert ended.failure is not None
    assert ENGINE_CRASHED == ended.failure.code
