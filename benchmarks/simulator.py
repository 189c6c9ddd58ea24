"""Requests per CPU second of the simulator, with the core and without.

Load: the first 40 minutes of Azure's conversation trace of 2023 (5.9 requests/s) on 1, 2 and 4
nodes of the same total speed, and at 250 times the rate on 1,000 nodes like those four. Without the
published trace, random requests of the same quantiles are used, and the rows say so. Each size runs
with the pool's core and with a trivial scheduler (first come first served, round robin), which
shows the cost of the simulator alone; beside it the whole jobs per second of the core alone
(``decisions``).

    python -m benchmarks.simulator [--json] [--rounds N] [--profile]

Rows: ``Row`` per size; ``LimitsRow`` with the least cost of a virtual second, an event and a
finished job; with ``--profile`` a ``ProfileRow`` per module, by a deterministic profiler. Times are
CPU time of one process, the best of the rounds. References: Vidur (7d47513) and BLIS (f90a1e3) on
the same trace, 1 and 4 instances, measured on a similar machine and not in this run; both model a
GPU in more detail.
"""

import cProfile
import gc
import pstats
import time
import tracemalloc
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from benchmarks.decisions import CoreBench
from benchmarks.support.common import DATA, make_parser, print_rows
from msgspec import Struct

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
from entraide_scheduler.core.events import Event, JobRequested, RunReported, Woke
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_sim.driver import DecisionCore
from entraide_sim.world import Job

# Nodes, how many of them together are as fast as one of the first row, how dense the trace is.
SIZES = ((1, 1, 1.0), (2, 2, 1.0), (4, 4, 1.0), (1_000, 4, 250.0))
ROUNDS = 3
TRACE = "traces/azure_llm_2023_conv_first40min.csv"
SECS = 2_400.0  # of virtual time, where there is no trace
RATE_PER_S = 5.9
PARTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
INPUT = sim.LengthDistribution(PARTS, (2, 220, 396, 1_015, 1_204, 4_074, 4_121, 14_050))
OUTPUT = sim.LengthDistribution(PARTS, (7, 50, 81, 115, 393, 421, 598, 1_000))
START = 1_673_827_200.0
MODEL = "bench"
ZONES = (("CA-QC", 1.3), ("CA-ON", 38.0), ("CA-AB", 372.0))
COOPS = ("alpha", "beta", "gamma")
SLOTS = 48
PUBLISHED = {1: (973.0, 804.0), 4: (543.0, 139.0)}  # Vidur, BLIS
LIVES_SECS = 2.0
WEIGHED_S, TIMES = 360.0, 5
ENTRIES, PENDING = 1_000_000, 1_000  # of the driver alone


class Row(Struct, frozen=True):
    """Measurements with one number of nodes.

    Attributes:
        load: ``azure`` or, without the trace, ``made up``.
        of_core_part: ``requests_per_cpu_s`` over ``core_lifecycles_per_s`` (goal: 0.7).
        world_part_of_core: time of the simulator over that of the core in this run (goal: 0.3).
        of_four_nodes: CPU time of a request over that with 4 nodes (goal: 2).
    """

    nodes: int
    load: str
    requests: int
    requests_per_cpu_s: float
    core_lifecycles_per_s: float
    of_core_part: float
    world_requests_per_cpu_s: float
    world_part_of_core: float
    of_four_nodes: float | None
    events_per_cpu_s: float
    simulated_per_cpu: float
    reference_vidur_requests_per_cpu_s: float | None
    reference_blis_requests_per_cpu_s: float | None


class LimitsRow(Struct, frozen=True):
    """Limits of the simulator's parts.

    Attributes:
        driver_entries_per_s: heap entries that only schedule the next one.
        driver_events_per_s: the same, each delivering an event to a core that does nothing.
        bytes_per_finished_job: growth of memory per finished job without records.
        recorded_bytes_per_job: growth of memory per finished job with records.
    """

    driver_entries_per_s: float
    driver_events_per_s: float
    bytes_per_finished_job: float
    recorded_bytes_per_job: float


class ProfileRow(Struct, frozen=True):
    """Time within one module under the profiler, and calls of its functions.

    Attributes:
        calls: of its functions, per request.
    """

    nodes: int
    module: str
    time_part: float
    calls: float


