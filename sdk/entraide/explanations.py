"""Explanations: why a job was placed, waits, was deferred or was refused, in words.

Input: an explanation from the core. Output: sentences of the message catalogue, in this order: the
decision, the reason, the predictions, what would have changed the decision, then one line per
machine. Missing values are omitted. Codes that this version does not know are shown unchanged,
because a newer pool may have written them.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import inf
from typing import Any

from msgspec import Struct, to_builtins

from entraide import explanation_values, i18n, relative_time
from entraide.errors import CODES
from entraide.explanation_values import Values
from entraide.i18n import Value
from entraide.types import Candidate, Exclusion, Explanation
from entraide.units import g_from_ug, wh_from_uwh

ALIGNED_COLUMNS = 5  # name, grams, watt-hours, TTFT, intensity


class PartKind(StrEnum):
    """Content of one part of an explanation."""

    DECISION = "who"  # the decision, and whose machine runs the job
    REASON = "why"  # the reason
    NUMBERS = "numbers"  # the predictions for the node that runs the job
    COUNTERFACTUAL = "otherwise"  # what would have changed the decision
    FOOTER = "foot"  # the policy and the promise
    TITLE = "title"
    PICKED = "picked"  # the machine that runs the job
    NODE = "node"  # any other machine


class Part(Struct, frozen=True):
    """One paragraph of an explanation, without a line break at its end."""

    kind: PartKind
    text: str


def document(explanation: Explanation) -> dict[str, Any]:
    """Returns an explanation as a JSON document; each candidate is an object."""
    fields: dict[str, Any] = to_builtins(explanation)
    fields["candidates"] = to_builtins(list(explanation.candidates))
    return fields


def render(explanation: Explanation, lang: str, clock: relative_time.Clock | None = None) -> str:
    """Returns a whole explanation as lines of text; see ``parts``."""
    return "\n".join(part.text for part in parts(explanation, lang, clock))


def sentence(explanation: Explanation, lang: str) -> str:
    """Returns the decision, its reason and what would have changed it, in a few sentences."""
    explanation = explanation_values.with_coop_names(explanation)
    values = explanation_values.gather(explanation, lang, None)
    sentences = (
        _decision(explanation, lang, values),
        _reason(explanation, lang, values),
        _counterfactual(explanation, lang, values),
    )
    return " ".join(filter(None, sentences))


def rule_sentences(explanation: Explanation, lang: str) -> list[str]:
    """Returns why each excluded machine was excluded; times are relative to the decision."""
    return [
        i18n.rule(
            each.rule,
            lang,
            explanation_values.format_times(each.values, lang, explanation.at, None),
        )
        for each in explanation_values.with_coop_names(explanation).excluded
    ]


def parts(
    explanation: Explanation, lang: str, clock: relative_time.Clock | None = None
) -> list[Part]:
    """Returns a whole explanation, part by part.

    Args:
        explanation: from the core.
        lang: the reader's language.
        clock: the reader's clock; None where it is unknown, so that times are given only as
            their distance from the decision.
    """
    explanation = explanation_values.with_coop_names(explanation)
    values = explanation_values.gather(explanation, lang, clock)
    result = [
        Part(PartKind.DECISION, _decision(explanation, lang, values)),
        Part(PartKind.REASON, _reason(explanation, lang, values)),
    ]
    if explanation.decision == "placed" and "ttft_s" in values:
        result.append(Part(PartKind.NUMBERS, i18n.text("explain-numbers", lang, **values)))
    counterfactual = _counterfactual(explanation, lang, values)
    if counterfactual:
        result.append(Part(PartKind.COUNTERFACTUAL, counterfactual))
    result.append(Part(PartKind.FOOTER, _footer(explanation, lang, clock)))
    if explanation.candidates:
        result.append(Part(PartKind.TITLE, i18n.text("explain-candidates", lang)))
        result += _candidate_parts(explanation, lang)
    if explanation.excluded or explanation.excluded_counts:
        result.append(Part(PartKind.TITLE, i18n.text("explain-excluded", lang)))
        result += _excluded_parts(explanation, lang, clock)
    return result


def _reason_code(explanation: Explanation) -> str:
    """The message code of the decision's reason; "" where the catalogue has none."""
    refused = explanation.decision == "refused"
    prefixes = ("error", "reason") if refused else ("reason", "error")
    codes = (f"{prefix}-{explanation.reason}" for prefix in prefixes)
    return next((code for code in codes if i18n.has_message(code)), "")


