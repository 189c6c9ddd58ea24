"""The report: reproducible, self-contained, complete in both languages, with right numbers."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from tests.browser import NEEDS, PHONE, chromium, visit
from tests.cases import all_cases
from tests.house.source import ROOT
from tests.sim.reading import Reader
from tests.sim.results import START_AT, result
from tests.sim.support import other_hash_seed

from entraide import i18n
from entraide_sim.report import (
    ReportContext,
    formatting,
    pareto_chart,
    report_data,
    summary_text,
    svg,
    write_report,
)
from entraide_sim.report.context import report_input
from entraide_sim.runs import combine_seeds
from entraide_sim.scenario import CoopShare, FaultImpact, RunResult, SiteEnergy

CHOICES = (
    result("round_robin", green=3.0),
    result("greenest", green=0.7, quick=1.2),
    result("fastest", green=1.5, quick=0.6),
    result("Dix mini", green=3.1, quick=1.3, cheap=0.5),
    result("least_loaded", green=3.2, quick=1.4),
)

# Reports of one run, of a comparison, of a plan, and of many zones, by name.
REPORTS: dict[str, Callable[[Path], None]] = {
    "run": lambda path: write_report(path, [result()]),
    "compare": lambda path: write_report(path, CHOICES[:2]),
    "plan": lambda path: write_report(
        path, CHOICES[2:], chosen=1, goals=["ttft_s.p95<=4", "mystery>1"]
    ),
    "wide": lambda path: write_report(path, [result(coops=40, zones=8, hours=30)], lang="en"),
}
LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("run", "wide")]
NAMES = ["compare", "plan", *LONG]

MARKUP = "<script>alert('$x^2$')</script>"


def write_named(path: Path, wall_s: float = 1.0) -> None:
    """Writes a small comparison of two runs, whose names have signs of markup."""
    coops = (CoopShare(MARKUP, 1, 0, 5.0, 9.0, 1.0, 0.0), CoopShare("b", 1, 0, 5.0, 5.0, 1.0, 0.0))
    small = msgspec.structs.replace(result(hours=3), coops=coops)
    runs = (
        msgspec.structs.replace(small, title={"fr": MARKUP}, label=MARKUP),
        msgspec.structs.replace(small, label="$\\frac{$"),
    )
    write_report(path, [took(run, wall_s) for run in runs])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("reports")


def written(folder: Path, name: str) -> Path:
    """A report as a file; it takes seconds, so it is written once."""
    path = folder / f"{name}.html"
    if not path.exists():
        {**REPORTS, "named": write_named}[name](path)
    return path


def read(folder: Path, name: str) -> tuple[str, Reader]:
    """A report as written, and as read."""
    html = written(folder, name).read_text("utf-8")
    return html, Reader(html)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_comes_from_elsewhere(folder, name) -> None:
    """A report has no script and loads nothing; only the sources of figures are links."""
    html, reader = read(folder, name)
    loads = [
        (tag, held)
        for tag, held in reader.tags
        if tag in {"script", "link", "img", "iframe", "object"} or "src" in held
    ]
    links = {held["href"] for tag, held in reader.tags if tag == "a"}

    assert [] == loads
    assert {"https://example.org/provincial averages"} == links
    assert [] == re.findall(r"@import|url\((?!#)", html)


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_are_whole(folder, name) -> None:
    """No message is missing and no value is: neither a bare code nor a hole is left."""
    _, reader = read(folder, name)
    said = {lang: reader.said(lang) for lang in ("fr", "en")}
    labels = " ".join(held.get("aria-label", "") for _, held in reader.tags)

    for text in (*said.values(), labels):
        assert [] == re.findall(r"sim-(?:report|picker|measure)\S*|\bnone\b|\bnan\b|\binf\b", text)
        assert i18n.HOLE not in text
    assert "Les réponses à vos questions" in said["fr"]
    assert "The answers to your questions" in said["en"]


@pytest.mark.parametrize("name", NAMES)
def test_names_inside_are_unique_and_found(folder, name) -> None:
    """Each identifier stands once, and each reference finds one."""
    html, reader = read(folder, name)
    names = [held["id"] for _, held in reader.tags if "id" in held]
    wanted = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', html))

    assert len(set(names)) == len(names)
    assert wanted
    assert set() == wanted - set(names)


@pytest.mark.parametrize("name", NAMES)
def test_no_colour_is_left_to_the_drawing(folder, name) -> None:
    """Each colour of a picture is one of the page's, so that dark and paper have their own."""
    html, _ = read(folder, name)
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, re.S))
    defined = set(re.findall(r"--([a-z0-9]+):", html))

    assert [] == re.findall(r"(?:fill|stroke): ?#[0-9a-f]{3,6}", drawn)
    assert set() == set(re.findall(r"var\(--([a-z0-9]+)\)", html)) - defined


