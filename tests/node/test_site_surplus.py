"""The surplus of a site for several combinations of meters."""

from tests.cases import all_cases

from entraide.types import Basis
from entraide_node.core.site_surplus import SiteReadings, Surplus, compute_surplus

MEASURED, DECLARED = Basis.MEASURED, Basis.DECLARED

CASES = {
    "nothing is known": (SiteReadings(), 0.0, None),
    "generation alone tells no surplus": (SiteReadings(generation_w=500.0), 0.0, None),
    "use alone tells no surplus": (SiteReadings(use_w=500.0), 0.0, None),
    "what is left of the generation": (
        SiteReadings(generation_w=900.0, use_w=300.0),
        0.0,
        Surplus(600.0, MEASURED),
    ),
    "more use than generation": (
        SiteReadings(generation_w=200.0, use_w=300.0),
        0.0,
        Surplus(0.0, MEASURED),
    ),
    "our own work is in the use, and is added back": (
        SiteReadings(generation_w=900.0, use_w=340.0),
        40.0,
        Surplus(600.0, MEASURED),
    ),
    "a declared use knows nothing of our work": (
        SiteReadings(generation_w=900.0, use_w=300.0, use_basis=DECLARED),
        40.0,
        Surplus(600.0, DECLARED),
    ),
    "what is fed into the grid": (SiteReadings(grid_w=-250.0), 0.0, Surplus(250.0, MEASURED)),
    "what is drawn from the grid": (SiteReadings(grid_w=250.0), 0.0, Surplus(0.0, MEASURED)),
    "our own work draws a little from the grid": (
        SiteReadings(grid_w=15.0),
        40.0,
        Surplus(25.0, MEASURED),
    ),
    "the surplus itself": (SiteReadings(surplus_w=120.0), 40.0, Surplus(120.0, MEASURED)),
    "a negative surplus is none": (SiteReadings(surplus_w=-5.0), 0.0, Surplus(0.0, MEASURED)),
    "a battery that charges comes first": (
        SiteReadings(generation_w=900.0, use_w=300.0, battery_w=500.0),
        0.0,
        Surplus(100.0, MEASURED),
    ),
    "a battery that holds enough does not": (
        SiteReadings(generation_w=900.0, use_w=300.0, battery_w=500.0, battery_percent=95.0),
        0.0,
        Surplus(600.0, MEASURED),
    ),
    "the same, seen from the grid": (
        SiteReadings(grid_w=-100.0, battery_w=500.0, battery_percent=95.0),
        0.0,
        Surplus(600.0, MEASURED),
    ),
    "feeding in while the battery charges": (
        SiteReadings(grid_w=-100.0, battery_w=500.0),
        0.0,
        Surplus(100.0, MEASURED),
    ),
    "a battery that gives is no surplus": (
        SiteReadings(grid_w=0.0, battery_w=-400.0, battery_percent=80.0),
        0.0,
        Surplus(0.0, MEASURED),
    ),
    "a battery that may give counts while it is above its floor": (
        SiteReadings(grid_w=0.0, battery_w=-400.0, battery_percent=80.0, battery_gives_w=900.0),
        40.0,
        Surplus(540.0, MEASURED),
    ),
    "at its floor it gives nothing": (
        SiteReadings(generation_w=100.0, use_w=40.0, battery_percent=20.0, battery_gives_w=900.0),
        0.0,
        Surplus(60.0, MEASURED),
    ),
    "nor does one whose charge is not known": (
        SiteReadings(generation_w=100.0, use_w=40.0, battery_gives_w=900.0),
        0.0,
        Surplus(60.0, MEASURED),
    ),
    "generation and use go before the grid": (
        SiteReadings(generation_w=900.0, use_w=300.0, grid_w=50.0),
        0.0,
        Surplus(600.0, MEASURED),
    ),
}


@all_cases("name", CASES)
def test_surplus(name: str) -> None:
    """The surplus is the load that could be added without the grid."""
    readings, added_w, expected = CASES[name]

    assert expected == compute_surplus(readings, added_w=added_w)
