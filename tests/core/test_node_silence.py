"""Node silence: short limits for nodes with runs, closed connections, false alarms."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.builders import START, Pool, card, kinds, of, place_in, policy

from entraide.types import JobState
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.node_silence import ALARM_KEPT_S
from entraide_scheduler.core.policy.policy import Limits, Timing

RUNNING = "j1"


def busy_pool() -> tuple[Pool, commands.Place]:
    """A pool whose node n1 has a run, and n2 none."""
    pool = Pool("alpha", "beta")
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="b1")
    place = place_in(pool.ask(RUNNING))
    pool.accept(place)
    pool.join(card("n2"))
    return pool, place


def beat(pool: Pool, place: commands.Place, tokens: int = 1) -> list[commands.Command]:
    return pool.tell(events.NodeBeat, place.node, ((place.job, place.epoch, tokens),))


def turns_during(pool: Pool, seconds: float, step_s: float = 0.25) -> list[tuple[float, str]]:
    """The turns of n1 while n2 alone is heard, each with the seconds until then.

    "freed" means that n1 has lost its runs.
    """
    start, turned = pool.now, []
    node = pool.core._state.fleet.nodes["n1"]
    while pool.now < start + seconds:
        pool.now += step_s
        held = node.leases
        asked = pool.tell(events.NodesSeen, ("n2",))
        if held and not node.leases:
            turned.append((pool.now - start, "freed"))
        turned += [
            (pool.now - start, turn.state.value)
            for turn in of(asked, commands.NodeTurned)
            if turn.node == "n1"
        ]
    return turned


def test_a_busy_node_loses_its_runs_soon() -> None:
    """A node whose last heartbeat listed a run is suspect after 1 s, loses the run after 1.75 s,
    and is lost as late as any other node."""
    pool, place = busy_pool()
    beat(pool, place)

    assert turns_during(pool, 12.0) == [(1.0, "suspect"), (1.75, "freed"), (10.0, "lost")]


def test_a_lost_run_is_placed_elsewhere() -> None:
    """Its job runs on the other node, with a higher epoch."""
    pool, place = busy_pool()
    beat(pool, place)
    turns_during(pool, 1.75)
    again = pool.places()[-1]

    assert (again.job, again.node) == (RUNNING, "n2")
    assert again.epoch == place.epoch + 1


def test_a_heartbeat_that_lists_runs_renews_and_charges_them(pool: Pool) -> None:
    """It accepts the offer, counts the output tokens and extends the lease."""
    pool.join(card("n1"))
    place = place_in(pool.ask(RUNNING))
    beat(pool, place, 7)
    view = pool.core.job(RUNNING)

    assert view is not None
    assert (view.state, view.output_tokens) == (JobState.ACTIVE, 7)
    for _ in range(40):
        pool.now += 0.5
        beat(pool, place, 8)
    assert pool.core.holds_run("n1", RUNNING, place.epoch)


def test_a_node_whose_runs_have_ended_has_the_long_limits() -> None:
    """A heartbeat without runs is a promise of the next one after a second, not half a second."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.report(place)
    pool.tell(events.NodeBeat, "n1", ())

    assert turns_during(pool, 12.0) == [(4.0, "suspect"), (10.0, "lost")]


def test_the_short_limits_end_with_the_last_lease() -> None:
    """A busy node whose report came before it fell silent loses no run: nothing is urgent."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.report(place)

    assert turns_during(pool, 12.0) == [(4.0, "suspect"), (10.0, "lost")]


def test_a_node_of_an_older_version_has_the_long_limits() -> None:
    """A node that reports each run's progress by itself promises a heartbeat a second."""
    pool, place = busy_pool()
    pool.progress(place, 1)

    assert turns_during(pool, 5.0) == [(4.0, "suspect")]


def test_a_hello_keeps_what_the_last_heartbeat_promised() -> None:
    """An agent that says hello again, as its card has changed, has the same runs."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="b1")

    assert turns_during(pool, 2.0) == [(1.0, "suspect"), (1.75, "freed")]


def test_a_restart_ends_what_the_last_heartbeat_promised() -> None:
    """A new agent has listed no run yet: the long limits apply."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.tell(events.NodeJoined, card("n1"), True, "", boot="b2", held=((place.job, place.epoch),))

    assert turns_during(pool, 5.0) == [(4.0, "suspect")]


