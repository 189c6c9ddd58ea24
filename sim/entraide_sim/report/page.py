"""Page: a report as one HTML file in both languages.

Chooses the charts and fills the template. There is no script: CSS switches the language, so the
file works as an attachment, offline and in print.
"""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment

from entraide import i18n
from entraide.files import write_atomically
from entraide.i18n import text
from entraide_sim.fleet import display_names
from entraide_sim.report import formatting, report_data, summary_text
from entraide_sim.report.chart import Chart
from entraide_sim.report.context import REPLAY, ReportContext, ReportInput, report_input
from entraide_sim.report.day_charts import make_day_chart, make_zone_map
from entraide_sim.report.latency_chart import make_latency_chart
from entraide_sim.report.money_tables import money_tables
from entraide_sim.report.pareto_chart import make_pareto_chart
from entraide_sim.report.question_answers import question_answers
from entraide_sim.report.share_chart import make_share_chart
from entraide_sim.scenario import SOURCE_SEPARATOR, Assumption, RunResult

RESULTS_MAX = 1_000
BASES = ("measured", "declared", "estimated", "default")
GLOSSARY_TERMS = (
    "token",
    "first_word",
    "p95",
    "promise",
    "intensity",
    "due",
    "coop_gave",
    "unbeaten",
)


def write_report(
    path: Path,
    results: Sequence[RunResult],
    *,
    lang: str = i18n.DEFAULT_LANG,
    chosen: int | None = None,
    goals: Sequence[str] = (),
    context: ReportContext | None = None,
) -> None:
    """Writes the report of one run, of a comparison, of a plan or of advice.

    The same results give the same bytes. The file is replaced atomically.

    Args:
        path: of the file; its folder is created.
        results: the first is the base of the comparison.
        lang: language shown first.
        chosen: index of the result that a plan or advice recommends; None for the report's own
            choice.
        goals: of a plan, as typed (``ttft_s.p95<=2``).
        context: what the command knows beyond the results.

    Raises:
        ValueError: no results, more than ``RESULTS_MAX``, ``chosen`` is out of range, or the
            context is of other results.
    """
    if not 1 <= len(results) <= RESULTS_MAX:
        raise ValueError(f"a report needs 1 to {RESULTS_MAX} results, got {len(results)}")
    if chosen is not None and not 0 <= chosen < len(results):
        raise ValueError(f"result {chosen} is out of range: {len(results)} results")
    report = report_input(results, context or ReportContext(), chosen=chosen, goals=goals)
    first = i18n.lang_of(lang)
    languages = (first, *(language for language in i18n.LANGUAGES if language != first))
    pages = [_page_values(report, language) for language in languages]
    package = files("entraide_sim.report")
    template = Environment(
        loader=DictLoader({"page.html": (package / "page.html").read_text("utf-8")}),
        autoescape=True,
        trim_blocks=True,
    ).get_template("page.html")
    style = (package / "page.css").read_text("utf-8")
    write_atomically(path, template.render(pages=pages, style=style).encode())


def _page_values(report: ReportInput, lang: str) -> dict[str, Any]:
    results, lead = report.results, report.lead
    name = formatting.result_name(results[lead], lang) if len(results) > 1 else ""
    figures_title: dict[str, i18n.Value] = {"seeds": report.seed_count}
    if name:
        figures_title["name"] = name
    return {
        "lang": lang,
        "language": text("sim-report-language", lang),
        "say": partial(_report_text, lang),
        "title": formatting.scenario_title(results[0], lang),
        "about": _about_text(results, lang),
        "story": results[0].about.get(i18n.lang_of(lang), ""),
        "mishaps_header": [
            text(f"sim-report-col-{key}", lang)
            for key in ("mishap", "hit", "from", "until", "jobs", "ttft_p95", "kept")
        ],
        "mishaps_rows": _fault_rows(results[lead], lang),
        "answers": question_answers(report, lang),
        "lead": lead,
        "figures_title": text("sim-report-figures", lang, **figures_title),
        "figures": summary_text.key_figures(report.leader, lang),
        "tables": [*report.tables.get(lang, ()), *money_tables(report, lang)],
        "pictures": _make_charts(report, lang),
        "fleet_header": [
            text(f"sim-report-col-{key}", lang)
            for key in ("machine", "count", "zone", "coop", "price", "jobs", "energy")
        ],
        "fleet_rows": _fleet_rows(results[lead], lang),
        "sites_header": [
            text(f"sim-report-col-{key}", lang) for key in _site_columns(results[lead])
        ],
        "sites_rows": _site_rows(results[lead], lang),
        "bases": _basis_text(results, lang),
        "assumptions": _assumption_entries(results, lang),
        "sources": [(source, source.startswith("https://")) for source in _all_sources(results)],
        "glossary": [
            (text(f"sim-report-term-{key}", lang), text(f"sim-report-term-{key}.meaning", lang))
            for key in GLOSSARY_TERMS
        ],
        "colophon": _colophon(report, lang),
        "commands": list(dict.fromkeys(result.command for result in results if result.command)),
    }


def _report_text(lang: str, code: str, **values: i18n.Value) -> str:
    return text(f"sim-report-{code}", lang, **values)


def _about_text(results: Sequence[RunResult], lang: str) -> str:
    first = results[0]
    counts = [report_data.machine_count(result) for result in results]
    values: dict[str, i18n.Value] = {} if min(counts) == max(counts) else {"least": min(counts)}
    return text(
        "sim-report-about",
        lang,
        tried=len(results),
        date=formatting.format_date_of(first.start_at, first.timezone, lang),
        coops=len(first.coops),
        machines=max(counts),
        **values,
    )


