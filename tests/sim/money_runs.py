"""Runs of the small scenario for the tests of money and idle energy."""

from tests.sim.scenarios import small

from entraide_sim.runs import Case
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import Footprint, Money, RunResult

YEAR_RUNS = 8_766.0 / 2.0  # runs of the small scenario in a year


def lived(*changes: tuple[str, str], more: str = "", seed: int = 1) -> RunResult:
    """The small scenario's result: 13 to 15 h UTC on a Tuesday, 8 to 10 h in Toronto."""
    loaded = small(*changes, more=more)
    return simulate(Case(scenario=loaded.scenario, home="", seed=seed), clock=lambda: 0.0)[0]


def mini(keys: str) -> tuple[str, str]:
    """The change that gives the two Mac minis (4 W idle) further keys."""
    return ('device = "mac-mini-m4"', f'device = "mac-mini-m4"\n{keys}')


def dear_hours(hours: str) -> tuple[str, str]:
    """The change that makes some hours at the Mac minis' site cost 40 cents."""
    plain = "tariff_cad_per_kwh = 0.1"
    return plain, f'{plain}\ntariffs = [{{ cad_per_kwh = 0.4, hours = ["{hours}"] }}]'


def yearly_money(result: RunResult) -> Money:
    """The yearly money of a run."""
    assert result.money is not None
    return result.money


def footprint_of(result: RunResult) -> Footprint:
    """The footprint of a run."""
    assert result.footprint is not None
    return result.footprint
