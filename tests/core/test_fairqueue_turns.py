"""Fair queue: order of service between co-ops, projects and classes."""

import pytest
from tests.core.fair_jobs import COOPS, make_job, own_slots, policy, shape
from tests.core.fairslots import Slots, coops

from entraide.types import JobClass
from entraide_scheduler.core.fair_queue.formulas import CapReached
from entraide_scheduler.core.policy import CoopTerms

SCARCE = shape("grand")


# Between co-ops.


@pytest.mark.parametrize("slots", [1, 8])
def test_a_light_coop_beside_a_flood_waits_for_one_turn(slots: int) -> None:
    """500 jobs of another co-op delay a single job by at most one turn."""
    pool = Slots(policy(), slots)
    pool.ask("alpha", 500)
    pool.turns(50)
    (single,) = pool.ask("beta")

    assert single in pool.turns(2)


@pytest.mark.parametrize("answers", [(100, 100, 100), (400, 50, 100)])
def test_tokens_follow_the_shares_over_a_long_time(answers: tuple[int, ...]) -> None:
    """Virtual tokens are shared 1 : 2 : 4, however long each co-op's answers are."""
    shares = (1.0, 2.0, 4.0)
    terms = [CoopTerms(coop, share) for coop, share in zip(COOPS, shares, strict=True)]
    pool = Slots(policy(*terms), slots=3)
    for coop, answer in zip(COOPS, answers, strict=True):
        pool.ask(coop, 2_000, answer=answer)
    tokens = dict.fromkeys(COOPS, 0)
    for job in pool.turns(1_500):
        tokens[job.facts.coop] += 100 + 2 * job.output_tokens_max

    assert [1.0, 2.0, 4.0] == pytest.approx([tokens[c] / tokens["alpha"] for c in COOPS], rel=0.05)


def test_credit_adds_to_the_weight() -> None:
    """A credit factor of 0.25 gives a co-op a quarter more turns."""
    pool = Slots(policy())
    pool.queue.counters.set_credit("beta", 0.25)
    pool.ask("alpha", 400)
    pool.ask("beta", 400)
    turns = coops(pool.turns(270))

    assert 1.25 == pytest.approx(turns.count("beta") / turns.count("alpha"), rel=0.03)


def test_a_burst_cannot_get_ahead_of_what_it_will_cost() -> None:
    """Expected answers count at dispatch: co-ops alternate before any token is produced."""
    pool = Slots(policy(), slots=6)
    for coop in ("alpha", "beta"):
        pool.ask(coop, 10, answer=400)
    pool.fill()

    assert ["alpha", "beta"] * 3 == coops(pool.served)


def test_without_expected_lengths_only_what_was_produced_counts() -> None:
    """The plain virtual token counter: an answer counts only when it is produced."""
    pool = Slots(policy(expected_lengths=False))
    charge = pool.start(pool.ask("alpha", prompt=10, answer=4_000)[0])
    pool.start(pool.ask("beta", prompt=20)[0])
    for coop in ("alpha", "beta"):
        pool.ask(coop)
    before = pool.queue.next_job()
    pool.queue.counters.add_output(charge, 500)

    assert ["alpha", "beta"] == coops([before, pool.queue.next_job()])
    assert 10.0 + 2 * 500 == pool.queue.counters.coop_counter("alpha").committed


def test_an_answer_shorter_than_expected_gives_back_the_rest() -> None:
    """After the run the charge equals the engine's count."""
    pool = Slots(policy())
    charge = pool.start(pool.ask("alpha", prompt=100, answer=400)[0])
    committed = pool.queue.counters.coop_counter("alpha").committed
    pool.queue.counters.add_output(charge, 30)
    during = pool.queue.counters.coop_counter("alpha").committed
    pool.queue.counters.end_run(charge)
    pool.queue.counters.correct_charge(charge, input_tokens=60, output_tokens=31)

    assert (900.0, 900.0) == (committed, during)
    assert 60.0 + 2 * 31 == pool.queue.counters.coop_counter("alpha").committed


