"""Summary text: sentences about one variant or several, and the key figures.

Service, emissions and fairness of a variant; which variant of a comparison is recommended, and what
it changes against the first. Values have their intervals; a difference that may be noise is none.
"""

from collections.abc import Iterator, Sequence

from entraide import i18n
from entraide.i18n import Value, text
from entraide_sim.report import formatting, measures, report_data
from entraide_sim.report.context import ADVICE, PLAN, ReportInput
from entraide_sim.report.measures import FormatValue, format_interval, measured_text
from entraide_sim.runs import Measure, SeededResult, summary_value
from entraide_sim.scenario import RunResult

OWN_PART_MIN = 0.05  # least part of a zone's energy at which own generation is mentioned
NAMED_MAX = 3  # variants named in one sentence

KeyFigure = tuple[str, str, str, str]  # name, value, half the width of its interval, note

AXIS_FORMATS: dict[str, FormatValue] = {
    report_data.TTFT: formatting.format_seconds,
    report_data.CARBON: formatting.format_grams,
    report_data.COST: formatting.format_money,
}


def axis_text(variant: SeededResult, key: str, lang: str) -> str:
    """Returns a value of one of the compared axes, with its unit and interval."""
    return measured_text(variant, key, AXIS_FORMATS[key], lang)


def kept_text(variant: SeededResult, lang: str) -> str:
    """Returns the SLO attainment with its interval."""
    return measured_text(variant, "slo_attainment", formatting.format_percentage, lang)


# One variant.


def service_sentence(variant: SeededResult, goals: Sequence[str], lang: str, name: str = "") -> str:
    """Returns what a variant served, and whether shares were fair."""
    result = variant.mean
    completed = summary_value(result.summary, "completed") or 0
    values: dict[str, Value] = {
        "machines": report_data.machine_count(result),
        "completed": round(completed),
        "jobs": round(summary_value(result.summary, "jobs") or 0),
        "span": formatting.format_span(report_data.demand_hours(result), lang),
        "ttft": axis_text(variant, report_data.TTFT, lang),
    }
    if name:
        values["name"] = name
    if goals:
        values["goals"] = formatting.join_list(
            (formatting.format_goal(goal, lang) for goal in goals), lang
        )
    if summary_value(result.summary, "slo_attainment") is not None:
        values["kept"] = kept_text(variant, lang)
    code = "sim-report-run-service" if completed else "sim-report-run-nothing"
    return text(code, lang, **values)


def carbon_sentence(variant: SeededResult, lang: str) -> str:
    """Returns the energy and the emissions of a variant, and where its tokens were produced."""
    result = variant.mean
    values: dict[str, Value] = {
        "energy": measured_text(variant, "energy_wh", formatting.format_energy, lang),
        "carbon": measured_text(variant, "carbon_g", formatting.format_carbon, lang),
        "span": formatting.format_span(report_data.demand_hours(result), lang),
    }
    if summary_value(result.summary, report_data.CARBON) is not None:
        values["per_1k"] = axis_text(variant, report_data.CARBON, lang)
    main = report_data.main_zone(result)
    if main is not None:
        values |= {
            "where": i18n.zone_in(main[0], lang),
            "where_part": formatting.format_percentage(main[1], lang),
        }
        own = report_data.own_energy_part(result, main[0])
        if own >= OWN_PART_MIN:
            values["own_part"] = formatting.format_percentage(own, lang)
    return text("sim-report-run-carbon", lang, **values)


def cost_sentence(result: RunResult, lang: str) -> str:
    """Returns the cost of a million tokens, of a result without yearly money."""
    values: dict[str, Value] = {}
    per_1m = summary_value(result.summary, report_data.COST)
    if per_1m is not None:
        values["per_1m"] = formatting.format_money(per_1m, lang)
        values["of"] = "all" if summary_value(result.summary, "cost_cad.hardware") else "energy"
    return text("sim-report-run-cost", lang, **values)


def share_sentence(result: RunResult, lang: str) -> str:
    """Returns whether each co-op received its due; "" with a single co-op, or without an answer."""
    if len(result.coops) < 2 or not summary_value(result.summary, "completed"):
        return ""
    short = report_data.worst_served_coop(result)
    if short is None:
        return text("sim-report-share-even", lang)
    part = short.received_tokens / short.due_tokens
    return text(
        "sim-report-share-short",
        lang,
        coop=formatting.part_name(result, "coop", short.coop, lang),
        part=formatting.format_percentage(part, lang),
    )


def fleet_name(report: ReportInput, number: int, lang: str) -> str:
    """Returns a variant's name in a sentence; "" if there is only one.

    The base of a plan or of advice is what the reader has, and a plan's variant is its choice.
    """
    if len(report.variants) == 1:
        return ""
    if number == 0 and report.kind in {PLAN, ADVICE}:
        owned = "yes" if report_data.is_owned(report.results[0]) else "no"
        return text("sim-report-name-current", lang, owned=owned)
    if report.kind == PLAN and number == report.chosen:
        return text("sim-report-name-planned", lang)
    return quoted_name(report.results[number], lang)


def name_value(report: ReportInput, lang: str) -> dict[str, Value]:
    """Returns ``name``, the recommended variant in quotes, if there are several."""
    name = fleet_name(report, report.lead, lang)
    return {"name": name} if name else {}


def quoted_name(result: RunResult, lang: str) -> str:
    """Returns the name of a result in quotes."""
    return text("sim-report-quoted", lang, name=formatting.result_name(result, lang))


# Several variants.


