"""Blocked jobs: a job above its cap or quota delays no other, and is checked again."""

import pytest
from tests.core import invariants
from tests.core.builders import START, Pool, card, expect_green_hour, of, replica

from entraide.types import Basis, DataClass, JobKind, Power
from entraide_scheduler.core import commands, dispatch, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.records import DeadlineKind

HALF_LENT = CoopTerms("beta", lend=Lend(0.5))  # a slot may be free that others cannot have
IDLE_AB_UG = 25_000  # what a job of a hundred tokens emits at most on an idle machine in Alberta


def placed(asked: list[commands.Command]) -> list[str]:
    return [place.job for place in of(asked, commands.Place)]


def energy(limit_wh: int) -> dict[str, tuple[Quota, ...]]:
    return {"alpha": (Quota(QuotaKind.ENERGY_WH, limit_wh, Period.DAY),)}


def checked(pool: Pool) -> Pool:
    invariants.check(pool)
    return pool


def settle(pool: Pool) -> int:
    """Wakes the core until no shape is skipped and no job is due; returns the number of wakes."""
    queue, woken = pool.core._state.queue, 0
    while queue.unexamined_shapes or queue.blocked.has_due:
        pool.now = pool.core.next_deadline()
        pool.tell(events.Woke)
        woken += 1
    return woken


def test_a_job_within_its_cap_passes_one_that_is_over_it(pool: Pool) -> None:
    """Four answers are too much for the cap; a single one, asked for later, runs at once."""
    pool.join(card("ab", zone="CA-AB"))
    four = placed(pool.ask("four", choices=4, max_carbon_ug=IDLE_AB_UG))
    single = placed(pool.ask("one", choices=1, max_carbon_ug=IDLE_AB_UG))

    assert [] == four
    assert ["one"] == single


def test_a_job_within_its_quota_passes_one_that_is_over_it() -> None:
    """The same where a quota of energy holds the larger one back."""
    pool = Pool(quotas=energy(1))
    pool.join(card("ab", zone="CA-AB"))
    placed(pool.ask("first", "alpha", choices=10))
    long = placed(pool.ask("long", choices=30))
    short = placed(pool.ask("short"))

    assert [] == long
    assert ["short"] == short
    checked(pool)


def test_a_batch_that_got_cheaper_lets_a_capped_job_in(pool: Pool) -> None:
    """Beside another sequence a token costs less: the capped job starts when one is there."""
    pool.join(card("ab", zone="CA-AB"))
    capped = placed(pool.ask("capped", max_carbon_ug=15_000))
    beside = placed(pool.ask("beside", "beta"))

    assert [] == capped
    assert ["beside", "capped"] == beside


@pytest.mark.parametrize("answers", [0, 4])
def test_a_short_answer_of_another_co_op_lets_a_capped_job_in(pool: Pool, answers: int) -> None:
    """Lengths are shared until a co-op has four answers of its own: the job starts in 10 s; then
    another's change none, and nothing is checked."""
    pool.join(card("ab", zone="CA-AB"))
    for number in range(answers):
        (place,) = of(pool.ask(f"earlier-{number}"), commands.Place)
        pool.report(place, output_tokens=100)
    (place,) = of(pool.ask("other", "beta"), commands.Place)
    capped = placed(pool.ask("capped", kind=JobKind.KEPT, max_carbon_ug=10_000))
    pool.report(place, output_tokens=20)
    checks = [at for kind, _, at in pool.core._state.deadlines.listed()
              if kind is DeadlineKind.BLOCKED_JOBS]  # fmt: skip
    soon = placed(pool.wait(10.0, seen=("ab",)))

    assert ([], [] if answers else ["capped"]) == (capped, soon)
    assert [START + (60.0 if answers else 10.0)] == checks
    checked(pool)


def test_quota_freed_by_a_run_of_another_model_is_noticed() -> None:
    """What a run of one model took less than was reserved lets a job of another model start."""
    pool = Pool(quotas=energy(1))
    pool.join(card("ab", zone="CA-AB", replicas=(replica(), replica("grand"))))
    (place,) = of(
        pool.ask("large", model="grand", output_tokens_max=2_000, choices=8), commands.Place
    )
    waits = placed(pool.ask("small", output_tokens_max=2_000, choices=8))
    freed = placed(pool.report(place, energy_prefill_uwh=10, energy_decode_uwh=10))

    assert [] == waits
    assert ["small"] == freed
    checked(pool)


