"""Engine setup: builds and starts the engines that the owner configured.

Input: an engine's configuration. Output: the started engine with its weights, public name and log
file, or a problem with a stable code.
"""

import asyncio
from functools import partial
from pathlib import Path

from entraide_node.config import Attach, LlamaCpp, MlxLm, Vllm
from entraide_node.engine_config import OwnerEngine
from entraide_node.engines.attached_engine import AttachConfig, AttachedEngine
from entraide_node.engines.base import Engine, EngineProblem
from entraide_node.engines.environments import default_root
from entraide_node.engines.factory import MLX_LM, VLLM, make_engine
from entraide_node.engines.llamacpp import LlamaCppConfig, make_llama_cpp
from entraide_node.models.model_files import DEMO, ModelFile, alias_of, compute_revision, find_model

ENGINE_LOG = "engine.log"
WEIGHTS_PATTERN = "*.safetensors"  # weights of MLX and vLLM


async def start_owner_engine(
    owner_engine: OwnerEngine, *, folder: Path, number: int = 0
) -> Engine | EngineProblem:
    """Starts a configured engine; returns the engine, or the problem.

    ``number`` is the engine's index in the configuration, for the names of its files.
    """
    return await start_engine(await _build_owner_engine(owner_engine, folder, number))


async def start_engine(engine: Engine | EngineProblem) -> Engine | EngineProblem:
    """Starts an engine; stops it if starting fails."""
    if isinstance(engine, EngineProblem):
        return engine
    try:
        problem = await engine.start()
    except BaseException:
        await engine.stop()
        raise
    return problem if problem is not None else engine


async def _build_owner_engine(
    owner_engine: OwnerEngine, folder: Path, number: int
) -> Engine | EngineProblem:
    if isinstance(owner_engine, Attach):
        return AttachedEngine(
            AttachConfig(
                url=owner_engine.url,
                model=owner_engine.model,
                key=owner_engine.key,
                alias=owner_engine.alias,
                slots=owner_engine.slots,
                context_tokens=owner_engine.context_tokens,
                features=owner_engine.features,
            )
        )
    if not isinstance(owner_engine, LlamaCpp):
        return await asyncio.to_thread(_build_server_engine, owner_engine, folder, number)
    model = await asyncio.to_thread(
        find_configured_model, owner_engine.model, owner_engine.alias, folder
    )
    if isinstance(model, EngineProblem):
        return model
    return make_llama_cpp(
        LlamaCppConfig(
            model=model,
            slots=owner_engine.slots,
            context_tokens=owner_engine.context_tokens,
            threads=owner_engine.threads,
            embeddings=owner_engine.embeddings,
            sandbox=owner_engine.sandbox,
            log_path=folder / (f"engine-{number}.log" if number else ENGINE_LOG),
        )
    )


def _build_server_engine(
    owner_engine: MlxLm | Vllm, folder: Path, number: int
) -> Engine | EngineProblem:
    """Builds an engine that runs as a server in its own Python environment."""
    weights = folder / Path(owner_engine.model).expanduser()
    weight_files = sorted(weights.glob(WEIGHTS_PATTERN))
    if not weight_files:
        return EngineProblem("model_missing", {"file": str(weights / WEIGHTS_PATTERN)})
    try:
        revision = compute_revision(weight_files, folder)
    except OSError as error:
        values: dict[str, str | int | float] = {"file": str(weights), "detail": str(error)}
        return EngineProblem("model_unreadable", values)
    make_configured = partial(
        make_engine,
        MLX_LM if isinstance(owner_engine, MlxLm) else VLLM,
        weights,
        alias=owner_engine.alias or alias_of(weights),
        revision=revision,
        slots=owner_engine.slots,
        context_tokens=owner_engine.context_tokens,
        folder=folder / f"engine-{number}",
        root=default_root(),
        arguments=owner_engine.args,
        sandbox=owner_engine.sandbox,
    )
    if isinstance(owner_engine, MlxLm):
        return make_configured()
    return make_configured(
        threads=owner_engine.threads,
        cpu=owner_engine.cpu,
        tool_parser=owner_engine.tool_parser,
        tensor_parallel=owner_engine.tensor_parallel,
        pipeline_parallel=owner_engine.pipeline_parallel,
        ray=owner_engine.ray,
    )


def find_configured_model(name: str, alias: str, folder: Path) -> ModelFile | EngineProblem:
    """Returns the GGUF model that a configuration names, relative to the agent's folder."""
    path = name if name == DEMO else str(folder / Path(name).expanduser())
    return find_model(path, alias=alias, cache_dir=folder)
