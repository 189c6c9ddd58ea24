"""Placement: filter, prediction and pick, with numbers that can be computed by hand."""

import pytest
from tests.core.builders import (
    MODEL,
    START,
    Pool,
    card,
    excluded,
    expect_green_hour,
    kinds,
    of,
    placed,
    rates,
    replica,
    surplus,
)

from entraide.types import Basis, JobClass, JobKind, Power
from entraide_scheduler.core import commands, events


def test_silent_nodes_are_excluded_by_their_silence(pool: Pool) -> None:
    """Suspect and lost nodes are excluded by their state; waiting may help."""
    pool.join(card("lost"))
    pool.wait(7.0)
    pool.join(card("suspect"))
    pool.wait(4.0)
    pool.join(card("able"))
    place = placed(pool)

    assert excluded(place) == {"lost": "node_lost", "suspect": "node_suspect"}
    assert all(exclusion.waiting_helps for exclusion in place.explanation.excluded)


def test_a_node_without_a_free_slot_is_excluded(pool: Pool) -> None:
    """Leases of ours, offered ones too, fill the slots of a replica."""
    pool.join(card("one", replicas=(replica(slots=1),)), card("two", zone="CA-AB"))
    first, second = placed(pool, "j1"), placed(pool, "j2")

    assert (first.node, second.node) == ("one", "two")
    assert excluded(second) == {"one": "no_free_slot"}


def test_what_is_predicted_can_be_worked_out(pool: Pool) -> None:
    """RTT + queued and own prefill, TPOT of the batch, energy share, grams."""
    pool.join(card("n1", zone="CA-AB"))
    placed(pool, "before", input_tokens_est=400)
    place = placed(pool, "j1", input_tokens_est=100, output_tokens_max=1_000)
    (candidate,) = place.explanation.candidates
    # Nine runs of ten stay below 30 % above the mean; 99 of 100 lie 1.8 times as far from it.
    start_s, alone_s = 0.02, 1 / 1_000  # the first step; a prompt token with nothing else running
    beside_s = alone_s + (0.02 + 0.002) / 512  # in a step beside one sequence
    tpot_s = 0.02 + 0.002 * 2
    energy_j = 100.0 * (100 * alone_s + 128 * tpot_s / 2)

    assert candidate.ttft_s == pytest.approx(0.02 + 2 * start_s + 400 * alone_s + 100 * beside_s)
    assert candidate.ttft_upper_s == pytest.approx((1 + 0.3 * 1.815259) * candidate.ttft_s)
    assert candidate.tpot_s == pytest.approx(tpot_s)
    assert candidate.energy_uwh == pytest.approx(energy_j / 3_600 * 1e6, abs=1)
    assert candidate.carbon_ug == pytest.approx(candidate.energy_uwh * 372.0 / 1_000, abs=1)


def test_a_first_token_frees_the_prefill_queue(pool: Pool) -> None:
    """A job that has produced something is no queued prompt any more."""
    pool.join(card("n1"))
    before = placed(pool, "before", input_tokens_est=400)
    pool.progress(before, 1)
    (candidate,) = placed(pool, "j1").explanation.candidates

    assert candidate.ttft_s == pytest.approx(0.02 + 0.02 + 0.1 + 100 * (0.02 + 0.002) / 512)


def test_a_first_token_that_comes_late_puts_off_those_behind(pool: Pool) -> None:
    """The remaining prompts are read from the first token on, even if it was late."""
    pool.join(card("n1"))
    first = placed(pool, "first", input_tokens_est=400)
    placed(pool, "second", input_tokens_est=300)
    pool.wait(3.0, seen=("n1",))
    pool.progress(first, 1)
    (candidate,) = placed(pool, "j1", input_tokens_est=100).explanation.candidates
    in_line_s = 0.02 + 0.3 + 300 * (0.02 + 0.002) / 512
    told_s = 0.02  # it was read when its token set out, and the next prompt has been there since

    assert candidate.ttft_s == pytest.approx(
        0.02 - told_s + in_line_s + 0.02 + 0.1 + 100 * (0.02 + 0.002 * 2) / 512
    )


def test_the_second_job_also_waits_for_a_machine_to_wake(pool: Pool) -> None:
    """A machine that is being woken for one job is no sooner awake for the next."""
    pool.join(card("n1", power=Power("bench", 10.0, 110.0, Basis.DECLARED, wake_s=8.0)))
    placed(pool, "first", input_tokens_est=400)
    (candidate,) = placed(pool, "j1", input_tokens_est=100).explanation.candidates

    assert candidate.ttft_s > 8.0


