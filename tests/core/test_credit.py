"""Credit: what a co-op gave adds to its weight, and fades."""

import pytest
from tests.core.builders import START, Pool, card

from entraide_scheduler.core.credit import TABLE, Credits, faded
from entraide_scheduler.core.policy import Credit

TERMS = Credit(most=0.5, half_life_s=1_000.0, full_wh=2.0)


def test_the_table_is_what_it_says() -> None:
    """2^(-k/256), to the last few bits."""
    assert [pytest.approx(2 ** (-k / 256), rel=1e-14) for k in range(256)] == list(TABLE)


@pytest.mark.parametrize(
    ("age_s", "expected"), [(0.0, 0.25), (1_000.0, 0.125), (3_000.0, 0.03125), (1e9, 0.0)]
)
def test_a_gift_halves(age_s: float, expected: float) -> None:
    """Half of it counts after one half-life, an eighth after three, nothing in the end."""
    known = Credits()
    known.give("alpha", 1_000_000, START, TERMS)

    assert expected == known.factor("alpha", START + age_s, TERMS)


def test_credit_is_bounded() -> None:
    """No gift is worth more than the most there is; nobody else gains by it."""
    known = Credits()
    known.give("alpha", 10**12, START, TERMS)

    assert 0.5 == known.factor("alpha", START, TERMS)
    assert 0.0 == known.factor("beta", START, TERMS)


def test_looking_often_changes_nothing() -> None:
    """A gift that is looked at every second fades as one that is looked at once."""
    often, once = Credits(), Credits()
    for known in (often, once):
        known.give("alpha", 1_000_000, START, TERMS)
    for second in range(2_500):
        often.factor("alpha", START + second, TERMS)

    assert often.factor("alpha", START + 2_500, TERMS) == pytest.approx(
        once.factor("alpha", START + 2_500, TERMS), rel=1e-12
    )
    assert faded(8.0, 3 * 256) == 1.0


def test_a_lender_gets_its_turn_more_often() -> None:
    """What a co-op's nodes did for others raises its weight in the fair queue; its own work not."""
    pool = Pool()
    pool.join(card("n1", "beta"))
    (place,) = pool.ask("j1", "alpha")
    pool.report(place, energy_decode_uwh=5_000_000)
    (own,) = pool.ask("j2", "beta")
    pool.report(own, energy_decode_uwh=5_000_000)
    lines = pool.core._state.queue.shares.pool.inner

    assert lines["beta"].weight == pytest.approx(1.0 + 0.25 * 5.002 / 1_000.0)
    assert lines["alpha"].weight == 1.0
