"""The pick: grams where a promise is lost, where margins are wide, where zones differ little."""

from collections import Counter

import pytest
from tests.core.builders import (
    START,
    Pool,
    card,
    place_in,
    placed,
    rates,
    replica,
    surplus,
)

from entraide.types import Basis, NodeCard, Power
from entraide_scheduler.core import events
from entraide_scheduler.core.policy import Carbon
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.prediction import late_risk

FLAT = rates(tpot_base_s=0.0, tpot_per_sequence_s=0.02)  # energy does not depend on the batch


def reader(name: str, zone: str, prefill_tokens_per_s: float, **changes: object) -> NodeCard:
    """A machine that reads prompts at a rate."""
    served = replica(rates=rates(prefill_tokens_per_s=prefill_tokens_per_s))
    return card(name, zone=zone, replicas=(served,), **changes)


def test_work_that_may_be_in_time_is_not_made_late(pool: Pool) -> None:
    """The fastest may keep the promise, and a greener one a little slower may not."""
    pool.join(reader("fast", "CA-AB", 53.0), reader("green", "CA-QC", 49.0))
    place = placed(pool)

    assert (place.node, place.explanation.reason) == ("fast", "fastest_at_risk")


def test_work_that_is_late_anyway_goes_where_it_emits_least_of_the_soonest(pool: Pool) -> None:
    """The promised moment is yet to come, and no machine can keep it: 0.1 s buys no grams."""
    pool.join(reader("fast", "CA-AB", 40.0), reader("green", "CA-QC", 38.0))
    place = placed(pool)

    assert (place.node, place.explanation.reason) == ("green", "fastest_at_risk")
    assert place.explanation.values["speed"] == "nearly"


@pytest.mark.parametrize(
    ("green_tokens_per_s", "picked"), [(34.0, "green"), (30.0, "fast")], ids=["nearly", "slower"]
)
@pytest.mark.parametrize("begun_s", [0.5, 3.0], ids=["time left", "time over"])
@pytest.mark.parametrize("factor", [1.0, 50.0], ids=["late", "soon"])
def test_a_resumed_answer_goes_on_where_it_emits_least_among_the_soonest(
    pool: Pool, factor: float, begun_s: float, green_tokens_per_s: float, picked: str
) -> None:
    """It has no first word to promise any more, however soon its machine left; what counts is to
    go on soon."""
    resumes = {"features": ("resume",)}
    pool.join(card("lost", zone="CA-QC", replicas=(replica(**resumes),)))
    first = placed(pool, output_tokens_max=400, resumable=True, stream=True)
    pool.accept(first)
    pool.progress(first, 40)
    for name, zone, tokens_per_s in (
        ("fast", "CA-AB", 36.0),
        ("green", "CA-QC", green_tokens_per_s),
    ):
        speed = rates(prefill_tokens_per_s=factor * tokens_per_s, tpot_base_s=0.0)
        pool.join(card(name, zone=zone, replicas=(replica(rates=speed, **resumes),)))
    pool.wait(begun_s, seen=("lost", "fast", "green"))
    resumed = place_in(pool.tell(events.NodeLeft, "lost", "goodbye"))

    assert (resumed.node, resumed.explanation.reason) == (picked, "fastest_to_resume")
    assert ("speed" in resumed.explanation.values) == (picked == "green")


@pytest.mark.parametrize(
    ("zone", "picked"), [("CA-AB", "green"), ("CA-QC", "safe")], ids=["dirty", "as clean"]
)
def test_a_small_risk_of_a_late_word_is_weighed_by_what_it_costs(
    pool: Pool, zone: str, picked: str
) -> None:
    """The likely time of a new machine keeps the promise with ease, and its wide margin does not:
    300 times the grams are worth the risk, a few grams are not."""
    pool.join(reader("green", "CA-QC", 72.0, power=Power("b", 10.0, 109.0, Basis.DECLARED)))
    pool.join(reader("safe", zone, 1_000.0, power=Power("b", 10.0, 111.0, Basis.DECLARED)))
    place = placed(pool)
    candidates = {each.node: each for each in place.explanation.candidates}

    assert candidates["green"].ttft_s < 1.5
    assert candidates["green"].ttft_upper_s > 2.0
    assert (place.node, place.explanation.reason) == (picked, "greenest")
    assert candidates["green"].keeps_promise == (picked == "green")
    assert not place.terms.at_risk


def test_no_grams_outweigh_a_late_word_where_the_policy_says_so() -> None:
    """With a large weight the class's confidence holds, whatever it costs."""
    pool = Pool(carbon=Carbon(late_weight=1_000.0))
    pool.join(reader("green", "CA-QC", 72.0), reader("safe", "CA-AB", 1_000.0))

    assert placed(pool).node == "safe"


def test_the_risk_of_a_late_word_is_the_normal_distributions() -> None:
    """At the bound of a confidence of 0.99 it is 0.01, at the p90 0.1, at the mean one half."""
    at_99 = 1.815259

    assert late_risk(1.0, 2.0, 2.0, at_99) == pytest.approx(0.01, abs=5e-4)
    assert late_risk(1.0, 1.0 + at_99, 2.0, at_99) == pytest.approx(0.1, abs=5e-4)
    assert late_risk(2.0, 3.0, 2.0, at_99) == 0.5


