"""How many jobs a second the core places, by the number of nodes, beside a plain ``min()``.

Decides the fleet and the load; knows the core only as its drivers do. One co-op asks, one job at a
time: request, acceptance, usage report, so that every job finds the fleet loaded alike. What is
timed is ``handle`` of the request alone (admission, fair queue, filter, prediction of every node,
pick, explanation); the answers that end the job are fed outside of the clock.

The reference is what a scheduler could not do without: one ``min()`` in plain Python, over the same
nodes in the same process, of a precomputed number.

    python -m benchmarks.placements [--json] [--secs S]

Rows: ``nodes, placements, placements_per_s, p50_s, p99_s, reference_per_s, reference_ratio``.
Times are wall clock of one process on one core.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from operator import itemgetter

from msgspec import Struct, to_builtins

from entraide.types import (
    Basis,
    DataClass,
    EnergyStatus,
    JobClass,
    JobKind,
    NodeCard,
    Outcome,
    Power,
    Rates,
    Replica,
    RequestFacts,
    Usage,
)
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Place
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy

SIZES = (10, 1_000, 10_000)
SECS = 20.0  # for each size
PLACEMENTS_MAX = 20_000  # of each size: enough for a percentile
HELD_MAX = 200  # jobs that run throughout, on half the nodes at most
START = 1_800_000_000.0
MODEL = "bench"
ZONES = (("CA-QC", 1.3), ("CA-ON", 38.0), ("CA-AB", 372.0), ("CA-SK", 640.0), ("CA-MB", 1.4))
COOPS = ("alpha", "beta", "gamma")


class Row(Struct, frozen=True):
    """What was measured with one number of nodes."""

    nodes: int
    placements: int
    placements_per_s: float
    p50_s: float
    p99_s: float
    reference_per_s: float
    reference_ratio: float


def card(number: int) -> NodeCard:
    """Returns one of many different nodes; every eighth has a surplus."""
    speed = 1.0 + number % 7
    rates = Rates(400.0 * speed, 0.03 / speed, 0.002, Basis.MEASURED)
    replica = Replica(MODEL, "sha256:bench", "bench/1", 8_192, 8, ("tools",), rates)
    energy = EnergyStatus(50.0 + number % 300, Basis.MEASURED, "meter", START, START + 1e6)
    return NodeCard(
        node=f"node-{number:05}",
        coop=COOPS[number % len(COOPS)],
        site=f"site-{number // 4}",
        zone=ZONES[number % len(ZONES)][0],
        power=Power("bench", 20.0, 120.0 + number % 90, Basis.DECLARED),
        replicas=(replica,),
        data_classes=tuple(DataClass),
        energy=energy if number % 8 == 0 else None,
        rtt_s=0.01 + (number % 5) * 0.01,
        agent="bench",
    )


def facts(number: int) -> RequestFacts:
    """Returns a request like any other."""
    return RequestFacts(
        job=f"job-{number}",
        coop=COOPS[number % len(COOPS)],
        project="main",
        key="key",
        gateway="gateway",
        kind=JobKind.LIVE,
        job_class=JobClass.INTERACTIVE,
        data_class=DataClass.INTERNAL,
        jurisdiction="CA",
        model=MODEL,
        input_tokens_est=200 + number % 300,
        input_tokens_max=600,
        output_tokens_max=256,
    )


class Bench:
    """A core with its fleet, and a clock that moves a little with each event."""

    def __init__(self, nodes: int) -> None:
        self.core = Core()
        self.events = 0
        self.jobs = 0
        self.names = tuple(f"node-{number:05}" for number in range(nodes))
        coops = tuple(CoopTerms(coop) for coop in COOPS)
        self.core.handle(events.PolicyChanged(self._id(), self._at(), Policy("bench", coops)))
        self.core.handle(events.SchedulerStarted(self._id(), self._at(), 1, "gateway"))
        for zone, grams in ZONES:
            self.core.handle(
                events.IntensityChanged(
                    self._id(), self._at(), zone, grams, grams, "measured", START + 1e6
                )
            )
        for number in range(nodes):
            self.core.handle(events.NodeJoined(self._id(), self._at(), card(number), True, ""))
        for _ in range(min(nodes // 2, HELD_MAX)):
            self._accept(self.place()[0])

    def place(self) -> tuple[Place, float]:
        """Asks for one job; returns its placement and the seconds it took."""
        self.jobs += 1
        event = events.JobRequested(self._id(), self._at(), facts(self.jobs))
        began = time.perf_counter()
        (command,) = self.core.handle(event)
        took_s = time.perf_counter() - began
        assert isinstance(command, Place)
        return command, took_s

    def end(self, place: Place) -> None:
        """Lets the job's node accept and report it, and all nodes be heard."""
        self._accept(place)
        used = Usage(
            300, 0, 80, Basis.MEASURED, 20_000, 200_000, Basis.ESTIMATED, ttft_s=0.4, run_s=3.0
        )
        self.core.handle(
            events.RunReported(
                self._id(),
                self._at(),
                place.job,
                place.epoch,
                place.node,
                Outcome.COMPLETED,
                "",
                False,
                used,
            )
        )

    def _accept(self, place: Place) -> None:
        self.core.handle(
            events.RunAccepted(self._id(), self._at(), place.job, place.epoch, place.node)
        )

    def _id(self) -> int:
        self.events += 1
        return self.events

    def _at(self) -> float:
        # A microsecond an event: no lease and no node runs out of time within the measurement.
        return START + self.events * 1e-6


def reference_per_s(nodes: int, secs: float) -> float:
    """Returns how often a second plain Python finds the least of so many pairs."""
    grams = [((number * 7_919) % nodes, number) for number in range(nodes)]
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < secs:
        min(grams, key=itemgetter(0))
        count += 1
    return count / (time.perf_counter() - began)


def measure(nodes: int, secs: float) -> Row:
    """Places jobs on so many nodes for so long."""
    bench = Bench(nodes)
    took: list[float] = []
    began = time.perf_counter()
    while len(took) < PLACEMENTS_MAX and time.perf_counter() - began < secs:
        place, took_s = bench.place()
        took.append(took_s)
        bench.end(place)
    took.sort()
    per_s = len(took) / sum(took)
    reference = reference_per_s(nodes, secs=1.0)
    return Row(
        nodes=nodes,
        placements=len(took),
        placements_per_s=round(per_s, 1),
        p50_s=round(took[len(took) // 2], 7),
        p99_s=round(took[int(len(took) * 0.99)], 7),
        reference_per_s=round(reference, 1),
        reference_ratio=round(per_s / reference, 5),
    )


def main(arguments: Sequence[str]) -> None:
    """Measures each size and prints the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--secs", type=float, default=SECS, help="seconds for each size")
    options = parser.parse_args(arguments)
    rows = [measure(nodes, options.secs) for nodes in SIZES]
    if options.json:
        print(json.dumps(to_builtins(rows)))
        return
    print(f"{'nodes':>7} {'placed/s':>10} {'p50 ms':>9} {'p99 ms':>9} {'min()/s':>10} {'ratio':>9}")
    for row in rows:
        print(
            f"{row.nodes:>7} {row.placements_per_s:>10} {row.p50_s * 1e3:>9.3f} "
            f"{row.p99_s * 1e3:>9.3f} {row.reference_per_s:>10} {row.reference_ratio:>9}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
