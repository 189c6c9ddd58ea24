"""Engine checks: whether each configured engine could start, and whether its weights are sound.

Input: the node's configuration. Output: checks. No engine is started: a library is imported in a
separate process, because a broken one may crash; a server of the owner is asked for its models.
"""

import asyncio
import sys
from pathlib import Path

import psutil

from entraide.bubblewrap import find_bubblewrap_problem
from entraide.process_sandbox import find_sandbox_problem, landlock_version
from entraide_node.config import Attach, LlamaCpp, NodeConfig
from entraide_node.doctor import node_checks
from entraide_node.doctor.node_checks import Check, failure_from_problem, passed, warning
from entraide_node.engine_config import MlxLm, OwnerEngine, Vllm
from entraide_node.engines.attached_engine import AttachConfig, AttachedEngine
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.environments import default_root, python_of
from entraide_node.engines.factory import VLLM, available_kinds
from entraide_node.engines.prefix_files import find_memory_place
from entraide_node.engines.retention import PromptRetention
from entraide_node.models.model_files import DEMO, ModelFile, find_model
from entraide_node.update_command import find_update_command

IMPORT_TIMEOUT_S = 60.0


async def check_engine(engine: OwnerEngine, folder: Path) -> Check:
    """Checks whether an engine could start: library, environment, or server.

    Args:
        engine: of the node's configuration.
        folder: of the node, whose pool offers what may be missing.
    """
    if isinstance(engine, Attach):
        return await _check_attached(engine)
    if isinstance(engine, MlxLm | Vllm):
        return await asyncio.to_thread(_check_environment, engine)
    is_importable = await _can_import("xllamacpp")
    if not is_importable:
        update = await asyncio.to_thread(find_update_command, folder)
        return failure_from_problem("engine", EngineProblem("engine_not_installed", {**update}))
    return passed("engine", engine="llama.cpp")


def check_sandbox(config: NodeConfig) -> Check:
    """Checks whether the engines run in a sandbox; vLLM needs bubblewrap too. Blocks."""
    problem = find_sandbox_problem()
    if problem == "landlock":
        return warning("sandbox", problem)
    if problem:
        return passed("sandbox", problem)
    engines = [engine for engine in config.owner_engines if not isinstance(engine, Attach)]
    if not config.models.sandbox or not all(engine.sandbox for engine in engines):
        return warning("sandbox", "off")
    if any(isinstance(engine, Vllm) and engine.ray for engine in engines):
        return warning("sandbox", "ray")
    may_run_vllm = VLLM in available_kinds(default_root())
    if may_run_vllm and (problem := find_bubblewrap_problem()):
        return warning("sandbox", problem)
    return passed("sandbox", version=landlock_version())


def check_prefixes(memory_part: float) -> Check:
    """Says where the beginnings of questions rest, and whether they may get to a disk."""
    place = find_memory_place()
    if place is None:
        return passed("prefix", "none")
    if not memory_part:
        return passed("prefix", "off")
    return passed("prefix", "swap" if psutil.swap_memory().total else "ok", place=str(place))


async def _check_attached(config: Attach) -> Check:
    attach_config = AttachConfig(
        url=config.url, model=config.model, key=config.key, alias=config.alias, slots=config.slots,
        context_tokens=config.context_tokens, features=config.features,
    )  # fmt: skip
    engine = AttachedEngine(attach_config)
    try:
        problem = await engine.start()
    finally:
        await engine.stop()
    if problem is not None:
        return failure_from_problem("engine", problem)
    if engine.retention is not PromptRetention.NOTHING:
        return warning("engine", f"public-{engine.retention}", model=config.model)
    return passed("engine", "answers", model=config.model)


def _check_environment(engine: MlxLm | Vllm) -> Check:
    name = "mlx" if isinstance(engine, MlxLm) else "vllm-cpu" if engine.cpu else "vllm"
    if python_of(name, default_root()) is None:
        return node_checks.failure("engine", "environment", engine=name)
    return passed("engine", engine=name)


async def _can_import(module: str) -> bool:
    """Whether a library can be imported, in a separate process because it may crash."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", f"import {module}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(IMPORT_TIMEOUT_S):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False


def check_models(config: NodeConfig) -> tuple[int, tuple[Check, ...]]:
    """Returns the size of the configured weights, and whether they are sound. Blocks."""
    folder, total_bytes, checks = Path(config.dir), 0, []
    for engine in config.owner_engines:
        if isinstance(engine, Attach):
            continue
        name = engine.model
        if not isinstance(engine, LlamaCpp):
            weights_folder = folder / Path(name).expanduser()
            is_known = (weights_folder / "config.json").is_file()
            total_bytes += sum(file.stat().st_size for file in weights_folder.glob("*.safetensors"))
            checks.append(
                passed("model", model=name)
                if is_known
                else node_checks.failure("model", "absent", folder=str(weights_folder))
            )
            continue
        path = name if name == DEMO else str(folder / Path(name).expanduser())
        model = find_model(path, alias=engine.alias, cache_dir=folder)
        if isinstance(model, ModelFile):
            total_bytes += model.size_bytes
            checks.append(passed("model", model=model.alias))
        else:
            checks.append(failure_from_problem("model", model))
    return total_bytes, tuple(checks)
