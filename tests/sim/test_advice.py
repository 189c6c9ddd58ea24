"""Advice: which changes of a scenario are put forward, and in which words."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.sim.scenarios import small, text

from entraide import i18n
from entraide.cli.app import run_command as entraide
from entraide_sim.advice import question_sensitivity, scenario_advice
from entraide_sim.advice.advice_text import AdviceText
from entraide_sim.advice.scenario_advice import Advice, ChangeEffect
from entraide_sim.advice.scenario_changes import CHANGES_MAX, ScenarioChange, list_changes
from entraide_sim.building import LoadedScenario, load_scenario
from entraide_sim.runs import Case, SeededResult, SweepRunner, combine_seeds
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import RunResult

SHIPPED = ["gpu-ou-minis", "mac-ou-portables", "province", "quartier", "trois-provinces", "verglas"]
LANGUAGES = ["fr", "en"]
SCENARIO = small(("hours = 2.0", "hours = 0.2")).scenario
YEARS = SCENARIO.hours / scenario_advice.YEAR_H


def seeded(
    kept: Sequence[float], *, cad_per_year: float = 100.0, g_per_year: float = 5_000.0
) -> SeededResult:
    """Results with three seeds that keep these parts of the promises."""
    result, _ = simulate(Case(scenario=SCENARIO, home=".", seed=1), clock=lambda: 0.0)
    summary = result.summary | {
        "jobs": 1_000, "completed": 1_000, "carbon_g": g_per_year * YEARS,
        "cost_cad": {"energy": cad_per_year * YEARS, "hardware": 0.0, "per_1m_output_tokens": 1.0},
    }  # fmt: skip
    return combine_seeds([with_kept(result, summary, seed, part) for seed, part in enumerate(kept)])


def with_kept(result: RunResult, summary: dict[str, object], seed: int, part: float) -> RunResult:
    """The result of a seed that keeps a part of the promises."""
    changed = summary | {"slo_attainment": part, "seed": seed}
    return msgspec.structs.replace(result, seed=seed, summary=changed)


def change(name: str, *, price_cad: float = 0.0, code: str = "buy") -> ScenarioChange:
    """A change that buys a machine of the scenario."""
    return ScenarioChange(
        code=code, values={"name": name, "price_cad": price_cad}, scenario=SCENARIO,
        machines=(msgspec.structs.replace(SCENARIO.nodes[0], count=1),), price_cad=price_cad,
    )  # fmt: skip


def advice_on(base: SeededResult, **changed: tuple[float, SeededResult]) -> Advice:
    """The advice if each change, by name, has a price and these results."""
    effects = [
        measured(change(name, price_cad=price_cad), results, base)
        for name, (price_cad, results) in changed.items()
    ]
    return scenario_advice.judge_effects(effects, base)


def measured(of: ScenarioChange, results: SeededResult, base: SeededResult) -> ChangeEffect:
    """The effect of a change that was run with all seeds."""
    return scenario_advice.measure_effect(of, results, base, is_confirmed=True)


def reasons(advice: Advice) -> dict[str, str]:
    """The reason of each change, by its name."""
    return {str(effect.change.values["name"]): effect.reason for effect in advice.effects}


def find_advice(loaded: LoadedScenario, folder: Path) -> Advice:
    """The advice on a scenario, with two seeds."""
    with SweepRunner(keep=folder, at_once=1) as sweep:
        return scenario_advice.find_advice(loaded, seeds=(1, 2), run_all=sweep)


# Which changes are put forward.

MANY_MISSED, FEW_MISSED = (0.70, 0.72, 0.71), (0.97, 0.99, 0.98)


def test_a_purchase_that_is_worse_in_all_is_not_put_forward() -> None:
    """It costs sixteen times as much as buying nothing, emits more and keeps no more promises."""
    worse = seeded(MANY_MISSED, cad_per_year=1_600.0, g_per_year=9_000.0)
    advice = advice_on(seeded(MANY_MISSED), costly=(5_000.0, worse))

    assert {"costly": "no_effect"} == reasons(advice)
    assert () == advice.recommended


def test_a_purchase_that_another_one_beats_is_not_put_forward() -> None:
    """Both keep the promises; one of them costs and emits more."""
    cheap = seeded(FEW_MISSED, cad_per_year=400.0)
    costly = seeded(FEW_MISSED, cad_per_year=1_600.0, g_per_year=9_000.0)
    advice = advice_on(seeded(MANY_MISSED), costly=(5_000.0, costly), cheap=(1_500.0, cheap))
    beaten = advice.effects[1]

    assert {"cheap": "gain", "costly": "dominated"} == reasons(advice)
    assert "buy cheap" == beaten.better


def test_a_gain_that_buying_nothing_beats_is_not_put_forward() -> None:
    """Only the wait is shorter, which no promise asks for; it costs 1,500 dollars a year more."""
    base, costly = seeded(FEW_MISSED), seeded(FEW_MISSED, cad_per_year=1_600.0)
    quick = combine_seeds([with_ttft(result, 0.1) for result in costly.results])
    slow = combine_seeds([with_ttft(result, 2.0) for result in base.results])
    advice = advice_on(slow, quick=(5_000.0, quick))

    assert {"quick": "dominated"} == reasons(advice)
    assert scenario_advice.NOTHING == advice.effects[0].better


def with_ttft(result: RunResult, p95_s: float) -> RunResult:
    """The result with another wait for the first token."""
    summary = result.summary | {"ttft_s": {"p50": p95_s, "p95": p95_s, "p99": p95_s}}
    return msgspec.structs.replace(result, summary=summary)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_gain_within_the_noise_is_none(lang: str) -> None:
    """Two points more in the mean, but the seeds do not agree: nothing is put forward."""
    noisy = seeded((0.62, 0.84, 0.73))
    advice = advice_on(seeded(MANY_MISSED), maybe=(0.0, noisy))
    sentence = AdviceText(advice, lang).effect(advice.effects[0])
    words = {"fr": "aucun effet mesurable sur les délais tenus", "en": "no measurable change of"}

    assert {"maybe": "no_effect"} == reasons(advice)
    assert words[lang] in sentence


def test_a_single_seed_recommends_nothing() -> None:
    """A single seed has no interval, however large the difference."""
    advice = advice_on(seeded((0.5,)), better=(0.0, seeded((0.99,))))

    assert {"better": "no_effect"} == reasons(advice)


def test_new_money_is_not_spent_on_what_is_enough() -> None:
    """Where promises are kept, a purchase that keeps more of them is not put forward."""
    enough, more = (0.960, 0.962, 0.961), (0.990, 0.991, 0.992)
    bought = advice_on(seeded(enough), more=(1_500.0, seeded(more, cad_per_year=400.0)))
    free = advice_on(seeded(enough), more=(0.0, seeded(more)))

    assert bought.is_enough
    assert {"more": "enough"} == reasons(bought)
    assert {"more": "gain"} == reasons(free)


@pytest.mark.parametrize(("cad_per_year", "reason"), [(101.0, "gain"), (900.0, "carbon")])
def test_grams_are_not_bought_at_any_price(cad_per_year: float, reason: str) -> None:
    """A purchase for lower emissions alone costs at most the social cost of what it saves."""
    base = seeded(FEW_MISSED, g_per_year=9e6)
    green = seeded(FEW_MISSED, cad_per_year=cad_per_year, g_per_year=8e6)

    assert {"green": reason} == reasons(advice_on(base, green=(100.0, green)))


def test_a_saving_that_breaks_promises_is_not_put_forward() -> None:
    """A machine less saves money, and the promises are then kept too rarely."""
    fewer = seeded((0.90, 0.91, 0.92), cad_per_year=50.0)

    assert {"fewer": "promises"} == reasons(advice_on(seeded(FEW_MISSED), fewer=(0.0, fewer)))


# Runs.

OVERLOADED = (
    ("hours = 2.0", "hours = 0.3"),
    ("requests_per_client_day = 60.0", "requests_per_client_day = 6000.0"),
    ('count = 2\ncoop = "alpha"', 'count = 1\ncoop = "alpha"'),
    ('count = 2\ncoop = "beta"', 'count = 0\ncoop = "beta"'),
)


@pytest.mark.long
def test_an_overloaded_fleet_is_advised_to_buy(tmp_path: Path) -> None:
    """One Mac mini is too little: something is needed, and a purchase is put forward."""
    advice = find_advice(small(*OVERLOADED), tmp_path)
    bought = [effect for effect in advice.recommended if effect.change.code == "buy"]

    assert not advice.is_enough
    assert bought
    for effect in bought:
        missed = effect.differences["missed_part"]
        assert missed is not None
        assert missed.high < 0.0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_enough_and_buying_nothing_come_first(
    lang: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Two Macs and two cards for ten people need nothing more, and no purchase is put forward."""
    source, out = tmp_path / "small.toml", tmp_path / "out"
    source.write_text(text(("hours = 2.0", "hours = 0.5")))
    if lang != "en":  # a report has both languages
        request.getfixturevalue("undrawn")
    arguments = ["sim", "plan", str(source), "--seeds", "2", "--at-once", "1", "--out", str(out)]
    status = entraide(arguments, lang)
    lines = capsys.readouterr().out.splitlines()
    first = {"fr": "Vous faut-il quelque chose\u00a0? Non.", "en": "Do you need anything? No."}
    nothing = {"fr": "Ne rien acheter", "en": "Buy nothing"}
    written = json.loads((out / "advice.json").read_text())
    purchases = [row for row in written["changes"] if row["code"] == "buy"]

    assert 0 == status
    assert lines[1].startswith(first[lang])
    assert lines[3].startswith(nothing[lang])
    assert written["enough"]
    assert purchases
    assert not any(row["put_forward"] for row in purchases)
    assert {"low", "high", "mean"} == set(purchases[0]["intervals"]["missed_part"])
    span = {"fr": "en 0,5\u00a0heure.", "en": "in 0.5\u00a0hours."}[lang]
    assert lines[3].endswith(span)  # less than a day tells nothing of a year
    assert not re.search("par année|a year", "\n".join(lines))
    assert {None} == {row["cad_per_year"] for row in (written["as_is"], *written["changes"])}
    assert {None} == {row["g_per_year"] for row in (written["as_is"], *written["changes"])}
    assert not any("cad_per_year" in row["intervals"] for row in written["changes"])


