"""Money and its offers against numbers computed by hand, and bad input."""

import datetime as dt
from collections.abc import Callable

import msgspec
import pytest
from tests.cases import all_cases
from tests.sim.money_runs import YEAR_RUNS, footprint_of, lived, mini, yearly_money
from tests.sim.scenarios import small, text

from entraide import i18n
from entraide.errors import RequestError
from entraide_sim import catalogue
from entraide_sim.building import load_scenario
from entraide_sim.building.scenario_reader import parse_scenario
from entraide_sim.files import scenario_toml
from entraide_sim.money import money
from entraide_sim.runs import Case, with_alternative
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import CloudOffer, RunResult, SubscriptionOffer

DAY_H = 24.0

# Capital.


@pytest.mark.parametrize(
    ("price", "resale", "years", "rate", "expected"),
    [
        (5_000.0, 0.0, 5.0, 0.05, 1_154.874),  # 5,000 * 0.2309748
        (10_000.0, 2_000.0, 4.0, 0.10, 2_723.767),  # 10,000 * 0.3154708 - 2,000 * 0.2154708
        (1_000.0, 100.0, 3.0, 0.0, 300.0),  # (1,000 - 100) / 3
        (1_200.0, 1_200.0, 7.0, 0.05, 60.0),  # interest alone
        (900.0, 0.0, 2.5, 1e-12, 360.0),
    ],
)
def test_a_price_is_annualised_by_capital_recovery(
    price: float, resale: float, years: float, rate: float, expected: float
) -> None:
    """Factors A/P and A/F of interest tables, and the limits of no interest and full resale."""
    annual = money.annual_cost_cad(price, resale=resale, life_years=years, rate=rate)

    assert expected == pytest.approx(annual, rel=1e-6)


def test_only_machines_to_buy_cost_new_money() -> None:
    """A dedicated machine is bought; another one is sunk unless it is said to be new."""
    keys = "price_cad = 1000.0\nlife_years = 4.0\nresale_cad = 200.0\nmaintenance_cad_per_year = 30"
    flat = "[money]\ndiscount_rate = 0.0\n"
    sunk = yearly_money(lived(mini(keys), more=flat))
    new = yearly_money(lived(mini(f"{keys}\nowned = false"), more=flat))
    paid = yearly_money(lived(mini(f"{keys}\ndedicated = true\nowned = true"), more=flat))

    cards = catalogue.devices()["rtx-3060-12"].price_cad or 0.0
    assert (0.0, 0.0, 60.0) == (sunk.purchase_price_cad, sunk.capital_cad, sunk.maintenance_cad)
    assert 2 * 200.0 + 2 * cards / 5.0 == pytest.approx(sunk.sunk_capital_cad)
    assert (2_000.0, 400.0, 60.0) == (
        new.purchase_price_cad, new.capital_cad, new.maintenance_cad,
    )  # fmt: skip
    assert 0.0 == paid.capital_cad


def test_what_could_be_bought_is_new() -> None:
    """Machines of ``plan.purchases`` and priced ones of alternatives, wherever they move."""
    entry = 'device = "mac-mini-m4"\ncoop = "alpha"\nsite = "ici"\nprice_cad = 900.0\n'
    loaded = small(
        more='[[alternatives]]\nname = "plus"\n[[alternatives.nodes]]\nname = "un"\n' + entry
        + '[[plan.purchases]]\nname = "deux"\n' + entry
        + '[[plan.purchases]]\nname = "trois"\nowned = true\n' + entry
    )  # fmt: skip
    again = parse_scenario(scenario_toml(loaded.scenario), path="again.toml", home=loaded.home)

    for scenario in (loaded.scenario, again.scenario):
        assert [False, False, True] == [
            money.is_owned(group)
            for group in (*scenario.alternatives[0].nodes, *scenario.plan.purchases)
        ]
        assert all(money.is_owned(group) for group in scenario.nodes)


