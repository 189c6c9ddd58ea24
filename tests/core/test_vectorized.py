"""Vectorized placement: the scan over columns gives the result of the scan over replicas."""

import random
from itertools import product

import pytest
from msgspec.structs import astuple, replace
from tests.core.builders import MODEL, START, Pool, card, facts, rates, replica, surplus
from tests.core.drawn_examples import (
    Draw,
    drawn_card,
    drawn_facts,
    drawn_policy,
    drawn_terms,
    policy_sections,
)

from entraide.types import (
    Basis,
    Control,
    JobClass,
    JobState,
    Lending,
    Outcome,
    Power,
    SurplusEvidence,
)
from entraide_scheduler.core import events
from entraide_scheduler.core.evaluation import evaluation, shape_of
from entraide_scheduler.core.evaluation.exclusive_retry import may_hold_replica
from entraide_scheduler.core.fleet import EligibleNodes, ReplicaView
from entraide_scheduler.core.placement import PlacementResult, scan
from entraide_scheduler.core.policy import (
    CoopTerms,
    Lend,
    Period,
    Policy,
    Quota,
    QuotaKind,
)
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.prediction import late_risk, make_cost_model, margin_part
from entraide_scheduler.core.records import Job, Shape
from entraide_scheduler.core.rules import (
    REPLICA_RULES,
    Rule,
    blocked_codes,
    blocking_rule,
)
from entraide_scheduler.core.rules.rule import Affected, Fields, ReplicaFilter

COOPS = ("alpha", "beta", "gamma")
ZONES = ("CA-QC", "CA-ON", "CA-AB", "US-NY")
QUOTAS = {
    "gamma": (
        Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),
        Quota(QuotaKind.CARBON_G, 1, Period.DAY),
    )
}


def any_card(draw: random.Random, number: int, examples: Draw = None):
    """Returns a random card; some cards are equal, so that names break ties."""
    speed = draw.choice((1.0, 1.0, 2.0, 5.0))
    other_fields, other_replica = drawn_card(examples)
    served = {
        "slots": draw.randint(1, 4),
        "context_tokens": draw.choice((4_096, 4_096, 300)),
        "features": draw.choice((("resume",), ("tools",), ("resume", "tools"))),
        "revision": draw.choice(("sha256:abc", "sha256:abc", "sha256:def")),
        "rates": rates(prefill_tokens_per_s=500.0 * speed, tpot_base_s=0.05 / speed),
    }
    fields = {
        "coop": draw.choice(COOPS),
        "zone": draw.choice(ZONES),
        "site": f"site-{number // 3}",
        "power": Power(
            "bench",
            10.0,
            draw.choice((60.0, 110.0)),
            Basis.DECLARED,
            *draw.choice(((0.0, 0.0), (0.0, 0.0), (900.0, 3.0))),
        ),
        "replicas": (replica(**served | other_replica),),
        "energy": draw.choice((None, None, surplus(float(draw.randint(0, 300))))),
        "rtt_s": draw.choice((0.01, 0.02)),
        "controlled_by": draw.choice((Control.MEMBER, Control.MEMBER, *Control)),
        "surplus_evidence": draw.choice(tuple(SurplusEvidence)),
    }
    return card(f"n{number:03}", **fields | other_fields)


def any_pool(draw: random.Random, nodes: int, examples: Draw = None) -> Pool:
    """Returns a pool of many nodes with random load, perhaps with the rules' examples."""
    terms = [
        CoopTerms(coop, quotas=QUOTAS.get(coop, ()), lend=Lend(draw.choice((1.0, 0.5)), lent_wh))
        for coop, lent_wh in zip(COOPS, draw.choice(((None,) * 3, (1, None, 3))), strict=True)
    ]
    sections: dict[str, Fields] = {
        "evidence": {"undocumented_part": draw.choice((1.0, 0.0, 0.5))},
        "limits": {"explained_nodes": 8, "explained_best": 3},
        "carbon": {"late_weight": draw.choice((20.0, 5.0, 1.0, 0.0))},
    }
    pool = Pool(
        *(replace(each, **drawn_terms(examples)) for each in terms),
        **policy_sections(*drawn_policy(examples), sections),
    )
    pool.join(*(any_card(draw, number, examples) for number in range(nodes)))
    for number in range(nodes):
        live(pool, draw, number, examples)
    return pool


