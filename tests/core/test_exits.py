"""A run during which its engine exits is tried once more, alone on another engine."""

import pytest
from tests.core import invariants
from tests.core.builders import Pool, card, excluded, of, place_in, placed, policy

from entraide.types import Basis, DataClass, JobKind, JobState, Outcome, Power
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend
from entraide_scheduler.core.records import ENGINES_ENDED, SenderKind


def exits(pool: Pool, place: commands.Place, **changes) -> list[commands.Command]:
    """The engine exits during a run."""
    pool.accept(place)
    return pool.report(place, Outcome.FAILED, code="engine_exited", **changes)


def ended(asked: list[commands.Command]) -> commands.EndJob:
    (end,) = of(asked, commands.EndJob)
    return end


def refused(pool: Pool, job: str, **changes) -> commands.EndJob:
    """A job that ends two engines."""
    return ended(exits(pool, place_in(exits(pool, placed(pool, job, **changes)))))


def test_a_job_is_retried_once_and_then_refused(three: Pool) -> None:
    """A second exit while the job runs alone refuses the job."""
    first = placed(three, "j1")
    second = place_in(exits(three, first))
    end = ended(exits(three, second))

    assert second.node != first.node
    assert (end.state, end.code) == (JobState.FAILED, "request_ends_engine")
    assert [] == [node.card.node for node in three.core.nodes() if node.resting]


def test_a_suspect_that_completes_alone_is_innocent(three: Pool) -> None:
    """Runs that were in the engine by chance complete, one at a time, and are billed as ever."""
    together = [placed(three, f"j{number}", "beta") for number in range(2)]
    first = place_in(exits(three, together[0]))
    waits = exits(three, together[1])
    done = three.report(first)
    second = place_in(done)
    three.report(second)

    assert [] == of(waits, commands.Place)  # a co-op has one run at a time that is alone
    assert {JobState.COMPLETED} == {three.core.job(f"j{number}").state for number in range(2)}


def test_nobody_joins_a_run_that_must_be_alone(three: Pool) -> None:
    """Its replica is reserved during the run, and explanations name the rule."""
    alone = place_in(exits(three, placed(three, "j1")))
    others = [placed(three, f"o{number}", "gamma") for number in range(4)]

    assert alone.node not in {place.node for place in others}
    assert "reserved" == excluded(others[0])[alone.node]


def test_a_job_alone_waits_for_an_empty_replica(pool: Pool) -> None:
    """A replica that runs something is emptied for it first: no new run, and then it starts."""
    pool.join(card("n1"), card("n2", "beta", "CA-ON"))
    held = placed(pool, "held", "beta", jurisdiction="CA-ON", input_tokens_est=50)
    assert "n2" == held.node
    pool.accept(held)
    waits = exits(pool, placed(pool, "j1"))
    pool.wait(6.0, seen=("n1", "n2"))
    late = placed(pool, "late", "beta")
    starts = place_in(pool.report(held))

    assert [] == of(waits, commands.Place)
    assert "n1" == late.node
    assert ("j1", "n2") == (starts.job, starts.node)


def test_no_replica_is_kept_for_a_job_that_its_cap_keeps_from_it(pool: Pool) -> None:
    """The job could not run there alone either: others run there, and it waits."""
    pool.join(card("n1"), card("n2", "beta", "CA-ON"))
    waits = exits(pool, placed(pool, "j1", max_carbon_ug=1_000))
    others = [placed(pool, f"o{number}", "beta", jurisdiction="CA-ON") for number in range(2)]

    assert [] == of(waits, commands.Place)
    assert {} == pool.core._state.exclusive_replicas
    assert ["n2", "n2"] == [place.node for place in others]
    invariants.check(pool)


def test_a_retry_prefers_another_co_ops_engine(pool: Pool) -> None:
    """Two machines of one co-op cannot together have another's requests refused."""
    pool.join(card("n1"), card("n2"), card("n3", "beta", "CA-AB"))
    second = place_in(exits(pool, placed(pool, "j1")))

    assert "n3" == second.node
    assert "same_engine" == excluded(second)["n2"]


def test_a_machine_that_a_limit_keeps_from_the_job_is_no_other_engine(pool: Pool) -> None:
    """Where alone the job exceeds all that the other co-op lends, its own engine runs it again."""
    lender = CoopTerms("beta", lend=Lend(energy_wh_per_day=1))
    pool.tell(events.PolicyChanged, policy("alpha", lender))
    large = Power("bench", 10.0, 2_010.0, Basis.DECLARED)  # 1.3 Wh alone, 0.4 Wh in a full batch
    pool.join(card("n1"), card("n2", "beta", power=large))
    asked = exits(pool, placed(pool, "j1", kind=JobKind.KEPT))
    asked += pool.wait(6.0, seen=("n1", "n2"))

    assert "n1" == place_in(asked).node


