"""Scripted engines: answers to items with errors of known kinds at known rates.

``RIGHT`` and ``WRONG`` are kinds of answers that are so by construction; ``right_by_way`` asks the
checkers about each. ``runs`` draws whole evaluations of an engine that errs by given rates, all at
once, and stops each as ``rounds`` does.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from entraide.enums import Task
from entraide.evaluation.checkers import (
    ChoiceCheck,
    DateCheck,
    NumberCheck,
    PassageCheck,
    TextCheck,
    is_right,
)
from entraide.evaluation.confidence import interval
from entraide.evaluation.quantities import format_number
from entraide.evaluation.rounds import ITEMS_MAX, LOOKS
from entraide.evaluation.templates import Item, load_templates, make_items

LEAST = 0.8
# Rates of an engine's kinds of errors; the rest of its answers are right.
ENGINES = {
    "nearly always right": {"near": 0.03},
    "good": {"near": 0.06, "hedged": 0.02, "empty": 0.02},
    "just good enough": {"near": 0.1, "ignorant": 0.08},
    "at the threshold": {"near": 0.1, "foreign": 0.1},
    "just not good enough": {"near": 0.15, "hedged": 0.05, "foreign": 0.04},
    "bad": {"near": 0.2, "empty": 0.1, "foreign": 0.2},
    "like the toy": {"near": 0.3, "foreign": 0.65},
}
RIGHT = ("plain", "polite", "marked")
WRONG = ("empty", "ignorant", "near", "hedged", "foreign")
FOREIGN = {"fr": "The answer is in the text that you gave to me.", "en": "Je ne le vois pas ici."}


def items_of(task: Task, language: str, count: int, *, seed: int = 0) -> list[Item]:
    """The first items of a cell."""
    return list(
        islice(make_items(load_templates()[task, language], task, language, seed=seed), count)
    )


def answer(item: Item, way: str) -> str:
    """The answer of an engine that errs, or does not, in one way."""
    french = item.language == "fr"
    match way:
        case "plain":
            return item.example
        case "polite":
            return f"{'Voici la réponse' if french else 'Here is the answer'} :\n{item.example}"
        case "marked":
            return f"**{item.example}**" if item.example.count("\n") == 0 else item.example
        case "empty":
            return " \n"
        case "ignorant":
            return "Je ne sais pas." if french else "I do not know."
        case "near":
            return near_miss(item)
        case "hedged":
            other = near_miss(item) or "42"
            return f"{item.example} {'ou' if french else 'or'} {other} ?"
    return FOREIGN[item.language]


def near_miss(item: Item) -> str:
    """A wrong answer that looks like the right one."""
    match item.check:
        case NumberCheck(value=value):
            return format_number(value * 1.1 + 1.3, item.language)
        case DateCheck(value=value):
            return f"{value.year + 1}-{value.month:02}-{value.day:02}"
        case ChoiceCheck(options=options, right=right):
            return options[right - 1][0]
        case TextCheck(accept=accept, refuse=refuse):
            return refuse[0] if refuse else accept[0][:-3]
        case PassageCheck(require=require):
            words = item.example.split()
            return " ".join(words[: len(words) // 2]) if len(require) > 1 else ""
    raise AssertionError(item.check)


def right_by_way(task: Task, language: str, count: int) -> dict[str, float]:
    """The part of answers that the checkers take for right, by the way in which they were made."""
    items = items_of(task, language, count)
    return {
        way: sum(
            is_right(item.check, answer(item, way), question=item.prompt, language=language)
            for item in items
        )
        / len(items)
        for way in (*RIGHT, *WRONG)
    }


def intervals(items_max: int = ITEMS_MAX) -> dict[int, Any]:
    """The interval of each possible number of right answers, by number of answers."""
    looks = [look for look in LOOKS if look <= items_max]
    return {n: np.array([interval(right, n) for right in range(n + 1)]) for n in looks}


def runs(
    errors: Mapping[str, float], accepted: Mapping[str, float], *, least: float, times: int,
    seed: int, table: dict[int, Any],
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Many evaluations of an engine, each stopped when its interval lies on one side.

    Args:
        errors: rate of each kind of error; the rest of the answers are right.
        accepted: what the checkers take for right, by way.
        least: the policy's least rate.
        times: number of evaluations.
        seed: of the draws.
        table: of ``intervals``.

    Returns:
        Low ends, high ends and numbers of answers at the stop.
    """
    draw = np.random.default_rng(seed)
    ways = (*errors, *RIGHT)
    left = (1.0 - sum(errors.values())) / len(RIGHT)
    weights = [*errors.values(), *(left for _ in RIGHT)]
    way = draw.choice(len(ways), size=(times, max(table)), p=weights)
    is_accepted = np.array([accepted[name] for name in ways])[way]
    right = np.cumsum(is_accepted >= 0.5, axis=1)
    low, high, answers = np.zeros(times), np.ones(times), np.zeros(times, int)
    is_open = np.ones(times, bool)
    for look, ends in table.items():
        bounds = ends[right[:, look - 1]]
        low[is_open], high[is_open] = bounds[is_open, 0], bounds[is_open, 1]
        answers[is_open] = look
        is_open &= (low < least) & (high >= least)
    return low, high, answers
