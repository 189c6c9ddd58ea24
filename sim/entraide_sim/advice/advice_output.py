"""Advice output: prints advice, and returns it as JSON values and as the results of a report.

First whether anything is needed, then buying nothing, then the changes that are put forward, and in
one line what else was tried. A scenario with alternatives asks a question: three sentences answer
it first.
"""

from typing import Any

import msgspec
import typer

from entraide import i18n
from entraide_sim.advice.advice_text import AdviceText
from entraide_sim.advice.scenario_advice import (
    LEAST_DIFFERENCE,
    YEARLY,
    Advice,
    ChangeEffect,
    measure,
)
from entraide_sim.planning import Sensitivity, sensitivity_text, sensitivity_to_json
from entraide_sim.report import ADVICE, ReportContext, formatting, has_year
from entraide_sim.runs import SeededResult, interval_to_json
from entraide_sim.scenario import RunResult
from entraide_sim.seed_statistics import Interval


def print_advice(advice: Advice, lang: str, sensitivity: Sensitivity | None = None) -> None:
    """Prints advice, with what would change the answer to a scenario's question."""
    text = AdviceText(advice, lang, sensitivity)
    typer.echo(typer.style(formatting.scenario_title(advice.base.mean, lang), bold=True))
    for sentence in text.answer():
        typer.echo(sentence)
    typer.echo("")
    typer.echo(text.nothing())
    for number, effect in enumerate(advice.recommended, 1):
        typer.echo(f"{number}. {text.effect(effect)}")
    if not advice.recommended:
        typer.echo(i18n.text("sim-advice-no_change", lang))
    rejected = text.rejected()
    if rejected:
        typer.echo(rejected)
    typer.echo(text.seeds())


def reported_results(advice: Advice) -> list[RunResult]:
    """Returns the results of a report: unchanged, the changes put forward, and the alternatives."""
    shown = _shown_effects(advice)
    names = {effect.change.label: _change_words(advice, effect) for effect in shown}
    results = [advice.base.mean, *(effect.seeded.mean for effect in shown)]
    return [msgspec.structs.replace(result, names=names) for result in results]


def advice_context(advice: Advice, sensitivity: Sensitivity | None = None) -> ReportContext:
    """Returns what the report of advice says beyond ``reported_results``."""
    texts = {str(lang): AdviceText(advice, lang, sensitivity) for lang in i18n.LANGUAGES}
    return ReportContext(
        kind=ADVICE,
        seeded=tuple(
            SeededResult(seeded.results, mean)
            for seeded, mean in zip(
                (advice.base, *(effect.seeded for effect in _shown_effects(advice))),
                reported_results(advice),
                strict=True,
            )
        ),
        answers={
            "need": {lang: text.answer()[:1] for lang, text in texts.items()},
            "choice": {lang: _choice_sentences(advice, text, lang) for lang, text in texts.items()},
            "sure": {lang: text.answer()[2:] for lang, text in texts.items()},
        },
        tables=sensitivity_text.report_tables(sensitivity),
    )


def chosen_index(advice: Advice) -> int:
    """Returns the index in ``reported_results`` of the change to make; 0 for none.

    It is the alternative to choose if the scenario asks for one, else the first change put forward.
    """
    if advice.alternatives:
        chosen = advice.chosen_alternative
    else:
        chosen = next(iter(advice.recommended), None)
    return 0 if chosen is None else 1 + _shown_effects(advice).index(chosen)


def _shown_effects(advice: Advice) -> list[ChangeEffect]:
    effects = (*advice.recommended, *advice.alternatives)
    return list({effect.change.label: effect for effect in effects}.values())


def _choice_sentences(advice: Advice, text: AdviceText, lang: str) -> list[str]:
    """Returns which change to make: of a scenario's alternatives, and of all that were tried."""
    changes = [text.effect(effect) for effect in advice.recommended]
    none = [] if changes else [i18n.text("sim-advice-no_change", lang)]
    rejected = text.rejected()
    return [*text.answer()[1:2], *changes, *none, *([rejected] if rejected else [])]


def advice_to_json(advice: Advice, sensitivity: Sensitivity | None = None) -> dict[str, Any]:
    """Returns advice as JSON values, with the changes ranked by dollars, seconds and grams."""
    rows = {effect.change.label: effect for effect in advice.effects}

    def ranked(key: str) -> list[str]:
        means = {label: _mean(effect.differences[key]) for label, effect in rows.items()}
        known = {label: mean for label, mean in means.items() if mean is not None}
        return sorted(known, key=lambda label: known[label])

    return {
        "enough": advice.is_enough,
        "seeds": list(advice.base.seeds),
        "as_is": {
            key: value if _is_told(advice, key) else None
            for key, value in measure(advice.base.mean).items()
        },
        "put_forward": [effect.change.label for effect in advice.recommended],
        "changes": [_effect_to_json(advice, effect) for effect in advice.effects],
        "by_dollars": ranked("cad_per_year"),
        "by_seconds": ranked("ttft_s_p95"),
        "by_grams": ranked("g_per_year"),
        "sensitivity": None if sensitivity is None else sensitivity_to_json(sensitivity),
    }


def _effect_to_json(advice: Advice, effect: ChangeEffect) -> dict[str, Any]:
    change = effect.change
    known = {
        key: of
        for key, of in effect.differences.items()
        if of is not None and _is_told(advice, key)
    }
    return {
        "change": change.label,
        "code": change.code,
        "values": change.values,
        "words": _change_words(advice, effect),
        "price_cad": change.price_cad,
        **{key: _mean(known.get(key)) for key in LEAST_DIFFERENCE},
        "intervals": {key: interval_to_json(of) for key, of in known.items()},
        "put_forward": effect.put_forward,
        "reason": effect.reason,
        "better": effect.better,
        "seeds": list(effect.seeded.seeds),
    }


def _change_words(advice: Advice, effect: ChangeEffect) -> dict[str, str]:
    return {str(lang): AdviceText(advice, lang).change(effect.change) for lang in i18n.LANGUAGES}


def _is_told(advice: Advice, key: str) -> bool:
    """Whether a measure is told: less than a day has no figure of a year."""
    return key not in YEARLY or has_year(advice.base.mean)


def _mean(of: Interval | None) -> float | None:
    return None if of is None else of.mean
