"""Tariffs, idle energy and life-cycle emissions against numbers computed by hand."""

import datetime as dt
from math import inf
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.sim.money_runs import YEAR_RUNS, dear_hours, footprint_of, lived, mini, yearly_money
from tests.sim.scenarios import small

from entraide.types import Basis, Rates
from entraide_sim import catalogue
from entraide_sim.machines import Run
from entraide_sim.machines.engine import Engine
from entraide_sim.machines.hardware import EngineParameters
from entraide_sim.money import SitePrices, idle_energy, tariffs
from entraide_sim.planning.fleet_planner import _fixed_cost_cad
from entraide_sim.runs import Case
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import ScenarioSite, TariffPeriod

TORONTO = ZoneInfo("America/Toronto")
HOUR_S = 3_600.0

# Ontario's time-of-use prices from 1 November 2025 (Ontario Energy Board).
ONTARIO = (
    TariffPeriod(season="11-01..04-30", cad_per_kwh=0.203,
                 hours=("mo-fr 07:00-11:00", "mo-fr 17:00-19:00")),
    TariffPeriod(season="11-01..04-30", cad_per_kwh=0.157, hours=("mo-fr 11:00-17:00",)),
    TariffPeriod(season="05-01..10-31", cad_per_kwh=0.203, hours=("mo-fr 11:00-17:00",)),
    TariffPeriod(season="05-01..10-31", cad_per_kwh=0.157,
                 hours=("mo-fr 07:00-11:00", "mo-fr 17:00-19:00")),
)  # fmt: skip


# Tariffs.


def prices(start: dt.datetime, hours: int, *periods: TariffPeriod) -> SitePrices:
    """The prices of a site whose other hours cost 9.8 cents."""
    site = ScenarioSite(name="ici", zone="CA-ON", tariff_cad_per_kwh=0.098, tariffs=periods)
    at = start.timestamp()
    return SitePrices(site, begin_at=at, end_at=at + hours * HOUR_S, zone=TORONTO)


@pytest.mark.parametrize(
    ("month", "day", "expected"),
    [
        (1, 13, [0.098] * 7 + [0.203] * 4 + [0.157] * 6 + [0.203] * 2 + [0.098] * 5),  # a Monday
        (1, 12, [0.098] * 24),  # a Sunday
        (7, 14, [0.098] * 7 + [0.157] * 4 + [0.203] * 6 + [0.157] * 2 + [0.098] * 5),
    ],
)
def test_a_day_costs_what_its_hours_cost(month: int, day: int, expected: list[float]) -> None:
    """Ontario's winter weekday, weekend and summer weekday, hour by hour."""
    start = dt.datetime(2025, month, day, tzinfo=TORONTO)
    of_day = prices(start, 24, *ONTARIO)
    begin = start.timestamp() + np.arange(24) * HOUR_S

    assert expected == pytest.approx(of_day.mean_cad_per_kwh(begin, begin + HOUR_S).tolist())
    whole = ((start.timestamp(), start.timestamp() + 24 * HOUR_S),)
    assert 0.1 * sum(expected) == pytest.approx(of_day.power_cost_cad(100.0, whole))


def test_a_price_changes_within_an_hour_and_with_the_season() -> None:
    """Half an hour at each price; the last day of a season belongs to it; days of 23 hours."""
    start = dt.datetime(2025, 3, 9, tzinfo=TORONTO)  # clocks go forward at 2 h
    spring = prices(start, 72, TariffPeriod(cad_per_kwh=0.3, hours=("07:30-08:30",)))
    seven = dt.datetime(2025, 3, 9, 7, tzinfo=TORONTO).timestamp()
    season = TariffPeriod(cad_per_kwh=0.5, season="11-01..04-30")
    april = dt.datetime(2025, 4, 30, tzinfo=TORONTO)
    edge = april.timestamp() + 24 * HOUR_S
    turn = prices(april, 48, season)

    assert [(0.3 + 0.098) / 2] == pytest.approx(
        spring.mean_cad_per_kwh(np.array([seven]), np.array([seven + HOUR_S])).tolist()
    )
    assert [0.5, 0.098] == pytest.approx(
        turn.mean_cad_per_kwh(
            np.array([edge - HOUR_S, edge]), np.array([edge, edge + HOUR_S])
        ).tolist()
    )
    assert tariffs.parse_season("13-01..02-01") is None
    assert tariffs.parse_season("05-01..02-30") is None
    assert tariffs.parse_season("mai..juin") is None


