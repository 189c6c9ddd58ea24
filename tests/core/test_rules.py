"""Rules: each reason excludes a node, in small and in large fleets, and has its sentences.

``CASES`` has one case for each reason: another node, and what about it or the job differs from the
node that can run the job. All checks of a reason start from its case.
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct, structs
from tests.core.builders import MODEL, START, Pool, card, facts, loadable, replica
from tests.core.lifting import lifted
from tests.house.source import ROOT
from tests.sdk import explanation_cases
from tests.sdk.explanation_cases import missing_parts

from entraide import i18n
from entraide.types import (
    Basis,
    Control,
    DataClass,
    Explanation,
    JobClass,
    JobState,
    Lending,
    NodeCard,
    NodeState,
    Power,
)
from entraide_scheduler.core import evaluation, explanations
from entraide_scheduler.core.admission import NO_SHAPE
from entraide_scheduler.core.explanations.counterfactuals import NEVER_LIFTED
from entraide_scheduler.core.explanations.explain import LIMIT_WAITING_REASONS, WAITING_REASONS
from entraide_scheduler.core.fleet.replica_index import OUT_OF_SERVICE
from entraide_scheduler.core.placement import PlacementResult, pick, scan
from entraide_scheduler.core.policy.policy import Limits
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import (
    ExclusiveReplica,
    Job,
    Node,
    ReplicaState,
)
from entraide_scheduler.core.records.records import Backoff
from entraide_scheduler.core.rules import (
    JOB_REASONS,
    PERMANENT_REASONS,
    TEMPORARY_FILTERS,
    TEMPORARY_REASONS,
    Reason,
    bit_of,
    masks_for,
    reasons,
)
from entraide_scheduler.core.rules.permanent import has_control, is_in_jurisdiction
from entraide_scheduler.core.rules.temporary import Affects, TemporaryFilter
from entraide_scheduler.core.state import State

REASONS = {value.code: value for value in vars(reasons).values() if isinstance(value, Reason)}
SMALL: dict[str, Any] = {}
LARGE = {"explained_nodes": 1, "explained_best": 3}  # limits; two nodes are evaluated by columns

# Temporary filters that leave a replica's slots to its own co-op's count: they depend on runs, or
# exclude other co-ops' jobs.
GIVES_OWED_TURNS = {
    "probing", "reserved", "no_free_slot", "own_only", "lend_limit", "batch_share_full", "not_empty"
}  # fmt: skip


class Case(Struct, frozen=True):
    """A node that one reason excludes.

    Attributes:
        card: the node; by default one that can run the job.
        able: what differs on the card of the other node, which can run the job.
        job: facts of the job that differ from the default.
        changed: changes the node, or what the pool holds for the job.
        request: limits of the job's request that differ.
        alone: whether the job must run alone.
        policy: sections of the policy that differ, by name.
        revision: of the model that began the job's answer.
    """

    card: NodeCard = card("other", "beta")
    able: dict[str, Any] = {}
    job: dict[str, Any] = {}
    changed: Callable[[State, Node], object] = lambda _state, _node: None
    request: dict[str, Any] = {}
    alone: bool = False
    policy: dict[str, Any] = {}
    revision: str = ""


def on_node(**changes: Any) -> Callable[[State, Node], None]:
    """Returns what changes attributes of the node."""

    def change(_: State, node: Node) -> None:
        for name, value in changes.items():
            setattr(node, name, value)

    return change


def on_load(**changes: Any) -> Callable[[State, Node], None]:
    """Returns what changes attributes of the load of the node's replica."""

    def change(_: State, node: Node) -> None:
        for name, value in changes.items():
            setattr(node.loads[MODEL], name, value)

    return change


def backed_off(state: ReplicaState) -> Callable[[State, Node], None]:
    """Returns what puts the node's replica in back-off."""
    return on_node(backoffs={MODEL: Backoff(state, 1, "engine_failed", START + 9.0)})


LARGER = card("other", zone="CA-AB", power=Power("bench", 10.0, 2_010.0, Basis.DECLARED))


