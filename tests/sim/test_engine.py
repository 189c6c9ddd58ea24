"""The engine: its closed form against a step-by-step simulation, and its formulas."""

from heapq import heappop, heappush
from math import inf, isclose

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.sim.brute import StepRequest, StepwiseEngine

from entraide.types import Basis, Rates
from entraide_sim.machines import FLAT, LINEAR, SERVER, Run
from entraide_sim.machines.energy import decode_energy_j, prefill_energy_j
from entraide_sim.machines.engine import Engine
from entraide_sim.machines.hardware import EngineParameters

TICK_S = 0.001_37  # arrivals lie on it, the ends of steps do not
EXTRA_W = 100.0


def hardware(**changes: object) -> EngineParameters:
    """An engine with uneven times, so that no two moments coincide."""
    rates = changes.pop("rates", Rates(1_931.7, 0.020_113, 0.002_171, Basis.MEASURED))
    slots = changes.pop("slots", 4)
    curve = changes.pop("curve", FLAT)
    assert isinstance(rates, Rates)
    values = {
        "rates": rates,
        "slots": slots,
        "chunk_tokens": 64,
        "pool_tokens": 100_000,
        "prefill_j": prefill_energy_j(rates, EXTRA_W),
        "decode_j": decode_energy_j(rates, EXTRA_W, slots=slots, curve=curve),
    }
    return EngineParameters(**{**values, **changes})


def live(engine: Engine, asked: list[StepRequest], *, g_per_j: float = 1.0) -> list[Run]:
    """Runs an engine with requests; returns the ended runs."""
    heap: list[tuple[float, int, str, int]] = []
    for number, request in enumerate(asked):
        heappush(heap, (request.at, number, "add", number))
        if request.stop_at < inf:
            heappush(heap, (request.stop_at, number + len(asked), "stop", number))
    runs: dict[int, Run] = {}
    ended: list[Run] = []

    def end(run: Run, at: float) -> None:
        run.payload.end_at = at
        ended.append(run)

    while heap or engine.next_at < inf:
        if not heap or engine.next_at < heap[0][0]:  # whoever comes now is there when a step begins
            at = engine.next_at
            engine.account_energy(at, g_per_j)
            for run in engine.advance(at)[1]:
                end(run, at)
            continue
        at, _, what, number = heappop(heap)
        engine.account_energy(at, g_per_j)
        request = asked[number]
        if what == "add":
            numbers = request.input_tokens, 0, request.output_tokens, request.output_tokens_max
            runs[number] = Run(f"j{number}", 1, *numbers, at, Outcome())
            engine.add_run(runs[number], at, g_per_j)
        elif runs[number].payload.end_at == 0.0 and engine.cancel_run(runs[number], at):
            end(runs[number], at)
    return [runs[number] for number in sorted(runs)]


class Outcome:
    """The end of a run."""

    end_at = 0.0


@st.composite
def asks(draw: st.DrawFn) -> list[StepRequest]:
    """Some runs, close together, some of them cancelled."""
    requests, at = [], 0
    for _ in range(draw(st.integers(1, 8))):
        at += draw(st.integers(0, 400))
        output = draw(st.integers(1, 40))
        stop = draw(st.none() | st.integers(1, 600))
        requests.append(
            StepRequest(
                at * TICK_S,
                draw(st.integers(1, 300)),
                output,
                output + draw(st.integers(0, 20)),
                inf if stop is None else (at + stop) * TICK_S + TICK_S / 3,
            )
        )
    return requests


# Ways in which engines differ beside their size.
WAYS = st.fixed_dictionaries(
    {
        "alone_s": st.sampled_from((0.0, 0.017_31)),
        "mixed_s": st.sampled_from((0.0, 0.007_9)),
        "settle_s": st.sampled_from((0.0, 0.013_37)),
        "steps_s": st.sampled_from(((), (0.011_3, 0.019_7, 0.031_1, 0.043_9, 0.040_3))),
        "batches_prefill": st.booleans(),
    }
)


@settings(max_examples=300, deadline=None)
@given(asked=asks(), slots=st.integers(1, 4), pool=st.sampled_from((400, 700, 100_000)), ways=WAYS)
@example(asked=[StepRequest(0.0, 64, 1, 1)], slots=1, pool=400, ways={})
def test_closed_form_is_step_by_step(
    asked: list[StepRequest], slots: int, pool: int, ways: dict[str, object]
) -> None:
    """Each run has the moments, tokens and energy of the step-by-step engine."""
    parts = hardware(slots=slots, pool_tokens=pool, **ways)
    copies = [
        StepRequest(
            request.at,
            request.input_tokens,
            request.output_tokens,
            request.output_tokens_max,
            request.stop_at,
        )
        for request in asked
    ]
    brute = StepwiseEngine(parts, copies)
    brute.run()
    engine = Engine(parts, at=0.0)
    runs = live(engine, asked)

    for run, wanted in zip(runs, copies, strict=True):
        assert isclose(wanted.first_at, run.first_at, rel_tol=1e-9)
        assert isclose(wanted.end_at, run.payload.end_at, rel_tol=1e-9)
        assert wanted.produced == run.produced_tokens
        assert isclose(wanted.energy_j, run.prefill_j + run.decode_j, rel_tol=1e-9)
    assert brute.most_tokens <= pool
    assert isclose(engine.total_j, sum(run.prefill_j + run.decode_j for run in runs), rel_tol=1e-9)
    assert isclose(engine.total_g, sum(run.carbon_g for run in runs), rel_tol=1e-9)
    assert engine.run_count == 0