def test_the_same_node_counts_only_where_there_is_no_other(pool: Pool) -> None:
    """The restarted engine of the only node is another one; not where its data may go elsewhere."""
    pool.join(card("n1"), card("n2", "beta", data_classes=(DataClass.PUBLIC,)))
    asked = exits(pool, placed(pool, "j1"))
    asked += pool.wait(5.0, seen=("n1", "n2"))

    assert "n1" == place_in(asked).node


@pytest.mark.parametrize("code", ["engine_failed", "owner_terms", "draining"])
def test_other_ends_do_not_count(three: Pool, code: str) -> None:
    """A stop by an owner, or a failure of an engine that lives, has no job run alone."""
    place = placed(three, "j1")
    three.accept(place)
    three.report(place, Outcome.FAILED, code=code)

    assert not three.core._state.jobs["j1"].alone


def test_the_loss_of_the_machine_does_not_count(three: Pool) -> None:
    """A run alone whose node is lost is tried again alone, and not refused."""
    second = place_in(exits(three, placed(three, "j1")))
    third = place_in(three.tell(events.NodeLeft, second.node, "goodbye"))

    assert "j1" == third.job
    assert JobState.OFFERED is three.core.job("j1").state


class TestKeys:
    """Requests with one key end engines again and again."""

    def test_three_refusals_in_an_hour_put_the_key_in_quarantine(self, three: Pool) -> None:
        """Its requests are refused until the operator clears it, whichever start of a person they
        are from; another key's are not."""
        for number, sender in enumerate(("bad", "bad.9f3a1c2b", "bad")):
            refused(three, f"j{number}", key=sender)
            three.wait(20.0, seen=("qc-1", "on-1", "ab-1"))
        (no,) = of(three.ask("j9", key="bad.0a1b2c3d"), commands.Refuse)
        quarantine = three.core.quarantine(SenderKind.KEY, "bad")
        other = placed(three, "o1", key="good")
        three.tell(events.QuarantineCleared, SenderKind.KEY, "bad")
        after = placed(three, "j10", key="bad")

        assert ("key_quarantined", ENGINES_ENDED) == (no.code, quarantine and quarantine.reason)
        assert (other.job, after.job) == ("o1", "j10")

    def test_refusals_of_more_than_an_hour_ago_are_forgotten(self, three: Pool) -> None:
        """Two now and one long ago are not three."""
        for number, wait_s in enumerate((3_600.0, 20.0, 20.0)):
            refused(three, f"j{number}", key="bad")
            three.now += wait_s
            three.tell(events.NodesSeen, ("qc-1", "on-1", "ab-1"))

        assert three.core.quarantine(SenderKind.KEY, "bad") is None

    def test_a_stream_that_broke_makes_the_keys_next_run_alone(self, three: Pool) -> None:
        """What was handed on cannot be tried again: the key's next request is, and counts."""
        first = placed(three, "j1", stream=True, key="bad")
        broken = ended(exits(three, first, delivered=True))
        second = placed(three, "j2", stream=True, key="bad")
        alone = three.core._state.jobs["j2"].alone
        end = ended(exits(three, second, delivered=True))

        assert ("engine_exited", True) == (broken.code, alone)
        assert second.node != first.node
        assert "request_ends_engine" == end.code

    def test_a_run_that_completes_alone_clears_the_key(self, three: Pool) -> None:
        """A key whose stream was only beside the culprit has one run alone, and no more."""
        exits(three, placed(three, "j1", stream=True, key="k"), delivered=True)
        three.report(placed(three, "j2", key="k"))
        placed(three, "j3", key="k")

        assert not three.core._state.jobs["j3"].alone


def test_alone_runs_hold_a_quarter_of_a_models_replicas() -> None:
    """However many co-ops have runs that must be alone, the pool goes on with the others."""
    coops = [f"c{number}" for number in range(6)]
    pool = Pool(*coops)
    pool.join(*(card(f"n{number}", coops[number % 6]) for number in range(8)))
    together = [placed(pool, f"j-{coop}", coop) for coop in coops]
    asked = [command for place in together for command in exits(pool, place)]
    pool.wait(6.0, seen=tuple(f"n{number}" for number in range(8)))
    held = [load.reserved for node in pool.core._state.fleet.nodes.values()
            for load in node.loads.values() if load.reserved]  # fmt: skip

    assert 2 == len(held)
    assert asked
    invariants.check(pool)


def test_a_restored_core_keeps_who_is_alone(three: Pool) -> None:
    """Reservations, exits and keys are in the snapshot."""
    refused(three, "j0", key="bad")
    three.wait(20.0, seen=("qc-1", "on-1", "ab-1"))
    alone = place_in(exits(three, placed(three, "j1", key="bad")))
    data = three.core.snapshot()
    three.core = Core.restore(data)

    assert three.core.snapshot() == data
    assert "request_ends_engine" == ended(exits(three, alone)).code
