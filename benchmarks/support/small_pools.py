"""Small pools: a burst on a few new machines, timed by one model for the core and for brute force.

A pool has two to four machines in grid zones of different intensity and gets three to six
interactive requests within seconds, fewer than it has slots; no answer ends meanwhile. A machine
reads its prompts one after the other. The true times are those of the machine's card, multiplied by
a factor of the machine and one of the request, which neither the core nor its margins know. Energy
and emissions are those that the core predicts: linear in tokens, a step shared by the batch.

``place_jobs`` lets the core place the burst, and tells it of first tokens at their true times.
``best_assignment`` tries every assignment, with all true times known.
"""

import heapq
from collections.abc import Sequence
from itertools import count
from math import inf
from random import Random
from typing import NamedTuple

from benchmarks.support.requests import make_request
from msgspec import Struct

from entraide.types import Basis, DataClass, NodeCard, Power, Rates, Replica
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.estimation import LengthPredictor, PerformanceModel
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Policy

START = 1_800_000_000.0
MODEL, COOP = "model", "alpha"
OBJECTIVE_S = 2.0  # promised time to the first token
OUTPUT_TOKENS_MAX = 1_024
OUTPUT_TOKENS = LengthPredictor().output_tokens(COOP, MODEL, at_most=OUTPUT_TOKENS_MAX)
# Mean direct intensities of 2023, g/kWh; those of Manitoba, British Columbia and New Brunswick are
# published forecasts.
ZONES = {
    "CA-QC": 1.7,
    "CA-MB": 13.3,
    "CA-BC": 29.9,
    "CA-ON": 46.9,
    "CA-NB": 110.7,
    "CA-AB": 339.4,
}
MACHINES, JOBS = (2, 4), (3, 6)
SLOTS = (2, 4)
PREFILL_TOKENS_PER_S = (500.0, 1_000.0, 2_000.0)
TPOT_S = (0.015, 0.03, 0.06)
EXTRA_W = (30.0, 100.0, 300.0)
TOKENS = (50, 1_000)  # of a prompt
WITHIN_S = 1.0  # all requests come within this time
MACHINE_DEVIATION, JOB_DEVIATION = 0.05, 0.1  # of the logarithms of the true factors


class Machine(NamedTuple):
    """A machine, the intensity of its zone, and its true times by those of its card."""

    card: NodeCard
    model: PerformanceModel
    g_per_kwh: float
    factor: float


class Ask(NamedTuple):
    """A request: seconds from the start, its prompt, and its own factor on the true times."""

    at_s: float
    input_tokens: int
    factor: float


class SmallPool(NamedTuple):
    """A pool and its burst."""

    machines: tuple[Machine, ...]
    asks: tuple[Ask, ...]


class MachineLoad(NamedTuple):
    """When a machine will have read its prompts, seconds from the start, and its runs."""

    read_s: float = 0.0
    runs: int = 0


class Outcome(Struct, frozen=True):
    """Result of a burst: late first words, and micrograms."""

    late: int
    carbon_ug: float


def draw_pool(seed: int) -> SmallPool:
    """Returns a pool; the same seed gives the same pool."""
    draw = Random(seed)
    while True:
        machines = tuple(_draw_machine(draw, number) for number in range(draw.randint(*MACHINES)))
        jobs = draw.randint(*JOBS)
        if sum(machine.model.slots for machine in machines) >= jobs:
            break
    times = sorted(draw.uniform(0.0, WITHIN_S) for _ in range(jobs))
    asks = tuple(
        Ask(at_s, draw.randint(*TOKENS), draw.lognormvariate(0.0, JOB_DEVIATION)) for at_s in times
    )
    return SmallPool(machines, asks)


def _draw_machine(draw: Random, number: int) -> Machine:
    zone = draw.choice(list(ZONES))
    tpot_s, slots = draw.choice(TPOT_S), draw.randint(*SLOTS)
    rates = Rates(draw.choice(PREFILL_TOKENS_PER_S), 0.8 * tpot_s, 0.2 * tpot_s, Basis.DEFAULT)
    extra_w = draw.choice(EXTRA_W)
    card = NodeCard(
        node=f"node-{number}",
        coop=COOP,
        site=f"site-{number}",
        zone=zone,
        power=Power("drawn", 20.0, 20.0 + extra_w, Basis.DECLARED),
        replicas=(Replica(MODEL, "sha256:drawn", "drawn/1", 8_192, slots, (), rates),),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=0.02,
        agent="benchmark",
    )
    model = PerformanceModel.prior(rates, extra_w=extra_w, slots=slots)
    return Machine(card, model, ZONES[zone], draw.lognormvariate(0.0, MACHINE_DEVIATION))


