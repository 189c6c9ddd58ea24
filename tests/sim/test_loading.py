"""Machines that load models on command, with the pool's own core."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sim.support import START, card, grid, node, policy

import entraide_sim as sim
from entraide.models import TransferRates
from entraide.types import JobState, Loadable, Outcome
from entraide_node.core.model_records import ModelState
from entraide_scheduler.core.commands import LoadModel, UnloadModel
from entraide_scheduler.core.events import LoadFailed, RunDeclined, RunReported
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy.policy import ModelTerms
from entraide_sim.building import load_scenario
from entraide_sim.driver import Driver
from entraide_sim.fleet.fleet import build_machines
from entraide_sim.fleet.model_layout import pool_catalogue
from entraide_sim.machines import Node, Site
from entraide_sim.runs import Case
from entraide_sim.runs.simulate import simulate
from entraide_sim.scenario import Scenario
from entraide_sim.workload import RequestTemplate, make_requests
from entraide_sim.world import Fault, Job, World
from entraide_sim.world.model_driver import ModelDriver
from entraide_sim.world.node_agents import NodeAgents, RunOffer

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
        self.world = World(
            Core(),
            start_at=START,
            watch=self._watch,
            policy=policy(models=QUICK),
            nodes=nodes,
            grid=grid(),
            heartbeat_s=60.0,
            progress_s=5.0,
            recorder=self.jobs.append,
            **changes,
        )
        self.driver = self.world.driver
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
    faults = [Fault(START + 1.005, "n1", "refuse"), Fault(START + 45.0, "n1", "take")]
    watched = Watched([loadable_node()], arriving((1.0, "small")), faults=faults)

    assert 2 == len(watched.loads)
    assert JobState.COMPLETED == watched.jobs[0].state
    assert watched.jobs[0].first_at > START + 45.0


def test_a_machine_that_vanishes_comes_back_without_what_it_had_loaded() -> None:
    """After a crash, models that the pool had loaded are loaded again."""
    faults = [Fault(START + 50.0, "n1", "vanish"), Fault(START + 60.0, "n1", "return")]
    asked = arriving((1.0, "small"), (900.0, "small"))
    watched = Watched([loadable_node()], asked, faults=faults)

    assert ["small", "small"] == [model for _, _, model in watched.loads]
    assert {JobState.COMPLETED} == {job.state for job in watched.jobs}


class Orders:
    """One machine that gets load orders; a core that decides nothing keeps what it sends."""

    def __init__(self, room_gb: int = 8, **changes: Any) -> None:
        spec = msgspec.structs.replace(loadable_node(room_gb=room_gb), **changes)
        self.driver = Driver(self, start_at=START)
        self.node = Node(
            spec,
            Site(None, at=START, schedule_battery_event=lambda _site, _at: None),
            seed=0,
            number=0,
            at=START,
        )
        self.models = ModelDriver(self.driver, self._keep_card)
        self.cards: list[tuple[float, tuple[str, ...], tuple[str, ...]]] = []
        self.refusals: list[tuple[float, str, str]] = []
        self.declined: list[tuple[str, str]] = []
        self.reported: list[tuple[str, Outcome]] = []

    def handle(self, event: Any) -> list[Any]:
        match event:
            case LoadFailed():
                self.refusals.append((round(event.at - START), event.model, event.code))
            case RunDeclined():
                self.declined.append((event.job, event.code))
            case RunReported():
                self.reported.append((event.job, event.outcome))
        return []

    def next_deadline(self) -> None:
        return None

    def _keep_card(self, sender: Node) -> None:
        serving = tuple(replica.model for replica in sender.card.replicas)
        self.cards.append((round(self.driver.now - START), serving, sender.card.loading))

    def at(self, seconds: float, deed: Any, *values: Any) -> None:
        """Does something at that second."""
        self.driver.schedule(START + seconds, lambda _: deed(*values))

    def load(self, seconds: float, model: str) -> None:
        """The pool orders a load at that second."""
        self.at(seconds, self.models.send_load, self.node, model)

    def owner(self, seconds: float, reason: str) -> None:
        """What the owner's terms say from that second on, "" for nothing."""
        self.at(seconds, setattr, self.node, "reason", reason)
        self.at(seconds, self.models.decide, self.node)

    def run(self, seconds: float) -> "Orders":
        """Lets the time pass until that second."""
        self.driver.run(START + seconds)
        return self


def test_a_machine_loads_one_model_at_a_time() -> None:
    """Of two orders, the second is begun when the first model serves."""
    machine = Orders(room_gb=20)
    machine.load(0.0, "small")
    machine.load(1.0, "large")

    assert [
        (0, (), ("small",)),
        (1, (), ("small", "large")),
        (20, ("small",), ("large",)),
        (40, ("small", "large"), ()),
    ] == machine.run(100.0).cards


def test_a_machine_fetches_one_model_while_it_loads_another() -> None:
    """A fetch lasts its bytes over the network rate, beside a load; the card then lists none."""
    spec = loadable_node(room_gb=20)
    small, large = spec.card.loadable
    fetched = msgspec.structs.replace(small, fetch_bytes=100_000_000, load_s=30.0)
    machine = Orders(
        card=msgspec.structs.replace(spec.card, models_bytes=20 * GB, loadable=(fetched, large)),
        transfer_rates=TransferRates(network_bytes_per_s=10e6),
    )
    machine.load(0.0, "small")
    machine.load(0.0, "large")
    machine.run(15.0)

    assert (0, 20.0) == (
        machine.node.card.loadable[0].fetch_bytes,
        machine.node.card.loadable[0].load_s,
    )
    assert [(20, ("large",)), (40, ("large", "small"))] == [
        (at, serving) for at, serving, _ in machine.run(100.0).cards if serving
    ]


