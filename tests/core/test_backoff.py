"""Back-off: a replica whose runs fail pauses, longer each time; other replicas do the work."""

import pytest
from tests.core import invariants
from tests.core.builders import Pool, card, of, placed, replica

from entraide.types import JobState, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.leases.backoff import BACKOFF_FIRST_S, BACKOFF_MAX_S
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy.policy import Limits

HEARD = ("qc-1", "on-1", "ab-1")


def fail(
    pool: Pool, place: commands.Place, code: str = "engine_failed", **changes
) -> list[commands.Place]:
    pool.accept(place)
    return of(pool.report(place, Outcome.FAILED, code=code, **changes), commands.Place)


def finish(pool: Pool, places: list[commands.Place]) -> None:
    for place in places:
        pool.report(place)


def rule_of(place: commands.Place, node: str) -> tuple[str, dict]:
    """Why a node was not taken, with the values."""
    (exclusion,) = [other for other in place.explanation.excluded if other.node == node]
    return exclusion.rule, exclusion.values


def rest_s(pool: Pool, node: str) -> float:
    """Returns the rest of a replica's pause, seconds."""
    view = next(view for view in pool.core.nodes() if view.card.node == node)
    return max((view.until - pool.now for view in view.resting), default=0.0)


def fail_probe(pool: Pool, number: int) -> None:
    """The rest of qc-1 ends, its probe fails too, and another node completes the job."""
    pool.now += rest_s(pool, "qc-1")
    pool.tell(events.NodesSeen, HEARD)
    probe = placed(pool, f"probe-{number}")
    assert "qc-1" == probe.node
    finish(pool, fail(pool, probe))


def test_a_replica_whose_run_failed_rests(three: Pool) -> None:
    """Other replicas get the work; each explanation says why, and until when."""
    finish(three, fail(three, placed(three, "j1")))
    three.now += 1.0
    meanwhile = placed(three, "j2")

    assert "on-1" == meanwhile.node
    assert rule_of(meanwhile, "qc-1") == (
        "resting",
        {"failure": "engine_failed", "failures": 1, "again_at": three.now + 4.0},
    )
    assert 4.0 == rest_s(three, "qc-1")


def test_after_the_rest_it_gets_one_run(three: Pool) -> None:
    """The replica gets one run as a probe; after it completes, all slots are used again."""
    finish(three, fail(three, placed(three, "j1")))
    three.wait(BACKOFF_FIRST_S, seen=HEARD)
    probe, beside = placed(three, "j2"), placed(three, "j3")
    three.report(probe)
    after = [placed(three, f"j{number}").node for number in (4, 5)]

    assert ("qc-1", "on-1") == (probe.node, beside.node)
    assert rule_of(beside, "qc-1") == ("probing", {"failure": "engine_failed", "failures": 1})
    assert ["qc-1", "qc-1"] == after


def test_a_probe_that_answers_opens_the_replica(three: Pool) -> None:
    """From the probe's first token on all slots are used; a later failure rests longer."""
    finish(three, fail(three, placed(three, "j1")))
    three.wait(BACKOFF_FIRST_S, seen=HEARD)
    probe = placed(three, "j2")
    three.accept(probe)
    beside = placed(three, "j3")
    three.tell(events.RunProgressed, probe.job, probe.epoch, probe.node, 1)
    opened = placed(three, "j4")
    finish(three, fail(three, opened))

    assert ("qc-1", "on-1", "qc-1") == (probe.node, beside.node, opened.node)
    assert 2 * BACKOFF_FIRST_S == rest_s(three, "qc-1")


def test_rests_double_up_to_the_longest(three: Pool) -> None:
    """Each failed probe doubles the rest; it never grows beyond ten minutes."""
    finish(three, fail(three, placed(three, "j1")))
    rests = [rest_s(three, "qc-1")]
    for number in range(9):
        fail_probe(three, number)
        rests.append(rest_s(three, "qc-1"))

    assert rests[:8] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0]
    assert {BACKOFF_MAX_S} == set(rests[7:])


