"""Newcomers: a new machine gets a bounded part of others' internal text, until it is known."""

import random
from collections import Counter

import pytest
from tests.core.builders import Pool, card, excluded, of, packed, place_in, placed, policy, replica
from tests.core.invariants import indexes_equal_a_rebuild

from entraide import i18n
from entraide.types import DataClass
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.dispatch import SKIPPED_RETRY_S
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Newcomer
from entraide_scheduler.core.records import SenderKind

RUNS, PART = 3, 0.1
LONG = 300


def run(pool: Pool, job: str, coop: str, **changes: object) -> str:
    """Asks for a job, ends its run, and returns the machine that had it."""
    place = placed(pool, job, coop, **changes)
    pool.accept(place)
    pool.report(place)
    return place.node


def serve(pool: Pool, runs: int) -> None:
    """Lets the new machine end runs for another co-op, of public text."""
    for _ in range(runs):
        place = placed(pool, f"public-{len(pool.events)}", "gamma", data_class=DataClass.PUBLIC)
        assert "a-new" == place.node
        pool.accept(place)
        pool.report(place)


def known_pool(**terms: object) -> Pool:
    """A pool in which a machine of beta has ended its runs; then one of alpha comes, which is
    greener."""
    pool = Pool("alpha", "beta", "gamma", newcomer=Newcomer(RUNS, PART), **terms)
    pool.join(card("known", "beta", "CA-AB"))
    for number in range(RUNS):
        run(pool, f"earlier-{number}", "gamma")
    pool.join(card("a-new", "alpha"))
    return pool


def test_in_a_pool_that_begins_nobody_is_new() -> None:
    """Where no machine has ended so many runs, all get all text."""
    pool = Pool("alpha", "beta", "gamma", newcomer=Newcomer(RUNS, PART))
    pool.join(card("known", "beta", "CA-AB"), card("a-new", "alpha"))

    assert ["a-new"] * 9 == [run(pool, f"j{n}", "gamma") for n in range(9)]


def test_what_is_bounded() -> None:
    """Another co-op's internal text is; its own co-op's, and public text, is not."""
    pool = known_pool()
    others = placed(pool, "others", "gamma")
    own, public = run(pool, "own", "alpha"), run(pool, "p", "gamma", data_class=DataClass.PUBLIC)

    assert ("known", {"a-new": "newcomer"}) == (others.node, excluded(others))
    assert ("a-new", "a-new") == (own, public)


@pytest.mark.parametrize("seed", range(5))
def test_it_gets_its_part_and_no_more(seed: int) -> None:
    """After each placement it has had at most its part, and the prompt that exceeded it."""
    draw = random.Random(seed)
    pool = known_pool()
    terms = Newcomer(10**6, PART)
    pool.tell(events.PolicyChanged, policy("alpha", "beta", "gamma", newcomer=terms))
    given, total = 0, 0
    for number in range(150):
        tokens = draw.randint(1, LONG)
        node = run(
            pool, f"j{number}", draw.choice(("beta", "gamma")),
            input_tokens_est=tokens, input_tokens_max=LONG,
        )  # fmt: skip
        total += tokens
        given += tokens if node == "a-new" else 0

        assert given <= PART * total + LONG
    assert PART * total - LONG < given


@pytest.mark.parametrize("seed", range(5))
def test_no_life_gives_a_newcomer_more(seed: int) -> None:
    """Whatever comes, leaves, is restored or fails between them: each of two newcomers has had at
    most its part of what others sent while it was here, and the prompt that exceeded it."""
    draw, pool = random.Random(seed), known_pool()
    terms = Newcomer(10**6, PART)
    pool.tell(events.PolicyChanged, policy("alpha", "beta", "gamma", newcomer=terms))
    cards = {"a-new": card("a-new", "alpha"), "b-new": card("b-new", "gamma", "CA-ON")}
    here, given, total = {"a-new"}, Counter(), Counter()
    for number in range(200):
        match draw.choice(("job", "job", "job", "job", "come", "leave", "restore")):
            case "job":
                coop, tokens = draw.choice(("alpha", "beta", "gamma")), draw.randint(1, LONG)
                sizes = {"input_tokens_est": tokens, "input_tokens_max": LONG}
                node = run(pool, f"j{number}", coop, **sizes)
                for name in here:
                    if cards[name].coop != coop:
                        total[name] += tokens
                        given[name] += tokens if node == name else 0
            case "come":
                name = draw.choice(sorted(cards))
                pool.join(cards[name])
                here.add(name)
            case "leave" if here:
                name = draw.choice(sorted(here))
                pool.tell(events.NodeLeft, name, "goodbye")
                here.discard(name)
                pool.wait(draw.choice((1.0, 700.0)), seen=("known", *here))
            case "restore":
                pool.core = Core.restore(pool.core.snapshot())
        indexes_equal_a_rebuild(pool.core)

        assert all(given[name] <= PART * total[name] + LONG for name in cards)
    assert {"a-new", "b-new"} == set(given)
    assert min(given.values()) > 0


