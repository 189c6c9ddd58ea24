"""Model loading: when, on which node, and which models are evicted for it."""

from typing import Any

import msgspec
import pytest
from tests.core import invariants
from tests.core.builders import GB, START, Pool, card, loadable, of, replica, surplus
from tests.core.loading import (
    LARGE,
    MIDDLE,
    QUICK,
    SMALL,
    LoadingWorld,
    loads,
    offering,
    unloads,
    with_model,
    without,
)

from entraide.types import DataClass, JobClass, JobKind
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.model_loading import plan_models
from entraide_scheduler.core.model_loading.model_lifecycle import LOAD_START_TIMEOUT_S, NOT_BEGUN
from entraide_scheduler.core.policy.policy import ModelTerms


def test_nothing_is_loaded_that_nobody_asks_for(pool: Pool) -> None:
    """A node gets no load command until a job needs a model that it offers."""
    pool.join(offering("n1", SMALL, MIDDLE))
    pool.wait(3_600.0, seen=("n1",))

    assert [] == loads(pool.asked)


def test_a_job_has_its_model_loaded_at_once_and_runs(pool: Pool) -> None:
    """A job whose model no node serves waits for a load, and its explanation says so."""
    node_card = offering("n1", SMALL)
    pool.join(node_card)
    asked = pool.ask("j1", model=SMALL)
    waiting = pool.core.explain("j1", pool.now)
    pool.wait(20.0, seen=("n1",))
    (place,) = of(
        pool.tell(events.NodeJoined, with_model(node_card, SMALL), True, ""), commands.Place
    )

    assert [("n1", SMALL)] == loads(asked)
    assert waiting is not None
    assert ("waiting", "model_loading") == (waiting.decision, waiting.reason)
    assert ("n1", START + 20.0) == (waiting.values["node"], waiting.values["ready_at"])
    assert waiting.waiting_helps
    assert ("n1", SMALL) == (place.node, place.terms.model)


def test_many_jobs_have_it_loaded_once(pool: Pool) -> None:
    """A second job for a model that is being loaded causes no second load."""
    pool.join(offering("n1", SMALL), offering("n2", SMALL))
    for number in range(20):
        pool.ask(f"j{number}", model=SMALL)
    pool.wait(10.0, seen=("n1", "n2"))

    assert [("n1", SMALL)] == loads(pool.asked)


NEAR = {"fetch_bytes": 0, "load_s": 60.0}
FAR = {"fetch_bytes": GB, "load_s": 5.0}
SUNNY = {"zone": "CA-AB", "energy": surplus(500.0)}
BETTER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the one that holds the weights": (FAR | {"zone": "CA-QC"}, NEAR | {"zone": "CA-AB"}),
    "the greener one": (NEAR | {"zone": "CA-AB"}, NEAR | {"zone": "CA-QC", "load_s": 90.0}),
    "the one with a surplus": (NEAR | {"zone": "CA-QC"}, NEAR | SUNNY),
    "the quicker one": (NEAR, NEAR | {"load_s": 30.0}),
}


@pytest.mark.parametrize("case", BETTER)
def test_the_better_node_is_asked(pool: Pool, case: str) -> None:
    """Nodes are ordered by missing weights, intensity, load time and name."""
    for name, terms in zip(("n1", "n2"), BETTER[case], strict=True):
        offer = {key: terms[key] for key in ("fetch_bytes", "load_s")}
        place = {key: terms[key] for key in ("zone", "energy") if key in terms}
        pool.join(offering(name, **place, loadable=(loadable(SMALL, **offer),)))
    pool.ask("j1", model=SMALL)

    assert [("n2", SMALL)] == loads(pool.asked)


def test_equal_nodes_are_asked_by_name(pool: Pool) -> None:
    """Among equal nodes the first by name loads the model."""
    pool.join(offering("n2", SMALL), offering("n1", SMALL))
    pool.ask("j1", model=SMALL)

    assert [("n1", SMALL)] == loads(pool.asked)


CANNOT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another province": ({"zone": "CA-AB"}, {"jurisdiction": "CA-QC"}),
    "another co-op's restricted data": ({"coop": "beta"}, {"data_class": DataClass.RESTRICTED}),
    "a data class that its owner refuses": (
        {"data_classes": (DataClass.PUBLIC,)},
        {"data_class": DataClass.INTERNAL},
    ),
    "a feature that it would lack": ({}, {"features": ("tools",)}),
    "more memory than its owner gives": ({"models_bytes": GB}, {}),
}