def test_a_period_that_begins_lets_kept_jobs_start() -> None:
    """A kept job of a co-op that has nothing left starts when the next day begins."""
    pool = Pool(quotas=energy(1))
    pool.tell(events.PeriodBegan, Period.DAY, START + 3_600.0)
    pool.join(card("ab", zone="CA-AB"))
    (place,) = of(pool.ask("first"), commands.Place)
    pool.report(place, energy_decode_uwh=2_000_000)
    waits = placed(pool.ask("kept", kind=JobKind.KEPT))
    begun = placed(pool.tell(events.PeriodBegan, Period.DAY, START + 7_200.0))

    assert [] == waits
    assert ["kept"] == begun
    checked(pool)


def test_a_grid_that_emits_less_lets_capped_jobs_start_in_their_order(pool: Pool) -> None:
    """Blocked jobs keep their place: the one that came first starts first."""
    expect_green_hour(pool, "CA-AB")
    pool.join(card("ab", zone="CA-AB", replicas=(replica(slots=1),)))
    waits = [placed(pool.ask(f"j{number}", max_carbon_ug=2_000)) for number in range(3)]
    cleaner = pool.tell(events.IntensityChanged, "CA-AB", 2.0, 20.0, "measured", START + 1e6)

    assert [[], [], []] == waits
    assert ["j0"] == placed(cleaner)


def test_a_blocked_job_that_is_cancelled_leaves_no_trace(pool: Pool) -> None:
    """Its co-op waits for nothing then."""
    expect_green_hour(pool, "CA-AB")
    pool.join(card("ab", zone="CA-AB"))
    pool.ask("capped", max_carbon_ug=1)
    pool.tell(events.JobCancelled, "capped", "client_gone")

    assert {} == pool.core.queue_lengths()
    assert {} == pool.core._state.queue.backlogs


class TestExplained:
    """What a blocked job waits for is its limit, never a turn with nobody ahead."""

    def test_a_cap_is_named_with_what_the_job_would_emit(self, pool: Pool) -> None:
        """The cap, and what the greenest free machine would emit."""
        expect_green_hour(pool, "CA-ON")
        pool.join(card("ab", zone="CA-AB"), card("on", zone="CA-ON"))
        pool.ask("capped", max_carbon_ug=100)
        explanation = pool.core.explain("capped", pool.now)
        of_ab, of_on = [excluded.values["carbon_g"] for excluded in explanation.excluded]

        assert "carbon_cap" == explanation.reason
        assert 100 == explanation.values["max_carbon_ug"]
        assert 100e-6 < of_on < of_ab
        assert of_on == explanation.values["carbon_g"]

    def test_a_quota_is_named_with_what_is_left_and_needed(self) -> None:
        """What is left of the day's energy, and what this job would take of it."""
        pool = Pool(quotas=energy(1))
        pool.join(card("ab", zone="CA-AB"))
        pool.ask("first", choices=10)
        pool.ask("long", choices=30)
        explanation = pool.core.explain("long", pool.now)

        assert "quota_energy" == explanation.reason
        assert 0.0 < explanation.values["left"] < explanation.values["needed"]

    def test_nobody_ahead_is_no_turn_of_others(self, pool: Pool) -> None:
        """A job that fits and was not reached yet is told that it is next."""
        pool.join(card("ab", zone="CA-AB", replicas=(replica(slots=1),)))
        expect_green_hour(pool, "CA-AB")
        (place,) = of(pool.ask("runs"), commands.Place)
        for number in range(2 * dispatch.SEARCHES_PER_EVENT):
            pool.ask(f"j{number}", max_carbon_ug=1)
        pool.ask("fits", max_carbon_ug=10**9)
        pool.report(place)
        explanation = pool.core.explain("fits", pool.now)

        assert "turn_is_next" == explanation.reason


