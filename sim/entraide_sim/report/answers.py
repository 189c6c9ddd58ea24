"""Answers: what a report says first, in three sentences, and its key figures.

Decides what a board is told before anything else: of a run, how it served, what it emitted, and
what it cost and whether shares were just; of a comparison, which result leads, what that changes
against the first, and at what price in promises and shares. It refuses to know the page.
"""

from collections.abc import Sequence

from entraide import i18n
from entraide.i18n import Value, text
from entraide_sim.report import facts, words
from entraide_sim.results import Result

SAME = 0.005  # a change below half a percent is none
TOLD = 0.05  # own generation below this part of a zone's energy is not worth a word

Figure = tuple[str, str, str]  # what, how much, a note


def sentences(
    results: Sequence[Result], lang: str, *, chosen: int | None = None, goals: Sequence[str] = ()
) -> tuple[str, str, str]:
    """Returns the answer in three sentences."""
    if len(results) == 1:
        return _of_run(results[0], lang, goals)
    lead = facts.leading(results, chosen)
    first = _of_plan(results, lang, chosen, goals) if goals else _of_choice(results, lang, lead)
    return first, _against_first(results, lang, lead), _kept(results[lead], lang)


def _of_run(result: Result, lang: str, goals: Sequence[str]) -> tuple[str, str, str]:
    completed = facts.get(result, "completed") or 0
    values: dict[str, Value] = {
        "machines": facts.machines(result),
        "completed": int(completed),
        "jobs": int(facts.get(result, "jobs") or 0),
        "span": words.span(_hours(result), lang),
        "ttft": words.seconds(facts.get(result, *facts.TTFT), lang),
    }
    if goals:
        values["goals"] = words.listed((words.goal(one, lang) for one in goals), lang)
    kept = facts.get(result, "slo_attainment")
    if kept is not None:
        values["kept"] = words.part(kept, lang)
    code = "sim-report-run-service" if completed else "sim-report-run-nothing"
    return text(code, lang, **values), _carbon(result, lang), _cost(result, lang)


def _hours(result: Result) -> float:
    """How long the run was in hours: what the summary says, else its columns."""
    return float(facts.get(result, "virtual_s") or result.hours * facts.HOUR_S) / facts.HOUR_S


def _carbon(result: Result, lang: str) -> str:
    values: dict[str, Value] = {
        "energy": words.energy(facts.get(result, "energy_wh"), lang),
        "carbon": words.carbon(facts.get(result, "carbon_g"), lang),
    }
    per_1k = facts.get(result, *facts.CARBON)
    if per_1k is not None:
        values["per_1k"] = words.carbon(per_1k, lang)
    main = facts.main_zone(result)
    if main is not None:
        values |= {"where": i18n.zone_in(main[0], lang), "where_part": words.part(main[1], lang)}
        own = facts.own_part(result, main[0])
        if own >= TOLD:
            values["own_part"] = words.part(own, lang)
    return text("sim-report-run-carbon", lang, **values)


def _cost(result: Result, lang: str) -> str:
    values = _shares(result, lang)
    per_1m = facts.get(result, *facts.COST)
    if per_1m is not None:
        values["per_1m"] = words.money(per_1m, lang)
        values["of"] = "all" if facts.get(result, "cost_cad", "hardware") else "energy"
    return text("sim-report-run-cost", lang, **values)


def _shares(result: Result, lang: str) -> dict[str, Value]:
    """How just the shares were: ``even``, ``short`` with who was, or ``alone`` with one co-op."""
    if len(result.coops) < 2:
        used = facts.get(result, "utilisation")
        return {"fair": "alone", "used": words.part(used, lang)}
    short = facts.short(result)
    if short is None:
        return {"fair": "even"}
    part = short.received_tokens / short.due_tokens
    return {"fair": "short", "coop": short.coop, "coop_part": words.part(part, lang)}


def _of_plan(results: Sequence[Result], lang: str, chosen: int | None, goals: Sequence[str]) -> str:
    told = words.listed((words.goal(one, lang) for one in goals), lang)
    if chosen is None:
        return text("sim-report-plan-none", lang, tried=len(results), goals=told)
    return text("sim-report-plan-chosen", lang, tried=len(results), goals=told,
                name=words.name(results[chosen], lang))  # fmt: skip


