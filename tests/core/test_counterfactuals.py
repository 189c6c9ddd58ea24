"""Counterfactuals: a node is named with a condition only if nothing else kept the job from it."""

import random

import pytest
from msgspec import structs
from tests.core.builders import (
    MODEL,
    START,
    Pool,
    card,
    facts,
    loadable,
    of,
    rates,
    replica,
    surplus,
)
from tests.core.drawn_examples import (
    Draw,
    drawn_card,
    drawn_facts,
    drawn_policy,
    drawn_terms,
    policy_sections,
)
from tests.core.lifting import lifted

from entraide.types import (
    Basis,
    Control,
    DataClass,
    Explanation,
    JobClass,
    JobState,
    Lending,
    Outcome,
)
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.admission import NO_SHAPE, shape_of
from entraide_scheduler.core.evaluation import evaluation
from entraide_scheduler.core.explanations import counterfactuals
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.placement import scan
from entraide_scheduler.core.policy import (
    Carbon,
    CoopTerms,
    Lend,
    Period,
    Quota,
    QuotaKind,
)
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.records import Job

ZONES = ("CA-QC", "CA-ON", "CA-AB", "US-NY")
COOPS = ("alpha", "beta")


def explained(pool: Pool, job: str = "j1", **changes) -> Explanation:
    """The explanation of a job that is placed or refused at once, or waits."""
    for command in pool.ask(job, **changes):
        if isinstance(command, commands.Place | commands.Refuse):
            return command.explanation
    explanation = pool.core.explain(job, pool.now)
    assert explanation is not None
    return explanation


def paused(pool: Pool, *nodes: str) -> None:
    """Has owners take their machines back."""
    for node in nodes:
        pool.tell(events.NodeChanged, node, False, "owner_busy", None)


# Where a placed job could have gone.


def test_a_node_that_breaks_one_rule_is_named(pool: Pool) -> None:
    """Only its owner's pause keeps the job from the other machine."""
    pool.join(card("here", zone="CA-QC"), card("other", zone="CA-AB"))
    paused(pool, "other")

    assert explained(pool).values["could_node"] == "other"


def test_a_node_that_breaks_two_rules_is_not_named(pool: Pool) -> None:
    """It lies abroad, and is paused as well: a wider jurisdiction would not have been enough."""
    pool.join(card("here", zone="CA-QC"), card("abroad", zone="US-NY"))
    alone = explained(pool)
    paused(pool, "abroad")

    assert alone.values["could_node"] == "abroad"
    assert "could_node" not in explained(pool, "j2").values


def test_a_limit_behind_a_rule_counts(pool: Pool) -> None:
    """With a free slot there the job's own carbon cap would still have been in the way."""
    pool.join(card("here", zone="CA-QC"), card("other", zone="CA-AB"))
    paused(pool, "other")

    assert "could_node" not in explained(pool, max_carbon_ug=10_000).values
    assert "could_node" in explained(pool, "j2", max_carbon_ug=10_000_000).values


def test_one_limit_behind_another_counts() -> None:
    """A higher cap alone would not have helped where the quota of emissions is short as well."""
    quota = Quota(QuotaKind.CARBON_G, 1, Period.DAY)
    for limit, named in ((1, False), (1_000, True)):
        pool = Pool(quotas={"alpha": (structs.replace(quota, limit=limit),)})
        pool.join(
            card("here", zone="CA-QC", replicas=(replica(context_tokens=250_000),)),
            card("other", zone="CA-AB", replicas=(replica(context_tokens=250_000),)),
        )
        explanation = explained(
            pool, max_carbon_ug=900_000, input_tokens_est=200_000, input_tokens_max=200_000
        )

        assert explanation.excluded[0].rule == "over_carbon_cap"
        assert ("could_node" in explanation.values) == named


