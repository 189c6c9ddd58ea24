"""Performance model: coefficients converge to the true ones and stay within bounds."""

import math
import random
import statistics

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import all_cases
from tests.core.simulated_replicas import (
    EXTRA_W,
    SLOTS,
    Machine,
    Noise,
    bimodal,
    lognormal,
    mapes,
    model_of_card,
    normal,
    numbers,
    run_jobs,
    shifted_exponential,
    with_changes,
)

from entraide.types import Basis, Rates
from entraide_scheduler.core.estimation import PerformanceModel, RunMeasurement, excess_scale
from entraide_scheduler.core.estimation.performance_model import FASTEST, UWH_PER_J

RUN = RunMeasurement(
    predicted_ttft_s=0.28,
    queue_s=0.0,
    uncached_tokens=200,
    batch_at_start=0,
    ttft_s=0.28,
    output_tokens=101,
    decode_s=3.4,
    mean_batch=1.0,
    energy_prefill_uwh=0,
    energy_decode_uwh=0,
    energy_basis=Basis.ESTIMATED,
)


def test_the_prior_is_the_card() -> None:
    """Before any run the coefficients are the card's."""
    model = PerformanceModel.prior(Rates(800.0, 0.03, 0.004, Basis.MEASURED), extra_w=36.0, slots=4)

    assert (1 / 800, 0.03, 0.004) == (
        model.prefill_s_per_token,
        model.tpot_base_s,
        model.tpot_per_sequence_s,
    )
    assert [12.5, 300.0, 40.0] == pytest.approx(
        [model.prefill_uwh_per_token, model.step_uwh, model.token_uwh]
    )
    assert (1.3, 1.3) == pytest.approx((model.ttft_p90, model.tpot_p90))
    assert 0.0 == model.calibration().predictions_ttft


@all_cases("basis", [Basis.MEASURED, Basis.DEFAULT])
@all_cases("off", [0.125, 0.5, 1.0, 2.0, 8.0])
def test_a_wrong_card_is_outgrown(off: float, basis: Basis) -> None:
    """After 50 runs, a card that was wrong by a factor of 8 leaves no error beyond the noise."""
    machine, luck = Machine(), random.Random(f"{off} {basis}")
    model = model_of_card(machine, off=off, basis=basis)
    run_jobs(model, machine, luck, runs=50, noise=normal(0.1))
    ttft, tpot = mapes(run_jobs(model, machine, luck, runs=200, noise=normal(0.1)))

    assert ttft < 0.13
    assert tpot < 0.13


def test_all_coefficients_come_to_the_truth() -> None:
    """With mixed sizes and batches, each coefficient converges to its true value."""
    machine, luck = Machine(), random.Random(2)
    model = model_of_card(machine, off=2.0)
    run_jobs(model, machine, luck, runs=400, noise=normal(0.03))
    true = [
        machine.start_s,
        machine.prefill_s,
        machine.steps,
        machine.base_s,
        machine.line_s,
        machine.prefill_s * machine.prefill_w * UWH_PER_J,
        machine.base_s * machine.step_w * UWH_PER_J,
        machine.line_s * machine.token_w * UWH_PER_J,
    ]

    assert numbers(model)[:8] == pytest.approx(true, rel=0.2)


@pytest.mark.parametrize(
    "noise",
    [
        normal(0.1),
        normal(0.3),
        lognormal(0.2),
        lognormal(0.5),
        lognormal(0.8),
        shifted_exponential,
        bimodal,
    ],
    ids=[
        "normal",
        "wide",
        "skewed",
        "skewed_more",
        "skewed_most",
        "shifted_exponential",
        "bimodal",
    ],
)
def test_one_in_ten_lies_beyond_the_p90(noise: Noise) -> None:
    """For each noise distribution, 10 % of the runs exceed the p90, within 3 points."""
    machine, luck = Machine(), random.Random(3)
    model = model_of_card(machine, off=1.5)
    run_jobs(model, machine, luck, runs=50, noise=noise)
    done = run_jobs(model, machine, luck, runs=600, noise=noise)
    calibration = model.calibration()

    assert sum(run.ttft_beyond for run in done) / 600 == pytest.approx(0.1, abs=0.03)
    assert sum(run.tpot_beyond for run in done) / 600 == pytest.approx(0.1, abs=0.03)
    assert calibration.exceeded_ttft == pytest.approx(0.1, abs=0.05)
    assert calibration.exceeded_tpot == pytest.approx(0.1, abs=0.05)


