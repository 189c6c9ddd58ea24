"""A job that stops waiting, by whatever event, leaves the fair queue and the deferred work."""

from collections.abc import Callable

import pytest
from tests.core import invariants
from tests.core.builders import Pool, card
from tests.core.test_carbon_shifting import HOUR_S, ontario

from entraide.types import JobClass
from entraide_scheduler.core import events
from entraide_scheduler.core.records import SenderKind


def deferred() -> Pool:
    """A pool in which a live job waits for a greener hour."""
    pool = ontario(90.0, 10.0, 10.0, 10.0)
    pool.join(card("n1", zone="CA-ON"))
    pool.ask("j1", job_class=JobClass.BATCH, deadline_at=pool.now + 6.0 * HOUR_S)
    return pool


def let_deadline_pass(pool: Pool) -> None:
    pool.tell(events.NodeChanged, "n1", False, "paused", None)
    pool.now += 7.0 * HOUR_S
    pool.tell(events.Woke)


def make_grid_green(pool: Pool) -> None:
    pool.tell(events.IntensityChanged, "CA-ON", 1.0, 1.0, "measured", pool.now + HOUR_S)


WAYS: dict[str, Callable[[Pool], object]] = {
    "its client cancels it": lambda pool: pool.tell(events.JobCancelled, "j1", "client_gone"),
    "its deadline passes": let_deadline_pass,
    "its gateway is lost": lambda pool: pool.tell(events.GatewayLost, "gw"),
    "its key is in quarantine": lambda pool: pool.tell(
        events.SenderQuarantined, SenderKind.KEY, "key-alpha", "engines_ended"
    ),
    "no node serves its model": lambda pool: pool.tell(events.NodeLeft, "n1", "goodbye"),
    "it is placed": make_grid_green,
}


@pytest.mark.parametrize("leave", WAYS.values(), ids=list(WAYS))
def test_nothing_of_a_job_that_stops_waiting_is_left(leave: Callable[[Pool], object]) -> None:
    """Neither the queue nor the deferred work holds the job."""
    pool = deferred()
    state = pool.core._state
    waited = (
        [job.facts.job for job in state.queue.jobs()],
        state.shift_planner.backlog.jobs("alpha"),
    )
    leave(pool)

    assert (["j1"], 1) == waited
    assert ([], 0) == (state.queue.jobs(), state.shift_planner.backlog.jobs("alpha"))
    invariants.check(pool)