@pytest.mark.parametrize("case", CANNOT)
def test_a_model_is_loaded_only_where_the_job_may_run(pool: Pool, case: str) -> None:
    """The first node would be preferred by name, but may not run the job; the second may."""
    refusing, wanted = CANNOT[case]
    able = offering("n2", SMALL, loadable=(loadable(SMALL, features=("tools",)),))
    pool.join(offering("n1", SMALL, **refusing), able)
    pool.ask("j1", model=SMALL, **wanted)
    alone = Pool()
    alone.join(offering("n1", SMALL, **refusing))
    refused = alone.ask("j1", model=SMALL, **wanted)

    assert [("n2", SMALL)] == loads(pool.asked)
    assert [] == loads(refused)
    assert 1 == len(of(refused, commands.Refuse))


def test_a_longer_context_is_loaded_elsewhere(pool: Pool) -> None:
    """A prompt that no served context holds has the model loaded where it fits."""
    pool.join(card("n1", replicas=(replica(SMALL, context_tokens=512),)))
    pool.join(offering("n2", loadable=(loadable(SMALL, context_tokens=8_192),)))
    fits = pool.ask("j1", model=SMALL, input_tokens_est=100, output_tokens_max=2_000)
    long = pool.ask("j2", model=SMALL, input_tokens_est=4_000, input_tokens_max=5_000)
    none = pool.ask("j3", model=SMALL, input_tokens_est=9_000, input_tokens_max=9_900)

    assert ["n1"] == [place.node for place in of(fits, commands.Place)]
    assert [("n2", SMALL)] == loads(long)
    assert ["context_length_exceeded"] == [refuse.code for refuse in of(none, commands.Refuse)]


def test_what_is_unknown_is_refused_with_what_there_is(pool: Pool) -> None:
    """A model that no node serves or can load is refused, with the list of available models."""
    pool.join(card("n1"), offering("n2", SMALL))
    (refuse,) = of(pool.ask("j1", model="absent"), commands.Refuse)

    assert ("unknown_model", "petit, small-1b") == (refuse.code, refuse.values["models"])


def test_another_replica_comes_when_the_promise_is_missed_for_a_minute(pool: Pool) -> None:
    """After a minute of missed objectives another node loads the model."""
    serving = card("n1", replicas=(replica(SMALL, slots=1),))
    pool.join(serving, offering("n2", SMALL), offering("n3", SMALL))
    for number in range(30):
        pool.ask(f"j{number}", model=SMALL)
    (run,) = pool.places()
    pool.accept(run)
    before: list[tuple[str, str]] = []
    for second in range(120):
        pool.progress(run, second)
        asked = pool.wait(1.0, seen=("n1", "n2", "n3"))
        if second < 55:
            before += loads(asked)

    assert [] == before
    assert [("n2", SMALL)] == loads(pool.asked)


def test_what_is_idle_makes_room(pool: Pool) -> None:
    """An idle model is unloaded when a job needs another model, which is then loaded."""
    pool.tell(events.PolicyChanged, policy_with(QUICK))
    node_card = _loaded(pool, "n1", SMALL, MIDDLE)
    pool.wait(130.0, seen=("n1",))
    idle = unloads(pool.asked)
    asked = pool.ask("j2", model=MIDDLE)
    explained = pool.core.explain("j2", pool.now)
    empty = pool.tell(events.NodeJoined, without(node_card, SMALL), True, "")

    assert [] == idle
    assert ([("n1", SMALL)], []) == (unloads(asked), loads(asked))
    assert explained is not None
    assert "model_making_room" == explained.reason
    assert [("n1", MIDDLE)] == loads(empty)


def test_what_was_just_loaded_stays_for_a_while(pool: Pool) -> None:
    """A model stays for its residence time, even if an unserved job needs its memory."""
    pool.tell(events.PolicyChanged, policy_with(QUICK))
    _loaded(pool, "n1", SMALL, MIDDLE)
    pool.ask("j2", model=MIDDLE)
    early = pool.wait(30.0, seen=("n1",))
    explained = pool.core.explain("j2", pool.now)
    late = pool.wait(40.0, seen=("n1",))

    assert [] == unloads(early)
    assert explained is not None
    assert ("model_waits", 1) == (explained.reason, explained.values["nodes"])
    assert [("n1", SMALL)] == unloads(late)