def test_it_is_known_after_enough_runs() -> None:
    """Runs for other co-ops count, not those for its own, which any owner can ask for; then it gets
    all text."""
    pool = known_pool()
    for number in range(2 * RUNS):
        run(pool, f"own-{number}", "alpha")
    new = placed(pool, "still", "gamma").node
    serve(pool, RUNS)

    assert "known" == new
    assert ["a-new"] * 5 == [run(pool, f"j{n}", "gamma") for n in range(5)]


FAULTS = {
    "a report that is corrected": lambda pool, place: pool.report(place, output_tokens=10**6),
    "a report that cannot be read": lambda pool, place: pool.report(place, run_s=-1.0),
    "more text than granted": lambda pool, place: pool.tell(
        events.RunExceeded, place.job, place.epoch, place.node, "stream_bytes", 1
    ),
    "quarantine": lambda pool, place: (
        pool.report(place),
        pool.tell(events.SenderQuarantined, SenderKind.NODE, place.node, "event_raised"),
        pool.tell(events.QuarantineCleared, SenderKind.NODE, place.node),
        pool.join(card("a-new", "alpha")),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_begins_the_count_again(fault: str) -> None:
    """It is as new as on its first day."""
    pool = known_pool()
    serve(pool, 1)
    FAULTS[fault](pool, placed(pool, "own", "alpha"))
    serve(pool, RUNS - 1)
    before = placed(pool, "before", "gamma").node
    serve(pool, 1)

    assert ("known", "a-new") == (before, run(pool, "after", "gamma"))


@pytest.mark.parametrize(("reason", "is_new"), [("goodbye", False), ("revoked", True)])
def test_a_machine_that_comes_back(reason: str, is_new: bool) -> None:
    """Away for long, it is the machine that it was; revoked, it comes as another one."""
    pool = known_pool()
    serve(pool, RUNS)
    pool.tell(events.NodeLeft, "a-new", reason)
    kept_s = pool.core._state.policy.timing.job_kept_s
    pool.wait(kept_s + 1.0, seen=("known",))
    pool.core = Core.restore(pool.core.snapshot())
    pool.join(card("a-new", "alpha"))

    assert is_new == ("newcomer" in excluded(placed(pool, "j", "gamma")).values())


def test_a_waiting_job_is_told_and_goes_once_the_machine_is_known() -> None:
    """It names the reason in both languages, and starts without being asked for again."""
    pool = known_pool()
    pool.tell(events.NodeLeft, "known", "goodbye")
    asked = pool.ask("waiting", "gamma")
    explanation = pool.core.explain("waiting", pool.now)
    serve(pool, RUNS)

    assert [] == [each for each in asked if isinstance(each, commands.Place)]
    assert explanation is not None
    assert "newcomer" == explanation.reason
    assert "nouvelles" in i18n.text("reason-newcomer", "fr", **explanation.values)
    assert "a-new" == next(each.node for each in pool.places() if each.job == "waiting")


@pytest.mark.parametrize(
    ("terms", "nodes"),
    [
        (Newcomer(0, PART), {"a-new"}),
        (Newcomer(RUNS, 1.0), {"a-new"}),
        (Newcomer(10**6, 0.0), {"known"}),
    ],
    ids=["no machine is new", "all of it", "none of it"],
)
def test_the_members_decide(terms: Newcomer, nodes: set[str]) -> None:
    """A new policy counts at once, also for machines that are here."""
    pool = known_pool()
    pool.tell(events.PolicyChanged, policy("alpha", "beta", "gamma", version="v2", newcomer=terms))

    assert nodes == {run(pool, f"j{number}", "gamma") for number in range(20)}


def test_a_job_for_which_a_placement_opens_a_newcomer_starts_soon() -> None:
    """What is placed elsewhere may give a newcomer its next part; a restored core knows it, too."""
    pool = Pool("alpha", "beta", "gamma", newcomer=Newcomer(RUNS, PART))
    pool.join(card("known", "beta", "CA-AB", replicas=(replica(slots=1),)))
    for number in range(RUNS):
        run(pool, f"earlier-{number}", "gamma")
    pool.join(card("a-new", "alpha"))
    running = placed(pool, "j1", "gamma")
    assert "a-new" == run(pool, "j2", "gamma")
    pool.ask("long", "gamma", jurisdiction="CA-AB", input_tokens_est=2_000, input_tokens_max=2_000)
    pool.ask("waits", "gamma", jurisdiction="CA-QC")
    asked = pool.report(running)
    assert ["long"] == [place.job for place in of(asked, commands.Place)]
    restored = Core.restore(pool.core.snapshot())
    due = pool.core.next_deadline()
    assert due is not None
    pool.now = due
    asked = pool.tell(events.Woke)

    assert ("waits", "a-new") == (place_in(asked).job, place_in(asked).node)
    assert due <= running.terms.placed_at + SKIPPED_RETRY_S
    assert packed(asked) == packed(restored.handle(pool.events[-1]))


def test_without_newcomers_no_job_differs() -> None:
    """Only while there are newcomers do shapes tell internal text apart."""
    pool = Pool("alpha", "beta")
    pool.join(card("n1", "alpha"))
    placed(pool, "j1", "beta")
    (before,) = pool.core._state.jobs.values()
    known = known_pool()
    placed(known, "j1", "beta")
    (after,) = known.core._state.jobs.values()

    assert (False, True) == (before.shape.rationed, after.shape.rationed)
