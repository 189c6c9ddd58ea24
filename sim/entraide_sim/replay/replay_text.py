"""Replay text: the sentences of a replay, for the terminal and for the report.

First whether the simulator repeats the recorded past under the policy in force, then what the
proposal would have changed. A replay says nothing of a year, of a purchase or of what is enough: it
tells of the recorded time alone.
"""

from collections.abc import Callable, Iterator
from functools import partial

from entraide import i18n
from entraide.i18n import Value, text
from entraide.units import compare_g
from entraide_sim.replay.baseline import EQUAL, OPEN, Baseline, Difference, LifeFigures
from entraide_sim.replay.policy_comparison import CoopMetrics, PolicyComparison
from entraide_sim.report import formatting

Format = Callable[[float | None, str], str]

FIGURES: tuple[tuple[str, Format], ...] = (
    ("completed", formatting.format_number),
    ("waited", formatting.format_seconds),
    ("ttft", formatting.format_seconds),
    ("energy", formatting.format_energy),
    ("carbon", formatting.format_carbon),
    ("kept", formatting.format_percentage),
)
DIFFERENCE_FORMATS: dict[str, Format] = {
    "served": formatting.format_number,
    "tokens": formatting.format_number,
    "energy_wh": formatting.format_energy,
    "ttft_s_p95": formatting.format_seconds,
}
IN_ONE_UNIT = (formatting.format_energy, formatting.format_carbon)


def baseline_sentences(baseline: Baseline, lang: str) -> Iterator[str]:
    """Yields the figures of both lives, and whether they are alike."""
    yield text("sim-replay-recorded", lang, **_life_values(baseline.recorded, lang))
    yield text("sim-replay-simulated", lang, **_life_values(baseline.simulated, lang))
    if baseline.verdict == EQUAL:
        yield text("sim-replay-repeats", lang)


def refusal_reasons(baseline: Baseline, lang: str) -> str:
    """Returns why nothing is compared: the figures that differ, and how jobs ended otherwise."""
    parts = [_difference_text(each, lang) for each in baseline.differences]
    for ends, count in baseline.otherwise.items():
        before, after = (_end_words(end, lang) for end in ends.split(" > "))
        parts.append(text("sim-replay-otherwise", lang, count=count, before=before, after=after))
    return " ; ".join(parts) if i18n.lang_of(lang) == "fr" else "; ".join(parts)


def _end_words(end: str, lang: str) -> str:
    """Returns how a job ended: in words for a state or a failure, else the error code itself."""
    if end == OPEN:
        return text("sim-replay-open", lang)
    return i18n.word("failure", i18n.word("state", end, lang), lang)


def change_sentences(compared: PolicyComparison, lang: str) -> Iterator[str]:
    """Yields what the proposal would have changed, for all co-ops together."""
    everybody = compared.coops[0]
    old, new = _metric_values(everybody.old), _metric_values(everybody.proposed)
    changed = False
    for name, format_value in FIGURES:
        before, after = format_both(format_value, old[name], new[name], lang)
        if before != after:
            changed = True
            yield text(f"sim-replay-change-{name}", lang, before=before, after=after)
    if everybody.moved:
        yield text("sim-replay-change-moved", lang, count=everybody.moved)
    elif not changed:
        yield text("sim-replay-change-none", lang)


def format_both(
    format_value: Format, old: float | None, new: float | None, lang: str
) -> tuple[str, str]:
    """Returns two values in one unit; the same text twice for emissions that count as equal."""
    before, after = old or 0.0, new or 0.0
    if format_value is formatting.format_carbon and compare_g(before - after, after) == "same":
        old = new
    if format_value in IN_ONE_UNIT:
        format_value = partial(format_value, like=max(before, after))
    return format_value(old, lang), format_value(new, lang)


def left_out_sentences(compared: PolicyComparison, hours: float, lang: str) -> Iterator[str]:
    """Yields what a replay does not know."""
    span = formatting.format_span(hours, lang)
    yield text("sim-replay-left_out-time", lang, span=span)
    yield text("sim-replay-left_out-people", lang)
    yield text("sim-replay-left_out-network", lang)
    if compared.lengths_estimated:
        yield text("sim-assumption-replay_lengths", lang, jobs=compared.lengths_estimated)


def _life_values(figures: LifeFigures, lang: str) -> dict[str, Value]:
    return {
        "jobs": figures.jobs,
        "served": figures.served,
        "tokens": formatting.format_count(figures.tokens, lang),
        "energy": formatting.format_energy(figures.energy_wh, lang),
        "ttft": formatting.format_seconds(figures.ttft_s_p95, lang),
    }


def _difference_text(difference: Difference, lang: str) -> str:
    format_value = DIFFERENCE_FORMATS[difference.figure]
    values: dict[str, Value] = {
        name: format_value(getattr(difference, name), lang)
        for name in ("recorded", "simulated", "allowed")
    }
    return text(f"sim-replay-differs-{difference.figure}", lang, **values)


def _metric_values(metrics: CoopMetrics) -> dict[str, float | None]:
    return {
        "completed": metrics.completed,
        "waited": metrics.waited_s["p95"],
        "ttft": metrics.ttft_s["p95"],
        "energy": metrics.energy_wh,
        "carbon": metrics.carbon_g,
        "kept": metrics.promises_kept,
    }
