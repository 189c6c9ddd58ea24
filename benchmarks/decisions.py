"""How many decisions a second the core takes, and what each node and each waiting job costs.

Decides the fleet and the load; knows the core only as its drivers do. In a pool of 500 co-ops
100,000 jobs wait for a model whose slots are all taken. Beside them jobs of another model come and
go; its replicas are half busy. For each of them is timed:

- a placement: request in, ``Place`` out and encoded to a record's bytes (admission, quotas,
  fair queue, filter, prediction of every node, pick, lease, explanation);
- a whole life: request, acceptance, two signs of progress, usage report; every command encoded.

The reference is what a scheduler could not do without: one ``min()`` in plain Python over as many
precomputed numbers, in the same process; and the plain scan of every node, which is the pick's
definition, on the same core in the same state.

Other rows tell the dearest single event (``support/worst_events``): jobs with thousands of distinct
carbon caps in line while slots open, and nodes of one co-op or of many that say hello.

    python -m benchmarks.decisions [--json] [--secs S] [--only PART ...]

Rows: ``nodes, placements_per_s, lifecycles_per_s, p50_s, p99_s, bytes_per_node,
bytes_per_queued_job, queued_jobs, coops, placements, reference_min_per_s,
reference_scan_placements_per_s, reference_ratio``. Times are wall clock of one process on one core,
without the garbage collector's full collections (``gc.freeze`` after the set-up, as the live
scheduler does).
"""

import argparse
import gc
import json
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from operator import itemgetter

import msgspec
from benchmarks.support.shared import show
from benchmarks.support.worst_events import COOPS as HELLO_COOPS
from benchmarks.support.worst_events import caps_row, hellos_row
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
from entraide_scheduler.core import events, survey
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.placement import scan
from entraide_scheduler.core.policy import CoopTerms, Limits, Policy

SIZES = (10, 1_000, 10_000)
SECS = 12.0  # for each size and each of the two measurements
COOPS = 500
QUEUED = 100_000
WEIGHED_JOBS = 10_000  # queued once more under tracemalloc, to weigh them
BUSY_PART = 0.5  # of the slots
BUSY_MAX = 4_000  # jobs that run throughout
START = 1_800_000_000.0
ZONES = (("CA-QC", 1.3), ("CA-ON", 38.0), ("CA-AB", 372.0), ("CA-SK", 640.0), ("CA-MB", 1.4))
ASKED, FULL = "asked", "full"
PARTS = ("rates", "caps", "hellos")


class Row(Struct, frozen=True):
    """What was measured with one number of nodes."""

    nodes: int
    placements_per_s: float
    lifecycles_per_s: float
    p50_s: float
    p99_s: float
    bytes_per_node: int
    bytes_per_queued_job: int
    queued_jobs: int
    coops: int
    placements: int
    reference_min_per_s: float
    reference_scan_placements_per_s: float
    reference_ratio: float


def card(number: int) -> NodeCard:
    """Returns one of many different nodes; every eighth has a surplus, every tenth both models."""
    speed = 1.0 + number % 7
    rates = Rates(400.0 * speed, 0.03 / speed, 0.002, Basis.MEASURED)
    asked = Replica(ASKED, "sha256:bench", "bench/1", 8_192, 8, ("tools",), rates)
    full = Replica(FULL, "sha256:bench", "bench/1", 8_192, 1, ("tools",), rates)
    energy = EnergyStatus(50.0 + number % 300, Basis.MEASURED, "meter", START, START + 1e6)
    return NodeCard(
        node=f"node-{number:05}",
        coop=f"coop-{number % COOPS:03}",
        site=f"site-{number // 4}",
        zone=ZONES[number % len(ZONES)][0],
        power=Power("bench", 20.0, 120.0 + number % 90, Basis.DECLARED),
        replicas=(asked, full) if number % 10 == 0 else (asked,),
        data_classes=tuple(DataClass),
        energy=energy if number % 8 == 0 else None,
        rtt_s=0.01 + (number % 5) * 0.01,
        agent="bench",
    )


