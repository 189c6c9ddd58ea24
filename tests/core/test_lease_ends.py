"""Effects of a lease on demand, pauses, blocked shapes, waiting work and the fair queue."""

import pytest
from tests.core.builders import (
    GB,
    START,
    Pool,
    card,
    catalogue,
    entry,
    of,
    place_in,
    placed,
    replica,
)
from tests.core.loading import offering

from entraide.types import Basis, EnergyStatus, JobClass, JobKind, Outcome
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.fleet import ReplicaView
from entraide_scheduler.core.leases import leases
from entraide_scheduler.core.policy import Period, Quota, QuotaKind
from entraide_scheduler.core.records import DeadlineKind, LeaseState, ModelLoad, ModelLoadState
from entraide_scheduler.core.rules import NOT_ACCEPTING, bit_of

MODEL = "petit"
HEARD = ("qc-1", "on-1", "ab-1")
LONG = {"input_tokens_est": 3_000, "input_tokens_max": 3_200}  # three seconds until it is read


def fail(pool: Pool, place: commands.Place, code: str = "engine_failed") -> list[commands.Command]:
    pool.accept(place)
    return pool.report(place, Outcome.FAILED, code=code)


def lane_of(pool: Pool, node: str) -> ReplicaView:
    view = pool.core._state.fleet.replica_index.view_of(MODEL, node)
    assert view is not None
    return view


class TestDemand:
    """An objective missed for lack of replicas is recorded, so that one more is loaded."""

    def test_only_a_busy_replica_misses_for_want_of_another(self, pool: Pool) -> None:
        """A prompt whose prefill alone misses the objective is not recorded."""
        pool.join(offering("able", MODEL), card("n1"))
        demands = pool.core._state.demand.by_model
        pool.now += 1.0
        idle = placed(pool, "idle", **LONG)
        after_idle = demands[MODEL].missed_at
        busy = placed(pool, "busy", **LONG)
        after_busy = demands[MODEL].missed_at
        shape = pool.core._state.jobs["busy"].shape

        assert (idle.terms.at_risk, after_idle) == (True, 0.0)
        assert (busy.terms.at_risk, after_busy) == (True, START + 1.0)
        assert demands[MODEL].missing_since == START + 1.0
        assert demands[MODEL].shape == shape

    def test_a_kept_promise_is_no_want(self, pool: Pool) -> None:
        """A busy replica that meets the objective is enough."""
        pool.join(offering("able", MODEL), card("n1"))
        kept = [placed(pool, f"j{number}").terms.at_risk for number in range(2)]

        assert kept == [False, False]
        assert pool.core._state.demand.by_model[MODEL].missed_at == 0.0

    def test_a_pool_that_can_load_nothing_counts_nothing(self, pool: Pool) -> None:
        """If no node can load a model, no miss is recorded."""
        pool.join(card("n1"))
        state = pool.core._state
        state.demand.record_request(MODEL, 1.0, pool.now, 60.0)
        risks = [placed(pool, f"j{number}", **LONG).terms.at_risk for number in range(2)]

        assert risks == [True, True]
        assert state.demand.by_model[MODEL].missed_at == 0.0