def test_the_last_replica_stays_while_jobs_wait_for_it(pool: Pool) -> None:
    """The last replica of a model is not unloaded while jobs wait for the model."""
    pool.tell(events.PolicyChanged, policy_with(QUICK))
    _loaded(pool, "n1", SMALL, MIDDLE, slots=1)
    for number in range(3):
        pool.ask(f"s{number}", model=SMALL)
    run = pool.places()[-1]
    pool.accept(run)
    pool.ask("m1", model=MIDDLE)
    for second in range(300):
        pool.progress(run, min(99, second))
        pool.wait(1.0, seen=("n1",))

    assert [] == unloads(pool.asked)


def test_a_replica_that_is_to_go_gets_no_new_work(pool: Pool) -> None:
    """A model that is being unloaded gets no jobs, even after a new card of the node."""
    pool.tell(events.PolicyChanged, policy_with(QUICK))
    node_card = _loaded(pool, "n1", SMALL, MIDDLE)
    pool.wait(130.0, seen=("n1",))
    pool.ask("m1", model=MIDDLE)
    pool.tell(events.NodeJoined, node_card, True, "")
    asked = pool.ask("s1", model=SMALL)

    assert [("n1", SMALL)] == unloads(pool.asked)
    assert [] == of(asked, commands.Place)


def test_a_node_that_failed_rests_longer_each_time(pool: Pool) -> None:
    """After a failure another node loads it; a single node pauses twice as long each time."""
    pool.join(offering("n1", SMALL), offering("n2", SMALL))
    pool.ask("j1", model=SMALL, kind=JobKind.KEPT)
    other = pool.tell(events.LoadFailed, "n1", SMALL, "engine_failed")
    pool.tell(events.LoadFailed, "n2", SMALL, "engine_failed")
    pool.tell(events.NodeLeft, "n2", "goodbye")
    moments = []
    for _ in range(4):
        began = pool.now
        while not loads(pool.wait(1.0, seen=("n1",))):
            assert pool.now < began + 300.0
        moments.append(pool.now - began)
        pool.tell(events.LoadFailed, "n1", SMALL, "engine_failed")

    assert [("n2", SMALL)] == loads(other)
    assert [30.0, 60.0, 120.0, 240.0] == [pytest.approx(took, abs=1.0) for took in moments]


def test_a_live_job_is_told_when_every_node_failed_enough(pool: Pool) -> None:
    """A model that no node manages to load ends the live jobs for it, and refuses the next."""
    pool.join(offering("n1", SMALL))
    pool.ask("j1", model=SMALL)
    pool.ask("kept", model=SMALL, kind=JobKind.KEPT)
    ended: list[commands.EndJob] = []
    for _ in range(3):
        ended += of(pool.tell(events.LoadFailed, "n1", SMALL, "load_no_room"), commands.EndJob)
        pool.wait(65.0 if not ended else 0.0, seen=("n1",))
    (refuse,) = of(pool.ask("j2", model=SMALL), commands.Refuse)

    assert [("j1", "model_failed")] == [(end.job, end.code) for end in ended]
    assert ("model_failed", "load_no_room") == (refuse.code, refuse.values["failure"])
    assert 0.0 < (refuse.retry_after_s or 0.0) <= 120.0
    assert pool.core.job("kept") is not None


def test_a_node_that_did_not_try_has_not_failed_again(pool: Pool) -> None:
    """A node that did not try pauses again, but its failure count and code are unchanged."""
    pool.join(offering("n1", SMALL))
    pool.ask("j1", model=SMALL, kind=JobKind.KEPT)
    pool.tell(events.LoadFailed, "n1", SMALL, "engine_failed")
    for code in ("load_resting", "load_not_now", "load_resting"):
        pool.wait(35.0, seen=("n1",))
        pool.tell(events.LoadFailed, "n1", SMALL, code)
    rest = pool.core._state.fleet.nodes["n1"].rests[SMALL]

    assert 4 == len(loads(pool.asked))
    assert (1, "engine_failed") == (rest.failures, rest.code)


def test_a_node_that_says_nothing_has_failed(pool: Pool) -> None:
    """A command that was lost, or a node that ignores it, does not keep jobs waiting for ever."""
    pool.join(offering("n1", SMALL), offering("n2", SMALL))
    pool.ask("j1", model=SMALL)
    pool.wait(LOAD_START_TIMEOUT_S + 20.0, seen=("n1", "n2"))
    rests = pool.core._state.fleet.nodes["n1"].rests

    assert [("n1", SMALL), ("n2", SMALL)] == loads(pool.asked)
    assert NOT_BEGUN == rests[SMALL].code


