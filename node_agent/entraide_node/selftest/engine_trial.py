"""Engine trial: starts each installed engine with a toy model, measures it, and stops it.

Input: the kind of an engine and a scratch folder. Output: its rates with the machine's power and
temperature meanwhile, or the code of its problem. llama.cpp serves the demonstration's model; the
others one of its shape with random weights. Nothing is fetched, and all files are in the scratch
folder.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal, get_args

import psutil

from entraide_node.bench import EngineRates, measure_rates
from entraide_node.energy.meters import CounterMeter, PowerMeter, find_meters
from entraide_node.engines.base import Engine, EngineProblem
from entraide_node.engines.factory import LLAMA_CPP, available_kinds, make_engine
from entraide_node.machine_probes import ForeignLoad
from entraide_node.machine_setup import exclusive_benchmark
from entraide_node.model_manager.engine_setup import start_engine
from entraide_node.models.model_files import DEMO, DEMO_ALIAS, find_model
from entraide_node.selftest.counter_trial import read_temperature_c
from entraide_node.selftest.random_weights import write_random_model
from entraide_node.selftest.report import EngineKind, EngineTrial, keep_version

RANDOM_ALIAS = "random-135m"
SLOTS, CONTEXT_TOKENS = 4, 1024
# Variables of folders in which engines keep what they compiled: meanwhile the scratch folder.
CACHE_VARIABLES = ("VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "HF_HOME")

TellProblem = Callable[[EngineProblem], None]


def list_engines(root: Path) -> tuple[EngineKind, ...]:
    """Returns the kinds of engines that are installed. Blocks."""
    installed = available_kinds(root)
    return tuple(kind for kind in get_args(EngineKind) if kind in installed)


def build_engine(kind: EngineKind, scratch: Path, root: Path) -> Engine | EngineProblem:
    """Returns an engine with its toy model, not started, or why there is none. Blocks.

    Args:
        kind: of the engine.
        scratch: empty folder for its files.
        root: folder of the engines' environments.
    """
    if kind == LLAMA_CPP:
        model = find_model(DEMO)
        if isinstance(model, EngineProblem):
            return model
        weights, alias, revision = model.path, DEMO_ALIAS, model.revision
    else:
        weights, alias, revision = scratch / "model", RANDOM_ALIAS, "unknown"
        try:
            write_random_model(weights)
        except OSError as problem:
            detail = problem.strerror or ""
            return EngineProblem("model_unreadable", {"file": str(weights), "detail": detail})
    return make_engine(
        kind, weights, alias=alias, revision=revision, slots=SLOTS, context_tokens=CONTEXT_TOKENS,
        folder=scratch, root=root,
    )  # fmt: skip


async def try_engine(
    kind: EngineKind, *, scratch: Path, root: Path, tell_problem: TellProblem
) -> EngineTrial:
    """Returns the trial of one engine; its process has ended.

    Args:
        kind: of the engine.
        scratch: empty folder for its files.
        root: folder of the engines' environments.
        tell_problem: called with the problem, whose values the report does not hold.
    """
    engine = await asyncio.to_thread(build_engine, kind, scratch, root)
    model: Literal["smollm2-135m-instruct", "random-135m"]
    model = "smollm2-135m-instruct" if kind == LLAMA_CPP else "random-135m"
    if isinstance(engine, EngineProblem):
        tell_problem(engine)
        return EngineTrial(engine=kind, version="", model=model, problem=engine.code)
    started_s = time.monotonic()
    started = await start_engine(engine)
    start_s = round(time.monotonic() - started_s, 2)
    facts = engine.facts
    trial = EngineTrial(
        engine=kind, version=keep_version(facts.version), model=model, sandbox=facts.sandbox,
        start_s=start_s,
    )  # fmt: skip
    if isinstance(started, EngineProblem):
        tell_problem(started)
        return _with_problem(trial, started)
    process = _find_process(getattr(engine, "pid", None))
    load = ForeignLoad()
    load.percent()
    try:
        measured, temperature_c = await _measure(engine, gpu=kind != LLAMA_CPP, folder=scratch)
        others_percent = load.percent()
    finally:
        await engine.stop()
    if isinstance(measured, EngineProblem):
        tell_problem(measured)
        return _with_problem(trial, measured)
    return EngineTrial(
        engine=kind, version=trial.version, model=model, sandbox=trial.sandbox, start_s=start_s,
        prefill_tokens_per_s=round(measured.prefill_tokens_per_s, 1),
        decode_tokens_per_s_1=round(measured.decode_tokens_per_s_1, 1),
        decode_tokens_per_s_4=round(measured.decode_tokens_per_s_4, 1),
        basis=measured.basis,
        busy_w=None if measured.busy_w is None else round(max(0.0, measured.busy_w), 2),
        others_percent=None if others_percent is None else round(others_percent, 1),
        temperature_c=temperature_c,
        ended=process is None or not process.is_running(),
    )  # fmt: skip


def use_scratch_caches(scratch: Path) -> None:
    """Lets the engines of this process keep what they compile in the scratch folder."""
    for variable in CACHE_VARIABLES:
        os.environ[variable] = str(scratch / "cache")


async def _measure(
    engine: Engine, *, gpu: bool, folder: Path
) -> tuple[EngineRates | EngineProblem, float | None]:
    """The rates of a started engine, and the temperature after its benchmark."""
    async with AsyncExitStack() as stack:
        meters = await find_meters(None, counters=True, gpu=gpu, folder=folder)
        for meter in meters:
            stack.push_async_callback(meter.close)
        readable = [meter for meter in meters if await _is_readable(meter)]
        await stack.enter_async_context(exclusive_benchmark())

        async def power_w() -> float | None:
            return (await readable[0].read()).power_w

        rates = await measure_rates(
            engine, power_w=power_w if readable else None, clock=time.monotonic,
            wall_clock=time.time,
        )  # fmt: skip
        return rates, await asyncio.to_thread(read_temperature_c)


async def _is_readable(meter: PowerMeter) -> bool:
    reading = await meter.read()
    return not reading.fault and (reading.power_w is not None or isinstance(meter, CounterMeter))


def _find_process(pid: int | None) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid is not None else None
    except psutil.Error:
        return None


def _with_problem(trial: EngineTrial, problem: EngineProblem) -> EngineTrial:
    return EngineTrial(
        engine=trial.engine, version=trial.version, model=trial.model, sandbox=trial.sandbox,
        start_s=trial.start_s, problem=problem.code,
    )  # fmt: skip