def test_the_data_class_that_would_help_must_be_one_that_the_node_takes(pool: Pool) -> None:
    """A machine for restricted data alone would not have taken internal data either."""
    picky = (DataClass.RESTRICTED,)
    pool.join(card("own"), card("theirs", "beta", data_classes=picky))
    refused = explained(pool, data_class=DataClass.RESTRICTED)
    pool.tell(events.NodeJoined, card("theirs", "beta"), True, "")
    named = explained(pool, "j2", data_class=DataClass.RESTRICTED)

    assert [exclusion.rule for exclusion in refused.excluded] == ["data_class_own_coop"]
    assert "could_node" not in refused.values
    assert named.values["could_node"] == "theirs"


def test_a_node_that_failed_at_this_job_is_not_told_by_its_pause(pool: Pool) -> None:
    """It would have come after the others even without the pause."""
    pool.join(card("first", zone="CA-QC"), card("second", zone="CA-AB"))
    (place,) = of(pool.ask("j1"), commands.Place)
    assert place.node == "first"
    (again,) = of(pool.decline(place, "busy"), commands.Place)

    assert again.node == "second"
    assert "could_node" not in again.explanation.values


def test_a_model_that_could_be_loaded_must_be_lent_too() -> None:
    """With the model there, a co-op that lends nothing would still have kept the job out."""
    for part, rule, named in ((0.0, "lends_nothing", False), (1.0, "model_loadable", True)):
        pool = Pool("alpha", CoopTerms("beta", lend=Lend(part)))
        could = card("could", "beta", replicas=(), loadable=(loadable(),), models_bytes=9**12)
        pool.join(card("here"), could)
        explanation = explained(pool)

        assert [exclusion.rule for exclusion in explanation.excluded] == [rule]
        assert ("could_node" in explanation.values) == named


def test_an_absent_model_is_never_the_only_obstacle(pool: Pool) -> None:
    """What a machine would offer of a model that it does not have is unknown."""
    pool.join(card("here"), card("other", replicas=(replica("grand"),)))

    assert "could_node" not in explained(pool).values


def test_nothing_is_named_in_a_large_fleet() -> None:
    """Fleets that are not explained node by node are not searched either."""
    pool = Pool(limits=Limits(explained_nodes=1))
    pool.join(card("here"), card("other"))
    paused(pool, "other")

    assert "could_node" not in explained(pool).values


# Greener nodes.


def test_a_greener_node_that_would_be_late_is_not_named(pool: Pool) -> None:
    """A free slot there would not have been enough: its first word would come too late."""
    slow = replica(rates=rates(prefill_tokens_per_s=20.0))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))
    paused(pool, "slow")
    explanation = explained(pool)

    assert explanation.node == "fast"
    assert "greener_node" not in explanation.values


@pytest.mark.parametrize(
    ("code", "speed", "changes"),
    [
        ("promise_at_risk", {"prefill_tokens_per_s": 20.0}, {}),
        ("stream_at_risk", {"tpot_base_s": 0.5}, {}),
        ("end_at_risk", {"tpot_base_s": 0.11}, {"deadline_at": START + 12.0}),
        ("promise_at_risk", {"tpot_base_s": 2.0}, {"job_class": JobClass.STANDARD}),
    ],
)
def test_the_part_of_the_promise_that_decided_is_named(
    pool: Pool, code: str, speed: dict[str, float], changes: dict[str, object]
) -> None:
    """The first word, the pace after it, or the end: each has its own code."""
    slow = replica(rates=rates(**speed))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))
    explanation = explained(pool, **changes)

    assert explanation.node == "fast"
    assert ("slow", code) == (
        explanation.values["greener_node"],
        explanation.values["greener_rule"],
    )


def test_a_machine_that_misses_two_parts_has_no_single_condition(pool: Pool) -> None:
    """Neither more time to the first word nor a slower stream would have been enough."""
    slow = replica(rates=rates(prefill_tokens_per_s=20.0, tpot_base_s=0.5))
    pool.join(card("slow", zone="CA-QC", replicas=(slow,)), card("fast", zone="CA-AB"))
    values = explained(pool).values

    assert "greener_node" not in values
    assert ("slow", "promise_at_risk") == (values["obstacle_node"], values["obstacle_rule"])