def test_energy_is_charged_at_the_price_of_its_hour() -> None:
    """Runs and idle machines from 8 to 10 h cost the price of that time, not of other hours."""
    dear = dear_hours("mo-fr 08:00-11:00")
    night = dear_hours("mo-fr 20:00-22:00")
    half = dear_hours("mo-fr 09:00-11:00")
    own = mini("dedicated = true\nprice_cad = 0.0")
    plain, at_peak, off_peak, mixed = (
        lived(own, *change) for change in ((), (dear,), (night,), (half,))
    )
    costs = [result.summary["cost_cad"]["energy"] for result in (plain, at_peak, off_peak, mixed)]
    (here,) = (zone for zone in plain.zones if zone.zone == "CA-QC")
    here_wh = sum(here.energy_wh)

    assert costs[0] == pytest.approx(costs[2])
    assert here_wh / 1_000.0 * 0.3 == pytest.approx(costs[1] - costs[0])
    assert costs[0] < costs[3] < costs[1]
    idle_cad = 2 * 4.0 / 1_000.0 * (0.1 + 0.4) * YEAR_RUNS  # machines, watts, an hour each
    assert idle_cad == pytest.approx(yearly_money(mixed).idle_energy_cad)


# Idle energy.


def test_a_machine_that_is_on_anyway_idles_for_its_owner() -> None:
    """Nothing is counted, and the amount that is not counted is stated."""
    result = lived()
    stated = {
        assumption.values["machines"]: assumption.values["uncounted_wh"]
        for assumption in result.assumptions
        if assumption.code == "idle_uncounted"
    }
    footprint = footprint_of(result)

    assert 0.0 == footprint.idle_wh == result.summary["idle_wh"]
    cards = 2 * catalogue.devices()["rtx-3060-12"].idle_w * 2.0
    assert {"mini": 2 * 4.0 * 2.0, "carte": cards} == pytest.approx(stated)
    assert sum(stated.values()) == pytest.approx(footprint.uncounted_idle_wh)


def test_a_machine_of_the_pool_idles_in_its_lent_hours() -> None:
    """From 9 h on of 8 to 10 h: one hour for each machine, in energy, grams and dollars."""
    result = lived(mini('on_anyway = "never"\nhours = ["09:00-20:00"]'))
    plain = lived(mini('hours = ["09:00-20:00"]'))
    footprint = footprint_of(result)

    assert 2 * 4.0 == pytest.approx(footprint.idle_wh)
    assert footprint.idle_wh == pytest.approx(
        result.summary["energy_wh"] - plain.summary["energy_wh"]
    )
    (here,) = (zone for zone in result.zones if zone.zone == "CA-QC")
    assert 8.0 * here.intensity_g_per_kwh[1] / 1_000.0 == pytest.approx(footprint.idle_carbon_g)
    assert footprint.idle_carbon_g == pytest.approx(
        result.summary["carbon_g"] - plain.summary["carbon_g"]
    )


def test_a_machine_idles_for_the_pool_while_its_owner_is_away() -> None:
    """Counted and not counted time add up to the lent time, and follow the drawn visit."""
    result = lived(mini('on_anyway = "present"\nowner = { present = "office" }'), seed=4)
    footprint = footprint_of(result)

    cards = 2 * catalogue.devices()["rtx-3060-12"].idle_w * 2.0
    minis_wh = footprint.uncounted_idle_wh - cards
    assert 2 * 4.0 * 2.0 == pytest.approx(footprint.idle_wh + minis_wh)
    assert 0.0 < footprint.idle_wh < 16.0  # owners come at about 8:30