def _of_choice(results: Sequence[Result], lang: str, lead: int) -> str:
    paths = [path for path in facts.AXES
             if any(facts.get(one, *path) is not None for one in results)]  # fmt: skip
    if not paths:
        return text("sim-report-compare-nothing", lang, tried=len(results))
    firsts = [facts.least(results, path) for path in paths]
    if set(firsts) == {lead}:
        return text("sim-report-compare-all", lang, tried=len(results),
                    name=words.name(results[lead], lang))  # fmt: skip
    parts = []
    for at in dict.fromkeys(firsts):
        best = [
            text(f"sim-report-least-{'-'.join(path)}", lang, amount=amount(results[at], path, lang))
            for path, first in zip(paths, firsts, strict=True)
            if first == at
        ]
        parts.append(text("sim-report-least", lang, name=words.name(results[at], lang),
                          parts=words.listed(best, lang)))  # fmt: skip
    code = "sim-report-compare-each"
    return text(code, lang, tried=len(results), parts=words.joined(parts, lang))


def amount(result: Result, path: tuple[str, ...], lang: str) -> str:
    """Returns one of the three numbers that results are weighed by, with its unit."""
    value = facts.get(result, *path)
    if path == facts.TTFT:
        return words.seconds(value, lang)
    return words.carbon(value, lang) if path == facts.CARBON else words.money(value, lang)


def _against_first(results: Sequence[Result], lang: str, lead: int) -> str:
    name = words.name(results[lead], lang)
    if lead == 0:
        numbers = {"-".join(path): amount(results[0], path, lang) for path in facts.AXES}
        return text("sim-report-lead-numbers", lang, name=name, ttft=numbers["ttft_s-p95"],
                    per_1k=numbers["carbon_g_per_1k_output_tokens"],
                    per_1m=numbers["cost_cad-per_1m_output_tokens"])  # fmt: skip
    parts = []
    for path in (facts.CARBON, facts.TTFT, facts.COST):
        now, before = facts.get(results[lead], *path), facts.get(results[0], *path)
        if now is None or before is None:
            continue
        how, by = _change(now, before, path, lang)
        parts.append(text(f"sim-report-change-{'-'.join(path)}", lang, how=how, by=by))
    return text("sim-report-compare-change", lang, base=words.name(results[0], lang), name=name,
                parts=words.listed(parts, lang))  # fmt: skip


def _change(now: float, before: float, path: tuple[str, ...], lang: str) -> tuple[str, str]:
    """How a number changed (``less``, ``more``, ``same``), and by how much."""
    if abs(now - before) <= SAME * abs(before):
        return "same", ""
    how = "less" if now < before else "more"
    if path == facts.TTFT or not before:
        return how, words.seconds(abs(now - before), lang)
    return how, words.part(abs(now - before) / before, lang)


def _kept(result: Result, lang: str) -> str:
    values = _shares(result, lang)
    kept = facts.get(result, "slo_attainment")
    if kept is not None:
        values["kept"] = words.part(kept, lang)
    return text("sim-report-lead-kept", lang, name=words.name(result, lang), **values)


def figures(result: Result, lang: str) -> list[Figure]:
    """Returns the key figures of one result, those that it has."""
    completed = facts.get(result, "completed") or 0
    each_wh = (facts.get(result, "energy_wh") or 0.0) / completed if completed else None
    told = {
        "ttft": words.seconds(facts.get(result, *facts.TTFT), lang),
        "kept": words.part(facts.get(result, "slo_attainment"), lang),
        "per_1k": words.carbon(facts.get(result, *facts.CARBON), lang),
        "each": words.energy(each_wh, lang),
        "per_1m": words.money(facts.get(result, *facts.COST), lang),
        "used": words.part(facts.get(result, "utilisation"), lang),
    }
    microwave = words.DASH if each_wh is None else words.microwave(each_wh, lang)
    unserved = [int(facts.get(result, key) or 0) for key in ("rejected", "failed")]
    notes: dict[str, Value] = {
        "microwave": microwave,
        "watts": words.number(words.MICROWAVE_W, lang),
        "rejected": unserved[0],
        "failed": unserved[1],
        "energy_cost": words.money(facts.get(result, "cost_cad", "energy"), lang),
        "hardware_cost": words.money(facts.get(result, "cost_cad", "hardware"), lang),
    }
    return [
        (text(f"sim-report-figure-{key}", lang), value,
         text(f"sim-report-figure-{key}.note", lang, **notes))
        for key, value in told.items()
        if value != words.DASH
    ]  # fmt: skip
