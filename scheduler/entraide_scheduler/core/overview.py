"""Overview: the pool as its members may see it, and one co-op's position in the fair share.

Each function takes the state and a time and returns frozen counts and facts: machines with the
state of their sites' own energy, how many jobs wait for which reason, the expected intensities,
which work is expected in which hours, and why a co-op has its weight. Jobs are counted, never
listed. Reading changes nothing.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from entraide.types import Basis, JobClass, JobKind, NodeState, RequestFacts, SurplusEvidence
from entraide_scheduler.core import evaluation, explanations
from entraide_scheduler.core.carbon import (
    ExpectedIntensity,
    ShiftReason,
    ZoneIntensity,
    evidence_of,
    surplus_w,
)
from entraide_scheduler.core.policy import Credit, Lend
from entraide_scheduler.core.records import Job, Node
from entraide_scheduler.core.rules import would_accept
from entraide_scheduler.core.state import State
from entraide_scheduler.core.views import NodeView, QuotaView, node_view, quotas

# Queues of equal jobs whose first job is examined for its reason, and nodes that are examined for
# all of them together: fewer queues in a large fleet, but never fewer than the least.
WAITS_EXAMINED_MAX, WAITS_EXAMINED_MIN = 256, 8
NODES_EXAMINED_MAX = 100_000
PLANS_EXAMINED_MAX = 32  # batches, and queues of equal jobs, whose expected hours are computed
HOURS_SHOWN = 24
UNEXAMINED = "unexamined"
WAITS_TOLD_MAX = 1_000  # live jobs whose waits are told at once
OPENING_TIMES = ("ready_at", "again_at", "then_at", "ends_at")  # values that say when it goes on
# Reasons for which a job waits only until others have run.
MOVING_REASONS = frozenset({"no_free_slot", "fair_share_turn", "turn_is_next", "at_cap"})


class SurplusView(Struct, frozen=True):
    """Own renewable power that a machine's site has to spare.

    Attributes:
        reported_w: as the node reports it, watts.
        counted_w: the part that the policy counts, watts; 0 once the report has expired.
        basis: how the node obtained it.
        evidence: what backs it, as the operator vouches.
        measured_at, expires_at: of the report, seconds since the epoch.
    """

    reported_w: float
    counted_w: float
    basis: Basis
    evidence: SurplusEvidence
    measured_at: float
    expires_at: float


class MachineView(Struct, frozen=True):
    """A node that has not left.

    Attributes:
        node: as the fleet view holds it.
        surplus: of its site; None where none is reported.
        quarantined: whether its messages are ignored.
    """

    node: NodeView
    surplus: SurplusView | None
    quarantined: bool


class WaitingCount(Struct, frozen=True):
    """Number of waiting jobs of one class that wait for one reason, as a stable code."""

    reason: str
    job_class: JobClass
    jobs: int


class WaitView(Struct, frozen=True):
    """Why a live job waits.

    Attributes:
        job, gateway: the job, and the gateway that holds its body.
        reason: stable code.
        position: its place in line, from 1 on: the jobs of its project and class before it, and a
            turn of each co-op whose turn comes first.
        retry_after_s: time until it is expected to start, seconds; None where nothing says.
    """

    job: str
    gateway: str
    reason: str
    position: int
    retry_after_s: float | None


class ZoneOutlook(Struct, frozen=True):
    """A zone's intensity now and the expected ones.

    Attributes:
        zone: grid zone.
        now: present intensity.
        hours: expected intensities of ``HOURS_SHOWN`` hours from the present one on, on the
            policy's basis; None for an hour without a signal.
        issued_at: when its newest forecast was issued, seconds since the epoch; None without one.
    """

    zone: str
    now: ZoneIntensity
    hours: tuple[ExpectedIntensity | None, ...]
    issued_at: float | None


class PlannedWork(Struct, frozen=True):
    """Waiting work that is expected in one hour of one zone.

    Attributes:
        zone: grid zone; "" for work whose hours were not computed.
        hour: absolute hour, ``int(at) // 3600``; 0 as above.
        jobs, lines: number of waiting jobs, and of lines of batches.
    """

    zone: str
    hour: int
    jobs: int
    lines: int


class FairShareView(Struct, frozen=True):
    """A co-op's weight in the fair share, and why it has it.

    Attributes:
        shares: its shares by the policy.
        credit: addition to its weight for service that it gave, from 0 to ``terms.most``.
        weight: shares x (1 + credit).
        gift_tokens: virtual tokens of that service that still count.
        terms: how gifts become credit.
        running, queued: number of its jobs that hold a run, and that wait.
        in_flight_tokens, cap_tokens: tokens in flight, and their cap while others wait.
        lend: how much of its own nodes it lends.
    """

    shares: float
    credit: float
    weight: float
    gift_tokens: float
    terms: Credit
    running: int
    queued: int
    in_flight_tokens: int
    cap_tokens: int
    lend: Lend


class CoopView(Struct, frozen=True):
    """A co-op's quotas, its balance in each unit of the ledger, and its fair share."""

    coop: str
    quotas: tuple[QuotaView, ...]
    balance: dict[str, int]
    fair_share: FairShareView


