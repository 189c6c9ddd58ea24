"""Step times: how long an engine may be silent, by what its steps took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entraide_node.core.step_times import BUCKET_S, HANG_KEPT_S, SILENCE_MIN_S, StepTimes


def limit_s(times: StepTimes, *, steps: int = 1, reads: bool = True, at: float = 0.0) -> float:
    limit = times.silence_max_s(steps=steps, reads=reads, at=at)
    assert limit is not None
    return limit


def test_nothing_is_believed_or_not_before_a_measurement() -> None:
    """Without a benchmark there is no limit, whatever was seen."""
    times = StepTimes()
    times.add(5.0, steps=1, reads=True, at=0.0)

    assert times.silence_max_s(steps=1, reads=True, at=1.0) is None


@pytest.mark.parametrize(
    ("tokens_per_s", "full_batch_s", "expected_s"),
    [(256.0, 0.1, 6.0), (10_000.0, 2.0, 6.0), (10_000.0, 0.01, SILENCE_MIN_S), (0.0, 4.0, 12.0)],
    ids=["slow prompts", "slow tokens", "fast", "no prompts"],
)
def test_the_benchmark_gives_the_first_limit(
    tokens_per_s: float, full_batch_s: float, expected_s: float
) -> None:
    """Three times 512 prompt tokens, or a token of each sequence; never less than the floor."""
    times = StepTimes()
    times.expect(tokens_per_s, full_batch_s)

    assert limit_s(times) == expected_s


def test_tokens_come_faster_than_prompts_are_read() -> None:
    """While no prompt is read, only the steps that write tokens count."""
    times = StepTimes()
    times.expect(32.0, 2.0)
    times.add(20.0, steps=1, reads=True, at=0.0)
    times.add(2.5, steps=1, reads=False, at=0.0)

    assert [limit_s(times), limit_s(times, reads=False)] == [60.0, 7.5]


def test_a_slower_step_raises_the_limit_for_a_while() -> None:
    """It counts for half an hour at least, and an hour at most."""
    times = StepTimes()
    times.expect(1_000.0, 0.1)
    times.add(4.0, steps=1, reads=True, at=0.0)
    times.add(0.1, steps=1, reads=True, at=BUCKET_S)
    before = limit_s(times, at=BUCKET_S)
    times.add(0.1, steps=1, reads=True, at=2.0 * BUCKET_S)

    assert before == 12.0
    assert limit_s(times, at=2.0 * BUCKET_S) == SILENCE_MIN_S


def test_a_long_pause_forgets_both_half_hours() -> None:
    """What was slow in the morning says nothing in the evening."""
    times = StepTimes()
    times.expect(1_000.0, 0.1)
    times.add(4.0, steps=1, reads=True, at=0.0)
    times.add(0.1, steps=1, reads=True, at=20.0 * BUCKET_S)

    assert limit_s(times, at=20.0 * BUCKET_S) == SILENCE_MIN_S


def test_each_hang_after_the_second_doubles_the_limit_for_an_hour() -> None:
    """An engine that is killed for slowness again and again is given more time."""
    times = StepTimes()
    times.expect(1_000.0, 0.1)
    limits = [limit_s(times)]
    for at in (1.0, 2.0, 3.0, 4.0):
        times.add_hang(at)
        limits.append(limit_s(times, at=at))

    assert limits == [SILENCE_MIN_S * times for times in (1.0, 1.0, 1.0, 2.0, 4.0)]
    assert limit_s(times, at=4.0 + HANG_KEPT_S) == SILENCE_MIN_S


@given(
    silences=st.lists(
        st.tuples(st.floats(0.0, 1e4), st.integers(0, 1_000), st.floats(0.0, 4e3)), max_size=30
    ),
    steps=st.integers(0, 1_000),
    reads=st.booleans(),
)
def test_a_silence_that_was_seen_is_believed(
    silences: list[tuple[float, int, float]], steps: int, *, reads: bool
) -> None:
    """The limit is never below the floor, nor below three of the last slowest steps."""
    times, at = StepTimes(), 0.0
    times.expect(1_000.0, 0.1)
    for silence_s, count, gap_s in silences:
        at += gap_s
        times.add(silence_s, steps=count, reads=reads, at=at)
        seen_s = 3.0 * min(600.0, silence_s / max(1, count))

        assert limit_s(times, steps=steps, reads=reads, at=at) >= max(SILENCE_MIN_S, seen_s)
