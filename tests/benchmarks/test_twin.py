"""The twin's pure parts: a machine found again from what it did, and what counts as near."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from benchmarks.support import twin_fit, twin_load
from benchmarks.support.twin_fit import (
    BatchBounds,
    CalibrationSamples,
    FittedModel,
    MeasuredRequest,
)
from benchmarks.support.twin_store import LoadRepeat, LoadShape, MeasurementStore, TwinSettings
from benchmarks.support.twin_table import (
    TwinRow,
    all_load_arrivals,
    capacity_per_s,
    figure_rows,
    load_arrivals,
    load_capacities,
    twin_rows,
)

from entraide.types import Basis, Rates
from entraide_scheduler.gateway.requests import openai
from entraide_sim import Arrival

ENGINE = BatchBounds(slots=4, context_tokens=2_048, chunk_tokens=512)
# Like llama.cpp's, its step takes hardly longer with four sequences than with three.
TRUE = FittedModel(
    Rates(200.0, 0.006, 0.002, Basis.MEASURED),
    steps_s=(0.008, 0.011, 0.0142, 0.0143),
    mixed_s=0.012,
    settle_s=0.006,
    start_s=0.02,
    tail_s=0.005,
    requests=0,
)
SETTINGS = TwinSettings(
    engine="simulated",
    bounds=ENGINE,
    loads={"light": 0.3, "half": 0.5, "near_saturation": 0.85},
    words=(8, 100),
    answers=(8, 48),
    requests=200,
    repeats=2,
    seed=3,
)


def lived(arrivals: list[Arrival], machine: FittedModel = TRUE) -> list[MeasuredRequest]:
    """Returns what clients would see of a machine, told by the simulator itself."""
    latencies = twin_fit.simulate_load(arrivals, machine, ENGINE)
    return [
        MeasuredRequest(
            arrival.input_tokens,
            arrival.output_tokens,
            arrival.at_s,
            ttft,
            e2e - machine.tail_s,
            e2e,
        )
        for arrival, ttft, e2e in zip(arrivals, latencies.ttft_s, latencies.e2e_s, strict=True)
    ]


def calibrated(machine: FittedModel = TRUE) -> CalibrationSamples:
    """Calibrates on requests that were alone, and on some beside others."""
    lengths = [(words, tokens) for words in (40, 90, 140) for tokens in (6, 12, 24)]
    alone = [Arrival(60.0 * at, "", *both) for at, both in enumerate(lengths)]
    beside = []
    for companions in (1, 2, 3):
        for tokens in (12, 40, 12, 40, 12, 40):
            others = [Arrival(0.3 * at, "", 10, 400) for at in range(companions)]
            question = Arrival(1.2 + 0.0023 * len(beside), "", 30, tokens)
            beside.append((companions, lived([*others, question], machine)[-1]))
    return CalibrationSamples(lived(alone, machine), beside)


def test_calibration_finds_a_machine_from_what_it_did() -> None:
    """Prompts, steps of each batch, their mixture, start and tail are those of the machine."""
    fitted = twin_fit.fit_model([calibrated()])
    rate = TRUE.rates.prefill_tokens_per_s

    assert rate == pytest.approx(fitted.rates.prefill_tokens_per_s, rel=1e-3)
    assert TRUE.steps_s == pytest.approx(fitted.steps_s, rel=0.01)
    assert TRUE.settle_s == pytest.approx(fitted.settle_s, abs=5e-4)
    assert TRUE.mixed_s == pytest.approx(fitted.mixed_s, abs=3e-3)  # who comes waits for a step
    assert (TRUE.start_s, TRUE.tail_s) == pytest.approx((fitted.start_s, fitted.tail_s), abs=1e-3)


def test_one_hiccup_bends_no_line() -> None:
    """A request that took far too long among three of its length changes nothing."""
    alone = [
        MeasuredRequest(tokens, answer, 0.0, 0.01 * tokens, end_s, end_s)
        for tokens in (10, 20, 30)
        for answer in (2, 5)
        for _ in range(3)
        if (end_s := 0.01 * tokens + 0.02 * answer)
    ]
    odd = MeasuredRequest(30, 5, 0.0, 9.0, 9.1, 9.1)
    usual, once_odd = (CalibrationSamples(each, []) for each in (alone, [*alone[:-1], odd]))

    assert twin_fit.fit_model([usual]) == twin_fit.fit_model([once_odd])


def test_calibration_without_a_line_is_refused() -> None:
    """Prompts or answers of one length, or a size of batch that is missing, say too little."""
    longer = [MeasuredRequest(tokens, 2, 0.0, 0.1, 0.2, 0.2) for tokens in (10, 20)]
    enough = [*longer, MeasuredRequest(20, 9, 0.0, 0.1, 0.9, 0.9)]

    with pytest.raises(ValueError, match="prompts of two lengths"):
        twin_fit.fit_model([CalibrationSamples(longer[:1] * 3, [])])
    with pytest.raises(ValueError, match="answers of two lengths"):
        twin_fit.fit_model([CalibrationSamples(longer, [])])
    with pytest.raises(ValueError, match="batch of each size"):
        twin_fit.fit_model([CalibrationSamples(enough, [(2, longer[0])])])


def test_twin_of_a_simulated_pool_errs_little_up_to_saturation() -> None:
    """Where the live pool is a simulated one, calibration and simulation agree at every load."""
    fitted = twin_fit.fit_model([calibrated()])
    for load, arrivals in all_load_arrivals(
        SETTINGS, dict.fromkeys(SETTINGS.loads, capacity_per_s(SETTINGS, TRUE))
    ).items():
        twin = twin_fit.simulate_load(arrivals, fitted, ENGINE)
        rows = figure_rows("simulated", load, [lived(arrivals)] * 2, twin)

        assert [True] * 6 == [row.held for row in rows], rows


def test_what_was_kept_goes_on_and_makes_the_table(tmp_path: Path) -> None:
    """Repeats that were kept are found again, and both engines stand in one table."""
    per_s = capacity_per_s(SETTINGS, TRUE)
    for name in ("one", "two"):
        settings = msgspec.structs.replace(SETTINGS, engine=name, requests=40)
        kept = MeasurementStore(tmp_path / name, settings)
        kept.store_calibration(1, calibrated())
        kept.store_capacity(per_s)
        for load, arrivals in all_load_arrivals(
            settings, dict.fromkeys(settings.loads, per_s)
        ).items():
            kept.store_repeat(load, 1, LoadRepeat(lived(arrivals), 0.25 if load == "half" else 0.0))
    again = MeasurementStore(
        tmp_path / "one", msgspec.structs.replace(SETTINGS, engine="one", requests=40)
    )
    machines, rows = twin_rows(tmp_path)[:2], twin_rows(tmp_path)[2:]

    assert [calibrated()] == again.calibrations()
    assert per_s == again.capacity_per_s()
    assert again.repeat("light", 1) is not None
    assert again.repeat("light", 2) is None
    assert ["one", "two"] == [machine.engine for machine in machines]
    assert [0.25, 0.25] == [machine.others_part for machine in machines]
    assert 2 * 3 * 6 == len(rows)
    assert {1} == {row.repeats for row in rows if isinstance(row, TwinRow)}


def test_other_settings_are_never_mixed_in(tmp_path: Path) -> None:
    """A folder of another measurement is refused."""
    MeasurementStore(tmp_path, SETTINGS)

    with pytest.raises(ValueError, match="other settings"):
        MeasurementStore(tmp_path, msgspec.structs.replace(SETTINGS, seed=4))


@dataclass
class Case:
    """Repeats, what was simulated, and what is allowed."""

    live: list[float]
    simulated: float
    allowed_part: float
    error_part: float


@pytest.mark.parametrize(
    "case",
    [
        Case([1.0, 1.0], 1.1, 0.10, 0.1),
        Case([0.8, 1.0, 1.2], 0.7, 0.30, 0.3),
        Case([0.99, 1.01], 1.0, 0.10, 0.0),
    ],
    ids=["ten per cent at least", "one and a half spreads", "no error"],
)
def test_error_is_held_against_the_spread(case: Case) -> None:
    """What is allowed is the larger of 10 % and 1.5 times half the range of the repeats."""
    comparison = twin_fit.compare_figure(case.live, case.simulated)

    assert case.allowed_part == pytest.approx(comparison.allowed_part)
    assert case.error_part == pytest.approx(comparison.error_part)


def test_arrivals_are_seeded_and_of_the_rate_that_was_asked() -> None:
    """The same seed gives the same load; rate and lengths are as asked."""
    many = msgspec.structs.replace(SETTINGS, requests=2_000)
    once, again, other = (load_arrivals(many, "half", 4.0, seed) for seed in (1, 1, 2))

    assert once == again != other
    assert 4.0 == pytest.approx(2_000 / once[-1].at_s, rel=0.1)
    assert set(range(8, 101)) == {arrival.input_tokens for arrival in once}
    assert (8, 48) == (
        min(arrival.output_tokens for arrival in once),
        max(arrival.output_tokens for arrival in once),
    )


def test_a_load_of_another_shape_has_lengths_and_groups_of_its_own() -> None:
    """Its requests come together in groups, at the asked rate, with the shape's lengths."""
    shape = LoadShape(words=(130, 260), answers=(32, 80), together=3)
    many = msgspec.structs.replace(SETTINGS, requests=3_000, shapes={"other": shape})
    asked = load_arrivals(many, "other", 4.0, 1)
    times = [request.at_s for request in asked]

    assert times[0::3] == times[1::3] == times[2::3]
    assert 1_000 == len(set(times))
    assert 4.0 == pytest.approx(3_000 / times[-1], rel=0.1)
    assert set(range(130, 261)) == {request.input_tokens for request in asked}
    assert set(range(32, 81)) == {request.output_tokens for request in asked}


