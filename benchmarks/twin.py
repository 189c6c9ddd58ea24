"""The twin: what a calibrated simulation foretells, beside what a live pool then measures.

A whole pool runs on this machine: nats-server, scheduler with its gateway, one node agent and its
engine, which is pinned to one core; everything else, this program too, shares the others. A short
calibration gives the figures of the machine: two straight lines (``support.twin_fit``). Then the
same seeded arrivals go to the live pool, several times, and to the simulator once: the pool's own
core around one machine with those figures. The loads are parts of what the machine can serve: light
(25 %), half (50 %) and near saturation (85 %). Nothing of a measured load goes into its simulation
but the lengths of the prompts in tokens.

An error is that of the simulated figure from the mean of the repeats, as a part of it. It should
be at most the larger of 10 % and 1.5 times the spread of the repeats (half of what lies between
the least and the most of them). Energy is not compared: this machine has no meter that is read.

    python -m benchmarks.twin [--json] [--quick] [--repeats N] [--requests N] [--seed N] [--core N]
    python -m benchmarks.twin --attach URL --attach-model NAME [--slots N] [--context N] [--chunk N]

With ``--attach`` the engine is one that runs already (vLLM, for instance) and that whoever started
it has pinned: ``--core`` then only says which core the rest keeps off. Linux only, for the pinning;
two cores at least. Five repeats of 300 requests at three loads take about an hour with llama.cpp.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil
from benchmarks.support import twin_fit, twin_load
from benchmarks.support.shared import MISSING, show
from benchmarks.support.twin_fit import COOP, Engine, Fitted, Latencies, Seen
from benchmarks.support.twin_load import Target
from msgspec import Struct

from entraide_scheduler.up.logs import quiet
from entraide_scheduler.up.pool import LocalPool, PoolOptions
from entraide_sim import Arrival
from entraide_sim.arrivals import luck

LOADS: Mapping[str, float] = {"light": 0.25, "half": 0.50, "near_saturation": 0.85}
WORDS = (8, 100)  # of a prompt, evenly between
ANSWERS = (8, 48)  # tokens, evenly between
ALONE = tuple((words, 12) for words in (8, 40, 80, 120, 160, 200)) * 3
TOGETHER_WORDS, TOGETHER_TOKENS, TOGETHER_ROUNDS = 8, 96, 3
ENGINE_CHILD = "entraide_node.engines.llamacpp_child"
LLAMA = Engine(slots=4, context_tokens=2_048, chunk_tokens=512)
NUMBERS_APART = 10_000  # prompts of two loads never begin alike


class Machine(Struct, frozen=True):
    """What the calibration found.

    Attributes:
        others_part: part of the engine's core that other programs took during the loads: well
            above 0, the live figures are of a machine that was not this pool's alone. None where
            the engine's process is not known.
    """

    machine: str
    engine: str
    prefill_tokens_per_s: float
    tpot_base_s: float
    tpot_per_sequence_s: float
    start_s: float
    tail_s: float
    capacity_per_s: float
    calibration_requests: int
    others_part: float | None


class Row(Struct, frozen=True):
    """One figure of one load; ``held`` when its error is allowed."""

    load: str
    figure: str
    requests: int
    repeats: int
    live_s: float
    live_spread_part: float
    simulated_s: float
    error_part: float
    allowed_part: float
    held: bool


def cores(asked: int | None) -> tuple[int, set[int]] | None:
    """Returns the engine's core and the others; None where there are no two."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        return None
    mine = allowed[-1] if asked is None else asked
    return (mine, set(allowed) - {mine}) if mine in allowed else None


