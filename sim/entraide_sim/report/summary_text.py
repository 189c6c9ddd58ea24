"""Summary text: a report's first three sentences and its key figures.

One run: service, emissions, then cost and fairness of the shares. A comparison: which result is
recommended, what it changes against the first, and its SLO attainment and fairness.
"""

from collections.abc import Sequence

from entraide import i18n
from entraide.i18n import Value, text
from entraide_sim.goals import summary_value
from entraide_sim.report import formatting, report_data
from entraide_sim.results import RunResult

SAME_PART = 0.005  # relative change below which values count as equal
OWN_PART_MIN = 0.05  # least part of a zone's energy at which own generation is mentioned

KeyFigure = tuple[str, str, str]  # name, value, note


def summary_sentences(
    results: Sequence[RunResult], lang: str, *, chosen: int | None = None, goals: Sequence[str] = ()
) -> tuple[str, str, str]:
    """Returns the first three sentences."""
    if len(results) == 1:
        return _service_sentence(results[0], lang, goals)
    lead = report_data.recommended_index(results, chosen)
    first = (
        _plan_sentence(results, lang, chosen, goals)
        if goals
        else _comparison_sentence(results, lang, lead)
    )
    return first, _difference_sentence(results, lang, lead), _promise_sentence(results[lead], lang)


def _service_sentence(result: RunResult, lang: str, goals: Sequence[str]) -> tuple[str, str, str]:
    completed = summary_value(result.summary, "completed") or 0
    values: dict[str, Value] = {
        "machines": report_data.machine_count(result),
        "completed": int(completed),
        "jobs": int(summary_value(result.summary, "jobs") or 0),
        "span": formatting.format_span(report_data.demand_hours(result), lang),
        "ttft": formatting.format_seconds(summary_value(result.summary, report_data.TTFT), lang),
    }
    if goals:
        values["goals"] = formatting.join_list(
            (formatting.format_goal(goal, lang) for goal in goals), lang
        )
    attainment = summary_value(result.summary, "slo_attainment")
    if attainment is not None:
        values["kept"] = formatting.format_percentage(attainment, lang)
    code = "sim-report-run-service" if completed else "sim-report-run-nothing"
    return text(code, lang, **values), _carbon_sentence(result, lang), _cost_sentence(result, lang)


def _carbon_sentence(result: RunResult, lang: str) -> str:
    values: dict[str, Value] = {
        "energy": formatting.format_energy(summary_value(result.summary, "energy_wh"), lang),
        "carbon": formatting.format_carbon(summary_value(result.summary, "carbon_g"), lang),
    }
    per_1k = summary_value(result.summary, report_data.CARBON)
    if per_1k is not None:
        values["per_1k"] = formatting.format_carbon(per_1k, lang)
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


def _cost_sentence(result: RunResult, lang: str) -> str:
    values = _share_values(result, lang)
    per_1m = summary_value(result.summary, report_data.COST)
    if per_1m is not None:
        values["per_1m"] = formatting.format_money(per_1m, lang)
        values["of"] = "all" if summary_value(result.summary, "cost_cad.hardware") else "energy"
    return text("sim-report-run-cost", lang, **values)


def _share_values(result: RunResult, lang: str) -> dict[str, Value]:
    """Returns the fairness of the shares: ``even``, ``short`` with a co-op, or ``alone``."""
    if len(result.coops) < 2:
        used = summary_value(result.summary, "utilisation")
        return {"fair": "alone", "used": formatting.format_percentage(used, lang)}
    short = report_data.worst_served_coop(result)
    if short is None:
        return {"fair": "even"}
    part = short.received_tokens / short.due_tokens
    return {
        "fair": "short",
        "coop": formatting.part_name(result, "coop", short.coop, lang),
        "coop_part": formatting.format_percentage(part, lang),
    }


def _plan_sentence(
    results: Sequence[RunResult], lang: str, chosen: int | None, goals: Sequence[str]
) -> str:
    goals_text = formatting.join_list((formatting.format_goal(goal, lang) for goal in goals), lang)
    if chosen is None:
        return text("sim-report-plan-none", lang, tried=len(results), goals=goals_text)
    return text("sim-report-plan-chosen", lang, tried=len(results), goals=goals_text,
                name=formatting.result_name(results[chosen], lang))  # fmt: skip


