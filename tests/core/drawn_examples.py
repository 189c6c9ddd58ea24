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


def drawn_card(draw: random.Random) -> tuple[Fields, Fields]:
    """Returns what differs on a card and on its replica; most often nothing."""
    if draw.random() < 0.7:
        return {}, {}
    example = draw.choice(CARDS)
    return example.card, example.replica or {}


def drawn_facts(draw: random.Random) -> Fields:
    """Returns what differs in a job; most often nothing."""
    return draw.choice(EXAMPLES).facts if draw.random() < 0.3 else {}


def drawn_policy(draw: random.Random) -> list[dict[str, Fields]]:
    """Returns what differs in a policy: for each rule, in half of all pools, its example."""
    return [example.policy for example in EXAMPLES if example.policy and draw.random() < 0.5]


def drawn_terms(draw: random.Random) -> Fields:
    """Returns what differs in the terms of a co-op; most often nothing."""
    if draw.random() < 0.7:
        return {}
    example = draw.choice(EXAMPLES)
    return draw.choice((example.borrower, example.lender))