def test_the_seconds_summary_is_no_sign_of_life_of_a_busy_node() -> None:
    """``NodesSeen`` tells of beats up to a second old; a busy node's beats are events."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.now += 0.75
    pool.tell(events.NodesSeen, ("n1", "n2"))

    assert turns_during(pool, 1.0) == [(0.25, "suspect"), (1.0, "freed")]


def test_a_closed_connection_makes_a_node_suspect_at_once() -> None:
    """It gets no new work, and loses its runs unless it is heard within 0.75 s."""
    pool, place = busy_pool()
    beat(pool, place)
    closed = pool.tell(events.NodeDisconnected, "n1")

    assert kinds(closed) == ["NodeTurned"]
    assert turns_during(pool, 2.0) == [(0.75, "freed")]


def test_a_node_that_reconnects_in_time_keeps_its_runs() -> None:
    """Heard within the grace, it is live, and its run goes on."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.tell(events.NodeDisconnected, "n1")
    pool.now += 0.5
    beat(pool, place)

    assert turns_during(pool, 0.75) == []
    assert pool.core.holds_run("n1", RUNNING, place.epoch)


def test_a_closed_connection_of_an_idle_node_is_not_urgent(pool: Pool) -> None:
    """An idle node is suspect at once, and lost after the long limit."""
    pool.join(card("n1"))
    pool.join(card("n2"))
    closed = pool.tell(events.NodeDisconnected, "n1")

    assert kinds(closed) == ["NodeTurned"]
    assert turns_during(pool, 12.0) == [(10.0, "lost")]


