"""Rules: each excludes a node, in small and in large fleets, and has its sentences.

All checks of a rule start from the example in its declaration: another node, and what about it or
the job differs from the node that can run the job.
"""

from operator import attrgetter
from typing import Any

import pytest
from msgspec import Struct, structs
from tests.cases import all_cases
from tests.core.builders import MODEL, START, Pool, card, catalogue, facts, loadable, replica
from tests.core.drawn_examples import policy_sections
from tests.core.lifting import change_node, lifted, set_fields
from tests.core.loading import loads, offering
from tests.sdk.explanation_cases import missing_parts

from entraide import i18n
from entraide.types import Control, Explanation, JobState, NodeCard, NodeState
from entraide_scheduler.core import evaluation, explanations
from entraide_scheduler.core.admission import NO_SHAPE
from entraide_scheduler.core.placement import PlacementResult, pick, scan
from entraide_scheduler.core.policy import CoopTerms
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import Job, Node, Shape
from entraide_scheduler.core.rules import (
    PERMANENT_RULES,
    REPLICA_RULES,
    RULES,
    LimitFilter,
    Rule,
    bit_of,
    broken_rules,
    job_rules,
    masks_for,
    node_rules,
    offer_rules,
    replica_rules,
    temporary,
)
from entraide_scheduler.core.rules.offer_rules import has_control, is_in_jurisdiction
from entraide_scheduler.core.rules.rule import (
    NEEDS,
    Affected,
    Example,
    NodeFilter,
    OfferFilter,
    ReplicaFilter,
    any_job,
)
from entraide_scheduler.core.state import State

SMALL: dict[str, Any] = {}
LARGE = {"explained_nodes": 1, "explained_best": 3}  # limits; two nodes are evaluated by columns
CODES = [rule.code for rule in RULES]

SPARING = [  # own jobs
    rule
    for rule in REPLICA_RULES
    if isinstance(rule.filter, ReplicaFilter) and not rule.filter.affects.own
]

# A replica's load once its runs have ended, and with them what is reserved until they do.
NO_RUNS: dict[str, Any] = {"leases": 0, "batch": 0, "foreign": 0, "reserved": ""}
LOCALES = "sdk/entraide/locales"


def example_cards(example: Example) -> tuple[NodeCard, NodeCard]:
    """Returns the card of the node that can run the job, and of the one that the rule excludes."""
    served = () if example.replica is None else (replica(**{"model": MODEL} | example.replica),)
    offered = () if example.loadable is None else (loadable(**example.loadable),)
    other = {"coop": "beta", "replicas": served, "loadable": offered} | example.card
    return card("able", replicas=(replica(**example.able_replica),), **example.able), card(
        "other", **other
    )


class Decided(Struct, frozen=True):
    """An example, decided by the core: the state, the job, its request and the result."""

    state: State
    job: Job
    request: PlacementRequest
    result: PlacementResult

    @property
    def other(self) -> Node:
        return self.state.fleet.nodes["other"]

    @property
    def excluded(self) -> dict[str, str]:
        return {node.card.node: reason.code for node, reason in self.result.excluded}


def decide(rule: Rule, limits: dict[str, Any] = SMALL, **changes: Any) -> Decided:
    """Evaluates the two nodes of a rule's example for its job, of which some facts may differ."""
    example = rule.example
    terms = CoopTerms("alpha", **example.borrower), CoopTerms("beta", **example.lender)
    pool = Pool(*terms, **policy_sections(example.policy, {"limits": limits}))
    pool.join(*example_cards(example))
    state = pool.core._state
    node = state.fleet.nodes["other"]
    if example.node.get("state") is NodeState.LEFT:
        state.fleet.remove_node(node, example.node["reason"], START)
    change_node(state, node, example.node, example.load)
    set_fields(state, example.pool)
    state.model_aliases.set_catalogue(catalogue(*example.catalogue))
    job = Job(facts("job", **example.facts | changes), JobState.QUEUED, 0, START, 0, 0, NO_SHAPE)
    set_fields(job, {"context_tokens": 200} | example.job)
    job.shape = evaluation.shape_of(state, job)
    request = structs.replace(evaluation.make_request(state, job, START), **example.request)
    return Decided(state, job, request, evaluation.evaluate_nodes(state, job, request))


def outlasts_runs(rule: Rule) -> bool:
    """Tells whether a temporary rule excludes its example's node even once that has no runs."""
    decided = decide(rule)
    change_node(decided.state, decided.other, {}, NO_RUNS)
    view = decided.state.fleet.replica_index.view_of(MODEL, "other")
    return view is not None and view.blocked_bits & bit_of(rule) > 0


def affected_by(rule: Rule) -> Affected:
    """Returns which jobs a temporary rule may exclude."""
    assert isinstance(rule.filter, ReplicaFilter)
    return rule.filter.affects


