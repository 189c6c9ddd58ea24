"""VTC simulation: a node like the VTC artifact's, and a workload run on it under any scheduler.

As in the artifact, the node's memory test knows the length of each answer and schedulers do not.
The node offers as many slots as sequences of the workload fit in its memory. The node belongs to a
co-op without requests, so that no co-op is owed turns on its own nodes.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil

from benchmarks.support.vtc_metrics import REFUSED, Response
from benchmarks.support.vtc_workloads import POOL_TOKENS
from msgspec import Struct, structs

from entraide.types import Basis, DataClass, JobState, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.events import Event, NodeBeat, RunProgressed
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_sim import (
    Arrival,
    Grid,
    Job,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
)
from entraide_sim.driver import DecisionCore
from entraide_sim.machines import Run
from entraide_sim.machines.engine import Engine
from entraide_sim.machines.hardware import EngineParameters
from entraide_sim.workload import Request

START_AT = 1_750_000_000.0
MODEL, ZONE, HOST = "llama", "CA-QC", "host"
OUTPUT_TOKENS_MAX = 1_024  # limit of every request: answer lengths are unknown
CONTEXT_TOKENS = 2_048
CHUNK_TOKENS = 512
HOURS = 24
NOISE = 0.02  # of each phase's time: another seed is another luck, for a trace too
CAP_TOKENS = (
    131_072  # more than the largest node's slots can hold: what the cap is for is many nodes
)
HEARTBEAT_S = 1.0
PROGRESS_S = 0.5  # how often a node agent says how far a run is

# Llama-2-7b on an A10G in the artifact: about 890 tokens/s on "overload".
SMALL = Rates(3_000.0, 0.0295, 0.00045, Basis.MEASURED)
# Llama-2-13b on an A100: 26 GB of weights at 1.55 TB/s, then the batch's KV.
LARGE = Rates(7_000.0, 0.022, 0.00034, Basis.MEASURED)

SchedulerFactory = Callable[[Mapping[str, int]], DecisionCore]


class VtcNode(Struct, frozen=True):
    """Parameters of a node.

    Attributes:
        rates: speed.
        pool_tokens: KV cache capacity.
        slots: offered slots.
    """

    rates: Rates
    pool_tokens: int
    slots: int

    def spec(self) -> NodeSpec:
        """Returns the node."""
        replica = Replica(
            MODEL, "sha256:bench", "bench/1", CONTEXT_TOKENS, self.slots, (), self.rates
        )
        power = Power("bench", 50.0, 300.0, Basis.MEASURED)
        classes = tuple(DataClass)
        card = NodeCard("node", HOST, "home", ZONE, power, (replica,), classes, None, 0.0, "bench")
        return NodeSpec(
            card=card, pool_tokens=self.pool_tokens, chunk_tokens=CHUNK_TOKENS, noise=NOISE
        )


def size_node(arrivals: Sequence[Arrival], pool_tokens: int) -> VtcNode:
    """Returns the node for a workload, with as many slots as sequences fit in its memory.

    That is the mean batch size, rounded up, if all requests are queued from the start and only the
    memory limits the batch, first come first served, until half of them have ended.
    """
    rates = SMALL if pool_tokens <= POOL_TOKENS else LARGE
    most = len(arrivals)
    free = (0.0,) * (most + 1)
    engine = Engine(EngineParameters(rates, most, CHUNK_TOKENS, pool_tokens, 0.0, free), at=0.0)
    for number, arrival in enumerate(arrivals):
        tokens = arrival.input_tokens, 0, arrival.output_tokens, arrival.output_tokens
        engine.add_run(Run(str(number), 1, *tokens, 0.0), 0.0, 0.0)
    at = 0.0
    while engine.run_count > most // 2:
        at = engine.next_at
        engine.account_energy(at, 0.0)
        engine.advance(at)
    return VtcNode(rates, pool_tokens, ceil(engine.batch_s / at))


class KnownLengthScheduler:
    """A scheduler whose placements pass the true answer lengths to the node.

    The artifact's engine knows answer lengths for its memory test; the inner scheduler does not.
    """

    def __init__(self, inner: DecisionCore, lengths: Mapping[str, int]) -> None:
        self._inner = inner
        self._lengths = lengths

    def handle(self, event: Event) -> list[Command]:
        """Takes in one event and returns the commands that follow."""
        return [self._told(command) for command in self._inner.handle(event)]

    def _told(self, command: Command) -> Command:
        if not isinstance(command, Place):
            return command
        return structs.replace(command, output_tokens_max=self._lengths[command.job])

    def next_deadline(self) -> float | None:
        """Returns when the scheduler wants to be woken."""
        return self._inner.next_deadline()


def make_policy(coops: Mapping[str, float], fair_share: FairShare | None = None) -> Policy:
    """Returns the default policy with the weight of each co-op."""
    terms = tuple(CoopTerms(coop, shares=weight) for coop, weight in sorted(coops.items()))
    return Policy(
        "bench", (*terms, CoopTerms(HOST)), fair_share=fair_share or FairShare(CAP_TOKENS)
    )


def client_requests(arrivals: Sequence[Arrival]) -> list[Request]:
    """Returns the requests of arrivals; each client is a co-op."""
    names = {arrival.client: arrival.client for arrival in arrivals}
    template = RequestTemplate(MODEL, output_tokens_max=OUTPUT_TOKENS_MAX)
    return list(make_requests(arrivals, template, start_at=START_AT, coop_of=names))


def serve_requests(
    asked: Sequence[Request], make: SchedulerFactory, *, policy: Policy, machine: VtcNode, seed: int
) -> list[Response]:
    """Serves requests on one node until all have ended; returns the responses in that order.

    Args:
        asked: in order of time.
        make: returns the scheduler, given the true answer lengths by job (for an oracle).
        policy: of the pool.
        machine: the node.
        seed: of the node's noise.
    """
    responses: list[Response] = []
    lengths = {request.facts.job: request.output_tokens for request in asked}
    world = World(
        KnownLengthScheduler(make(lengths), lengths),
        start_at=START_AT,
        policy=policy,
        nodes=[machine.spec()],
        grid=Grid([constant_series(ZONE, 1.3, start_at=START_AT, hours=HOURS)]),
        seed=seed,
        heartbeat_s=HEARTBEAT_S,
        progress_s=PROGRESS_S,
        recorder=lambda job: responses.append(job_response(job)),
    )
    world.run(asked)
    assert len(responses) == len(asked), "a request was lost"
    assert not world.dropped_messages, world.dropped_messages
    return responses


def progress_of(event: RunProgressed | NodeBeat) -> list[tuple[str, int]]:
    """Returns the output tokens of each run, by job, that an event reports."""
    if isinstance(event, RunProgressed):
        return [(event.job, event.output_tokens)]
    return [(job, output_tokens) for job, _, output_tokens in event.runs]


def job_response(job: Job) -> Response:
    """Returns the response of a finished job."""
    request = job.request
    at = request.at
    done = job.state is JobState.COMPLETED
    return Response(
        request.facts.coop,
        request.input_tokens,
        request.output_tokens,
        at - START_AT,
        job.first_at - at if done else REFUSED,
        job.end_at - at if done else REFUSED,
    )