def test_answers_so_far_teach_how_long_the_next_is(pool: Pool) -> None:
    """After long answers of a co-op the predicted energy rises."""
    pool.join(card("n1"))
    first = placed(pool, "j1", output_tokens_max=1_000)
    pool.report(first, output_tokens=900)
    second = placed(pool, "j2", output_tokens_max=1_000)

    assert (
        second.explanation.candidates[0].energy_uwh > 5 * first.explanation.candidates[0].energy_uwh
    )


def test_the_greenest_is_picked(three: Pool) -> None:
    """With equal machines in three provinces the job goes to Québec."""
    place = placed(three)

    assert place.node == "qc-1"
    assert place.explanation.reason == "greenest"
    assert [candidate.node for candidate in place.explanation.candidates] == [
        "qc-1",
        "on-1",
        "ab-1",
    ]


def test_a_greener_node_that_misses_the_objective_is_not_picked(pool: Pool) -> None:
    """A greener node that would miss the promise is passed over, and named."""
    slow = replica(rates=rates(prefill_tokens_per_s=40.0))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", "beta", zone="CA-AB"))
    place = placed(pool)

    assert (place.node, place.explanation.reason) == ("fast", "greenest")
    assert place.explanation.values["greener_node"] == "slow"
    assert place.explanation.values["greener_rule"] == "promise_at_risk"
    assert not place.terms.at_risk


def test_a_slow_stream_breaks_the_promise_too(pool: Pool) -> None:
    """The time per token is promised as well as the first token."""
    slow = replica(rates=rates(tpot_base_s=0.5))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))

    assert placed(pool).node == "fast"


def test_when_none_keeps_the_promise_the_fastest_is_picked(pool: Pool) -> None:
    """Then the receipt says that the promise is at risk."""
    for name, zone, rate in (("green", "CA-QC", 20.0), ("fast", "CA-AB", 40.0)):
        pool.join(
            card(name, zone=zone, replicas=(replica(rates=rates(prefill_tokens_per_s=rate)),))
        )
    place = placed(pool)

    assert (place.node, place.explanation.reason) == ("fast", "fastest_at_risk")
    assert place.terms.at_risk


def test_queueing_time_counts(pool: Pool) -> None:
    """A job that waited longer than its promise goes to the fastest node."""
    pool.join(card("n1", replicas=(replica(slots=1),)))
    first = placed(pool, "j1")
    pool.ask("j2")
    pool.wait(3.0, seen=("n1",))
    (second,) = of(pool.report(first), commands.Place)

    assert second.terms.at_risk
    assert second.explanation.reason == "fastest_at_risk"


def test_a_class_without_a_first_token_promise_takes_the_slow_green_node(pool: Pool) -> None:
    """Standard work promises a completion: it may start later, where it is greener."""
    slow = replica(rates=rates(prefill_tokens_per_s=40.0))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))

    assert placed(pool, job_class=JobClass.STANDARD).node == "slow"


def test_a_completion_is_promised_from_the_request_on(pool: Pool) -> None:
    """A standard job that waited long goes where it ends within what is left of its time."""
    slow = replica(rates=rates(prefill_tokens_per_s=2.0))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))
    pool.wait(5.0)
    standard = {"job_class": JobClass.STANDARD, "kind": JobKind.KEPT}
    pool.ask("waited", **standard)
    pool.wait(100.0)
    (waited,) = of(pool.tell(events.NodesSeen, ("fast", "slow")), commands.Place)
    new = placed(pool, "new", **standard)

    assert (waited.node, new.node) == ("fast", "slow")
    assert not waited.terms.at_risk


def test_at_risk_a_completion_goes_where_it_ends_first(pool: Pool) -> None:
    """Fastest means the earliest end for a class that promises an end."""
    starts_late = replica(rates=rates(prefill_tokens_per_s=2.0, tpot_base_s=0.7))
    ends_late = replica(rates=rates(tpot_base_s=2.0))
    pool.join(card("ends-late", replicas=(ends_late,)), card("late", replicas=(starts_late,)))
    place = placed(pool, job_class=JobClass.STANDARD)

    assert (place.node, place.explanation.reason) == ("late", "fastest_at_risk")


def test_a_deadline_is_a_promise(pool: Pool) -> None:
    """A job with a deadline goes where it is predicted to end in time."""
    slow = replica(rates=rates(prefill_tokens_per_s=40.0))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))
    place = placed(pool, job_class=JobClass.BATCH, deadline_at=START + 4.0)

    assert place.node == "fast"