def test_the_next_greenest_is_named_where_the_greenest_breaks_two_rules(pool: Pool) -> None:
    """The greenest lies abroad and is paused; the next is paused only."""
    pool.tell(events.IntensityChanged, "US-NY", 1.0, 1.0, "measured", START)
    pool.join(card("abroad", zone="US-NY"), card("green", zone="CA-QC"), card("here", zone="CA-AB"))
    paused(pool, "abroad", "green")
    values = explained(pool).values

    assert (values["greener_node"], values["could_node"]) == ("green", "green")
    assert values["greener_rule"] == "not_accepting"


def test_few_nodes_are_checked(pool: Pool) -> None:
    """Behind ``TRIES_MAX`` nodes that break two rules, one that breaks one is not found."""
    pool.tell(events.IntensityChanged, "US-NY", 1.0, 1.0, "measured", START)
    abroad = [f"abroad{number}" for number in range(counterfactuals.TRIES_MAX)]
    pool.join(*(card(name, zone="US-NY") for name in abroad))
    pool.join(card("green", zone="CA-QC"), card("here", zone="CA-AB"))
    paused(pool, "green", *abroad)

    assert "greener_node" not in explained(pool).values


# Jobs placed too late, waiting and refused jobs.


def test_which_part_of_the_promise_is_missed_is_told(pool: Pool) -> None:
    """More time before the first word is advised only if that would have been enough."""
    slow = replica(slots=1, rates=rates(prefill_tokens_per_s=20.0))
    pool.join(card("n1", replicas=(slow,)))
    late = explained(pool)
    pool.ask("j2")
    pool.accept(pool.places()[0])
    pool.wait(6.0, seen=("n1",))
    (waited,) = of(pool.report(pool.places()[0]), commands.Place)
    values = waited.explanation.values

    assert (late.reason, late.values["late_for"]) == ("fastest_at_risk", "first_word")
    assert (waited.job, values["late_for"]) == ("j2", "passed")


def test_a_slow_stream_is_not_told_as_a_late_first_word(pool: Pool) -> None:
    """With more time before the first word the stream would still have been too slow."""
    pool.join(card("n1", replicas=(replica(rates=rates(tpot_base_s=0.5)),)))

    assert explained(pool).values["late_for"] == "stream"


def test_an_example_for_a_waiting_job_must_lack_a_slot_only(pool: Pool) -> None:
    """The job's cap would keep it from the busy machine even with a slot free."""
    pool.join(card("n1", zone="CA-AB", replicas=(replica(slots=1),)))
    explained(pool, "running")

    assert explained(pool, "free").values["could_node"] == "n1"
    assert "could_node" not in explained(pool, "capped", max_carbon_ug=1).values


def test_a_machine_that_can_take_a_job_is_not_passed_over_in_silence() -> None:
    """Not all possible machines are busy while one of them is free."""
    pool = Pool()
    pool.join(card("busy", replicas=(replica(slots=1),)))
    explained(pool, "running")
    explained(pool, "waiting")
    state = pool.core._state
    state.queue.block_shape(state.jobs["waiting"].shape, late=True)
    state.fleet.add_or_update(card("free"), accepting=True, reason="", at=pool.now)
    explanation = pool.core.explain("waiting", pool.now)

    assert explanation is not None
    assert (explanation.reason, "could_node" in explanation.values) == ("turn_is_next", False)


def test_a_job_beyond_a_whole_quota_is_not_told_to_wait_for_the_next_period() -> None:
    """The quota is short even when it is whole, unless the machine has other work beside it."""
    pool = Pool(quotas={"alpha": (Quota(QuotaKind.CARBON_G, 1, Period.DAY),)})
    pool.join(card("n1", zone="CA-AB"))
    explanation = explained(pool, choices=50)

    assert (explanation.reason, explanation.values["beyond_whole"]) == ("quota_carbon", 1)