def test_a_node_that_still_loads_is_waited_for(pool: Pool) -> None:
    """Weights that take long to fetch are waited for while the node says that it loads."""
    node_card = offering("n1", SMALL)
    pool.join(node_card, offering("n2", SMALL))
    pool.ask("j1", model=SMALL)
    busy = msgspec.structs.replace(node_card, loading=(SMALL,))
    pool.tell(events.NodeJoined, busy, True, "")
    pool.wait(1_800.0, seen=("n1", "n2"))

    assert [("n1", SMALL)] == loads(pool.asked)


def test_a_node_that_is_lost_while_it_loads_is_replaced(pool: Pool) -> None:
    """A load on a lost node is replaced by a load on another node."""
    pool.join(offering("n1", SMALL), offering("n2", SMALL))
    pool.ask("j1", model=SMALL)
    pool.wait(12.0, seen=("n2",))

    assert [("n1", SMALL), ("n2", SMALL)] == loads(pool.asked)


def test_a_node_whose_owner_is_back_is_not_asked(pool: Pool) -> None:
    """A node that takes no work loads nothing; when it takes work again, it is asked."""
    pool.tell(events.NodeJoined, offering("n1", SMALL), False, "owner_busy")
    waits = pool.ask("j1", model=SMALL)
    explained = pool.core.explain("j1", pool.now)
    back = pool.tell(events.NodeChanged, "n1", True, "", None)

    assert [] == loads(waits)
    assert explained is not None
    assert "model_waits" == explained.reason
    assert [("n1", SMALL)] == loads(back)


def test_what_an_owner_loaded_is_never_unloaded(pool: Pool) -> None:
    """The pool unloads only models that it had loaded itself."""
    pool.tell(events.PolicyChanged, policy_with(QUICK))
    pool.join(offering("n1", MIDDLE, room=GB * 7, replicas=(replica(SMALL),)))
    pool.wait(600.0, seen=("n1",))
    pool.ask("j1", model=MIDDLE)

    assert [] == unloads(pool.asked)
    assert [("n1", MIDDLE)] == loads(pool.asked)


def test_the_operator_places_and_takes_away(pool: Pool) -> None:
    """A model that the operator requests is loaded without a job, if it fits, and unloaded."""
    node_card = offering("n1", SMALL, MIDDLE, room=7 * GB)
    pool.join(node_card)
    asked = pool.tell(events.LoadAsked, "n1", MIDDLE)
    pool.tell(events.NodeJoined, with_model(node_card, MIDDLE), True, "")
    full = pool.tell(events.LoadAsked, "n1", SMALL)
    gone = pool.tell(events.UnloadAsked, "n1", MIDDLE)
    odd = pool.tell(events.LoadAsked, "n9", MIDDLE)

    assert [("n1", MIDDLE)] == loads(asked)
    assert [] == loads(full + odd)
    assert [("n1", MIDDLE)] == unloads(gone)


