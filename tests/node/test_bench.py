"""The benchmark: the rates that follow from the timings, and their storage."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entraide.types import PREFILL_MAX_TOKENS_PER_S, Basis, Outcome
from entraide_node import bench
from entraide_node.bench import EngineRates, cache_key, fit_tpot, load_or_measure_rates, mean_tpot_s
from entraide_node.engines.base import (
    EMBEDDINGS_PATH,
    ENGINE_CRASHED,
    ChunkReceiver,
    EngineChunk,
    EngineEnd,
    EngineFacts,
    EngineFailure,
    EngineProblem,
    EngineRequest,
    EngineTimings,
    EngineUsage,
)

PREFILL_TOKENS_PER_S = 1_000.0
TEMPLATE_TOKENS = 20


class Clock:
    """A clock that advances only when somebody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TimedEngine:
    """An engine of known speed, TPOT(b) = 5 ms + 2 ms * b, that computes in rounds."""

    def __init__(self, clock: Clock, *, slots: int = 4, counts: Basis = Basis.MEASURED) -> None:
        self.facts = EngineFacts("timed", "1", "m", "sha256:0", 2048, slots, 2, (), "")
        self.bodies: list[dict[str, object]] = []
        self.failure: EngineFailure | None = None
        self._clock = clock
        self._counts = counts
        self._cancelled: set[str] = set()
        self._writing = 0
        self.is_at_once = False

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Reads, then writes a token in each round until it is told to stop."""
        body = msgspec.json.decode(request.body)
        self.bodies.append(body)
        if self.failure is not None:
            return self._end(Outcome.FAILED, 0, 0, 0.0, 0.0)
        prompt = TEMPLATE_TOKENS + 5 * len(body["messages"][0]["content"].split())
        started = self._clock.now
        self._clock.now += prompt / PREFILL_TOKENS_PER_S
        prefill_s = self._clock.now - started
        if not self.is_at_once:
            receive(EngineChunk(b"x", 1))
        self._writing += 1
        tokens = 1
        while tokens < body["max_tokens"] and request.job not in self._cancelled:
            await asyncio.sleep(0)  # the others have their turn: a round is one turn of each
            self._clock.now += (0.005 + 0.002 * self._writing) / self._writing
            tokens += 1
            if not self.is_at_once:
                receive(EngineChunk(b"x", tokens))
        if self.is_at_once:
            receive(EngineChunk(b"x" * tokens, tokens))
        self._writing -= 1
        outcome = Outcome.CANCELLED if request.job in self._cancelled else Outcome.COMPLETED
        decode_s = self._clock.now - started - prefill_s
        return self._end(outcome, prompt, tokens, prefill_s, decode_s)

    def cancel(self, job: str) -> bool:
        """Makes a run end in its next round."""
        self._cancelled.add(job)
        return True

    def _end(
        self, outcome: Outcome, prompt: int, tokens: int, prefill_s: float, decode_s: float
    ) -> EngineEnd:
        timings = EngineTimings(prefill_s, prefill_s + decode_s, prefill_s, decode_s, self._counts)
        usage = EngineUsage(prompt, tokens, 0, self._counts)
        return EngineEnd(outcome, usage=usage, timings=timings, failure=self.failure)


async def rates_of(engine: TimedEngine, clock: Clock, **options: Any) -> EngineRates:
    """The rates of an engine that can be timed."""
    rates = await load_or_measure_rates(engine, clock=clock, wall_clock=lambda: 1e9, **options)
    assert isinstance(rates, EngineRates)
    return rates


async def test_a_known_engine() -> None:
    """The rates of an engine of known speed are measured correctly, within one round."""
    clock = Clock()
    rates = await rates_of(TimedEngine(clock), clock)

    assert PREFILL_TOKENS_PER_S == pytest.approx(rates.prefill_tokens_per_s, rel=0.02)
    assert 1 / 0.007 == pytest.approx(rates.decode_tokens_per_s_1, rel=0.02)
    assert 4 / 0.013 == pytest.approx(rates.decode_tokens_per_s_4, rel=0.1)
    assert 0.005 == pytest.approx(rates.tpot_base_s, rel=0.2)
    assert 0.002 == pytest.approx(rates.tpot_per_sequence_s, rel=0.2)
    assert (Basis.MEASURED, 1e9) == (rates.basis, rates.measured_at)
    assert 1.0 < rates.took_s < 4.0


async def test_prompts_are_unique() -> None:
    """No two prompts begin alike, so that no cache knows them."""
    clock = Clock()
    engine = TimedEngine(clock)
    await rates_of(engine, clock)
    await rates_of(engine, clock)

    prompts = [body["messages"][0]["content"] for body in engine.bodies]
    assert 12 == len(prompts)
    assert len(prompts) == len({prompt[:14] for prompt in prompts})


async def test_the_long_prompt_fits() -> None:
    """The prompt that is read for long is longer than the others and fits the context."""
    clock = Clock()
    engine = TimedEngine(clock)
    await rates_of(engine, clock)

    words = sorted(len(body["messages"][0]["content"].split()) for body in engine.bodies)
    assert 5 * words[0] < words[-1]
    assert TEMPLATE_TOKENS + 5 * words[-1] <= engine.facts.context_tokens


async def test_one_slot() -> None:
    """An engine with one slot is timed alone, and its time per token has no slope."""
    clock = Clock()
    rates = await rates_of(TimedEngine(clock, slots=1), clock)

    assert 0.0 == rates.tpot_per_sequence_s
    assert 0.007 == pytest.approx(rates.tpot_base_s, rel=0.02)


async def test_estimated_counts_are_marked() -> None:
    """Rates from estimated counts are marked as estimated."""
    clock = Clock()
    rates = await rates_of(TimedEngine(clock, counts=Basis.ESTIMATED), clock)

    assert Basis.ESTIMATED is rates.basis is rates.as_rates().basis


async def test_the_pool_is_told_of_no_rate_that_it_refuses() -> None:
    """A prefill that took no time at all is announced as the fastest that a pool believes."""
    clock = Clock()
    rates = await rates_of(TimedEngine(clock), clock)
    faster = msgspec.structs.replace(rates, prefill_tokens_per_s=3e9)

    assert PREFILL_MAX_TOKENS_PER_S == faster.as_rates().prefill_tokens_per_s


async def test_an_engine_that_answers_at_once() -> None:
    """An engine that shows no time between tokens is estimated by its whole runs."""
    clock = Clock()
    engine = TimedEngine(clock, slots=1)
    engine.is_at_once = True
    rates = await rates_of(engine, clock)

    assert Basis.ESTIMATED is rates.basis
    assert 0.007 == pytest.approx(rates.tpot_base_s, rel=0.1)


async def test_an_engine_that_fails() -> None:
    """An engine that fails has no rates, and the reason is returned."""
    clock = Clock()
    engine = TimedEngine(clock)
    engine.failure = EngineFailure(ENGINE_CRASHED, "boum", retryable=True)

    problem = await load_or_measure_rates(engine, clock=clock)

    assert EngineProblem("engine_bench_failed", {"reason_code": ENGINE_CRASHED}) == problem


async def test_a_restart_finds_the_result(tmp_path: Path) -> None:
    """A result is kept under all that it depends on, and found again without asking the engine."""
    clock, path = Clock(), tmp_path / "node" / "bench.json"
    first = await rates_of(TimedEngine(clock), clock, cache_path=path)
    again, other = TimedEngine(clock), TimedEngine(clock, slots=2)
    second = await rates_of(again, clock, cache_path=path)
    third = await rates_of(other, clock, cache_path=path)
    fourth = await rates_of(again, clock, cache_path=path)

    assert first == second == fourth
    assert [] == again.bodies
    assert third != first
    assert [] != other.bodies


async def test_nodes_of_a_machine_share_a_result(tmp_path: Path) -> None:
    """A node takes the shared result if it has none of its own, and keeps it as its own."""
    clock, shared = Clock(), tmp_path / "rates.json"
    own, other = tmp_path / "node-1" / "rates.json", tmp_path / "node-2" / "rates.json"
    first = await rates_of(TimedEngine(clock), clock, cache_path=own, shared_path=shared)
    beside, slow = TimedEngine(clock), TimedEngine(clock)
    slow.is_at_once = True
    second = await rates_of(beside, clock, cache_path=other, shared_path=shared)
    anew = await rates_of(slow, clock, cache_path=own, ignore_cache=True)
    kept = await rates_of(beside, clock, cache_path=own, shared_path=shared)
    shared.unlink()
    third = await rates_of(beside, clock, cache_path=other, shared_path=shared)

    assert first == second == third
    assert anew == kept != first
    assert [] == beside.bodies


async def test_a_damaged_cache(tmp_path: Path) -> None:
    """An unreadable cache is replaced."""
    clock, path = Clock(), tmp_path / "bench.json"
    path.write_bytes(b"{")

    rates = await rates_of(TimedEngine(clock), clock, cache_path=path)

    assert rates == await rates_of(TimedEngine(clock), clock, cache_path=path)


@pytest.mark.parametrize(
    "change",
    [{"version": "2"}, {"model_revision": "sha256:1"}, {"threads": 3}, {"slots": 5}, {"name": "x"}],
    ids=str,
)
def test_what_a_result_depends_on(change: dict[str, object]) -> None:
    """Another engine, version, model, number of threads or of slots is another result."""
    facts = TimedEngine(Clock()).facts

    assert cache_key(facts) != cache_key(msgspec.structs.replace(facts, **change))


FITS = {
    "a batch costs a little": (0.010, 0.016, (0.008, 0.002)),
    "a batch costs nothing": (0.010, 0.010, (0.010, 0.0)),
    "a batch is even faster": (0.010, 0.009, (0.010, 0.0)),
    "a batch costs its sequences one by one": (0.010, 0.040, (0.0, 0.010)),
    "a batch costs more than that": (0.010, 0.060, (0.0, 0.015)),
}


@pytest.mark.parametrize(("alone", "together", "expected"), FITS.values(), ids=FITS)
def test_fits(alone: float, together: float, expected: tuple[float, float]) -> None:
    """The line through one and four sequences has no negative part."""
    assert expected == pytest.approx(fit_tpot(alone, together, sequences=4))


@given(st.floats(1e-4, 1.0), st.floats(1e-4, 1.0), st.integers(1, 16))
def test_a_fit_is_sound(alone: float, together: float, sequences: int) -> None:
    """No part is negative, and a full batch is never promised faster than it was measured."""
    base_s, per_sequence_s = fit_tpot(alone, together, sequences=sequences)

    assert base_s >= 0
    assert per_sequence_s >= 0
    if sequences > 1:
        assert base_s + per_sequence_s * sequences >= together - 1e-9


MARKS = {
    "one sequence": ([[(0.0, 1), (1.0, 2), (2.0, 3)]], 1.0),
    "several tokens at once": ([[(0.0, 1), (2.0, 5)]], 0.5),
    "only while all write": ([[(0.0, 1), (5.0, 2), (7.0, 4)], [(5.0, 1), (7.0, 2), (9.0, 9)]], 1.5),
    "one that never wrote": ([[(0.0, 1), (1.0, 2)], []], None),
    "one ended before the other began": ([[(0.0, 1), (1.0, 2)], [(2.0, 1), (3.0, 2)]], None),
    "one token is no interval": ([[(0.0, 1)]], None),
    "nobody": ([], None),
}


@pytest.mark.parametrize(("marks", "expected"), MARKS.values(), ids=MARKS)
def test_time_per_token(marks: list[list[tuple[float, int]]], expected: float | None) -> None:
    """Time per token is taken while all sequences write."""
    assert expected == mean_tpot_s(marks)


async def test_power_is_told_where_a_meter_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter is read at idle and with four sequences; without a meter there is no power."""
    monkeypatch.setattr(bench, "IDLE_S", 0.0)
    clock = Clock()
    engine = TimedEngine(clock)
    powers = iter([None, 12.0, None, 48.0])

    async def power_w() -> float | None:
        return next(powers)

    rates = await rates_of(engine, clock, power_w=power_w)
    without = await rates_of(engine, clock)

    assert (12.0, 48.0) == (rates.idle_w, rates.busy_w)
    assert (None, None) == (without.idle_w, without.busy_w)