def test_where_most_fail_nobody_rests_for_long(three: Pool) -> None:
    """Machines of which none answers are tried again within seconds: long rests would leave jobs
    without a machine once they do."""
    rests = []
    for number in range(20):
        three.ask(f"j{number}")
        for _ in HEARD:
            three.wait(5.0, seen=HEARD)  # no machine answers the offer
            rests.append(max(rest_s(three, node) for node in HEARD))
        three.tell(events.JobCancelled, f"j{number}", "client_gone")

    assert BACKOFF_FIRST_S <= max(rests[3:]) <= 2 * BACKOFF_FIRST_S


def test_runs_that_fail_together_count_once(three: Pool) -> None:
    """Four runs lost with one engine are one failure: the first rest is not the fourth's."""
    together = [placed(three, f"j{number}") for number in range(4)]
    again = [place for view in together for place in fail(three, view)]
    finish(three, again)

    assert {"qc-1"} == {place.node for place in together}
    assert BACKOFF_FIRST_S == rest_s(three, "qc-1")


def test_success_makes_up_for_failures_by_half(three: Pool) -> None:
    """A completed run halves the failure count; the next pause is shorter, not the shortest."""
    finish(three, fail(three, placed(three, "j1")))
    for number in range(3):
        fail_probe(three, number)
    three.now += rest_s(three, "qc-1")
    three.tell(events.NodesSeen, HEARD)
    three.report(placed(three, "well"))
    finish(three, fail(three, placed(three, "bad")))

    assert 20.0 == rest_s(three, "qc-1")


@pytest.mark.parametrize("code", ["owner_terms", "draining", "own_only"])
def test_an_owner_who_comes_back_is_no_failure(three: Pool, code: str) -> None:
    """A run that its owner ends does not count as the replica's failure."""
    finish(three, fail(three, placed(three, "j1"), code))

    assert 0.0 == rest_s(three, "qc-1")


def test_a_request_that_the_engine_refuses_is_no_failure(three: Pool) -> None:
    """A run that ends because of its request does not count as the replica's failure."""
    fail(three, placed(three, "j1"), "context_length_exceeded")

    assert 0.0 == rest_s(three, "qc-1")


def test_silence_rests_longer_each_time(three: Pool) -> None:
    """A live node that does not answer offers backs off like one whose runs fail."""
    rests = []
    for number in range(3):
        assert "qc-1" == placed(three, f"j{number}").node
        finish(three, of(three.wait(5.0, seen=HEARD), commands.Place))
        rests.append(rest_s(three, "qc-1"))
        three.wait(rests[-1], seen=HEARD)

    assert [5.0, 10.0, 20.0] == rests


class TestHello:
    """An agent starts again."""

    def join(self, pool: Pool, boot: str) -> None:
        pool.tell(events.NodeJoined, card("qc-1", "alpha", "CA-QC"), True, "", boot=boot)

    def test_a_restart_allows_a_probe_and_keeps_the_history(self, three: Pool) -> None:
        """An agent that was restarted is tried at once, with one run; its next rest is longer."""
        finish(three, fail(three, placed(three, "j1")))
        self.join(three, "b2")
        probe, beside = placed(three, "j2"), placed(three, "j3")
        finish(three, fail(three, probe))

        assert ("qc-1", "on-1") == (probe.node, beside.node)
        assert 2 * BACKOFF_FIRST_S == rest_s(three, "qc-1")

    def test_restarts_in_a_loop_end_one_rest_only(self, three: Pool) -> None:
        """Until a run has completed, a second restart ends no rest any more."""
        finish(three, fail(three, placed(three, "j1")))
        self.join(three, "b2")
        finish(three, fail(three, placed(three, "j2")))
        self.join(three, "b3")

        assert "on-1" == placed(three, "j3").node

    def test_the_same_agent_saying_hello_again_ends_no_rest(self, three: Pool) -> None:
        """A new card of the same agent is no restart."""
        self.join(three, "b1")
        finish(three, fail(three, placed(three, "j1")))
        self.join(three, "b1")

        assert "on-1" == placed(three, "j2").node

    def test_a_model_that_was_off_the_card_keeps_its_history(self, three: Pool) -> None:
        """A replica that vanishes from the card and comes back still rests."""
        self.join(three, "b1")
        finish(three, fail(three, placed(three, "j1")))
        without = card("qc-1", "alpha", "CA-QC", replicas=(replica("grand"),))
        three.tell(events.NodeJoined, without, True, "", boot="b1")
        self.join(three, "b1")

        assert "on-1" == placed(three, "j2").node


