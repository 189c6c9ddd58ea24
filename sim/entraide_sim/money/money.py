"""Money: what a fleet costs a year, as a treasurer counts it.

Machines to buy cost their annualised price; machines that are already owned cost nothing new, and
their annualised price is shown as sunk. Maintenance and energy are added for all. Offers of cloud
services and subscriptions are dated inputs, priced for the same use.
"""

from collections.abc import Iterable, Sequence
from math import exp, expm1, fsum, log1p

import msgspec

from entraide_sim import catalogue
from entraide_sim.scenario import (
    DISCOUNT_RATE,
    CloudOffer,
    Money,
    MoneySettings,
    NodeGroup,
    OfferCost,
    Scenario,
    SubscriptionOffer,
)

YEAR_H = 8_766.0
MONTHS = 12
TOKENS_PER_PRICE = 1e6


def is_owned(group: NodeGroup) -> bool:
    """Tells whether a group's machines are already paid for."""
    return not group.dedicated if group.owned is None else group.owned


def price_cad(group: NodeGroup) -> float | None:
    """Returns the price of one machine as new; None if unknown."""
    if group.price_cad is not None:
        return group.price_cad
    device = catalogue.devices().get(group.device)  # a replayed journal may have any device
    return device.price_cad if device is not None else None


def counted_price_cad(group: NodeGroup) -> float | None:
    """Returns the price of one machine that a decision counts: 0 if owned, None if unknown."""
    return 0.0 if is_owned(group) else price_cad(group)


def discount_rate(settings: MoneySettings) -> float:
    """Returns the yearly cost of capital, as a fraction."""
    return DISCOUNT_RATE if settings.discount_rate is None else settings.discount_rate


def annual_cost_cad(price: float, *, resale: float, life_years: float, rate: float) -> float:
    """Returns the equivalent annual cost of a machine, dollars.

    Capital recovery with salvage value, end-of-year payments: ``(P - S / (1 + i)^n) * i /
    (1 - (1 + i)^-n)``; without interest ``(P - S) / n`` (Blank and Tarquin, Engineering Economy,
    chapter 6, annual worth analysis).

    Args:
        price: dollars.
        resale: value at the end of its life, dollars.
        life_years: more than 0.
        rate: yearly discount rate, as a fraction.
    """
    if rate == 0.0:
        return (price - resale) / life_years
    present = exp(-life_years * log1p(rate))  # of a dollar at the end of the life
    return (price - resale * present) * rate / -expm1(-life_years * log1p(rate))


def machine_cad_per_year(group: NodeGroup, settings: MoneySettings) -> float:
    """Returns what one machine costs a year beside energy: capital if new, and maintenance."""
    capital = 0.0 if is_owned(group) else _capital_cad(group, settings)
    return capital + group.maintenance_cad_per_year


def payback_years(
    price: float, *, running_cad: float, offer_cad: float, life_years: float
) -> float | None:
    """Returns the simple payback time of machines against an offer.

    The price over what a year saves: the offer's cost less the machines' energy and maintenance.
    None if nothing is saved, or if the machines reach the end of their lives before.

    Args:
        price: of all machines to buy, dollars; 0 pays back at once.
        running_cad: energy and maintenance, dollars a year.
        offer_cad: dollars a year.
        life_years: of the machine that lives longest.
    """
    saved_cad = offer_cad - running_cad
    if saved_cad <= 0.0:
        return None
    years = price / saved_cad
    return years if price == 0.0 or years <= life_years else None