def machines(state: State, at: float) -> list[MachineView]:
    """Returns the nodes that have not left, by name."""
    nodes = state.fleet.nodes
    return [
        MachineView(
            node_view(state, nodes[name]), _surplus(state, nodes[name], at), _is_held(nodes[name])
        )
        for name in sorted(nodes)
        if nodes[name].state is not NodeState.LEFT
    ]


def _is_held(node: Node) -> bool:
    return bool(node.quarantine)


def _surplus(state: State, node: Node, at: float) -> SurplusView | None:
    energy, vouched = node.energy, node.card.surplus_evidence
    if energy is None:
        return None
    return SurplusView(
        reported_w=max(0.0, energy.surplus_w),
        counted_w=surplus_w(energy, at, state.policy.evidence, vouched),
        basis=energy.basis,
        evidence=evidence_of(energy.basis, vouched),
        measured_at=energy.measured_at,
        expires_at=state.fleet.replica_index.valid_until(node) or energy.expires_at,
    )


def count_waiting(state: State, at: float) -> list[WaitingCount]:
    """Returns how many jobs wait for each reason, by reason and class.

    Jobs of equal shape, project and class wait in one queue, whose first job is examined. Later
    queues than may be examined, in order of arrival, count as ``UNEXAMINED``.
    """
    counts: Counter[tuple[str, JobClass]] = Counter()
    affordable = NODES_EXAMINED_MAX // max(1, len(state.fleet.nodes))
    most = min(WAITS_EXAMINED_MAX, max(WAITS_EXAMINED_MIN, affordable))
    for place, (job, jobs) in enumerate(state.queue.heads()):
        reason = _wait_reason(state, job, at) if place < most else UNEXAMINED
        counts[reason, job.facts.job_class] += jobs
    return [WaitingCount(*key, counts[key]) for key in sorted(counts)]


def _wait_reason(state: State, job: Job, at: float) -> str:
    request = evaluation.make_request(state, job, at)
    result = evaluation.evaluate_nodes(state, job, request)
    return explanations.explain_wait(state, job, result, request).reason


def live_waits(state: State, at: float, start: int) -> tuple[list[WaitView], int]:
    """Returns why live jobs wait, and their number.

    Args:
        state: the core's.
        at: now, seconds since the epoch.
        start: how many of them to skip, by lines in order of arrival: at most ``WAITS_TOLD_MAX``
            are returned at once.
    """
    lines = _lines(state)
    live = [
        (number, place, job)
        for number, line in enumerate(lines)
        for place, job in enumerate(line)
        if job.facts.kind is JobKind.LIVE
    ]
    views: list[WaitView] = []
    reasons: dict[int, tuple[str, int, float | None]] = {}
    for number, place, job in live[start : start + WAITS_TOLD_MAX]:
        if number not in reasons and len(reasons) < WAITS_EXAMINED_MAX:
            reasons[number] = _explain_line(state, lines[number][0], at)
        reason, ahead, opens_s = reasons.get(number, (UNEXAMINED, 0, None))
        position = ahead + place + 1
        if opens_s is None and reason in MOVING_REASONS:
            opens_s = 0.0
        retry_after_s = None if opens_s is None else opens_s + _line_s(state, job, position)
        views.append(WaitView(job.facts.job, job.facts.gateway, reason, position, retry_after_s))
    return views, len(live)


def _lines(state: State) -> list[list[Job]]:
    """Returns the jobs of each class queue, in order of service; each blocked job by itself."""
    lines = [
        [*queue]
        for backlog in state.queue.backlogs.values()
        for shape_queue in backlog.shape_queues.values()
        for queue in shape_queue.class_queues.values()
        if queue.keys
    ]
    lines += [[job] for job in state.blocked_jobs.jobs()]
    return sorted(lines, key=lambda line: line[0].serial)