def test_a_lost_run_costs_nothing_on_any_level() -> None:
    """The charge of a lost run is refunded to co-op, project and class."""
    pool = Slots(policy())
    charge = pool.start(pool.ask("alpha")[0])
    pool.queue.counters.add_output(charge, 70)
    pool.queue.counters.end_run(charge)
    pool.queue.counters.correct_charge(charge, input_tokens=0, output_tokens=0)

    assert (0.0, 0.0, 0.0) == tuple(
        counter.committed for counter in pool.queue.counters.counters_of(charge)
    )


def test_a_charge_ends_in_the_terms_under_which_it_began() -> None:
    """A change of shares during a run changes neither its charge nor its refund."""
    pool = Slots(policy())
    charge = pool.start(pool.ask("alpha")[0])
    pool.queue.apply_policy(policy(CoopTerms("alpha", shares=8.0)))
    pool.queue.counters.end_run(charge)
    pool.queue.counters.correct_charge(charge, input_tokens=0, output_tokens=0)

    assert 0.0 == pool.queue.counters.coop_counter("alpha").committed


# Lifts.


def test_idle_time_earns_no_service() -> None:
    """A co-op that returns after a thousand turns gets an equal share."""
    pool = Slots(policy(head_start_tokens=0))
    pool.ask("beta")
    pool.ask("alpha", 1_100)
    pool.turns(1_000)
    pool.ask("beta", 50)
    turns = coops(pool.turns(40))

    assert 18 <= turns.count("beta") <= 22


@pytest.mark.parametrize(
    ("ended", "expected"),
    [(0, 6), (3, 6), (4, 3)],
    ids=["no answer ended", "three ended", "four ended"],
)
def test_a_coop_with_a_run_and_few_answers_is_not_lifted(ended: int, expected: int) -> None:
    """A co-op with a run and fewer than four ended answers keeps its counter."""
    pool = Slots(policy(head_start_tokens=0), slots=2)
    for _ in range(ended):
        pool.ask("beta")
        pool.turns(1)
        pool.end()
    first = pool.ask("beta")[0]
    pool.start(first, expected=0)
    held = pool.running.pop()
    pool.ask("alpha", 100)
    pool.turns(8)
    pool.running.append(held)
    pool.ask("beta", 50)
    turns = coops(pool.turns(7))[1:]

    assert expected == turns.count("beta")


def test_a_waiting_batch_job_does_not_prevent_a_lift() -> None:
    """A co-op whose batch job waits is still lifted when it adds interactive jobs."""
    pool = Slots(policy(head_start_tokens=0))
    night = shape(jurisdiction="CA-AB")
    pool.ask("beta", where=night, job_class=JobClass.BATCH)
    pool.queue.block_shape(night)
    pool.ask("alpha", 1_100)
    pool.turns(1_000)
    pool.ask("beta", 50)
    turns = coops(pool.turns(40))

    assert 18 <= turns.count("beta") <= 22


def test_a_waiting_coop_does_not_keep_the_virtual_time_low() -> None:
    """A new co-op is lifted to the virtual time, past a co-op whose jobs fit no node."""
    pool = Slots(policy(head_start_tokens=0))
    nowhere = shape(jurisdiction="CA-AB")
    pool.ask("gamma", where=nowhere)
    pool.queue.block_shape(nowhere)
    pool.ask("alpha", 1_100)
    pool.turns(1_000)
    pool.ask("beta", 50)
    turns = coops(pool.turns(40))

    assert 18 <= turns.count("beta") <= 22


def test_the_virtual_time_is_kept_by_model() -> None:
    """A co-op that is new to a scarce model shares it at once, whatever a busy model served."""
    pool = Slots(policy())
    pool.ask("alpha", 1_100)
    pool.turns(1_000)
    pool.queue.block_shape(shape())
    pool.ask("beta", 60, where=SCARCE)
    pool.turns(3)
    pool.ask("gamma", 60, where=SCARCE)
    turns = coops(pool.turns(40))

    assert 18 <= turns.count("gamma") <= 22