class RoundRobinScheduler:
    """A trivial scheduler: first come first served, round robin."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._free = deque(list(range(len(names))) * SLOTS)
        self._waiting: deque[RequestFacts] = deque()
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
            facts, index = self._waiting.popleft(), self._free.popleft()
            self._on[facts.job] = index
            name, most = self._names[index], facts.output_tokens_max
            asked.append(Place(event.id, facts.job, 1, name, "sim", most, None, None))  # type: ignore[arg-type]
        return asked

    def next_deadline(self) -> None:
        """Wants never to be woken."""


class NullCore:
    """Decides nothing."""

    def handle(self, event: Event) -> list[Command]:  # noqa: ARG002  (the core's signature)
        """Returns no command."""
        return []

    def next_deadline(self) -> None:
        """Wants never to be woken."""


def card(number: int, like: int) -> NodeCard:
    """Returns one of ``like`` equal machines that together have the speed of one."""
    rates = Rates(80_000.0 / like, 0.003 * like, 0.0001 * like, Basis.MEASURED)
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


def load() -> tuple[str, list[sim.Arrival]]:
    """Returns the trace, or similar random arrivals without it."""
    path: Path = DATA / TRACE
    if path.is_file():
        return "azure", list(sim.read_azure(path))
    windows = sim.steady_rate(RATE_PER_S, SECS, family="poisson")
    return "made up", list(
        sim.generate_arrivals([sim.ClientSpec("all", windows, INPUT, OUTPUT)], seed=1)
    )


def simulate(
    core: DecisionCore,
    size: tuple[int, int, float],
    arrivals: Sequence[sim.Arrival],
) -> tuple[sim.World, float]:
    """Runs a simulation; returns its world and CPU seconds."""
    nodes, like, dense = size
    policy = Policy(
        "bench", tuple(CoopTerms(coop) for coop in COOPS), timing=sim.slow_heartbeat_timing(60.0)
    )
    series = [sim.synthetic_series(zone, grams, start_at=START, hours=240) for zone, grams in ZONES]
    world = sim.World(
        core,
        start_at=START,
        policy=policy,
        nodes=[sim.NodeSpec(card=card(number, like)) for number in range(nodes)],
        grid=sim.Grid(series),
        heartbeat_s=60.0,
        progress_s=5.0,
        recorder=sim.JobRecords(policy),
    )
    denser = [
        sim.Arrival(
            arrival.at_s / dense, arrival.client, arrival.input_tokens, arrival.output_tokens
        )
        for arrival in arrivals
    ]
    gc.collect()
    began = time.process_time()
    world.run(sim.make_requests(denser, sim.RequestTemplate(MODEL), start_at=START, coops=COOPS))
    return world, time.process_time() - began


def lifecycles_per_s(nodes: int) -> float:
    """Returns the whole jobs per CPU second of the core on ``nodes`` nodes."""
    bench = CoreBench(nodes, 0)
    handle, encode, clock = bench.core.handle, bench.encode, time.process_time
    lives, took_s = 0, 0.0
    while took_s < LIVES_SECS:
        event = bench.request()
        rest = list(bench.finish_job(bench.running.popleft()))
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


def measure(rounds: int) -> list[Row]:
    """Measures each size, the rounds of all sizes in turn, and keeps the best of each."""
    name, arrivals = load()
    whole: dict[int, float] = {}
    bare: dict[int, float] = {}
    lives: dict[int, float] = {}
    worlds: dict[int, sim.World] = {}
    for _ in range(rounds):
        for size in SIZES:
            nodes = size[0]
            worlds[nodes], took_s = simulate(Core(), size, arrivals)
            whole[nodes] = min(took_s, whole.get(nodes, took_s))
            names = [f"node-{number:03}" for number in range(nodes)]
            _, took_s = simulate(RoundRobinScheduler(names), size, arrivals)
            bare[nodes] = min(took_s, bare.get(nodes, took_s))
            lives[nodes] = max(lifecycles_per_s(nodes), lives.get(nodes, 0.0))
    rows = []
    for nodes, _, _ in SIZES:
        world, took_s = worlds[nodes], whole[nodes]
        vidur, blis = PUBLISHED.get(nodes, (None, None))
        rows.append(
            Row(
                nodes=nodes,
                load=name,
                requests=world.requests_received,
                requests_per_cpu_s=round(world.requests_received / took_s, 1),
                core_lifecycles_per_s=round(lives[nodes], 1),
                of_core_part=round(world.requests_received / took_s / lives[nodes], 3),
                world_requests_per_cpu_s=round(world.requests_received / bare[nodes], 1),
                world_part_of_core=round(bare[nodes] / (took_s - bare[nodes]), 3),
                of_four_nodes=round(took_s / whole[4], 3),
                events_per_cpu_s=round(world.driver.events_delivered / took_s, 1),
                simulated_per_cpu=round((world.driver.now - START) / took_s, 1),
                reference_vidur_requests_per_cpu_s=vidur,
                reference_blis_requests_per_cpu_s=blis,
            )
        )
    return rows


def entries_per_s(*, with_events: bool) -> float:
    """Returns the heap entries per second of the driver."""
    driver = sim.Driver(NullCore(), start_at=0.0)

    def act(number: int) -> None:
        if with_events:
            driver.deliver(Woke)
        if driver.actions < ENTRIES:
            driver.schedule(driver.now + 1.0, act, number)

    for number in range(PENDING):
        driver.schedule(number / PENDING, act, number)
    began = time.process_time()
    driver.run()
    return driver.actions / (time.process_time() - began)


def bytes_per_job(arrivals: Sequence[sim.Arrival], *, recorded: bool) -> float:
    """Returns the growth of memory per finished job, bytes.

    A part of the trace is played again and again, and the process weighed at the ends of the last
    two times: what is under way, and what the core remembers of the last minutes, is as much then.
    """
    sizes: list[int] = []
    short = [arrival for arrival in arrivals if arrival.at_s < WEIGHED_S]
    ends = ((TIMES - 1) * len(short), TIMES * len(short))

    class Weighed(sim.JobRecords):
        """Records that weigh the process at those ends, and keep rows only if asked."""

        jobs_recorded = 0

        def __call__(self, job: Job) -> None:
            self.jobs_recorded += 1
            if recorded:
                super().__call__(job)
            if self.jobs_recorded in ends:
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])

    policy = Policy(
        "bench", tuple(CoopTerms(coop) for coop in COOPS), timing=sim.slow_heartbeat_timing(60.0)
    )
    series = [sim.synthetic_series(zone, grams, start_at=START, hours=240) for zone, grams in ZONES]
    again = sim.repeat_trace(short, period_s=WEIGHED_S, until_s=TIMES * WEIGHED_S)
    asked = sim.make_requests(again, sim.RequestTemplate(MODEL), start_at=START, coops=COOPS)
    tracemalloc.start()
    world = sim.World(
        Core(),
        start_at=START,
        policy=policy,
        nodes=[sim.NodeSpec(card=card(number, 4)) for number in range(4)],
        grid=sim.Grid(series),
        heartbeat_s=60.0,
        progress_s=5.0,
        recorder=Weighed(policy),
    )
    world.run(asked)
    tracemalloc.stop()
    return (sizes[1] - sizes[0]) / (ends[1] - ends[0])


def limits(rounds: int) -> LimitsRow:
    """Measures the limits of the parts."""
    _, arrivals = load()
    return LimitsRow(
        round(max(entries_per_s(with_events=False) for _ in range(rounds)), 1),
        round(max(entries_per_s(with_events=True) for _ in range(rounds)), 1),
        round(bytes_per_job(arrivals, recorded=False), 1),
        round(bytes_per_job(arrivals, recorded=True), 1),
    )


def profile() -> list[ProfileRow]:
    """Returns the time by module with 4 nodes and with 1,000."""
    _, arrivals = load()
    rows = []
    for size in (SIZES[2], SIZES[3]):
        profiler = cProfile.Profile()
        profiler.enable()
        world, _ = simulate(Core(), size, arrivals)
        profiler.disable()
        took_s: Counter[str] = Counter()
        calls: Counter[str] = Counter()
        for (file, _, _), (_, called, own_s, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
            module = "/".join(Path(file).parts[-3:]) if "entraide" in file else "Python itself"
            took_s[module] += own_s
            calls[module] += called
        whole_s = took_s.total()
        rows += [
            ProfileRow(
                size[0],
                module,
                round(own_s / whole_s, 3),
                round(calls[module] / world.requests_received, 1),
            )
            for module, own_s in took_s.most_common()
            if own_s / whole_s >= 0.005
        ]
    return rows


def main() -> None:
    """Measures each size and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the best of which counts")
    parser.add_argument("--profile", action="store_true", help="which modules take the time")
    options = parser.parse_args()
    rows: list[Struct] = [*measure(options.rounds), limits(options.rounds)]
    if options.profile:
        rows += profile()
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main()
