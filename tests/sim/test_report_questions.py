"""Reports answer the reader's questions, in words, with intervals, for each kind of report."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.browser import NEEDS, PHONE, chromium, visit
from tests.sim.reading import Reader
from tests.sim.results import result

from entraide import i18n
from entraide_scheduler.core.policy import Picker
from entraide_sim.report import ADVICE, ReportContext, measures, write_report
from entraide_sim.runs import SeededResult, combine_seeds
from entraide_sim.scenario import Footprint, Money, OfferCost, RunResult

pytestmark = pytest.mark.long

TITLES = {
    "coop": {f"coop-{number}": {"fr": f"La Coop {number}"} for number in range(1, 5)},
    "group": {"mini-qc": {"fr": "Mac mini, Sherbrooke"}, "rtx-ab": {"fr": "RTX, Calgary"}},
}
KINDS = ("run", "compare", "plan", "advice")
QUESTIONS = {
    "need": ("Avons-nous besoin de quelque chose\u00a0?", "Do we need anything?"),
    "choice": ("Qu’achèterions-nous d’abord\u00a0?", "What would we buy first?"),
    "cost": ("Combien cela coûte-t-il par an, et par personne\u00a0?",
             "What does it cost a year, and per person?"),
    "carbon": ("Combien cela consomme-t-il et émet-il\u00a0?", "What does it use and emit?"),
    "sure": ("À quel point est-ce sûr\u00a0?", "How sure is that?"),
    "left_out": ("Qu’avons-nous laissé de côté\u00a0?", "What did we leave out?"),
}  # fmt: skip
COMPARE_CHOICE = ("Que choisir\u00a0?", "Which one should we choose?")
NAMES = [r"coop-\d", "mini-qc", "rtx-ab", "CA-[A-Z]{2}", r"(?:seed|graine) \d"]
# "fastest" and "greenest" are words of the English names.
PICKERS = {"fr": [picker.value for picker in Picker], "en": ["greedy_green", "round_robin"]}


def money(total_cad: float, *, price_cad: float, people: int | None = 60) -> Money:
    """A year's money, of which 40 dollars are energy."""
    return Money(
        purchase_price_cad=price_cad, capital_cad=total_cad - 40.0, sunk_capital_cad=310.0,
        maintenance_cad=0.0, energy_cad=40.0, idle_energy_cad=12.5, total_cad=total_cad,
        people=people, total_cad_per_person=None if people is None else total_cad / people,
        discount_rate=0.05, input_tokens_per_year=1e8, output_tokens_per_year=5e7,
        cloud=(OfferCost("Nuage A", "2026-09-22", "price list", 900.0, None),
               OfferCost("Nuage B", "2026-09-01", "price list", 2_400.0, 2.5, True)),
        subscriptions=(OfferCost("Abonnement C", "2026-04-30", "price list", 18_000.0, 0.25),),
    )  # fmt: skip


FOOTPRINT = Footprint(
    idle_wh=120.0, idle_carbon_g=1.0, uncounted_idle_wh=4_500.0, carbon_lifecycle_g=800.0,
    embodied_g=300.0, embodied_unknown=1,
)  # fmt: skip


