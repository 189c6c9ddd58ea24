"""The clock of events: wrong system clocks, stopped processes, sleeping machines."""

import pytest

from entraide_scheduler.driver import Clock, ClockState
from entraide_scheduler.driver.clock import BELIEVED_AFTER_S

HOUR_S, DAY_S = 3_600.0, 86_400.0


class Times:
    """A system clock and a steady one, which a test moves."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000.0, 0.0
        self.clock = Clock(wall=lambda: self.wall, steady=lambda: self.steady)
        self.clock()

    def pass_by(self, seconds: float) -> float:
        """Lets time pass on both, second by second; returns the clock's time."""
        for _ in range(int(seconds)):
            self.wall, self.steady = self.wall + 1.0, self.steady + 1.0
            now = self.clock()
        return now


def test_it_begins_with_the_system_clock_or_the_last_event() -> None:
    """A process that starts after an hour believes the system clock; events never go back."""
    assert 5_000.0 == Clock(wall=lambda: 5_000.0, steady=lambda: 0.0, last=1_400.0)()
    assert 9_000.0 == Clock(wall=lambda: 5_000.0, steady=lambda: 0.0, last=9_000.0)()


def test_a_clock_that_is_wrong_for_a_moment_changes_nothing() -> None:
    """Two hours ahead for 20 s: the clock keeps its time and its speed, then and afterwards."""
    times = Times()
    times.wall += 2 * HOUR_S
    during = times.pass_by(20)
    times.wall -= 2 * HOUR_S
    after = times.pass_by(10)

    assert (1_020.0, 1_030.0) == (during, after)


def test_a_clock_that_stays_ahead_is_believed() -> None:
    """Once the system clock has been ahead for a minute, it is the time."""
    times = Times()
    times.wall += HOUR_S
    before = times.pass_by(BELIEVED_AFTER_S)
    after = times.pass_by(1)

    assert 1_000.0 + BELIEVED_AFTER_S == before
    assert times.wall == after


def test_a_jump_of_400_days_waits_for_the_operator() -> None:
    """It is not believed however long it lasts; accepted, it is the time at once."""
    times = Times()
    times.wall += 400 * DAY_S
    before = times.pass_by(2 * BELIEVED_AFTER_S)
    state, offset_s = times.clock.state, times.clock.offset_s
    times.clock.accept()
    after = times.pass_by(1)

    assert (1_120.0, ClockState.AHEAD, 400 * DAY_S) == (before, state, offset_s)
    assert times.wall == after


def test_400_days_for_two_minutes_change_nothing() -> None:
    """Set right again, the clock has gone on as if nothing had happened."""
    times = Times()
    times.wall += 400 * DAY_S
    times.pass_by(120)
    times.wall -= 400 * DAY_S

    assert (1_180.0, ClockState.RIGHT) == (times.pass_by(60), times.clock.state)


def test_a_clock_that_is_hours_back_does_not_slow_the_pool() -> None:
    """It would take days until both agree: the clock keeps its speed, and says how far it is."""
    times = Times()
    times.wall -= 5 * HOUR_S

    assert 1_100.0 == times.pass_by(100)
    assert (ClockState.BACK, -5 * HOUR_S) == (times.clock.state, times.clock.offset_s)


def test_a_small_step_is_followed_at_once() -> None:
    """What a time service corrects needs no proof."""
    times = Times()
    times.wall += 3.0

    assert 1_004.0 == times.pass_by(1)


def test_it_never_goes_back_and_comes_home() -> None:
    """Set back by ten seconds, it goes on a tenth slower until the two meet."""
    times = Times()
    times.wall -= 10.0
    slow = times.pass_by(50)
    home = times.pass_by(51)

    assert slow == pytest.approx(1_045.0)
    assert times.wall == home


def test_a_stopped_process_catches_up() -> None:
    """After a stop of a minute the clock is set back, and meets the system clock in six minutes."""
    times = Times()
    times.wall, times.steady = times.wall + 60.0, times.steady + 60.0
    times.clock.set_back(60.0)
    first = times.pass_by(1)
    close = times.pass_by(59)
    later = times.pass_by(300)

    assert (1_001.5, 1_090.0) == (first, close)
    assert times.wall == pytest.approx(later)


def test_a_process_that_was_held_up_for_a_moment_keeps_its_timeouts() -> None:
    """After some seconds it catches up a tenth faster: two seconds are nearly two seconds."""
    times = Times()
    times.wall, times.steady = times.wall + 3.0, times.steady + 3.0
    times.clock.set_back(3.0)
    before = times.clock()

    assert before + 2.2 == pytest.approx(times.pass_by(2))