def test_the_summary_has_the_treasurers_money() -> None:
    """Energy and hardware of a run, times the runs of a year, are the yearly total."""
    result = lived(
        mini("dedicated = true\nprice_cad = 700.0\nmaintenance_cad_per_year = 40.0"),
        more="[money]\npeople = 8\n",
    )
    cost, yearly = result.summary["cost_cad"], yearly_money(result)

    assert yearly.total_cad == pytest.approx((cost["energy"] + cost["hardware"]) * YEAR_RUNS)
    assert yearly.total_cad == pytest.approx(
        yearly.capital_cad + yearly.maintenance_cad + yearly.energy_cad
    )
    assert yearly.total_cad / 8 == pytest.approx(yearly.total_cad_per_person)


# Offers.


def test_offers_are_priced_for_the_same_use() -> None:
    """Tokens of a year at a price per million, and people times twelve months."""
    day = dt.date(2026, 9, 22)
    cloud = CloudOffer(name="nuage", as_of=day, source="liste", cad_per_1m_input_tokens=0.5,
                       cad_per_1m_output_tokens=2.0)  # fmt: skip
    plan = SubscriptionOffer(name="abonnement", as_of=day, source="liste", cad_per_person_month=30)

    assert 3.0 * 0.5 + 0.25 * 2.0 == pytest.approx(money.cloud_cad(cloud, 3e6, 0.25e6))
    assert 60 * 12 * 30.0 == money.subscription_cad(plan, 60)
    assert money.subscription_cad(plan, None) is None


@pytest.mark.parametrize(
    ("price", "running", "offer", "expected"),
    [
        (3_000.0, 100.0, 1_300.0, 2.5),
        (3_000.0, 100.0, 700.0, 5.0),  # as long as the machines live
        (3_000.0, 100.0, 690.0, None),  # 5.08 years
        (3_000.0, 100.0, 100.0, None),
        (3_000.0, 100.0, 20.0, None),
        (0.0, 100.0, 101.0, 0.0),
        (0.0, 100.0, 99.0, None),
    ],
)
def test_payback_is_the_price_over_the_yearly_saving(
    price: float, running: float, offer: float, expected: float | None
) -> None:
    """Machines that wear out before, or save nothing, never pay back."""
    assert expected == money.payback_years(
        price, running_cad=running, offer_cad=offer, life_years=5.0
    )


def test_a_scenario_replaces_the_shipped_offers() -> None:
    """Prices of the scenario count, each with its day and source; an empty list compares none."""
    more = """[money]
people = 10
subscriptions = []
[[money.cloud]]
name = "nuage"
as_of = 2026-09-22
source = "liste de prix"
cad_per_1m_input_tokens = 1.0
cad_per_1m_output_tokens = 4.0
"""
    result, shipped = lived(more=more), lived()
    yearly, usual = yearly_money(result), yearly_money(shipped)

    (offer,) = yearly.cloud
    assert ("nuage", "2026-09-22", "liste de prix", False) == (
        offer.name, offer.as_of, offer.source, offer.shipped,
    )  # fmt: skip
    assert offer.cad_per_year == pytest.approx(
        (yearly.input_tokens_per_year + 4.0 * yearly.output_tokens_per_year) / 1e6
    )
    assert () == yearly.subscriptions
    assert len(catalogue.cloud_offers()) == len(usual.cloud) > 0
    assert {None} == {plan.cad_per_year for plan in usual.subscriptions}
    assert all(offer.source and offer.shipped for offer in usual.cloud)


# Assumptions and bad input.