def _decision(explanation: Explanation, lang: str, values: Values) -> str:
    with_node = {"node": explanation.node} | values
    return i18n.text(f"explain-{explanation.decision}", lang, **with_node)


def _reason(explanation: Explanation, lang: str, values: Values) -> str:
    code = _reason_code(explanation)
    reason = i18n.text(code, lang, **values) if code else explanation.reason
    if "obstacle_node" in values:
        reason = f"{reason} {_obstacle(explanation, lang, values)}"
    if "always_thinks" in values:
        reason = f"{reason} {i18n.text('explain-always-thinks', lang, **values)}"
    if "alias" in values and "model" in values:
        meaning = i18n.text("explain-alias", lang, **values)
        if "language_basis" in values:
            code = f"explain-language-{values['language_basis']}"
            meaning = f"{meaning} {i18n.text(code, lang, **values)}"
        if "quality" in values:
            quality = i18n.text(f"explain-quality-{values['quality']}", lang, **values)
            meaning = f"{meaning} {quality}"
        return f"{meaning} {reason}"
    return reason


def _obstacle(explanation: Explanation, lang: str, values: Values) -> str:
    """What kept the job from the machine that would have emitted least."""
    node, code = values["obstacle_node"], str(values.get("obstacle_rule", ""))
    own = {each.node: each.values for each in explanation.excluded if each.rule == code}
    named = explanation_values.format_times(own.get(str(node), {}), lang, explanation.at, None)
    return i18n.text("explain-obstacle", lang, **values, obstacle=i18n.rule(code, lang, named))


def _counterfactual(explanation: Explanation, lang: str, values: Values) -> str:
    """What would have changed the decision; "" if unknown."""
    sentences = []
    code = f"{_reason_code(explanation)}.otherwise"
    if i18n.has_message(code):
        sentences.append(i18n.text(code, lang, **values))
    if explanation.decision == "placed":
        sentences.append(_alternative(explanation, lang, values))
    elif explanation.decision == "refused" and not sentences:
        sentences.append(_admission_condition(explanation, lang, values))
    return " ".join(filter(None, sentences))


def _alternative(explanation: Explanation, lang: str, values: Values) -> str:
    """Another node that could have run a placed job, and the condition, as the core checked."""
    if "greener_node" in values and values["greener_node"] == values.get("could_node"):
        condition = _rule_condition(explanation, str(values.get("greener_rule", "")), lang, values)
        return i18n.text("explain-greener", lang, **values, condition=condition)
    if "next_node" in values:
        return i18n.text("explain-next", lang, **values)
    condition = _exclusion_condition(explanation, lang, values)
    if condition or len(explanation.candidates) > 1:
        return condition
    return i18n.text("explain-no-other" if explanation.excluded_counts else "explain-alone", lang)


def _admission_condition(explanation: Explanation, lang: str, values: Values) -> str:
    """What would have admitted a refused job, where its reason code has no such sentence."""
    condition = _exclusion_condition(explanation, lang, values)
    if condition:
        return condition
    facts = CODES.get(explanation.reason)
    retry_helps = explanation.waiting_helps or (facts is not None and facts.retryable)
    return i18n.text("explain-refused-again" if retry_helps else "explain-refused-change", lang)


def _exclusion_condition(explanation: Explanation, lang: str, values: Values) -> str:
    """The condition under which an excluded node could have run the job; "" if none is named."""
    excluded = explanation_values.named_exclusion(explanation)
    if excluded is None:
        return ""
    rule_values = explanation_values.format_times(excluded.values, lang, explanation.at, None)
    condition = _rule_condition(explanation, excluded.rule, lang, values | rule_values)
    return i18n.text("explain-could", lang, **values, condition=condition)


def _rule_condition(explanation: Explanation, code: str, lang: str, values: Values) -> str:
    """The condition under which a rule would not exclude: "if that machine had had a free slot"."""
    if not i18n.has_message(f"rule-{code}.otherwise"):
        return i18n.text("explain-if-not-rule", lang, name=code)
    for excluded in explanation.excluded:
        if excluded.node == values.get("greener_node") and excluded.rule == code:
            values = values | explanation_values.format_times(
                excluded.values, lang, explanation.at, None
            )
    return i18n.text(f"rule-{code}.otherwise", lang, **values)