def facts(number: int, model: str) -> RequestFacts:
    """Returns a request like any other."""
    return RequestFacts(
        job=f"job-{model}-{number}",
        coop=f"coop-{number * 7 % COOPS:03}",
        project=f"project-{number % 3}",
        key="key",
        gateway="gateway",
        kind=JobKind.LIVE,
        job_class=JobClass.INTERACTIVE,
        data_class=DataClass.INTERNAL,
        jurisdiction="CA",
        model=model,
        input_tokens_est=200 + number % 300,
        input_tokens_max=600,
        output_tokens_max=256,
    )


class Bench:
    """A core with its fleet and its line, and a clock that moves a little with each event."""

    def __init__(self, nodes: int, queued: int) -> None:
        self.core = Core()
        self.running: deque[Place] = deque()
        self.encode = msgspec.msgpack.Encoder().encode
        self._ids = count(1)
        self._jobs = count()
        coops = tuple(CoopTerms(f"coop-{number:03}") for number in range(COOPS))
        limits = Limits(queued_per_coop=QUEUED)
        self.tell(events.PolicyChanged, Policy("bench", coops, limits=limits))
        self.tell(events.SchedulerStarted, 1, "gateway")
        for zone, grams in ZONES:
            self.tell(events.IntensityChanged, zone, grams, grams, "measured", START + 1e6)
        for number in range(nodes):
            self.tell(events.NodeJoined, card(number), True, "")
        self.queue(queued)
        for _ in range(min(int(nodes * 8 * BUSY_PART), BUSY_MAX)):
            self.live_until_accepted()

    def tell(self, kind: type[events.Event], *values: object) -> list[Command]:
        """Feeds one event, a microsecond after the last one."""
        number = next(self._ids)
        return self.core.handle(kind(number, START + number * 1e-6, *values))

    def queue(self, jobs: int) -> None:
        """Lets jobs wait for the model that is full (the first ones fill it)."""
        for _ in range(jobs):
            number = next(self._jobs)
            for command in self.tell(events.JobRequested, facts(number, FULL)):
                assert isinstance(command, Place)
                self.tell(events.RunAccepted, command.job, command.epoch, command.node)

    def live_until_accepted(self) -> None:
        """One job comes and is accepted."""
        (place,) = self.tell(events.JobRequested, facts(next(self._jobs), ASKED))
        assert isinstance(place, Place)
        self.tell(events.RunAccepted, place.job, place.epoch, place.node)
        self.running.append(place)

    def request(self) -> events.JobRequested:
        """Makes the next request."""
        number = next(self._ids)
        return events.JobRequested(number, START + number * 1e-6, facts(next(self._jobs), ASKED))

    def rest_of_life(self, place: Place) -> Iterator[events.Event]:
        """Makes what an honest node says of a run."""
        run = (place.job, place.epoch, place.node)
        used = Usage(
            300, 0, 80, Basis.MEASURED, 20_000, 200_000, Basis.ESTIMATED, ttft_s=0.4, run_s=3.0
        )
        for kind, values in (
            (events.RunAccepted, ()),
            (events.RunProgressed, (1,)),
            (events.RunProgressed, (60,)),
            (events.RunReported, (Outcome.COMPLETED, "", False, used)),
        ):
            number = next(self._ids)
            yield kind(number, START + number * 1e-6, *run, *values)


def placements(bench: Bench, secs: float) -> list[float]:
    """Returns the seconds that each of many placements took."""
    handle, encode, clock = bench.core.handle, bench.encode, time.perf_counter
    took: list[float] = []
    end = clock() + secs
    while clock() < end:
        event = bench.request()
        began = clock()
        commands = handle(event)
        encode(commands)
        took.append(clock() - began)
        (place,) = commands
        assert isinstance(place, Place)
        bench.running.append(place)
        for event in bench.rest_of_life(bench.running.popleft()):
            handle(event)
    return sorted(took)


def lifecycles_per_s(bench: Bench, secs: float) -> float:
    """Returns how many whole lives a second the core leads; making the events does not count."""
    handle, encode, clock = bench.core.handle, bench.encode, time.perf_counter
    lives, took_s = 0, 0.0
    end = clock() + secs
    while clock() < end:
        event = bench.request()
        rest = list(bench.rest_of_life(bench.running.popleft()))
        began = clock()
        commands = handle(event)
        encode(commands)
        for answer in rest:
            encode(handle(answer))
        took_s += clock() - began
        (place,) = commands
        assert isinstance(place, Place)
        bench.running.append(place)
        lives += 1
    return lives / took_s


