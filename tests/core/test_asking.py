"""Queries change nothing, and a restored core decides as the original.

A random life of a pool (forecasts, own sun, deferral, caps, quotas of energy and carbon, lent
energy, restarts of nodes and of the scheduler) is recorded, and fed to two cores that must not
differ in any byte: one is asked everything between the events, or is restored after them.
"""

import random
from functools import cache

import msgspec
import pytest
from tests.core.builders import (
    MODEL,
    START,
    Pool,
    card,
    facts,
    packed,
    policy,
    rates,
    replica,
    surplus,
)

from entraide.types import Basis, EnergyStatus, JobClass, JobKind, Power
from entraide_scheduler.core import events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import (
    CoopTerms,
    Evidence,
    Lend,
    Period,
    Quota,
    QuotaKind,
    Timing,
)
from entraide_scheduler.core.policy.policy import Limits

COOPS = ("alpha", "beta", "gamma")
ZONES = ("CA-QC", "CA-ON", "CA-AB")
PATIENT = Timing(4_000.0, 8_000.0, 4_000.0, 4_000.0)
HOUR_S = 3_600.0
SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))]
EVENTS = 260


def members(draw: random.Random) -> tuple[CoopTerms, ...]:
    """Members with quotas that sometimes suffice, and limits on what they lend."""
    return tuple(
        CoopTerms(
            coop,
            draw.choice((1.0, 3.0)),
            (
                Quota(QuotaKind.ENERGY_WH, draw.choice((1, 5)), Period.DAY),
                Quota(QuotaKind.CARBON_G, draw.choice((1, 5)), Period.DAY),
            )
            if coop == "gamma"
            else (),
            Lend(draw.choice((1.0, 0.5)), draw.choice((None, 2))),
        )
        for coop in COOPS
    )


def machine(draw: random.Random, number: int):
    """One of a few machines, of which some share a site with sun of its own."""
    sunny = number % 3 != 2
    return card(
        f"n{number}",
        COOPS[number % 2],
        ZONES[number % 3],
        site=f"site-{number % 2}",
        power=Power("bench", 10.1, draw.choice((60.3, 110.7, 333.3)), Basis.DECLARED),
        replicas=(
            replica(
                slots=draw.randint(1, 4),
                rates=rates(
                    prefill_tokens_per_s=draw.choice((100.0, 900.0)),
                    tpot_base_s=draw.choice((0.011, 0.03)),
                ),
            ),
        ),
        energy=surplus(draw.uniform(0, 900), until=START + 1e6) if sunny else None,
    )


class Life:
    """A pool driven by random events."""

    def __init__(self, seed: int, *, explained_nodes: int) -> None:
        self.draw = random.Random(seed)
        self.limits = Limits(explained_nodes=explained_nodes, explained_best=2)
        terms = members(self.draw)
        self.pool = Pool(*terms, timing=PATIENT, limits=self.limits)
        self.cards = [machine(self.draw, number) for number in range(8)]
        self.boots = dict.fromkeys((node_card.node for node_card in self.cards), 0)
        self.jobs, self.incarnation = 0, 1
        for node_card in self.cards:
            self.hello(node_card)

    def hello(self, node_card) -> None:
        self.pool.tell(
            events.NodeJoined, node_card, True, "", boot=f"b{self.boots[node_card.node]}"
        )

    def request(self) -> None:
        draw, pool = self.draw, self.pool
        job_class = draw.choice((JobClass.BATCH, JobClass.BATCH, *JobClass))
        within_s = draw.uniform(0.3, 30.0) * HOUR_S
        pool.tell(
            events.JobRequested,
            facts(
                f"j{self.jobs}",
                draw.choice(COOPS),
                kind=draw.choice(tuple(JobKind)),
                job_class=job_class,
                input_tokens_est=draw.choice((20, 900)),
                input_tokens_max=1_000,
                output_tokens_max=draw.choice((None, 400)),
                deadline_at=pool.now + within_s if job_class is JobClass.BATCH else None,
                max_carbon_ug=draw.choice((None, None, 3_000)),
                warm=draw.choice((None, (("n1", 40), ("n2", 9)))),
            ),
        )
        self.jobs += 1

    def work(self) -> None:
        draw, pool = self.draw, self.pool
        leases = pool.core._state.leases
        held = [place for place in pool.places() if place.job in leases]
        held = [place for place in held if leases[place.job].terms.epoch == place.epoch]
        if not held:
            return
        place = draw.choice(held)
        pool.accept(place)
        pool.progress(place, draw.randint(0, 40))
        if draw.random() < 0.7:
            tokens = draw.randint(1, 300)
            pool.report(place, output_tokens=tokens, energy_decode_uwh=tokens * 500)

    def weather(self) -> None:
        draw, pool = self.draw, self.pool
        node_card, zone = draw.choice(self.cards), draw.choice(ZONES)
        chance = draw.random()
        if chance < 0.4:
            until = pool.now + draw.choice((200.0, HOUR_S, 9e4))
            basis = draw.choice((Basis.MEASURED, Basis.DECLARED))
            surplus_w = draw.uniform(0, 900)
            status = EnergyStatus(surplus_w, basis, "told", pool.now, until)
            pool.tell(events.NodeChanged, node_card.node, draw.random() < 0.9, "", status)
        elif chance < 0.7:
            grams = draw.uniform(1, 500)
            pool.tell(
                events.IntensityChanged, zone, grams, grams + 40, "measured", pool.now + HOUR_S
            )
        else:
            hours = tuple(draw.uniform(1, 500) for _ in range(48))
            pool.tell(events.ForecastIssued, zone, pool.now, pool.now, hours)

    def trouble(self) -> None:
        draw, pool = self.draw, self.pool
        node_card, chance = draw.choice(self.cards), draw.random()
        if chance < 0.4:
            self.boots[node_card.node] += draw.choice((0, 1))
            self.hello(node_card)
        elif chance < 0.5:
            pool.tell(events.NodeLeft, node_card.node, "goodbye")
        elif chance < 0.6:
            pool.tell(events.PeriodBegan, Period.DAY, pool.now + 86_400.0)
        elif chance < 0.7:
            self.incarnation += 1
            pool.tell(events.SchedulerStarted, self.incarnation, "gw-2")
        elif chance < 0.85:
            evidence = Evidence(declared_valid_s=draw.choice((60.0, 9e4)))
            pool.tell(
                events.PolicyChanged,
                policy(*members(draw), timing=PATIENT, limits=self.limits, evidence=evidence),
            )
        elif self.jobs:
            pool.tell(events.JobCancelled, f"j{draw.randrange(self.jobs)}", "cancelled")

    def live(self) -> None:
        draw, pool = self.draw, self.pool
        later = pool.now + draw.choice((0.0, 1.0, 30.0, 200.0, 700.0))
        while (due := pool.core.next_deadline()) is not None and due <= later:
            pool.now = max(due, pool.now)
            pool.tell(events.Woke)
        pool.now = later
        pool.tell(events.NodesSeen, tuple(sorted(self.boots)))
        act = draw.choice((self.request, self.request, self.work, self.work, self.weather))
        act() if draw.random() < 0.9 else self.trouble()


