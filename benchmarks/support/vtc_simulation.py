"""One node like the VTC artifact's, and a run of a workload on it under any scheduler.

Decides the node, the policy and what is kept of a run. As in the artifact, the node's memory test
knows how long each answer will be, while schedulers do not; the slots that the node offers are as
many sequences as that memory holds of the workload at hand, so that what a scheduler sees and what
the memory allows agree. The node belongs to a co-op of its own that asks for nothing, so that
nobody is owed anything by its own machines. It refuses to know how a scheduler decides.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil

from benchmarks.support.vtc_metrics import REFUSED, Response
from benchmarks.support.vtc_workloads import POOL_TOKENS
from msgspec import Struct, structs

from entraide.types import Basis, DataClass, JobState, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_sim import (
    Arrival,
    Driver,
    Grid,
    Job,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    make_requests,
)
from entraide_sim.driver import DecisionCore
from entraide_sim.engine import Engine
from entraide_sim.hardware import Hardware, Run
from entraide_sim.workload import Request

START_AT = 1_750_000_000.0
MODEL, ZONE, HOST = "llama", "CA-QC", "host"
OUTPUT_TOKENS_MAX = 1_024  # what every client asks for at most: nobody knows an answer's length
CONTEXT_TOKENS = 2_048
CHUNK_TOKENS = 512
HOURS = 24
NOISE = 0.02  # of each phase's time: another seed is another luck, for a trace too
CAP_TOKENS = (
    131_072  # more than the largest node's slots can hold: what the cap is for is many nodes
)
HEARTBEAT_S = 1.0
PROGRESS_S = 1.0  # how often a node agent says how far a run is

# Llama-2-7b on an A10G in the artifact: about 890 tokens/s on "overload".
SMALL = Rates(3_000.0, 0.0295, 0.00045, Basis.MEASURED)
# Llama-2-13b on an A100: 26 GB of weights at 1.55 TB/s, then the batch's KV.
LARGE = Rates(7_000.0, 0.022, 0.00034, Basis.MEASURED)

SchedulerFactory = Callable[[Mapping[str, int]], DecisionCore]


class VtcNode(Struct, frozen=True):
    """What a node is made of.

    Attributes:
        rates: its speed.
        pool_tokens: its KV memory.
        slots: sequences that it offers to run at once.
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
    """Returns the node for a workload: one that offers as many slots as its memory holds.

    That is the mean batch when all requests wait from the start and memory alone decides, first
    come first served, until half of them are over; rounded up.
    """
    rates = SMALL if pool_tokens <= POOL_TOKENS else LARGE
    most = len(arrivals)
    free = (0.0,) * (most + 1)
    engine = Engine(Hardware(rates, most, CHUNK_TOKENS, pool_tokens, 0.0, free), at=0.0)
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
    """A scheduler whose placements tell the node how long answers will be, and nobody else.

    The artifact asks its engine for exactly as many tokens as an answer has, so that its memory
    test knows them. The scheduler inside never sees it.
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
    """Returns a policy that gives each co-op its weight, and nothing else out of the ordinary."""
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
    """Serves requests on one node until all are over; returns what became of them, as they end.

    Args:
        asked: in order of time.
        make: returns the scheduler, given the true answers' lengths by job (for an oracle).
        policy: told to the scheduler.
        machine: what serves them.
        seed: of the machine's luck.
    """
    responses: list[Response] = []
    lengths = {request.facts.job: request.output_tokens for request in asked}
    world = World(
        Driver(KnownLengthScheduler(make(lengths), lengths), start_at=START_AT),
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


def job_response(job: Job) -> Response:
    """Returns what became of a request."""
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
