"""Decisions per second of the core, and the cost of each node and queued job.

A pool of 500 co-ops has 100,000 queued jobs. Two loads, each with its own rows:

- ``idle``: the queued jobs wait for a model whose slots are all taken. Jobs of another model, whose
  replicas are half busy, are placed on arrival. The placing event is the request.
- ``waiting``: all jobs are of one model whose slots are all taken. An arriving job is queued; each
  end of a run frees a slot, and the fair queue selects the next job. The placing event is the
  report.

Measured for both:

- the placing event: event in, ``Place`` out, encoded. For ``idle``: admission, quotas, filter,
  prediction of every node, pick, lease, explanation; for ``waiting``: settlement of the ended run,
  the turn, and the same from the filter on;
- the other event: the report (``idle``) or the queued request (``waiting``). ``pair_mean_s``, the
  sum of both events, compares the two loads;
- a whole job: request, acceptance, two progress reports, usage report; every command encoded.

``turns`` counts placements of queued jobs: none of ``idle``, all of ``waiting``.

References: one ``min()`` in plain Python over as many precomputed numbers, and the plain scan of
every node, which defines the pick, on the same core and state. Other rows: the longest single event
(``support/worst_events``), also of those by which a member could stall all others
(``support/member_events``).

    python -m benchmarks.decisions [--json] [--secs S] [--only PART ...]

Rows: ``nodes, placements_per_s, lifecycles_per_s, p50_s, p99_s, bytes_per_node,
bytes_per_queued_job, queued_jobs, coops, placements, reference_min_per_s,
reference_scan_placements_per_s, reference_ratio, load, turns, other_event_p50_s, pair_mean_s``.
Times are CPU time of one thread, without full garbage collections (``gc.freeze`` after the set-up,
as in the live scheduler).
"""

import gc
import json
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from operator import itemgetter
from statistics import fmean

import msgspec
from benchmarks.support.common import make_parser, print_rows
from benchmarks.support.member_events import WORKLOADS, member_row
from benchmarks.support.requests import make_request
from benchmarks.support.worst_events import COOPS as HELLO_COOPS
from benchmarks.support.worst_events import ZONES, caps_row, hellos_row
from msgspec import Struct, to_builtins

from entraide.types import (
    Basis,
    DataClass,
    EnergyStatus,
    NodeCard,
    Outcome,
    Power,
    Rates,
    Replica,
    RequestFacts,
    SurplusEvidence,
    Usage,
)
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.evaluation import evaluation
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.placement import scan
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_scheduler.core.policy.policy import Limits

SIZES = (10, 1_000, 10_000)
SECS = 12.0  # for each size and each of the two measurements
COOPS = 500
QUEUED = 100_000
WEIGHED_JOBS = 10_000  # queued once more under tracemalloc, to weigh them
BUSY_PART = 0.5  # of the slots
BUSY_MAX = 4_000  # jobs that run throughout
START = 1_800_000_000.0
ASKED, FULL = "asked", "full"
SLOTS = 8  # of each node, of the model ``ASKED``
CAP_TOKENS = 1 << 22  # above what a co-op's part of all slots holds: no cap keeps a slot free
IDLE, WAITING = "idle", "waiting"
PARTS = (IDLE, WAITING, "caps", "hellos", "members")


class Row(Struct, frozen=True):
    """Measurements with one number of nodes."""

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
    reference_scan_placements_per_s: float | None
    reference_ratio: float
    load: str
    turns: int
    other_event_p50_s: float
    pair_mean_s: float


class Timings(Struct, frozen=True):
    """Sorted CPU seconds of placing and other events, and the number of turns."""

    placing_s: list[float]
    other_s: list[float]
    turns: int


def card(number: int) -> NodeCard:
    """Returns one of many different nodes; every eighth has a surplus, every tenth both models."""
    speed = 1.0 + number % 7
    rates = Rates(400.0 * speed, 0.03 / speed, 0.002, Basis.MEASURED)
    asked = Replica(ASKED, "sha256:bench", "bench/1", 8_192, SLOTS, ("tools",), rates)
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
        surplus_evidence=SurplusEvidence.METER,
    )


def facts(number: int, model: str) -> RequestFacts:
    """Returns a request; all are equal."""
    return make_request(
        f"job-{model}-{number}",
        f"coop-{number * 7 % COOPS:03}",
        model,
        project=f"project-{number % 3}",
        input_tokens_est=200 + number % 300,
        input_tokens_max=600,
        output_tokens_max=256,
    )