def test_a_run_says_what_it_served_and_emitted(folder) -> None:
    """A run is told as service with shares, cost and carbon; each is one sentence."""
    _, reader = read(folder, "run")
    texts = reader.texts["fr"]

    assert (
        "Ces 14 machines ont répondu à 8\u00a0636 requêtes sur 8\u00a0648 en 3\u00a0jours\u00a0; "
        "le premier mot vient en 1,52\u00a0s ou moins dans 95\u00a0% des cas, "
        "et 97\u00a0% des délais promis sont tenus."
    ) in texts
    assert "«\u00a0coop-2\u00a0» n’a reçu que 82\u00a0% de ce qui lui revenait." in texts
    assert (
        "En 3\u00a0jours, 2,59\u00a0kWh et 245\u00a0g\u00a0CO2e d’émissions directes, soit "
        "0,135\u00a0g\u00a0CO2e pour 1\u00a0000\u00a0jetons produits (environ 750 mots)\u00a0; "
        "55\u00a0% des jetons ont été produits au Québec."
    ) in texts
    assert (
        "Un million de jetons produits revient à 4,70\u00a0$, électricité et matériel compris."
    ) in texts


def test_a_comparison_says_who_does_best_in_what(folder) -> None:
    """The recommended option and a faster one are named; owned hardware costs only electricity."""
    _, reader = read(folder, "compare")
    owned = msgspec.structs.replace(
        result(), summary={**result().summary, "cost_cad": {"energy": 1.0, "hardware": 0.0,
                                                           "per_1m_output_tokens": 0.5}},
    )  # fmt: skip

    assert (
        "Of 2 options, “the greenest within the latency objective” is recommended: it emits least "
        "(0.0945\u00a0g\u00a0CO2e per 1,000\u00a0tokens) among those that keep promises best (97%)."
    ) in reader.texts["en"]
    assert (
        "“in turn” answers faster: first word within 1.52\u00a0s in 95% of cases."
    ) in reader.texts["en"]
    assert (
        "A million tokens produced comes to $0.50 of electricity (the hardware is already owned)."
    ) == summary_text.cost_sentence(owned, "en")


def test_a_plan_names_what_it_takes(folder) -> None:
    """A plan's sentence names the fleet and the goals; one we cannot word stays as typed."""
    _, reader = read(folder, "plan")

    assert (
        "Of 3 options, “Dix mini” is the one to choose: it meets the goals, "
        "first word in seconds, 95th percentile ≤\u00a04 and mystery>1."
    ) in reader.texts["en"]


@pytest.mark.long
def test_the_same_results_give_the_same_bytes(folder, tmp_path) -> None:
    """A process with another hash seed writes the same; wall time changes no byte of it."""
    script = (
        "import sys; from pathlib import Path; from tests.sim.test_report import write_named; "
        "write_named(Path(sys.argv[1]), 99.0)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "again")],
        check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": other_hash_seed()},
    )  # fmt: skip

    assert written(folder, "named").read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_how_long_it_took_is_not_in_it(tmp_path) -> None:
    """A report of one run, too, has the same bytes however long the run took."""
    for name, wall_s in (("one", 1.0), ("other", 99.0)):
        write_report(tmp_path / name, [took(result(zones=1, hours=3), wall_s)])

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_comparison_draws_what_several_seeds_span(monkeypatch) -> None:
    """Each option of several seeds has its intervals as bars; an axis over which the options differ
    by much is logarithmic, another begins at zero."""
    figures: list[Figure] = []

    def draw(draw: svg.DrawFunction, _name: str, _label: str, size_in, _kind: str) -> str:
        figure = Figure(figsize=size_in)
        draw(figure, svg.Tooltips())
        figures.append(figure)
        return ""

    monkeypatch.setattr(svg, "_render", draw)
    variants = tuple(
        combine_seeds([
            msgspec.structs.replace(result(label, green=green * spread), seed=seed)
            for seed, spread in enumerate((0.9, 1.0, 1.1))
        ])
        for label, green in (("greenest", 1.0), ("fastest", 40.0))
    )  # fmt: skip
    means = [variant.mean for variant in variants]
    pareto_chart.make_pareto_chart(report_input(means, ReportContext(seeded=variants)), "en")
    panels = figures[0].axes
    carbon = variants[0].interval(report_data.CARBON)
    across, up = (panels[at].collections[at].get_segments()[0][:, at] for at in (0, 1))

    assert 2 == len(figures)
    assert carbon is not None
    assert [carbon.low, carbon.high] == pytest.approx(across.tolist())
    assert [carbon.low, carbon.high] == pytest.approx(up.tolist())
    assert [2 * len(variants)] * 3 == [len(axes.collections) for axes in panels]
    assert ["log", "linear", "linear"] == [axes.get_xscale() for axes in panels]
    assert ["linear", "log", "linear"] == [axes.get_yscale() for axes in panels]
    assert (0.0, 0.0) == (panels[2].get_xlim()[0], panels[2].get_ylim()[0])