def test_equal_grams_go_to_the_thriftier_machine(pool: Pool) -> None:
    """Within the tolerance grams are equal, and the least energy wins."""
    pool.tell(events.IntensityChanged, "CA-NS", 100.0, 100.0, "measured", START)
    pool.tell(events.IntensityChanged, "CA-NB", 102.0, 102.0, "measured", START)
    thrifty = Power("bench", 10.0, 109.0, Basis.DECLARED)
    pool.join(card("a", zone="CA-NS"), card("b", zone="CA-NB", power=thrifty))
    first, second = placed(pool).explanation.candidates

    assert (first.node, second.node) == ("b", "a")
    assert second.carbon_ug < first.carbon_ug < 1.02 * second.carbon_ug
    assert first.energy_uwh < second.energy_uwh


@pytest.mark.parametrize(
    ("next_g_per_kwh", "on_the_greenest"),
    [(100.0, 2), (104.0, 4), (600.0, 4)],
    ids=["as clean", "a little dirtier", "far dirtier"],
)
def test_a_machine_is_filled_where_it_is_cleaner(
    pool: Pool, next_g_per_kwh: float, on_the_greenest: int
) -> None:
    """Machines of one intensity share the work; a cleaner one takes it as far as it has slots."""
    pool.tell(events.IntensityChanged, "CA-NS", 100.0, 100.0, "measured", START)
    pool.tell(events.IntensityChanged, "CA-NB", next_g_per_kwh, next_g_per_kwh, "measured", START)
    flat = replica(slots=4, rates=rates(tpot_base_s=0.0, tpot_per_sequence_s=0.02))
    pool.join(card("a", zone="CA-NS", replicas=(flat,)), card("b", zone="CA-NB", replicas=(flat,)))
    places = [placed(pool, f"j{number}") for number in range(4)]

    assert on_the_greenest == [place.node for place in places].count("a")


def test_time_that_is_taken_up_counts_for_more_than_slots(pool: Pool) -> None:
    """Half of the slots decoding leave more room than a quarter with a prompt in line."""
    flat = replica(slots=4, rates=rates(tpot_base_s=0.0, tpot_per_sequence_s=0.02))
    pool.join(card("decodes", replicas=(flat,)))
    for number in range(2):
        pool.progress(placed(pool, f"decoding{number}"), 1)
    pool.join(card("reads", replicas=(flat,)))
    reading = placed(pool, "reading", input_tokens_est=340, input_tokens_max=400)

    assert (reading.node, placed(pool).node) == ("reads", "decodes")


def test_why_a_fuller_machine_was_passed_over_is_told(pool: Pool) -> None:
    """The explanation names the greener machine, and that little room is left there."""
    flat = replica(slots=4, rates=rates(tpot_base_s=0.0, tpot_per_sequence_s=0.02))
    pool.join(card("a", replicas=(flat,)))
    pool.join(card("b", replicas=(flat,), power=Power("bench", 10.0, 170.0, Basis.DECLARED)))
    place = [placed(pool, f"j{number}") for number in range(3)][-1]

    assert (place.node, place.explanation.reason) == ("b", "greenest_with_room")
    assert place.explanation.values["greener_node"] == "a"
    assert place.explanation.values["greener_rule"] == "little_room"


def test_all_equal_the_name_decides(pool: Pool) -> None:
    """Two machines alike: the first by name, whichever joined first."""
    pool.join(card("b"), card("a"))

    assert placed(pool).node == "a"


def test_own_surplus_beats_hydro_until_it_is_used(three: Pool) -> None:
    """Surplus that our own jobs already use is not counted twice."""
    three.join(card("on-1", "beta", "CA-ON", energy=surplus(120.0)))
    first = placed(three, "j1")
    batch = placed(three, "j2")
    three.tell(events.NodeChanged, "on-1", True, "", surplus(60.0))
    third = placed(three, "j3")

    assert (first.node, first.terms.surplus_basis) == ("on-1", Basis.MEASURED)
    assert first.terms.intensity_direct_g_per_kwh == 0.0
    assert batch.node == "on-1"
    assert third.node == "qc-1"


def test_a_site_without_surplus_loses_to_a_cleaner_grid(three: Pool) -> None:
    """With sun the job goes to Ontario; without it the next goes to Québec, and says why."""
    three.join(card("on-1", "beta", "CA-ON", energy=surplus(400.0)))
    sunny = placed(three, "j1")
    three.tell(events.NodeChanged, "on-1", True, "", surplus(0.0))
    cloudy = placed(three, "j2")
    values = cloudy.explanation.values

    assert (sunny.node, cloudy.node) == ("on-1", "qc-1")
    assert (values["zone"], values["next_zone"]) == ("CA-QC", "CA-ON")
    assert values["carbon_g"] < values["next_carbon_g"]
    assert {c.node: c.surplus_w for c in cloudy.explanation.candidates}["on-1"] == 0.0


def test_an_expired_surplus_does_not_count(three: Pool) -> None:
    """A statement of surplus counts until it expires, even if the node says nothing new."""
    three.join(card("on-1", "beta", "CA-ON", energy=surplus(400.0, until=START + 5.0)))
    three.wait(6.0, seen=("qc-1", "on-1", "ab-1"))

    assert placed(three).node == "qc-1"


