"""Fleet: the machines, owners, clients and energy that a scenario names.

Input: a scenario. Output: specifications of nodes and sites, and their series.

``fleet`` makes the nodes, ``model_layout`` their models, ``owner_presence`` their owners' weeks,
``energy_inputs`` their sites' energy, ``client_generator`` the clients; ``display_names`` names
them for people.
"""

from entraide_sim.fleet import (
    client_generator,
    display_names,
    energy_inputs,
    fleet,
    model_layout,
    owner_presence,
)
from entraide_sim.fleet.client_generator import RHYTHM_WEIGHTS
from entraide_sim.fleet.display_names import (
    Titles,
    display_name,
    displayed_values,
    scenario_titles,
    short_device_name,
)
from entraide_sim.fleet.energy_inputs import DRAIN_H
from entraide_sim.fleet.fleet import Machine
from entraide_sim.fleet.owner_presence import MINUTE_S, local_days

__all__ = [
    "DRAIN_H",
    "MINUTE_S",
    "RHYTHM_WEIGHTS",
    "Machine",
    "Titles",
    "client_generator",
    "display_name",
    "display_names",
    "displayed_values",
    "energy_inputs",
    "fleet",
    "local_days",
    "model_layout",
    "owner_presence",
    "scenario_titles",
    "short_device_name",
]
