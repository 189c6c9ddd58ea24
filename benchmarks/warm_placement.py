"""Placement by what machines have already read, simulated over a published trace of conversations.

The load is Mooncake's conversations (the first 40 minutes; prompts of more than 24,000 tokens are
left out), thinned by whole families of prefixes to a part of what the fleet can do without any
reuse. The root of a family is its partition: nothing is shared across families. Each family belongs
to one of three co-ops. The fleet has two machines each of four devices, with the published figures
of the hardware catalogue for an 8B model, in one zone of one intensity.

Schedulers:

- ``off``: the pool's own, with engines that keep nothing;
- ``unaware``: the pool's own, with engines that keep prompts and a scheduler that does not know;
- ``pool``: the pool's own, which knows what machines need not read;
- ``least_loaded``: the smallest share of slots in use, with engines that keep prompts;
- ``affinity``: each family stays on the machine of its first request, whatever its load; a new one
  goes to the machine with the fewest open requests.

    python -m benchmarks.warm_placement [--json] [--loads PART ...] [--held TOKENS] [--seed N]
        [--only SCHEDULER ...]

Rows: ``load`` (part of the fleet's capacity), ``scheduler``, ``requests``, ``completed``, time to
first token ``ttft_p50_s`` and ``ttft_p95_s``, added energy ``energy_wh``, ``cached_part`` of the
prompt tokens and the largest part that a single unbounded machine could have (``shared_part``),
``service_parts`` of each co-op (of all virtual tokens, cached ones as the policy counts them)
beside ``asked_parts`` (of all tokens asked for), and ``busiest_part``, the part of the requests on
the machine that ran most.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from benchmarks.support.common import data_path, make_parser, print_rows
from benchmarks.support.devices import MODEL, make_card, read_catalogue
from benchmarks.support.sampled_loads import work_model
from msgspec import Struct, structs

from entraide.types import JobClass
from entraide_scheduler.core.commands import Command, EndJob
from entraide_scheduler.core.events import Event, JobRequested
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import (
    DEFAULT_CLASSES,
    CoopTerms,
    Picker,
    Policy,
    PrefixTerms,
)
from entraide_sim import (
    SERVER,
    Arrival,
    Grid,
    JobRecords,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
    read_mooncake,
    sample_trace,
    slow_heartbeat_timing,
    summarize_run,
)
from entraide_sim.workload import make_rng
from entraide_sim.workload.arrivals import prefix_families

TRACE = "traces/mooncake_conversation_first40min.jsonl"
TRACE_S = 2_400.0
BLOCK_TOKENS = 512  # of the trace
INPUT_MAX = 24_000
DEVICES = ("rtx-4090-24", "l4-24", "rtx-3060-12", "dgx-spark-128")
MACHINES = 2  # of each
SLOTS = 4
HELD_TOKENS = 131_072  # of prompts that a machine keeps: 17 GB of an 8B model's states
TTFT_S = 10.0  # promised: prompts are long
COOPS = ("alpha", "beta", "gamma")
START_AT = 1_700_000_000.0
G_PER_KWH = 30.0
HEARTBEAT_S, PROGRESS_S = 10.0, 5.0
SCHEDULERS = ("off", "unaware", "pool", "least_loaded", "affinity")
LOADS = (0.1, 0.6, 0.9)


class Row(Struct, frozen=True):
    """One scheduler under one load; the module names the fields."""

    load: float
    scheduler: str
    requests: int
    completed: int
    ttft_p50_s: float
    ttft_p95_s: float
    energy_wh: float
    cached_part: float
    shared_part: float
    service_parts: dict[str, float]
    asked_parts: dict[str, float]
    busiest_part: float


class AffinityCore:
    """A core that gets each conversation for the machine of its first request alone.

    Each machine has a zone of its own; a request is given its machine's zone as jurisdiction.
    """

    def __init__(self, zones: Iterable[str]) -> None:
        self._core = Core()
        self._open = dict.fromkeys(zones, 0)
        self._zone_of: dict[str, str] = {}  # by family
        self._jobs: dict[str, str] = {}

    def handle(self, event: Event) -> list[Command]:
        """Handles one event and returns its commands."""
        if isinstance(event, JobRequested):
            facts = event.facts
            least = min(self._open, key=lambda zone: (self._open[zone], zone))
            zone = self._zone_of.setdefault(facts.session, least)
            self._open[zone] += 1
            self._jobs[facts.job] = zone
            event = structs.replace(event, facts=structs.replace(facts, jurisdiction=zone))
        commands = self._core.handle(event)
        for command in commands:
            if isinstance(command, EndJob) and command.job in self._jobs:
                self._open[self._jobs.pop(command.job)] -= 1
        return commands

    def next_deadline(self) -> float | None:
        """Returns the next wake-up time, seconds since the epoch."""
        return self._core.next_deadline()


def fleet(held_tokens: int) -> list[NodeSpec]:
    """Returns the machines, each with a zone of its own."""
    specs = []
    for number in range(MACHINES * len(DEVICES)):
        device = read_catalogue()[DEVICES[number % len(DEVICES)]]
        card = make_card(
            device,
            node=f"node-{number}",
            coop=COOPS[number % len(COOPS)],
            zone=f"CA-QC-{number}",
            slots=SLOTS,
            rtt_s=0.01,
        )
        specs.append(
            NodeSpec(
                card=card,
                curve=SERVER,
                prefix_tokens=held_tokens,
                prefix_block_tokens=BLOCK_TOKENS,
            )
        )
    return specs


@cache
def read_trace() -> tuple[Arrival, ...]:
    """Returns the trace's conversations: a session and blocks of its own for each family."""
    trace = [
        arrival for arrival in read_mooncake(data_path(TRACE)) if arrival.input_tokens <= INPUT_MAX
    ]
    numbers: dict[tuple[int, int], int] = {}
    arrivals = []
    for arrival, family in zip(trace, prefix_families(trace), strict=True):
        blocks = [numbers.setdefault((family, key), len(numbers) + 1) for key in arrival.prefix]
        arrivals.append(structs.replace(arrival, session=f"family-{family}", prefix=tuple(blocks)))
    return tuple(arrivals)


