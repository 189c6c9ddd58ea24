"""Solar power, catalogue, surplus and owners of a scenario."""

import datetime as dt
from math import asin, degrees
from zoneinfo import ZoneInfo

import pytest
from tests.sim.scenarios import small

from entraide_node.core.owner_terms import OwnerTerms, PresencePolicy, parse_hours
from entraide_sim import catalogue
from entraide_sim.building import build_world
from entraide_sim.catalogue import ModelFootprint
from entraide_sim.fleet import owner_presence
from entraide_sim.grid import solar_power

MONTREAL = {"latitude": 45.5, "longitude": -73.6}
CLOCK = ZoneInfo("America/Toronto")
MONDAY = dt.datetime(2025, 1, 13, tzinfo=CLOCK).timestamp()
HOUR_S = 3_600.0


def noon(month: int, day: int) -> float:
    """Solar noon in Montréal, give or take the equation of time."""
    return dt.datetime(2025, month, day, 16, 54, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("month", "day", "height"), [(6, 21, 67.9), (12, 21, 21.1), (3, 20, 44.5), (9, 22, 44.5)]
)
def test_the_sun_stands_where_it_should_at_noon(month: int, day: int, height: float) -> None:
    """90 degrees less the latitude, plus the declination of the season."""
    _, sine, _, _ = solar_power.clear_sky(noon(month, day), **MONTREAL)

    assert height == pytest.approx(degrees(asin(sine)), abs=0.4)


def test_days_are_long_in_june_and_short_in_december() -> None:
    """Daylight in Montréal: about 15 h 40 and 8 h 40, refraction left out."""
    hours = []
    for month in (6, 12):
        minutes = (noon(month, 21) + 60.0 * minute for minute in range(-720, 720))
        light = [solar_power.clear_sky(moment, **MONTREAL)[0] > 0.0 for moment in minutes]
        hours.append(sum(light) / 60.0)

    assert [15.5, 8.5] == pytest.approx(hours, abs=0.1)


def test_panels_give_what_a_year_in_montreal_gives() -> None:
    """About 1,200 kWh for each kilowatt of panels, and nothing at night."""
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC).timestamp()
    panel = {"peak_kw": 1.0, "tilt_deg": 35.0, "clearness": 0.7, **MONTREAL}
    given = [
        solar_power.panel_power_w(start + (hour + 0.5) * HOUR_S, **panel) for hour in range(8_760)
    ]

    assert 1_212.0 == pytest.approx(sum(given) / 1_000.0, rel=0.01)  # pvlib 0.16 says 1,212
    assert 0.0 == solar_power.panel_power_w(noon(6, 21) + 12 * HOUR_S, **panel)
    assert 1_000.0 >= max(given)


def test_clouds_let_through_what_they_should_on_average() -> None:
    """Random clearness has the given mean, and is the same for the same seed."""
    sky = solar_power.cloud_clearness(20_000, clearness=0.6, seed=1, number=0)

    assert 0.6 == pytest.approx(sum(sky) / len(sky), abs=0.02)
    assert sky == solar_power.cloud_clearness(20_000, clearness=0.6, seed=1, number=0)
    assert sky != solar_power.cloud_clearness(20_000, clearness=0.6, seed=2, number=0)


def test_a_site_shares_its_sun_among_its_owners() -> None:
    """Two co-ops at one site get a surplus each, by the number of their machines."""
    loaded = small(
        ('site = "la-bas"', 'site = "ici"'),
        ("tariff_cad_per_kwh = 0.1",
         "own_use_w = 0.0\nsolar = { peak_kw = 9.0, latitude = 45.5, longitude = -73.6 }"),
    )  # fmt: skip
    built = build_world(loaded.scenario, home=loaded.home, seed=1)
    alpha, beta = built.sites

    assert ["alpha", "beta"] == [alpha.coop, beta.coop]
    assert alpha.surplus_w == beta.surplus_w
    assert any(watts > 500.0 for _, watts in alpha.surplus_w)


def test_every_figure_of_the_catalogue_has_a_source() -> None:
    """Each source code of each device stands in a list of sources."""
    used = {
        code
        for device in catalogue.devices().values()
        for cited in device.sources.values()
        if cited
        for code in cited.split(":")
    }

    assert set() == used - set(catalogue.source_texts())
    assert 34 == len(catalogue.devices())


def test_a_larger_model_is_slower_in_proportion() -> None:
    """Prompts by parameters, answers by the bytes that are read."""
    device = catalogue.devices()["mac-mini-m4"]
    reference, two = (
        catalogue.estimate_rates(device, ModelFootprint()),
        catalogue.estimate_rates(device, ModelFootprint(16.06, 9.84, 9.84)),
    )

    assert 2.0 == pytest.approx(reference.prefill_tokens_per_s / two.prefill_tokens_per_s)
    assert 2.0 == pytest.approx(two.tpot_base_s / reference.tpot_base_s)
    assert 1 / 18.7 == pytest.approx(reference.tpot_base_s + reference.tpot_per_sequence_s)


def visits(**changes: object) -> list[owner_presence.Fault]:
    """The faults of one owner's week."""
    values = {
        "pattern": "office", "start_at": MONDAY, "until": MONDAY + 7 * 24 * HOUR_S,
        "zone": CLOCK, "seed": 1, "number": 0,
        "terms": OwnerTerms(idle_min=0.0, settle_s=0.0), **changes,
    }  # fmt: skip
    terms = values.pop("terms")
    return list(owner_presence.presence_faults("n1", terms, **values))  # type: ignore[arg-type]


def test_an_office_machine_rests_by_day() -> None:
    """It stops near half past eight, gives back half a minute later, and works again at five."""
    first = visits()[:3]
    local = [dt.datetime.fromtimestamp(fault.at, CLOCK).hour for fault in first]

    assert ["refuse", "give_back", "take"] == [fault.kind for fault in first]
    assert "owner_busy" == first[0].reason
    assert 30.0 == first[1].at - first[0].at
    assert 7 <= local[0] <= 9
    assert 16 <= local[2] <= 18


def test_hours_bind_on_the_local_clock() -> None:
    """A machine lent at night works from six in the evening to eight, in local time."""
    hours = (parse_hours("18:00-08:00"),)
    terms = OwnerTerms(hours=hours, present=PresencePolicy.ALL, settle_s=0.0)
    faults = visits(pattern="never", terms=terms)
    local = [dt.datetime.fromtimestamp(fault.at, CLOCK).strftime("%H:%M") for fault in faults]

    assert {("refuse", "08:00"), ("give_back", "08:00"), ("take", "18:00")} == {
        (fault.kind, at) for fault, at in zip(faults, local, strict=True)
    }


def test_nobody_there_and_no_hours_leave_a_machine_alone() -> None:
    """Such an owner causes no faults."""
    assert [] == visits(pattern="never")
