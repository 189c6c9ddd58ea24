"""Cost validation: checks the prices, tariffs and offers of a scenario."""

from collections.abc import Iterator, Mapping, Sized
from types import MappingProxyType

from msgspec import Struct

from entraide_node.core.owner_terms import parse_hours
from entraide_scheduler.core.policy import AllowedRange
from entraide_sim.money import idle_energy, money
from entraide_sim.money.tariffs import parse_season
from entraide_sim.scenario import CloudOffer, MoneySettings, SubscriptionOffer, TariffPeriod
from entraide_sim.scenario import scenario as s

Path = tuple[str | int, ...]
Values = dict[str, str | int | float]

PRICE_CAD = AllowedRange(0, 1e9)
PEOPLE_MAX = 10_000_000
LIFE_YEARS_MAX = 100
TARIFFS_MAX = 64  # periods of a site, and hours of a period
OFFERS_MAX = 100

COST_RANGES: Mapping[type, Mapping[str, AllowedRange]] = MappingProxyType(
    {
        TariffPeriod: {"cad_per_kwh": AllowedRange(0, 1_000)},
        CloudOffer: {
            "cad_per_1m_input_tokens": PRICE_CAD,
            "cad_per_1m_output_tokens": PRICE_CAD,
        },
        SubscriptionOffer: {"cad_per_person_month": PRICE_CAD},
        MoneySettings: {
            "people": AllowedRange(1, PEOPLE_MAX),
            "discount_rate": AllowedRange(0, 1),
        },
    }
)
GROUP_COST_RANGES: Mapping[str, AllowedRange] = MappingProxyType(
    {
        "price_cad": PRICE_CAD,
        "life_years": AllowedRange(0, LIFE_YEARS_MAX, open_low=True),
        "resale_cad": PRICE_CAD,
        "maintenance_cad_per_year": PRICE_CAD,
        "embodied_kg": AllowedRange(0, 1e6),
    }
)


class ScenarioIssue(Struct, frozen=True):
    """One invalid value of a scenario.

    Attributes:
        path: of the key: names, and array indices from 0.
        code: stable code.
        values: numbers and names of the error message.
    """

    path: Path
    code: str
    values: Values = {}


def find_group_issues(group: s.NodeGroup, path: Path) -> Iterator[ScenarioIssue]:
    """Yields the invalid cost values of a node group whose device is known."""
    if group.on_anyway not in ("", *idle_energy.ON_ANYWAY):
        known = ", ".join(idle_energy.ON_ANYWAY)
        values: Values = {"value": group.on_anyway, "known": known}
        yield ScenarioIssue((*path, "on_anyway"), "unknown_name", values)
    price = money.price_cad(group)
    if price is None and not money.is_owned(group):
        yield ScenarioIssue((*path, "price_cad"), "no_price", {"value": group.device})
    if price is not None and group.resale_cad > price:
        values = {"value": group.resale_cad, "high": price}
        yield ScenarioIssue((*path, "resale_cad"), "most", values)


def find_tariff_issues(site: s.ScenarioSite, path: Path) -> Iterator[ScenarioIssue]:
    """Yields the invalid tariffs of a site."""
    yield from _check_count(site.tariffs, TARIFFS_MAX, (*path, "tariffs"))
    for number, period in enumerate(site.tariffs):
        here = (*path, "tariffs", number)
        yield from _check_count(period.hours, TARIFFS_MAX, (*here, "hours"))
        for index, text in enumerate(period.hours):
            if parse_hours(text) is None:
                yield ScenarioIssue((*here, "hours", index), "no_hours", {"value": text})
        if parse_season(period.season) is None:
            yield ScenarioIssue((*here, "season"), "no_season", {"value": period.season})
    complete = any(not period.hours and not period.season for period in site.tariffs)
    if site.tariffs and site.tariff_cad_per_kwh is None and not complete:
        yield ScenarioIssue((*path, "tariff_cad_per_kwh"), "missing_key")


def find_offer_issues(settings: MoneySettings) -> Iterator[ScenarioIssue]:
    """Yields offers without a name or a source, and names that occur twice."""
    kinds: tuple[tuple[str, tuple[CloudOffer | SubscriptionOffer, ...]], ...] = (
        ("cloud", settings.cloud or ()),
        ("subscriptions", settings.subscriptions or ()),
    )
    for key, offers in kinds:
        names: set[str] = set()
        yield from _check_count(offers, OFFERS_MAX, ("money", key))
        for number, offer in enumerate(offers):
            path = ("money", key, number)
            for field in ("name", "source"):
                if not getattr(offer, field).strip():
                    yield ScenarioIssue((*path, field), "empty")
            if offer.name in names:
                yield ScenarioIssue((*path, "name"), "twice", {"value": offer.name})
            names.add(offer.name)


def _check_count(entries: Sized, most: int, path: Path) -> Iterator[ScenarioIssue]:
    if len(entries) > most:
        yield ScenarioIssue(path, "too_many", {"value": len(entries), "high": most})
