"""Machines: simulated nodes, from their energy to their engines.

Input: specifications of nodes and sites. Output: their state at a time: runs, tokens, joules.

``nodes`` are nodes and sites. ``engine`` runs requests, with ``prefix_cache``; ``hardware`` has
its speeds, ``thermal`` slows it. ``energy`` is its power, ``battery`` a site's.
"""

from entraide_sim.machines import thermal
from entraide_sim.machines.battery import Battery, scale_battery
from entraide_sim.machines.energy import FLAT, J_PER_KWH, LINEAR, SERVER, PowerCurve
from entraide_sim.machines.hardware import Run
from entraide_sim.machines.nodes import Node, NodeSpec, Site, SiteSpec, make_hardware
from entraide_sim.machines.thermal import (
    ThermalModel,
    allowed_power_part,
    fit_thermal_model,
    speed_parts,
)

__all__ = [
    "FLAT",
    "J_PER_KWH",
    "LINEAR",
    "SERVER",
    "Battery",
    "Node",
    "NodeSpec",
    "PowerCurve",
    "Run",
    "Site",
    "SiteSpec",
    "ThermalModel",
    "allowed_power_part",
    "fit_thermal_model",
    "make_hardware",
    "scale_battery",
    "speed_parts",
    "thermal",
]
