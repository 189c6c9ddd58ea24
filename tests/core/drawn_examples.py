"""Drawn examples: random pools and jobs with what the rules' examples differ in.

So a rule is drawn together with all others as soon as it is declared.
"""

import random
from typing import Any

from msgspec import structs

from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.rules import RULES
from entraide_scheduler.core.rules.rule import Fields

EXAMPLES = [rule.example for rule in RULES]
CARDS = [example for example in EXAMPLES if "model" not in (example.replica or {})]


def policy_sections(*changes: dict[str, Fields]) -> dict[str, Any]:
    """Returns the sections of a policy in which some fields differ from the default."""
    sections: dict[str, Any] = {}
    for change in changes:
        for name, fields in change.items():
            section = sections.get(name, getattr(Policy("default"), name))
            sections[name] = structs.replace(section, **fields)
    return sections


Draw = random.Random | None  # a generator of its own, so that one more rule changes no other draw


def drawn_card(examples: Draw) -> tuple[Fields, Fields]:
    """Returns what differs on a card and on its replica; in half of all cases nothing."""
    if examples is None or examples.random() < 0.5:
        return {}, {}
    example = examples.choice(CARDS)
    return example.card, example.replica or {}


def drawn_facts(examples: Draw) -> Fields:
    """Returns what differs in a job; in half of all cases nothing."""
    if examples is None or examples.random() < 0.5:
        return {}
    return examples.choice(EXAMPLES).facts


def drawn_policy(examples: Draw) -> list[dict[str, Fields]]:
    """Returns what differs in a policy: for each rule, in half of all pools, its example."""
    if examples is None:
        return []
    return [example.policy for example in EXAMPLES if example.policy and examples.random() < 0.5]


def drawn_terms(examples: Draw) -> Fields:
    """Returns what differs in the terms of a co-op; in half of all cases nothing."""
    if examples is None or examples.random() < 0.5:
        return {}
    example = examples.choice(EXAMPLES)
    return examples.choice((example.borrower, example.lender))
