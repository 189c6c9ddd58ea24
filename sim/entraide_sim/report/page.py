"""Page: the parts of a report in one HTML file, in both languages.

Decides which pictures a report of these results has, and puts what is told into the template. There
is no script: languages switch by style, so that the file works from a mail, offline, and on paper.
It refuses to know how a sentence or a picture is made.
"""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment

from entraide import i18n
from entraide.i18n import text
from entraide_sim.report import answers, facts, words
from entraide_sim.report.coops import shares
from entraide_sim.report.day import hours_and_zones, over_the_day
from entraide_sim.report.figures import Picture
from entraide_sim.report.latency import latency
from entraide_sim.report.pareto import pareto
from entraide_sim.results import CITED, Assumption, Result

RESULTS_MAX = 1_000
BASES = ("measured", "declared", "estimated", "default")
TERMS = ("token", "first_word", "p95", "promise", "intensity", "due", "coop_gave", "unbeaten")


def write_report(
    path: Path,
    results: Sequence[Result],
    *,
    lang: str = i18n.DEFAULT_LANG,
    chosen: int | None = None,
    goals: Sequence[str] = (),
) -> None:
    """Writes the report of one run, or of several that are compared.

    The same results give the same bytes. A reader sees the old file or the whole new one.

    Args:
        path: of the file; its folder is made.
        results: the first is the one that the others are compared with.
        lang: which language shows first; the other is a click away.
        chosen: index of the result that a plan recommends; None leaves it to the report.
        goals: of a plan, as typed (``ttft_s.p95<=2``).

    Raises:
        ValueError: there are no results, more than ``RESULTS_MAX``, or ``chosen`` is none of them.
    """
    if not 1 <= len(results) <= RESULTS_MAX:
        raise ValueError(f"a report is of 1 to {RESULTS_MAX} results, not of {len(results)}")
    if chosen is not None and not 0 <= chosen < len(results):
        raise ValueError(f"there is no result {chosen} among {len(results)}")
    first = i18n.lang_of(lang)
    languages = (first, *(one for one in i18n.LANGUAGES if one != first))
    pages = [_page(results, one, chosen, goals) for one in languages]
    here = files("entraide_sim.report")
    template = Environment(
        loader=DictLoader({"page.html": (here / "page.html").read_text("utf-8")}),
        autoescape=True,
        trim_blocks=True,
    ).get_template("page.html")
    style = (here / "page.css").read_text("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(template.render(pages=pages, style=style), "utf-8", newline="\n")
    beside.replace(path)


def _page(
    results: Sequence[Result], lang: str, chosen: int | None, goals: Sequence[str]
) -> dict[str, Any]:
    lead = facts.leading(results, chosen)
    several = len(results) > 1
    return {
        "lang": lang,
        "language": text("sim-report-language", lang),
        "say": partial(_say, lang),
        "title": words.title(results[0], lang),
        "about": _about(results, lang),
        "story": results[0].about.get(i18n.lang_of(lang), ""),
        "mishaps_header": [
            text(f"sim-report-col-{key}", lang)
            for key in ("mishap", "hit", "from", "until", "jobs", "ttft_p95", "kept")
        ],
        "mishaps_rows": _mishaps(results[lead], lang),
        "sentences": answers.sentences(results, lang, chosen=chosen, goals=goals),
        "lead": lead,
        "lead_name": words.name(results[lead], lang) if several else "",
        "figures": answers.figures(results[lead], lang),
        "pictures": _pictures(results, lang, lead, chosen=chosen is not None),
        "fleet_header": [
            text(f"sim-report-col-{key}", lang)
            for key in ("machine", "count", "zone", "coop", "price", "jobs", "energy")
        ],
        "fleet_rows": _fleet(results[lead], lang),
        "sites_header": [
            text(f"sim-report-col-{key}", lang) for key in _site_columns(results[lead])
        ],
        "sites_rows": _sites(results[lead], lang),
        "bases": _bases(results, lang),
        "assumptions": _assumptions(results, lang),
        "sources": [(one, one.startswith("https://")) for one in _sources(results)],
        "glossary": [
            (text(f"sim-report-term-{key}", lang), text(f"sim-report-term-{key}.meaning", lang))
            for key in TERMS
        ],
        "colophon": _colophon(results, lang),
        "commands": list(dict.fromkeys(one.command for one in results if one.command)),
    }


def _say(lang: str, code: str, **values: i18n.Value) -> str:
    return text(f"sim-report-{code}", lang, **values)


def _about(results: Sequence[Result], lang: str) -> str:
    first = results[0]
    counts = [facts.machines(one) for one in results]
    values: dict[str, i18n.Value] = {} if min(counts) == max(counts) else {"least": min(counts)}
    return text(
        "sim-report-about",
        lang,
        tried=len(results),
        date=words.date(first.start_at, first.timezone, lang),
        coops=len(first.coops),
        machines=max(counts),
        **values,
    )


def _pictures(
    results: Sequence[Result], lang: str, lead: int, *, chosen: bool
) -> list[tuple[str, Picture]]:
    """The pictures with their titles; hours and shares are those of who leads, then of the first.

    A comparison comes first, for it is the choice.
    """
    found: list[tuple[str, Picture | None]] = []

    def add(picture: Picture | None, of: int | None = None) -> None:
        if picture is not None:
            title = text(f"sim-report-{picture.name}", lang)
            if of is not None and len(results) > 1:
                title = text("sim-report-of", lang, title=title, name=words.name(results[of], lang))
            found.append((title, picture))

    add(pareto(results, lang, lead, chosen=chosen))
    add(latency(results, lang))
    for of in dict.fromkeys((lead, 0)):
        add(over_the_day(results[of], lang, mark=str(of)), of)
        add(hours_and_zones(results[of], lang, mark=str(of)), of)
        add(shares(results[of], lang, mark=str(of)), of)
    return [(title, picture) for title, picture in found if picture is not None]


def _fleet(result: Result, lang: str) -> list[tuple[str, ...]]:
    return [
        (
            words.device(line.name or line.device, lang),
            words.count(line.count, lang),
            words.zone(line.zone, lang),
            words.owners(line.coop, (one.coop for one in result.coops), lang),
            _price(line.price_cad, lang),
            words.count(line.jobs, lang),
            words.energy(line.energy_wh, lang),
        )
        for line in result.fleet
    ]


def _site_columns(result: Result) -> tuple[str, ...]:
    """A battery has columns only where there is one."""
    stored = ("battery", "lost") if any(one.stores for one in result.sites) else ()
    return ("site", "surplus", "own", *stored, "grid", "away")


def _sites(result: Result, lang: str) -> list[tuple[str, ...]]:
    columns = _site_columns(result)[1:]
    return [
        (line.site, *(words.energy(getattr(line, f"{key}_wh"), lang) for key in columns))
        for line in result.sites
    ]


def _mishaps(result: Result, lang: str) -> list[tuple[str, ...]]:
    return [
        (
            text(f"sim-mishap-{line.kind}", lang),
            words.count(line.machines, lang) if line.machines else words.DASH,
            words.moment(line.at, result.timezone, lang),
            words.DASH if line.until is None else words.moment(line.until, result.timezone, lang),
            words.count(line.jobs, lang),
            words.seconds(line.ttft_s_p95, lang),
            words.part(line.kept_part, lang),
        )
        for line in result.mishaps
    ]


def _price(price_cad: float | None, lang: str) -> str:
    return text("sim-report-owned", lang) if price_cad == 0 else words.money(price_cad, lang)


def _assumptions(results: Sequence[Result], lang: str) -> list[dict[str, Any]]:
    told = []
    sources = _sources(results)
    for one, where in facts.assumptions(results):
        names = [words.name(results[at], lang) for at in where]
        values: dict[str, i18n.Value] = dict(one.values)
        if "device" in values:
            values["device"] = words.device(str(values["device"]), lang)
        told.append({
            "basis": one.basis,
            "basis_told": i18n.word("basis", one.basis, lang),
            "sentence": text(f"sim-assumption-{one.code}", lang, **values),
            "sources": [sources.index(part) + 1 for part in _cited(one)],
            "only": "" if len(where) == len(results) else words.listed(names, lang),
        })  # fmt: skip
    return told


def _cited(assumption: Assumption) -> list[str]:
    return assumption.source.split(CITED) if assumption.source else []


def _sources(results: Sequence[Result]) -> list[str]:
    """Returns every source once, in the order in which the assumptions cite them."""
    parts = (part for one, _ in facts.assumptions(results) for part in _cited(one))
    return list(dict.fromkeys(parts))


def _bases(results: Sequence[Result], lang: str) -> str:
    bases = [one.basis for one, _ in facts.assumptions(results)]
    parts = [
        text(f"sim-report-basis-{basis}", lang, count=bases.count(basis))
        for basis in BASES
        if basis in bases
    ]
    if not parts:
        return ""
    told = words.listed(parts, lang)
    return text("sim-report-bases", lang, parts=told, default=bases.count("default"))


def _colophon(results: Sequence[Result], lang: str) -> list[str]:
    seeds = sorted({one.seed for one in results})
    versions = sorted({one.version for one in results})
    policies = sorted({one.policy for one in results})
    return [
        text("sim-report-colophon", lang, scenario=results[0].scenario,
             policies=words.listed(policies, lang), count=len(seeds),
             seeds=words.listed(map(str, seeds), lang), versions=words.listed(versions, lang)),
        text("sim-report-same_bytes", lang),
    ]  # fmt: skip