def pin_engine(node_pid: int, core: int) -> int:
    """Pins the engine's process, with all its threads, to one core; returns its identifier."""
    children = psutil.Process(node_pid).children(recursive=True)
    found = [child for child in children if ENGINE_CHILD in " ".join(child.cmdline())]
    if not found:
        raise RuntimeError("the engine's process was not found, so that it cannot be pinned")
    for child in found:
        for thread in Path(f"/proc/{child.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})
    return found[0].pid


def others_s(engine: int | None, core: int) -> float | None:
    """Returns how long other programs have kept the engine's core busy, since some moment."""
    if engine is None:
        return None
    busy = psutil.cpu_times(percpu=True)[core]
    own = psutil.Process(engine).cpu_times()
    return float(sum(busy) - busy.idle - busy.iowait - own.user - own.system)


@contextlib.asynccontextmanager
async def pool(
    home: Path, options: argparse.Namespace, core: int
) -> AsyncIterator[tuple[Target, int | None]]:
    """Runs a pool of one node for as long as the block lasts; gives its engine's process too."""
    table: dict[str, str | int] = {
        "kind": "llama.cpp",
        "model": options.model or "demo",
        "threads": 1,
        "slots": options.slots,
        "context_tokens": options.context,
    }
    if options.attach:
        table = {
            "kind": "attach",
            "url": options.attach,
            "model": options.attach_model,
            "slots": options.slots,
            "context_tokens": options.context,
        }
    local = LocalPool(PoolOptions(state=home / "pool", nodes=1, engine=table))
    try:
        running = await local.start()
        engine = None if options.attach else pin_engine(running.pids["node-1"], core)
        model = (await local.nodes())[0].models[0]
        yield Target(running.http, running.keys[COOP], model), engine
    finally:
        await local.stop()


async def calibrate(target: Target, engine: Engine) -> Fitted:
    """Measures a few requests alone, and a few in batches of each size."""
    alone: list[Seen] = []
    number = 0
    async with twin_load.session() as session:
        for words, tokens in ((8, 8), *ALONE):  # the first one only warms up
            seen = await twin_load.ask(
                session, target, words=words, output_tokens=tokens, number=number
            )
            alone.append(seen)
            number += 1
    batches: list[tuple[int, Seen]] = []
    for _ in range(TOGETHER_ROUNDS):
        for size in range(2, engine.slots + 1):
            found = await twin_load.together(
                target,
                size,
                words=TOGETHER_WORDS,
                output_tokens=TOGETHER_TOKENS,
                first_number=number,
            )
            batches.append((size, twin_fit.last_to_begin(found)))
            number += size
    return twin_fit.fit(alone[1:], batches)


def arrivals_of(count: int, rate_per_s: float, seed: int) -> list[Arrival]:
    """Returns a Poisson load; ``input_tokens`` are words of the prompt until they are counted."""
    source = luck(seed)
    gaps = source.exponential(1.0 / rate_per_s, count).cumsum().tolist()
    words = source.integers(WORDS[0], WORDS[1] + 1, count).tolist()
    answers = source.integers(ANSWERS[0], ANSWERS[1] + 1, count).tolist()
    return [Arrival(at, "", *lengths) for at, *lengths in zip(gaps, words, answers, strict=True)]


def latencies_of(seen: Sequence[Seen]) -> Latencies:
    """Returns what clients saw of one repeat of a load."""
    return Latencies(
        [one.ttft_s for one in seen], [one.tpot_s for one in seen], [one.e2e_s for one in seen]
    )


async def measure(
    target: Target, loads: Mapping[str, list[Arrival]], repeats: int
) -> dict[str, list[list[Seen]]]:
    """Plays each load several times; the repeats of a load lie apart, so that drift is seen."""
    found: dict[str, list[list[Seen]]] = {name: [] for name in loads}
    number = NUMBERS_APART
    for repeat in range(1, repeats + 1):
        for name, arrivals in loads.items():
            seen = await twin_load.play(target, arrivals, first_number=number)
            number += NUMBERS_APART
            found[name].append(seen)
            print(f"repeat {repeat} of {repeats}: {name}", file=sys.stderr)
    return found


def rows_of(
    name: str, arrivals: Sequence[Arrival], repeats: Sequence[Sequence[Seen]], twin: Latencies
) -> list[Row]:
    """Returns a row for each figure of a load."""
    live = [latencies_of(seen).figures() for seen in repeats]
    rows = []
    for figure, simulated in twin.figures().items():
        found = twin_fit.compare([one[figure] for one in live], simulated)
        rows.append(
            Row(
                load=name,
                figure=figure,
                requests=len(arrivals),
                repeats=len(repeats),
                live_s=found.live_s,
                live_spread_part=found.spread_part,
                simulated_s=found.simulated_s,
                error_part=found.error_part,
                allowed_part=found.allowed_part,
                held=found.error_part <= found.allowed_part,
            )
        )
    return rows


async def run(home: Path, options: argparse.Namespace, core: int) -> list[Struct]:
    """Calibrates, measures and simulates."""
    engine = Engine(options.slots, options.context, options.chunk)
    async with pool(home, options, core) as (target, process):
        fitted = await calibrate(target, engine)
        per_s = twin_fit.capacity_per_s(
            fitted, engine, input_tokens=sum(WORDS) / 2 + 30, output_tokens=sum(ANSWERS) / 2
        )
        print(f"calibrated: {fitted}; {per_s:.3g} requests a second", file=sys.stderr)
        loads = {
            name: arrivals_of(options.requests, part * per_s, options.seed + number)
            for number, (name, part) in enumerate(LOADS.items())
        }
        began, others = time.monotonic(), others_s(process, core)
        measured = await measure(target, loads, options.repeats)
        later, long_s = others_s(process, core), time.monotonic() - began
    rates = fitted.rates
    rows: list[Struct] = [
        Machine(
            machine=os.uname().machine,
            engine="attached" if options.attach else "llama.cpp",
            prefill_tokens_per_s=rates.prefill_tokens_per_s,
            tpot_base_s=rates.tpot_base_s,
            tpot_per_sequence_s=rates.tpot_per_sequence_s,
            start_s=fitted.start_s,
            tail_s=fitted.tail_s,
            capacity_per_s=per_s,
            calibration_requests=fitted.alone + fitted.together,
            others_part=None if others is None or later is None else (later - others) / long_s,
        )
    ]
    for name, arrivals in loads.items():
        counted = [
            msgspec.structs.replace(arrival, input_tokens=seen.input_tokens)
            for arrival, seen in zip(arrivals, measured[name][0], strict=True)
        ]
        rows += rows_of(name, arrivals, measured[name], twin_fit.simulate(counted, fitted, engine))
    return rows


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="two repeats of a few requests")
    parser.add_argument("--repeats", type=int, default=0, help="of each load (5)")
    parser.add_argument("--requests", type=int, default=0, help="of each load (300)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals")
    parser.add_argument("--core", type=int, default=None, help="the engine's (the last one)")
    parser.add_argument("--model", default="", help="a GGUF file (the demo's)")
    parser.add_argument("--attach", default="", help="URL of an engine that runs already")
    parser.add_argument("--attach-model", default="", help="what it serves")
    parser.add_argument("--slots", type=int, default=LLAMA.slots)
    parser.add_argument("--context", type=int, default=LLAMA.context_tokens)
    parser.add_argument("--chunk", type=int, default=LLAMA.chunk_tokens, help="tokens in a step")
    options = parser.parse_args()
    options.repeats = options.repeats or (2 if options.quick else 5)
    options.requests = options.requests or (20 if options.quick else 300)
    chosen = cores(options.core)
    if chosen is None:
        print("The twin needs Linux and two cores, one of them the engine's.", file=sys.stderr)
        return MISSING
    core, others = chosen
    os.sched_setaffinity(0, others)
    home = Path(tempfile.mkdtemp(prefix="entraide-bench-"))
    quiet(home / "up.log")
    try:
        rows = asyncio.run(run(home, options, core))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    show(rows, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
