"""Scenario: what is simulated, and what a simulation results in, as structs.

Input: none. Output: the forms of scenarios, of money's settings and of results.

``scenario`` is the input, with ``money_settings``; ``results`` is the output; ``spreadsheet``
reads an inventory.
"""

from entraide_sim.scenario import scenario
from entraide_sim.scenario.money_settings import (
    DISCOUNT_RATE,
    CloudOffer,
    MoneySettings,
    SubscriptionOffer,
    TariffPeriod,
)
from entraide_sim.scenario.results import (
    LABEL_SEPARATOR,
    PERCENTILES,
    SOURCE_SEPARATOR,
    Assumption,
    ClassLatency,
    CoopShare,
    FaultImpact,
    Footprint,
    GroupUsage,
    Money,
    OfferCost,
    RunResult,
    SiteEnergy,
    ZoneHours,
    version,
)
from entraide_sim.scenario.scenario import (
    FaultSpec,
    NodeGroup,
    OwnerSchedule,
    RestartSpec,
    Scenario,
    ScenarioCoop,
    ScenarioModel,
    ScenarioSite,
    Title,
    Workload,
    expand_coops,
    identifier_of,
)
from entraide_sim.scenario.spreadsheet import SpreadsheetError, read_machines

__all__ = [
    "DISCOUNT_RATE",
    "LABEL_SEPARATOR",
    "PERCENTILES",
    "SOURCE_SEPARATOR",
    "Assumption",
    "ClassLatency",
    "CloudOffer",
    "CoopShare",
    "FaultImpact",
    "FaultSpec",
    "Footprint",
    "GroupUsage",
    "Money",
    "MoneySettings",
    "NodeGroup",
    "OfferCost",
    "OwnerSchedule",
    "RestartSpec",
    "RunResult",
    "Scenario",
    "ScenarioCoop",
    "ScenarioModel",
    "ScenarioSite",
    "SiteEnergy",
    "SpreadsheetError",
    "SubscriptionOffer",
    "TariffPeriod",
    "Title",
    "Workload",
    "ZoneHours",
    "expand_coops",
    "identifier_of",
    "read_machines",
    "scenario",
    "version",
]