class TestBlame:
    """Whether the replica or its job is at fault."""

    def test_one_co_ops_failures_rest_half_of_a_models_replicas(self) -> None:
        """Half of the replicas go on serving, however many of one co-op's runs fail."""
        pool = Pool("alpha", "beta", limits=Limits(attempts=99))
        pool.join(*(card(f"n{number}") for number in range(8)))
        for number in range(20):
            job = f"j{number}"
            again = [placed(pool, job)]
            while len(again) == 1 and len(pool.core._state.jobs[job].avoid) < 8:
                again = fail(pool, again[0])
            pool.tell(events.JobCancelled, job, "client_gone")
            finish(pool, again)
        resting = [view for view in pool.core.nodes() if view.resting]

        assert 4 == len(resting)
        invariants.check(pool)

    def test_a_second_co_ops_failure_needs_no_such_bound(self) -> None:
        """A replica that fails two co-ops pauses, however many other replicas are paused."""
        pool = Pool("alpha", "beta")
        pool.join(card("n1"), card("n2"))
        finish(pool, fail(pool, placed(pool, "j1")))
        held = placed(pool, "j2")
        assert "n2" == held.node
        fail(pool, held)
        other = placed(pool, "j3", "beta")
        fail(pool, other)

        assert ["n1", "n2"] == [view.card.node for view in pool.core.nodes() if view.resting]

    def test_a_job_that_fails_everywhere_is_to_blame(self, three: Pool) -> None:
        """If a job fails on every replica, the pauses that it caused end."""
        for number in range(3):  # each has completed a run
            finish(three, [placed(three, f"well-{number}")])
        state = three.core._state
        for name in HEARD:
            state.fleet.nodes[name].loads["petit"].completed = True
        again = [placed(three, "bad")]
        while again:
            again = fail(three, again[0])

        assert "too_many_attempts" == three.core.job("bad").code
        assert [] == [view.card.node for view in three.core.nodes() if view.resting]

    def test_a_job_that_completed_elsewhere_is_not(self, three: Pool) -> None:
        """A replica is not forgiven if a job that failed on it completed on another."""
        finish(three, fail(three, placed(three, "j1")))

        backoff = three.core._state.fleet.nodes["qc-1"].backoffs["petit"]
        assert backoff.confirmed


def fourteen() -> Pool:
    """Four broken machines on a clean grid, ten that work on a dirtier one."""
    pool = Pool("alpha", "beta")
    pool.join(*(card(f"broken-{number}", "alpha", "CA-QC") for number in range(4)))
    pool.join(*(card(f"good-{number}", "beta", "CA-ON") for number in range(10)))
    return pool


def test_four_broken_machines_do_not_fail_the_jobs_of_ten_good_ones() -> None:
    """Two hundred jobs complete on those that work; a handful of runs fail on the others."""
    pool = fourteen()
    names = tuple(pool.core._state.fleet.nodes)
    failed = 0
    for number in range(200):
        job = f"j{number}"
        now = placed(pool, job)
        while now.node.startswith("broken"):
            failed += 1
            (now,) = fail(pool, now)
        pool.report(now)
        pool.now += 0.5
        pool.tell(events.NodesSeen, names)
    jobs = [pool.core.job(f"j{number}") for number in range(200)]

    assert {JobState.COMPLETED} == {job.state for job in jobs}
    assert failed <= 4 * 6  # one for each rest that ended within these hundred seconds
    invariants.check(pool)


def test_a_restored_core_rests_the_same(three: Pool) -> None:
    """Rests, probes and histories are in the snapshot."""
    finish(three, fail(three, placed(three, "j1")))
    before = three.core.snapshot()
    three.core = Core.restore(before)
    three.wait(BACKOFF_FIRST_S, seen=HEARD)

    assert ["qc-1", "on-1"] == [placed(three, "j2").node, placed(three, "j3").node]
