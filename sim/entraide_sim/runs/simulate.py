"""Simulate: runs one scenario with one seed, and returns its result and its table of jobs.

Also returns variants of a scenario: another policy, fleet or duration. The same ``Case`` gives the
same result, except ``wall_s``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from entraide_scheduler.core.machine import Core
from entraide_sim.building import build_world
from entraide_sim.driver import Driver
from entraide_sim.fleet import model_layout
from entraide_sim.grid import HOUR_S
from entraide_sim.metrics import RunRecorder, build_result
from entraide_sim.scenario import NodeGroup, RunResult, Scenario
from entraide_sim.world import Table, World

PROGRESS_S_MAX = 15.0
PROGRESS_STEPS = 200  # progress reports of a run


class Case(Struct, frozen=True, kw_only=True):
    """A run to make: everything that its result depends on, except the files.

    Attributes:
        scenario: with all changes made, validated.
        home: folder that its files are relative to.
        seed: of all random draws.
        label: name of the run in a comparison.
        names: titles of the label's parts, by language.
    """

    scenario: Scenario
    home: str
    seed: int
    label: str = ""
    names: dict[str, dict[str, str]] = {}


def simulate(
    case: Case,
    *,
    clock: Callable[[], float],
    progress: Callable[[float], None] | None = None,
) -> tuple[RunResult, Table]:
    """Runs a case.

    Args:
        case: to run.
        clock: seconds, for ``wall_s`` alone.
        progress: called with the progress, from 0 to 1.

    Returns:
        The result, and the table of its jobs.

    Raises:
        ValueError: a file of the scenario is invalid.
    """
    began = clock()
    scenario = case.scenario
    parts = build_world(scenario, home=Path(case.home), seed=case.seed)
    recorder = RunRecorder(parts.policy)
    world = World(
        Core(),
        start_at=scenario.start_at,
        policy=parts.policy,
        nodes=[machine.spec for machine in parts.machines],
        grid=parts.grid,
        sites=parts.sites,
        faults=parts.faults,
        seed=case.seed,
        heartbeat_s=scenario.heartbeat_s,
        progress_s=min(PROGRESS_S_MAX, scenario.heartbeat_s / 2.0),
        recorder=recorder,
        catalogue=model_layout.pool_catalogue(scenario),
    )
    if progress is not None:
        _report_progress(world.driver, scenario, progress)
    world.run(parts.requests)
    run_result = build_result(parts, world, recorder, label=case.label, wall_s=clock() - began)
    run_result = msgspec.structs.replace(run_result, names=case.names)
    return run_result, recorder.records.columns()


def _report_progress(driver: Driver, scenario: Scenario, progress: Callable[[float], None]) -> None:
    long_s = scenario.hours * HOUR_S

    def tell(number: int) -> None:
        progress(number / PROGRESS_STEPS)
        if number < PROGRESS_STEPS:
            driver.schedule(
                scenario.start_at + (number + 1) * long_s / PROGRESS_STEPS, tell, number + 1
            )

    driver.schedule(scenario.start_at, tell, 0)


# Changes.


def with_seeds(cases: Sequence[Case], seeds: Sequence[int]) -> list[Case]:
    """Returns each case with each seed: all seeds of the first case, then those of the next."""
    return [msgspec.structs.replace(case, seed=seed) for case in cases for seed in seeds]


def with_policy(scenario: Scenario, keys: Mapping[str, Any]) -> Scenario:
    """Returns the scenario with some keys of its policy set."""
    return msgspec.structs.replace(scenario, policy={**scenario.policy, **keys})


def with_alternative(scenario: Scenario, name: str) -> Scenario:
    """Returns the scenario with one alternative's machines, and no alternatives.

    Raises:
        KeyError: there is no alternative of that name.
    """
    named = {alternative.name: alternative for alternative in scenario.alternatives}
    return msgspec.structs.replace(
        scenario, nodes=scenario.nodes + named[name].nodes, alternatives=()
    )


def with_nodes(scenario: Scenario, nodes: tuple[NodeGroup, ...]) -> Scenario:
    """Returns the scenario with these machines; groups of 0 machines are removed."""
    kept = tuple(group for group in nodes if group.count)
    return msgspec.structs.replace(scenario, nodes=kept, alternatives=())
