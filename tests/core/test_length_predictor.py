"""Length predictor: means and quantiles of answer lengths, with bounded, decaying memory."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entraide_scheduler.core.estimation import (
    LengthPredictor,
    LengthPredictorState,
    length_predictor,
)
from entraide_scheduler.core.estimation.length_predictor import bucket_index, bucket_start


def predictor_of(lengths: list[float], *, coop: str = "alpha", model: str = "m") -> LengthPredictor:
    """Returns a predictor that has learned answers of these lengths."""
    predictor = LengthPredictor()
    for tokens in lengths:
        predictor.learn(coop, model, output_tokens=tokens, run_s=2.0)
    return predictor


@given(tokens=st.integers(0, length_predictor.LONGEST - 1))
def test_a_bucket_holds_its_length(tokens: int) -> None:
    """A length lies in its bucket, which is exact below 8 and at most a quarter wide above."""
    begins, ends = bucket_start(bucket_index(tokens)), bucket_start(bucket_index(tokens) + 1)

    assert begins <= tokens < ends
    assert ends - begins <= max(1, begins // 4)


def test_what_is_longest_fits_the_last_bucket() -> None:
    """Lengths beyond the longest count as the longest."""
    assert (
        length_predictor.BUCKETS - 1
        == bucket_index(length_predictor.LONGEST)
        == bucket_index(10 * length_predictor.LONGEST)
    )


def test_at_first_lengths_are_guessed() -> None:
    """Before any run the first guesses stand, and never more than was asked for."""
    predictor = LengthPredictor()

    assert 128.0 == predictor.output_tokens("alpha", "m", at_most=512)
    assert 64.0 == predictor.output_tokens("alpha", "m", at_most=64)
    assert 295.0 == predictor.output_tokens_upper("alpha", "m", 0.9, at_most=512)
    assert 64.0 == predictor.output_tokens_upper("alpha", "m", 0.9, at_most=64)
    assert 5.0 == predictor.run_s("m")


def test_a_new_coop_is_taken_for_the_average_one() -> None:
    """A co-op with few answers of its own gets the model's lengths, and later its own."""
    predictor = predictor_of([100.0] * 20, coop="alpha")
    predictor.learn("beta", "m", output_tokens=1_000.0, run_s=2.0)
    early = predictor.output_tokens("beta", "m", at_most=4_096)
    for _ in range(length_predictor.MIN_ANSWERS):
        predictor.learn("beta", "m", output_tokens=1_000.0, run_s=2.0)

    assert early < 200.0
    assert 1_000.0 == predictor.output_tokens("beta", "m", at_most=4_096)
    assert 100.0 == predictor.output_tokens("alpha", "m", at_most=4_096)
    assert 128.0 == predictor.output_tokens("beta", "other", at_most=4_096)


@pytest.mark.parametrize("confidence", [0.5, 0.75, 0.9, 0.99])
def test_quantiles_hold(confidence: float) -> None:
    """So many answers stay within the quantile as its confidence says, within three points."""
    luck = random.Random(5)
    lengths = [1.0 + luck.expovariate(1 / 200) for _ in range(2_000)]
    predictor = predictor_of(lengths[:1_000])
    upper = predictor.output_tokens_upper("alpha", "m", confidence, at_most=100_000)
    within = sum(tokens <= upper for tokens in lengths[1_000:]) / 1_000

    assert within == pytest.approx(confidence, abs=0.03)


def test_a_quantile_is_remembered_until_the_next_answer() -> None:
    """A quantile is looked up once, and again once something was learned."""
    predictor = predictor_of([10.0] * 10)
    before = predictor.output_tokens_upper("alpha", "m", 0.9, at_most=4_096)
    for _ in range(40):
        predictor.learn("alpha", "m", output_tokens=2_000.0, run_s=2.0)
    after = predictor.output_tokens_upper("alpha", "m", 0.9, at_most=4_096)

    assert before < 12.0
    assert 1_792.0 < after <= 2_047.0


def test_more_confidences_than_are_remembered_are_answered() -> None:
    """Confidences beyond those remembered get right answers too, ever larger ones."""
    predictor = predictor_of([float(tokens) for tokens in range(1, 400)])
    asked = [step / 40 for step in range(1, 40)]
    answers = [predictor.output_tokens_upper("alpha", "m", part, at_most=4_096) for part in asked]

    assert sorted(answers) == answers
    assert len(set(answers)) == len(asked)


def test_old_lengths_fade() -> None:
    """After some hundreds of answers of another length, the old ones hardly count."""
    predictor = predictor_of([4_000.0] * 300 + [20.0] * 800)

    assert predictor.output_tokens_upper("alpha", "m", 0.97, at_most=8_192) < 24.0
    assert 20.0 == pytest.approx(predictor.output_tokens("alpha", "m", at_most=8_192))


def test_what_learned_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the pair that learned longest ago is forgotten, not the one just used."""
    monkeypatch.setattr(length_predictor, "PAIRS_KEPT", 2)
    predictor = LengthPredictor()
    for coop in ("alpha", "beta", "alpha", "gamma"):
        predictor.learn(coop, "m", output_tokens=10.0, run_s=1.0)

    assert ["alpha", "gamma"] == [pair.coop for pair in predictor.dump().pairs]


def test_models_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the model that learned longest ago is forgotten, with its runs."""
    monkeypatch.setattr(length_predictor, "MODELS_KEPT", 2)
    predictor = LengthPredictor()
    for model in ("m1", "m2", "m1", "m3"):
        predictor.learn("alpha", model, output_tokens=10.0, run_s=1.0)
    kept = predictor.dump()

    assert ["m1", "m3"] == [lengths.model for lengths in kept.models]
    assert ["m1", "m3"] == [model for model, _ in kept.runs]


@pytest.mark.parametrize("tokens", [float("nan"), -1.0])
def test_what_is_no_length_teaches_nothing(tokens: float) -> None:
    """A length that cannot be is left out."""
    assert LengthPredictorState([], [], []) == predictor_of([tokens]).dump()


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(0, 1 << 20), max_size=40))
def test_written_down_and_read_they_go_on_alike(lengths: list[int]) -> None:
    """Habits restored from bytes give the same bytes after the same runs."""
    first = predictor_of([float(tokens) for tokens in lengths])
    data = msgspec.msgpack.encode(first.dump())
    second = LengthPredictor()
    second.load(msgspec.msgpack.decode(data, type=LengthPredictorState))
    for predictor in (first, second):
        predictor.learn("beta", "m", output_tokens=77.0, run_s=3.0)
        predictor.learn("alpha", "m", output_tokens=7.0, run_s=3.0)

    assert msgspec.msgpack.encode(first.dump()) == msgspec.msgpack.encode(second.dump())
