"""Co-ops with different eligible nodes: distance of their service from weighted max-min fairness.

Pool: nodes in three provinces and one with a model of its own; co-ops that ask for that model, for
one province or for any, all with more queued work than the pool can serve. Each node's capacity is
measured alone with the same jobs, first come first served; the weighted max-min division of the
capacities is computed offline (``max_min``).
"""

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.support.max_min import max_min
from benchmarks.support.vtc_metrics import ClientService, Response
from benchmarks.support.vtc_queue import FirstComeScheduler
from benchmarks.support.vtc_simulation import HOST, START_AT, job_response, make_policy
from msgspec import Struct

from entraide.types import Basis, DataClass, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.machine import Core
from entraide_sim import (
    Arrival,
    Grid,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
    merge_requests,
    uniform_length,
)
from entraide_sim.driver import DecisionCore
from entraide_sim.workload import Request, Rng, make_rng

ZONES = (("CA-QC", 1.3), ("CA-ON", 38.0), ("CA-AB", 372.0))
PLAIN, LARGE = "plain", "large"
NODES = (("qc", "CA-QC", PLAIN), ("on", "CA-ON", PLAIN), ("ab", "CA-AB", PLAIN),
         ("big", "CA-AB", LARGE))  # fmt: skip
# Co-op, where its jobs may run, and which model they need.
COOPS = (("any", "CA", PLAIN), ("qc-1", "CA-QC", PLAIN), ("qc-2", "CA-QC", PLAIN),
         ("on", "CA-ON", PLAIN), ("big", "CA", LARGE))  # fmt: skip
ELIGIBLE = {
    coop: {name for name, zone, serves in NODES if serves == model and zone.startswith(prefix)}
    for coop, prefix, model in COOPS
}
LONGEST = 160  # tokens of an answer, and of a prompt
WARM_S, UNTIL_S, TAIL_S = 60.0, 240.0, 60.0
BACKLOG_PER_SLOT = 80  # jobs: more than a slot can serve in that time


class EligibilityRow(Struct, frozen=True):
    """Distance of the service from the weighted max-min division, relative to each co-op's due.

    ``distance_mean`` is over co-ops and seeds, ``distance_worst_mean`` over the seeds' worst
    co-ops, ``distance_worst`` the worst of all. The reference gives each co-op an equal part of
    every node that it can use.
    """

    benchmark: str
    workload: str
    seeds: int
    coops: int
    nodes: int
    distance_mean: float
    distance_worst_mean: float
    distance_worst: float
    reference_equal_split_distance_mean: float


def make_node(name: str, zone: str, model: str, source: Rng) -> NodeSpec:
    """Returns a node with random slots and rates."""
    slots = int(source.integers(3, 9))
    rates = Rates(
        float(source.uniform(800.0, 3_000.0)), float(source.uniform(0.03, 0.08)),
        float(source.uniform(0.001, 0.004)), Basis.MEASURED,
    )  # fmt: skip
    replica = Replica(model, "sha256:bench", "bench/1", 1_024, slots, (), rates)
    power = Power("bench", 50.0, 300.0, Basis.MEASURED)
    card = NodeCard(name, HOST, name, zone, power, (replica,), tuple(DataClass), None, 0.0, "bench")
    return NodeSpec(card=card)


def make_backlog(coop: str, prefix: str, model: str, *, jobs: int, seed: int) -> list[Request]:
    """Returns a co-op's initial backlog: jobs of random lengths."""
    source = make_rng(seed, 3, len(coop), ord(coop[0]), ord(coop[-1]))
    lengths = uniform_length(16, LONGEST)
    pairs = zip(lengths.sample(source, jobs), lengths.sample(source, jobs), strict=True)
    arrivals = [Arrival(number * 1e-4, coop, *pair) for number, pair in enumerate(pairs)]
    template = RequestTemplate(model, jurisdiction=prefix, output_tokens_max=LONGEST)
    return list(
        make_requests(
            arrivals, template, start_at=START_AT, coop_of={coop: coop}, name=f"{coop}-job"
        )
    )


def service_rates(
    make: Callable[[], DecisionCore],
    nodes: Sequence[NodeSpec],
    asked: Sequence[Request],
    weights: Mapping[str, float],
) -> dict[str, float]:
    """Returns each co-op's service (prompt + 2 x answer) per second, after a warm-up."""
    responses: list[Response] = []
    world = World(
        make(),
        start_at=START_AT,
        policy=make_policy(weights),
        nodes=nodes,
        grid=Grid(
            [constant_series(zone, grams, start_at=START_AT, hours=2) for zone, grams in ZONES]
        ),
        heartbeat_s=1.0,
        progress_s=0.5,
        recorder=lambda job: responses.append(job_response(job)),
    )
    world.run(asked, until=START_AT + UNTIL_S + TAIL_S)
    rates = {}
    for coop in weights:
        line = ClientService([response for response in responses if response.client == coop], 1.0)
        rates[coop] = line.served_between(WARM_S, UNTIL_S) / (UNTIL_S - WARM_S)
    return rates


def max_min_distances(seed: int) -> tuple[list[float], list[float]]:
    """Returns the distances of each co-op's service, and of an equal split, from its due."""
    source = make_rng(seed, 4)
    nodes = [make_node(*spec, source) for spec in NODES]
    weights = {coop: float(source.integers(1, 5)) for coop, _, _ in COOPS}
    slots = {node.card.node: node.card.replicas[0].slots for node in nodes}
    asked = [
        make_backlog(
            *spec, jobs=BACKLOG_PER_SLOT * sum(slots[name] for name in ELIGIBLE[spec[0]]), seed=seed
        )
        for spec in COOPS
    ]
    capacity: dict[str, float] = {}
    for node in nodes:
        replica, zone = node.card.replicas[0], node.card.zone
        alone = make_backlog(
            "alone", zone, replica.model, jobs=BACKLOG_PER_SLOT * replica.slots, seed=seed
        )
        capacity |= {
            node.card.node: service_rates(FirstComeScheduler, [node], alone, {"alone": 1.0})[
                "alone"
            ]
        }
    due = max_min(weights, ELIGIBLE, capacity)
    got = service_rates(Core, nodes, list(merge_requests(*asked)), weights)
    equal = {
        coop: sum(
            capacity[name] / sum(name in others for others in ELIGIBLE.values())
            for name in sorted(ELIGIBLE[coop])
        )
        for coop in weights
    }
    return (
        [abs(got[coop] - due[coop]) / due[coop] for coop in weights],
        [abs(equal[coop] - due[coop]) / due[coop] for coop in weights],
    )


def eligibility_row(seeds: int) -> EligibilityRow:
    """Returns the row."""
    distances_by_seed = [max_min_distances(seed) for seed in range(1, seeds + 1)]
    mine = [distances for distances, _ in distances_by_seed]
    return EligibilityRow(
        benchmark="fairness",
        workload="eligibility",
        seeds=seeds,
        coops=len(COOPS),
        nodes=len(NODES),
        distance_mean=round(statistics.fmean(part for distances in mine for part in distances), 4),
        distance_worst_mean=round(statistics.fmean(max(distances) for distances in mine), 4),
        distance_worst=round(max(max(distances) for distances in mine), 4),
        reference_equal_split_distance_mean=round(
            statistics.fmean(part for _, distances in distances_by_seed for part in distances), 4
        ),
    )
