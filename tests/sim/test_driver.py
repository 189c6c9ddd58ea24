"""The driver: order of entries, deadlines and end of a run."""

from math import inf
from typing import Any

import pytest

from entraide_scheduler.core.events import NodesSeen, Woke
from entraide_sim.driver import Driver


class Sleeper:
    """A core that asks for wake-ups at given moments and records its events."""

    def __init__(self, *deadlines: float) -> None:
        self.deadlines = list(deadlines)
        self.told: list[Any] = []

    def handle(self, event: Any) -> list[Any]:
        self.told.append(event)
        self.deadlines = [at for at in self.deadlines if at > event.at]
        return []

    def next_deadline(self) -> float | None:
        return min(self.deadlines, default=None)


def test_same_moment_keeps_the_order() -> None:
    """What is scheduled for one moment happens in the order in which it was scheduled."""
    driver, order = Driver(Sleeper(), start_at=0.0), []
    for moment, name in ((5.0, "a"), (3.0, "b"), (5.0, "c"), (3.0, "d"), (1.0, "e")):
        driver.schedule(moment, order.append, name)
    driver.run()

    assert ["e", "b", "d", "a", "c"] == order
    assert 5.0 == driver.now


def test_a_deadline_comes_before_what_is_later() -> None:
    """The core is woken at its deadline; what is due at the same moment comes first."""
    core = Sleeper(2.0, 4.0, 6.0)
    driver = Driver(core, start_at=0.0)
    driver.schedule(4.0, lambda _: driver.deliver(NodesSeen, ()))
    driver.run()

    assert [(2.0, Woke), (4.0, NodesSeen), (6.0, Woke)] == [(e.at, type(e)) for e in core.told]
    assert [1, 2, 3] == [event.id for event in core.told]


def test_the_past_counts_as_now() -> None:
    """Time never goes back for something scheduled too late."""
    driver, order = Driver(Sleeper(), start_at=10.0), []
    driver.schedule(12.0, lambda _: driver.schedule(3.0, lambda _: order.append(driver.now)))
    driver.run()

    assert [12.0] == order


def test_an_end_leaves_the_rest_undone() -> None:
    """``until`` includes entries due at it; ``stop`` ends after the current entry."""
    driver, order = Driver(Sleeper(9.0), start_at=0.0), []
    for moment in (1.0, 2.0, 3.0):
        driver.schedule(moment, order.append, moment)
    driver.run(until=2.0)
    assert [1.0, 2.0] == order
    driver.run(until=2.5)
    assert 2.5 == driver.now
    driver.schedule(2.7, lambda _: driver.stop())
    driver.run()

    assert [1.0, 2.0] == order
    assert 2.7 == driver.now


def test_a_core_that_never_rests_is_stopped() -> None:
    """A core that asks endlessly for wake-ups at one moment fails an assertion."""

    class Broken(Sleeper):
        def next_deadline(self) -> float:
            return 1.0

    driver = Driver(Broken(), start_at=0.0)
    driver.schedule(inf, lambda _: None)

    with pytest.raises(AssertionError, match="without end"):
        driver.run()