def test_one_run_takes_what_the_formula_says() -> None:
    """Alone, a run's first token takes prompt / rate, and each further one t0 + t1."""
    parts = hardware()
    rates = parts.rates
    (run,) = live(Engine(parts, at=0.0), [StepRequest(5.0, 1_000, 11, 11)])
    tpot_s = rates.tpot_base_s + rates.tpot_per_sequence_s

    assert run.first_at == pytest.approx(5.0 + 1_000 / rates.prefill_tokens_per_s)
    assert run.payload.end_at == pytest.approx(run.first_at + 10 * tpot_s)
    assert run.prefill_j == pytest.approx(EXTRA_W * 1_000 / rates.prefill_tokens_per_s)
    assert run.decode_j == pytest.approx(EXTRA_W * 10 * tpot_s)


def test_a_batch_is_slower_and_cheaper() -> None:
    """Together, each token takes longer and costs less than alone."""
    parts = hardware()
    (alone,) = live(Engine(parts, at=0.0), [StepRequest(0.0, 10, 400, 400)])
    runs = live(Engine(parts, at=0.0), [StepRequest(0.0, 10, 400, 400) for _ in range(4)])

    assert runs[0].payload.end_at - runs[0].first_at > alone.payload.end_at - alone.first_at
    assert max(run.decode_j for run in runs) < alone.decode_j / 2


@pytest.mark.parametrize("others", [0, 3])
def test_linear_energy_does_not_depend_on_the_batch(others: int) -> None:
    """In linear mode a token costs what it costs in a full batch, alone or not."""
    parts = hardware(curve=LINEAR)
    rates = parts.rates
    runs = live(Engine(parts, at=0.0), [StepRequest(0.0, 100, 51, 51) for _ in range(1 + others)])
    full_s = (rates.tpot_base_s + 4 * rates.tpot_per_sequence_s) / 4

    assert runs[0].decode_j == pytest.approx(50 * EXTRA_W * full_s)


def test_a_curve_costs_less_for_a_small_batch_than_full_power() -> None:
    """A batch of one draws the curve's part of the active power, a full one all of it."""
    rates = hardware().rates
    curved = decode_energy_j(rates, EXTRA_W, slots=32, curve=SERVER)
    flat = decode_energy_j(rates, EXTRA_W, slots=32, curve=FLAT)

    assert curved[1] == pytest.approx(flat[1] * SERVER.power_part(1 / 32))
    assert curved[32] == pytest.approx(flat[32])


def test_memory_keeps_a_prompt_waiting() -> None:
    """A prompt that may overflow the memory enters only when the others have made room."""
    parts = hardware(pool_tokens=500)
    first, second = live(
        Engine(parts, at=0.0), [StepRequest(0.0, 300, 100, 100), StepRequest(0.0, 200, 5, 50)]
    )

    assert second.first_at > first.payload.end_at


def test_a_sleeping_machine_wakes_first() -> None:
    """The first run of a machine that sleeps waits for it to wake and bears the energy."""
    parts = hardware(wake_s=3.0, wake_j=700.0, sleep_after_s=60.0)
    asked = [StepRequest(at, 100, 2, 2) for at in (0.0, 30.0, 200.0)]
    engine = Engine(parts, at=0.0)
    runs = live(engine, asked)

    assert [700.0, 0.0, 700.0] == [run.wake_j for run in runs]
    assert runs[0].first_at == pytest.approx(3.0 + 100 / parts.rates.prefill_tokens_per_s)
    assert runs[1].first_at == pytest.approx(30.0 + 100 / parts.rates.prefill_tokens_per_s)
    assert engine.total_j == pytest.approx(sum(map(sum, (engine_use(run) for run in runs))))


def engine_use(run: Run) -> tuple[float, float, float]:
    """Energy of a run, by kind."""
    return run.prefill_j, run.decode_j, run.wake_j


def test_lost_runs_keep_what_they_used() -> None:
    """A machine that vanishes leaves its runs with the energy they had used."""
    engine = Engine(hardware(), at=0.0)
    for number in range(3):
        engine.add_run(Run(f"j{number}", 1, 100, 0, 500, 500, 0.0), 0.0, 1.0)
    for _ in range(4):
        engine.account_energy(engine.next_at, 1.0)
        engine.advance(engine.next_at)
    engine.account_energy(2.0, 1.0)
    used = [engine.run_usage(run)[0] for run in engine.runs()]
    lost = engine.drop_runs()

    assert used == pytest.approx([sum(engine_use(run)) for run in lost])
    assert engine.total_j == pytest.approx(sum(used))
    assert (inf, 0) == (engine.next_at, engine.run_count)