def add_run(machine: Machine, load: MachineLoad, ask: Ask) -> tuple[float, float, MachineLoad]:
    """Adds a run to a machine; returns its true first token (seconds from the start) and grams.

    Returns:
        The moment, micrograms, and the load with the run.
    """
    model = machine.model
    token_s = model.prefill_s_per_token + model.steps_per_token * model.step_s(load.runs)
    read_s = (model.start_s + ask.input_tokens * token_s) * machine.factor * ask.factor
    done_s = max(ask.at_s, load.read_s) + read_s
    output_uwh = model.step_uwh / (load.runs + 1) + model.token_uwh
    energy_uwh = ask.input_tokens * model.prefill_uwh_per_token + OUTPUT_TOKENS * output_uwh
    carbon_ug = energy_uwh * machine.g_per_kwh / 1_000
    return done_s + machine.card.rtt_s, carbon_ug, MachineLoad(done_s, load.runs + 1)


def outcome_of(pool: SmallPool, assignment: Sequence[int]) -> Outcome:
    """Returns the result of an assignment, which has the index of a machine for each request."""
    loads = [MachineLoad() for _ in pool.machines]
    late, carbon_ug = 0, 0.0
    for ask, place in zip(pool.asks, assignment, strict=True):
        first_s, run_ug, loads[place] = add_run(pool.machines[place], loads[place], ask)
        late += first_s - ask.at_s > OBJECTIVE_S
        carbon_ug += run_ug
    return Outcome(late, carbon_ug)


def best_assignment(pool: SmallPool) -> Outcome:
    """Returns the least emissions among all assignments with the fewest late first words."""
    best = (len(pool.asks) + 1, inf)

    def search(number: int, loads: tuple[MachineLoad, ...], late: int, carbon_ug: float) -> None:
        nonlocal best
        if (late, carbon_ug) >= best:
            return
        if number == len(pool.asks):
            best = late, carbon_ug
            return
        ask = pool.asks[number]
        for place, (machine, load) in enumerate(zip(pool.machines, loads, strict=True)):
            if load.runs < machine.model.slots:
                first_s, run_ug, after = add_run(machine, load, ask)
                search(
                    number + 1,
                    (*loads[:place], after, *loads[place + 1 :]),
                    late + (first_s - ask.at_s > OBJECTIVE_S),
                    carbon_ug + run_ug,
                )

    search(0, tuple(MachineLoad() for _ in pool.machines), 0, 0.0)
    return Outcome(*best)


def place_jobs(pool: SmallPool, policy: Policy) -> list[int]:
    """Returns the assignment that the core makes, request by request."""
    core, ids = Core(), count(1)

    def feed(kind: type[events.Event], at_s: float, *values: object) -> list[Command]:
        return core.handle(kind(next(ids), START + at_s, *values))

    feed(events.PolicyChanged, 0.0, policy)
    feed(events.SchedulerStarted, 0.0, 1, "gateway")
    for zone, grams in ZONES.items():
        feed(events.IntensityChanged, 0.0, zone, grams, grams, "measured", START + 1e6)
    for machine in pool.machines:
        feed(events.NodeJoined, 0.0, machine.card, True, "")
    names = [machine.card.node for machine in pool.machines]
    loads = [MachineLoad() for _ in names]
    firsts: list[tuple[float, str, int, str]] = []  # first tokens to come
    assignment = []
    for number, ask in enumerate(pool.asks):
        while firsts and firsts[0][0] <= ask.at_s:
            first_s, *run = heapq.heappop(firsts)
            feed(events.RunProgressed, first_s, *run, 1)
        request = make_request(
            f"job-{number}",
            COOP,
            MODEL,
            input_tokens_est=ask.input_tokens,
            input_tokens_max=ask.input_tokens,
            output_tokens_max=OUTPUT_TOKENS_MAX,
        )
        (placed,) = feed(events.JobRequested, ask.at_s, request)
        assert isinstance(placed, Place)
        feed(events.RunAccepted, ask.at_s, placed.job, placed.epoch, placed.node)
        place = names.index(placed.node)
        first_s, _, loads[place] = add_run(pool.machines[place], loads[place], ask)
        heapq.heappush(firsts, (first_s, placed.job, placed.epoch, placed.node))
        assignment.append(place)
    return assignment