@cache
def recorded(seed: int, explained_nodes: int = 64) -> tuple[events.Event, ...]:
    """The events of a life, which is lived once."""
    life = Life(seed, explained_nodes=explained_nodes)
    while len(life.pool.events) < EVENTS:
        life.live()
    return tuple(life.pool.events)


def ask(core: Core, at: float, jobs: int) -> None:
    """Calls every query, at the present time and at a later one."""
    for number in range(max(0, jobs - 30), jobs):
        for later_s in (0.0, 1_000.0):
            core.explain(f"j{number}", at + later_s)
        core.job(f"j{number}")
    core.jobs(), core.nodes(), core.models(), core.loadable_models(), core.alias_meanings()
    core.queue_lengths(), core.balances(), core.plan(), core.model_loads(), core.catalogue()
    core.quarantines(), core.next_deadline(), core.snapshot()
    for coop in COOPS:
        core.quota_left(coop)
    for node in ("", "n1"):
        core.preview_load(MODEL, node)


@pytest.mark.parametrize("explained_nodes", [64, 3], ids=["one by one", "as columns"])
@pytest.mark.parametrize("seed", SEEDS)
def test_asking_changes_no_later_decision(seed: int, explained_nodes: int) -> None:
    """A core that is asked everything after each event decides as one that is asked nothing."""
    silent, asked = Core(), Core()
    jobs = 0
    for event in recorded(seed, explained_nodes):
        jobs += isinstance(event, events.JobRequested)

        assert packed(silent.handle(event)) == packed(asked.handle(event)), event
        ask(asked, event.at, jobs)
    assert silent.snapshot() == asked.snapshot()


@pytest.mark.parametrize("explained_nodes", [64, 3], ids=["one by one", "as columns"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_restored_core_decides_as_the_live_one(seed: int, explained_nodes: int) -> None:
    """Restored after every event, a core asks for what the one that went on asks for."""
    live, restored = Core(), Core()
    for event in recorded(seed, explained_nodes):
        assert packed(live.handle(event)) == packed(restored.handle(event)), event
        assert live.next_deadline() == restored.next_deadline()
        restored = Core.restore(restored.snapshot())
    assert live.snapshot() == restored.snapshot()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_hellos_changes_no_decision(seed: int) -> None:
    """The same nodes that join in another order get the same jobs, to the last bit."""
    lived = recorded(seed)
    joins = [place for place, event in enumerate(lived) if isinstance(event, events.NodeJoined)]
    first = joins[:8]
    order = random.Random(seed).sample(first, len(first))
    other = list(lived)
    for place, source in zip(first, order, strict=True):
        here = lived[place]
        other[place] = msgspec.structs.replace(lived[source], id=here.id, at=here.at)
    core, other_core = Core(), Core()
    for event, alike in zip(lived, other, strict=True):
        here, there = core.handle(event), other_core.handle(alike)
        if lived.index(event) > first[-1]:
            assert packed(here) == packed(there), event