def scan_placements_per_s(bench: Bench, decision_s: float, secs: float) -> float:
    """Returns the placements a second if each looked at every node, one by one.

    The plain scan is timed on the same state; the search that it would replace is taken off.
    """
    state = bench.core._state  # noqa: SLF001
    bench.live_until_accepted()
    job = next(reversed(state.jobs.values()))
    wanted = survey.want(state, job, state.now)
    able = state.fleet.able(job.shape)
    scan_s = _mean_s(lambda: scan(able.lanes, able.excluded, wanted, state.policy), secs)
    search_s = _mean_s(lambda: survey.survey(state, job, wanted), secs)
    return 1.0 / (decision_s - search_s + scan_s)


def _mean_s(call: object, secs: float) -> float:
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < secs:
        call()  # type: ignore[operator]
        calls += 1
    return (time.perf_counter() - began) / calls


def min_per_s(nodes: int, secs: float) -> float:
    """Returns how often a second plain Python finds the least of so many pairs."""
    grams = [((number * 7_919) % nodes, number) for number in range(nodes)]
    return 1.0 / _mean_s(lambda: min(grams, key=itemgetter(0)), secs)


def weigh(nodes: int) -> tuple[int, int]:
    """Returns the bytes that a node and a waiting job take, by Python's own accounts."""
    gc.collect()
    tracemalloc.start()
    bench = Bench(0, 0)
    empty, _ = tracemalloc.get_traced_memory()
    for number in range(nodes):
        bench.tell(events.NodeJoined, card(number), True, "")
    bench.live_until_accepted()
    fleet, _ = tracemalloc.get_traced_memory()
    bench.queue(WEIGHED_JOBS)
    full, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (fleet - empty) // nodes, (full - fleet) // WEIGHED_JOBS


def measure(nodes: int, secs: float) -> Row:
    """Places jobs on so many nodes for so long."""
    node_bytes, job_bytes = weigh(nodes)
    bench = Bench(nodes, QUEUED)
    gc.collect()
    gc.freeze()
    took = placements(bench, secs)
    lives = lifecycles_per_s(bench, secs)
    mean_s = sum(took) / len(took)
    reference = min_per_s(nodes, 1.0)
    scanned = scan_placements_per_s(bench, mean_s, 1.0)
    gc.unfreeze()
    return Row(
        nodes=nodes,
        placements_per_s=round(1.0 / mean_s, 1),
        lifecycles_per_s=round(lives, 1),
        p50_s=round(took[len(took) // 2], 7),
        p99_s=round(took[int(len(took) * 0.99)], 7),
        bytes_per_node=node_bytes,
        bytes_per_queued_job=job_bytes,
        queued_jobs=QUEUED,
        coops=COOPS,
        placements=len(took),
        reference_min_per_s=round(reference, 1),
        reference_scan_placements_per_s=round(scanned, 1),
        reference_ratio=round(1.0 / mean_s / reference, 5),
    )


def main(arguments: Sequence[str]) -> None:
    """Measures each size and prints the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--secs", type=float, default=SECS, help="seconds for each measurement")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    options = parser.parse_args(arguments)
    rows = [measure(nodes, options.secs) for nodes in SIZES] if "rates" in options.only else []
    worst: list[Struct] = [caps_row()] if "caps" in options.only else []
    if "hellos" in options.only:
        worst += [hellos_row(coops) for coops in HELLO_COOPS]
    if options.json:
        print(json.dumps(to_builtins([*rows, *worst])))
        return
    if rows:
        print_rates(rows)
    show(worst, as_json=False)


def print_rates(rows: Sequence[Row]) -> None:
    """Prints the main figures of each size."""
    print(f"{'nodes':>7} {'placed/s':>10} {'lives/s':>9} {'p99 ms':>8} {'scan/s':>9} {'B/job':>7}")
    for row in rows:
        print(
            f"{row.nodes:>7} {row.placements_per_s:>10} {row.lifecycles_per_s:>9} "
            f"{row.p99_s * 1e3:>8.3f} {row.reference_scan_placements_per_s:>9} "
            f"{row.bytes_per_queued_job:>7}"
        )
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