def _comparison_sentence(results: Sequence[RunResult], lang: str, lead: int) -> str:
    keys = [
        key
        for key in report_data.AXES
        if any(summary_value(result.summary, key) is not None for result in results)
    ]
    if not keys:
        return text("sim-report-compare-nothing", lang, tried=len(results))
    firsts = [report_data.index_of_least(results, key) for key in keys]
    if set(firsts) == {lead}:
        return text("sim-report-compare-all", lang, tried=len(results),
                    name=formatting.result_name(results[lead], lang))  # fmt: skip
    parts = []
    for at in dict.fromkeys(firsts):
        best = [
            text(
                f"sim-report-least-{key.replace('.', '-')}",
                lang,
                amount=format_axis_value(results[at], key, lang),
            )
            for key, first in zip(keys, firsts, strict=True)
            if first == at
        ]
        parts.append(text("sim-report-least", lang, name=formatting.result_name(results[at], lang),
                          parts=formatting.join_list(best, lang)))  # fmt: skip
    code = "sim-report-compare-each"
    return text(code, lang, tried=len(results), parts=formatting.join_clauses(parts, lang))


def format_axis_value(result: RunResult, key: str, lang: str) -> str:
    """Returns a value of one of the compared axes, with its unit."""
    value = summary_value(result.summary, key)
    if key == report_data.TTFT:
        return formatting.format_seconds(value, lang)
    return (
        formatting.format_carbon(value, lang)
        if key == report_data.CARBON
        else formatting.format_money(value, lang)
    )


def _difference_sentence(results: Sequence[RunResult], lang: str, lead: int) -> str:
    name = formatting.result_name(results[lead], lang)
    if lead == 0:
        numbers = {key: format_axis_value(results[0], key, lang) for key in report_data.AXES}
        return text("sim-report-lead-numbers", lang, name=name, ttft=numbers["ttft_s.p95"],
                    per_1k=numbers["carbon_g_per_1k_output_tokens"],
                    per_1m=numbers["cost_cad.per_1m_output_tokens"])  # fmt: skip
    parts = []
    for key in (report_data.CARBON, report_data.TTFT, report_data.COST):
        now, before = (
            summary_value(results[lead].summary, key),
            summary_value(results[0].summary, key),
        )
        if now is None or before is None:
            continue
        how, by = _describe_change(now, before, key, lang)
        parts.append(text(f"sim-report-change-{key.replace('.', '-')}", lang, how=how, by=by))
    return text(
        "sim-report-compare-change",
        lang,
        base=formatting.result_name(results[0], lang),
        name=name,
        parts=formatting.join_list(parts, lang),
    )


def _describe_change(now: float, before: float, key: str, lang: str) -> tuple[str, str]:
    """Returns how a number changed (``less``, ``more``, ``same``), and by how much."""
    if abs(now - before) <= SAME_PART * abs(before):
        return "same", ""
    how = "less" if now < before else "more"
    if key == report_data.TTFT or not before:
        return how, formatting.format_seconds(abs(now - before), lang)
    return how, formatting.format_percentage(abs(now - before) / before, lang)


def _promise_sentence(result: RunResult, lang: str) -> str:
    values = _share_values(result, lang)
    attainment = summary_value(result.summary, "slo_attainment")
    if attainment is not None:
        values["kept"] = formatting.format_percentage(attainment, lang)
    return text("sim-report-lead-kept", lang, name=formatting.result_name(result, lang), **values)


def key_figures(result: RunResult, lang: str) -> list[KeyFigure]:
    """Returns the available key figures of one result."""
    completed = summary_value(result.summary, "completed") or 0
    each_wh = (summary_value(result.summary, "energy_wh") or 0.0) / completed if completed else None
    values_by_key = {
        "ttft": formatting.format_seconds(summary_value(result.summary, report_data.TTFT), lang),
        "kept": formatting.format_percentage(summary_value(result.summary, "slo_attainment"), lang),
        "per_1k": formatting.format_carbon(summary_value(result.summary, report_data.CARBON), lang),
        "each": formatting.format_energy(each_wh, lang),
        "per_1m": formatting.format_money(summary_value(result.summary, report_data.COST), lang),
        "used": formatting.format_percentage(summary_value(result.summary, "utilisation"), lang),
    }
    microwave = formatting.DASH if each_wh is None else formatting.microwave_time(each_wh, lang)
    unserved = [int(summary_value(result.summary, key) or 0) for key in ("rejected", "failed")]
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
        (text(f"sim-report-figure-{key}", lang), value,
         text(f"sim-report-figure-{key}.note", lang, **notes))
        for key, value in values_by_key.items()
        if value != formatting.DASH
    ]  # fmt: skip
