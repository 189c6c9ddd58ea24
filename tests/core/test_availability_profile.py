"""Availability profile: the hours of the week in which a node usually takes work."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from entraide_scheduler.core.estimation import FULL, WEEK_HOURS, AvailabilityProfile

HOUR_S = 3_600.0
MONDAY = 1_700_438_400.0  # midnight, UTC
FIRST = int(MONDAY // HOUR_S)


def after_weeks(weeks: int, *, away: range = range(9, 17), days: int = 5) -> AvailabilityProfile:
    """The profile of a node whose owner needs it in some hours of the first days of each week."""
    profile = AvailabilityProfile()
    profile.set_available(True, MONDAY)
    for hour in range(weeks * WEEK_HOURS):
        is_away = hour % 24 in away and hour // 24 % 7 < days
        profile.set_available(not is_away, MONDAY + hour * HOUR_S)
    profile.count_hours(MONDAY + weeks * WEEK_HOURS * HOUR_S)
    return profile


def usual(profile: AvailabilityProfile, day: int, hour: int) -> float:
    return profile.parts[(FIRST + day * 24 + hour) % WEEK_HOURS] / FULL


def test_an_owners_week_is_learned() -> None:
    """After three weeks the owner's hours count for nothing, nights in full, and Sunday nearly."""
    profile = after_weeks(3)

    assert [0.0, 1.0, 1.0, 1.0] == [
        round(usual(profile, day, hour), 1) for day, hour in ((0, 10), (0, 8), (0, 17), (6, 10))
    ]


def test_a_day_tells_of_the_next_one() -> None:
    """After one day the same hours of the next day are expected to be the owner's."""
    profile = AvailabilityProfile()
    profile.set_available(True, MONDAY)
    profile.set_available(False, MONDAY + 9 * HOUR_S)
    profile.set_available(True, MONDAY + 17 * HOUR_S)
    profile.count_hours(MONDAY + 24 * HOUR_S)

    assert usual(profile, 1, 10) < 0.3
    assert usual(profile, 1, 3) == 1.0


def test_a_part_of_an_hour_counts_as_a_part() -> None:
    """A node that takes work in half of an hour has about half of it left."""
    profile = AvailabilityProfile()
    profile.set_available(True, MONDAY)
    profile.set_available(False, MONDAY + 900.0)
    profile.set_available(True, MONDAY + 2_700.0)
    profile.count_hours(MONDAY + HOUR_S)

    assert 0.5 < usual(profile, 0, 0) < 0.7


def test_doubt_shrinks_with_the_days() -> None:
    """A node that was never away is doubted at first, and no longer after four weeks."""
    doubts = [after_weeks(weeks, days=0).doubt for weeks in (0, 1, 4)]

    assert sorted(doubts, reverse=True) == doubts
    assert doubts[0] > 10
    assert doubts[-1] == 0


@given(turns=st.lists(st.floats(0.0, 40.0 * HOUR_S), min_size=1, max_size=12), data=st.data())
def test_counting_often_is_as_counting_once(turns: list[float], data: st.DataObject) -> None:
    """Whoever counts the hours in between changes nothing, and neither does a snapshot."""
    often, once = AvailabilityProfile(), AvailabilityProfile()
    moments = sorted(MONDAY + turn for turn in turns)
    for number, (at, following) in enumerate(pairwise([*moments, moments[-1] + 30 * HOUR_S])):
        for profile in (often, once):
            profile.set_available(number % 2 == 0, at)
        often.count_hours(at + data.draw(st.floats(0.0, following - at)))
        often = msgspec.msgpack.decode(msgspec.msgpack.encode(often), type=AvailabilityProfile)
    end = moments[-1] + 30 * HOUR_S
    often.count_hours(end)
    once.count_hours(end)

    assert once == often


def test_years_of_silence_cost_no_more_than_weeks() -> None:
    """A node that comes back after a hundred years is counted as away for the last eight weeks."""
    profile = after_weeks(1, days=0)
    profile.set_available(False, profile.since)
    profile.count_hours(MONDAY + 876_000 * HOUR_S)

    assert 9 * WEEK_HOURS + 1 >= profile.hours
    assert usual(profile, 0, 0) < 0.2
