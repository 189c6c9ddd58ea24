"""The benchmark: how fast an engine reads prompts and writes answers, measured in a few seconds.

Input: a started engine and, if there is one, a power meter. Output: prefill tokens/s, the time per
output token alone and with three other sequences, fitted as TPOT(b) = t0 + t1 * b for b concurrent
sequences, and the machine's power at idle and under load. The engine's own timings are used if it
reports them. Prompts are fresh random numbers, so no prefix is cached; cached tokens are not
counted. An engine that computes embeddings only has no output tokens: its prefill rate is that of a
batch of inputs, and t0 is the time of a short one.

Results are kept on disk under everything that they depend on: engine, version, weights, threads,
slots and machine. A restarted agent reads them there, and nodes of one machine may share a file.
"""

import asyncio
import contextlib
import os
import platform
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.files import write_atomically
from entraide.models import EMBEDDINGS_ONLY
from entraide.types import PREFILL_MAX_TOKENS_PER_S, Basis, Outcome, Rates
from entraide_node.engines.base import (
    CHAT,
    EMBEDDINGS_PATH,
    Engine,
    EngineChunk,
    EngineEnd,
    EngineFacts,
    EngineProblem,
    EngineRequest,
)

SEQUENCES = 4
DECODE_S = 0.6  # of decoding, for one sequence and for concurrent sequences
PREFILL_S = 0.9  # of prefill
STEP_S_MAX = 90.0  # a slow machine that other programs use is still measured
OUTPUT_TOKENS_MAX = 128
INTERVALS_MIN = 3  # between tokens, for each sequence
PREFILL_TOKENS_MIN = 64
PREFILL_TOKENS_MAX = 4_096
SHORT_WORDS = 6
INPUT_TOKENS = 256  # of an input of a batch
RESULTS_MAX = 32
IDLE_S = 1.0  # of idling, to read the idle power

ReadPowerW = Callable[[], Awaitable[float | None]]


class EngineRates(Struct, frozen=True):
    """The measured speed of an engine.

    Attributes:
        prefill_tokens_per_s: prefill rate of one sequence.
        decode_tokens_per_s_1: decode rate of one sequence; 0 for embeddings.
        decode_tokens_per_s_4: total decode rate of four concurrent sequences (fewer if it has fewer
            slots).
        tpot_base_s: t0 of TPOT(b) = t0 + t1 * b.
        tpot_per_sequence_s: t1; never negative.
        basis: ``measured``; ``estimated`` if the engine reported no token counts.
        measured_at: seconds since the epoch.
        took_s: duration of the benchmark.
        idle_w, busy_w: power of the machine before the benchmark, and with four sequences; None
            without a meter.
    """

    prefill_tokens_per_s: float
    decode_tokens_per_s_1: float
    decode_tokens_per_s_4: float
    tpot_base_s: float
    tpot_per_sequence_s: float
    basis: Basis
    measured_at: float
    took_s: float
    idle_w: float | None = None
    busy_w: float | None = None

    def as_rates(self) -> Rates:
        """Returns the rates in the pool's vocabulary, and within its bounds.

        An engine that keeps earlier prompts may seem faster than any machine is.
        """
        return Rates(
            prefill_tokens_per_s=min(self.prefill_tokens_per_s, PREFILL_MAX_TOKENS_PER_S),
            tpot_base_s=self.tpot_base_s,
            tpot_per_sequence_s=self.tpot_per_sequence_s,
            basis=self.basis,
        )


class _SequenceTrace(Struct, frozen=True):
    """The output tokens of one sequence over time, and its end."""

    marks: list[tuple[float, int]]
    end: EngineEnd | None