def _footer(explanation: Explanation, lang: str, clock: relative_time.Clock | None) -> str:
    items = [i18n.text("explain-policy", lang, policy=explanation.policy_version)]
    if explanation.objective_ttft_s is not None:
        objective = i18n.seconds(explanation.objective_ttft_s, lang)
        items.append(i18n.text("explain-objective", lang, objective=objective))
    if explanation.decision != "placed":
        helps = "helps" if explanation.waiting_helps else "useless"
        items.append(i18n.text(f"explain-waiting-{helps}", lang))
    if clock is not None:
        day = relative_time.format_day(explanation.at, lang, clock)
        time = relative_time.format_clock_time(explanation.at, lang, clock)
        items.append(i18n.text("explain-decided", lang, day=day, clock=time))
    return " · ".join(items)


def _candidate_parts(explanation: Explanation, lang: str) -> Iterator[Part]:
    """The nodes that could have run the job: prediction and intensity, in columns."""
    objective_s = explanation.objective_ttft_s
    left_s = explanation.values.get("promise_left_s", inf if objective_s is None else objective_s)
    rows = [_candidate_cells(each, lang, float(left_s)) for each in explanation.candidates]
    for candidate, cells in zip(explanation.candidates, _align_columns(rows), strict=True):
        picked = candidate.node == explanation.node
        line = f"{'  → ' if picked else '    '}{cells}"
        yield Part(PartKind.PICKED if picked else PartKind.NODE, line)


def _candidate_cells(candidate: Candidate, lang: str, left_s: float) -> list[str]:
    """The cells of a candidate; ``left_s`` is the rest of the promised time to the first word."""
    upper: Value = i18n.ABSENT
    if candidate.ttft_upper_s > 0:
        upper = i18n.seconds(candidate.ttft_upper_s, lang)
    cells = [
        f"{candidate.node} ({candidate.coop}, {i18n.zone_name(candidate.zone, lang)})",
        f"{i18n.decimal(g_from_ug(candidate.carbon_ug), lang, digits_min=3)}\u00a0g\u00a0CO2e",
        f"{i18n.decimal(wh_from_uwh(candidate.energy_uwh), lang, digits_min=3)}\u00a0Wh",
        i18n.text(
            "explain-first-word", lang, ttft=i18n.seconds(candidate.ttft_s, lang), upper=upper
        ),
        f"{i18n.decimal(candidate.intensity_g_per_kwh, lang)}\u00a0g/kWh",
    ]
    if candidate.surplus_w > 0:
        surplus = f"{i18n.decimal(candidate.surplus_w, lang)}\u00a0W"
        cells.append(i18n.text("explain-surplus", lang, surplus=surplus))
    if not candidate.keeps_promise:
        late = "late" if candidate.ttft_upper_s > left_s else "slow"
        cells.append(i18n.text(f"explain-{late}", lang))
    return cells


def _align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines: the first columns padded to their widest entry, the others unpadded."""
    widths = [max(len(row[column]) for row in rows) for column in range(ALIGNED_COLUMNS)]
    return [
        " · ".join(
            [cell.ljust(width) for cell, width in zip(row[:ALIGNED_COLUMNS], widths, strict=True)]
            + list(row[ALIGNED_COLUMNS:])
        ).rstrip()
        for row in rows
    ]


def _excluded_parts(
    explanation: Explanation, lang: str, clock: relative_time.Clock | None
) -> Iterator[Part]:
    """The excluded nodes by rule, with the number of further nodes that each rule excluded."""
    by_rule: dict[str, list[Exclusion]] = {}
    for excluded in explanation.excluded:
        by_rule.setdefault(excluded.rule, []).append(excluded)
    for code, exclusions in by_rule.items():
        for excluded in exclusions:
            values = explanation_values.format_times(excluded.values, lang, explanation.at, clock)
            name = f"{excluded.node} ({excluded.coop}, {i18n.zone_name(excluded.zone, lang)})"
            yield Part(PartKind.NODE, f"    {name} {i18n.rule(code, lang, values)}")
        unlisted = explanation.excluded_counts.get(code, 0) - len(exclusions)
        if unlisted > 0:
            yield Part(PartKind.NODE, f"    {i18n.text('explain-more', lang, n=unlisted)}")
    for code, count in sorted(explanation.excluded_counts.items()):
        if code not in by_rule:
            line = i18n.text("explain-unlisted", lang, n=count, rule=code)
            yield Part(PartKind.NODE, f"    {line}")
