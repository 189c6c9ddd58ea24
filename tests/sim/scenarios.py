"""Small scenarios as TOML for tests."""

from pathlib import Path

from entraide_sim.building import LoadedScenario
from entraide_sim.building.scenario_reader import parse_scenario

SMALL = """\
name = "small"
start = 2025-01-14T13:00:00Z
hours = 2.0
heartbeat_s = 30.0

[[coops]]
name = "alpha"

[[coops]]
name = "beta"

[[models]]
name = "petit"
params_b = 3.2
context_tokens = 4096

[[sites]]
name = "ici"
zone = "CA-QC"
tariff_cad_per_kwh = 0.1

[[sites]]
name = "la-bas"
zone = "CA-AB"
tariff_cad_per_kwh = 0.2

[[nodes]]
name = "mini"
device = "mac-mini-m4"
count = 2
coop = "alpha"
site = "ici"

[[nodes]]
name = "carte"
device = "rtx-3060-12"
count = 2
coop = "beta"
site = "la-bas"

[[workloads]]
name = "questions"
clients = 10
requests_per_client_day = 60.0
input_tokens = [20, 400]
output_tokens = [10, 120]
"""


def small(*changes: tuple[str, str], more: str = "", home: Path | None = None) -> LoadedScenario:
    """The small scenario, with some of its text replaced and some added."""
    return parse_scenario(text(*changes, more=more), path="small.toml", home=home or Path())


def text(*changes: tuple[str, str], more: str = "") -> str:
    """The text of it."""
    toml = SMALL
    for old, new in changes:
        assert old in toml, old
        toml = toml.replace(old, new, 1)
    return f"{toml}\n{more}"