CASES = {
    "node_quarantined": Case(changed=on_node(quarantine="event_raised")),
    "node_left": Case(changed=lambda state, node: state.fleet.remove_node(node, "goodbye", START)),
    "model_loading": Case(
        card("other", replicas=(), loadable=(loadable(),), models_bytes=9**12, loading=(MODEL,))
    ),
    "model_loadable": Case(
        card("other", replicas=(), loadable=(loadable(),), models_bytes=9**12)
    ),
    "model_not_loaded": Case(card("other", replicas=(replica("b"),))),
    "other_revision": Case(
        card("other", replicas=(replica(revision="sha256:def", features=("resume",)),)),
        able={"replicas": (replica(features=("resume",)),)},
        revision="sha256:abc",
    ),
    "feature_missing": Case(
        job={"features": ("tools",)}, able={"replicas": (replica(features=("tools",)),)}
    ),
    "wrong_jurisdiction": Case(card("other", zone="CA-ON"), job={"jurisdiction": "CA-QC"}),
    "wrong_control": Case(
        card("other", controlled_by=Control.CANADIAN),
        able={"controlled_by": Control.MEMBER},
        job={"controlled_by": Control.MEMBER},
    ),
    "data_class_own_coop": Case(
        job={"data_class": DataClass.RESTRICTED}, able={"data_classes": tuple(DataClass)}
    ),
    "data_class_refused": Case(card("other", data_classes=(DataClass.PUBLIC,))),
    "context_too_small": Case(card("other", replicas=(replica(context_tokens=150),))),
    "node_suspect": Case(changed=on_node(state=NodeState.SUSPECT)),
    "node_lost": Case(changed=on_node(state=NodeState.LOST)),
    "not_accepting": Case(changed=on_node(accepting=False, reason="owner_busy")),
    "resting": Case(changed=backed_off(ReplicaState.RESTING)),
    "probing": Case(
        changed=lambda state, node: (
            backed_off(ReplicaState.PROBING)(state, node), on_load(leases=1)(state, node)
        )
    ),
    "reserved": Case(changed=on_load(reserved="another")),
    "no_free_slot": Case(changed=on_load(leases=4)),
    "own_only": Case(changed=on_node(lending=Lending.OWN_ONLY)),
    "lend_limit": Case(changed=on_load(foreign=4)),
    "batch_share_full": Case(
        job={"job_class": JobClass.BATCH}, changed=on_load(leases=2, batch=2)
    ),
    "not_empty": Case(changed=on_load(leases=1), alone=True),
    "alone_limit": Case(
        changed=lambda state, _: state.exclusive_replicas.update(
            another=ExclusiveReplica("able", MODEL, "alpha")
        ),
        alone=True,
    ),
    "same_engine": Case(request={"barred": frozenset({"other"})}, alone=True),
    "greener_later": Case(card("other", zone="CA-AB"), request={"max_g_per_kwh": {"CA-QC": 9.0}}),
    "lend_energy_spent": Case(
        changed=lambda state, _: state.quotas.lent.limit_uwh.update(beta=1_000_000),
        request={"limited": True, "lent_left_uwh": {"beta": 1}},
    ),
    "over_carbon_cap": Case(LARGER, request={"limited": True, "carbon_cap_ug": 4_000.0}),
    "over_carbon_quota": Case(LARGER, request={"limited": True, "carbon_left_ug": 4_000.0}),
    "over_energy_quota": Case(LARGER, request={"limited": True, "energy_left_uwh": 1e4}),
    "tried_before": Case(request={"avoid": ("other",)}),
}  # fmt: skip


class Decided(Struct, frozen=True):
    """A case, decided by the core: the state, the job, its request and the result."""

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


def decide(case: Case, limits: dict[str, Any] = SMALL) -> Decided:
    """Evaluates the two nodes of a case for its job; replicas are updated after ``changed``."""
    all_limits = structs.replace(case.policy.get("limits", Limits()), **limits)
    pool = Pool(**case.policy | {"limits": all_limits})
    pool.join(card("able", **case.able), case.card)
    state = pool.core._state
    node = state.fleet.nodes["other"]
    case.changed(state, node)
    view = state.fleet.replica_index.view_of(MODEL, "other")
    if view is not None:
        state.fleet.replica_index.refresh(view, START)
    job = Job(facts("job", **case.job), JobState.QUEUED, 0, START, 0, 0, NO_SHAPE)
    job.alone, job.context_tokens, job.revision = case.alone, 200, case.revision
    job.shape = evaluation.shape_of(state, job)
    request = structs.replace(evaluation.make_request(state, job, START), **case.request)
    return Decided(state, job, request, evaluation.evaluate_nodes(state, job, request))


def explain(decided: Decided) -> Explanation:
    """Explains a case's decision."""
    state, job, result, request = decided.state, decided.job, decided.result, decided.request
    chosen = pick(result, state.policy)
    if chosen is None:
        state.queue.add(job)
        return explanations.explain_wait(state, job, result, request)
    return explanations.explain_placement(state, job, result, chosen, request)