def test_a_carbon_cap_is_kept(three: Pool) -> None:
    """A job with a cap waits for a node that emits less, and starts when there is one."""
    three.tell(events.NodeChanged, "qc-1", False, "paused", None)
    waiting = three.ask("j1", max_carbon_ug=100)
    explanation = three.core.explain("j1", three.now)
    (place,) = of(three.tell(events.NodeChanged, "qc-1", True, "", None), commands.Place)

    assert waiting == []
    assert explanation.excluded_counts == {"over_carbon_cap": 2, "not_accepting": 1}
    assert place.node == "qc-1"


def test_a_greener_grid_lets_a_capped_job_start(three: Pool) -> None:
    """When a grid becomes cleaner, jobs with a cap are looked at again."""
    three.tell(events.NodeLeft, "qc-1", "goodbye")
    expect_green_hour(three, "CA-ON")
    three.ask("j1", max_carbon_ug=100)
    asked = three.tell(events.IntensityChanged, "CA-ON", 1.0, 20.0, "measured", START)

    assert [place.node for place in of(asked, commands.Place)] == ["on-1"]


class TestExplanations:
    """No decision without a reason."""

    def test_a_greener_node_that_could_not_is_named(self, pool: Pool) -> None:
        """The explanation says which greener node was ruled out, and by what."""
        pool.join(card("green", "alpha", "CA-QC"), card("other", "beta", "CA-AB"))
        pool.tell(events.NodeChanged, "green", False, "owner_busy", None)
        values = placed(pool).explanation.values

        assert values["greener_coop"] == "alpha"
        assert values["greener_rule"] == "not_accepting"

    def test_one_node_alone_is_the_only_one(self, pool: Pool) -> None:
        """With a single candidate nothing was compared."""
        pool.join(card("n1"))

        assert placed(pool).explanation.reason == "only_one"

    def test_a_waiting_job_is_explained_afresh(self, pool: Pool) -> None:
        """It waits for a slot; another co-op's later job waits for its turn."""
        pool.join(card("n1", replicas=(replica(slots=1),)))
        placed(pool, "running")
        pool.ask("first")
        pool.ask("other", "beta")
        first = pool.core.explain("first", pool.now)
        other = pool.core.explain("other", pool.now)

        assert (first.decision, first.reason) == ("waiting", "fair_share_turn")
        assert (other.reason, other.values["nodes"]) == ("no_free_slot", 1)
        assert other.waiting_helps

    def test_a_job_that_waits_for_a_silent_node_says_so(self, pool: Pool) -> None:
        """Without a live node the reason is that, with the rule that tells more."""
        pool.join(card("n1"))
        pool.wait(5.0)
        pool.join(card("n2", zone="US-NY"), card("n3", zone="US-NY"))
        pool.ask("j1")
        explanation = pool.core.explain("j1", pool.now)

        assert explanation.reason == "no_node_live"
        assert explanation.values["rule"] == "node_suspect"

    def test_an_unknown_job_has_none(self, pool: Pool) -> None:
        """An unknown job has no explanation."""
        assert pool.core.explain("nothing", pool.now) is None

    def test_a_large_fleet_is_told_by_its_best_and_by_counts(self, pool: Pool) -> None:
        """Above 64 nodes: the best by grams and by latency, and one example of each rule."""
        quick = replica(rates=rates(prefill_tokens_per_s=9_000.0))
        pool.join(*(card(f"green-{n:03}", zone="CA-QC") for n in range(50)))
        pool.join(*(card(f"fast-{n:03}", zone="CA-AB", replicas=(quick,)) for n in range(50)))
        pool.join(*(card(f"abroad-{n:03}", zone="US-NY") for n in range(50)))
        explanation = placed(pool).explanation

        assert explanation.excluded_counts == {"wrong_jurisdiction": 50}
        assert [exclusion.node for exclusion in explanation.excluded] == ["abroad-000"]
        assert [candidate.zone for candidate in explanation.candidates] == ["CA-QC"] * 16 + [
            "CA-AB"
        ] * 16
        assert explanation.node == explanation.candidates[0].node == "green-000"


def test_the_nodes_can_be_looked_at(three: Pool) -> None:
    """The view tells each node's state and what our leases put on it."""
    placed(three)
    views = {view.card.node: view for view in three.core.nodes()}

    assert {name: view.leases for name, view in views.items()} == {
        "ab-1": {},
        "on-1": {},
        "qc-1": {MODEL: 1},
    }
    assert kinds(three.tell(events.NodesSeen, ("ab-1", "on-1", "qc-1"))) == []