def test_calibration_reports_what_happened() -> None:
    """The calibration reports the errors and shares of the last few hundred runs."""
    machine, luck = Machine(), random.Random(4)
    model = model_of_card(machine, off=2.0)
    run_jobs(model, machine, luck, runs=1_000, noise=normal(0.2))
    done = run_jobs(model, machine, luck, runs=500, noise=normal(0.2))
    calibration = model.calibration()

    assert (calibration.mape_ttft, calibration.mape_tpot) == pytest.approx(mapes(done), abs=0.03)
    assert 256.0 == pytest.approx(calibration.predictions_ttft, rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_a_drift_is_followed(factor: float) -> None:
    """The model follows a machine that becomes slower or faster within a few runs."""
    machine, luck = Machine(), random.Random(5)
    model = model_of_card(machine)
    run_jobs(model, machine, luck, runs=150, noise=normal(0.1))
    turned = machine.slower(factor)
    run_jobs(model, turned, luck, runs=12, noise=normal(0.1))
    ttft, tpot = mapes(run_jobs(model, turned, luck, runs=30, noise=normal(0.1)))

    assert ttft < 0.16
    assert tpot < 0.16


def test_long_queues_and_late_reports_do_not_swing_a_belief() -> None:
    """With every run queued and measured 60 runs late, the errors are those of the noise."""
    machine, luck = Machine(), random.Random(13)
    model = model_of_card(machine, off=2.0)
    run_jobs(model, machine, luck, runs=200, noise=normal(0.1), queued=1.0, late=60)
    done = run_jobs(model, machine, luck, runs=400, noise=normal(0.1), queued=1.0, late=60)

    assert max(mapes(done)) < 0.13
    assert sum(run.ttft_beyond for run in done) / 400 == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("prompts", [1, 11])
def test_many_short_prompts_are_foreseen_as_well_as_one_long(prompts: int) -> None:
    """The start of each queued prompt counts in the time to the first token."""
    machine, luck = Machine(start_s=0.1), random.Random(17)
    model = model_of_card(Machine())
    run_jobs(model, machine, luck, runs=300, noise=normal(0.03), queued=0.5)
    read_s = model.prefill_s_per_token + model.steps_per_token * model.step_s(8)
    true_s = prompts * machine.start_s + 500 * machine.read_s(8)

    assert prompts * model.start_s + 500 * read_s == pytest.approx(true_s, rel=0.05)


@pytest.mark.parametrize("beside", [0, 1, 3])
def test_the_first_that_decodes_slows_reading_down_most(beside: int) -> None:
    """Prefill beside a batch also takes decode steps; one sequence causes most of their time."""
    machine, luck = Machine(steps=1 / 32, line_s=0.0005), random.Random(17)
    model = model_of_card(machine)
    run_jobs(model, machine, luck, runs=400, noise=normal(0.03), batches=(1, 4))
    read_s = model.prefill_s_per_token + model.steps_per_token * model.step_s(beside)

    assert read_s == pytest.approx(machine.read_s(beside), rel=0.15)


def test_a_surprise_behind_a_queue_tells_less() -> None:
    """Behind a queue known in seconds, a doubled time changes the model less than without one."""
    card, alone, behind = (model_of_card(Machine()) for _ in range(3))
    alone.record_run(with_changes(RUN, ttft_s=0.56))
    behind.record_run(with_changes(RUN, predicted_ttft_s=1.28, queue_s=1.0, ttft_s=2.56))

    assert card.prefill_s_per_token < behind.prefill_s_per_token < alone.prefill_s_per_token


def test_a_hung_run_ruins_nothing() -> None:
    """Rare runs of 50 times the time do not worsen the predictions of the others."""
    machine, luck = Machine(), random.Random(6)
    model = model_of_card(machine)

    def hangs(luck: random.Random) -> float:
        return normal(0.1)(luck) * (50.0 if luck.random() < 0.03 else 1.0)

    run_jobs(model, machine, luck, runs=100, noise=hangs)
    done = run_jobs(model, machine, luck, runs=400, noise=hangs)
    sane = [run for run in done if run.ttft < 10.0 and run.tpot < 10.0]

    assert len(sane) < len(done)
    assert max(mapes(sane)) < 0.2


def test_one_hung_run_moves_a_belief_by_little() -> None:
    """One run of 1,000 times the time changes a prediction by a third at most."""
    machine, luck = Machine(), random.Random(7)
    model = model_of_card(machine)
    run_jobs(model, machine, luck, runs=100, noise=normal(0.1))
    before = numbers(model)[:5]
    model.record_run(with_changes(RUN, ttft_s=300.0, decode_s=5_000.0))

    assert all(now <= was * 4 / 3 for now, was in zip(numbers(model)[:5], before, strict=True))


@pytest.mark.parametrize("part", [1 / 40, 1 / 3_000])
def test_a_node_cannot_talk_itself_infinitely_fast(part: float) -> None:
    """Reported times below ``FASTEST`` times the card's do not lower the model further."""
    model, card = model_of_card(Machine()), model_of_card(Machine())
    boast = with_changes(
        RUN,
        ttft_s=0.28 * part,
        decode_s=3.4 * part,
        energy_basis=Basis.MEASURED,
        energy_prefill_uwh=1,
        energy_decode_uwh=1,
    )
    for _ in range(1_000):
        model.record_run(boast)
        model.record_run(with_changes(boast, uncached_tokens=0, ttft_s=0.03 * part))
    least_uwh = (card.step_uwh + card.token_uwh) * FASTEST / 4

    assert model.start_s >= 0.99 * card.start_s * FASTEST
    assert model.prefill_s_per_token >= 0.99 * card.prefill_s_per_token * FASTEST
    assert model.tpot_base_s + model.tpot_per_sequence_s >= 0.99 * 0.034 * FASTEST
    assert model.step_uwh + model.token_uwh >= 0.99 * least_uwh


@pytest.mark.parametrize("batch", [1, 4, SLOTS])
def test_runs_all_alike_leave_the_rest_to_the_card(batch: int) -> None:
    """If all runs have one size and one batch, other sizes are still predicted within bounds."""
    machine, luck = Machine(), random.Random(8)
    model = model_of_card(machine, off=2.0)
    run_jobs(
        model, machine, luck, runs=500, noise=normal(0.1), batches=(batch, batch), tokens=(500, 501)
    )
    ttft, tpot = mapes(run_jobs(model, machine, luck, runs=10, noise=normal(0.0)))

    assert ttft < 0.3
    assert tpot < 0.3


def test_a_line_that_seems_to_fall_is_taken_for_level() -> None:
    """If TPOT falls with the batch, the slope is 0 and the base stays plausible."""
    machine, luck = Machine(steps=-1 / 256, line_s=-0.001), random.Random(14)
    model = model_of_card(Machine())
    run_jobs(model, machine, luck, runs=300, noise=normal(0.02))

    assert 0.0 == model.tpot_per_sequence_s
    assert 0.0 == model.steps_per_token
    assert 0.014 < model.tpot_base_s < 0.03
    assert 1 / 1_600 < model.prefill_s_per_token < 1 / 800


def test_a_start_is_never_free() -> None:
    """If only tokens take time, the start stays positive."""
    machine, luck = Machine(start_s=-0.01), random.Random(15)
    model, card = model_of_card(Machine()), model_of_card(Machine())
    run_jobs(model, machine, luck, runs=300, noise=normal(0.02), tokens=(100, 2_000))

    assert model.start_s == pytest.approx(card.start_s * FASTEST)


@pytest.mark.parametrize("heard", ["device", "long", "counted"])
def test_what_is_better_known_moves_less(heard: str) -> None:
    """A run changes the model less under a stronger prior or with weaker evidence."""
    weak = model_of_card(Machine(), basis=Basis.DEFAULT if heard == "device" else Basis.MEASURED)
    firm, card = model_of_card(Machine()), model_of_card(Machine())
    slow = with_changes(RUN, ttft_s=0.5, decode_s=6.0)
    weak.record_run(slow)
    less: dict[str, dict[str, float | Basis]] = {
        "device": {},
        "long": {"output_tokens": 5, "decode_s": 6.0 * 4 / 100},
        "counted": {"counted": Basis.ESTIMATED},
    }
    firm.record_run(with_changes(slow, **less[heard]))

    assert card.tpot_base_s < firm.tpot_base_s < weak.tpot_base_s


def test_estimated_energy_follows_time() -> None:
    """Estimated energy is not learned from, since it is computed from the card's power."""
    machine, luck = Machine(), random.Random(9)
    model = model_of_card(machine, off=2.0)
    run_jobs(model, machine, luck, runs=200, noise=normal(0.05), basis=Basis.ESTIMATED)
    watts = EXTRA_W * UWH_PER_J

    assert model.prefill_uwh_per_token == watts * model.prefill_s_per_token
    assert model.step_uwh == watts * model.tpot_base_s
    assert model.token_uwh == watts * model.tpot_per_sequence_s


def test_another_power_on_the_card_is_taken_in() -> None:
    """Half the power on the card halves the energy of each token."""
    model = model_of_card(Machine())
    before = numbers(model)[5:8]
    model.set_power(EXTRA_W / 2)

    assert numbers(model)[5:8] == pytest.approx([energy / 2 for energy in before])


@pytest.mark.parametrize(
    "changes",
    [
        {"ttft_s": 0.0, "decode_s": 0.0},
        {"ttft_s": math.nan, "decode_s": math.nan},
        {"ttft_s": math.inf, "decode_s": math.inf},
        {"ttft_s": -1.0, "decode_s": -1.0},
        {"ttft_s": 0.0, "output_tokens": 1},
        {"ttft_s": 0.0, "choices": 101},
    ],
)
def test_what_is_unknown_teaches_nothing(changes: dict[str, float]) -> None:
    """A run without a first and a second token changes nothing."""
    model = model_of_card(Machine())
    model.record_run(with_changes(RUN, **changes))

    assert model_of_card(Machine()) == model


def test_choices_are_written_side_by_side() -> None:
    """Two answers of 50 tokens in parallel are 50 decode steps, not 100."""
    separate, batched = model_of_card(Machine()), model_of_card(Machine())
    separate.record_run(with_changes(RUN, output_tokens=50, mean_batch=2.0))
    batched.record_run(with_changes(RUN, output_tokens=100, mean_batch=2.0, choices=2))

    assert numbers(separate) == numbers(batched)


def test_other_confidences_lie_in_order() -> None:
    """The upper factor grows with the confidence, is 1 at 0.5 and the p90 at 0.9."""
    machine, luck = Machine(), random.Random(10)
    model = model_of_card(machine)
    run_jobs(model, machine, luck, runs=100, noise=lognormal(0.4))
    asked = [0.5, 0.55, 0.6, 0.8, 0.9, 0.94, 0.95, 0.99, 0.999, 0.9999]
    factors = [model.ttft.spread.upper(confidence) for confidence in asked]

    assert sorted(factors) == factors
    assert 1.0 == factors[0] == model.tpot.spread.upper(0.1)
    assert model.ttft_p90 == factors[4]


def test_the_table_of_quantiles_is_right() -> None:
    """The interpolated table is close to the normal quantiles."""
    quantile = statistics.NormalDist().inv_cdf
    asked = [part / 1_000 for part in range(500, 1_000)]

    assert [excess_scale(part) for part in asked] == pytest.approx(
        [quantile(part) / quantile(0.9) for part in asked], abs=0.03
    )


def test_written_down_and_read_it_goes_on_alike() -> None:
    """A model restored from bytes gives the same bytes after the same runs."""
    machine, luck = Machine(), random.Random(11)
    first = model_of_card(machine, off=2.0)
    run_jobs(first, machine, luck, runs=60, noise=lognormal(0.3))
    second = msgspec.msgpack.decode(msgspec.msgpack.encode(first), type=PerformanceModel)
    for model in (first, second):
        run_jobs(model, machine, random.Random(12), runs=60, noise=lognormal(0.3))

    assert msgspec.msgpack.encode(first) == msgspec.msgpack.encode(second)


TIMES = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0.0, 100.0)
COUNTS = st.integers(-10, 1 << 40) | st.integers(0, 4_000)
SEEN = st.builds(
    RunMeasurement,
    predicted_ttft_s=TIMES,
    queue_s=TIMES,
    uncached_tokens=COUNTS,
    batch_at_start=TIMES,
    ttft_s=TIMES,
    output_tokens=COUNTS,
    decode_s=TIMES,
    mean_batch=TIMES,
    energy_prefill_uwh=COUNTS,
    energy_decode_uwh=COUNTS,
    energy_basis=st.sampled_from(Basis),
    counted=st.sampled_from(Basis),
    choices=st.integers(-1, 8),
    predicted_tpot_s=TIMES,
    queue_tokens=TIMES,
    queue_prompts=TIMES,
)
RATES = st.builds(
    Rates,
    prefill_tokens_per_s=st.floats(1e-3, 1e9),
    tpot_base_s=st.floats(0.0, 1e3),
    tpot_per_sequence_s=st.floats(0.0, 1e3),
    basis=st.sampled_from(Basis),
)


@settings(max_examples=200, deadline=None)
@given(
    rates=RATES,
    extra_w=st.floats(0.0, 1e4),
    slots=st.integers(1, 512),
    runs=st.lists(SEEN, max_size=40),
)
def test_nothing_makes_a_belief_absurd(
    rates: Rates, extra_w: float, slots: int, runs: list[RunMeasurement]
) -> None:
    """Whatever a node reports, coefficients are finite and not negative, and factors at least 1."""
    model = PerformanceModel.prior(rates, extra_w=extra_w, slots=slots)
    for run in runs:
        model.record_run(run)
    calibration = model.calibration()

    assert all(math.isfinite(number) and number >= 0.0 for number in numbers(model))
    assert min(model.ttft_p90, model.tpot_p90) >= 1.0
    assert model.prefill_s_per_token > 0.0
    assert model.tpot_base_s + model.tpot_per_sequence_s >= 0.99 * FASTEST * (
        rates.tpot_base_s + rates.tpot_per_sequence_s
    )
    assert 0.0 <= calibration.exceeded_ttft <= 1.0
    assert math.isfinite(calibration.mape_ttft + calibration.mape_tpot)
