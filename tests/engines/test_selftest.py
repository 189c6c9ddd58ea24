"""The self-test on this machine: a real run, and one that is ended in its middle."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.engines import selftest_run
from tests.engines.own_environments import ENVIRONMENT, cache_folder, installed
from tests.waiting import ENGINES_S

from entraide_node.energy.device_catalogue import devices
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.llamacpp_child import MODULE
from entraide_node.model_manager.engine_setup import start_engine
from entraide_node.selftest.engine_trial import build_engine
from entraide_node.selftest.report import EngineKind, SelftestReport, decode_report
from entraide_node.selftest.scratch import PREFIX, open_scratch

pytestmark = pytest.mark.engines

POLL_S = 0.02


@contextmanager
def selftest(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, in an empty home, without engines in environments of their own."""
    for name in ("home", "engines", "scratch"):
        (folder / name).mkdir()
    process = subprocess.Popen(
        [sys.executable, selftest_run.__file__, "--lang", "en", "node", "selftest",
         "--out", str(folder / "report.json")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "HOME": str(folder / "home"), "TMPDIR": str(folder / "scratch"),
             "ENTRAIDE_ENGINES_DIR": str(folder / "engines")},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Waits until a condition holds; fails if it does not before the deadline."""
    deadline_s = time.monotonic() + ENGINES_S
    while not condition():
        assert time.monotonic() < deadline_s, process.poll()
        time.sleep(POLL_S)


def engine_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The engine's processes that a self-test has started and that live."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if MODULE in child.cmdline()]
    except psutil.Error:
        return []


def left_in(folder: Path) -> list[str]:
    """What lies in a folder, but for the lock of all benchmarks."""
    return [path.name for path in folder.iterdir() if not path.name.startswith("entraide-bench-")]


def test_a_real_run(tmp_path: Path) -> None:
    """A real run measures llama.cpp, writes a valid report, and leaves nothing else behind."""
    with selftest(tmp_path) as process:
        said, errors = process.communicate(timeout=ENGINES_S)
    report = decode_report((tmp_path / "report.json").read_bytes())

    assert 0 == process.returncode, errors
    assert isinstance(report, SelftestReport)
    (engine,) = report.engines
    assert ("llama.cpp", "", True) == (engine.engine, engine.problem, engine.ended)
    assert engine.decode_tokens_per_s_1 > 0
    assert report.hardware.device in devices()
    assert f"The engine llama.cpp {engine.version}" in said
    assert 0o600 == (tmp_path / "report.json").stat().st_mode & 0o777
    assert ([], [], []) == tuple(
        left_in(tmp_path / name) for name in ("home", "engines", "scratch")
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_in_the_middle(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended while an engine runs, it leaves no engine and no part of a report; what a killed run
    leaves, the next one removes, and nothing of a run that lives."""
    with selftest(tmp_path) as process:
        until(lambda: engine_of(process), process)
        engines = engine_of(process)
        process.send_signal(number)
        process.communicate(timeout=ENGINES_S)
        until(lambda: not any(engine.is_running() for engine in engines), process)

    assert (-number if number == signal.SIGKILL else 130) == process.returncode
    expected = {"home", "engines", "scratch"}
    assert expected == {path.name for path in tmp_path.iterdir()}
    if number != signal.SIGKILL:
        assert [] == left_in(tmp_path / "scratch")
        return
    scratch = [name for name in left_in(tmp_path / "scratch") if name.startswith(PREFIX)]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    with open_scratch() as first, open_scratch() as second:
        used = {first.name, second.name}

        assert (1, False) == (len(scratch), {*scratch} <= used)
        assert used == {name for name in left_in(tmp_path / "scratch") if name.startswith(PREFIX)}


@pytest.mark.parametrize("kind", ["mlx-lm"])
async def test_random_weights(kind: EngineKind, tmp_path: Path) -> None:
    """An engine of the hub's form serves random weights, without anything fetched.

    Its start ends with a first token. The report of this processor has its speed, and vLLM's.
    """
    installed(ENVIRONMENT[kind])
    engine = await start_engine(build_engine(kind, tmp_path, cache_folder()))

    assert not isinstance(engine, EngineProblem)
    await engine.stop()
