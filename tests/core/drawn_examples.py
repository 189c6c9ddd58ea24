"""Drawn examples: random pools and jobs with what the rules' examples differ in.

So a rule is drawn together with all others as soon as it is declared.
"""

import random
from typing import Any

from entraide_scheduler.core.rules import RULES

_EXAMPLES = [rule.example for rule in RULES]
_CARDS = [example for example in _EXAMPLES if (example.replica or {}).keys() != {"model"}]


def drawn_card(draw: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what differs on a card and on its replica; most often nothing."""
    if draw.random() < 0.7:
        return {}, {}
    example = draw.choice(_CARDS)
    return example.card, example.replica or {}


def drawn_facts(draw: random.Random) -> dict[str, Any]:
    """Returns what differs in a job; most often nothing."""
    return draw.choice(_EXAMPLES).facts if draw.random() < 0.3 else {}


def drawn_policy(draw: random.Random) -> dict[str, Any]:
    """Returns sections of a policy that differ; the co-ops are the pool's own."""
    sections: dict[str, Any] = {}
    for example in _EXAMPLES:
        if draw.random() < 0.5:
            sections |= example.policy
    return {name: section for name, section in sections.items() if name != "coops"}
