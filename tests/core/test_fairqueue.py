"""Fair queue: whose turn it is, between co-ops, between projects, and inside a project."""

import pytest
from tests.core.builders import START, Pool, card, of, replica

from entraide.types import JobClass, JobKind, Outcome
from entraide_scheduler.core import commands, events, placement
from entraide_scheduler.core.fairqueue import Level
from entraide_scheduler.core.policy import CoopTerms


def one_slot(*coops: str | CoopTerms, slots: int = 1) -> Pool:
    pool = Pool(*(coops or ("alpha", "beta", "gamma")))
    pool.join(card("n1", replicas=(replica(slots=slots),)))
    return pool


def serve(pool: Pool, place: commands.Place, **used: int) -> commands.Place | None:
    """Ends a run; returns the placement that follows, if any."""
    pool.now += 0.01
    pool.tell(events.NodesSeen, ("n1",))
    places = of(pool.report(place, **used), commands.Place)
    return places[0] if places else None


def order(pool: Pool, jobs: int, **used: int) -> list[str]:
    """Runs jobs one after the other on the only slot; returns their names in order."""
    place = pool.places()[-1]
    served = []
    while place is not None and len(served) < jobs:
        served.append(place.job)
        place = serve(pool, place, **used)
    return served


@pytest.mark.parametrize("slots", [1, 4, 16])
def test_a_newcomer_waits_for_two_jobs_at_most(slots: int) -> None:
    """A co-op holds every slot and queued 200 jobs; another's single job starts no later than
    after the second of those to end."""
    pool = one_slot(slots=slots)
    for number in range(200):
        pool.ask(f"flood-{number}")
    running = pool.places()
    for place in running:
        pool.accept(place)
        pool.progress(place, 30)
    pool.ask("single", "beta")
    following = [serve(pool, place) for place in running[:2] if len(running) > 1]
    if slots == 1:
        following = [serve(pool, running[0])]
        following.append(serve(pool, following[0]))

    assert len(running) == slots
    assert "single" in [place.job for place in following if place is not None]


def test_backlogged_coops_get_turns_by_tokens() -> None:
    """A co-op with jobs three times as long gets a third as many of them."""
    pool = one_slot()
    for number in range(60):
        pool.ask(f"long-{number}", "alpha", input_tokens_est=300, input_tokens_max=300)
        pool.ask(f"short-{number}", "beta", input_tokens_est=100, input_tokens_max=100)
    served = []
    place = pool.places()[-1]
    while len(served) < 40:
        served.append(place.job)
        long = place.job.startswith("long")
        place = serve(
            pool, place, input_tokens=300 if long else 100, output_tokens=90 if long else 30
        )
    long = sum(job.startswith("long") for job in served)

    assert 9 <= long <= 11


def test_shares_weigh() -> None:
    """A co-op with two shares is served twice as much as one with one."""
    pool = one_slot(CoopTerms("alpha", shares=2.0), CoopTerms("beta", shares=1.0))
    for number in range(60):
        pool.ask(f"alpha-{number}", "alpha")
        pool.ask(f"beta-{number}", "beta")
    served = order(pool, 30)

    assert 19 <= sum(job.startswith("alpha") for job in served) <= 21


def test_output_counts_as_it_is_produced() -> None:
    """A running job that produces much pushes its co-op back before it ends."""
    pool = one_slot(slots=2)
    first, second = pool.ask("a1", "alpha")[0], pool.ask("b1", "beta")[0]
    pool.ask("a2", "alpha")
    pool.ask("b2", "beta")
    pool.progress(first, 80)
    following = serve(pool, second, input_tokens=90, output_tokens=1)

    assert following.job == "b2"


def test_idle_time_is_not_hoarded() -> None:
    """A co-op that was away for long is not served alone when it comes back."""
    pool = one_slot()
    pool.ask("early", "beta")
    for number in range(50):
        pool.ask(f"alpha-{number}", "alpha")
    order(pool, 30)
    for number in range(20):
        pool.ask(f"beta-{number}", "beta")
    served = order(pool, 11)[1:]

    assert 4 <= sum(job.startswith("beta") for job in served) <= 6


