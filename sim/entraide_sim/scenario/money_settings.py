"""Money settings: the keys of a scenario's ``[money]`` table and of a site's ``tariffs``.

Prices of cloud services and subscriptions are dated inputs. The shipped ones are list prices in US
dollars, each with its source (``catalogue/offers.csv``); a scenario replaces them by its own.
"""

import datetime as dt

from msgspec import Struct

DISCOUNT_RATE = 0.05  # assumption: about the prime rate of Canadian banks in 2025


class TariffPeriod(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price of electricity at some hours of some part of the year.

    Attributes:
        cad_per_kwh: price of a kilowatt-hour.
        hours: local hours (``mo-fr 07:00-11:00``); empty for all hours.
        season: first and last day (``11-01..04-30``), both included; "" for the whole year.
    """

    cad_per_kwh: float
    hours: tuple[str, ...] = ()
    season: str = ""


class CloudOffer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cloud service's price per token.

    Attributes:
        name: of the service and its model.
        as_of: day of the price.
        source: where the price stands.
        cad_per_1m_input_tokens, cad_per_1m_output_tokens: dollars per million tokens.
    """

    name: str
    as_of: dt.date
    source: str
    cad_per_1m_input_tokens: float
    cad_per_1m_output_tokens: float


class SubscriptionOffer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subscription's price per person; ``name``, ``as_of`` and ``source`` as of a cloud offer.

    Attributes:
        cad_per_person_month: dollars a month for each person.
    """

    name: str
    as_of: dt.date
    source: str
    cad_per_person_month: float


class MoneySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a treasurer adds to a scenario.

    Attributes:
        people: whom the pool serves; None if unknown.
        discount_rate: yearly cost of capital, as a fraction; None for ``DISCOUNT_RATE``.
        cloud, subscriptions: offers to compare with; None for the shipped ones.
    """

    people: int | None = None
    discount_rate: float | None = None
    cloud: tuple[CloudOffer, ...] | None = None
    subscriptions: tuple[SubscriptionOffer, ...] | None = None