def test_a_sleeping_machine_draws_nothing() -> None:
    """It is asleep before its first run, and from ``sleep_after_s`` after its last run on."""
    rates = Rates(1_000.0, 0.1, 0.0, Basis.MEASURED)
    hardware = EngineParameters(
        rates=rates, slots=1, pool_tokens=10_000, decode_j=(0.0, 1.0), wake_s=5.0, wake_j=10.0,
        sleep_after_s=60.0, chunk_tokens=512, prefill_j=0.0,
    )  # fmt: skip
    engine = Engine(hardware, at=0.0)
    engine.add_run(Run("j", 1, 100, 0, 10, 10, 100.0), 100.0, 0.0)
    while engine.next_at < inf:
        ended_at = engine.next_at
        engine.account_energy(ended_at, 0.0)
        engine.advance(ended_at)
    slept = lived(mini("dedicated = true\nprice_cad = 1.0\nwake_s = 0.5\nsleep_after_s = 60.0"))

    assert 105.0 < ended_at < 110.0
    assert ((0.0, 100.0),) == engine.sleep_spans(ended_at + 59.0)
    assert ((0.0, 100.0), (ended_at + 60.0, ended_at + 200.0)) == engine.sleep_spans(
        ended_at + 200.0
    )
    assert 0.0 < footprint_of(slept).idle_wh < 2 * 4.0 * 2.0


def test_the_bound_of_a_plan_is_what_a_machine_costs_without_a_job() -> None:
    """A fleet of the same machines costs at least as much, in each mode and at each tariff."""
    tariff = dear_hours("mo-fr 09:00-11:00")
    for keys in (
        "dedicated = true\nprice_cad = 400.0\nmaintenance_cad_per_year = 9.0",
        'on_anyway = "present"\nowner = { present = "office" }',
        "dedicated = true\nwake_s = 5.0\nsleep_after_s = 60.0",
        'dedicated = true\nhours = ["09:00-10:00"]',
    ):
        loaded = small(mini(keys), tariff)
        result = simulate(Case(scenario=loaded.scenario, home="", seed=1), clock=lambda: 0.0)[0]
        cost = result.summary["cost_cad"]
        least = sum(
            group.count * _fixed_cost_cad(loaded.scenario, group) for group in loaded.scenario.nodes
        )

        assert least <= cost["energy"] + cost["hardware"], keys


def test_a_spreadsheet_says_which_machines_are_on_anyway(tmp_path: Path) -> None:
    """The keys of money and idle energy are columns; decimal commas and empty cells are read."""
    rows = (
        "name;device;coop;site;on_anyway;owned;resale_cad;maintenance_cad_per_year\n"
        "accueil;mac-mini-m4;alpha;ici;present;oui;150,5;\n"
        "cave;mac-mini-m4;alpha;ici;never;non;;40\n"
    )
    (tmp_path / "parc.csv").write_text(rows, "utf-8")
    loaded = small(('name = "small"', 'name = "small"\nmachines = "parc.csv"'), home=tmp_path)
    first, second = loaded.scenario.nodes[-2:]

    assert ("present", True, 150.5, 0.0) == (
        first.on_anyway, first.owned, first.resale_cad, first.maintenance_cad_per_year,
    )  # fmt: skip
    assert ("never", False, 0.0, 40.0) == (
        second.on_anyway, second.owned, second.resale_cad, second.maintenance_cad_per_year,
    )  # fmt: skip


# Emissions of a life cycle.


def test_lifecycle_emissions_stand_beside_direct_ones() -> None:
    """The grid's life-cycle intensity, and the manufacture of machines to buy over their lives."""
    plain = lived()
    made = footprint_of(
        lived(mini("owned = false\nprice_cad = 1.0\nembodied_kg = 100.0\nlife_years = 4.0"))
    )
    before = footprint_of(plain)

    assert 2 * 100_000.0 / 4.0 * 2.0 / 8_766.0 == pytest.approx(made.embodied_g)
    assert made.embodied_g == pytest.approx(made.carbon_lifecycle_g - before.carbon_lifecycle_g)
    offsets = {
        zone: average.lifecycle_g_per_kwh - average.direct_g_per_kwh
        for zone, average in catalogue.zone_averages().items()
    }
    more_g = sum(sum(zone.energy_wh) / 1_000.0 * offsets[zone.zone] for zone in plain.zones)
    assert more_g == pytest.approx(before.carbon_lifecycle_g - plain.summary["carbon_g"], rel=1e-3)
    assert (0, 0) == (made.embodied_unknown, before.embodied_unknown)


def test_idle_modes_are_those_of_the_documentation() -> None:
    """A dedicated machine is on for the pool, another one anyway."""
    own, card = small(mini("dedicated = true\nprice_cad = 1.0")).scenario.nodes

    assert ("never", "always") == (idle_energy.on_anyway(own), idle_energy.on_anyway(card))