def test_a_machine_unloads_an_idle_model_for_another() -> None:
    """A model makes room once it has been idle for half a minute; before, the order is refused."""
    machine = Orders(room_gb=8)
    machine.load(0.0, "small")
    machine.load(30.0, "large")
    machine.load(60.0, "large")

    assert [
        (0, (), ("small",)),
        (20, ("small",), ()),
        (60, (), ("large",)),
        (80, ("large",), ()),
    ] == machine.run(100.0).cards
    assert [(30, "large", "load_no_room")] == machine.refusals


def test_a_machine_backs_off_from_a_model_that_failed() -> None:
    """A load on a broken engine fails; the model is refused for half a minute, then tried again."""
    machine = Orders()
    machine.node.broken = True
    for seconds in (0.0, 25.0, 55.0):
        machine.load(seconds, "small")
    machine.at(56.0, setattr, machine.node, "broken", False)

    assert [
        (20, "small", "load_broken"),
        (25, "small", "load_resting"),
    ] == machine.run(100.0).refusals
    assert (75, ("small",), ()) == machine.cards[-1]


def test_a_machine_gives_up_a_load_when_its_owner_is_back() -> None:
    """The load ends at once, with the node's own code; the model serves only if ordered again."""
    machine = Orders()
    machine.load(0.0, "small")
    machine.owner(5.0, "owner_active")
    machine.load(6.0, "large")
    machine.owner(90.0, "")
    machine.load(91.0, "small")
    machine.load(92.0, "unheard-of")

    assert [
        (5, "small", "load_not_now"),
        (6, "large", "load_not_now"),
        (92, "unheard-of", "load_unknown"),
    ] == machine.run(200.0).refusals
    assert [(0, ("small",)), (5, ()), (91, ("small",)), (111, ())] == [
        (at, loading) for at, _, loading in machine.cards
    ]


def test_a_machine_unloads_a_model_that_is_idle_for_long() -> None:
    """The owner's idle time runs from the end of the last run, without any order of the pool."""
    spec = msgspec.structs.replace(loadable_node(), unload_idle_s=300.0)
    watched = Watched([spec], arriving((1.0, "small"), (200.0, "small"), (1_000.0, "small")))

    assert ["small", "small"] == [model for _, _, model in watched.loads]
    assert [] == watched.unloads
    assert {JobState.COMPLETED} == {job.state for job in watched.jobs}


def test_a_model_that_is_to_be_unloaded_takes_no_new_run() -> None:
    """It leaves the card at once and finishes its runs; a run that comes meanwhile is declined."""
    machine = Orders()
    agents = NodeAgents(machine.driver, machine.models, progress_s=5.0, closed=lambda _: None)
    first, second = (Job(request) for request in arriving((25.0, "small"), (26.0, "small")))
    machine.load(0.0, "small")
    machine.at(25.0, agents.send_offer, RunOffer(machine.node, first, 1, 50, "small"))
    machine.at(25.5, machine.models.send_unload, machine.node, "small")
    machine.at(26.0, agents.send_offer, RunOffer(machine.node, second, 1, 50, "small"))
    machine.run(100.0)

    assert [("j1-0000000", "not_loaded")] == machine.declined
    assert [("j0-0000000", Outcome.COMPLETED)] == machine.reported
    assert ModelState.ABSENT is machine.node.models.state_of("small")


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


def read_scenario(text: str, folder: Path) -> Scenario:
    """The scenario that a file with this text describes."""
    path = folder / "pret.toml"
    path.write_text(text, "utf-8")
    return load_scenario(str(path)).scenario


def test_a_scenario_may_leave_loading_to_the_pool(tmp_path: Path) -> None:
    """Machines that serve nothing at first load what is asked for, a size too; all is served."""
    case = Case(scenario=read_scenario(SCENARIO, tmp_path), home=str(tmp_path), seed=1)
    first, _ = simulate(case, clock=lambda: 0.0)
    second, _ = simulate(case, clock=lambda: 0.0)

    assert first.summary == second.summary
    assert first.summary["jobs"] == first.summary["completed"] > 50
    assert first.summary["energy_wh"] > 0.0


def test_a_machine_with_one_loadable_model_serves_a_size(tmp_path: Path) -> None:
    """A size is resolved to the only model that a machine can load."""
    scenario = read_scenario(SCENARIO.replace('["petit-1b", "moyen-8b"]', '["moyen-8b"]'), tmp_path)
    spec = build_machines(scenario)[0].spec
    watched = Watched([spec], arriving((1.0, "auto")), catalogue=pool_catalogue(scenario))

    assert [JobState.COMPLETED] == [job.state for job in watched.jobs]


def test_a_scenario_may_have_weights_fetched(tmp_path: Path) -> None:
    """Without weights on the disk, a request waits for the download too, and only the first."""
    text = SCENARIO.replace(
        "models_gb = 12.0", "models_gb = 12.0\ndownload_mb_per_s = 50.0\nunload_idle_s = 60.0"
    )
    spec = build_machines(read_scenario(text, tmp_path))[0].spec
    watched = Watched([spec], arriving((1.0, "petit-1b"), (900.0, "petit-1b")))
    first, second = sorted(watched.jobs, key=lambda job: job.request.at)
    download_s = spec.card.loadable[0].fetch_bytes / 50e6

    assert 2 == len(watched.loads)
    assert 10.0 < download_s < 20.0
    assert download_s == pytest.approx(
        (first.first_at - first.request.at) - (second.first_at - second.request.at), abs=0.5
    )
