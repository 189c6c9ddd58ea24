"""What a report says of a run is so: its length, its machines, its shares, a file's fault."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.sim.results import result
from tests.sim.test_report_questions import money

from entraide import i18n
from entraide.errors import RequestError
from entraide_sim.building import scenario_reader
from entraide_sim.replay.baseline import DIFFERENT, Baseline, LifeFigures
from entraide_sim.replay.replay_text import refusal_reasons
from entraide_sim.report import ADVICE, ReportContext, write_report
from entraide_sim.report.context import report_input
from entraide_sim.report.day_charts import make_day_chart
from entraide_sim.report.summary_text import fleet_name, share_sentence
from entraide_sim.scenario import Assumption

NAMES = {
    ("en", True): "what you have", ("en", False): "the fleet of the scenario",
    ("fr", True): "ce que vous avez", ("fr", False): "le parc du scénario",
}  # fmt: skip


@pytest.mark.parametrize(("lang", "owned"), NAMES)
def test_machines_to_buy_are_not_what_one_has(lang: str, owned: bool) -> None:
    """A fleet with dedicated machines is the scenario's; one of owned machines is what is there."""
    before = result()
    fleet = tuple(replace(line, owned=owned) for line in before.fleet)
    shown = report_input([replace(before, fleet=fleet), result()], ReportContext(kind=ADVICE))

    assert NAMES[lang, owned] == fleet_name(shown, 0, lang)


def test_a_day_of_six_hours_is_a_mean_over_six_hours(undrawn: Any) -> None:
    """The hour that a last answer takes afterwards is no part of the mean's time."""
    chart = make_day_chart(replace(result(hours=7), demand_h=6.0), "en", mark="0")

    assert chart is not None
    assert "6\xa0hours" in chart.caption
    assert "7\xa0hours" not in chart.caption


def test_nobody_received_a_due_of_nothing() -> None:
    """Where no request was served, no sentence says that each co-op received its due."""
    served = result()
    nothing = replace(served, summary={**served.summary, "completed": 0})

    assert share_sentence(served, "en")
    assert "" == share_sentence(nothing, "en")


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    """A file that begins with one is refused by name, in both languages, not as a bad statement."""
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbfname = 'mine'\n")
    with pytest.raises(RequestError) as refused:
        scenario_reader.load_scenario(str(path))
    problem = refused.value

    assert "byte_order_mark" == problem.values["fault"]
    assert "byte-order mark" in i18n.error(problem.code, "en", problem.values)
    assert "ordre des octets" in i18n.error(problem.code, "fr", problem.values)


def test_less_than_a_day_makes_no_figure_of_a_year(undrawn: Any, tmp_path: Path) -> None:
    """A report of six hours has no amount a year and says why; one of a day has them."""
    pages = {}
    for hours, lang in ((6, "en"), (24, "en"), (6, "fr")):
        path = tmp_path / f"{hours}-{lang}.html"
        year = Assumption("year", "default", {"hours": hours})
        run = replace(result(hours=hours), money=money(1_234.0, price_cad=0.0), assumptions=(year,))
        write_report(path, [run], lang=lang)
        pages[hours, lang] = path.read_text("utf-8")
    short, day = pages[6, "en"], pages[24, "en"]

    for sentence in (
        "The money, in a year",
        "This fleet costs",
        "a year is extrapolated",
        "stand for the whole year",
    ):
        assert (False, True) == (sentence in short, sentence in day), sentence
    assert "There is no figure of a year: the simulation covers 6\xa0hours" in short
    assert "There is no figure of a year" not in day
    assert "Il n’y a aucun chiffre pour un an" in pages[6, "fr"]


def test_how_requests_ended_otherwise_is_said_in_words() -> None:
    """The two ends of a request are words of the reader's language, not English states."""
    life = LifeFigures(*([0] * len(LifeFigures.__struct_fields__)))
    ends = {"completed > open": 1, "engine_failed > completed": 2}
    said = refusal_reasons(Baseline(life, life, DIFFERENT, (), ends), "fr").replace("\u00a0", " ")

    assert said == (
        "une requête a fini autrement (« en cours à la fin » et non « terminée ») ; "
        "2 requêtes ont fini autrement (« terminée » et non « le moteur a échoué »)"
    )