def test_a_request_for_a_second_model_keeps_the_turn_at_the_first() -> None:
    """One small job for a busy model does not cost a co-op its turns at the scarce one."""
    pool = Slots(policy())
    for coop in ("beta", "gamma"):
        pool.ask(coop, 100, where=SCARCE)
    pool.queue.block_shape(SCARCE)
    pool.ask("alpha", 1_100)
    pool.turns(1_000)
    pool.ask("beta")
    pool.turns(3)
    pool.queue.block_shape(shape())
    pool.queue.unblock_shapes("grand", lambda _: True)
    turns = coops(pool.turns(40))

    assert 18 <= turns.count("beta") <= 22


# Own nodes first.


def test_a_coop_gets_what_its_own_nodes_could_have_given_and_no_more() -> None:
    """With two slots of its own it holds two, whatever it had before; the third is shared out."""
    pool = Slots(policy(own_nodes=True), slots=4)
    pool.ask("alpha", 100)
    pool.turns(40)
    pool.ask("beta", 100, answer=10)
    pool.ask("gamma", 100, answer=10)
    pool.queue.counters.add_own_slots([own_slots("alpha", 2)])
    held = []
    for _ in range(60):
        pool.end()
        pool.fill()
        held.append(coops([job for job, _ in pool.running]).count("alpha"))

    assert 2 == min(held[8:])
    assert held[8:].count(2) > 40


def test_own_nodes_count_for_nothing_when_the_members_say_so() -> None:
    """With ``own_nodes`` off only the counters decide."""
    pool = Slots(policy(own_nodes=False))
    pool.queue.counters.add_own_slots([own_slots("alpha", 5)])
    pool.ask("alpha", 20)
    pool.ask("beta", 20)

    assert 5 == coops(pool.turns(10)).count("alpha")


def test_turns_that_are_owed_do_not_lift_others() -> None:
    """Owed turns do not raise the virtual time above the lowest waiting counter."""
    pool = Slots(policy(own_nodes=True))
    pool.queue.counters.add_own_slots([own_slots("alpha", 1)])
    pool.ask("alpha", 500)
    pool.ask("beta", 50)
    pool.turns(400)
    pool.queue.counters.add_own_slots([own_slots("alpha", -1)])
    pool.ask("gamma", 50)
    turns = coops(pool.turns(40))

    assert 18 <= turns.count("gamma") <= 22


# The cap.


def test_a_coop_at_its_cap_lets_others_go_first() -> None:
    """With 400 of 500 tokens in flight a job of 200 waits, though its counter is lower."""
    pool = Slots(policy(cap_tokens=500), slots=9)
    for job in pool.ask("beta", 1, prompt=4_000):
        pool.start(job)
    pool.end()
    for job in pool.ask("alpha", 2):
        pool.start(job)
    (waits,) = pool.ask("alpha")
    pool.ask("beta")

    assert CapReached(in_flight_tokens=400, cap_tokens=500) == pool.queue.cap_reached(waits)
    assert (
        pool.queue.counters.coop_counter("alpha").committed
        < pool.queue.counters.coop_counter("beta").committed
    )
    assert "beta" == pool.queue.next_job().facts.coop


def test_a_coop_alone_fills_the_pool() -> None:
    """The cap does not apply while no other co-op waits."""
    pool = Slots(policy(cap_tokens=500), slots=9)
    pool.ask("alpha", 9)
    pool.fill()

    assert 9 == len(pool.running)


def test_what_is_produced_makes_room_under_the_cap() -> None:
    """Produced tokens leave the cap, so that a job which it held back fits."""
    pool = Slots(policy(cap_tokens=500), slots=9)
    charges = [pool.start(job) for job in pool.ask("alpha", 2)]
    (waits,) = pool.ask("alpha")
    held = pool.queue.cap_reached(waits)
    pool.queue.counters.add_output(charges[0], 50)
    pool.queue.counters.add_output(charges[1], 50)

    assert CapReached(400, 500) == held
    assert pool.queue.cap_reached(waits) is None


