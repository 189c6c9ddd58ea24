"""Building: from the file of a scenario to a world.

Input: TOML. Output: a checked scenario, and the parts of its world.

``scenario_reader`` reads, ``scenario_validation`` finds all faults, ``world_builder`` builds.
"""

from entraide_sim.building.scenario_reader import (
    LoadedScenario,
    check_files,
    load_scenario,
    scenario_error,
)
from entraide_sim.building.scenario_validation import find_issues
from entraide_sim.building.world_builder import FAULT_KINDS, WorldParts, build_world

__all__ = [
    "FAULT_KINDS",
    "LoadedScenario",
    "WorldParts",
    "build_world",
    "check_files",
    "find_issues",
    "load_scenario",
    "scenario_error",
]