class CoreBench:
    """A core with its fleet and queue, and a clock that advances with each event.

    Args:
        nodes: of the fleet.
        queued: number of queued jobs.
        load: ``IDLE`` or ``WAITING``; see the module's docstring.
    """

    def __init__(self, nodes: int, queued: int, load: str = IDLE) -> None:
        self.core = Core()
        self.load = load
        self.running: deque[Place] = deque()
        self.encode = msgspec.msgpack.Encoder().encode
        self._ids = count(1)
        self._jobs = count()
        coops = tuple(CoopTerms(f"coop-{number:03}") for number in range(COOPS))
        limits, fair_share = Limits(queued_per_coop=QUEUED), FairShare(CAP_TOKENS)
        policy = Policy("bench", coops, limits=limits, fair_share=fair_share)
        self.feed_event(events.PolicyChanged, policy)
        self.feed_event(events.SchedulerStarted, 1, "gateway")
        for zone, grams in ZONES:
            self.feed_event(events.IntensityChanged, zone, grams, grams, "measured", START + 1e6)
        for number in range(nodes):
            self.feed_event(events.NodeJoined, card(number), True, "")
        if load == WAITING:
            for _ in range(nodes * SLOTS):
                self.run_until_accepted()
            self.queue(queued, ASKED)
            return
        self.queue(queued)
        for _ in range(min(int(nodes * SLOTS * BUSY_PART), BUSY_MAX)):
            self.run_until_accepted()

    def feed_event(self, kind: type[events.Event], *values: object) -> list[Command]:
        """Feeds one event, a microsecond after the last one."""
        number = next(self._ids)
        return self.core.handle(kind(number, START + number * 1e-6, *values))

    def queue(self, jobs: int, model: str = FULL) -> None:
        """Queues jobs for a model whose slots are taken (by the first ones)."""
        for _ in range(jobs):
            number = next(self._jobs)
            for command in self.feed_event(events.JobRequested, facts(number, model)):
                assert isinstance(command, Place)
                self.feed_event(events.RunAccepted, command.job, command.epoch, command.node)

    def run_until_accepted(self) -> None:
        """Runs one job until its acceptance."""
        (place,) = self.feed_event(events.JobRequested, facts(next(self._jobs), ASKED))
        assert isinstance(place, Place)
        self.feed_event(events.RunAccepted, place.job, place.epoch, place.node)
        self.running.append(place)

    def request(self) -> events.JobRequested:
        """Makes the next request."""
        number = next(self._ids)
        return events.JobRequested(number, START + number * 1e-6, facts(next(self._jobs), ASKED))

    def take(self, answers: Sequence[Command], freed: Sequence[Command]) -> int:
        """Processes the commands of a request and of a run's end, one of which placed a job.

        Returns:
            1 where the placement was a turn of the fair queue, 0 where it was the request's own.
        """
        turned = [command for command in freed if isinstance(command, Place)]
        placed = [command for command in answers if isinstance(command, Place)]
        (place,) = placed + turned
        assert bool(turned) == (self.load == WAITING), "the other event placed"
        self.running.append(place)
        return len(turned)

    def finish_job(self, place: Place) -> Iterator[events.Event]:
        """Makes the events with which a node completes a run."""
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


def placements(bench: CoreBench, secs: float) -> Timings:
    """Returns the CPU seconds of pairs of a request and a run's end, one of which places a job."""
    handle, encode, clock = bench.core.handle, bench.encode, time.thread_time
    requests_s: list[float] = []
    ends_s: list[float] = []
    turns = 0
    stop = clock() + secs
    while clock() < stop:
        *run, end = bench.finish_job(bench.running.popleft())
        for event in run:
            handle(event)
        request = bench.request()
        began = clock()
        answers = handle(request)
        encode(answers)
        requests_s.append(clock() - began)
        began = clock()
        freed = handle(end)
        encode(freed)
        ends_s.append(clock() - began)
        turns += bench.take(answers, freed)
    placing_s, other_s = (ends_s, requests_s) if bench.load == WAITING else (requests_s, ends_s)
    return Timings(sorted(placing_s), sorted(other_s), turns)


def lifecycles_per_s(bench: CoreBench, secs: float) -> float:
    """Returns the whole jobs per second of the core; creation of the events is excluded."""
    handle, encode, clock = bench.core.handle, bench.encode, time.thread_time
    lives, took_s = 0, 0.0
    stop = clock() + secs
    while clock() < stop:
        request = bench.request()
        rest = list(bench.finish_job(bench.running.popleft()))
        began = clock()
        answers = handle(request)
        encode(answers)
        freed: list[Command] = []
        for event in rest:
            commands = handle(event)
            encode(commands)
            freed += commands
        took_s += clock() - began
        bench.take(answers, freed)
        lives += 1
    return lives / took_s