def job_options(draw: random.Random, examples: Draw) -> dict:
    """Returns random options of a job."""
    return {
        "coop": draw.choice(COOPS),
        "job_class": draw.choice(tuple(JobClass)),
        "jurisdiction": draw.choice(("CA", "CA", "CA-QC")),
        "controlled_by": draw.choice((Control.UNSTATED, *Control)),
        "features": draw.choice(((), ("tools",))),
        "input_tokens_est": draw.choice((draw.randint(1, 200), 800)),
        "input_tokens_max": 800,
        "output_tokens_max": draw.choice((20, 400)),
        "max_carbon_ug": draw.choice((None, None, 50, 3_000)),
        "warm": draw.choice((None, (), (("n001", 60),), (("n000", 99), ("n002", 30), ("gone", 9)))),
        "session": draw.choice(("", "s1")),
    } | drawn_facts(examples)


def live(pool: Pool, draw: random.Random, number: int, examples: Draw = None) -> None:
    """Requests a job, advances a run, and changes a node or an intensity at random."""
    pool.now += draw.random()
    pool.tell(events.NodesSeen, tuple(pool.core._state.fleet.nodes))
    for place in pool.tell(events.JobRequested, facts(f"j{number}", **job_options(draw, examples))):
        if hasattr(place, "explanation") and hasattr(place, "epoch"):
            pool.accept(place)
    held = [place for place in pool.places()[-30:] if place.job in pool.core._state.leases]
    if held:
        place = draw.choice(held)
        pool.progress(place, draw.randint(1, 20))
        if draw.random() < 0.5:
            pool.report(place, output_tokens=draw.randint(2, 60), energy_basis=Basis.MEASURED)
        elif draw.random() < 0.2:
            pool.report(place, Outcome.FAILED, code=draw.choice(("engine_failed", "engine_exited")))
    node = draw.choice(list(pool.core._state.fleet.nodes))
    if draw.random() < 0.2:
        pool.tell(events.NodeChanged, node, draw.random() < 0.7, "", surplus(draw.random() * 200))
    if draw.random() < 0.1:
        grams = draw.choice((1.0, 40.0, 40.0))
        zone, until = draw.choice(ZONES), START + 1e6
        pool.tell(events.IntensityChanged, zone, grams, grams, "measured", until)


def a_job(pool: Pool, draw: random.Random, number: int, examples: Draw = None) -> Job:
    """Returns a job that waits (refused or placed ones stand for it too)."""
    pool.tell(events.JobRequested, facts(f"q{number}", **job_options(draw, examples)))
    job = pool.core._state.job(f"q{number}")
    assert job is not None
    return job


def perhaps_resumed(pool: Pool, draw: random.Random, job: Job) -> Job:
    """Returns the job, or what it would be if one of two revisions had begun its answer."""
    if job.alone:
        return job
    resumed = replace(job, revision=draw.choice(("", "sha256:abc", "sha256:def")))
    resumed.shape = replace(shape_of(pool.core._state, resumed), green_h=job.shape.green_h)
    return resumed


def both(pool: Pool, job: Job) -> tuple[PlacementResult, PlacementResult, EligibleNodes]:
    """Evaluates the nodes for a job by both implementations."""
    state = pool.core._state
    request = evaluation.make_request(state, job, state.now)
    eligible = state.fleet.eligible_nodes(job.shape)
    plain = scan(eligible.views, eligible.excluded, request, state.policy)
    return plain, evaluation.evaluate_nodes(state, job, request), eligible


def is_affected(affected: Affected, view: ReplicaView, shape: Shape) -> bool:
    """Tells whether a rule may exclude a job from a replica: the definition of the masks."""
    is_own = view.node.card.coop == shape.coop
    is_holder = shape.alone != "" and view.load.reserved == shape.alone
    return (
        affected.jobs(shape) and (affected.own or not is_own) and (affected.holder or not is_holder)
    )


def plain_rule(view: ReplicaView, shape: Shape, policy: Policy) -> Rule | None:
    """Evaluates the temporary rules one by one: the definition of the bits."""
    return next(
        (
            rule
            for rule in REPLICA_RULES
            if isinstance(rule.filter, ReplicaFilter)
            and is_affected(rule.filter.affects, view, shape)
            and rule.filter.excludes(view, policy)
        ),
        None,
    )


def waiting_alone(pool: Pool) -> Job | None:
    """Returns a queued job that must run alone and may have a replica to itself, if any."""
    state = pool.core._state
    alone = [job for job in state.queue.jobs() if job.alone and may_hold_replica(state, job)]
    return alone[0] if alone else None