def seeded(
    label: str, *, price_cad: float = 0.0, green: float = 1.0, spread: float = 0.02, seeds: int = 5
) -> SeededResult:
    """A variant whose emissions differ by ``spread`` between its seeds."""
    runs = []
    for seed in range(seeds):
        run = result(label, green=green * (1.0 + spread * (seed - seeds // 2)), hours=24)
        fleet = tuple(
            msgspec.structs.replace(line, group=group)
            for line, group in zip(run.fleet, ("mini-qc", "rtx-ab"), strict=True)
        )
        cost = money(price_cad / 5.0 + 40.0 + seed, price_cad=price_cad)
        runs.append(msgspec.structs.replace(
            run, seed=seed, titles=TITLES, fleet=fleet, money=cost, footprint=FOOTPRINT,
        ))  # fmt: skip
    return combine_seeds(runs)


def write(path: Path, kind: str, variants: list[SeededResult]) -> Path:
    """Writes a report of some variants as a command does."""
    answers = {"need": {"fr": ("Rien ne manque.",), "en": ("Nothing is missing.",)}}
    write_report(
        path,
        [variant.mean for variant in variants],
        chosen=1 if kind in {"plan", "advice"} else None,
        goals=["ttft_s.p95<=4"] if kind == "plan" else [],
        context=ReportContext(
            kind=ADVICE if kind == "advice" else "",
            seeded=tuple(variants),
            answers=answers if kind == "advice" else {},
        ),
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder for a report of each kind, each written when it is first read."""
    return tmp_path_factory.mktemp("questions")


def written(folder: Path, kind: str) -> Path:
    """A report of five seeds as a file."""
    path = folder / f"{kind}.html"
    if not path.exists():
        variants = [seeded("greedy_green"), seeded("fastest", price_cad=5_000.0, green=0.5)]
        write(path, kind, variants[:1] if kind == "run" else variants)
    return path


def read(folder: Path, kind: str) -> Reader:
    """A report of the folder."""
    return Reader(written(folder, kind).read_text("utf-8"))


def answers(reader: Reader, lang: str) -> dict[str, list[str]]:
    """The sentences under each question of a report."""
    held: dict[str, list[str]] = {}
    last = "Les chiffres" if lang == "fr" else "The numbers"
    question = ""
    for words in reader.texts[lang]:
        if words.startswith(last):
            break
        if words.endswith("?") and len(words) < 60:
            question = words
            held[question] = []
        elif question:
            held[question].append(words)
    return held


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_question_has_an_answer(folder, kind, lang) -> None:
    """Each kind of report asks its questions, in this order, and answers each."""
    at = 0 if lang == "fr" else 1
    expected = {key: texts[at] for key, texts in QUESTIONS.items()}
    if kind == "run":
        del expected["choice"]
    if kind == "compare":
        expected["choice"] = COMPARE_CHOICE[at]
    held = answers(read(folder, kind), lang)

    assert list(expected.values()) == list(held)
    assert [] == [question for question, sentences in held.items() if not sentences]


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_is_shown(folder, kind) -> None:
    """Policies, co-ops, machines and zones are called by their names, outside of commands."""
    reader = read(folder, kind)

    for lang, pickers in PICKERS.items():
        keys = re.compile(r"\b(?:" + "|".join([*pickers, *NAMES]) + r")\b")

        assert [] == keys.findall("\n".join(reader.visible[lang]))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_several_seeds_have_intervals(folder, kind) -> None:
    """Emissions and the cost of a year have their interval in the answers; one seed has none."""
    held = answers(read(folder, kind), "en")
    emitted, cost = (" ".join(held[QUESTIONS[key][1]]) for key in ("carbon", "cost"))

    assert re.search(r"g\u00a0CO2e\u00a0±\u00a0[\d.]+ of direct emissions", emitted)
    assert re.search(r"\$[\d,.]+\u00a0±\u00a0[\d.]+ a year", cost)


def test_one_seed_says_that_chance_is_unknown(tmp_path) -> None:
    """A run of one seed has no interval, and its report says so."""
    write(tmp_path / "one.html", "run", [seeded("", seeds=1)])
    held = answers(read(tmp_path, "one"), "fr")

    assert "±" not in "".join(sentence for sentences in held.values() for sentence in sentences)
    assert "Une seule simulation" in held[QUESTIONS["sure"][0]][0]


def test_a_difference_within_the_noise_is_none(tmp_path) -> None:
    """Emissions that differ less than the seeds do are named as showing no difference."""
    noisy = [seeded("round_robin", spread=0.2), seeded("fastest", green=0.99, spread=-0.2)]
    clear = [seeded("round_robin"), seeded("fastest", green=0.5)]
    said = {}
    for name, variants in (("noisy", noisy), ("clear", clear)):
        write(tmp_path / f"{name}.html", "compare", variants)
        said[name] = " ".join(answers(read(tmp_path, name), "en")[COMPARE_CHOICE[1]])

    assert "emits 50%" in said["clear"]
    assert "less per token" not in said["noisy"]
    assert "No measurable difference" in said["noisy"]
    assert "cannot be told apart" in said["noisy"]


def test_the_treasurer_reads_price_payback_and_what_was_paid(folder) -> None:
    """The price, its cost a year and per person, dated offers and sunk money are all there."""
    held = answers(read(folder, "plan"), "fr")
    cost = " ".join(held[QUESTIONS["cost"][0]])
    shown = read(folder, "plan").said("fr")

    assert "après un achat de 5\u00a0000\u00a0$" in cost
    assert "Pour 60 personnes" in cost
    assert "310,00\u00a0$ par an" in cost
    assert "Nuage A, la moins chère" in cost
    assert "ne serait jamais amorti" in cost
    assert "l’achat serait amorti en 3\u00a0mois" in cost
    for words in ("Nuage B", "2,5\u00a0ans", "1 septembre 2026", "Cycle de vie"):
        assert words in shown.replace("1er", "1")


@pytest.mark.parametrize(
    ("value", "half", "shown", "expected"),
    [
        (1.65, 0.082, "format_seconds", "1,65\u00a0s\u00a0±\u00a00,09"),
        (0.99, 0.004, "format_percentage", "99\u00a0%\u00a0±\u00a00,4"),
        (1_470.0, 14.0, "format_energy", "1,47\u00a0kWh\u00a0±\u00a00,02"),
        (12_345.0, 1_234.0, "format_money", "12\u00a0345\u00a0$\u00a0±\u00a01\u00a0200"),
        (2.0, 0.0, "format_seconds", "2\u00a0s"),
    ],
)
def test_an_interval_has_the_decimals_and_the_unit_of_its_mean(
    value, half, shown, expected
) -> None:
    """Half the width is in the unit of the mean, and never narrower than its last decimal."""
    form = getattr(measures.formatting, shown)
    text = measures.format_interval(
        measures.Interval(value, value - half, value + half), form, "fr"
    )

    assert expected == text


@pytest.mark.needs(NEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_phone_shows_all_of_it(folder, kind) -> None:
    """At 390 px nothing is cut, and neither the page nor a table scrolls sideways."""
    cut = """[...document.querySelectorAll("article[lang=LANG] :is(p, td, li, b, h2, h3, .wide)")]
        .filter(part => part.getClientRects().length)
        .filter(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth
                || part.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map(part => part.textContent.slice(0, 60))"""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    held = {}
    address = written(folder, kind).as_uri()
    async with chromium() as browser, visit(browser, address, width=PHONE) as opened:
        page = opened.page
        await page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        for lang in i18n.LANGUAGES:
            await page.evaluate(f"document.querySelector('label[for=to-{lang}]').click()")
            held[lang] = [await page.evaluate(wide), await page.evaluate(cut.replace("LANG", lang))]

    assert {"fr": [0, []], "en": [0, []]} == held


def test_results_without_a_scenario_have_a_report(tmp_path) -> None:
    """A replay's results have neither money nor titles; the other questions are answered."""
    bare: RunResult = result()
    write_report(tmp_path / "bare.html", [bare])
    held = answers(read(tmp_path, "bare"), "en")

    assert "A million tokens produced comes to" in held[QUESTIONS["cost"][1]][0]