def scan_placements_per_s(bench: CoreBench, decision_s: float, secs: float) -> float:
    """Returns the placements per second with a plain scan of every node.

    The plain scan is timed on the same state; the time of the search that it replaces is
    subtracted.
    """
    state = bench.core._state  # noqa: SLF001
    bench.run_until_accepted()
    job = next(reversed(state.jobs.values()))
    wanted = evaluation.make_request(state, job, state.now)
    able = state.fleet.eligible_nodes(job.shape)
    scan_s = _mean_s(lambda: scan(able.views, able.excluded, wanted, state.policy), secs)
    search_s = _mean_s(lambda: evaluation.evaluate_nodes(state, job, wanted), secs)
    return 1.0 / (decision_s - search_s + scan_s)


def _mean_s(call: object, secs: float) -> float:
    calls, began = 0, time.thread_time()
    while time.thread_time() - began < secs:
        call()  # type: ignore[operator]
        calls += 1
    return (time.thread_time() - began) / calls


def min_per_s(nodes: int, secs: float) -> float:
    """Returns how often per second plain Python finds the minimum of ``nodes`` pairs."""
    grams = [((number * 7_919) % nodes, number) for number in range(nodes)]
    return 1.0 / _mean_s(lambda: min(grams, key=itemgetter(0)), secs)


def weigh(nodes: int) -> tuple[int, int]:
    """Returns the bytes per node and per queued job, by ``tracemalloc``."""
    gc.collect()
    tracemalloc.start()
    bench = CoreBench(0, 0)
    empty, _ = tracemalloc.get_traced_memory()
    for number in range(nodes):
        bench.feed_event(events.NodeJoined, card(number), True, "")
    bench.run_until_accepted()
    fleet, _ = tracemalloc.get_traced_memory()
    bench.queue(WEIGHED_JOBS)
    full, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (fleet - empty) // nodes, (full - fleet) // WEIGHED_JOBS


def measure(nodes: int, secs: float, load: str) -> Row:
    """Measures placements on ``nodes`` nodes."""
    node_bytes, job_bytes = weigh(nodes)
    bench = CoreBench(nodes, QUEUED, load)
    gc.collect()
    gc.freeze()
    took = placements(bench, secs)
    lives = lifecycles_per_s(bench, secs)
    mean_s = fmean(took.placing_s)
    reference = min_per_s(nodes, 1.0)
    # Where every slot is taken the scan has no node to look at.
    scanned = scan_placements_per_s(bench, mean_s, 1.0) if load == IDLE else None
    gc.unfreeze()
    return Row(
        nodes=nodes,
        placements_per_s=round(1.0 / mean_s, 1),
        lifecycles_per_s=round(lives, 1),
        p50_s=round(took.placing_s[len(took.placing_s) // 2], 7),
        p99_s=round(took.placing_s[int(len(took.placing_s) * 0.99)], 7),
        bytes_per_node=node_bytes,
        bytes_per_queued_job=job_bytes,
        queued_jobs=QUEUED,
        coops=COOPS,
        placements=len(took.placing_s),
        reference_min_per_s=round(reference, 1),
        reference_scan_placements_per_s=None if scanned is None else round(scanned, 1),
        reference_ratio=round(1.0 / mean_s / reference, 5),
        load=load,
        turns=took.turns,
        other_event_p50_s=round(took.other_s[len(took.other_s) // 2], 7),
        pair_mean_s=round(mean_s + fmean(took.other_s), 7),
    )


def main(arguments: Sequence[str]) -> None:
    """Measures each size and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--secs", type=float, default=SECS, help="seconds for each measurement")
    parser.add_argument("--nodes", type=int, nargs="+", default=SIZES, help="of each fleet")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    options = parser.parse_args(arguments)
    rows = [
        measure(nodes, options.secs, load)
        for load in (IDLE, WAITING)
        if load in options.only
        for nodes in options.nodes
    ]
    worst: list[Struct] = [caps_row()] if "caps" in options.only else []
    if "hellos" in options.only:
        worst += [hellos_row(coops) for coops in HELLO_COOPS]
    if "members" in options.only:
        worst += [member_row(workload) for workload in WORKLOADS]
    if options.json:
        print(json.dumps(to_builtins([*rows, *worst])))
        return
    if rows:
        print_rates(rows)
    print_rows(worst, as_json=False)


def print_rates(rows: Sequence[Row]) -> None:
    """Prints the main figures of each size and load."""
    print(
        f"{'load':>8} {'nodes':>7} {'placed/s':>10} {'turns':>7} {'lives/s':>9} {'p50 us':>8} "
        f"{'p99 us':>8} {'pair us':>8} {'B/job':>7}"
    )
    for row in rows:
        print(
            f"{row.load:>8} {row.nodes:>7} {row.placements_per_s:>10} {row.turns:>7} "
            f"{row.lifecycles_per_s:>9} {row.p50_s * 1e6:>8.1f} {row.p99_s * 1e6:>8.1f} "
            f"{row.pair_mean_s * 1e6:>8.1f} {row.bytes_per_queued_job:>7}"
        )
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