# Words.


def test_each_kind_of_change_is_tried() -> None:
    """Buying, lending, waiting and retiring; a smaller model where there are several."""
    provinces, question = (
        {of.code for of in list_changes(load_scenario(name).scenario)}
        for name in ("trois-provinces", "mac-ou-portables")
    )

    assert {"buy", "lend_always", "later", "retire"} == provinces
    assert {"buy", "lend_always", "smaller_model", "retire"} == question


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", SHIPPED)
def test_changes_are_in_words(name: str, lang: str) -> None:
    """No change of a shipped scenario is named by a group's or a model's name."""
    scenario = load_scenario(name).scenario
    changes = list_changes(scenario)
    parts = (*scenario.fleet, *scenario.plan.purchases, *scenario.models)
    codes = {part.name for part in parts} | {f"{group.name}-plus" for group in scenario.fleet}
    advice = titled_advice(load_scenario(name))
    sentences = [AdviceText(advice, lang).change(of) for of in changes]

    assert len(sentences) == len(set(sentences))
    assert len(changes) <= CHANGES_MAX
    for sentence in sentences:
        assert i18n.HOLE not in sentence
        assert not codes & set(re.findall(r"[\w-]+", sentence))


def titled_advice(loaded: LoadedScenario) -> Advice:
    """Advice without effects on the first six minutes of a scenario."""
    short = msgspec.structs.replace(
        loaded.scenario, hours=0.1, faults=type(loaded.scenario.faults)()
    )
    result, _ = simulate(Case(scenario=short, home=str(loaded.home), seed=1), clock=lambda: 0.0)
    return Advice(combine_seeds([result]), True, ())