def yearly_money(
    scenario: Scenario,
    *,
    energy_cad: float,
    idle_energy_cad: float,
    input_tokens: int,
    output_tokens: int,
) -> Money:
    """Returns the yearly cost of a run's fleet.

    Args:
        scenario: whose ``fleet`` ran for its ``hours``.
        energy_cad: cost of the run's energy.
        idle_energy_cad: its part for idle machines.
        input_tokens: of the run's completed jobs.
        output_tokens: likewise.
    """
    settings, runs_per_year = scenario.money, YEAR_H / scenario.hours
    new = [group for group in scenario.fleet if not is_owned(group)]
    owned = [group for group in scenario.fleet if is_owned(group)]
    purchase = fsum((price_cad(group) or 0.0) * group.count for group in new)
    capital = fsum(_capital_cad(group, settings) * group.count for group in new)
    maintenance = fsum(group.maintenance_cad_per_year * group.count for group in scenario.fleet)
    energy = energy_cad * runs_per_year
    total = capital + maintenance + energy
    life_years = max((group.life_years for group in new if group.count), default=0.0)

    def cost(offer: CloudOffer | SubscriptionOffer, cad: float | None, shipped: bool) -> OfferCost:
        back = None
        if cad is not None:
            back = payback_years(
                purchase, running_cad=maintenance + energy, offer_cad=cad, life_years=life_years
            )
        as_of = offer.as_of.isoformat()
        return OfferCost(offer.name, as_of, offer.source, cad, back, shipped)

    tokens = (input_tokens * runs_per_year, output_tokens * runs_per_year)
    return Money(
        purchase_price_cad=purchase,
        capital_cad=capital,
        sunk_capital_cad=fsum(_capital_cad(group, settings) * group.count for group in owned),
        maintenance_cad=maintenance,
        energy_cad=energy,
        idle_energy_cad=idle_energy_cad * runs_per_year,
        total_cad=total,
        people=settings.people,
        total_cad_per_person=None if settings.people is None else total / settings.people,
        discount_rate=discount_rate(settings),
        input_tokens_per_year=tokens[0],
        output_tokens_per_year=tokens[1],
        cloud=tuple(
            cost(offer, cloud_cad(offer, *tokens), settings.cloud is None)
            for offer in cloud_offers(settings)
        ),
        subscriptions=tuple(
            cost(offer, subscription_cad(offer, settings.people), settings.subscriptions is None)
            for offer in subscription_offers(settings)
        ),
    )


def mark_purchases(scenario: Scenario) -> Scenario:
    """Returns the scenario with ``owned`` set for machines that could be bought.

    Those are the machines of ``plan.purchases``, and an alternative's machines with a price. The
    mark stays with a group when it becomes part of ``nodes``.
    """
    replace = msgspec.structs.replace

    def as_new(group: NodeGroup) -> NodeGroup:
        return replace(group, owned=False) if group.owned is None else group

    alternatives = tuple(
        replace(
            alternative,
            nodes=tuple(
                as_new(group) if group.price_cad is not None else group
                for group in alternative.nodes
            ),
        )
        for alternative in scenario.alternatives
    )
    plan = replace(
        scenario.plan, purchases=tuple(as_new(group) for group in scenario.plan.purchases)
    )
    return replace(scenario, alternatives=alternatives, plan=plan)


def hardware_cad(groups: Iterable[NodeGroup], settings: MoneySettings, *, hours: float) -> float:
    """Returns what machines cost beside energy for some hours: capital if new, maintenance."""
    return fsum(
        machine_cad_per_year(group, settings) * group.count * hours / YEAR_H for group in groups
    )


def cloud_offers(settings: MoneySettings) -> Sequence[CloudOffer]:
    """Returns the scenario's cloud offers, else the shipped ones."""
    return catalogue.cloud_offers() if settings.cloud is None else settings.cloud


def subscription_offers(settings: MoneySettings) -> Sequence[SubscriptionOffer]:
    """Returns the scenario's subscriptions, else the shipped ones."""
    shipped = settings.subscriptions is None
    return catalogue.subscription_offers() if shipped else settings.subscriptions or ()


def cloud_cad(offer: CloudOffer, input_tokens: float, output_tokens: float) -> float:
    """Returns what a cloud offer asks for some tokens."""
    cad = input_tokens * offer.cad_per_1m_input_tokens
    cad += output_tokens * offer.cad_per_1m_output_tokens
    return cad / TOKENS_PER_PRICE


def subscription_cad(offer: SubscriptionOffer, people: int | None) -> float | None:
    """Returns what a subscription asks a year for some people; None if their number is unknown."""
    return None if people is None else offer.cad_per_person_month * MONTHS * people


def _capital_cad(group: NodeGroup, settings: MoneySettings) -> float:
    """Returns the annualised price of one machine; 0 if the price is unknown."""
    price = price_cad(group)
    if price is None:
        return 0.0
    return annual_cost_cad(
        price,
        resale=group.resale_cad,
        life_years=group.life_years,
        rate=discount_rate(settings),
    )