def sentences_missing(code: str, lang: str) -> list[str]:
    """Returns whether a catalogue lacks a message, or the one on what would have changed it."""
    return [
        f"{LOCALES}/{lang}.ftl lacks `{message}`"
        for message in (code, f"{code}.otherwise")
        if not i18n.catalogue(lang).has(message)
    ]


def explain(decided: Decided) -> Explanation:
    """Explains an example's decision."""
    state, job, result, request = decided.state, decided.job, decided.result, decided.request
    chosen = pick(result, state.policy)
    if chosen is None:
        state.queue.add(job)
        return explanations.explain_wait(state, job, result, request)
    return explanations.explain_placement(state, job, result, chosen, request)


def test_each_rule_that_is_declared_is_checked() -> None:
    """A declaration that no tuple has, or that a tuple of another kind has, is noticed."""
    kinds = {
        NodeFilter: node_rules.NODE_RULES,
        OfferFilter: offer_rules.OFFER_RULES,
        ReplicaFilter: replica_rules.REPLICA_RULES,
        LimitFilter: job_rules.LIMIT_RULES,
    }
    declared = [
        (value, module.__name__.rpartition(".")[2])
        for module in (node_rules, offer_rules, replica_rules, job_rules)
        for value in vars(module).values()
        if isinstance(value, Rule)
    ]
    unlisted = [
        f"`{rule.code}` is declared in {module}.py and in no tuple"
        for rule, module in declared
        if rule not in RULES
    ]

    assert [] == unlisted, "; ".join(unlisted)
    assert sorted(rule.code for rule, _ in declared) == sorted(CODES)
    assert len(set(CODES)) == len(CODES)
    for kind, rules in kinds.items():
        assert {type(rule.filter) for rule in rules} == {kind}
        assert {rule.code for rule in RULES if isinstance(rule.filter, kind)} == {
            rule.code for rule in rules
        }


def test_permanent_rules_read_of_a_job_what_the_cache_compares() -> None:
    """The key of an eligible set has each field that a permanent rule reads, and no other."""
    read: set[str] = set()

    class Recorder:
        """A shape that notes which of its fields are read."""

        def __init__(self, shape: Shape) -> None:
            self._shape = shape

        def __getattr__(self, name: str) -> Any:
            read.add(name)
            return getattr(self._shape, name)

    for rule in PERMANENT_RULES:
        decided = decide(rule)
        for node in decided.state.fleet.nodes.values():
            list(broken_rules(node, Recorder(decided.job.shape)))

    assert set(NEEDS) == read


@all_cases("lang", i18n.LANGUAGES)
@all_cases("rule", [rule for rule in RULES if rule.wait], ids=attrgetter("code"))
def test_each_reason_of_waiting_has_its_sentences(rule: Rule, lang: str) -> None:
    """Where no other node is there, the job is told why it waits and when it can start."""
    assert rule.wait is not None
    missing = sentences_missing(f"reason-{rule.wait.reason}", lang)
    assert [] == missing, "; ".join(missing)
    decided = decide(rule)
    state = decided.state
    state.fleet.remove_node(state.fleet.nodes["able"], "goodbye", START)
    state.fleet.forget_node("able")
    result = evaluation.evaluate_nodes(state, decided.job, decided.request)
    explanation = explain(structs.replace(decided, result=result))

    assert explanation.reason == rule.wait.reason
    assert [] == missing_parts(explanation, lang)


@all_cases("rule", REPLICA_RULES, ids=attrgetter("code"))
def test_the_masks_of_the_job_hold_the_rule(rule: Rule) -> None:
    """A job that a temporary rule affects is compared with a mask that has the rule's bit."""
    own, others = masks_for(decide(rule).job.shape)

    assert (own | others) & bit_of(rule)


@all_cases("rule", SPARING, ids=attrgetter("code"))
def test_a_rule_that_spares_own_jobs_spares_them(rule: Rule) -> None:
    """The node of the example may run the same job of its own co-op."""
    excluded = decide(rule, coop="beta").excluded

    assert {} == excluded, "`ReplicaIndex.lends_in_part` must be true of the co-op of such a node"


@all_cases("rule", SPARING, ids=attrgetter("code"))
def test_the_pool_loads_no_model_for_jobs_that_the_node_then_refuses(rule: Rule) -> None:
    """A condition on the node alone is declared by ``on_node``, and then holds before a load."""
    example = rule.example
    needs_replica = bool(example.load or example.replica or example.lender)
    assert isinstance(rule.filter, ReplicaFilter)
    assert needs_replica == (rule.filter.node_excludes is None)
    if needs_replica:
        return
    pool = Pool(**policy_sections(example.policy, SMALL))
    pool.join(offering("other", MODEL, coop="beta", **example.card))
    state = pool.core._state
    change_node(state, state.fleet.nodes["other"], example.node, example.load)
    asked = {coop: loads(pool.ask(coop, coop, **example.facts)) for coop in ("alpha", "beta")}

    assert {"alpha": [], "beta": [("other", MODEL)]} == asked