async def load_or_measure_rates(
    engine: Engine,
    *,
    cache_path: Path | None = None,
    shared_path: Path | None = None,
    ignore_cache: bool = False,
    is_busy: Callable[[], bool] = lambda: False,
    power_w: ReadPowerW | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> EngineRates | EngineProblem:
    """Returns the rates of a started, idle engine, from the cache if they are there.

    Args:
        engine: started.
        cache_path: file of the node's earlier results; None for none.
        shared_path: file that nodes of this machine share, read if the node has no result of its
            own; None for none.
        ignore_cache: whether to ignore stored results.
        is_busy: whether the machine has other work now. Rates that are measured meanwhile are
            estimates, are not kept, and count as never measured.
        power_w: returns the machine's mean power since its last call; None without a meter.
        clock: monotonic, seconds.
        wall_clock: seconds since the epoch.
    """
    key = cache_key(engine.facts)
    paths = [path for path in (cache_path, shared_path) if path is not None]
    if not ignore_cache:
        for path in paths:
            cached = (await asyncio.to_thread(_load_results, path)).get(key)
            if cached is not None:
                if path != paths[0]:
                    await asyncio.to_thread(_add_result, paths[0], key, cached)
                return cached
    was_busy = is_busy()
    rates = await measure_rates(engine, power_w=power_w, clock=clock, wall_clock=wall_clock)
    if isinstance(rates, EngineProblem):
        return rates
    if was_busy or is_busy():
        return msgspec.structs.replace(rates, basis=Basis.ESTIMATED, measured_at=0.0)
    for path in paths:
        await asyncio.to_thread(_add_result, path, key, rates)
    return rates


async def measure_rates(
    engine: Engine,
    *,
    power_w: ReadPowerW | None,
    clock: Callable[[], float],
    wall_clock: Callable[[], float],
) -> EngineRates | EngineProblem:
    """Benchmarks a started engine; see ``load_or_measure_rates``."""
    idle_w = await _measure_idle_w(power_w)
    started = clock()
    if EMBEDDINGS_ONLY in engine.facts.features:
        return await _measure_reading(
            engine, idle_w, power_w=power_w, clock=clock, wall_clock=wall_clock
        )
    sequences = max(1, min(SEQUENCES, engine.facts.slots))
    single = await _decode_concurrently(engine, 1, clock=clock)
    tpot_1_s, timed_1 = _measured_tpot_s(single)
    first = single[0].end
    if tpot_1_s is None or first is None:
        return _bench_problem(single)
    tokens = _prefill_tokens(first, engine.facts)
    words = max(SHORT_WORDS, tokens * SHORT_WORDS // max(1, first.usage.prompt_tokens))
    prefill = await _run_sequence(engine, words=words, output_tokens=1, clock=clock)
    if prefill.end is None or prefill.end.outcome is not Outcome.COMPLETED:
        return _bench_problem([prefill])
    await _read_mean_w(power_w)  # start of the power window
    batch = await _decode_concurrently(engine, sequences, clock=clock)
    busy_w = await _read_mean_w(power_w)
    tpot_n_s, timed_n = _measured_tpot_s(batch) if sequences > 1 else (tpot_1_s, timed_1)
    if tpot_n_s is None:
        return _bench_problem(batch)
    base_s, per_sequence_s = fit_tpot(tpot_1_s, tpot_n_s, sequences=sequences)
    usage = prefill.end.usage
    return EngineRates(
        prefill_tokens_per_s=max(1, usage.prompt_tokens - usage.cached_tokens)
        / max(1e-6, prefill.end.timings.prefill_s),
        decode_tokens_per_s_1=1 / tpot_1_s,
        decode_tokens_per_s_4=sequences / tpot_n_s,
        tpot_base_s=base_s,
        tpot_per_sequence_s=per_sequence_s,
        basis=usage.counted if timed_1 and timed_n else Basis.ESTIMATED,
        measured_at=wall_clock(),
        took_s=clock() - started,
        idle_w=idle_w,
        busy_w=busy_w,
    )


async def _measure_reading(
    engine: Engine,
    idle_w: float | None,
    *,
    power_w: ReadPowerW | None,
    clock: Callable[[], float],
    wall_clock: Callable[[], float],
) -> EngineRates | EngineProblem:
    """Benchmarks an engine that computes embeddings: a short input, then a batch of longer ones."""
    started = clock()
    await _embed([_random_words(SHORT_WORDS)], engine)  # the first run has costs of its own
    short = await _embed([_random_words(SHORT_WORDS)], engine)
    if short is None or short.outcome is not Outcome.COMPLETED:
        return _bench_problem([_SequenceTrace([], short)])
    tokens_per_word = short.usage.prompt_tokens / SHORT_WORDS
    longest = min(INPUT_TOKENS, engine.facts.context_tokens * 3 // 4)
    words = max(SHORT_WORDS, int(longest / tokens_per_word))
    inputs = max(1, round(_prefill_tokens(short, engine.facts) / (words * tokens_per_word)))
    await _read_mean_w(power_w)  # start of the power window
    batch = await _embed([_random_words(words) for _ in range(inputs)], engine)
    busy_w = await _read_mean_w(power_w)
    if batch is None or batch.outcome is not Outcome.COMPLETED:
        return _bench_problem([_SequenceTrace([], batch)])
    return EngineRates(
        prefill_tokens_per_s=batch.usage.prompt_tokens / max(1e-6, batch.timings.run_s),
        decode_tokens_per_s_1=0.0,
        decode_tokens_per_s_4=0.0,
        tpot_base_s=max(1e-6, short.timings.run_s),
        tpot_per_sequence_s=0.0,
        basis=batch.usage.counted,
        measured_at=wall_clock(),
        took_s=clock() - started,
        idle_w=idle_w,
        busy_w=busy_w,
    )


async def _embed(texts: list[str], engine: Engine) -> EngineEnd | None:
    """Requests embeddings; None after a time-out."""
    body = msgspec.json.encode({"input": texts, "encoding_format": "base64"})
    request = EngineRequest(
        _new_job_id(), EMBEDDINGS_PATH, body, stream=False, model="bench",
        first_event_timeout_s=STEP_S_MAX,
    )  # fmt: skip
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STEP_S_MAX):
            return await engine.run(request, lambda _chunk: None)
    return None


async def _measure_idle_w(power_w: ReadPowerW | None) -> float | None:
    """The machine's idle power; None without a meter."""
    if power_w is None:
        return None
    await power_w()
    await asyncio.sleep(IDLE_S)
    return await power_w()


async def _read_mean_w(power_w: ReadPowerW | None) -> float | None:
    return await power_w() if power_w is not None else None


def fit_tpot(tpot_1_s: float, tpot_n_s: float, *, sequences: int) -> tuple[float, float]:
    """Returns t0 and t1 of TPOT(b) = t0 + t1 * b through b = 1 and b = ``sequences``.

    Neither is negative. If a batch costs no more than one sequence, t1 = 0 and the value for one
    sequence is kept. If it costs more than its sequences one by one, t0 = 0 and the value of the
    batch is kept, because a busy node runs batches.

    >>> fit_tpot(0.010, 0.016, sequences=4)
    (0.008, 0.002)
    """
    if sequences < 2 or tpot_n_s <= tpot_1_s:
        return tpot_1_s, 0.0
    per_sequence_s = (tpot_n_s - tpot_1_s) / (sequences - 1)
    if per_sequence_s > tpot_1_s:
        return 0.0, tpot_n_s / sequences
    return tpot_1_s - per_sequence_s, per_sequence_s


def mean_tpot_s(sequences: list[list[tuple[float, int]]]) -> float | None:
    """Returns the mean time per output token while all sequences decode; None if they never do.

    Args:
        sequences: for each sequence, pairs of a time and the output tokens until then.
    """
    begun = [next((at for at, n in marks if n > 0), None) for marks in sequences]
    if not begun or any(at is None for at in begun):
        return None
    all_from = max(at for at in begun if at is not None)
    all_until = min(marks[-1][0] for marks in sequences)
    tpots = []
    for marks in sequences:
        inside = [mark for mark in marks if all_from <= mark[0] <= all_until]
        if len(inside) < 2 or inside[-1][1] == inside[0][1]:
            return None
        tpots.append((inside[-1][0] - inside[0][0]) / (inside[-1][1] - inside[0][1]))
    mean_s = sum(tpots) / len(tpots)
    return mean_s if mean_s > 0 else None


def _measured_tpot_s(traces: list[_SequenceTrace]) -> tuple[float | None, bool]:
    """Returns the time per output token, and whether it was measured between tokens.

    An engine, or a proxy in front of it, may send all tokens at once. Then the duration of the
    whole run per token is returned, which is an upper bound.
    """
    timed_s = mean_tpot_s([trace.marks for trace in traces])
    if timed_s is not None:
        return timed_s, True
    ends = [trace.end for trace in traces if trace.end and trace.end.outcome is Outcome.COMPLETED]
    tokens = sum(end.usage.completion_tokens for end in ends)
    run_s = sum(end.timings.run_s for end in ends)
    is_counted = len(ends) == len(traces) and tokens > 0 and run_s > 0
    return (run_s / tokens if is_counted else None), False


def cache_key(facts: EngineFacts) -> str:
    """Returns a key of everything that a result depends on."""
    machine = f"{platform.node()} {platform.machine()} {os.cpu_count()}"
    return " | ".join((
        facts.name, facts.version, facts.model_alias, facts.model_revision,
        f"{facts.threads} threads", f"{facts.slots} slots", machine,
    ))  # fmt: skip


async def _decode_concurrently(
    engine: Engine, sequences: int, *, clock: Callable[[], float]
) -> list[_SequenceTrace]:
    """Decodes several sequences at once, until all have decoded together for ``DECODE_S``."""
    marks: list[list[tuple[float, int]]] = [[] for _ in range(sequences)]
    jobs = [_new_job_id() for _ in range(sequences)]

    def enough() -> bool:
        if not all(marks):
            return False
        from_s = max(sequence[0][0] for sequence in marks)
        together = [sum(at > from_s for at, _ in sequence) for sequence in marks]
        return min(together) >= INTERVALS_MIN and clock() - from_s >= DECODE_S

    def note(index: int, mark: tuple[float, int]) -> None:
        marks[index].append(mark)
        if enough():
            for job in jobs:
                engine.cancel(job)

    async def run_sequence(number: int) -> _SequenceTrace:
        return await _run_sequence(
            engine, words=SHORT_WORDS, output_tokens=OUTPUT_TOKENS_MAX, clock=clock,
            job=jobs[number], marks=marks[number], note=lambda mark: note(number, mark),
        )  # fmt: skip

    return list(await asyncio.gather(*(run_sequence(index) for index in range(sequences))))


async def _run_sequence(
    engine: Engine,
    *,
    words: int,
    output_tokens: int,
    clock: Callable[[], float],
    job: str = "",
    marks: list[tuple[float, int]] | None = None,
    note: Callable[[tuple[float, int]], None] | None = None,
) -> _SequenceTrace:
    """Runs one request with a prompt of random words; its end is None after a time-out."""
    body = {
        "messages": [{"role": "user", "content": _random_words(words)}],
        "max_tokens": output_tokens,
        "ignore_eos": True,  # llama.cpp and vLLM: continue after the end token
        "temperature": 0,
    }
    request = EngineRequest(
        job=job or _new_job_id(),
        path=CHAT,
        body=msgspec.json.encode(body),
        stream=True,
        model="bench",
        first_event_timeout_s=STEP_S_MAX,
    )

    def receive(chunk: EngineChunk) -> None:
        if chunk.n_output_tokens > 0 and note is not None:
            note((clock(), chunk.n_output_tokens))

    end: EngineEnd | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STEP_S_MAX):
            end = await engine.run(request, receive)
    return _SequenceTrace(marks if marks is not None else [], end)


def _prefill_tokens(first: EngineEnd, facts: EngineFacts) -> int:
    """Length of a prompt whose prefill takes about ``PREFILL_S``."""
    usage = first.usage
    per_s = max(1, usage.prompt_tokens - usage.cached_tokens) / max(1e-3, first.timings.prefill_s)
    most = min(PREFILL_TOKENS_MAX, (facts.context_tokens or PREFILL_TOKENS_MAX) * 3 // 4)
    return max(min(PREFILL_TOKENS_MIN, most), min(most, int(per_s * PREFILL_S)))


def _random_words(words: int) -> str:
    random_source = random.SystemRandom()
    return " ".join(str(random_source.randrange(1_000, 10_000)) for _ in range(words))


def _new_job_id() -> str:
    return f"bench-{random.SystemRandom().randrange(1 << 48):012x}"


def _bench_problem(traces: list[_SequenceTrace]) -> EngineProblem:
    """Why the benchmark gave no rates."""
    for trace in traces:
        if trace.end is not None and trace.end.failure is not None:
            return EngineProblem("engine_bench_failed", {"reason_code": trace.end.failure.code})
    return EngineProblem("engine_bench_failed", {"reason_code": "too_slow"})


def _load_results(path: Path) -> dict[str, EngineRates]:
    try:
        return decode_json(path.read_bytes(), type=dict[str, EngineRates])
    except (OSError, msgspec.DecodeError):
        return {}


def _add_result(path: Path, key: str, rates: EngineRates) -> None:
    results = _load_results(path) | {key: rates}
    write_atomically(path, msgspec.json.encode(dict(list(results.items())[-RESULTS_MAX:])))