def _make_charts(report: ReportInput, lang: str) -> list[tuple[str, Chart]]:
    """Returns the charts with their titles: hours and shares of the recommended and first result.

    The comparison comes first.
    """
    results, lead = report.results, report.lead
    charts: list[tuple[str, Chart | None]] = []

    def add(picture: Chart | None, of: int | None = None) -> None:
        if picture is not None:
            title = text(f"sim-report-{picture.name}", lang)
            if of is not None and len(results) > 1:
                title = text(
                    "sim-report-of",
                    lang,
                    title=title,
                    name=formatting.result_name(results[of], lang),
                )
            charts.append((title, picture))

    if report.kind != REPLAY:  # a proposal is not one of several offers
        add(make_pareto_chart(report, lang))
    add(make_latency_chart(results, lang))
    for of in dict.fromkeys((lead, 0)):
        add(make_day_chart(results[of], lang, mark=str(of)), of)
        add(make_zone_map(results[of], lang, mark=str(of)), of)
        add(make_share_chart(results[of], lang, mark=str(of)), of)
    return [(title, picture) for title, picture in charts if picture is not None]


def _fleet_rows(result: RunResult, lang: str) -> list[tuple[str, ...]]:
    most_wh = max((line.energy_wh for line in result.fleet), default=0.0)
    return [
        (
            formatting.machine_name(result, line, lang),
            formatting.format_count(line.count, lang),
            i18n.zone_name(line.zone, lang),
            formatting.owner_text(result, line.coop, lang),
            _format_price(line.price_cad, lang),
            formatting.format_count(line.jobs, lang),
            formatting.format_energy(line.energy_wh, lang, like=most_wh),
        )
        for line in result.fleet
    ]


def _site_columns(result: RunResult) -> tuple[str, ...]:
    """Returns the columns of the table of sites; battery columns only with a battery."""
    stored = ("battery", "lost") if any(site.stores for site in result.sites) else ()
    return ("site", "surplus", "own", *stored, "grid", "away")


def _site_rows(result: RunResult, lang: str) -> list[tuple[str, ...]]:
    columns = _site_columns(result)[1:]
    amounts = [getattr(line, f"{key}_wh") for line in result.sites for key in columns]
    most_wh = max(amounts, default=0.0)
    return [
        (
            formatting.part_name(result, "site", line.site, lang),
            *(
                formatting.format_energy(getattr(line, f"{key}_wh"), lang, like=most_wh)
                for key in columns
            ),
        )
        for line in result.sites
    ]


def _fault_rows(result: RunResult, lang: str) -> list[tuple[str, ...]]:
    return [
        (
            text(f"sim-mishap-{line.kind}", lang),
            formatting.format_count(line.machines, lang) if line.machines else formatting.DASH,
            formatting.format_moment(line.at, result.timezone, lang),
            formatting.DASH
            if line.until is None
            else formatting.format_moment(line.until, result.timezone, lang),
            formatting.format_count(line.jobs, lang),
            formatting.format_seconds(line.ttft_s_p95, lang),
            formatting.format_percentage(line.kept_part, lang),
        )
        for line in result.mishaps
    ]


def _format_price(price_cad: float | None, lang: str) -> str:
    return (
        text("sim-report-owned", lang)
        if price_cad == 0
        else formatting.format_money(price_cad, lang)
    )


def _assumption_entries(results: Sequence[RunResult], lang: str) -> list[dict[str, Any]]:
    entries = []
    sources = _all_sources(results)
    for assumption, where in report_data.merged_assumptions(results):
        names = [formatting.result_name(results[at], lang) for at in where]
        values = display_names.displayed_values(results[where[0]].titles, assumption.values, lang)
        entries.append({
            "basis": assumption.basis,
            "basis_told": i18n.word("basis", assumption.basis, lang),
            "sentence": text(f"sim-assumption-{assumption.code}", lang, **values),
            "sources": [sources.index(part) + 1 for part in _split_sources(assumption)],
            "only": "" if len(where) == len(results) else formatting.join_list(names, lang),
        })  # fmt: skip
    return entries


def _split_sources(assumption: Assumption) -> list[str]:
    return assumption.source.split(SOURCE_SEPARATOR) if assumption.source else []


def _all_sources(results: Sequence[RunResult]) -> list[str]:
    """Returns each source once, in the order of the assumptions."""
    parts = (
        part
        for assumption, _ in report_data.merged_assumptions(results)
        for part in _split_sources(assumption)
    )
    return list(dict.fromkeys(parts))


def _basis_text(results: Sequence[RunResult], lang: str) -> str:
    bases = [assumption.basis for assumption, _ in report_data.merged_assumptions(results)]
    parts = [
        text(f"sim-report-basis-{basis}", lang, count=bases.count(basis))
        for basis in BASES
        if basis in bases
    ]
    if not parts:
        return ""
    counts_text = formatting.join_list(parts, lang)
    return text("sim-report-bases", lang, parts=counts_text, default=bases.count("default"))


def _colophon(report: ReportInput, lang: str) -> list[str]:
    seeds = sorted({seed for variant in report.variants for seed in variant.seeds})
    versions = sorted({result.version for result in report.results})
    pickers = dict.fromkeys(result.picker for result in report.results)
    policies = [formatting.picker_name(picker, lang) for picker in pickers]
    return [
        text(
            "sim-report-colophon",
            lang,
            scenario=formatting.scenario_title(report.results[0], lang),
            policies=formatting.join_list(policies, lang),
            count=len(seeds),
            seeds=formatting.join_list(map(str, seeds), lang),
            versions=formatting.join_list(versions, lang),
        ),
        text("sim-report-same_bytes", lang),
    ]
