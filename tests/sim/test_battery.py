"""A site's battery: energy conservation, and the order surplus, battery, grid."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.scenarios import small
from tests.sim.support import START, SimulatedWorld, even_arrivals, grid, mixed_arrivals, node

import entraide_sim as sim
from entraide.units import JOULES_PER_WH
from entraide_scheduler.core.events import NodeChanged
from entraide_sim.building import build_world
from entraide_sim.machines import Battery, scale_battery
from entraide_sim.machines.battery import EnergyBalance, SiteSupply
from entraide_sim.runs import Case
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import SiteEnergy

WH = JOULES_PER_WH
HOME = Battery(capacity_j=1_000.0 * WH, power_w=500.0, efficiency=0.8, floor_j=200.0 * WH)


def off(supply: SiteSupply, begun_j: float) -> float:
    """The error of a site's energy balance, joules."""
    sums = supply.balance
    out = used_j(sums) + sums.lost_j + sums.unused_j + supply.held_j - begun_j
    return sums.surplus_j + sums.grid_j - out


def used_j(balance: EnergyBalance) -> float:
    """Energy that the machines used."""
    return balance.own_j + balance.battery_j + balance.grid_j


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0.0, 2_000.0), st.floats(0.0, 2_000.0), st.floats(0.1, 7_200.0)),
        min_size=1,
        max_size=30,
    )
)
def test_nothing_is_made_and_nothing_lost(steps: list[tuple[float, float, float]]) -> None:
    """At every step: surplus + grid = used + lost + unused + change of the charge."""
    supply = SiteSupply(HOME)
    for surplus_w, draw_w, long_s in steps:
        left_s = long_s
        while left_s > 0.0:
            flows = supply.allocate_power(surplus_w, draw_w)
            now_s = min(left_s, supply.time_to_limit_s())
            supply.advance(now_s)
            left_s -= now_s

            assert draw_w == pytest.approx(flows.own_w + flows.battery_w + flows.grid_w)
            assert surplus_w == pytest.approx(flows.own_w + flows.charge_w + flows.unused_w)
            assert abs(off(supply, HOME.floor_j)) < 1e-6 * HOME.capacity_j
            assert HOME.floor_j <= supply.held_j <= HOME.capacity_j
            assert max(flows.battery_w, flows.charge_w) <= HOME.power_w
            assert 0.0 in (flows.battery_w, flows.charge_w)


# Surplus, draw, held: own, battery, grid, charge, away.
CASES = {
    "the machines come first": ((300.0, 300.0, 500.0), (300.0, 0.0, 0.0, 0.0, 0.0)),
    "what they leave charges": ((900.0, 300.0, 500.0), (300.0, 0.0, 0.0, 500.0, 100.0)),
    "a full one takes nothing": ((900.0, 300.0, 1_000.0), (300.0, 0.0, 0.0, 0.0, 600.0)),
    "it gives before the grid": ((100.0, 400.0, 500.0), (100.0, 300.0, 0.0, 0.0, 0.0)),
    "and no more than its power": ((0.0, 900.0, 500.0), (0.0, 500.0, 400.0, 0.0, 0.0)),
    "nothing below its floor": ((0.0, 400.0, 200.0), (0.0, 0.0, 400.0, 0.0, 0.0)),
}


