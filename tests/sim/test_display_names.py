"""Display names: reports call the parts of a scenario as people call them."""

import msgspec
import pytest
from tests.sim.results import result

from entraide_sim.building import load_scenario
from entraide_sim.fleet import display_name, scenario_titles
from entraide_sim.fleet.display_names import PARTS
from entraide_sim.report import formatting
from entraide_sim.scenario import Scenario, ScenarioCoop, ScenarioSite, expand_coops, identifier_of

SHIPPED = ("quartier", "trois-provinces", "verglas", "gpu-ou-minis", "province")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_name_their_parts(name) -> None:
    """Each co-op, site, model and workload of a shipped scenario has a title in each language."""
    scenario = load_scenario(name).scenario
    titles = scenario_titles(scenario)
    missing = [
        (kind, identifier_of(part), lang)
        for kind, field in PARTS.items()
        if kind != "group"  # machines are called by their device and site
        for part in getattr(scenario, field)
        for lang in ("fr", "en")
        if not titles.get(kind, {}).get(identifier_of(part), {}).get(lang)
    ]

    assert [] == missing


def test_a_title_is_one_text_or_one_by_language() -> None:
    """A reader gets the title of the language, else another language's, else the name."""
    scenario = Scenario(
        name="s",
        sites=(ScenarioSite(name="a", title="Gaspé", zone="CA-QC"),),
        coops=(
            ScenarioCoop(coop="b", title={"fr": "La Ferme", "en": "The Farm"}),
            ScenarioCoop(coop="c", title={"fr": "Le Four"}),
            ScenarioCoop(coop="d"),
            ScenarioCoop(coop="e", name="Les Abeilles"),
        ),
    )
    titles = scenario_titles(scenario)

    assert "Gaspé" == display_name(titles, "site", "a", "en")
    assert ["La Ferme", "The Farm"] == [
        display_name(titles, "coop", "b", lang) for lang in ("fr", "en")
    ]
    assert "Le Four" == display_name(titles, "coop", "c", "en")
    assert "d" == display_name(titles, "coop", "d", "fr")
    assert "Les Abeilles" == display_name(titles, "coop", "e", "fr")


def test_identical_coops_are_numbered() -> None:
    """The title of co-ops that share an entry is followed by their number."""
    coop = ScenarioCoop(coop="c", title={"fr": "Membre", "en": "Member"}, count=2)
    titles = scenario_titles(expand_coops(Scenario(name="s", coops=(coop,))))

    assert "Membre 2" == display_name(titles, "coop", "c-002", "fr")


def test_machines_are_called_by_their_device() -> None:
    """A group of machines without a title is called by its device and site."""
    run = result()
    line = msgspec.structs.replace(run.fleet[0], group="mini-qc")
    titled = msgspec.structs.replace(run, titles={"group": {"mini-qc": {"fr": "Le mini du hall"}}})

    shipped = scenario_titles(load_scenario("trois-provinces").scenario)

    assert "Mac mini M4 (GPU à 10 cœurs), Sherbrooke" == display_name(
        shipped, "group", "mini-qc", "fr"
    )
    assert "Mac mini M4, 16 Go" == formatting.machine_name(run, line, "fr")
    assert "Le mini du hall" == formatting.machine_name(titled, line, "fr")
