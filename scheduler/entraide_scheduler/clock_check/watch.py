"""Watch: compares the system clock with the pool's while the scheduler runs.

A jump of days changes nothing by itself: the pool's clock goes on. The watch records it as an
incident and acts on the operator's decision: it believes a clock that is ahead, and ends a
scheduler whose pool has been ahead, because a pool is set back at a start.
"""

import time
from functools import partial
from pathlib import Path

import structlog

from entraide.errors import PoolError
from entraide_scheduler.clock_check.decision import forget_decision, read_clock_file
from entraide_scheduler.driver import ClockState, LiveDriver
from entraide_scheduler.store import trusted_time
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull

INCIDENT = "clock_far"


class ClockIsSet(Exception):
    """The operator sets the pool back: the scheduler starts anew."""


class ClockWatch:
    """The watch of one scheduler; ``check`` is called once a second.

    Args:
        driver: whose clock is compared; it gets the incident.
        store: whose trusted time follows the clock.
        home: the pool's directory.
    """

    def __init__(self, driver: LiveDriver, store: Store, home: Path) -> None:
        self._driver, self._store, self._home = driver, store, home
        self._clock, self._health = driver.clock, driver.health
        self._advance_at = 0.0
        self._log = structlog.get_logger("entraide.clock")

    def check(self) -> None:
        """Looks at the clock."""
        state = self._clock.state
        if state is not ClockState.BACK and time.monotonic() >= self._advance_at:
            self._advance_at = time.monotonic() + trusted_time.EVERY_S
            self._store.write(partial(trusted_time.advance, now=self._clock()), WhenFull.DROP)
        if state is ClockState.RIGHT:
            self._health.clear(INCIDENT)
            return
        if all(incident.code != INCIDENT for incident in self._health.incidents()):
            self._health.add(INCIDENT, state.value)
            self._log.error("clock.far", offset_s=round(self._clock.offset_s), state=state.value)
        try:
            is_decided = read_clock_file(self._home).allows(state, self._clock.system_time)
        except PoolError as problem:
            self._log.warning("clock.decision_unreadable", problem=str(problem))
            return
        if is_decided and state is ClockState.AHEAD:
            self._clock.accept()
            forget_decision(self._home)
            self._log.warning("clock.accepted")
        elif is_decided:
            self._driver.end(ClockIsSet())