class TestOffers:
    """Terms and predictions of an offer."""

    def test_placements_are_numbered(self, three: Pool) -> None:
        """Each has the next number, which its replica keeps as its turn."""
        turns = []
        for number in range(3):
            place = placed(three, f"j{number}")
            turns.append(lane_of(three, place.node).load.turn)

        assert turns == [1, 2, 3]
        assert three.core._state.placements == 3

    @pytest.mark.parametrize(("choices", "answers"), [(0, 1), (1, 1), (3, 3)])
    def test_a_run_holds_its_prompt_and_its_longest_answers(
        self, three: Pool, choices: int, answers: int
    ) -> None:
        """One answer at least, whatever number the request names."""
        placed(three, choices=choices)

        assert three.core._state.leases["j1"].bill.reserved_tokens == 150 + answers * 100

    def test_carbon_is_held_as_it_is_predicted(self) -> None:
        """A quota of carbon holds the prediction until the run is over."""
        pool = Pool("alpha", quotas={"alpha": (Quota(QuotaKind.CARBON_G, 100, Period.DAY),)})
        pool.tell(events.PeriodBegan, Period.DAY, START + 86_400.0)
        pool.join(card("n1"))
        placed(pool)
        lease = pool.core._state.leases["j1"]

        assert lease.expected.carbon_ug > 0
        assert [hold.amount for hold in lease.holds] == [lease.expected.carbon_ug]

    def test_a_held_beginning_is_not_expected_to_be_read(self, pool: Pool) -> None:
        """If the node holds the state of a part of the prompt, the rest is left to read."""
        pool.join(card("n1"))
        placed(pool, warm=())
        cold = pool.core._state.leases["j1"].expected.input_tokens
        placed(pool, "j2", warm=(("n1", 60), ("elsewhere", 90)))
        warm = pool.core._state.leases["j2"].expected.input_tokens

        assert (cold, warm) == (100, 40)

    def test_terms_tell_what_the_smaller_model_takes(self, pool: Pool) -> None:
        """By its own replica where one is served; nothing for the smallest itself."""
        pool.tell(
            events.CatalogueChanged,
            catalogue(entry("mini"), entry(MODEL, parameters=9 * GB, active_parameters=9 * GB)),
        )
        pool.join(card("n1"), card("n2", replicas=(replica("mini"),)))
        larger, smallest = placed(pool), placed(pool, "j2", model="mini")

        assert larger.terms.smaller is not None
        assert (larger.terms.smaller.model, larger.terms.smaller.basis) == ("mini", Basis.ESTIMATED)
        assert smallest.terms.smaller is None

    def test_a_smaller_model_that_is_not_served_is_told_by_the_lane_at_hand(
        self, pool: Pool
    ) -> None:
        """Half of what a token takes on the replica that runs the job, by the catalogue."""
        pool.tell(
            events.CatalogueChanged,
            catalogue(
                entry("mini", energy_wh_per_1k_tokens=1.0),
                entry(
                    MODEL,
                    parameters=9 * GB,
                    active_parameters=9 * GB,
                    energy_wh_per_1k_tokens=2.0,
                ),
            ),
        )
        pool.join(card("n1"), offering("able", "mini"))
        before = lane_of(pool, "n1").cost
        smaller = placed(pool).terms.smaller

        assert smaller is not None
        assert (smaller.model, smaller.basis) == ("mini", Basis.DEFAULT)
        assert smaller.input_uwh == before.input_uwh / 2
        assert smaller.output_uwh == before.output_uwh / 2

    def test_without_a_catalogue_no_model_is_smaller(self, three: Pool) -> None:
        """Nobody knows the sizes of the models that nodes serve."""
        assert placed(three).terms.smaller is None

    def test_an_answer_is_expected_within_its_limit(self, three: Pool) -> None:
        """Three answers of 20 tokens at most, though longer ones are expected."""
        three.report(placed(three))
        placed(three, "j2", choices=3, output_tokens_max=20)

        assert three.core._state.leases["j2"].bill.expected_tokens == 3 * 20


class TestOver:
    """An ended lease."""

    def test_it_stands_as_over(self, three: Pool) -> None:
        """No transition leaves the ended state."""
        place = placed(three)
        lease = three.core._state.leases["j1"]
        three.report(place)

        assert lease.state is LeaseState.OVER

    def test_a_stopped_run_frees_the_replica_that_it_had_alone(self, three: Pool) -> None:
        """The slot is free when the node has reported, not when the job is cancelled."""
        second = place_in(fail(three, placed(three), "engine_exited"))
        three.accept(second)
        three.tell(events.JobCancelled, "j1", "client_gone")
        held = set(three.core._state.exclusive_replicas), lane_of(three, second.node).load.reserved
        three.report(second, Outcome.CANCELLED)

        assert held == ({"j1"}, "j1")
        assert three.core._state.exclusive_replicas == {}
        assert lane_of(three, second.node).load.reserved == ""


class TestAlone:
    """A job that waits for another co-op's engine, which is busy; then there is none any more."""

    def waiting(self, pool: Pool) -> None:
        """j1 ended the engine of n1, and n2, which is emptied for it, has a run of beta's."""
        pool.join(card("n1"), card("n2", "beta", "CA-ON"))
        held = placed(pool, "held", "beta", jurisdiction="CA-ON")
        assert held.node == "n2"
        pool.accept(held)
        assert of(fail(pool, placed(pool), "engine_exited"), commands.Place) == []
        pool.now += 6.0
        pool.tell(events.NodesSeen, ("n1", "n2"))
        pool.progress(held, 1)
        assert set(pool.core._state.exclusive_replicas) == {"j1"}

    def test_a_node_that_takes_nothing_more_is_waited_for_by_nobody(self, pool: Pool) -> None:
        """Its owner wants no more work: the job has its own co-op's engine once more."""
        self.waiting(pool)
        place = place_in(pool.tell(events.NodeChanged, "n2", False, "", None))

        assert (place.job, place.node) == ("j1", "n1")

    def test_a_node_that_left_is_waited_for_by_nobody(self, pool: Pool) -> None:
        """The job has its own co-op's engine in the same event."""
        self.waiting(pool)
        asked = pool.tell(events.NodeLeft, "n2", "goodbye")

        assert [(place.job, place.node) for place in of(asked, commands.Place)][:1] == [
            ("j1", "n1")
        ]