async def test_what_is_measured_beside_other_work(tmp_path: Path) -> None:
    """Rates that are measured beside other work are estimates and are not stored."""
    clock = Clock()
    engine = TimedEngine(clock)
    path = tmp_path / "rates.json"
    beside = await rates_of(engine, clock, cache_path=path, is_busy=lambda: True)
    alone = await rates_of(engine, clock, cache_path=path)
    kept = await rates_of(engine, clock, cache_path=path)
    asked = len(engine.bodies)
    anew = await rates_of(engine, clock, cache_path=path, ignore_cache=True)

    assert (Basis.ESTIMATED, 0.0) == (beside.basis, beside.measured_at)
    assert (Basis.MEASURED, 1e9) == (alone.basis, alone.measured_at)
    assert alone == kept
    assert len(engine.bodies) > asked
    assert anew == (await rates_of(engine, clock, cache_path=path))


class EmbeddingEngine(TimedEngine):
    """An engine that embeds 1,000 tokens per second, with 10 ms for each run."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.facts = msgspec.structs.replace(
            self.facts, context_tokens=512, features=("embeddings", "embeddings_only")
        )

    async def run(self, request: EngineRequest, _receive: ChunkReceiver) -> EngineEnd:
        """Embeds all inputs at once."""
        assert EMBEDDINGS_PATH == request.path
        body = msgspec.json.decode(request.body)
        self.bodies.append(body)
        tokens = sum(2 + 2 * len(text.split()) for text in body["input"])
        run_s = 0.010 + tokens / PREFILL_TOKENS_PER_S
        self._clock.now += run_s
        if self.failure is not None:
            return self._end(Outcome.FAILED, 0, 0, 0.0, 0.0)
        return self._end(Outcome.COMPLETED, tokens, 0, run_s, 0.0)


async def test_an_embedding_engine_is_measured_by_reading() -> None:
    """The rate of a batch, and the time of a short input; no output tokens are asked for."""
    clock = Clock()
    engine = EmbeddingEngine(clock)
    rates = await rates_of(engine, clock)

    assert PREFILL_TOKENS_PER_S == pytest.approx(rates.prefill_tokens_per_s, rel=0.05)
    assert 0.024 == pytest.approx(rates.tpot_base_s)
    assert (0.0, 0.0) == (rates.tpot_per_sequence_s, rates.decode_tokens_per_s_1)
    longest = max(len(text.split()) for text in engine.bodies[-1]["input"])  # type: ignore[attr-defined]
    assert 2 + 2 * longest < 512
    assert len(engine.bodies[-1]["input"]) > 1  # type: ignore[arg-type]


async def test_an_embedding_engine_that_fails_gives_no_rates() -> None:
    """The reason is told, as for an engine that writes text."""
    clock = Clock()
    engine = EmbeddingEngine(clock)
    engine.failure = EngineFailure(ENGINE_CRASHED, "gone", retryable=True)
    problem = await load_or_measure_rates(engine, clock=clock, wall_clock=lambda: 1e9)

    assert EngineProblem("engine_bench_failed", {"reason_code": ENGINE_CRASHED}) == problem
