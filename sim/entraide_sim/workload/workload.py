"""Workload: turns arrivals into requests.

Assigns each client to a co-op and adds what a request asks for: model, class, data class, deadline,
limits. A recorded request keeps its recorded values.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

import msgspec
from msgspec import Struct

from entraide.types import DataClass, JobClass, JobKind, RequestFacts
from entraide_sim.workload.arrivals import Arrival, make_rng

GATEWAY = "sim"


class Request(Struct, frozen=True, gc=False):
    """A request, with values that the core does not know.

    Attributes:
        at: arrival, seconds since the epoch.
        facts: as delivered to the core.
        input_tokens, output_tokens: true lengths.
        patience_s: queueing time after which its client cancels; None for never.
        fails_with: code with which every machine declines it; "" for none.
    """

    at: float
    facts: RequestFacts
    input_tokens: int
    output_tokens: int
    patience_s: float | None = None
    fails_with: str = ""


class RequestTemplate(Struct, frozen=True):
    """Common values of the requests of one workload.

    Attributes:
        model: public model name; "" for the recorded one.
        job_class, data_class, jurisdiction, features, kind: as in ``RequestFacts``.
        output_tokens_max: the client's limit; None for the true length, 0 for none (the policy's
            default limit then applies).
        deadline_s: from arrival to the deadline.
        max_carbon_ug: carbon cap per job.
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
    """Assigns clients to co-ops randomly; the counts differ by at most one."""
    names = sorted(set(clients))
    order = make_rng(seed).permutation(len(names)).tolist()
    return {names[index]: coops[rank % len(coops)] for rank, index in enumerate(order)}


def make_requests(
    arrivals: Iterable[Arrival],
    template: RequestTemplate,
    *,
    start_at: float,
    coop_of: dict[str, str] | None = None,
    coops: Sequence[str] = (),
    seed: int = 0,
    name: str = "job",
) -> Iterator[Request]:
    """Yields the requests of arrivals.

    Args:
        arrivals: in order of time.
        template: common values of the requests.
        start_at: start of the arrivals, seconds since the epoch.
        coop_of: co-op of each client.
        coops: random co-ops of clients that are not in ``coop_of``.
        seed: of those draws.
        name: prefix of the job names; one per workload.
    """
    mapping = coop_of or {}
    source = make_rng(seed, 1)
    for number, arrival in enumerate(arrivals):
        if arrival.recorded_facts is not None:
            yield _recorded_request(
                arrival,
                arrival.recorded_facts,
                template,
                start_at=start_at,
                job=f"{name}-{number:07}",
            )
            continue
        coop = mapping.get(arrival.client) or coops[int(source.integers(len(coops)))]
        yield _make_request(arrival, template, coop, start_at=start_at, job=f"{name}-{number:07}")


def _make_request(
    arrival: Arrival, template: RequestTemplate, coop: str, *, start_at: float, job: str
) -> Request:
    at = start_at + arrival.at_s
    limit = (
        arrival.output_tokens if template.output_tokens_max is None else template.output_tokens_max
    )
    estimated = max(1, int(arrival.input_tokens * template.estimate_factor + 0.5))
    facts = RequestFacts(
        job,
        coop,
        template.project,
        coop,
        GATEWAY,
        template.kind,
        template.job_class,
        template.data_class,
        template.jurisdiction,
        template.model,
        estimated,
        max(estimated, arrival.input_tokens),
        limit or None,
        features=template.features,
        stream=True,
        resumable=template.kind is JobKind.LIVE and not template.features,
        session=arrival.session,
        prefix_keys=arrival.prefix,
        deadline_at=None if template.deadline_s is None else at + template.deadline_s,
        max_carbon_ug=template.max_carbon_ug,
    )
    return Request(at, facts, arrival.input_tokens, arrival.output_tokens, template.patience_s)


def _recorded_request(
    arrival: Arrival,
    recorded: RequestFacts,
    template: RequestTemplate,
    *,
    start_at: float,
    job: str,
) -> Request:
    at = start_at + arrival.at_s
    limit = recorded.output_tokens_max
    facts = msgspec.structs.replace(
        recorded,
        job=job,
        gateway=GATEWAY,
        model=template.model or recorded.model,
        input_tokens_max=max(recorded.input_tokens_max, arrival.input_tokens),
        output_tokens_max=limit
        if template.output_tokens_max is None
        else template.output_tokens_max,
        prefix_keys=arrival.prefix,
        deadline_at=None if recorded.deadline_at is None else at + recorded.deadline_at,
    )
    return Request(at, facts, arrival.input_tokens, arrival.output_tokens, template.patience_s)


def merge_requests(*workloads: Iterable[Request]) -> Iterator[Request]:
    """Yields the requests of several workloads in order of time."""
    return merge(*workloads, key=lambda request: request.at)
