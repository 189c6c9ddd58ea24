"""Thinking: who decides whether a model thinks, how it is told, and what the thought costs."""

from typing import Any

import pytest
from msgspec import UNSET
from tests.core.builders import Pool, card, catalogue, entry, of, policy, replica, usage

from entraide.models import ALWAYS_THINKS, THINKING_BUDGET
from entraide.thinking import Thinking, ThinkingSigns, find_terms
from entraide.types import Effort, JobClass, Terms, ThinkingTerms
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.accounting import UsageEstimate, UsageGrant, limit_usage
from entraide_scheduler.core.carbon.emissions import make_receipt, settle
from entraide_scheduler.core.policy import ClassReasoning, CoopReasoning, Reasoning

LOW, HIGH, NONE, UNSTATED = Effort.LOW, Effort.HIGH, Effort.NONE, Effort.UNSTATED
ALWAYS, ARGUMENT, NEVER, SIGN = Thinking.ALWAYS, Thinking.ARGUMENT, Thinking.NEVER, Thinking.SIGN

TOLD: dict[str, tuple[Effort, Thinking, ThinkingTerms | None]] = {
    "unasked": (UNSTATED, ARGUMENT, None),
    "asked for none": (NONE, ARGUMENT, None),
    "asked for": (LOW, ARGUMENT, ThinkingTerms(LOW, 9)),
    "asked of a model that never thinks": (HIGH, NEVER, None),
    "unasked, by a sign": (UNSTATED, SIGN, ThinkingTerms(sign="/no_think")),
    "asked for, by a sign": (HIGH, SIGN, ThinkingTerms(HIGH, 9, sign="/think")),
    "unasked of a model that always thinks": (NONE, ALWAYS, ThinkingTerms(always=True)),
    "asked of it": (LOW, ALWAYS, ThinkingTerms(LOW, 9, always=True)),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_model_is_told_in_its_way(case: str) -> None:
    """A model thinks if a thought is asked for, is told by its template's way, or always thinks."""
    effort, thinking, expected = TOLD[case]

    assert expected == find_terms(effort, 9, thinking, ThinkingSigns())


POLICY = Reasoning(
    default=LOW,
    budget_tokens=64,
    classes=(ClassReasoning(JobClass.BATCH, HIGH),),
    coops=(CoopReasoning("beta"),),
)
ASKED: dict[str, tuple[Reasoning, dict[str, Any], ThinkingTerms | None]] = {
    "nobody": (Reasoning(), {}, None),
    "the request": (Reasoning(), {"effort": HIGH}, ThinkingTerms(HIGH)),
    "the policy": (POLICY, {}, ThinkingTerms(LOW, 64)),
    "the policy, and the request refuses": (POLICY, {"effort": NONE}, None),
    "the policy, and the request has a smaller budget": (
        POLICY, {"thinking_budget_tokens": 8}, ThinkingTerms(LOW, 8),
    ),
    "the policy, and the request has a larger budget": (
        POLICY, {"thinking_budget_tokens": 99}, ThinkingTerms(LOW, 64),
    ),
    "the class": (POLICY, {"job_class": JobClass.BATCH}, ThinkingTerms(HIGH)),
    "the co-op, not its class": (POLICY, {"job_class": JobClass.BATCH, "coop": "beta"}, None),
    "the request, with a budget above its answer": (
        Reasoning(), {"effort": LOW, "thinking_budget_tokens": 99, "output_tokens_max": 20},
        ThinkingTerms(LOW, 20),
    ),
}  # fmt: skip


def placed_terms(pool: Pool, **asked: Any) -> Terms:
    """The terms of a job that is placed at once."""
    (place,) = of(pool.ask("j1", **asked), commands.Place)
    return place.terms


@pytest.mark.parametrize("case", ASKED)
def test_who_asks_for_a_thought(pool: Pool, case: str) -> None:
    """The request decides; else the policy of its co-op, of its class, of the pool; else nobody."""
    reasoning, asked, expected = ASKED[case]
    pool.tell(events.PolicyChanged, policy(reasoning=reasoning))
    pool.join(card("n1", replicas=(replica(features=(THINKING_BUDGET,)),)))

    assert expected == (placed_terms(pool, **asked).thinking or None)


def test_a_budget_needs_an_engine_that_keeps_it(pool: Pool) -> None:
    """A thought with a budget is refused by the budget's name where no engine keeps it."""
    pool.join(card("n1"))
    asked = {"effort": LOW, "thinking_budget_tokens": 9}
    (refused,) = of(pool.ask("j1", **asked), commands.Refuse)

    assert "feature_unsupported" == refused.code
    assert (THINKING_BUDGET, THINKING_BUDGET) == (
        refused.values["features"], refused.values["param"],
    )  # fmt: skip


@pytest.mark.parametrize("effort", [UNSTATED, NONE])
def test_no_alias_means_a_model_that_always_thinks(pool: Pool, effort: Effort) -> None:
    """Unless a thought is asked for; its own name is in the refusal, and it is told apart there."""
    pool.tell(events.CatalogueChanged, catalogue(entry("musing", thinking=ALWAYS)))
    pool.join(card("n1", replicas=(replica("musing"),)))
    (refused,) = of(pool.ask("j1", model="petit", effort=effort), commands.Refuse)
    (place,) = of(pool.ask("j2", model="musing", effort=effort), commands.Place)

    assert ("no_model_fits", "musing") == (refused.code, refused.values["fitting"])
    assert ThinkingTerms(always=True) == place.terms.thinking
    assert 1 == place.explanation.values["always_thinks"]


SEEN: dict[str, tuple[tuple[str, ...], Effort, bool]] = {
    "nobody asked": ((ALWAYS_THINKS,), UNSTATED, False),
    "asked for": ((ALWAYS_THINKS,), LOW, True),
    "another machine's engine follows": ((ALWAYS_THINKS, ""), UNSTATED, True),
}


@pytest.mark.parametrize("alias", ["petit", "auto"])
@pytest.mark.parametrize("case", SEEN)
def test_no_alias_means_a_model_that_was_seen_to_think(pool: Pool, case: str, alias: str) -> None:
    """Unless a thought is asked for, or one machine at least serves it without; its name runs."""
    marks, effort, expected = SEEN[case]
    pool.tell(events.CatalogueChanged, catalogue(entry("musing", thinking=ARGUMENT)))
    for number, mark in enumerate(marks):
        features = tuple(filter(None, [mark]))
        pool.join(card(f"n{number}", replicas=(replica("musing", features=features),)))
    placed = bool(of(pool.ask("j1", model=alias, effort=effort), commands.Place))
    (place,) = of(pool.ask("j2", model="musing", effort=effort), commands.Place)
    terms = place.terms.thinking
    is_marked = place.node == "n0"

    assert expected == placed
    assert is_marked == (terms is not UNSET and terms.always)
    assert is_marked == ("always_thinks" in place.explanation.values)


def test_a_thought_on_the_receipt(pool: Pool) -> None:
    """The receipt has the thought's tokens and their share of the energy of the output."""
    pool.tell(events.CatalogueChanged, catalogue(entry("musing", thinking=ALWAYS)))
    pool.join(card("n1", replicas=(replica("musing"),)))
    terms = placed_terms(pool, model="musing")
    used = usage(output_tokens=40, reasoning_tokens=30, energy_decode_uwh=4_000_000)
    receipt = make_receipt(terms, used, settle(terms, used), settled=True, issued_at=0.0)

    assert (30, 3.0, True) == (
        receipt.reasoning_tokens, receipt.reasoning_wh, receipt.always_thinks,
    )  # fmt: skip


def test_a_thought_is_within_the_output() -> None:
    """A node cannot report a thought that is longer than the output that is billed."""
    reported = usage(output_tokens=500, reasoning_tokens=500)
    billed, _ = limit_usage(reported, UsageGrant(10_000, 100), UsageEstimate())

    assert (100, 100) == (billed.output_tokens, billed.reasoning_tokens)
