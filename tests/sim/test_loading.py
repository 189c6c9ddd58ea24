"""Machines that load models on command, with the pool's own core."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sim.support import START, card, grid, node, policy

import entraide_sim as sim
from entraide.types import JobState, Loadable
from entraide_scheduler.core.commands import LoadModel, UnloadModel
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy.policy import ModelTerms
from entraide_sim.driver import Driver
from entraide_sim.environment import Fault
from entraide_sim.jobs import Job
from entraide_sim.scenario_reader import load_scenario
from entraide_sim.simulate import Case, simulate
from entraide_sim.workload import RequestTemplate, make_requests
from entraide_sim.world import World

GB = 1_000_000_000
MODELS = ("small", "large")
QUICK = ModelTerms(unload_idle_s=60.0, residence_s=30.0)


def offer(model: str, memory_gb: int) -> Loadable:
    """A loadable model of a machine's card."""
    return Loadable(model, "unknown", "sim/1", 4_096, 4, (), memory_gb * GB, 0, 20.0)


def loadable_node(name: str = "n1", *, room_gb: int = 8, loaded: tuple[str, ...] = ()) -> Any:
    """A machine that could load a small model (4 GB) and a large one (6 GB)."""
    specs = []
    for model in MODELS:
        own = card(name)
        replica = msgspec.structs.replace(own.replicas[0], model=model)
        specs.append(node(name, replicas=(replica,)))
    here = msgspec.structs.replace(
        specs[0].card,
        replicas=tuple(s.card.replicas[0] for s in specs if s.card.replicas[0].model in loaded),
        loadable=(offer("small", 4), offer("large", 6)),
        models_bytes=room_gb * GB,
    )
    return msgspec.structs.replace(specs[0], card=here, model_specs=tuple(specs))


class Watched:
    """A finished simulation: its jobs, and the moments of loads and unloads."""

    def __init__(self, nodes: list[Any], asked: list[Any], **changes: Any) -> None:
        self.jobs: list[Job] = []
        self.loads: list[tuple[float, str, str]] = []
        self.unloads: list[tuple[float, str, str]] = []
        self.driver = Driver(Core(), start_at=START, watch=self._watch)
        self.world = World(
            self.driver,
            policy=policy(models=QUICK),
            nodes=nodes,
            grid=grid(),
            heartbeat_s=60.0,
            progress_s=5.0,
            recorder=self.jobs.append,
            **changes,
        )
        self.world.run(iter(asked))

    def _watch(self, event: Any, asked: list[Any]) -> None:
        for command in asked:
            if isinstance(command, LoadModel):
                self.loads.append((event.at - START, command.node, command.model))
            elif isinstance(command, UnloadModel):
                self.unloads.append((event.at - START, command.node, command.model))


def arriving(*asked: tuple[float, str]) -> list[Any]:
    """Requests at these seconds, for these models."""
    requests = []
    for number, (at_s, model) in enumerate(asked):
        arrival = sim.Arrival(at_s, "c", 200, 50)
        wish, name = RequestTemplate(model=model), f"j{number}"
        requests += make_requests([arrival], wish, start_at=START, coops=("alpha",), name=name)
    return requests


def test_a_model_is_loaded_when_it_is_asked_for() -> None:
    """The first request waits for the load; those that come later do not."""
    watched = Watched([loadable_node()], arriving((1.0, "small"), (60.0, "small")))
    first, second = sorted(watched.jobs, key=lambda job: job.request.at)

    assert [("n1", "small")] == [(node, model) for _, node, model in watched.loads]
    assert JobState.COMPLETED == first.state == second.state
    assert 20.0 < first.first_at - first.request.at < 25.0
    assert second.first_at - second.request.at < 2.0


def test_room_is_made_for_another_model() -> None:
    """If two models do not fit, the first is unloaded in time, and loaded again on demand."""
    asked = arriving((1.0, "small"), (120.0, "large"), (121.0, "large"), (300.0, "small"))
    watched = Watched([loadable_node()], asked)

    assert ["small", "large", "small"] == [model for _, _, model in watched.loads]
    assert ["small", "large"] == [model for _, _, model in watched.unloads]
    assert {JobState.COMPLETED} == {job.state for job in watched.jobs}


def test_two_models_on_one_machine_share_it() -> None:
    """Two jobs at once on two models take twice as long each, and as much energy together."""
    both = loadable_node(room_gb=20, loaded=MODELS)
    together = Watched([both], arriving((1.0, "small"), (1.0, "large")))
    apart = Watched([both], arriving((1.0, "small"), (100.0, "large")))
    long_s, short_s = (
        max(job.end_at - job.request.at for job in watched.jobs) for watched in (together, apart)
    )
    used_j, alone_j = (
        sum(instance.engine.total_j for instance in watched.world.nodes["n1"].model_instances())
        for watched in (together, apart)
    )

    assert 2.0 == pytest.approx(long_s / short_s, rel=0.05)
    assert 1.0 == pytest.approx(used_j / alone_j, rel=1e-6)
    assert used_j == pytest.approx(
        sum(job.prefill_j + job.decode_j for job in together.jobs), rel=1e-6
    )


def test_a_machine_whose_owner_is_back_says_no() -> None:
    """A load command during the owner's presence fails, and succeeds after the owner leaves."""
    faults = [Fault(START + 1.005, "n1", "refuse"), Fault(START + 90.0, "n1", "take")]
    watched = Watched([loadable_node()], arriving((1.0, "small")), faults=faults)

    assert 2 == len(watched.loads)
    assert JobState.COMPLETED == watched.jobs[0].state
    assert watched.jobs[0].first_at > START + 90.0


def test_a_machine_that_vanishes_comes_back_without_what_it_had_loaded() -> None:
    """After a crash, models that the pool had loaded are loaded again."""
    faults = [Fault(START + 50.0, "n1", "vanish"), Fault(START + 60.0, "n1", "return")]
    asked = arriving((1.0, "small"), (900.0, "small"))
    watched = Watched([loadable_node()], asked, faults=faults)

    assert ["small", "small"] == [model for _, _, model in watched.loads]
    assert {JobState.COMPLETED} == {job.state for job in watched.jobs}


SCENARIO = """
name = "prêt"
hours = 6.0
[[sites]]
name = "maison"
zone = "CA-QC"
[[coops]]
name = "a"
[[models]]
name = "petit-1b"
params_b = 1.0
[[models]]
name = "moyen-8b"
params_b = 8.0
[[nodes]]
name = "mini"
device = "mac-mini-m4-pro"
count = 2
coop = "a"
site = "maison"
models = []
loadable = ["petit-1b", "moyen-8b"]
models_gb = 12.0
[[workloads]]
name = "bureau"
model = "auto"
clients = 5
requests_per_client_day = 60.0
rhythm = "steady"
[[workloads]]
name = "long"
model = "moyen-8b"
clients = 2
requests_per_client_day = 60.0
rhythm = "steady"
"""


def test_a_scenario_may_leave_loading_to_the_pool(tmp_path: Path) -> None:
    """Machines that serve nothing at first load what is asked for, a size too; all is served."""
    path = tmp_path / "pret.toml"
    path.write_text(SCENARIO, "utf-8")
    case = Case(scenario=load_scenario(str(path)).scenario, home=str(tmp_path), seed=1)
    first, _ = simulate(case, clock=lambda: 0.0)
    second, _ = simulate(case, clock=lambda: 0.0)

    assert first.summary == second.summary
    assert first.summary["jobs"] == first.summary["completed"] > 50
    assert first.summary["energy_wh"] > 0.0
