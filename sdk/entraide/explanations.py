"""Explanations: why a job was placed, waits, was put off or was refused, in words.

It decides which sentences of the catalogue tell an explanation, and in what order: who, why, the
numbers with their units, what would have changed it, then the machines one by one. It refuses to
know how a decision was made: everything comes from the explanation's own facts, and one that
lacks some, or bears codes of a newer pool, is told as far as it goes.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct, to_builtins

from entraide import i18n, moments, telling
from entraide.errors import CODES
from entraide.i18n import Value
from entraide.telling import Values
from entraide.types import Candidate, Exclusion, Explanation
from entraide.units import g_from_ug, wh_from_uwh

COLUMNS = 5  # of a machine's line: which, grams, watt-hours, first word, intensity


class Kind(StrEnum):
    """What a part of an explanation tells."""

    WHO = "who"  # what was decided, and whose machine it is
    WHY = "why"
    NUMBERS = "numbers"
    OTHERWISE = "otherwise"  # what would have changed it
    FOOT = "foot"  # under which policy and promise
    TITLE = "title"
    PICKED = "picked"  # the machine that was taken
    NODE = "node"  # any other machine


class Part(Struct, frozen=True):
    """One paragraph of an explanation, without a line's end."""

    kind: Kind
    text: str


def document(explanation: Explanation) -> dict[str, Any]:
    """Returns an explanation as JSON has it: each candidate an object of its own."""
    told: dict[str, Any] = to_builtins(explanation)
    told["candidates"] = to_builtins(list(explanation.candidates))
    return told


def render(explanation: Explanation, lang: str, clock: moments.Clock | None = None) -> str:
    """Returns a whole explanation as lines of text; see ``parts``."""
    return "\n".join(part.text for part in parts(explanation, lang, clock))


def sentence(explanation: Explanation, lang: str) -> str:
    """Returns what was decided, why, and what would have changed it, in a few sentences."""
    values = telling.gather(explanation, lang, None)
    return " ".join(
        said
        for said in (
            _who(explanation, lang, values),
            _why(explanation, lang, values),
            _otherwise(explanation, lang, values),
        )
        if said
    )


def rule_sentence(excluded: Exclusion, lang: str, at: float) -> str:
    """Returns why a machine was ruled out, as it stood at a moment (seconds since the epoch)."""
    return i18n.rule(excluded.rule, lang, telling.in_words(excluded.values, lang, at, None))


def parts(explanation: Explanation, lang: str, clock: moments.Clock | None = None) -> list[Part]:
    """Returns a whole explanation, part by part.

    Args:
        explanation: the facts.
        lang: the reader's language.
        clock: the reader's clock, where it is known; without it moments are told by their
            distance from the decision alone.
    """
    values = telling.gather(explanation, lang, clock)
    found = [
        Part(Kind.WHO, _who(explanation, lang, values)),
        Part(Kind.WHY, _why(explanation, lang, values)),
    ]
    if explanation.decision == "placed" and "ttft_s" in values:
        found.append(Part(Kind.NUMBERS, i18n.text("explain-numbers", lang, **values)))
    otherwise = _otherwise(explanation, lang, values)
    if otherwise:
        found.append(Part(Kind.OTHERWISE, otherwise))
    found.append(Part(Kind.FOOT, _foot(explanation, lang, clock)))
    if explanation.candidates:
        found.append(Part(Kind.TITLE, i18n.text("explain-candidates", lang)))
        found += _candidates(explanation, lang)
    if explanation.excluded or explanation.excluded_counts:
        found.append(Part(Kind.TITLE, i18n.text("explain-excluded", lang)))
        found += _excluded(explanation, lang, clock)
    return found


def _code(explanation: Explanation) -> str:
    """The catalogue's code of the decision's reason; "" when it has none."""
    refused = explanation.decision == "refused"
    prefixes = ("error", "reason") if refused else ("reason", "error")
    codes = (f"{prefix}-{explanation.reason}" for prefix in prefixes)
    return next((code for code in codes if i18n.known(code)), "")


def _who(explanation: Explanation, lang: str, values: Values) -> str:
    named = {"node": explanation.node} | values
    return i18n.text(f"explain-{explanation.decision}", lang, **named)


def _why(explanation: Explanation, lang: str, values: Values) -> str:
    code = _code(explanation)
    why = i18n.text(code, lang, **values) if code else explanation.reason
    if "alias" in values and "model" in values:
        return f"{i18n.text('explain-alias', lang, **values)} {why}"
    return why


def _otherwise(explanation: Explanation, lang: str, values: Values) -> str:
    """What would have changed the decision; "" when nothing known would."""
    said = []
    code = f"{_code(explanation)}.otherwise"
    if i18n.known(code):
        said.append(i18n.text(code, lang, **values))
    if explanation.decision == "placed":
        said.append(_elsewhere(explanation, lang, values))
    elif explanation.decision == "refused" and not said:
        said.append(_admitted(explanation, lang, values))
    return " ".join(filter(None, said))


def _elsewhere(explanation: Explanation, lang: str, values: Values) -> str:
    """Where a placed job could have gone, and on what condition; only what the core has checked."""
    if "greener_node" in values and values["greener_node"] == values.get("could_node"):
        condition = _condition(explanation, str(values.get("greener_rule", "")), lang, values)
        return i18n.text("explain-greener", lang, **values, condition=condition)
    if "next_node" in values:
        return i18n.text("explain-next", lang, **values)
    could = _could(explanation, lang, values)
    if could or len(explanation.candidates) > 1:
        return could
    return i18n.text("explain-no-other" if explanation.excluded_counts else "explain-alone", lang)