def test_a_plan_can_be_looked_at_without_being_carried_out(pool: Pool) -> None:
    """The preview lists the steps with their reasons and changes nothing."""
    pool.tell(events.PolicyChanged, policy_with(QUICK))
    _loaded(pool, "n1", SMALL, MIDDLE)
    pool.tell(events.NodeChanged, "n1", False, "owner_busy", None)
    pool.ask("m1", model=MIDDLE, kind=JobKind.KEPT)
    pool.wait(130.0, seen=("n1",))
    node = pool.core._state.fleet.nodes["n1"]
    node.accepting = True
    before = pool.core.snapshot()
    steps = plan_models(pool.core._state)

    assert [(False, SMALL, "idle"), (True, MIDDLE, "waiting")] == [
        (step.load, step.model, step.reason) for step in steps
    ]
    assert (1, MIDDLE) == (steps[1].values["jobs"], steps[0].values["for_model"])
    assert before == pool.core.snapshot()
    node.accepting = False


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 8))]
)
@pytest.mark.parametrize("faults", [0.0, 0.3], ids=["honest", "faulty"])
def test_every_job_is_served_and_no_node_thrashes(seed: int, faults: float) -> None:
    """Under any demand no node is asked for more memory than it gives, nor to load more often in
    an hour than the policy says, and every job of a loadable model has run in the end."""
    cards = (
        offering("n1", SMALL, MIDDLE, room=8 * GB),
        offering("n2", "beta", MIDDLE, LARGE, room=16 * GB, coop="beta", zone="CA-ON"),
        offering("n3", SMALL, room=2 * GB, zone="CA-AB"),
    )
    village = LoadingWorld(seed, *cards, faults=faults, models=QUICK)
    end = village.pool.now + 3_600.0
    every_s = village.rng.choice((2.0, 10.0, 60.0))
    village.demand([SMALL, MIDDLE, LARGE], every_s=every_s, until=end)
    village.run(end, end + 4 * 3_600.0)
    ended = of(village.pool.asked, commands.EndJob)
    refused = [refuse.code for refuse in of(village.pool.asked, commands.Refuse)]

    assert village.jobs == len(ended) + len(refused)
    codes = {end.code for end in ended} | set(refused)
    assert codes <= ({"", "model_failed"} if faults else {""})
    for name in village.cards:
        moments = [at for at, node, _ in village.loaded if node == name]
        for at in moments:
            within = sum(at - 3_600.0 < other <= at for other in moments)
            assert within <= QUICK.loads_per_hour
    invariants.check(village.pool)


def test_a_restored_core_goes_on_with_its_orders(pool: Pool) -> None:
    """Loads and pauses are part of the snapshot."""
    node_card = offering("n1", SMALL)
    pool.join(node_card, offering("n2", SMALL))
    pool.ask("j1", model=SMALL)
    pool.tell(events.LoadFailed, "n1", SMALL, "engine_failed")
    pool.core = Core.restore(pool.core.snapshot())
    pool.tell(events.SchedulerStarted, 2, "other")
    asked = pool.wait(3.0, seen=("n1", "n2"))
    node = pool.core._state.fleet.nodes["n1"]

    assert [] == loads(asked)
    assert (1, "engine_failed") == (node.rests[SMALL].failures, node.rests[SMALL].code)
    assert SMALL in pool.core._state.fleet.nodes["n2"].orders


def test_a_restart_gives_a_load_its_time_again(pool: Pool) -> None:
    """A load that a node was told of before the scheduler was down for long has not failed."""
    node_card = offering("n1", SMALL)
    pool.join(node_card)
    pool.ask("j1", model=SMALL, kind=JobKind.KEPT, gateway="other")
    pool.core = Core.restore(pool.core.snapshot())
    pool.now += 900.0
    pool.tell(events.SchedulerStarted, 2, "gw")
    pool.wait(2.0, seen=("n1",))
    pool.tell(events.NodeJoined, with_model(node_card, SMALL), True, "")

    assert {SMALL: "loaded"} == {
        model: order.state for model, order in pool.core._state.fleet.nodes["n1"].orders.items()
    }


def test_a_model_that_comes_late_is_the_pools_all_the_same(pool: Pool) -> None:
    """A model that is loaded after its timeout may be unloaded to make room."""
    node_card = offering("n1", SMALL)
    pool.join(node_card)
    pool.ask("j1", model=SMALL, kind=JobKind.KEPT)
    pool.tell(events.NodeChanged, "n1", False, "owner_busy", None)
    pool.wait(50.0, seen=("n1",))
    node = pool.core._state.fleet.nodes["n1"]
    given_up = dict(node.orders)
    pool.tell(events.NodeJoined, with_model(node_card, SMALL), True, "")

    assert {} == given_up
    assert [(SMALL, "loaded")] == [(order.model, order.state) for order in node.orders.values()]


def policy_with(models: ModelTerms) -> Any:
    """A policy with other terms for models."""
    return msgspec.structs.replace(Pool().core._state.policy, models=models)


def _loaded(pool: Pool, node: str, first: str, *others: str, slots: int = 4) -> Any:
    """A node that loaded a model at the pool's word; it ran one job and rests."""
    node_card = offering(node, first, *others, room=7 * GB)
    pool.join(node_card)
    pool.ask("first", model=first, job_class=JobClass.STANDARD)
    served = replica(first, slots=slots)
    node_card = msgspec.structs.replace(node_card, replicas=(served,))
    pool.tell(events.NodeJoined, node_card, True, "")
    place = pool.places()[-1]
    pool.accept(place)
    pool.report(place)
    return node_card