def took(run: RunResult, wall_s: float) -> RunResult:
    """The result of a run that took another time."""
    return msgspec.structs.replace(run, summary={**run.summary, "wall_s": wall_s})


def test_names_are_somebody_elses_text(folder) -> None:
    """Markup in a scenario's names is shown as text, in sentences and charts."""
    html, reader = read(folder, "named")

    assert "script" not in {tag for tag, _ in reader.tags}
    assert MARKUP in reader.said("fr")
    assert [MARKUP] == sorted({text for text in reader.texts["en"] if text == MARKUP})
    assert "$\\frac{$" in html


def test_a_run_without_an_answer_says_so(tmp_path) -> None:
    """A run without completed jobs has a report without invented numbers."""
    nothing: dict[str, None] = dict.fromkeys(("p50", "p95", "p99"))
    summary = {
        "jobs": 40, "completed": 0, "rejected": 40, "failed": 0, "ttft_s": nothing,
        "tpot_s": nothing, "e2e_s": nothing, "slo_attainment": 0.0, "energy_wh": 0.0,
        "carbon_g": 0.0, "carbon_g_per_1k_output_tokens": None,
        "cost_cad": {"energy": 0.0, "hardware": 0.0, "per_1m_output_tokens": None},
        "utilisation": None,
    }  # fmt: skip
    bare = RunResult(scenario="vide", policy="p", picker="greenest", seed=1, version="0",
                  start_at=1.7e9, hours=0, summary=summary)  # fmt: skip
    write_report(tmp_path / "one.html", [bare])
    write_report(tmp_path / "two.html", [bare, bare])
    single, two = (
        Reader((tmp_path / name).read_text("utf-8")) for name in ("one.html", "two.html")
    )

    assert "None of the 40 requests was completed" in single.said("en")
    assert "None of the 2 options produced an answer." in two.texts["en"]


@pytest.mark.parametrize(("results", "chosen"), [([], None), ([result()], 1), ([result()], -1)])
def test_no_report_of_nothing(tmp_path, results, chosen) -> None:
    """Without results, or with a choice that is none of them, nothing is written."""
    with pytest.raises(ValueError, match="result"):
        write_report(tmp_path / "r.html", results, chosen=chosen)

    assert [] == list(tmp_path.iterdir())


def test_what_nothing_beats() -> None:
    """A result is not Pareto-optimal if another is as good on all axes and better on one."""
    assert [False, True, True, True, False] == report_data.pareto_optimal(CHOICES)


def test_who_leads() -> None:
    """The greenest is recommended among those with about the best SLO attainment."""
    green = result("green", green=0.1)
    careless = msgspec.structs.replace(green, summary={**green.summary, "slo_attainment": 0.9})

    def lead(results: Sequence[RunResult], chosen: int | None = None) -> int:
        return report_input(results, ReportContext(), chosen=chosen).lead

    assert 1 == lead(CHOICES)
    assert 1 == lead([*CHOICES, careless])
    assert 5 == lead([*CHOICES, green])
    assert 3 == lead(CHOICES, 3)


