"""Engine factory: builds an engine for the weights of a model.

Input: the engine's kind, the weights and their parameters. Output: an engine that is not started,
or why there is none. The caller starts and stops it.
"""

from pathlib import Path

from entraide.catalogue.gguf import NotGguf, read_header
from entraide_node.engines import mlx, vllm
from entraide_node.engines.base import Engine, EngineProblem
from entraide_node.engines.environments import python_of, read_record
from entraide_node.engines.llamacpp import LlamaCppConfig, make_llama_cpp
from entraide_node.engines.model_folder import computes_embeddings, find_weights_problem
from entraide_node.models.model_files import ModelFile

LLAMA_CPP, MLX_LM, VLLM = "llama.cpp", "mlx-lm", "vllm"
KINDS = (LLAMA_CPP, MLX_LM, VLLM)
ENVIRONMENTS = {MLX_LM: ("mlx",), VLLM: ("vllm", "vllm-cpu")}  # the first complete one is used


def make_engine(
    kind: str,
    weights: Path,
    *,
    alias: str,
    revision: str,
    slots: int,
    context_tokens: int,
    folder: Path,
    root: Path,
    threads: int = 0,
    cpu: bool | None = None,
    tool_parser: str = "",
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    ray: bool = False,
    stall_timeout_s: float = 60.0,
    sandbox: bool = True,
    arguments: tuple[str, ...] = (),
) -> Engine | EngineProblem:
    """Returns an engine for these weights, not started, or why there is none.

    Reads the head of the weights: call it off the event loop.

    Args:
        kind: ``llama.cpp``, ``mlx-lm`` or ``vllm``.
        weights: a GGUF file (its first part) for llama.cpp, else a folder in the hub's format.
        alias: public name of the model.
        revision: of the weights, ``sha256:…`` or ``unknown``.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer of one sequence; at most the model's.
        folder: folder of its log; one per replica.
        root: folder of environments, see ``environments.default_root``.
        threads: processor threads; 0 for all cores but one.
        cpu: vLLM only: whether to use the build for processors; None for the installed one.
        tool_parser: vLLM only: see ``vllm.VllmConfig``.
        tensor_parallel: vLLM only: cards that share each layer.
        pipeline_parallel: vLLM only: groups of cards that share the layers.
        ray: vLLM only: whether the cards belong to a Ray cluster.
        stall_timeout_s: see ``engine_client``.
        sandbox: whether it runs in a sandbox, where the machine has one.
        arguments: added to the command of mlx-lm or vLLM.
    """
    log_path = folder / "engine.log"
    if kind == LLAMA_CPP:
        model = _read_gguf(weights, alias=alias, revision=revision)
        if isinstance(model, EngineProblem):
            return model
        return make_llama_cpp(LlamaCppConfig(
            model=model, slots=slots, context_tokens=context_tokens, threads=threads,
            log_path=log_path, stall_timeout_s=stall_timeout_s, sandbox=sandbox,
        ))  # fmt: skip
    environment = _resolve_environment(kind, root, cpu)
    if isinstance(environment, EngineProblem):
        return environment
    fault = find_weights_problem(weights)
    if fault is not None:
        return fault
    python, version, on_cpu = environment
    if kind == MLX_LM:
        if computes_embeddings(weights):  # its server has no such endpoint
            return EngineProblem("engine_no_embeddings", {"engine": kind, "model": alias})
        return mlx.make_mlx_lm(mlx.MlxConfig(
            weights=weights, alias=alias, revision=revision, slots=slots,
            context_tokens=context_tokens, python=python, version=version, log_path=log_path,
            stall_timeout_s=stall_timeout_s, arguments=arguments, sandbox=sandbox,
        ))  # fmt: skip
    return vllm.make_vllm(vllm.VllmConfig(
        weights=weights, alias=alias, revision=revision, slots=slots,
        context_tokens=context_tokens, python=python, version=version, cpu=on_cpu,
        threads=threads, tool_parser=tool_parser, tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel, ray=ray, log_path=log_path,
        stall_timeout_s=stall_timeout_s, arguments=arguments, sandbox=sandbox,
    ))  # fmt: skip


def _resolve_environment(
    kind: str, root: Path, cpu: bool | None
) -> tuple[Path, str, bool] | EngineProblem:
    """An engine's Python, its version, and whether it is the build for processors."""
    name = find_environment(kind, root, cpu=cpu)
    if isinstance(name, EngineProblem):
        return name
    python, record = python_of(name, root), read_record(name, root)
    if python is None or record is None:  # removed since
        return EngineProblem("engine_not_made", {"engine": kind, "name": name})
    return python, record.version, name == "vllm-cpu"


def find_environment(kind: str, root: Path, *, cpu: bool | None = None) -> str | EngineProblem:
    """Returns the environment in which an engine would run, or that it is not installed.

    Args:
        kind: ``mlx-lm`` or ``vllm``.
        root: folder of environments.
        cpu: see ``make_engine``.
    """
    names = ENVIRONMENTS.get(kind)
    if names is None:
        return EngineProblem("engine_unknown", {"engine": kind, "engines": ", ".join(KINDS)})
    if kind == VLLM and cpu is not None:
        names = ("vllm-cpu",) if cpu else ("vllm",)
    for name in names:
        if python_of(name, root) is not None:
            return name
    return EngineProblem("engine_not_made", {"engine": kind, "name": names[0]})


def available_kinds(root: Path) -> tuple[str, ...]:
    """Returns the kinds of engines that are installed; llama.cpp ships with the agent."""
    installed = (kind for kind in ENVIRONMENTS if isinstance(find_environment(kind, root), str))
    return (LLAMA_CPP, *installed)


def _read_gguf(path: Path, *, alias: str, revision: str) -> ModelFile | EngineProblem:
    try:
        head = read_header(path)
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return EngineProblem("model_missing", {"file": str(path)})
    except NotGguf as error:
        return EngineProblem("model_damaged", {"file": str(path), "detail": str(error)})
    except OSError as error:
        return EngineProblem("model_unreadable", {"file": str(path), "detail": str(error.strerror)})
    return ModelFile(
        path, alias, revision, size_bytes, context_max=head.context_tokens, pooling=head.pooling
    )