def choice_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    """Yields which variant is recommended and why, and what distinguishes the others."""
    lead, tried = report.leader, len(report.variants)
    if not any(summary_value(result.summary, "completed") for result in report.results):
        yield text("sim-report-compare-nothing", lang, tried=tried)
        return
    if report.goals:
        goals = formatting.join_list(
            (formatting.format_goal(goal, lang) for goal in report.goals), lang
        )
        code = "sim-report-plan-none" if report.chosen is None else "sim-report-plan-chosen"
        yield text(
            code, lang, tried=tried, goals=goals, name=formatting.result_name(lead.mean, lang)
        )
        return
    has_promises = summary_value(lead.mean.summary, "slo_attainment") is not None
    kept: dict[str, Value] = {"kept": kept_text(lead, lang)} if has_promises else {}
    yield text(
        "sim-report-compare-lead",
        lang,
        tried=tried,
        name=fleet_name(report, report.lead, lang),
        carbon=axis_text(lead, report_data.CARBON, lang),
        **kept,
    )
    equal = report.comparison.equal if report.chosen is None else ()
    if equal:
        yield text(
            "sim-report-compare-equal", lang, count=len(equal), names=_names(report, equal, lang)
        )
    for key in (report_data.TTFT, report_data.COST):
        best = measures.leaders(report.variants, key)
        if best and report.lead not in best:
            code = f"sim-report-compare-{key.replace('.', '-')}"
            amount = axis_text(report.variants[best[0]], key, lang)
            yield text(code, lang, names=_names(report, best, lang), count=len(best), amount=amount)


def _names(report: ReportInput, numbers: Sequence[int], lang: str) -> str:
    names = [fleet_name(report, number, lang) for number in numbers[:NAMED_MAX]]
    if len(numbers) > NAMED_MAX:
        names.append(text("sim-report-others", lang, count=len(numbers) - NAMED_MAX))
    return formatting.join_list(names, lang)


def difference_sentences(report: ReportInput, lang: str) -> Iterator[str]:
    """Yields what the recommended variant changes compared with the first one.

    A measure whose difference may be noise is named as showing none.
    """
    changes, same = [], []
    for key in (report_data.CARBON, report_data.TTFT, report_data.COST, "slo_attainment"):
        sign = measures.change_sign(report.leader, report.variants[0], key)
        code = f"sim-report-change-{key.replace('.', '-')}"
        if sign == 0:
            same.append(text(f"{code}.measure", lang))
        elif sign is not None:
            how, by = "less" if sign < 0 else "more", _change_text(report, key, lang)
            changes.append(text(code, lang, how=how, by=by))
    base, name = (fleet_name(report, number, lang) for number in (0, report.lead))
    if changes:
        parts = formatting.join_list(changes, lang)
        yield text("sim-report-compare-change", lang, base=base, name=name, parts=parts)
    if same:
        listed = formatting.join_list(same, lang)
        yield text("sim-report-compare-same", lang, base=base, name=name, measures=listed)


def _change_text(report: ReportInput, key: str, lang: str) -> str:
    """Returns by how much a measure changes: a part of the base's, or a number of seconds."""
    base = report.variants[0]
    difference, mean = report.leader.difference(base, key), base.interval(key)
    assert difference is not None
    assert mean is not None
    if difference.mean < 0.0:
        difference = measures.negated(difference)
    if key == report_data.TTFT:
        return format_interval(difference, formatting.format_seconds, lang)
    if key == "slo_attainment":
        return format_interval(difference, formatting.format_points, lang)
    if not mean.mean:
        return format_interval(difference, AXIS_FORMATS[key], lang)
    return format_interval(
        measures.scaled(difference, 1.0 / mean.mean), formatting.format_percentage, lang
    )


# Key figures.


def _split_width(shown: str) -> tuple[str, str]:
    """Returns a formatted value without its interval, and the interval: ``11.8 g``, ``± 0.4``."""
    value, sign, width = shown.partition(f"{formatting.NBSP}±")
    return value, f"{sign}{width}".strip(formatting.NBSP)


def key_figures(variant: SeededResult, lang: str) -> list[KeyFigure]:
    """Returns the available key figures of one variant."""
    result = variant.mean
    each_wh = measures.energy_wh_per_answer(result)
    shown: dict[str, tuple[Measure, FormatValue]] = {
        "ttft": (report_data.TTFT, formatting.format_seconds),
        "kept": ("slo_attainment", formatting.format_percentage),
        "per_1k": (report_data.CARBON, formatting.format_grams),
        "each": (measures.energy_wh_per_answer, formatting.format_energy),
        "per_1m": (report_data.COST, formatting.format_money),
        "used": ("utilisation", formatting.format_percentage),
    }
    values_by_key = {
        key: measured_text(variant, measure, form, lang) for key, (measure, form) in shown.items()
    }
    microwave = formatting.DASH if each_wh is None else formatting.microwave_time(each_wh, lang)
    unserved = [round(summary_value(result.summary, key) or 0) for key in ("rejected", "failed")]
    notes: dict[str, Value] = {
        "microwave": microwave,
        "watts": formatting.format_number(formatting.MICROWAVE_W, lang),
        "rejected": unserved[0],
        "failed": unserved[1],
        "energy_cost": formatting.format_money(
            summary_value(result.summary, "cost_cad.energy"), lang
        ),
        "hardware_cost": formatting.format_money(
            summary_value(result.summary, "cost_cad.hardware"), lang
        ),
    }
    return [
        (text(f"sim-report-figure-{key}", lang), *_split_width(value),
         text(f"sim-report-figure-{key}.note", lang, **notes))
        for key, value in values_by_key.items()
        if value != formatting.DASH
    ]  # fmt: skip
