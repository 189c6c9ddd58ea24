"""Workload: requests made of arrivals.

Assigns each client to a co-op and adds what a request asks for: model, class, data class, deadline,
limits. A recorded request keeps its recorded values.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

import msgspec
from msgspec import Struct

from entraide.types import DataClass, JobClass, JobKind, RequestFacts
from entraide_sim.arrivals import Arrival, make_rng

GATEWAY = "sim"


class Request(Struct, frozen=True, gc=False):
    """A request and what only the world knows of it.

    Attributes:
        at: when it comes, seconds since the epoch.
        facts: what the pool learns.
        input_tokens, output_tokens: true lengths.
        patience_s: after so long its client goes away; None when it never does.
    """

    at: float
    facts: RequestFacts
    input_tokens: int
    output_tokens: int
    patience_s: float | None = None


class RequestTemplate(Struct, frozen=True):
    """What requests of one workload ask for.

    Attributes:
        model: public model name; "" for what was recorded.
        job_class, data_class, jurisdiction, features, kind: as in ``RequestFacts``.
        output_tokens_max: the client's limit; None takes the true length (a client that knows),
            0 sets none (the policy's default then cuts longer answers).
        deadline_s: from arrival to the end of the last acceptable completion.
        max_carbon_ug: cap for each job.
        patience_s: as in ``Request``.
        project: within the co-op.
        estimate_factor: factor from true to estimated prompt tokens.
    """

    model: str
    job_class: JobClass = JobClass.INTERACTIVE
    data_class: DataClass = DataClass.INTERNAL
    jurisdiction: str = "CA"
    features: tuple[str, ...] = ()
    kind: JobKind = JobKind.LIVE
    output_tokens_max: int | None = None
    deadline_s: float | None = None
    max_carbon_ug: int | None = None
    patience_s: float | None = None
    project: str = "main"
    estimate_factor: float = 1.0


def assign_coops(clients: Iterable[str], coops: Sequence[str], *, seed: int) -> dict[str, str]:
    """Returns the co-op of each client: all co-ops get as many, give or take one, by luck."""
    names = sorted(set(clients))
    order = make_rng(seed).permutation(len(names)).tolist()
    return {names[index]: coops[rank % len(coops)] for rank, index in enumerate(order)}


def make_requests(
    arrivals: Iterable[Arrival],
    wish: RequestTemplate,
    *,
    start_at: float,
    coop_of: dict[str, str] | None = None,
    coops: Sequence[str] = (),
    seed: int = 0,
    name: str = "job",
) -> Iterator[Request]:
    """Makes requests of arrivals.

    Args:
        arrivals: in order of time.
        wish: what they ask for.
        start_at: their beginning, seconds since the epoch.
        coop_of: co-op of each client.
        coops: co-ops that share at random the arrivals of clients not in ``coop_of``.
        seed: of that.
        name: their jobs are called so, with a serial number; one name for each workload.
    """
    mapping = coop_of or {}
    source = make_rng(seed, 1)
    for number, arrival in enumerate(arrivals):
        if arrival.recorded_facts is not None:
            yield _recorded_request(
                arrival, arrival.recorded_facts, wish, start_at=start_at, job=f"{name}-{number:07}"
            )
            continue
        coop = mapping.get(arrival.client) or coops[int(source.integers(len(coops)))]
        yield _make_request(arrival, wish, coop, start_at=start_at, job=f"{name}-{number:07}")


def _make_request(
    arrival: Arrival, wish: RequestTemplate, coop: str, *, start_at: float, job: str
) -> Request:
    at = start_at + arrival.at_s
    limit = arrival.output_tokens if wish.output_tokens_max is None else wish.output_tokens_max
    estimated = max(1, int(arrival.input_tokens * wish.estimate_factor + 0.5))
    facts = RequestFacts(
        job,
        coop,
        wish.project,
        coop,
        GATEWAY,
        wish.kind,
        wish.job_class,
        wish.data_class,
        wish.jurisdiction,
        wish.model,
        estimated,
        max(estimated, arrival.input_tokens),
        limit or None,
        features=wish.features,
        stream=True,
        session=arrival.session,
        prefix_keys=arrival.prefix,
        deadline_at=None if wish.deadline_s is None else at + wish.deadline_s,
        max_carbon_ug=wish.max_carbon_ug,
    )
    return Request(at, facts, arrival.input_tokens, arrival.output_tokens, wish.patience_s)


def _recorded_request(
    arrival: Arrival, asked: RequestFacts, wish: RequestTemplate, *, start_at: float, job: str
) -> Request:
    at = start_at + arrival.at_s
    limit = asked.output_tokens_max
    facts = msgspec.structs.replace(
        asked,
        job=job,
        gateway=GATEWAY,
        model=wish.model or asked.model,
        input_tokens_max=max(asked.input_tokens_max, arrival.input_tokens),
        output_tokens_max=limit if wish.output_tokens_max is None else wish.output_tokens_max,
        prefix_keys=arrival.prefix,
        deadline_at=None if asked.deadline_at is None else at + asked.deadline_at,
    )
    return Request(at, facts, arrival.input_tokens, arrival.output_tokens, wish.patience_s)


def merge_requests(*workloads: Iterable[Request]) -> Iterator[Request]:
    """Yields the requests of several workloads in order of time."""
    return merge(*workloads, key=lambda request: request.at)