def test_each_money_input_is_stated_in_both_languages() -> None:
    """Every input has a sentence without holes, and shipped prices have their source."""
    result = lived(
        mini('on_anyway = "present"\nowner = { present = "office" }\nowned = false\nprice_cad = 9'),
        ("tariff_cad_per_kwh = 0.1",
         'tariff_cad_per_kwh = 0.1\ntariffs = [{ cad_per_kwh = 0.2, season = "01-01..02-01" }]'),
        more="[money]\npeople = 3\n",
    )  # fmt: skip
    codes = {assumption.code for assumption in result.assumptions}
    sentences = [
        i18n.text(f"sim-assumption-{assumption.code}", lang, **assumption.values)
        for assumption in result.assumptions
        for lang in ("fr", "en")
    ]

    assert {
        "price", "sunk", "resale", "maintenance", "embodied_left_out", "idle_counted",
        "idle_uncounted", "discount_rate", "people", "cloud_offer", "subscription_offer",
        "exchange_rate", "year", "tariff", "tariff_period",
    } <= codes  # fmt: skip
    assert [] == [
        sentence for sentence in sentences if i18n.HOLE in sentence or sentence.startswith("sim-")
    ]
    assert all(
        assumption.source
        for assumption in result.assumptions
        if assumption.code in ("cloud_offer", "subscription_offer")
    )


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two runs have the same money, footprint and assumptions."""
    first, other = (lived(mini('on_anyway = "present"'), seed=3) for _ in range(2))

    assert msgspec.json.encode(first) == msgspec.json.encode(other)
    assert first == msgspec.json.decode(msgspec.json.encode(first), type=RunResult)


OFFER = '[[money.cloud]]\nname = "n"\nas_of = 2026-01-01\nsource = "s"\n'
TOKENS = "cad_per_1m_input_tokens = 1\ncad_per_1m_output_tokens = 1\n"


def tariff(toml: str) -> Callable[[], str]:
    """The text of the scenario with a tariff at its first site."""
    return lambda: text(
        ("tariff_cad_per_kwh = 0.1", f"tariff_cad_per_kwh = 0.1\ntariffs = [{toml}]")
    )


BAD: dict[str, tuple[Callable[[], str], str, str]] = {
    "resale above the price": (
        lambda: text(mini("price_cad = 100.0\nresale_cad = 101.0")), "most", "nodes.1.resale_cad",
    ),
    "negative resale": (lambda: text(mini("resale_cad = -1.0")), "between", "nodes.1.resale_cad"),
    "negative maintenance": (
        lambda: text(mini("maintenance_cad_per_year = -1.0")), "between",
        "nodes.1.maintenance_cad_per_year",
    ),
    "an endless price": (lambda: text(mini("price_cad = inf")), "between", "nodes.1.price_cad"),
    "a life of 1e300 years": (
        lambda: text(mini("life_years = 1e300")), "between_not_low", "nodes.1.life_years",
    ),
    "negative embodied emissions": (
        lambda: text(mini("embodied_kg = -5.0")), "between", "nodes.1.embodied_kg",
    ),
    "an unknown mode": (
        lambda: text(mini('on_anyway = "sometimes"')), "unknown_name", "nodes.1.on_anyway",
    ),
    "no price of a new machine": (
        lambda: text(('device = "mac-mini-m4"', 'device = "mac-mini-m1"\nowned = false')),
        "no_price", "nodes.1.price_cad",
    ),
    "a rate above 1": (
        lambda: text(more="[money]\ndiscount_rate = 5.0\n"), "between", "money.discount_rate",
    ),
    "a negative rate": (
        lambda: text(more="[money]\ndiscount_rate = -0.1\n"), "between", "money.discount_rate",
    ),
    "nobody": (lambda: text(more="[money]\npeople = 0\n"), "between", "money.people"),
    "half a person": (lambda: text(more="[money]\npeople = 1.5\n"), "wrong_kind", "money.people"),
    "a negative price per token": (
        lambda: text(more=OFFER + TOKENS.replace("1\n", "-1\n", 1)), "between",
        "money.cloud.1.cad_per_1m_input_tokens",
    ),
    "no source": (
        lambda: text(more=OFFER.replace('"s"', '" "') + TOKENS), "empty", "money.cloud.1.source",
    ),
    "no date": (
        lambda: text(more=OFFER.replace("as_of = 2026-01-01\n", "") + TOKENS), "missing_key",
        "money.cloud.1.as_of",
    ),
    "a date that does not exist": (
        lambda: text(more=OFFER.replace("2026-01-01", '"2026-02-30"') + TOKENS), "wrong_kind",
        "money.cloud.1.as_of",
    ),
    "an offer twice": (lambda: text(more=(OFFER + TOKENS) * 2), "twice", "money.cloud.2.name"),
    "a negative tariff": (
        tariff("{ cad_per_kwh = -0.1 }"), "between", "sites.1.tariffs.1.cad_per_kwh",
    ),
    "hours that are none": (
        tariff('{ cad_per_kwh = 0.1, hours = [""] }'), "no_hours", "sites.1.tariffs.1.hours.1",
    ),
    "a season that is none": (
        tariff('{ cad_per_kwh = 0.1, season = "winter" }'), "no_season",
        "sites.1.tariffs.1.season",
    ),
    "too many tariffs": (
        tariff(", ".join(["{ cad_per_kwh = 0.1 }"] * 65)), "too_many", "sites.1.tariffs",
    ),
    "hours without a price": (
        lambda: text(
            ("tariff_cad_per_kwh = 0.1",
             'tariffs = [{ cad_per_kwh = 0.1, hours = ["07:00-11:00"] }]')
        ),
        "missing_key", "sites.1.tariff_cad_per_kwh",
    ),
}  # fmt: skip


@all_cases("case", BAD)
def test_bad_money_is_refused_by_its_key(case: str) -> None:
    """The error names the key and the reason, in a sentence in both languages."""
    toml, fault, key = BAD[case]
    with pytest.raises(RequestError) as caught:
        parse_scenario(toml(), path="bad.toml", home=small().home)
    values = dict(caught.value.values)
    sentences = [i18n.text("error-scenario_refused", lang, **values) for lang in ("fr", "en")]

    assert (fault, key) == (values["fault"], values["key"])
    assert not any(i18n.HOLE in sentence for sentence in sentences)


@pytest.mark.long
@pytest.mark.parametrize(
    ("fleet", "annuity", "idle_w"), [("gpu", 0.05 / (1 - 1.05**-5), 75), ("minis", 0.2820118, 70)]
)
def test_a_shipped_scenario_costs_what_its_page_says(
    fleet: str, annuity: float, idle_w: float
) -> None:
    """5,000 dollars annualised, idle watts for 8,766 hours at 7.8 cents, and the jobs' energy."""
    week = with_alternative(load_scenario("gpu-ou-minis").scenario, fleet)
    scenario = msgspec.structs.replace(week, hours=DAY_H)
    result = simulate(Case(scenario=scenario, home="", seed=1), clock=lambda: 0.0)[0]
    yearly, footprint = yearly_money(result), footprint_of(result)
    job_wh = result.summary["energy_wh"] - footprint.idle_wh
    idle_cad = idle_w * 8_766.0 / 1_000.0 * 0.078
    jobs_cad = job_wh / 1_000.0 * 8_766.0 / DAY_H * 0.078

    assert week.hours == 168.0
    assert idle_w * DAY_H == pytest.approx(footprint.idle_wh)
    assert idle_cad == pytest.approx(yearly.idle_energy_cad)
    assert 5_000.0 * annuity == pytest.approx(yearly.capital_cad, rel=1e-6)
    assert 5_000.0 * annuity + idle_cad + jobs_cad == pytest.approx(yearly.total_cad, rel=1e-6)
    assert [12 * 50 * 25.0 * 1.38, 12 * 50 * 30.0 * 1.38] == pytest.approx(
        [plan.cad_per_year for plan in yearly.subscriptions]
    )
