"""Money: what machines and electricity cost.

Input: a scenario's prices and tariffs. Output: costs, and the faults of those settings.

``money`` has purchases and years, ``tariffs`` prices of electricity by hour, ``idle_energy`` what
machines take without work; ``cost_validation`` checks the settings.
"""

from entraide_sim.money import cost_validation, idle_energy, money
from entraide_sim.money.cost_validation import Path, ScenarioIssue, Values
from entraide_sim.money.idle_energy import ALWAYS, IdleTime
from entraide_sim.money.money import YEAR_H, mark_purchases
from entraide_sim.money.tariffs import TARIFF_CAD_PER_KWH, SitePrices

__all__ = [
    "ALWAYS",
    "TARIFF_CAD_PER_KWH",
    "YEAR_H",
    "IdleTime",
    "Path",
    "ScenarioIssue",
    "SitePrices",
    "Values",
    "cost_validation",
    "idle_energy",
    "mark_purchases",
    "money",
]