def _explain_line(state: State, first: Job, at: float) -> tuple[str, int, float | None]:
    """Returns why the first job of a line waits, and the number of turns before it.

    The last value is the time until a node opens, seconds, if the reason says so.
    """
    request = evaluation.make_request(state, first, at)
    result = evaluation.evaluate_nodes(state, first, request)
    why = explanations.explain_wait(state, first, result, request)
    times = (why.values.get(name) for name in OPENING_TIMES)
    opens_at = None if "beyond_whole" in why.values else next(filter(None, times), None)
    jobs_ahead, coops_ahead = evaluation.count_ahead(state, first)
    opens_s = max(0.0, opens_at - at) if isinstance(opens_at, float) else None
    return why.reason, jobs_ahead + coops_ahead, opens_s


def _line_s(state: State, job: Job, position: int) -> float:
    """Returns the time after which a place in line is expected to be served, seconds.

    The jobs before it share the slots of the nodes that would accept it, in runs of the usual
    length; a model that is being loaded has the slots that its nodes offer.
    """
    shape = job.shape
    eligible = state.fleet.eligible_nodes(shape)
    slots = sum(view.replica.slots for view in eligible.views if would_accept(view, shape))
    slots += sum(node.loadable[shape.model].slots for node in eligible.could_load[:1])
    return state.length_predictor.line_s(shape.model, position, slots)


def outlooks(state: State, at: float) -> list[ZoneOutlook]:
    """Returns the intensities of all known zones, by zone."""
    grid, forecast = state.fleet.replica_index.grid, state.shift_planner.forecast
    return [
        ZoneOutlook(
            zone,
            grid[zone],
            tuple(forecast.curve(zone, at=at)[:HOURS_SHOWN]),
            forecast.issued_at(zone),
        )
        for zone in sorted(grid)
    ]


def planned_work(state: State, at: float) -> list[PlannedWork]:
    """Returns the waiting work by the hours in which the planner expects it.

    Only work that waits for greener hours counts. Batches and queues of equal jobs beyond
    ``PLANS_EXAMINED_MAX`` are in the entry without a zone.
    """
    jobs: Counter[tuple[str, int]] = Counter()
    lines: Counter[tuple[str, int]] = Counter()
    batches = [batch for batch in state.batches.values() if batch.work is not None]
    for place, batch in enumerate(batches):
        if place >= PLANS_EXAMINED_MAX:
            lines["", 0] += batch.lines
        else:
            lines.update(_expected_hours(state, batch.facts, batch.lines, at, are_jobs=False))
    heads = [(job, count) for job, count in state.queue.heads() if job.wait is not None]
    for place, (job, count) in enumerate(heads):
        if place >= PLANS_EXAMINED_MAX:
            jobs["", 0] += count
        else:
            jobs.update(_expected_hours(state, job.facts, count, at, are_jobs=True))
    return [PlannedWork(*key, jobs[key], lines[key]) for key in sorted(jobs.keys() | lines.keys())]


def _expected_hours(
    state: State, facts: RequestFacts, count: int, at: float, *, are_jobs: bool
) -> dict[tuple[str, int], int]:
    """Returns how many of some equal jobs or lines are expected in which zone and hour."""
    expected = evaluation.expect_batch_of(state, facts, count, at, queued=count if are_jobs else 0)
    if expected is None or expected.reason is not ShiftReason.LATER:
        return {}
    shares = [((hour.zone, hour.hour), hour.part) for hour in expected.hours]
    return _apportion(count, shares)


def _apportion(
    count: int, shares: Iterable[tuple[tuple[str, int], float]]
) -> dict[tuple[str, int], int]:
    """Divides a number into whole parts, whose sum it is, by shares whose sum is 1."""
    parts: Counter[tuple[str, int]] = Counter()
    total, given = 0.0, 0
    last = None
    for key, share in shares:
        total, last = total + share, key
        part = min(count, int(total * count + 0.5)) - given
        parts[key] += part
        given += part
    if last is not None:
        parts[last] += count - given
    return {key: part for key, part in parts.items() if part}


def coop(state: State, name: str, at: float) -> CoopView | None:
    """Returns a co-op's quotas, balance and fair share; None if the policy does not name it."""
    terms, credit = state.coops.get(name), state.policy.fair_share.credit
    if terms is None:
        return None
    counter = state.counters.coops.get(name)
    factor = state.credits.factor(name, at, credit)
    return CoopView(
        coop=name,
        quotas=tuple(quotas(state, name)),
        balance=dict(state.ledger.balances.get(name, {})),
        fair_share=FairShareView(
            shares=terms.shares,
            credit=factor,
            weight=terms.shares * (1.0 + factor),
            gift_tokens=state.credits.left(name, at, credit),
            terms=credit,
            running=0 if counter is None else counter.running,
            queued=0 if counter is None else counter.queued,
            in_flight_tokens=0 if counter is None else counter.in_flight_tokens,
            cap_tokens=state.policy.fair_share.cap_tokens,
            lend=terms.lend,
        ),
    )