def test_a_job_larger_than_the_cap_goes_when_nothing_is_in_flight() -> None:
    """A job above the cap is served once its co-op has nothing in flight."""
    pool = Slots(policy(cap_tokens=100))
    (large,) = pool.ask("alpha", prompt=5_000)
    pool.ask("beta", 10)

    assert large in pool.turns(2)


def test_a_small_job_does_not_pass_its_coops_large_one_at_the_cap() -> None:
    """A co-op's large job is not starved by its own small ones of another shape."""
    pool = Slots(policy(cap_tokens=1_000), slots=2)
    (large,) = pool.ask("alpha", where=shape(jurisdiction="CA-QC"), prompt=900)
    pool.ask("alpha", 400, project="other")
    pool.ask("beta", 400)

    assert large in pool.turns(8)


# Inside a co-op.


def test_projects_share_alike() -> None:
    """A project's burst does not starve another; more projects give a co-op no more turns."""
    pool = Slots(policy())
    pool.ask("alpha", 100, project="flood")
    pool.ask("beta", 100)
    for number in range(20):
        pool.ask("alpha", project=f"p{number}")
    turns = pool.turns(60)

    assert 30 == coops(turns).count("alpha")
    assert 20 == sum(job.facts.project.startswith("p") for job in turns)


def test_no_class_starves() -> None:
    """Interactive, standard and batch jobs of one project share 16 : 4 : 1."""
    pool = Slots(policy())
    for job_class in JobClass:
        pool.ask("alpha", 1_000, job_class=job_class)
    classes = [job.facts.job_class for job in pool.turns(420)]

    assert [320, 80, 20] == pytest.approx([classes.count(c) for c in JobClass], abs=2)


def test_the_first_turn_goes_by_rank() -> None:
    """Between classes with equal counters the lower rank goes first."""
    pool = Slots(policy())
    pool.ask("alpha", job_class=JobClass.BATCH)
    pool.ask("alpha", job_class=JobClass.STANDARD)
    pool.ask("alpha", job_class=JobClass.INTERACTIVE)

    assert list(JobClass) == [job.facts.job_class for job in pool.turns(3)]


def test_inside_a_class_lost_runs_then_deadlines_then_arrival() -> None:
    """The job of a lost run goes first, then the earlier deadline, then the earlier arrival."""
    pool = Slots(policy())
    old, new = pool.ask("alpha", 2)
    (later,) = pool.ask("alpha", deadline_at=500.0)
    (sooner,) = pool.ask("alpha", deadline_at=400.0)
    lost = make_job(99)
    lost.front = True
    pool.queue.add(lost)

    assert [lost, sooner, later, old, new] == pool.turns(5)


def test_what_goes_before_a_job_is_counted() -> None:
    """Counts jobs ahead in its class, and co-ops that are served first."""
    pool = Slots(policy())
    mine = pool.ask("beta", 5)
    pool.ask("alpha", 7)
    pool.ask("gamma", 2, where=SCARCE)
    before = pool.queue.count_ahead(mine[3], lambda _coop, _shape: True)
    pool.start(pool.queue.next_job())

    assert (3, 1) == before
    assert (3, 0) == pool.queue.count_ahead(mine[3], lambda _coop, _shape: True)


def test_a_long_queue_leaves_no_dead_entries_behind() -> None:
    """Ten thousand jobs that come and go one by one leave nothing in the heaps."""
    pool = Slots(policy())
    pool.ask("beta", where=SCARCE)
    pool.queue.block_shape(SCARCE)
    for _ in range(2_000):
        for coop in ("alpha", "gamma"):
            pool.ask(coop)
        pool.turns(2)
    counter = pool.queue.counters.coop_counter("alpha")

    assert 1 == len(pool.queue.jobs())
    assert {} == {**counter.coop_queues, **counter.entries}
    assert ["grand"] == list(pool.queue.backlogs)