@pytest.mark.parametrize(("given", "wanted"), CASES.values(), ids=CASES)
def test_where_the_watts_go(given: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    """Machines use surplus, then battery, then grid; remaining surplus charges the battery."""
    surplus_w, draw_w, held_wh = given
    supply = SiteSupply(HOME)
    supply.held_j = held_wh * WH
    flows = supply.allocate_power(surplus_w, draw_w)

    assert wanted == (flows.own_w, flows.battery_w, flows.grid_w, flows.charge_w, flows.unused_w)


def test_its_turns_are_foreseen() -> None:
    """The time to full is missing energy over charge power; to empty, energy over discharge."""
    supply = SiteSupply(HOME)
    supply.allocate_power(500.0, 0.0)
    full_s = supply.time_to_limit_s()
    supply.advance(full_s)
    supply.allocate_power(0.0, 250.0)
    empty_s = supply.time_to_limit_s()

    assert (2.0, 3.2) == pytest.approx((full_s / 3_600.0, empty_s / 3_600.0))
    assert inf == SiteSupply(None).time_to_limit_s()


def home(battery: Battery | None, *, until_s: float = 1_800.0) -> sim.SiteSpec:
    """A site with a surplus for half an hour."""
    return sim.SiteSpec("alpha", "home", ((START, 150.0), (START + until_s, 0.0)), battery=battery)


def test_a_world_keeps_its_books_at_every_step() -> None:
    """Engines use the energy of surplus, battery and grid; emissions are those of the grid."""
    battery = Battery(20.0 * WH, 60.0, 0.8, 2.0 * WH)
    steps = 0

    def watch(simulated: SimulatedWorld) -> None:
        nonlocal steps
        steps += 1
        (site,) = [site for site in simulated.world.sites if site.spec is not None]
        site.account_energy(simulated.world.driver.now)
        sums = site.supply.balance
        engines_j = sum(node.engine.total_j for node in site.nodes)
        assert used_j(sums) == pytest.approx(engines_j, rel=1e-9, abs=1e-6)
        assert abs(off(site.supply, battery.floor_j)) < 1.0

    simulated = SimulatedWorld(
        [node("n1", site="home", noise=0.1), node("n2", site="home")],
        mixed_arrivals(0.6, 5_400.0, seed=2),
        sites=[home(battery, until_s=3_600.0)],
        watch=watch,
        progress_s=5.0,
        faults=[sim.Fault(START + 4_000.0, "n2", "vanish")],
    )
    (site,) = [site for site in simulated.world.sites if site.spec is not None]
    sums = site.supply.balance
    hourly = [grid().intensity_at("CA-QC", START + hour * 3_600.0)[0] for hour in range(3)]

    assert steps > 5_000
    assert min(sums.own_j, sums.battery_j, sums.grid_j, sums.lost_j, sums.unused_j) > 0.0
    assert (
        min(hourly)
        <= simulated.records.column("carbon_g").sum() / sums.grid_j * 3.6e6
        <= max(hourly)
    )


def test_nodes_say_when_it_has_something_to_give() -> None:
    """A charged battery counts as surplus up to its power; an empty one does not."""
    battery = Battery(60.0 * WH, 40.0, 0.9, 10.0 * WH)
    simulated = SimulatedWorld(
        [node("n1", site="home")],
        even_arrivals(0.2, 9_000.0, output_tokens=150),
        sites=[home(battery)],
        progress_s=5.0,
    )
    reported = [
        (event.at - START, event.energy.surplus_w)
        for event in simulated.of_kind(NodeChanged)
        if event.energy is not None
    ]
    said = [watts for _, watts in reported]

    assert 190.0 in said
    assert 40.0 in said
    assert 0.0 == said[-1]
    assert said.index(190.0) < said.index(40.0)


def test_a_part_of_a_battery_is_one() -> None:
    """Two halves have the energy and power of the whole."""
    half = scale_battery(HOME, 0.5)

    assert (HOME.capacity_j, HOME.power_w, HOME.floor_j) == (
        2 * half.capacity_j, 2 * half.power_w, 2 * half.floor_j,
    )  # fmt: skip
    assert HOME.efficiency == half.efficiency


PANELS = "solar = { peak_kw = 1.0, latitude = 45.5, longitude = -73.6 }\nown_use_w = 0.0\n"
STORED = "battery = { capacity_kwh = 0.4, power_kw = 0.2 }\n"
TARIFF = "tariff_cad_per_kwh = 0.1\n"


@pytest.mark.parametrize("stored", ["", STORED])
def test_a_scenario_tells_where_its_energy_came_from(stored: str) -> None:
    """The result's line of a site adds up; a battery takes the place of the grid."""
    loaded = small((TARIFF, TARIFF + PANELS + stored), ("hours = 2.0", "hours = 12.0"))
    case = Case(scenario=loaded.scenario, home="", seed=1)
    result, _ = simulate(case, clock=lambda: 0.0)
    (line,) = result.sites
    codes = {
        assumption.code
        for assumption in build_world(loaded.scenario, home=loaded.home, seed=1).assumptions
    }

    assert line.surplus_wh + line.grid_wh == pytest.approx(balanced(line))
    assert line.own_wh > 0.0
    assert (line.battery_wh > 0.0) is bool(stored)
    assert ("battery" in codes) is bool(stored)


def balanced(line: SiteEnergy) -> float:
    """The sum of uses and losses."""
    used_wh = line.own_wh + line.battery_wh + line.grid_wh
    return used_wh + line.lost_wh + line.away_wh + line.held_wh


def test_a_battery_makes_the_grid_emit_less() -> None:
    """After sunset, work at a site emits nothing while its battery lasts."""
    simulated = [
        SimulatedWorld(
            [node("n1", zone="CA-AB", site="home")],
            even_arrivals(0.05, 5_400.0, output_tokens=100),
            sites=[home(battery)],
            grid=grid("CA-AB"),
            progress_s=5.0,
        )
        for battery in (None, Battery(100.0 * WH, 150.0, 0.9, 0.0))
    ]
    grams = [run.records.column("carbon_g") for run in simulated]
    late = [run.records.column("asked_at") > START + 1_900.0 for run in simulated]

    assert grams[0][late[0]].min() > 0.0
    assert grams[1].sum() < 1e-6
