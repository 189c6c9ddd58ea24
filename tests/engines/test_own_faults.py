"""Engines in environments of their own, and llama.cpp, on machines that lack something."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace
from tests.engines.own_environments import (
    ALIAS,
    ENVIRONMENT,
    engine_of,
    installed,
    version_of,
    weights,
)
from tests.engines.support import config, llamacpp, ran, request
from tests.node.test_environments import NAME, Told, recipe, wheel
from tests.small_disk import mount_memory

from entraide import i18n, process_sandbox
from entraide.types import Outcome
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.environments import install_environment, read_record
from entraide_node.engines.llamacpp import make_llama_cpp
from entraide_node.engines.mlx import MlxConfig, make_mlx_lm
from entraide_node.engines.model_folder import find_weights_problem
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.engines.vllm import VllmConfig, make_vllm

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

KINDS = ("llama.cpp", "mlx-lm", "vllm")


def limited(folder: Path, python: Path, *, address_kib: int) -> Path:
    """A Python that may take only so much address space, and all that it starts."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nulimit -v {address_kib}\nexec "{python}" "$@"\n', "utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def on(
    kind: str, python: Path, folder: Path, model: Path, *, sandbox: bool = True
) -> SupervisedEngine:
    """An engine of its own environment, run by this Python."""
    common = {
        "weights": model, "alias": ALIAS, "revision": "unknown", "python": python,
        "version": version_of(kind), "log_path": folder / "engine.log", "context_tokens": 1024,
    }  # fmt: skip
    if kind == "mlx-lm":
        return make_mlx_lm(MlxConfig(**common, sandbox=sandbox))  # type: ignore[arg-type]
    return make_vllm(VllmConfig(**common, sandbox=sandbox, cpu=True, threads=1))  # type: ignore[arg-type]


def told(problem: EngineProblem) -> list[str]:
    """The sentence of a problem, in both languages."""
    code = f"node-{problem.code.replace('_', '-')}"
    return [i18n.text(code, lang, **problem.values) for lang in ("fr", "en")]


ROOM_KIB = {"llama.cpp": 600_000, "mlx-lm": 1_000_000, "vllm": 450_000}


@pytest.mark.parametrize("kind", KINDS)
async def test_too_little_memory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that does not get the memory it needs says so, in one sentence, and is gone."""
    if kind == "llama.cpp":
        python = limited(tmp_path, Path(sys.executable), address_kib=ROOM_KIB[kind])
        monkeypatch.setattr("sys.executable", str(python))
        engine = make_llama_cpp(config(slots=8, context_tokens=8192, sandbox=False))
    else:
        python = limited(tmp_path, installed(ENVIRONMENT[kind]), address_kib=ROOM_KIB[kind])
        engine = on(kind, python, tmp_path, weights(), sandbox=False)

    problem = await engine.start()

    assert problem is not None
    assert "engine_no_memory" == problem.code, problem
    assert 2 == len({sentence.partition(" ")[0] for sentence in told(problem)})
    assert engine.pid is None


async def test_too_little_memory_in_its_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that needs more than its sandbox gives says the same."""
    total_bytes = psutil.virtual_memory().total
    monkeypatch.setattr(process_sandbox, "MEMORY_PART", 300e6 / total_bytes)
    engine = make_llama_cpp(config(slots=8, context_tokens=8192))

    problem = await engine.start()

    assert problem is not None
    assert "engine_no_memory" == problem.code, problem


def cut(folder: Path) -> None:
    """Cuts the weights in half, as a broken download would leave them."""
    source = weights() / "model.safetensors"
    with source.open("rb") as file:
        (folder / "model.safetensors").write_bytes(file.read(source.stat().st_size // 2))


def garbled(folder: Path) -> None:
    """Puts a page of the web where the weights should be."""
    (folder / "model.safetensors").write_bytes(b"<html>not found</html>" * 100)


def absent(folder: Path) -> None:
    """Leaves no weights at all."""


@pytest.mark.parametrize("kind", ["mlx-lm"])
@pytest.mark.parametrize(
    ("lay", "code"),
    [(cut, "model_damaged"), (garbled, "model_damaged"), (absent, "model_missing")],
    ids=["cut", "garbled", "absent"],
)
async def test_bad_weights(
    kind: str, lay: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    """Weights that cannot be loaded are told by the engine in one code, and by a look alike.

    vLLM would need a minute for what the look says at once: it is never started on such.
    """
    for file in await asyncio.to_thread(lambda: [*weights().iterdir()]):
        if file.suffix != ".safetensors":
            os.link(file, tmp_path / file.name)
    await asyncio.to_thread(lay, tmp_path)
    engine = on(kind, installed(ENVIRONMENT[kind]), tmp_path, tmp_path)

    problem = await engine.start()

    assert problem is not None
    assert (code, str(tmp_path)) == (problem.code, problem.values["file"]), problem
    assert problem.values["detail"]
    weights_problem = find_weights_problem(tmp_path)
    assert weights_problem is not None
    assert code == weights_problem.code


@pytest.mark.parametrize("kind", ["mlx-lm", "vllm"])
async def test_a_stop_while_it_starts(kind: str, tmp_path: Path) -> None:
    """An engine that is stopped while it starts ends at once and leaves nothing."""
    engine = engine_of(kind, tmp_path)
    start = asyncio.create_task(engine.start())
    await asyncio.wait({start}, timeout=1.0)
    await engine.stop()

    assert await start is not None
    assert EngineProblem("engine_stopped", {}) == await engine.ready()
    assert engine.pid is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount_memory(place, size="512k")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> None:
    """Fills a disk."""
    with (place / "full").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass


async def test_a_log_on_a_full_disk(small_disk: Path) -> None:
    """An engine whose log can no longer be written goes on serving."""
    await asyncio.to_thread(fill, small_disk)
    async with llamacpp(log_path=small_disk / "engine.log") as engine:
        _, end = await ran(engine, request(max_tokens=2))

    assert Outcome.COMPLETED is end.outcome


def test_an_environment_on_a_full_disk(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that runs out of room says so, and leaves no environment that counts."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (small_disk / "engines").mkdir()
    fill(small_disk)

    problem = install_environment(
        NAME, small_disk, tell=Told(), recipe=replace(recipe(), disk_bytes=0)
    )

    assert problem is not None
    assert "No space left on device" in str(problem.values["detail"])
    assert read_record(NAME, small_disk) is None