def test_a_clean_grid_is_filled_before_one_that_is_a_little_dirtier(pool: Pool) -> None:
    """Zones of 308 and 322 g: a half full machine of the first comes before an empty one of the
    second, and the machines of one zone share the work."""
    pool.tell(events.IntensityChanged, "CA-NS", 308.0, 308.0, "measured", START)
    pool.tell(events.IntensityChanged, "CA-NB", 322.0, 322.0, "measured", START)
    flat = (replica(slots=4, rates=FLAT),)
    pool.join(*(card(name, zone="CA-NS", replicas=flat) for name in ("a", "b")))
    pool.join(card("c", zone="CA-NB", replicas=flat))
    nodes = [placed(pool, f"j{number}").node for number in range(9)]

    assert Counter(nodes[:4]) == {"a": 2, "b": 2}
    assert Counter(nodes) == {"a": 4, "b": 4, "c": 1}


@pytest.mark.parametrize("explained", [0, 64], ids=["columns", "scan"])
@pytest.mark.parametrize(
    ("dirtier_w", "picked"), [(110.0, "clean"), (60.0, "busy")], ids=["alike", "frugal"]
)
def test_a_cleaner_machine_comes_before_a_busy_one_that_emits_more_once_full(
    dirtier_w: float, picked: str, explained: int
) -> None:
    """One more job takes less energy beside another, and the next job too: the dirtier machine
    would never end. A frugal machine emits less once full, and keeps its work."""
    pool = Pool(limits=Limits(explained_nodes=explained))
    pool.tell(events.IntensityChanged, "CA-NS", 308.0, 308.0, "measured", START)
    pool.tell(events.IntensityChanged, "CA-NB", 322.0, 322.0, "measured", START)
    served = (replica(rates=rates(tpot_base_s=0.004)),)
    pool.join(card("clean", zone="CA-NS", replicas=served))
    power = Power("bench", 10.0, dirtier_w, Basis.DECLARED)
    pool.join(card("busy", zone="CA-NB", replicas=served, power=power))
    pool.accept(placed(pool, "first", jurisdiction="CA-NB"))
    place = placed(pool)
    candidates = {each.node: each for each in place.explanation.candidates}

    assert candidates["busy"].carbon_ug < candidates["clean"].carbon_ug
    assert place.node == picked
    if explained and picked == "clean":
        assert place.explanation.reason == "greenest_with_room"
        assert place.explanation.values["greener_rule"] == "shared_now"


def test_sunny_machines_share_a_burst(pool: Pool) -> None:
    """Machines whose own power emits nothing are filled side by side, then the cleanest grid."""
    flat = (replica(slots=2, rates=FLAT),)
    for name in ("sun-1", "sun-2", "sun-3"):
        pool.join(card(name, zone="CA-AB", site=name, replicas=flat, energy=surplus(400.0)))
    pool.join(card("hydro", zone="CA-QC", replicas=flat))
    nodes = [placed(pool, f"j{number}").node for number in range(7)]

    assert set(nodes[:3]) == {"sun-1", "sun-2", "sun-3"}
    assert Counter(nodes) == {"sun-1": 2, "sun-2": 2, "sun-3": 2, "hydro": 1}


@pytest.mark.parametrize("explained", [0, 64], ids=["columns", "scan"])
def test_conversations_do_not_all_stay_on_one_machine(explained: int) -> None:
    """Conversations that begin one after the other, each alone, begin on machines in turn, and
    each goes on where its prompt is cached."""
    pool = Pool(limits=Limits(explained_nodes=explained))
    pool.join(*(card(name) for name in ("a", "b", "c")))
    first = {number: ask_alone(pool, number) for number in range(6)}
    second = {number: ask_alone(pool, number, first[number]) for number in (5, 3, 0, 4, 2, 1)}

    assert Counter(first.values()) == {"a": 2, "b": 2, "c": 2}
    assert first == second


def ask_alone(pool: Pool, number: int, warm: str = "") -> str:
    """Asks in a conversation, lets the run end, and returns the node that ran it.

    Args:
        pool: the pool.
        number: of the conversation.
        warm: node that holds what the conversation's first turn has read.
    """
    turn, held = int(bool(warm)), ((warm, 90),) if warm else ()
    place = placed(
        pool, f"j{number}-{turn}", warm=held, input_tokens_est=100 + 100 * turn,
        input_tokens_max=300,
    )  # fmt: skip
    pool.accept(place)
    pool.progress(place, 1)
    pool.report(place, input_tokens=100 + 100 * turn, output_tokens=50, cached_tokens=90 * turn)
    return place.node


def test_a_conversation_stays_where_it_is_warm_and_the_explanation_says_what_that_saves() -> None:
    """Of alike machines the one that holds its beginning; a greener one outweighs it."""
    pool = Pool()
    pool.join(card("a", zone="CA-AB"), card("b", zone="CA-AB"))
    stayed = placed(pool, warm=(("b", 90),))
    pool.join(card("hydro", zone="CA-QC"))
    left = placed(pool, "j2", warm=(("b", 90),)).explanation.values
    values = stayed.explanation.values

    assert ("b", 90) == (stayed.node, values["cached_tokens"])
    assert values["saved_s"] > 0.0 < values["saved_wh"]
    assert ("hydro", "b", 90) == (left["node"], left["warm_node"], left["warm_tokens"])