def per_s(specs: Sequence[NodeSpec], trace: Sequence[Arrival]) -> float:
    """Returns the requests per second of a trace that the fleet's full batches serve."""
    inputs = float(np.mean([arrival.input_tokens for arrival in trace]))
    outputs = float(np.mean([arrival.output_tokens for arrival in trace]))
    devices = [read_catalogue()[spec.card.power.device] for spec in specs]
    return sum(1.0 / work_model(device, SLOTS)(inputs, outputs) for device in devices)


def arrivals_at(load: float, seed: int) -> list[Arrival]:
    """Returns the trace thinned to a part of the fleet's capacity, each family with its co-op."""
    trace = read_trace()
    keep = load * per_s(fleet(0), trace) * TRACE_S / len(trace)
    assert keep <= 1.0, "the trace has too few requests for this load"
    draws = make_rng(seed, 1)
    coops: dict[str, str] = {}
    kept = []
    for arrival in sample_trace(trace, keep=keep, seed=seed):
        if arrival.session not in coops:
            coops[arrival.session] = COOPS[int(draws.integers(len(COOPS)))]
        kept.append(structs.replace(arrival, client=coops[arrival.session]))
    return kept


def shared_part(arrivals: Sequence[Arrival]) -> float:
    """Returns the part of the prompt tokens that came before in the same family."""
    read: set[int] = set()
    shared = 0
    for arrival in arrivals:
        known = sum(key in read for key in arrival.prefix)
        shared += min(known * BLOCK_TOKENS, arrival.input_tokens - 1)
        read.update(arrival.prefix)
    return shared / sum(arrival.input_tokens for arrival in arrivals)


