"""How many requests a CPU second the simulator carries, with the core and without.

Decides the fleet and the load: as many requests a second and as long as in Azure's conversation
trace of 2023 (5.9 requests/s; quantiles of its first 40 minutes below), sent as a Poisson stream,
on 1, 4 and 50 nodes of together the same speed. Each size is run twice: with the pool's own core,
and with a scheduler that does next to nothing (first come, first served, each node in turn), which
shows what the world alone costs: driver, nodes, workload and records.

    python -m benchmarks.simulator [--json] [--secs S]

Rows: ``nodes, requests, requests_per_cpu_s, world_requests_per_cpu_s, events_per_cpu_s,
simulated_per_cpu, reference_vidur_requests_per_cpu_s, reference_blis_requests_per_cpu_s``. Times
are CPU time of one process. The references are those of Vidur (7d47513) and BLIS (f90a1e3) on the
same trace, 1 and 4 instances, measured on a machine of this kind and not in this run; both model a
server's GPU in more detail.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from msgspec import Struct, to_builtins

import entraide_sim as sim
from entraide.types import (
    Basis,
    DataClass,
    JobState,
    NodeCard,
    Power,
    Rates,
    Replica,
    RequestFacts,
)
from entraide_scheduler.core.commands import Command, EndJob, Place
from entraide_scheduler.core.events import Event, JobRequested, RunReported
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_sim.driver import Decider

SIZES = (1, 4, 50)
SECS = 2_400.0  # of virtual time
RATE_PER_S = 5.9
PARTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
INPUT = sim.Lengths(PARTS, (2, 220, 396, 1_015, 1_204, 4_074, 4_121, 14_050))
OUTPUT = sim.Lengths(PARTS, (7, 50, 81, 115, 393, 421, 598, 1_000))
START = 1_673_827_200.0
MODEL = "bench"
ZONES = (("CA-QC", 1.3), ("CA-ON", 38.0), ("CA-AB", 372.0))
COOPS = ("alpha", "beta", "gamma")
SLOTS = 48
PUBLISHED = {1: (973.0, 804.0), 4: (543.0, 139.0)}  # Vidur, BLIS


class Row(Struct, frozen=True):
    """What was measured with one number of nodes."""

    nodes: int
    requests: int
    requests_per_cpu_s: float
    world_requests_per_cpu_s: float
    events_per_cpu_s: float
    simulated_per_cpu: float
    reference_vidur_requests_per_cpu_s: float | None
    reference_blis_requests_per_cpu_s: float | None


class InTurn:
    """The least that can be called a scheduler: the first in line, to each node in turn."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._free = list(range(len(names))) * SLOTS
        self._waiting: list[RequestFacts] = []
        self._on: dict[str, int] = {}

    def handle(self, event: Event) -> list[Command]:
        """Takes in one event and returns the commands that follow."""
        asked: list[Command] = []
        match event:
            case JobRequested():
                self._waiting.append(event.facts)
            case RunReported():
                self._free.append(self._on.pop(event.job))
                asked.append(EndJob(event.id, event.job, "sim", JobState.COMPLETED, "", 1, {}))
        while self._waiting and self._free:
            facts, index = self._waiting.pop(0), self._free.pop(0)
            self._on[facts.job] = index
            name, most = self._names[index], facts.output_tokens_max
            asked.append(Place(event.id, facts.job, 1, name, "sim", most, None, None))  # type: ignore[arg-type]
        return asked

    def next_deadline(self) -> None:
        """Wants never to be woken."""


def card(number: int, nodes: int) -> NodeCard:
    """Returns one of so many equal machines; all together are as fast whatever their number."""
    slower = nodes / 4.0
    rates = Rates(20_000.0 / slower, 0.012 * slower, 0.0004 * slower, Basis.MEASURED)
    return NodeCard(
        node=f"node-{number:03}",
        coop=COOPS[number % len(COOPS)],
        site=f"site-{number:03}",
        zone=ZONES[number % len(ZONES)][0],
        power=Power("bench", 60.0, 400.0, Basis.DECLARED),
        replicas=(Replica(MODEL, "sha256:bench", "bench/1", 16_384, SLOTS, (), rates),),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=0.02,
        agent="bench",
    )


def simulate(core: Decider, nodes: int, secs: float) -> tuple[sim.World, float]:
    """Runs a world; returns it with the CPU seconds it took."""
    policy = Policy("bench", tuple(CoopTerms(coop) for coop in COOPS), timing=sim.quiet(60.0))
    series = [sim.profile(zone, grams, start_at=START, hours=240) for zone, grams in ZONES]
    world = sim.World(
        sim.Driver(core, start_at=START),
        policy=policy,
        nodes=[sim.NodeSpec(card=card(number, nodes)) for number in range(nodes)],
        grid=sim.Grid(series),
        heartbeat_s=60.0,
        progress_s=5.0,
        recorder=sim.Records(policy),
    )
    windows = sim.steady(RATE_PER_S, secs, family="poisson")
    arrivals = sim.generated([sim.Client("all", windows, INPUT, OUTPUT)], seed=1)
    began = time.process_time()
    world.run(sim.requests(arrivals, sim.Wish(MODEL), start_at=START, coops=COOPS))
    return world, time.process_time() - began


def measure(nodes: int, secs: float) -> Row:
    """Measures one number of nodes."""
    world, took_s = simulate(Core(), nodes, secs)
    names = [f"node-{number:03}" for number in range(nodes)]
    bare, bare_s = simulate(InTurn(names), nodes, secs)
    vidur, blis = PUBLISHED.get(nodes, (None, None))
    return Row(
        nodes=nodes,
        requests=world.asked,
        requests_per_cpu_s=round(world.asked / took_s, 1),
        world_requests_per_cpu_s=round(bare.asked / bare_s, 1),
        events_per_cpu_s=round(world.driver.events / took_s, 1),
        simulated_per_cpu=round((world.driver.now - START) / took_s, 1),
        reference_vidur_requests_per_cpu_s=vidur,
        reference_blis_requests_per_cpu_s=blis,
    )


def main(arguments: Sequence[str]) -> None:
    """Measures each size and prints the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--secs", type=float, default=SECS, help="virtual seconds for each size")
    options = parser.parse_args(arguments)
    rows = [measure(nodes, options.secs) for nodes in SIZES]
    if options.json:
        print(json.dumps(to_builtins(rows)))
        return
    print(
        f"{'nodes':>6} {'requests':>9} {'req/CPU s':>10} {'world alone':>12} {'events/CPU s':>13}"
    )
    for row in rows:
        print(
            f"{row.nodes:>6} {row.requests:>9} {row.requests_per_cpu_s:>10} "
            f"{row.world_requests_per_cpu_s:>12} {row.events_per_cpu_s:>13}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
