"""Worst events: the longest time of a single event under two loads.

1. Thousands of jobs with distinct carbon caps wait for a model whose slots are all taken, and runs
   end one by one: each end frees a slot that most caps do not allow.
2. Nodes of one co-op, or of many co-ops, join.
"""

import gc
import time
from itertools import count

from benchmarks.support.requests import make_request
from msgspec import Struct

from entraide.types import (
    Basis,
    DataClass,
    NodeCard,
    Outcome,
    Power,
    Rates,
    Replica,
    RequestFacts,
    Usage,
)
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.core.policy.policy import Limits

MODEL = "full"
START_AT = 1_800_000_000.0
ZONES = (("CA-QC", 1.3), ("CA-ON", 38.0), ("CA-AB", 372.0), ("CA-SK", 640.0), ("CA-MB", 1.4))
GREY_ZONE = 2  # the place in ZONES of the one whose slots open: no cap allows a run there
NODES = 1_000  # of one slot each
CAPS = 5_000
ENDS = 25  # of runs
HELLOS = 10_000
COOPS = (1, 500)


class CapsRow(Struct, frozen=True):
    """Times of events with queued jobs that have distinct carbon caps."""

    benchmark: str
    workload: str
    nodes: int
    distinct_caps: int
    worst_arrival_s: float
    run_ends: int
    worst_run_end_s: float
    mean_run_end_s: float


class HellosRow(Struct, frozen=True):
    """Times of events in which nodes join."""

    benchmark: str
    workload: str
    coops: int
    hellos: int
    cpu_s: float
    worst_hello_s: float


class TimedCore:
    """A core with a clock that advances by a microsecond per event.

    Attributes:
        placed: runs that were placed, oldest first.
        clock: of the durations, seconds.
    """

    def __init__(self, coops: int) -> None:
        self.core = Core()
        self.placed: list[Place] = []
        self.clock = time.perf_counter
        self._ids = count(1)
        terms = tuple(CoopTerms(f"coop-{number:03}") for number in range(coops))
        limits = Limits(queued_per_coop=10 * CAPS)
        self.feed_event(events.PolicyChanged, Policy("bench", terms, limits=limits))
        self.feed_event(events.SchedulerStarted, 1, "gateway")
        for zone, grams in ZONES:
            self.feed_event(events.IntensityChanged, zone, grams, grams, "measured", START_AT + 1e6)

    def feed_event(self, kind: type[events.Event], *values: object) -> float:
        """Delivers one event; returns its duration, seconds."""
        number = next(self._ids)
        event = kind(number, START_AT + number * 1e-6, *values)
        began = self.clock()
        asked: list[Command] = self.core.handle(event)
        took_s = self.clock() - began
        self.placed += [command for command in asked if isinstance(command, Place)]
        return took_s

    def end_run(self, place: Place) -> float:
        """Completes a run; returns the duration of the report, seconds."""
        run = (place.job, place.epoch, place.node)
        self.feed_event(events.RunAccepted, *run)
        used = Usage(
            300, 0, 80, Basis.MEASURED, 20_000, 200_000, Basis.ESTIMATED, ttft_s=0.4, run_s=3.0
        )
        return self.feed_event(events.RunReported, *run, Outcome.COMPLETED, "", False, used)


def make_card(number: int, coop: str) -> NodeCard:
    """Returns a node with one slot."""
    rates = Rates(400.0, 0.03, 0.002, Basis.MEASURED)
    return NodeCard(
        f"node-{number:05}",
        coop,
        f"site-{number}",
        ZONES[number % len(ZONES)][0],
        Power("bench", 20.0, 120.0, Basis.DECLARED),
        (Replica(MODEL, "sha256:bench", "bench/1", 8_192, 1, (), rates),),
        tuple(DataClass),
        None,
        0.01,
        "bench",
    )


def make_facts(number: int, coop: str, *, max_carbon_ug: int | None = None) -> RequestFacts:
    """Returns a request."""
    return make_request(
        f"job-{number}",
        coop,
        MODEL,
        input_tokens_est=300,
        input_tokens_max=400,
        output_tokens_max=128,
        max_carbon_ug=max_carbon_ug,
    )


def caps_row(nodes: int = NODES, caps: int = CAPS, ends: int = ENDS) -> CapsRow:
    """Returns the durations of events while jobs with distinct caps are queued."""
    line = TimedCore(2)
    for number in range(nodes):
        line.feed_event(events.NodeJoined, make_card(number, "coop-000"), True, "")
    for number in range(nodes):
        line.feed_event(events.JobRequested, make_facts(number, "coop-000"))
    grey = {f"node-{number:05}" for number in range(nodes) if number % len(ZONES) == GREY_ZONE}
    runs = [place for place in line.placed if place.node in grey][:ends]
    gc.collect()
    gc.freeze()
    arrivals = [
        line.feed_event(
            events.JobRequested, make_facts(nodes + number, "coop-001", max_carbon_ug=number + 1)
        )
        for number in range(caps)
    ]
    took = [line.end_run(place) for place in runs]
    gc.unfreeze()
    return CapsRow(
        benchmark="decisions",
        workload="distinct_caps",
        nodes=nodes,
        distinct_caps=caps,
        worst_arrival_s=round(max(arrivals), 6),
        run_ends=len(took),
        worst_run_end_s=round(max(took), 6),
        mean_run_end_s=round(sum(took) / len(took), 6),
    )


def hellos_row(coops: int, hellos: int = HELLOS) -> HellosRow:
    """Returns the durations of joins of nodes of ``coops`` co-ops."""
    line = TimedCore(coops)
    gc.collect()
    gc.freeze()
    began = time.process_time()
    took = [
        line.feed_event(events.NodeJoined, make_card(number, f"coop-{number % coops:03}"), True, "")
        for number in range(hellos)
    ]
    cpu_s = time.process_time() - began
    gc.unfreeze()
    return HellosRow(
        benchmark="decisions",
        workload="hellos",
        coops=coops,
        hellos=hellos,
        cpu_s=round(cpu_s, 3),
        worst_hello_s=round(max(took), 6),
    )