def test_a_machine_is_a_device_at_a_site() -> None:
    """« un Mac mini M4 (Sherbrooke) », with its price where it is bought."""
    loaded = load_scenario("trois-provinces")
    words = AdviceText(titled_advice(loaded), "fr")
    by_label = {of.label: words.change(of) for of in list_changes(loaded.scenario)}

    assert (
        "Acheter un Mac mini M4 (Sherbrooke) pour 1\u00a0380\u00a0$" == by_label["buy mini-qc-plus"]
    )
    assert "Retirer un Mac mini M4 (L’Imprimerie, Sherbrooke)" == by_label["retire mini-qc"]


# The members' question.


@pytest.mark.long
def test_the_members_question_is_answered_in_three_sentences(tmp_path: Path) -> None:
    """Whether anything is needed, which of the two and why, and how sure that is."""
    loaded = load_scenario("mac-ou-portables")
    morning = msgspec.structs.replace(
        loaded.scenario, start=loaded.scenario.start.replace(hour=14), hours=2.0
    )
    with SweepRunner(keep=tmp_path, at_once=1) as sweep:
        shortened = msgspec.structs.replace(loaded, scenario=morning)
        advice = scenario_advice.find_advice(shortened, seeds=(1, 2), run_all=sweep)
        sensitivity = question_sensitivity(shortened, advice, run_all=sweep)
    assert sensitivity is not None
    french, english = (AdviceText(advice, lang, sensitivity).answer() for lang in LANGUAGES)
    nothing, mac, laptops = (
        "rien",
        *(str(effect.change.values["name"]) for effect in advice.alternatives),
    )

    assert {"mac", "portables"} == {mac, laptops}
    assert nothing not in (mac, laptops)
    assert (3, 3) == (len(french), len(english))
    for sentences, starts in (
        (french, ("Vous faut-il quelque chose", "Lequel", "Est-ce sûr")),
        (english, ("Do you need anything", "Which one", "How sure is that")),
    ):
        for sentence, start in zip(sentences, starts, strict=True):
            assert sentence.startswith(start)
            assert i18n.HOLE not in sentence
    assert {"speed", "demand", "price"} <= {
        row.change.code for row in sensitivity.rows if row.change
    }
    assert re.search("la réponse changerait si|ne change la réponse", french[2])
    assert re.search("the answer would change if|changes the answer", english[2])
    assert "c’est la vitesse qui manque" in french[0]
    assert "what lacks is speed" in english[0]
    assert "par personne" in french[1]
    assert "per person" in english[1]
    assert "Mac Studio M4 Max (Montréal)" in french[1]
    assert "2 MacBook M3 (Montréal)" in french[1]