class TestOpened:
    """Blocked shapes are evaluated again only when a replica may admit them."""

    def test_a_full_replica_opens_for_nobody(self, pool: Pool) -> None:
        """A shape without green hours may start, and still finds no slot."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        placed(pool)
        pool.ask("j2")
        state = pool.core._state
        before = state.queue.blocked_shapes
        leases.retry_model(state, lane_of(pool, "n1"))

        assert before == (state.jobs["j2"].shape,)
        assert state.queue.blocked_shapes == before

    def test_a_node_that_is_forgiven_takes_what_waited_for_it(self, three: Pool) -> None:
        """A job that failed everywhere was to blame: the first node's rest ends with the job."""
        for name in HEARD:
            lane_of(three, name).load.completed = True
        first = placed(three, "bad")
        second = place_in(fail(three, first))
        waits = of(three.ask("j2", jurisdiction="CA-QC"), commands.Place)
        third = place_in(fail(three, second))
        fourth = place_in(fail(three, third))
        asked = fail(three, fourth)

        assert (first.node, waits) == ("qc-1", [])
        assert [end.code for end in of(asked, commands.EndJob)] == ["too_many_attempts"]
        assert [(place.job, place.node) for place in of(asked, commands.Place)] == [("j2", "qc-1")]


class TestPauses:
    """A paused replica."""

    def sunny(self, pool: Pool) -> None:
        """A node whose quote rests on the time of day, and one that is a little less green."""
        sun = EnergyStatus(500.0, Basis.MEASURED, "meter", START, START + 3_600.0)
        pool.join(card("n1", energy=sun), card("n2", "beta", "CA-ON"))

    def test_a_paused_replica_is_shut_at_once(self, pool: Pool) -> None:
        """And open again when the pause is over."""
        self.sunny(pool)
        state, view = pool.core._state, lane_of(pool, "n1")
        before = view.blocked_bits
        leases.pause_replica(state, view.node, MODEL, reason="full", for_s=1.0)
        paused = view.blocked_bits
        asked = pool.wait(1.0, seen=("n1", "n2"))

        assert (before, asked) == (0, [])
        assert paused == bit_of(NOT_ACCEPTING)
        assert (view.load.paused, view.blocked_bits) == ("", before)

    def test_a_model_that_leaves_stays_shut(self, pool: Pool) -> None:
        """The end of a pause is not the end of an unloading; the node's other models open."""
        pool.join(card("n1", replicas=(replica(), replica("grand"))))
        state, node = pool.core._state, pool.core._state.fleet.nodes["n1"]
        node.orders["grand"] = ModelLoad(
            "grand", ModelLoadState.UNLOADING, START, START, GB, "operator", START
        )
        node.loads["grand"].paused = node.loads[MODEL].paused = "x"
        leases.end_pause(state, "n1")
        paused = {model: load.paused for model, load in node.loads.items()}
        node.orders.clear()
        leases.end_pause(state, "n1")
        pool.tell(events.Woke)

        assert paused == {MODEL: "", "grand": "x"}


class TestAgain:
    """A requeued job is counted as a new one."""

    def test_a_batch_job_in_line_again_waits_for_green_hours_as_before(self, pool: Pool) -> None:
        """The job counts once in the waiting work until it is placed."""
        pool.join(card("n1"))
        backlog = pool.core._state.shift_planner.backlog
        place = placed(pool, job_class=JobClass.BATCH, kind=JobKind.KEPT)
        running = backlog.jobs("alpha")
        asked = pool.decline(place, "full")
        waiting = backlog.jobs("alpha"), [work_s > 0.0 for _, work_s in backlog.work(MODEL)]
        later = pool.wait(1.0, seen=("n1",))

        assert (running, of(asked, commands.Place)) == (0, [])
        assert waiting == (1, [True])
        assert len(of(later, commands.Place)) == 1
        assert (backlog.jobs("alpha"), backlog.work(MODEL)) == (0, [])

    def test_the_plan_of_models_is_looked_at_while_it_waits(self, pool: Pool) -> None:
        """A job that lost its run may need another replica, as one that came may."""
        pool.join(card("n1"), offering("able", MODEL))
        place = placed(pool)
        deadlines = pool.core._state.deadlines
        deadlines.clear(DeadlineKind.MODEL_PLAN, "")
        pool.decline(place, "full")

        assert deadlines.is_set(DeadlineKind.MODEL_PLAN, "")


class TestLose:
    """Leases of a node that is lost or has restarted."""

    def test_runs_that_it_still_holds_go_on_wherever_they_stand(self, three: Pool) -> None:
        """The first and the last are held, the one between is lost and runs elsewhere."""
        node_card = card("qc-1", "alpha", "CA-QC")
        three.tell(events.NodeJoined, node_card, True, "", boot="b1")
        places = [placed(three, f"j{number}") for number in range(3)]
        for place in places:
            three.accept(place)
        held = tuple((place.job, place.epoch) for place in (places[0], places[2]))
        three.tell(events.NodeJoined, node_card, True, "", boot="b2", held=held)
        runs = {name: lease.terms.epoch for name, lease in three.core._state.leases.items()}

        assert {place.node for place in places} == {"qc-1"}
        assert (runs["j0"], runs["j2"]) == (places[0].epoch, places[2].epoch)
        assert runs["j1"] == places[1].epoch + 1

    def test_other_nodes_go_first_after_a_loss(self, three: Pool) -> None:
        """A job remembers the node that it lost its run with."""
        place = placed(three)
        three.tell(events.NodeLeft, place.node, "goodbye")

        assert three.core._state.jobs["j1"].avoid == (place.node,)