class TestBounded:
    """The work of one event is bounded, however many limits differ."""

    def searches(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Notes each search of all nodes."""
        done: list[str] = []
        search = dispatch.evaluation.may_fit

        def counted(state, job):
            done.append(job.facts.job)
            return search(state, job)

        monkeypatch.setattr(dispatch.evaluation, "may_fit", counted)
        return done

    def full(self, jobs: int) -> tuple[Pool, commands.Place]:
        """A pool of one slot, taken, and as many jobs that wait under different caps."""
        pool = Pool()
        pool.join(card("ab", zone="CA-AB", replicas=(replica(slots=1),)))
        expect_green_hour(pool, "CA-AB")
        (place,) = of(pool.ask("runs", "beta"), commands.Place)
        for number in range(jobs):
            pool.ask(f"j{number}", max_carbon_ug=1 + number)
        return pool, place

    def test_distinct_caps_make_one_shape(self) -> None:
        """By how much a job is limited is no part of its shape."""
        pool, _ = self.full(300)

        assert 1 == len(pool.core._state.queue.shapes)

    def test_an_event_looks_at_so_many_jobs_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the slot opens no more jobs are looked at than the constant says; the rest soon."""
        pool, place = self.full(300)
        done = self.searches(monkeypatch)
        pool.report(place)
        at_once = len(done)
        settle(pool)

        assert dispatch.SEARCHES_PER_EVENT == at_once
        assert {f"j{number}" for number in range(300)} <= set(done)
        assert 300 == len(pool.core._state.blocked_jobs.jobs())
        checked(pool)

    def test_blocked_jobs_are_held_against_a_node_a_few_at_a_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A slot that opens and closes makes few searches; the job that fits is found in turn."""
        pool, place = self.full(300)
        pool.report(place)
        settle(pool)
        done = self.searches(monkeypatch)
        (place,) = of(pool.ask("runs-2", "beta"), commands.Place)
        pool.report(place)
        once = len(done)

        assert once <= 1 + dispatch.RECHECKS_PER_EVENT
        checked(pool)

    @pytest.mark.parametrize(("nodes", "late_s"), [(8, 0.0), (9, dispatch.SKIPPED_RETRY_S)])
    def test_many_nodes_that_get_cheaper_at_once_are_tried_soon(
        self, nodes: int, late_s: float
    ) -> None:
        """A job is tried on eight nodes in the same event; if there are nine, 50 ms later."""
        pool = Pool()
        expect_green_hour(pool, "CA-AB")
        pool.join(*(card(f"n{number}", zone="CA-AB") for number in range(nodes)))
        expect_green_hour(pool, "CA-AB")
        waits = placed(pool.ask("capped", max_carbon_ug=2_000))
        cleaner = pool.tell(events.IntensityChanged, "CA-AB", 2.0, 20.0, "measured", START + 1e6)
        settle(pool)

        assert [] == waits
        assert (["capped"] if not late_s else []) == placed(cleaner)
        assert ["capped"] == placed(pool.asked)
        assert START + late_s == pytest.approx(pool.now)
        checked(pool)

    def test_the_kinds_of_a_coops_jobs_are_limited(self) -> None:
        """Beyond the policy's limit of shapes a job is refused; another co-op's is not."""
        features = tuple(f"f{number}" for number in range(30))
        pool = Pool(limits=Limits(shapes_per_coop=20))
        pool.join(card("ab", replicas=(replica(slots=1, features=features),)))
        pool.ask("runs", "beta")
        refused = [
            (refuse.code, refuse.values["limit"])
            for feature in features
            for refuse in of(pool.ask(feature, features=(feature,)), commands.Refuse)
        ]
        other = pool.ask("other", "beta", features=("f29",))

        assert [("queue_shapes", 20)] * (30 - 20) == refused
        assert [] == of(other, commands.Refuse)

    def test_shapes_that_there_was_no_time_for_come_soon(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An event searches for at most ``SEARCHES_PER_EVENT`` shapes; later events do the rest."""
        features = tuple(f"f{number}" for number in range(200))
        pool = Pool("alpha", HALF_LENT, "gamma")
        pool.join(
            card("ab", "beta", replicas=(replica(slots=2, features=features),)),
            card("b", "beta", replicas=(replica(slots=1),), data_classes=(DataClass.PUBLIC,)),
        )
        (place,) = of(pool.ask("runs", "gamma"), commands.Place)
        for feature in features:
            pool.ask(feature, features=(feature,))
        done = self.searches(monkeypatch)
        pool.report(place)
        at_once = len(done)
        late = len(pool.core._state.queue.unexamined_shapes)
        settle(pool)

        assert 1 + dispatch.SEARCHES_PER_EVENT == at_once
        assert 200 - at_once == late
        assert () == pool.core._state.queue.unexamined_shapes
        checked(pool)


class TestMoments:
    """Skipped work is done by its deadline, whatever events come meanwhile."""

    def crowded(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Pool, list[tuple[str, float]]]:
        """A blocked job, and more shapes that wait for a lent slot than an event may look at.

        Returns:
            The pool, and from then on each search of all nodes: the job and the time.
        """
        monkeypatch.setattr(dispatch, "SEARCHES_PER_EVENT", 4)
        features = tuple(f"f{number}" for number in range(6))
        pool = Pool("alpha", HALF_LENT)
        pool.join(
            card("full", "beta", replicas=(replica(slots=2, features=features),)),
            card("open", zone="CA-AB"),
        )
        (place,) = of(pool.ask("runs", features=features), commands.Place)
        pool.accept(place)
        for feature in features:
            pool.ask(feature, features=(feature,), max_carbon_ug=10**9)
        expect_green_hour(pool, "CA-AB")
        pool.ask("blocked", max_carbon_ug=1, kind=JobKind.KEPT)  # a live one would end
        searches: list[tuple[str, float]] = []
        search = dispatch.evaluation.may_fit

        def noted(state, job):
            searches.append((job.facts.job, state.now))
            return search(state, job)

        monkeypatch.setattr(dispatch.evaluation, "may_fit", noted)
        return pool, searches

    def grid(self, pool: Pool) -> None:
        """Sends an unchanged grid intensity: all limited shapes are searched again."""
        pool.tell(events.NodesSeen, ("full", "open"))
        pool.progress(pool.places()[0], 1)
        pool.tell(events.IntensityChanged, "CA-QC", 1.3, 31.0, "measured", START + 1e6)

    def test_blocked_jobs_are_recalled_within_the_minute(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though shapes are skipped every half second and searched 50 ms later."""
        pool, searches = self.crowded(monkeypatch)
        began, late = pool.now, 0
        while pool.now < began + 125.0:
            pool.now += 0.5
            self.grid(pool)
            late += bool(pool.core._state.queue.unexamined_shapes)
            pool.now += dispatch.SKIPPED_RETRY_S
            pool.tell(events.Woke)
        recalled = [at - began for job, at in searches if job == "blocked"]

        assert late > 200
        assert [60.0, 120.0] == pytest.approx(recalled, abs=1.0)
        checked(pool)

    def test_late_shapes_are_looked_at_however_many_events_come(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Events every 10 ms do not postpone the search that is due after 50 ms."""
        pool, searches = self.crowded(monkeypatch)
        self.grid(pool)
        late = {shape.features[0] for shape in pool.core._state.queue.unexamined_shapes}
        searches.clear()
        for _ in range(6):
            pool.now += 0.01
            pool.tell(events.NodesSeen, ("open",))

        assert 2 == len(late)
        assert late == {job for job, _ in searches}

    def test_a_snapshot_of_before_there_were_two_moments_goes_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its one deadline, up to a minute ahead, delays neither look."""
        pool, searches = self.crowded(monkeypatch)
        state = pool.core._state
        state.deadlines.clear(DeadlineKind.BLOCKED_JOBS, "")
        state.deadlines.set(DeadlineKind.SKIPPED_SHAPES, "", pool.now + 60.0)
        pool.core = Core.restore(pool.core.snapshot())
        self.grid(pool)
        pool.now = pool.core.next_deadline()
        pool.tell(events.Woke)
        late = pool.core._state.queue.unexamined_shapes
        for _ in range(7):
            pool.now += 9.0
            self.grid(pool)

        assert () == late
        assert "blocked" in {job for job, _ in searches}


def test_a_restored_core_looks_at_blocked_jobs_in_the_same_order() -> None:
    """Blocked jobs, due jobs and skipped shapes are in the snapshot."""
    pool = Pool(limits=Limits(queued_per_coop=1_000))
    pool.join(card("ab", zone="CA-AB", replicas=(replica(slots=1),)))
    expect_green_hour(pool, "CA-AB")
    (place,) = of(pool.ask("runs", "gamma"), commands.Place)
    for number in range(150):
        pool.ask(f"j{number}", ("alpha", "beta")[number % 2], max_carbon_ug=1 + number)
    pool.report(place)
    pool.tell(events.IntensityChanged, "CA-AB", 371.0, 430.0, "measured", START + 1e6)
    twin = Core.restore(pool.core.snapshot())
    rest = [events.Woke(10_000 + number, pool.now + 0.06 * number) for number in range(40)] + [
        events.IntensityChanged(11_000, pool.now + 9.0, "CA-AB", 0.3, 9.0, "measured", START + 1e6)
    ]

    assert [pool.core.handle(event) for event in rest] == [twin.handle(event) for event in rest]
    assert pool.core.snapshot() == twin.snapshot()


def test_a_restored_core_tries_nodes_in_the_same_order() -> None:
    """Nodes that get cheaper at once are tried by name, not in the order in which they joined."""
    pool = Pool()
    expect_green_hour(pool, "CA-AB")
    small = card("small", zone="CA-AB")
    large = card("large", zone="CA-AB", power=Power("bench", 10.0, 2_010.0, Basis.DECLARED))
    pool.join(small, large, small)
    expect_green_hour(pool, "CA-AB")
    for number in range(dispatch.JOBS_PER_VIEW + 8):
        fits = number == dispatch.JOBS_PER_VIEW + 3  # the second node that is tried tries it
        pool.ask(f"j{number}", max_carbon_ug=2_000 if fits else 1)
    twin = Core.restore(pool.core.snapshot())
    cleaner = events.IntensityChanged(99, pool.now, "CA-AB", 20.0, 20.0, "measured", START + 1e6)

    assert ["j35"] == placed(pool.core.handle(cleaner))
    assert ["j35"] == placed(twin.handle(cleaner))