def test_a_coop_stuck_for_days_does_not_hold_the_level_down() -> None:
    """Jobs that fit no node keep a low counter; a newcomer is lifted past it all the same."""
    pool = one_slot()
    pool.join(card("n2", zone="CA-AB"))
    pool.tell(events.NodeChanged, "n2", False, "paused", None)
    pool.ask("stuck", "gamma", jurisdiction="CA-AB", kind=JobKind.KEPT)
    for number in range(50):
        pool.ask(f"alpha-{number}", "alpha")
    order(pool, 30)
    for number in range(20):
        pool.ask(f"beta-{number}", "beta")
    served = order(pool, 11)[1:]

    assert 4 <= sum(job.startswith("beta") for job in served) <= 6


def test_projects_of_a_coop_share_alike() -> None:
    """Inside a co-op a project that floods does not starve another one."""
    pool = one_slot()
    for number in range(30):
        pool.ask(f"flood-{number}", project="flood")
    pool.ask("single", project="quiet")

    assert "single" in order(pool, 3)


def test_a_coop_gains_nothing_by_many_projects() -> None:
    """Two co-ops share alike, however many projects one of them has."""
    pool = one_slot()
    for number in range(30):
        pool.ask(f"alpha-{number}", "alpha", project=f"p{number}")
        pool.ask(f"beta-{number}", "beta")
    served = order(pool, 20)

    assert 9 <= sum(job.startswith("alpha") for job in served) <= 11


def test_inside_a_project_class_deadline_and_age_decide() -> None:
    """Interactive before batch; the earlier deadline first; then first come, first served."""
    pool = one_slot()
    pool.ask("running")
    pool.ask("batch", job_class=JobClass.BATCH)
    pool.ask("later", deadline_at=START + 500.0)
    pool.ask("sooner", deadline_at=START + 400.0)
    pool.ask("old")
    pool.ask("new")

    assert order(pool, 6) == ["running", "sooner", "later", "old", "new", "batch"]


def test_what_fits_nowhere_blocks_nobody() -> None:
    """A head-of-line job whose node is taken lets jobs of other shapes pass."""
    pool = one_slot()
    pool.join(card("n2", zone="CA-AB"))
    pool.ask("quebec-1", jurisdiction="CA-QC")
    pool.ask("quebec-2", jurisdiction="CA-QC")
    (place,) = of(pool.ask("any"), commands.Place)

    assert place.node == "n2"


def test_a_lost_run_goes_before_its_co_ops_other_jobs(pool: Pool) -> None:
    """A job whose run was lost is next in its co-op, before a project that was served less."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    pool.ask("long", project="served")
    for job, project in (("lost", "served"), ("waiting", "new"), ("waiting-2", "new")):
        pool.ask(job, project=project)
    while (running := pool.places()[-1]).job != "lost":
        pool.report(running, output_tokens=90)
    pool.progress(running, 1)
    pool.tell(events.JobCancelled, "waiting-2", "cancelled")
    pool.ask("waiting-3", project="new")
    pool.decline(running, "stale")

    assert pool.places()[-1].job == "lost"


def test_a_lost_run_is_not_charged_twice(three: Pool) -> None:
    """What was charged for a run that was lost is given back."""
    (place,) = three.ask("j1")
    three.accept(place)
    three.progress(place, 50)
    before = three.core._state.queue.coops.lines["alpha"].charge
    three.tell(events.JobCancelled, "j1", "cancelled")
    three.report(place, Outcome.CANCELLED, input_tokens=0, output_tokens=0)
    after = three.core._state.queue.coops.lines["alpha"].charge

    assert (before, after) == (200.0, 0.0)


def test_a_run_that_goes_elsewhere_is_charged_once(three: Pool) -> None:
    """A job placed again is charged for its new run only: 100 tokens of prompt."""
    (place,) = three.ask("j1")
    three.accept(place)
    three.progress(place, 50)
    three.tell(events.NodeLeft, place.node, "goodbye")

    assert three.core._state.queue.coops.lines["alpha"].charge == 100.0
    assert three.core._state.queue.projects["alpha"].lines["main"].charge == 100.0


def test_the_charge_is_trued_up_at_the_report(three: Pool) -> None:
    """In the end a co-op is charged what the engine counted: 90 - 40 cached + 2 x 50."""
    (place,) = three.ask("j1")
    three.report(place, input_tokens=90, cached_tokens=40, output_tokens=50)

    assert three.core._state.queue.coops.lines["alpha"].charge == 150.0


def test_a_new_node_opens_the_line(pool: Pool) -> None:
    """Jobs that wait for a slot start when a node joins."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    for number in range(4):
        pool.ask(f"j{number}")
    asked = pool.tell(events.NodeJoined, card("n2", replicas=(replica(slots=2),)), True, "")

    assert [place.job for place in of(asked, commands.Place)] == ["j1", "j2"]