def test_hours_are_those_of_the_readers() -> None:
    """A run folds into the local hours of the day: the same hour of each day is averaged."""
    two_days = result(hours=48, zones=1)
    day = report_data.day_profile(two_days)
    jobs = two_days.zones[0].jobs

    longer = report_data.day_profile(msgspec.structs.replace(two_days, hours=55))

    assert tuple(range(24)) == day.hours
    assert day == longer  # the third day had only begun
    assert (jobs[0] + jobs[24]) / 2 == day.jobs[0][19]  # 0 h UTC is 19 h in Québec's winter


def test_the_drain_is_no_part_of_the_answer() -> None:
    """The first sentence counts the hours in which requests arrived, not those of the columns."""
    run = msgspec.structs.replace(result(hours=31), demand_h=24.0)

    assert "in 24\u00a0hours" in summary_text.service_sentence(combine_seeds([run]), (), "en")
    assert 24 == report_data.whole_days_hours(run)


def test_a_part_of_an_hour_counts_as_that_part() -> None:
    """Jobs of twenty minutes are three times as many per hour."""
    run = result(hours=2, zones=1)
    jobs = msgspec.structs.replace(run.zones[0], jobs=(20, 60))
    begun = msgspec.structs.replace(
        run, zones=(jobs,), demand_at=run.start_at + 2_400.0, demand_h=4.0 / 3.0
    )

    assert (60.0, 60.0) == pytest.approx(report_data.day_profile(begun).jobs[0])


def test_a_legend_has_room_for_each_name() -> None:
    """Long names get fewer columns, and the longest are wrapped, so that no entry is cut."""
    names = [f"une possibilité dont le nom est long, numéro {number}" for number in range(6)]
    for width_in in (svg.WIDTH_IN, svg.NARROW_IN):
        figure = Figure(figsize=(width_in, 4.0), layout="constrained")
        FigureCanvasSVG(figure)
        figure.subplots()
        svg.add_legend(figure, [Patch(label=name) for name in names])
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()

        assert box.x1 <= figure.bbox.x1
        assert len(names) == len(figure.legends[0].get_texts())


def test_many_coops_show_those_off_their_due() -> None:
    """Of many co-ops those furthest from their due are drawn."""
    shown = report_data.coops_shown(result(coops=40))

    assert report_data.COOPS_MAX == len(shown)
    assert "coop-2" in [coop.coop for coop in shown]


NUMBERS = {
    "kilowatt-hours": (formatting.format_energy(12_345.0, "fr"), "12,3\u00a0kWh"),
    "little carbon": (formatting.format_carbon(0.0345, "en"), "0.0345\u00a0g\u00a0CO2e"),
    "less than a second of microwaves": (
        formatting.microwave_time(0.02, "fr"), "moins de 1\u00a0s",
    ),
    "seconds of microwaves": (formatting.microwave_time(0.67, "en"), "2\u00a0s"),
    "a column in grams": (formatting.format_grams(0.0345, "en"), "0.0345\u00a0g\u00a0CO2e"),
    "tonnes": (formatting.format_carbon(2.5e6, "fr"), "2,5\u00a0t\u00a0CO2e"),
    "minutes": (formatting.format_seconds(600.0, "fr"), "10\u00a0min"),
    "dollars": (formatting.format_money(1_234.5, "fr"), "1\u00a0234\u00a0$"),
    "cents": (formatting.format_money(0.0123, "en"), "$0.0123"),
    "almost all": (formatting.format_percentage(0.9999, "fr"), "99,9\u00a0%"),
    "all": (formatting.format_percentage(1.0, "en"), "100%"),
    "almost none": (formatting.format_percentage(0.00001, "en"), "0.1%"),
    "nothing known": (formatting.format_money(None, "fr"), "–"),
    "a goal in words": (formatting.format_goal("carbon_g_per_1k_output_tokens<=5", "fr"),
                        "g\u00a0CO2e pour 1\u00a0000\u00a0jetons ≤\u00a05"),
}  # fmt: skip


@all_cases("case", NUMBERS)
def test_numbers_have_units(case) -> None:
    """Numbers have their unit, in the style of each language."""
    shown, expected = NUMBERS[case]

    assert expected == shown


