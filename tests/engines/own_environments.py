"""Engines in environments of their own, which the tests make themselves and then keep.

A clean machine works, and the next run is quick: environments and converted weights stay in the
machine's cache folder. Where one cannot be made here, its tests are left out at collection.
"""

import fcntl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
from tests.engines.hub_folder import TOOL_TEMPLATE, hub_folder, with_template
from tests.engines.support import demo_model

from entraide_node.engines import environments
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.environments import (
    Recipe,
    install_environment,
    python_of,
    read_record,
    recipes,
)
from entraide_node.engines.factory import make_engine
from entraide_node.engines.supervised_engine import SupervisedEngine

ENVIRONMENT = {"mlx-lm": "mlx", "vllm": "vllm-cpu"}
ALIAS = "smollm2-135m-instruct"
ASK_TIMEOUT_S = 120.0
FORM = 1  # of what is kept; a new number where it changes


def cache_folder() -> Path:
    """Where everything is kept."""
    return Path(platformdirs.user_cache_dir("entraide")) / "test-engines"


def find_install_problem(
    name: str, *, root: Path | None = None, recipe: Recipe | None = None
) -> EngineProblem | None:
    """Why an environment cannot be made here; None if it can. A dry run, which fetches nothing."""
    uv = environments._find_uv()
    if uv is None or python_of(name, root or cache_folder()) is not None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text((recipe or recipes()[name]).pins, "utf-8")
        command = [
            uv, "pip", "install", "--dry-run", "--no-deps", "--no-build", "--quiet",
            "--python", sys.executable, "--requirement", str(pins), *environments._pip_options(),
        ]  # fmt: skip
        output = environments._run_command(command, timeout_s=ASK_TIMEOUT_S)
    return None if output is None else environments._installer_problem(name, output)


@cache
def installed(name: str) -> Path:
    """The Python of an environment, made first where it is not there."""
    root = cache_folder()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.wait").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)  # another run of the tests may be making it
        problem = install_environment(name, root, tell=lambda code: None)
    assert problem is None, problem
    python = python_of(name, root)
    assert python is not None
    return python


@cache
def weights(*, tools: bool = False) -> Path:
    """The small model as a folder; with a chat template that takes tools, if asked."""
    name = f"smollm2-tools-{FORM}" if tools else f"smollm2-{FORM}"
    template = TOOL_TEMPLATE if tools else ""
    with _alone(name):
        return hub_folder(demo_model().path, cache_folder() / name, chat_template=template)


@cache
def gguf_with_tools() -> Path:
    """The small model as GGUF, with a chat template that takes tools."""
    name = f"smollm2-tools-{FORM}.gguf"
    with _alone(name):
        return with_template(demo_model().path, cache_folder() / name, chat_template=TOOL_TEMPLATE)


def _alone(name: str) -> Any:
    """A lock that is given back when its file is closed."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    waiting = (cache_folder() / f"{name}.wait").open("w")
    fcntl.flock(waiting, fcntl.LOCK_EX)
    return waiting


def engine_of(kind: str, folder: Path, **options: Any) -> SupervisedEngine:
    """An engine of this kind with the small model, not started."""
    if kind != "llama.cpp":
        installed(ENVIRONMENT[kind])
    plain = {"alias": ALIAS, "revision": "unknown", "slots": 2, "context_tokens": 1024}
    fixed = {"folder": folder, "root": cache_folder(), "threads": 1}
    path = options.pop("weights", None) or (demo_model().path if kind == "llama.cpp" else weights())
    engine = make_engine(kind, path, **{**plain, **fixed, **options})
    assert isinstance(engine, SupervisedEngine), engine
    return engine


@asynccontextmanager
async def running(kind: str, folder: Path, **options: Any) -> AsyncIterator[SupervisedEngine]:
    """A started engine of this kind; stopped afterwards."""
    engine = engine_of(kind, folder, **options)
    problem = await engine.start()
    assert problem is None, (problem, (folder / "engine.log").read_text("utf-8")[-3_000:])
    try:
        yield engine
    finally:
        await engine.stop()


def version_of(kind: str) -> str:
    """The version of an installed engine."""
    installed(ENVIRONMENT[kind])
    record = read_record(ENVIRONMENT[kind], cache_folder())
    assert record is not None
    return record.version
