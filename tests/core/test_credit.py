"""Credit: what a co-op gave adds to its weight, and fades."""

import pytest
from tests.core.builders import START, Pool, card, policy

from entraide_scheduler.core import events
from entraide_scheduler.core.accounting import Credits, decayed
from entraide_scheduler.core.accounting.credit import TABLE
from entraide_scheduler.core.policy import Credit, FairShare, Period

SMALL = FairShare(credit=Credit(full_tokens=200.0))  # 90 + 2 x 35 tokens earn four fifths
TERMS = Credit(most=0.5, half_life_s=1_000.0, full_tokens=2_000_000.0)


def test_the_table_is_what_it_says() -> None:
    """2^(-k/256), to the last few bits."""
    assert [pytest.approx(2 ** (-k / 256), rel=1e-14) for k in range(256)] == list(TABLE)


@pytest.mark.parametrize(
    ("age_s", "expected"), [(0.0, 0.25), (1_000.0, 0.125), (3_000.0, 0.03125), (1e9, 0.0)]
)
def test_a_gift_halves(age_s: float, expected: float) -> None:
    """Half of it counts after one half-life, an eighth after three, nothing in the end."""
    known = Credits()
    known.add_gift("alpha", 1_000_000, START, TERMS)

    assert expected == known.factor("alpha", START + age_s, TERMS)


def test_credit_is_bounded() -> None:
    """No gift is worth more than the most there is; nobody else gains by it."""
    known = Credits()
    known.add_gift("alpha", 10**12, START, TERMS)

    assert 0.5 == known.factor("alpha", START, TERMS)
    assert 0.0 == known.factor("beta", START, TERMS)


def test_credit_does_not_grow_with_energy() -> None:
    """A machine that wastes energy earns no more than one that saves it."""
    weights = []
    for energy_uwh in (1_000, 900_000_000):
        pool = Pool()
        pool.join(card("n1", "beta"))
        (place,) = pool.ask("j1", "alpha")
        pool.report(place, energy_decode_uwh=energy_uwh)
        weights.append(pool.core._state.counters.coops["beta"].weight)

    assert 1.0 < weights[0] == weights[1]


def test_report_beyond_its_lease_earns_no_more_than_the_lease() -> None:
    """What earns credit is what was billed, and that is bounded by the grant."""
    weights = []
    for output_tokens in (100, 9 * 10**15):
        pool = Pool()
        pool.join(card("n1", "beta"))
        (place,) = pool.ask("j1", "alpha")
        pool.report(place, output_tokens=output_tokens)
        weights.append(pool.core._state.counters.coops["beta"].weight)

    assert weights[0] == weights[1]


def test_looking_changes_nothing() -> None:
    """A question about a gift leaves it as it was."""
    known = Credits()
    known.add_gift("alpha", 1_000_000, START, TERMS)
    before = dict(known.gifts)
    known.factor("alpha", START + 2_500, TERMS)

    assert before == known.gifts
    assert decayed(8.0, 3 * 256) == 1.0


def test_giving_often_does_not_make_a_gift_last() -> None:
    """A gift ages as fast when something follows every second as when nothing does."""
    often, once = Credits(), Credits()
    for known in (often, once):
        known.add_gift("alpha", 1_000_000, START, TERMS)
    for second in range(2_500):
        often.add_gift("alpha", 0, START + second, TERMS)
    later = START + 2_600

    assert once.factor("alpha", later, TERMS) == pytest.approx(
        often.factor("alpha", later, TERMS), rel=1e-12
    )


def test_credit_only_ever_fades_by_itself() -> None:
    """From one moment to the next it never grows, and after many half-lives nothing is left."""
    known = Credits()
    known.add_gift("alpha", 1_500_000, START, TERMS)
    course = [known.factor("alpha", START + 7.0 * step, TERMS) for step in range(12_000)]

    assert course == sorted(course, reverse=True)
    assert 0.0 == course[-1]


def test_small_gifts_come_to_their_sum() -> None:
    """A thousand small gifts of one moment count as one large one."""
    known = Credits()
    for _ in range(1_000):
        known.add_gift("alpha", 1_000, START, TERMS)
    known.add_gift("beta", 1_000_000, START, TERMS)

    assert known.factor("beta", START + 500, TERMS) == known.factor("alpha", START + 500, TERMS)


def test_the_members_may_turn_credit_off() -> None:
    """With a largest credit of nothing no gift counts."""
    known = Credits()
    known.add_gift("alpha", 1_000_000, START, TERMS)

    assert 0.0 == known.factor("alpha", START, Credit(most=0.0))


def test_a_lender_gets_its_turn_more_often() -> None:
    """What a co-op's nodes did for others raises its weight in the fair queue; its own work not."""
    pool = Pool()
    pool.join(card("n1", "beta"))
    (place,) = pool.ask("j1", "alpha")
    pool.report(place, input_tokens=90, output_tokens=50, energy_decode_uwh=9 * 10**9)
    (own,) = pool.ask("j2", "beta")
    pool.report(own)
    lines = pool.core._state.counters.coops

    assert lines["beta"].weight == pytest.approx(1.0 + 0.25 * (90 + 2 * 50) / 5_000_000)
    assert lines["alpha"].weight == 1.0


def test_a_lenders_weight_fades_though_nothing_follows() -> None:
    """The weight follows the credit: each period that begins, it counts as it stands then."""
    pool = Pool(fair_share=SMALL)
    pool.join(card("n1", "beta"))
    (place,) = pool.ask("j1", "alpha")
    pool.report(place, input_tokens=90, output_tokens=35)
    line = pool.core._state.counters.coops["beta"]
    given = line.weight
    pool.now += 604_800.0
    pool.tell(events.PeriodBegan, Period.DAY, pool.now + 86_400.0)

    assert given == pytest.approx(1.0 + 0.25 * 0.8, rel=1e-4)
    assert line.weight == pytest.approx(1.0 + 0.25 * 0.4, rel=1e-2)


def test_a_policy_that_ends_credit_ends_it_at_once() -> None:
    """What was given counts no more from the moment on at which the members say so."""
    pool = Pool(fair_share=SMALL)
    pool.join(card("n1", "beta"))
    (place,) = pool.ask("j1", "alpha")
    pool.report(place)
    pool.tell(events.PolicyChanged, policy(fair_share=FairShare(credit=Credit(most=0.0))))

    assert 1.0 == pool.core._state.counters.coops["beta"].weight