@pytest.mark.needs(NEEDS)
async def test_a_browser_shows_it(folder, tmp_path) -> None:
    """A browser shows French, then English on a click, at a phone's width, loading nothing else."""
    shown = """[...document.querySelectorAll("article")].filter(
        one => getComputedStyle(one).display !== "none").map(one => one.lang).join()"""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    pictures = """[...document.querySelectorAll("article[lang=en] svg.picture")].map(
        one => one.getBoundingClientRect()).filter(one => one.width > 300 && one.height > 100)
        .length"""
    cut = """[...document.querySelectorAll("article[lang=en] .wide")].filter(
        one => one.scrollWidth > one.clientWidth).length"""
    address = written(folder, "compare").as_uri()
    async with chromium() as browser, visit(browser, address, width=PHONE) as opened:
        page = opened.page
        first = await page.evaluate(shown)
        await page.evaluate("document.querySelector('label[for=to-en]').click()")
        second = await page.evaluate(shown)
        await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        overhang = [await page.evaluate(part) for part in (wide, cut)]
        drawn = await page.evaluate(pictures)

    assert ("fr", "en") == (first, second)
    assert [0, 0] == overhang
    assert 8 == drawn
    assert [address] == opened.requested
    assert [] == opened.complaints


@pytest.mark.usefixtures("undrawn")
def test_what_happened_and_what_was_generated_are_told(tmp_path: Path) -> None:
    """Faults, own generation and the scenario's description are in both languages."""
    run = msgspec.structs.replace(
        result(),
        about={"fr": "Une tempête.", "en": "A storm."},
        sites=(SiteEnergy("Gaspé", "CA-QC", 9_000.0, 400.0, 50.0, 70.0, 5.0, 8_500.0, 45.0, True),),
        mishaps=(FaultImpact("vanish", START_AT + 3_600.0, None, 4, 120, 118, 0.97, 1.4),),
    )
    write_report(tmp_path / "report.html", [run])
    read = Reader((tmp_path / "report.html").read_text("utf-8"))

    for lang, words_told in {
        "fr": ("Une tempête.", "Gaspé", "Par la batterie", "0,05\xa0kWh",
               "Elles disparaissent d’un coup",
               "97\xa0%"),
        "en": ("A storm.", "Gaspé", "Through the battery", "0.05\xa0kWh", "They disappear suddenly",
               "97%"),
    }.items():  # fmt: skip
        for word in words_told:
            assert word in read.said(lang)


@pytest.mark.usefixtures("undrawn")
def test_a_battery_has_columns_only_where_there_is_one(tmp_path: Path) -> None:
    """A site without a battery has no battery columns."""
    site = SiteEnergy("Gaspé", "CA-QC", 9_000.0, 400.0, 0.0, 70.0, 0.0, 8_600.0, 0.0, False)
    write_report(tmp_path / "report.html", [msgspec.structs.replace(result(), sites=(site,))])
    read = Reader((tmp_path / "report.html").read_text("utf-8"))

    assert "Gaspé" in read.said("en")
    assert "Through the battery" not in read.said("en")


def _carbon(run: RunResult) -> str:
    return summary_text.carbon_sentence(combine_seeds([run]), "en")


def test_own_generation_explains_where_tokens_came_from() -> None:
    """The second sentence says how much of the main zone's energy was generated on site."""
    plain = result()
    main = report_data.main_zone(plain)
    assert main is not None
    used_wh = sum(
        sum(zone_hours.energy_wh) for zone_hours in plain.zones if zone_hours.zone == main[0]
    )
    site = SiteEnergy("ici", main[0], 9_000.0, used_wh / 2, 0.0, 0.0, 0.0, 0.0, 0.0, False)
    sunny = msgspec.structs.replace(plain, sites=(site,))

    assert "50% of the machines’ energy" in _carbon(sunny)
    assert "machines’ energy" not in _carbon(plain)


def test_alternatives_are_called_by_their_titles() -> None:
    """A part of a label with a title is shown by its title, in the reader's language."""
    named = msgspec.structs.replace(
        result("gpu · greenest"), names={"gpu": {"fr": "Une carte", "en": "A card"}}
    )

    assert formatting.result_name(named, "fr").startswith("Une carte · ")
    assert formatting.result_name(named, "en").startswith("A card · ")


def test_hours_after_the_last_job_are_not_drawn() -> None:
    """A run of less than a day ends with the last hour in which a job was placed."""
    short = result(hours=5)
    zones = tuple(
        msgspec.structs.replace(zone_hours, jobs=(*zone_hours.jobs[:3], 0, 0))
        for zone_hours in short.zones
    )

    assert 3 == len(report_data.day_profile(msgspec.structs.replace(short, zones=zones)).hours)