@pytest.mark.parametrize(
    ("case", "named"), [("", True), ("paused", False), ("quota", False), ("long", False)]
)
def test_a_refused_job_is_told_a_node_that_would_have_run_it(case: str, named: bool) -> None:
    """The machine abroad is named if it is free, and if quotas and context leave the job room."""
    quotas = (Quota(QuotaKind.TOKENS, 200, Period.DAY),) if case == "quota" else ()
    pool = Pool(quotas={"alpha": quotas})
    pool.join(card("abroad", zone="US-NY"))
    if case == "paused":
        paused(pool, "abroad")
    explanation = explained(pool, input_tokens_est=5_000 if case == "long" else 100)

    assert (explanation.decision, explanation.reason) == ("refused", "no_node_serves")
    assert (explanation.values.get("could_node") == "abroad") == named


def test_another_model_is_offered_only_if_its_line_has_room() -> None:
    """Runs too long to wait for green hours have the other line, and that one is full."""
    pool = Pool(limits=Limits(queued_per_coop=1))
    pool.join(card("n1", replicas=(replica(slots=1),)))
    explained(pool, "running")
    explained(pool, "waiting")
    request = {"model": "nobody", "job_class": JobClass.BATCH, "deadline_at": START + 40_000.0}
    before = explained(pool, "j1", **request)
    pool.core._state.length_predictor.learn("alpha", MODEL, output_tokens=10, run_s=1e6)
    after = explained(pool, "j2", **request)

    assert (before.reason, before.values["fitting"]) == ("unknown_model", MODEL)
    assert (after.reason, "fitting" in after.values) == ("unknown_model", False)


# Whatever is named: lift the one rule by hand, and look again.


def any_pool(draw: random.Random, examples: Draw = None) -> Pool:
    """A small pool whose machines are often kept from a job by one rule, or by two."""
    quotas = {
        "beta": (
            Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),
            Quota(QuotaKind.CARBON_G, 1, Period.DAY),
        )
    }
    terms = [
        CoopTerms(
            coop,
            quotas=quotas.get(coop, ()) if draw.random() < 0.5 else (),
            lend=Lend(draw.choice((1.0, 1.0, 0.5, 0.0)), draw.choice((None, None, 1))),
        )
        for coop in COOPS
    ]
    pool = Pool(
        *(structs.replace(each, **drawn_terms(examples)) for each in terms),
        **policy_sections(*drawn_policy(examples)),
    )
    for number in range(draw.randint(2, 5)):
        pool.join(any_card(draw, number, examples))
    for number in range(draw.randint(0, 12)):
        pool.now += draw.random()
        pool.tell(events.NodesSeen, tuple(pool.core._state.fleet.nodes))
        for place in of(pool.ask(f"life{number}", **any_wish(draw, examples)), commands.Place):
            pool.accept(place)
            if draw.random() < 0.4:
                code = draw.choice(("", "", "engine_failed", "engine_exited"))
                outcome = Outcome.FAILED if code else Outcome.COMPLETED
                pool.report(place, outcome, code=code, energy_basis=Basis.MEASURED)
    for name in list(pool.core._state.fleet.nodes):
        lending = draw.choice((Lending.ALL, Lending.ALL, Lending.OWN_FIRST, Lending.OWN_ONLY))
        accepting = draw.random() < 0.7
        pool.tell(events.NodeChanged, name, accepting, "", None, lending)
    if draw.random() < 0.2:
        pool.wait(draw.choice((5.0, 12.0)), seen=("n0",))
    return pool