def test_a_load_of_another_shape_is_a_part_of_its_own_capacity(tmp_path: Path) -> None:
    """Longer requests are fewer a second; what was kept before there were shapes is still read."""
    shape = LoadShape(words=(130, 260), answers=(32, 80))
    settings = msgspec.structs.replace(
        SETTINGS, loads={"half": 0.5, "other": 0.5}, shapes={"other": shape}
    )
    kept = MeasurementStore(tmp_path, settings)
    kept.store_capacity(capacity_per_s(settings, TRUE))
    kept.store_capacity(capacity_per_s(settings, TRUE, "other"), "other")
    per_s = load_capacities(kept)
    before = msgspec.json.encode(SETTINGS).replace(b',"shapes":{}', b"")

    assert per_s is not None
    assert per_s["other"] < per_s["half"] / 2
    assert SETTINGS == msgspec.json.decode(before, type=TwinSettings)


def test_a_pool_takes_what_the_twin_asks() -> None:
    """The gateway knows every field of the twin's requests, and gives the bias to the engine."""
    target = twin_load.LoadTarget("http://pool", "key", "petit", (0, 2))
    body = twin_load.request_body(target, words=5, output_tokens=9, number=1)
    ask = openai.parse_request(openai.CHAT, msgspec.json.encode(body))
    given = msgspec.json.decode(openai.encode_for_engine(ask, 9, model="petit", stream=True))

    assert {"0": -100.0, "2": -100.0} == given["logit_bias"]
    assert 9 == given["max_tokens"]