def test_an_outage_of_the_bus_is_no_nodes_silence() -> None:
    """While the scheduler hears nobody, the long limits apply, from the last heartbeat."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.now += 0.5
    pool.tell(events.BusLost)

    assert turns_during(pool, 12.0) == [(3.5, "suspect"), (9.5, "freed"), (9.5, "lost")]


def test_a_return_soon_after_the_loss_is_a_false_alarm() -> None:
    """It is counted once, the old run is stopped, and the new one goes on elsewhere."""
    pool, place = busy_pool()
    beat(pool, place)
    turns_during(pool, 3.0)
    heard = beat(pool, place)
    later = beat(pool, place)

    assert kinds(heard) == ["FalseAlarm", "NodeTurned", "Dropped", "CancelRun"]
    assert "FalseAlarm" not in kinds(later)
    assert pool.core.holds_run("n2", RUNNING, place.epoch + 1)


def test_a_false_alarm_of_the_only_machine_repeats_the_run() -> None:
    """The job waits for the suspect machine, and runs again when it is heard."""
    pool, place = busy_pool()
    pool.tell(events.NodeLeft, "n2", "goodbye")
    beat(pool, place)
    turns_during(pool, 3.0)
    again = place_in(beat(pool, place))

    assert (again.node, again.epoch) == ("n1", place.epoch + 1)


def lose_and_return(pool: Pool, place: commands.Place) -> commands.Place:
    """Lets n1, the only machine, fall silent until it loses its run; returns the next run on it."""
    beat(pool, place)
    while pool.core.holds_run("n1", place.job, place.epoch):
        pool.now += 0.25
        pool.tell(events.Woke)
    again = place_in(pool.tell(events.NodeBeat, "n1", ()))
    pool.accept(again)
    return again


def alarms(pool: Pool, place: commands.Place, times: int) -> commands.Place:
    """The last run on n1 after so many false alarms."""
    pool.tell(events.NodeLeft, "n2", "goodbye")
    for _ in range(times):
        place = lose_and_return(pool, place)
    beat(pool, place)
    return place


def shown_alarms(pool: Pool) -> int:
    """The false alarms of n1 that people see."""
    return next(view.false_alarms for view in pool.core.nodes() if view.card.node == "n1")


@pytest.mark.parametrize(("times", "suspect_s", "lost_s"), [(1, 2.0, 3.5), (2, 4.0, 7.0)])
def test_each_false_alarm_doubles_the_limits_up_to_the_long_ones(
    times: int, suspect_s: float, lost_s: float
) -> None:
    """A node on a slow link is lost less and less easily, and never later than an idle one."""
    pool, place = busy_pool()
    alarms(pool, place, times)

    expected = [(suspect_s, "suspect"), (lost_s, "freed"), (10.0, "lost")]
    assert turns_during(pool, 12.0) == expected


def test_a_false_alarm_is_forgotten_after_an_hour() -> None:
    """The short limits apply again, and people see it no more."""
    pool, place = busy_pool()
    place = alarms(pool, place, 2)
    recent = shown_alarms(pool)
    end = pool.now + ALARM_KEPT_S
    while pool.now < end:
        pool.now += 0.5
        beat(pool, place)

    assert [2, 0] == [recent, shown_alarms(pool)]
    assert turns_during(pool, 3.0) == [(1.0, "suspect"), (1.75, "freed")]


def test_a_restarted_agent_was_no_false_alarm() -> None:
    """Its runs were lost indeed: the hello names another boot."""
    pool, place = busy_pool()
    beat(pool, place)
    turns_during(pool, 3.0)
    hello = pool.tell(events.NodeJoined, card("n1"), True, "", boot="b2")

    assert of(hello, commands.FalseAlarm) == []


def test_a_late_return_was_no_false_alarm() -> None:
    """A laptop that slept for a minute was away."""
    pool, place = busy_pool()
    beat(pool, place)
    turns_during(pool, 60.0)

    assert of(beat(pool, place), commands.FalseAlarm) == []


def test_unknown_runs_of_a_heartbeat_are_stopped_a_few_at_a_time(pool: Pool) -> None:
    """A node that lists a thousand invented runs causes sixteen messages."""
    pool.join(card("n1"))
    asked = pool.tell(events.NodeBeat, "n1", tuple((f"x{n}", 1, 0) for n in range(1_000)))

    assert 16 == len(of(asked, commands.CancelRun)) == len(of(asked, commands.Dropped))


def test_a_snapshot_keeps_what_is_known_of_silence() -> None:
    """A restored core loses a busy node at the same moment."""
    pool, place = busy_pool()
    beat(pool, place)
    pool.core = Core.restore(pool.core.snapshot())

    assert turns_during(pool, 3.0) == [(1.0, "suspect"), (1.75, "freed")]


def test_the_long_limits_are_never_exceeded() -> None:
    """A policy with short long limits has them for busy nodes too."""
    pool, place = busy_pool()
    terms = Timing(suspect_after_s=0.5, lost_after_s=1.0)
    pool.tell(events.PolicyChanged, policy("alpha", "beta", timing=terms))
    beat(pool, place)

    assert turns_during(pool, 2.0) == [(0.5, "suspect"), (1.0, "freed"), (1.0, "lost")]


@given(gaps=st.lists(st.floats(0.01, 6.0), min_size=1, max_size=20))
def test_a_busy_node_loses_its_runs_exactly_when_a_gap_reaches_its_limit(gaps: list[float]) -> None:
    """The limit is 1.75 s, doubled by each false alarm of the hour, at most 10 s."""
    pool, place = busy_pool()
    pool.tell(events.PolicyChanged, policy("alpha", "beta", limits=Limits(attempts=100)))
    pool.tell(events.NodeLeft, "n2", "goodbye")
    beat(pool, place)
    limit_s, expected, alarmed = 1.75, [], []
    for gap_s, at_s in zip(gaps, accumulate(gaps), strict=True):
        pool.now = START + at_s
        asked = beat(pool, place)
        is_late = pool.now >= pool.now - gap_s + limit_s
        limit_s = min(10.0, 2.0 * limit_s) if is_late else limit_s
        expected.append(is_late)
        alarmed.append(bool(of(asked, commands.FalseAlarm)))
        if alarmed[-1]:
            place = place_in(asked)
            beat(pool, place)

    assert expected == alarmed