@pytest.mark.parametrize("seed", range(12))
def test_both_scans_give_the_same_result(seed: int) -> None:
    """The node taken, all that is told of it and of the others, and every count are the same."""
    draw = random.Random(seed)
    examples = random.Random(seed) if seed % 3 == 0 else None
    pool = any_pool(draw, 24, examples)
    searched = 0
    for number in range(25):
        live(pool, draw, 1_000 + number, examples)
        job = waiting_alone(pool) or a_job(pool, draw, number, examples)
        if job.wait is not None and job.state is not JobState.QUEUED:
            continue  # it is no longer a part of the work that waits
        plain, quick, eligible = both(pool, perhaps_resumed(pool, draw, job))
        if eligible.columns is None:
            continue
        searched += 1

        assert plain.best is None or evaluation.may_fit(pool.core._state, job)
        assert (plain.best is None) == (quick.best is None)
        if plain.best is not None and quick.best is not None:
            assert plain.best.view is quick.best.view
            assert plain.best == quick.best
        assert plain.fitting == quick.fitting
        assert plain.counts == quick.counts
        assert plain.listed == quick.listed
        exclusions = {(node.card.node, rule.code) for node, rule in plain.excluded}
        assert {(node.card.node, rule.code) for node, rule in quick.excluded} <= exclusions
        assert {rule.code for _, rule in quick.excluded} == set(plain.counts)
    assert searched > 10


@pytest.mark.parametrize("explained", [1, 8])
def test_a_job_may_fit_while_a_replica_is_open(explained: int) -> None:
    """While the owners of all nodes have paused them no search can find one, nor in columns."""
    pool = Pool(limits=Limits(explained_nodes=explained, explained_best=1))
    pool.join(card("here"), card("other"))
    pool.ask("j1")
    state = pool.core._state
    job = state.jobs["j1"]
    for node in ("here", "other"):
        pool.tell(events.NodeChanged, node, False, "owner_busy", None)
    may_fit = evaluation.may_fit(state, job)
    pool.tell(events.NodeChanged, "other", True, "", None)

    assert (state.fleet.eligible_nodes(job.shape).columns is None) == (explained == 8)
    assert not may_fit
    assert evaluation.may_fit(state, job)


@pytest.mark.parametrize("job_class", [JobClass.INTERACTIVE, JobClass.BATCH])
@pytest.mark.parametrize("explained", [1, 8])
def test_a_job_may_fit_a_replica_of_its_own_co_op_only(explained: int, job_class: JobClass) -> None:
    """A machine that its owner keeps for the own co-op is open to the co-op's jobs."""
    pool = Pool(limits=Limits(explained_nodes=explained, explained_best=1))
    pool.join(card("here", "alpha"), card("other", "alpha"))
    pool.ask("j1", coop="alpha", job_class=job_class)
    state = pool.core._state
    job = state.jobs["j1"]
    for node in ("here", "other"):
        pool.tell(events.NodeChanged, node, True, "", None, Lending.OWN_ONLY)
    job.shape = shape_of(state, job)

    assert evaluation.may_fit(state, job)


@pytest.mark.parametrize("seed", range(4))
def test_cost_models_kept_up_to_date_equal_new_ones(seed: int) -> None:
    """Cost models, blocked codes and columns equal those computed from scratch."""
    draw = random.Random(seed)
    pool = any_pool(draw, 20)
    state = pool.core._state
    job = a_job(pool, draw, 0)
    for number in range(40):
        live(pool, draw, 2_000 + number)
        index = state.fleet.replica_index
        for view in index.by_model[MODEL].values():
            intensity = index._intensity_of(view.node, view.load, state.now)
            afresh = make_cost_model(view.node, view.load, intensity, state.policy.carbon.basis)

            assert afresh == view.cost
            for batch, alone in product((False, True), ("", "x", view.load.reserved)):
                for coop in COOPS:
                    shape = replace(job.shape, coop=coop, batch=batch, alone=alone)

                    assert plain_rule(view, shape, state.policy) is blocking_rule(view, shape)
        table, rows = index.tables.get(MODEL)
        for row, view in enumerate(rows):
            asked = list(astuple(view.cost))

            assert row == view.row
            assert table.cells[: len(asked), row].tolist() == asked
            assert table.blocked_bits[row] == view.blocked_bits
            assert tuple(table.blocked_by[:, row].tolist()) == blocked_codes(view.blocked_bits)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1.815259])
@pytest.mark.parametrize("late_weight", [0.0, 1.0, 20.0, 1_000.0])
def test_with_less_than_the_margins_part_no_risk_is_worth_it(
    scale: float, late_weight: float
) -> None:
    """A late first token then weighs more than all grams that could be saved, and not beyond."""
    part = margin_part(scale, late_weight)
    below = [late_weight * late_risk(0.0, 1.0, part * left, scale) for left in (0.0, 0.5, 0.999)]
    at_most = late_weight * late_risk(0.0, 1.0, min(1.0, part + 1e-6), scale)

    assert part == 0.0 or min(below) > 1.0
    assert part > 0.999 or at_most <= 1.0