@all_cases("rule", REPLICA_RULES, ids=attrgetter("code"))
def test_a_co_op_is_owed_nothing_for_a_replica_out_of_service(rule: Rule) -> None:
    """The slots of such a replica do not count; those that runs or other co-ops' terms close do."""
    view = decide(rule).state.fleet.replica_index.view_of(MODEL, "other")
    is_out = affected_by(rule).own and outlasts_runs(rule)

    assert view is not None
    assert is_out == (view.counted_slots == (0, 0)), f"`out_of_service` must be {is_out}"


def test_the_first_rule_that_excludes_is_the_most_general() -> None:
    """Rules on all jobs come before those on some; in each part, the whole node before its runs."""

    def place_of(rule: Rule) -> tuple[bool, bool]:
        affected = affected_by(rule)
        on_all_jobs = affected.own and affected.jobs is any_job
        return not on_all_jobs, not outlasts_runs(rule)

    expected = [rule.code for rule in sorted(REPLICA_RULES, key=place_of)]

    assert expected == [rule.code for rule in REPLICA_RULES], f"in order: {', '.join(expected)}"


def test_a_change_for_any_kind_of_job_may_open_a_replica(monkeypatch) -> None:
    """A bit that no requester's mask has counts as well, whichever jobs its rule affects."""
    bit = 1 << len(REPLICA_RULES)
    before = temporary.may_open(bit, 0)
    monkeypatch.setattr(temporary, "_UNREQUESTED_BITS", bit)

    assert not before
    assert temporary.may_open(bit, 0)


@all_cases("rule", RULES, ids=attrgetter("code"))
def test_the_rule_excludes_the_node(rule: Rule) -> None:
    """Only the node that the example is about is excluded, and by this rule alone."""
    able = {"able": rule.code} if rule.code == "alone_limit" else {}
    excluded = decide(rule).excluded
    first = excluded.get("other")

    assert first is not None, "its condition does not hold for the example, or no tuple has it"
    assert rule.code == first, (
        f"rule `{first}` excludes it before: change the example (card, able) or move the rule"
    )
    assert excluded == {"other": rule.code} | able


@all_cases("rule", RULES, ids=attrgetter("code"))
def test_the_search_over_columns_honours_the_rule(rule: Rule) -> None:
    """A fleet too large to be scanned node by node gives the same result."""
    small, large = decide(rule), decide(rule, LARGE)

    assert large.state.fleet.eligible_nodes(large.job.shape).columns is not None
    assert large.result.counts == small.result.counts
    assert large.excluded == small.excluded
    assert large.result.listed == small.result.listed


@all_cases("lang", i18n.LANGUAGES)
@all_cases("rule", RULES, ids=attrgetter("code"))
def test_the_explanation_gives_the_reason(rule: Rule, lang: str) -> None:
    """The text says why the node is excluded and what would have changed it, with all values."""
    missing = sentences_missing(f"rule-{rule.code}", lang)
    assert [] == missing, "; ".join(missing)

    explanation = explain(decide(rule))
    values = explanation.excluded[0].values

    assert [] == missing_parts(explanation, lang)
    assert values == values | rule.example.values


@all_cases("rule", [rule for rule in RULES if rule.lifted is not None], ids=attrgetter("code"))
def test_without_the_rule_the_node_fits(rule: Rule) -> None:
    """The counterfactual says that nothing else excludes the node, and that holds."""
    decided = decide(rule)
    state, request = decided.state, decided.request

    assert explanations.is_only_obstacle(state, request, decided.other, rule)

    changed = lifted(state, decided.other, rule.code, request)
    eligible = state.fleet.eligible_nodes(changed.shape)
    result = scan(eligible.views, eligible.excluded, changed, state.policy)

    assert "other" in {fit.view.name for fit in result.fits}


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        ("member", {"member"}),
        ("canadian", {"member", "canadian"}),
        ("other", {"member", "canadian", "other", ""}),
        ("", {"member", "canadian", "other", ""}),
    ],
)
def test_control_is_what_is_asked_for_or_closer(asked, accepted) -> None:
    """A member co-op is Canadian control too; what is unstated counts as other."""
    assert accepted == {str(control) for control in Control if has_control(control, Control(asked))}


@pytest.mark.parametrize(
    ("zone", "jurisdiction", "inside"),
    [
        ("CA-QC", "CA", True),
        ("CA-QC", "CA-QC", True),
        ("CA-QC", "CA-Q", False),
        ("CAN", "CA", False),
        ("US-CA", "CA", False),
    ],
)
def test_a_jurisdiction_is_a_prefix_up_to_a_hyphen(zone, jurisdiction, inside) -> None:
    """CA holds CA-QC; CA-Q holds nothing."""
    assert is_in_jurisdiction(zone, jurisdiction) is inside