def simulate(scheduler: str, load: float, held_tokens: int, seed: int) -> Row:
    """Simulates one scheduler under one load."""
    arrivals = arrivals_at(load, seed)
    specs = fleet(0 if scheduler == "off" else held_tokens)
    zones = [spec.card.zone for spec in specs]
    interactive = {JobClass.INTERACTIVE: TTFT_S}
    policy = Policy(
        scheduler,
        tuple(CoopTerms(coop) for coop in COOPS),
        classes=tuple(
            structs.replace(terms, ttft_s=interactive.get(terms.job_class), max_wait_s=0.0)
            for terms in DEFAULT_CLASSES
        ),
        timing=slow_heartbeat_timing(HEARTBEAT_S),
        picker=Picker.LEAST_LOADED
        if scheduler in ("least_loaded", "affinity")
        else Picker.GREENEST,
        prefix=PrefixTerms(enabled=scheduler not in ("off", "unaware")),
    )
    records = JobRecords(policy)
    world = World(
        AffinityCore(zones) if scheduler == "affinity" else Core(),
        start_at=START_AT,
        policy=policy,
        nodes=specs,
        grid=Grid(
            [constant_series(zone, G_PER_KWH, start_at=START_AT, hours=48) for zone in zones]
        ),
        seed=seed,
        heartbeat_s=HEARTBEAT_S,
        progress_s=PROGRESS_S,
        recorder=records,
    )
    coop_of = {coop: coop for coop in COOPS}
    template = RequestTemplate(MODEL, output_tokens_max=0)
    world.run(
        make_requests(
            arrivals, template, start_at=START_AT, coop_of=coop_of, coops=COOPS, seed=seed
        )
    )
    summary = summarize_run(records, world)
    table = records.columns()
    nodes = Counter(name for name in table["node"].tolist() if name)
    return Row(
        load,
        scheduler,
        len(arrivals),
        summary["completed"],
        summary["ttft_s"]["p50"],
        summary["ttft_s"]["p95"],
        summary["energy_wh"],
        float(table["cached_tokens"].sum() / table["input_tokens"].sum()),
        shared_part(arrivals),
        _parts(table, policy.prefix.cached_token_part, policy.charge.output_weight),
        _asked_parts(arrivals),
        max(nodes.values()) / nodes.total(),
    )


def _parts(
    table: dict[str, np.ndarray], cached_part: float, output_weight: float
) -> dict[str, float]:
    """Returns the part of each co-op in the virtual tokens served."""
    cached = table["cached_tokens"]
    tokens = table["input_tokens"] - cached + cached * cached_part
    tokens = tokens + output_weight * table["output_tokens"]
    tokens = np.where(table["first_at"] > 0.0, tokens, 0.0)
    total = float(tokens.sum())
    return {coop: float(tokens[table["coop"] == coop].sum()) / total for coop in COOPS}


def _asked_parts(arrivals: Sequence[Arrival]) -> dict[str, float]:
    """Returns the part of each co-op in the tokens asked for."""
    tokens: Counter[str] = Counter()
    for arrival in arrivals:
        tokens[arrival.client] += arrival.input_tokens + arrival.output_tokens
    return {coop: tokens[coop] / tokens.total() for coop in COOPS}


def main(arguments: Sequence[str]) -> None:
    """Simulates and prints the rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--loads", nargs="+", type=float, default=LOADS, metavar="PART")
    parser.add_argument("--held", type=int, default=HELD_TOKENS, help="tokens that a machine keeps")
    parser.add_argument("--seed", type=int, default=1, help="of all luck")
    parser.add_argument(
        "--only", nargs="+", choices=SCHEDULERS, default=SCHEDULERS, metavar="SCHEDULER"
    )
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", file=sys.stderr)
    rows = [
        simulate(scheduler, load, options.held, options.seed)
        for load in options.loads
        for scheduler in options.only
    ]
    print_rows(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