def test_each_reason_has_a_case_and_is_checked() -> None:
    """A reason that stands in no list of the filters, or has no case here, is noticed."""
    checked = [reason.code for reason in (*PERMANENT_REASONS, *TEMPORARY_REASONS, *JOB_REASONS)]

    assert set(CASES) <= set(REASONS), "add the reason to rules/reasons.py"
    assert set(REASONS) <= set(checked), "add its filter: see the checklist in CONTRIBUTING.md"
    assert set(REASONS) <= set(CASES), "add a case to CASES"
    assert sorted(REASONS) == sorted(checked)


def test_each_reason_of_waiting_has_its_sentences() -> None:
    """The catalogues say why the job waits and when it can start; a golden text shows it."""
    codes = {*WAITING_REASONS.values(), *LIMIT_WAITING_REASONS.values()}
    needed = {f"reason-{code}{part}" for code in codes for part in ("", ".otherwise")}
    shown = {explanation.reason for explanation in explanation_cases.CASES.values()}

    assert {*WAITING_REASONS, *LIMIT_WAITING_REASONS} <= set(REASONS)
    for lang in i18n.LANGUAGES:
        assert [] == sorted(code for code in needed if not i18n.catalogue(lang).has(code))
    assert codes <= shown, "add a case to tests/sdk/explanation_cases.py"


@pytest.mark.parametrize("each", TEMPORARY_FILTERS, ids=lambda each: each.reason.code)
def test_the_masks_of_the_job_hold_the_filter(each: TemporaryFilter) -> None:
    """A job that a temporary filter affects is compared with a mask that has the filter's bit."""
    own, others = masks_for(decide(CASES[each.reason.code]).job.shape)

    assert (own | others) & bit_of(each.reason), f"masks_for does not know {each.affects}"


def test_each_temporary_filter_counts_own_slots_or_not() -> None:
    """A co-op is owed no turn for a replica out of service; it must be said of each filter."""
    out = {each.code for each in TEMPORARY_REASONS if bit_of(each) & OUT_OF_SERVICE}

    assert {each.code for each in TEMPORARY_REASONS} == out | GIVES_OWED_TURNS, (
        "add the reason to OUT_OF_SERVICE in fleet/replica_index.py, or to GIVES_OWED_TURNS here"
    )


def test_each_kind_of_affected_job_has_a_filter() -> None:
    """So each member of ``Affects`` is in some mask."""
    assert set(Affects) == {each.affects for each in TEMPORARY_FILTERS}


@pytest.mark.parametrize("code", CASES)
def test_the_reason_excludes_the_node(code: str) -> None:
    """Only the node that the case is about is excluded, and by this reason alone."""
    assert code in REASONS, "add the reason to rules/reasons.py"
    decided = decide(CASES[code])
    able = {"able": code} if code == "alone_limit" else {}

    assert decided.excluded == {"other": code} | able


@pytest.mark.parametrize("code", CASES)
def test_the_search_over_columns_honours_the_reason(code: str) -> None:
    """A fleet too large to be scanned node by node gives the same result."""
    small, large = decide(CASES[code]), decide(CASES[code], LARGE)

    assert large.state.fleet.eligible_nodes(large.job.shape).columns is not None
    assert large.result.counts == small.result.counts
    assert large.excluded == small.excluded
    assert large.result.listed == small.result.listed


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
@pytest.mark.parametrize("code", CASES)
def test_the_explanation_gives_the_reason(code: str, lang: str) -> None:
    """The text says why the node is excluded and what would have changed it, with all values."""
    explanation = explain(decide(CASES[code]))

    assert i18n.has_message(f"rule-{code}.otherwise")
    assert [] == missing_parts(explanation, lang)
    assert i18n.rule(code, lang) != code


@pytest.mark.parametrize("code", sorted(set(CASES) - {reason.code for reason in NEVER_LIFTED}))
def test_without_the_reason_the_node_fits(code: str) -> None:
    """The counterfactual says that nothing else excludes the node, and that holds."""
    decided = decide(CASES[code])
    state, request = decided.state, decided.request

    assert explanations.is_only_obstacle(state, request, decided.other, REASONS[code])

    changed = lifted(state, decided.other, code, request)
    eligible = state.fleet.eligible_nodes(changed.shape)
    result = scan(eligible.views, eligible.excluded, changed, state.policy)

    assert "other" in {fit.view.name for fit in result.fits}


@pytest.mark.checkout
def test_each_reason_is_documented() -> None:
    """The table of the filter names each code."""
    page = (ROOT / "docs/concepts/decisions.md").read_text("utf-8")
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]

    assert [] == [code for code in REASONS if not any(f"`{code}`" in row for row in rows)]


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
