"""Policy variants: the cases of a comparison between policies or fleets.

All variants have the same seeds, so the same demand, clouds and noise: only the decisions differ.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from entraide.decoding import decode_toml
from entraide_scheduler.core.policy import Picker
from entraide_sim.building import LoadedScenario, find_issues, scenario_error
from entraide_sim.runs import Case, with_alternative, with_policy
from entraide_sim.scenario import LABEL_SEPARATOR

PICKERS = tuple(picker.value for picker in Picker)


class PolicyVariant(Struct, frozen=True):
    """A policy to compare: its name and its keys."""

    name: str
    keys: dict[str, Any]


def read_variants(names: Sequence[str]) -> list[PolicyVariant]:
    """Returns policies by picker name, or from TOML files of policy keys.

    Raises:
        RequestError: ``scenario_refused``: unknown picker or file, or invalid TOML.
    """
    variants = []
    for name in names:
        if name in PICKERS:
            variants.append(PolicyVariant(name, {"picker": name, "version": name}))
            continue
        path = Path(name)
        try:
            raw = decode_toml(path.read_text("utf-8"))
        except OSError:
            known = ", ".join(PICKERS)
            raise scenario_error(
                name, 0, "", "no_policy", {"value": name, "known": known}
            ) from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
            raise scenario_error(name, 0, "", "unreadable", {"detail": str(problem)}) from None
        variants.append(PolicyVariant(path.stem, {"version": path.stem, **raw}))
    return variants


def variant_cases(
    loaded: LoadedScenario, policies: Sequence[PolicyVariant], *, seed: int
) -> list[Case]:
    """Returns one case for each policy and each fleet alternative.

    Args:
        loaded: the scenario.
        policies: to compare; empty for the scenario's own.
        seed: of all cases.

    Raises:
        RequestError: ``scenario_refused``: a policy is invalid.
    """
    scenario = loaded.scenario
    titles = {
        alternative.name: alternative.title
        for alternative in scenario.alternatives
        if alternative.title
    }
    fleets = [
        (alternative.name, with_alternative(scenario, alternative.name))
        for alternative in scenario.alternatives
    ] or [("", scenario)]
    cases = []
    for choice in policies or [PolicyVariant("", {})]:
        for fleet, variant in fleets:
            changed = with_policy(variant, choice.keys)
            for fault in find_issues(changed):
                key = ".".join(map(str, fault.path))
                raise scenario_error(choice.name or loaded.path, 0, key, fault.code, fault.values)
            label = LABEL_SEPARATOR.join(part for part in (fleet, choice.name) if part)
            home = str(loaded.home)
            cases.append(Case(scenario=changed, home=home, seed=seed, label=label, names=titles))
    return cases
