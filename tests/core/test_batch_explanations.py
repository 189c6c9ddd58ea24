"""Explanations of batches, whose hours are planned by the nodes that accept work.

A machine that would change the plan is named only if the job would have started there.
"""

import random
from collections import Counter

from tests.core.builders import START, Pool, card, replica
from tests.core.test_counterfactuals import COOPS, ZONES, explained, paused

from entraide.types import JobClass, JobKind
from entraide_scheduler.core import events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Deferral

CLOSED = {"not_accepting", "node_suspect", "node_lost"}


def batch_pool(draw: random.Random) -> Pool:
    """A small pool that knows the next hours, and whose machines are often closed."""
    pool = Pool("alpha", "beta", deferral=Deferral(worth=0.0, margin=0.0))
    for zone in ZONES[:3]:
        if draw.random() < 0.8:
            hours = tuple(draw.choice((5.0, 50.0, 200.0, 400.0)) for _ in range(8))
            pool.tell(events.IntensityChanged, zone, hours[0], hours[0], "measured", START + 1e6)
            pool.tell(events.ForecastIssued, zone, START, START, hours)
    for number in range(draw.randint(1, 4)):
        fields = {"coop": draw.choice(COOPS), "zone": draw.choice(ZONES[:3])}
        pool.join(card(f"n{number}", **fields, replicas=(replica(slots=draw.randint(1, 3)),)))
    names = list(pool.core._state.fleet.nodes)
    for name in names:
        if draw.random() < 0.5:
            pool.tell(events.NodeChanged, name, False, draw.choice(("paused", "owner_busy")), None)
    heard = tuple(name for name in names if draw.random() < 0.6)
    pool.wait(draw.choice((0.0, 5.0, 12.0)), seen=heard)
    return pool


def open_node(pool: Pool, name: str) -> None:
    """Has a closed machine accept work, and be heard of."""
    pool.tell(events.NodeChanged, name, True, "", None)


def test_a_machine_that_is_named_to_a_batch_would_have_run_it() -> None:
    """In random pools: with the named machine open, and all else as it was, the job starts, and
    that machine is among those that could run it."""
    decisions: Counter[str] = Counter()
    for seed in range(400):
        draw = random.Random(seed)
        pool = batch_pool(draw)
        before = pool.core.snapshot()
        wish = {
            "job_class": JobClass.BATCH,
            "kind": JobKind.KEPT,
            "deadline_at": pool.now + draw.choice((1.0, 3.0, 6.0)) * 3_600.0,
            "max_carbon_ug": draw.choice((None, None, 2_000_000)),
        }
        explanation = explained(pool, **wish)
        name = explanation.values.get("could_node")
        rules = {each.node: each.rule for each in explanation.excluded}
        if rules.get(name) in CLOSED:
            decisions[explanation.decision, rules[name]] += 1
            pool.core = Core.restore(before)
            open_node(pool, name)
            other = explained(pool, **wish)

            assert "placed" == other.decision, (seed, explanation)
            assert name in other.candidates.node

    assert {decision for decision, _ in decisions} == {"placed", "waiting"}
    assert {rule for _, rule in decisions} == CLOSED


def test_a_closed_machine_in_a_greener_hour_to_come_is_not_named() -> None:
    """With it the job would wait for that hour: it is no machine on which the job could start."""
    for later_g, named in ((400.0, True), (5.0, False)):
        pool = Pool("alpha", deferral=Deferral(worth=0.0, margin=0.0))
        pool.tell(events.IntensityChanged, "CA-ON", 90.0, 90.0, "measured", START + 1e6)
        pool.tell(events.ForecastIssued, "CA-ON", START, START, (90.0, *(later_g,) * 6))
        pool.join(card("n1", zone="CA-ON"))
        paused(pool, "n1")
        wish = {"job_class": JobClass.BATCH, "deadline_at": START + 18_000.0}
        values = explained(pool, **wish).values

        assert named == ("could_node" in values)


def test_a_machine_abroad_in_a_greener_hour_to_come_is_not_named() -> None:
    """A wider jurisdiction would have let the job wait for the hour there."""
    for later_g, named in ((400.0, True), (0.5, False)):
        pool = Pool("alpha", deferral=Deferral(worth=0.0, margin=0.0))
        pool.tell(events.IntensityChanged, "US-NY", 90.0, 90.0, "measured", START + 1e6)
        pool.tell(events.ForecastIssued, "US-NY", START, START, (90.0, *(later_g,) * 6))
        pool.join(card("here", zone="CA-AB"), card("abroad", zone="US-NY"))
        wish = {"job_class": JobClass.BATCH, "deadline_at": START + 18_000.0}
        values = explained(pool, **wish).values

        assert named == ("could_node" in values)