def test_jobs_find_a_context_that_comes_later(pool: Pool) -> None:
    """A job that waits for a long context also starts on a shorter one that fits it."""
    pool.join(card("n1", replicas=(replica(slots=1, context_tokens=8_192),)))
    pool.ask("running")
    pool.ask("waiting", input_tokens_est=1_000, input_tokens_max=1_000)
    small = card("n2", replicas=(replica(context_tokens=2_048),))
    asked = pool.tell(events.NodeJoined, small, True, "")

    assert [place.job for place in of(asked, commands.Place)] == ["waiting"]


def test_a_long_line_of_equal_jobs_is_looked_at_once(pool: Pool, monkeypatch) -> None:
    """Ten thousand equal jobs that wait cost one look at the nodes, not ten thousand."""
    looks = []
    survey = placement.survey
    monkeypatch.setattr(placement, "survey", lambda *args: looks.append(1) or survey(*args))
    pool.join(card("n1", replicas=(replica(slots=1),)))
    for number in range(2_000):
        pool.ask(f"j{number}")
    before = len(looks)
    pool.report(pool.places()[0])

    assert before == 2
    assert len(looks) == 4


def test_jobs_of_many_sizes_that_fit_alike_are_one_shape(pool: Pool) -> None:
    """What decides is the replica's context, not each job's own size."""
    small, large = replica(context_tokens=1_000), replica(context_tokens=8_000)
    pool.join(card("small", replicas=(small,)), card("large", replicas=(large,)))
    for node in ("small", "large"):
        pool.tell(events.NodeChanged, node, False, "paused", None)
    for size in range(100, 2_100, 100):
        pool.ask(f"j{size}", input_tokens_est=size, input_tokens_max=size)

    assert sorted(shape.context_tokens for shape in pool.core._state.queue.shapes) == [1_000, 8_000]


def test_queue_lengths_are_told(pool: Pool) -> None:
    """Waiting jobs by co-op; those with none are left out."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    for job, coop in (("j1", "alpha"), ("j2", "alpha"), ("j3", "beta"), ("j4", "alpha")):
        pool.ask(job, coop)

    assert pool.core.queue_lengths() == {"alpha": 2, "beta": 1}


def test_lines_are_lifted_as_the_counters_rules_say() -> None:
    """None waits: to the last one served. Some wait: to their least, or where the last was."""
    level = Level()
    level.line("a").charge = 100.0
    level.enter("a")
    level.serve("a")
    level.line("a").queued -= 1
    level.line("a").charge = 150.0
    level.enter("b")
    level.line("a").charge = 900.0
    level.enter("a")
    level.enter("c")

    assert level.lines["b"].charge == 150.0
    assert level.lines["c"].charge == 150.0
    assert [line.name for line in level.by_turn()] == ["b", "c", "a"]