def any_card(draw: random.Random, number: int, examples: Draw = None):
    speed = draw.choice((1.0, 1.0, 0.1))
    other_fields, other_replica = drawn_card(examples)
    replica_fields = {
        "slots": draw.randint(1, 3),
        "context_tokens": draw.choice((4_096, 4_096, 300)),
        "features": draw.choice(((), ("tools",))),
        "rates": rates(prefill_tokens_per_s=1_000.0 * speed, tpot_base_s=0.02 / speed),
    }
    served = replica(**replica_fields | other_replica)
    could = loadable(features=draw.choice(((), ("tools",))))
    serves = draw.random() < 0.8
    fields = {
        "coop": draw.choice(COOPS),
        "zone": draw.choice(ZONES),
        "replicas": (served,) if serves else (),
        "loadable": () if serves else (could,),
        "models_bytes": 9**12,
        "data_classes": draw.choice(
            (tuple(DataClass), (DataClass.PUBLIC,), (DataClass.RESTRICTED,))
        ),
        "energy": draw.choice((None, None, surplus(200.0))),
        "controlled_by": draw.choice((Control.MEMBER, Control.MEMBER, *Control)),
    }
    return card(f"n{number}", **fields | other_fields)


def any_wish(draw: random.Random, examples: Draw = None) -> dict:
    return {
        "coop": draw.choice(COOPS),
        "job_class": draw.choice(tuple(JobClass)),
        "data_class": draw.choice(tuple(DataClass)),
        "jurisdiction": draw.choice(("CA", "CA", "CA-QC")),
        "controlled_by": draw.choice((Control.UNSTATED, *Control)),
        "features": draw.choice(((), ("tools",))),
        "input_tokens_est": draw.choice((50, 800)),
        "input_tokens_max": 900,
        "output_tokens_max": draw.choice((20, 400)),
        "max_carbon_ug": draw.choice((None, None, 500, 9_000)),
    } | drawn_facts(examples)


def check(core: Core, job: Job, explanation: Explanation) -> str:
    """Asserts that the named node could run the job but for the one rule; returns the rule."""
    state, name = core._state, explanation.values["could_node"]
    greener = explanation.values.get("greener_node") == name
    rule = explanation.values["greener_rule"] if greener else ""
    rule = rule or next(
        exclusion.rule for exclusion in explanation.excluded if exclusion.node == name
    )
    policy, want = state.policy, evaluation.make_request(state, job, explanation.at)
    if rule in ("little_room", "shared_now"):
        policy = structs.replace(policy, carbon=Carbon(headroom=0.0))
    else:
        want = lifted(state, state.fleet.nodes[name], rule, want)
    able = state.fleet.eligible_nodes(want.shape)
    looked = scan(able.views, able.excluded, want, policy)
    fits = {fit.view.name: fit for fit in looked.fits}

    assert name in fits, rule
    if greener:
        assert fits[name].keeps, rule
    if rule in ("little_room", "shared_now"):
        assert fits[name].carbon_ug <= looked.least_ug * (1.0 + policy.carbon.tolerance)
    return rule


def of_request(core: Core, asked: Pool, name: str, **wish) -> Job:
    """The job as it was when it was decided on, refused ones too."""
    known = asked.core._state.jobs.get(name)
    if known is not None:
        return known
    job = Job(facts(name, **wish), JobState.QUEUED, 0, asked.now, 0, 0, NO_SHAPE)
    job.shape = shape_of(core._state, job)
    return job


def test_whatever_is_named_is_kept_out_by_one_rule_alone() -> None:
    """In random pools: without that rule, and with all else as it is, the named node fits."""
    rules: set[str] = set()
    decisions: set[str] = set()
    for seed in range(660):
        draw = random.Random(seed)
        examples = random.Random(seed) if seed >= 600 else None
        pool, wish = any_pool(draw, examples), any_wish(draw, examples)
        before = Core.restore(pool.core.snapshot())
        explanation = explained(pool, "probe", **wish)
        if "could_node" in explanation.values:
            job = of_request(before, pool, "probe", **wish)
            rules.add(check(before, job, explanation))
            decisions.add(explanation.decision)

    assert len(rules) >= 12
    assert decisions >= {"placed", "refused", "waiting"}
