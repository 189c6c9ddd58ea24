"""Small simulated worlds with default values for tests."""

import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import entraide_sim as sim
from entraide.types import Basis, DataClass, JobState, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.commands import EndJob, Place
from entraide_scheduler.core.events import JobRequested, RunReported
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy

START = 1_673_827_200.0  # 16 January 2023, 0 h UTC
MODEL = "petit"
ZONES = ("CA-QC", "CA-ON", "CA-AB")
ANNUAL = {"CA-QC": 1.3, "CA-ON": 38.0, "CA-AB": 372.0}
COOPS = ("alpha", "beta", "gamma")
RATES = Rates(2_000.0, 0.02, 0.002, Basis.MEASURED)


def card(node: str, coop: str = "alpha", zone: str = "CA-QC", **changes: Any) -> NodeCard:
    """A node's card; what a ``Replica`` has goes to its only one."""
    replica = Replica(
        model=MODEL,
        revision="sha256:abc",
        engine="llama.cpp/1",
        context_tokens=changes.pop("context_tokens", 4_096),
        slots=changes.pop("slots", 4),
        features=changes.pop("features", ()),
        rates=changes.pop("rates", RATES),
    )
    values = {
        "node": node,
        "coop": coop,
        "site": f"{node}-home",
        "zone": zone,
        "power": Power("bench", 10.0, 110.0, Basis.DECLARED),
        "replicas": (replica,),
        "data_classes": tuple(DataClass),
        "energy": None,
        "rtt_s": 0.02,
        "agent": "0.1.0",
    }
    return NodeCard(**{**values, **changes})


def node(
    name: str = "n1", coop: str = "alpha", zone: str = "CA-QC", **changes: Any
) -> sim.NodeSpec:
    """A machine; what a ``NodeSpec`` has no field for goes to its card."""
    own = {key: changes.pop(key) for key in tuple(changes) if key in sim.NodeSpec.__struct_fields__}
    return sim.NodeSpec(card=card(name, coop, zone, **changes), **own)


def provinces(**changes: Any) -> list[sim.NodeSpec]:
    """One machine in each of three provinces."""
    pairs = zip(ZONES, COOPS, strict=True)
    return [node(f"n-{zone}", coop, zone, **changes) for zone, coop in pairs]


def policy(heartbeat_s: float = 60.0, **changes: Any) -> Policy:
    """A policy for three co-ops and rare heartbeats."""
    coops = tuple(CoopTerms(coop) for coop in COOPS)
    return Policy(
        **{
            "version": "v1",
            "coops": coops,
            "timing": sim.slow_heartbeat_timing(heartbeat_s),
            **changes,
        }
    )


def grid(*zones: str, hours: int = 48) -> sim.Grid:
    """A synthetic grid."""
    return sim.Grid(
        sim.synthetic_series(zone, ANNUAL[zone], start_at=START, hours=hours, seed=number)
        for number, zone in enumerate(zones or ZONES)
    )


def even_arrivals(
    rate_per_s: float, until_s: float, *, input_tokens: int = 200, output_tokens: int = 50
) -> list[sim.Arrival]:
    """Evenly spaced, identical arrivals of one client."""
    lengths = sim.fixed_length(input_tokens), sim.fixed_length(output_tokens)
    client = sim.ClientSpec("c", sim.steady_rate(rate_per_s, until_s), *lengths)
    return list(sim.generate_arrivals([client], seed=1))


def mixed_arrivals(rate_per_s: float, until_s: float, *, seed: int) -> list[sim.Arrival]:
    """Poisson arrivals of three clients with mixed lengths."""
    clients = [
        sim.ClientSpec(
            f"c{number}",
            sim.steady_rate(rate_per_s / 3, until_s, family="poisson"),
            sim.uniform_length(10, 1_500),
            sim.uniform_length(1, 200),
        )
        for number in range(3)
    ]
    return list(sim.generate_arrivals(clients, seed=seed))


def other_hash_seed() -> str:
    """A seed of hashes for another process, different from this one's."""
    return "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"


class RoundRobinScheduler:
    """A scheduler to compare with: first come first served, round robin."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.served = 0

    def handle(self, event: Any) -> list[Any]:
        match event:
            case JobRequested():
                self.served += 1
                facts = event.facts
                chosen = self.names[self.served % len(self.names)]
                limit = facts.output_tokens_max
                terms = SimpleNamespace(model=facts.model)
                return [Place(event.id, facts.job, 1, chosen, "sim", limit, terms, None)]
            case RunReported():
                return [EndJob(event.id, event.job, "sim", JobState.COMPLETED, "", 1, {})]
        return []

    def next_deadline(self) -> None:
        return None


class SimulatedWorld:
    """A finished simulation with its events and commands."""

    def __init__(
        self,
        nodes: list[sim.NodeSpec],
        arrivals: Iterable[sim.Arrival],
        *,
        wish: sim.RequestTemplate | None = None,
        watch: Any = None,
        terms: Policy | None = None,
        until: float = float("inf"),
        core: Any = None,
        **changes: Any,
    ) -> None:
        self.policy = terms or policy()
        self.records = sim.JobRecords(self.policy)
        self.events: list[Any] = []
        self.commands: list[Any] = []
        self.watch = watch
        self.world = sim.World(
            core or Core(),
            start_at=START,
            watch=self.observe,
            policy=self.policy,
            nodes=nodes,
            **{
                "grid": grid(),
                "heartbeat_s": 60.0,
                "progress_s": 0.5,
                "recorder": self.records,
                **changes,
            },
        )
        asks = sim.make_requests(
            arrivals, wish or sim.RequestTemplate(MODEL), start_at=START, coops=COOPS
        )
        self.world.run(asks, until=until)

    @property
    def core(self) -> Any:
        """The current core; each restart replaces it."""
        return self.world.driver.core

    def observe(self, event: Any, asked: list[Any]) -> None:
        self.events.append(event)
        self.commands += asked
        if self.watch is not None and hasattr(self, "world"):
            self.watch(self)

    def of_kind(self, kind: type) -> list[Any]:
        """The events and commands of one kind."""
        return [item for item in (*self.events, *self.commands) if type(item) is kind]