def _admitted(explanation: Explanation, lang: str, values: Values) -> str:
    """What would have let a refused job in, where its code does not say."""
    could = _could(explanation, lang, values)
    if could:
        return could
    facts = CODES.get(explanation.reason)
    again = explanation.waiting_helps or (facts is not None and facts.retryable)
    return i18n.text("explain-refused-again" if again else "explain-refused-change", lang)


def _could(explanation: Explanation, lang: str, values: Values) -> str:
    """On what condition the named excluded node could have run the job; "" without one."""
    example = telling.named(explanation)
    if example is None:
        return ""
    own = telling.in_words(example.values, lang, explanation.at, None)
    condition = _condition(explanation, example.rule, lang, values | own)
    return i18n.text("explain-could", lang, **values, condition=condition)


def _condition(explanation: Explanation, code: str, lang: str, values: Values) -> str:
    """The clause that undoes a rule: "if that machine had had a free slot"."""
    if not i18n.known(f"rule-{code}.otherwise"):
        return i18n.text("explain-if-not-rule", lang, name=code)
    for one in explanation.excluded:
        if one.node == values.get("greener_node") and one.rule == code:
            values = values | telling.in_words(one.values, lang, explanation.at, None)
    return i18n.text(f"rule-{code}.otherwise", lang, **values)


def _foot(explanation: Explanation, lang: str, clock: moments.Clock | None) -> str:
    said = [i18n.text("explain-policy", lang, policy=explanation.policy_version)]
    if explanation.objective_ttft_s is not None:
        promised = i18n.seconds(explanation.objective_ttft_s, lang)
        said.append(i18n.text("explain-objective", lang, objective=promised))
    if explanation.decision != "placed":
        helps = "helps" if explanation.waiting_helps else "useless"
        said.append(i18n.text(f"explain-waiting-{helps}", lang))
    if clock is not None:
        day = moments.clock_day(explanation.at, lang, clock)
        time = moments.clock_time(explanation.at, lang, clock)
        said.append(i18n.text("explain-decided", lang, day=day, clock=time))
    return " · ".join(said)


def _candidates(explanation: Explanation, lang: str) -> Iterator[Part]:
    """The nodes that could have run the job: prediction and intensity, in columns."""
    rows = [_cells(one, lang) for one in explanation.candidates]
    for one, cells in zip(explanation.candidates, _aligned(rows), strict=True):
        picked = one.node == explanation.node
        line = f"{'  → ' if picked else '    '}{cells}"
        yield Part(Kind.PICKED if picked else Kind.NODE, line)


def _cells(one: Candidate, lang: str) -> list[str]:
    upper: Value = i18n.ABSENT
    if one.ttft_upper_s > 0:
        upper = i18n.seconds(one.ttft_upper_s, lang)
    cells = [
        f"{one.node} ({one.coop}, {i18n.zone_name(one.zone, lang)})",
        f"{i18n.decimal(g_from_ug(one.carbon_ug), lang, digits_min=3)}\u00a0g\u00a0CO2e",
        f"{i18n.decimal(wh_from_uwh(one.energy_uwh), lang, digits_min=3)}\u00a0Wh",
        i18n.text("explain-first-word", lang, ttft=i18n.seconds(one.ttft_s, lang), upper=upper),
        f"{i18n.decimal(one.intensity_g_per_kwh, lang)}\u00a0g/kWh",
    ]
    if one.surplus_w > 0:
        surplus = f"{i18n.decimal(one.surplus_w, lang)}\u00a0W"
        cells.append(i18n.text("explain-surplus", lang, surplus=surplus))
    if not one.keeps_promise:
        cells.append(i18n.text("explain-late", lang))
    return cells


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their first columns as wide as the widest entry; remarks follow as they are."""
    widths = [max(len(row[column]) for row in rows) for column in range(COLUMNS)]
    return [
        " · ".join(
            [cell.ljust(width) for cell, width in zip(row[:COLUMNS], widths, strict=True)]
            + list(row[COLUMNS:])
        ).rstrip()
        for row in rows
    ]


def _excluded(explanation: Explanation, lang: str, clock: moments.Clock | None) -> Iterator[Part]:
    """The nodes that were ruled out, by rule, with how many more each rule excluded."""
    by_rule: dict[str, list[Exclusion]] = {}
    for one in explanation.excluded:
        by_rule.setdefault(one.rule, []).append(one)
    for code, listed in by_rule.items():
        for one in listed:
            why = i18n.rule(code, lang, telling.in_words(one.values, lang, explanation.at, clock))
            place = f"{one.node} ({one.coop}, {i18n.zone_name(one.zone, lang)})"
            yield Part(Kind.NODE, f"    {place} {why}")
        left = explanation.excluded_counts.get(code, 0) - len(listed)
        if left > 0:
            yield Part(Kind.NODE, f"    {i18n.text('explain-more', lang, n=left)}")
    for code, count in sorted(explanation.excluded_counts.items()):
        if code not in by_rule:
            said = i18n.text("explain-unlisted", lang, n=count, rule=code)
            yield Part(Kind.NODE, f"    {said}")
