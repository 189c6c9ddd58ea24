"""Owners' hours: batches with deadlines on machines that their owners also need.

Owners come by a weekly pattern with chance (``owner_presence``); then their machine takes no new
run, and its runs end and are placed elsewhere. Batches come at random hours, with deadlines of
hours to a day. Emissions are linear in time, so only the hour matters.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec
from benchmarks.support import batch_shifting
from benchmarks.support.batch_shifting import HOUR_S, INPUT_TOKENS, PREFILL_TOKENS_PER_S, TPOT_S
from benchmarks.support.carbon_clipper import Batch
from benchmarks.support.devices import MODEL
from msgspec import Struct

from entraide.types import JobClass, JobKind
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import Deferral, Policy
from entraide_sim import (
    Arrival,
    Fault,
    Grid,
    IntensitySeries,
    JobRecords,
    NodeSpec,
    PublishedForecast,
    Request,
    RequestTemplate,
    World,
    make_requests,
)
from entraide_sim.fleet.owner_presence import draw_visits, local_days
from entraide_sim.workload import make_rng

RUN_S = 600.0
SLACKS_H = (8, 12, 24)  # from arrival to the deadline
LINES = 24
DAY_H = 24
BATCH_SLOTS = 2  # of each machine
OWNERS_ZONE = ZoneInfo("America/Toronto")
HEARTBEAT_S = 300.0
Visits = list[tuple[float, float]]


class OwnersCase(Struct, frozen=True):
    """A world to compare in.

    Attributes:
        zone, year: of the intensity.
        owners: pattern of each machine's owner.
        batches_per_day: mean number.
        seed: of visits and batches.
        tuned: whether a constant was chosen on it.
        begin_day: first day of the year.
    """

    zone: str
    year: int
    owners: tuple[str, ...]
    batches_per_day: float
    seed: int
    tuned: bool = False
    begin_day: int = 60


class PoolResult(Struct, frozen=True):
    """Mean intensity of the work that ran, g/kWh, and jobs that were late or did not end."""

    g_per_kwh: float
    late: int


def draw_batches(case: OwnersCase, days: int) -> list[tuple[float, int]]:
    """Returns the time and the slack in hours of each batch, from the second day on."""
    source = make_rng(case.seed, 71)
    drawn, at_s = [], DAY_H * HOUR_S
    while True:
        at_s += float(source.exponential(DAY_H * HOUR_S / case.batches_per_day))
        if at_s >= (days - 2) * DAY_H * HOUR_S:
            return drawn
        drawn.append((at_s, SLACKS_H[int(source.integers(len(SLACKS_H)))]))


def owner_visits(case: OwnersCase, series: IntensitySeries, days: int) -> list[Visits]:
    """Returns the merged visits of each machine's owner."""
    until = series.start_at + days * DAY_H * HOUR_S
    local = list(local_days(series.start_at, until, OWNERS_ZONE))
    return [
        _merged(draw_visits(local, pattern, case.seed, number), series.start_at)
        for number, pattern in enumerate(case.owners)
    ]


def _merged(visits: Visits, start_at: float) -> Visits:
    merged: Visits = []
    for begin, end in sorted(visits):
        if end <= start_at + 1.0:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((max(begin, start_at + 1.0), end))
    return merged


def free_room(visits: Sequence[Visits], start_at: float, hours: int) -> list[float]:
    """Returns the lines that can run in each hour beside the owners."""
    room = [len(visits) * BATCH_SLOTS * HOUR_S / RUN_S] * hours
    for machine in visits:
        for begin, end in machine:
            for hour in range(hours):
                at = start_at + hour * HOUR_S
                taken_s = min(end, at + HOUR_S) - max(begin, at)
                if taken_s > 0.0:
                    room[hour] -= BATCH_SLOTS * taken_s / RUN_S
    return room


def as_batches(drawn: Sequence[tuple[float, int]]) -> list[Batch]:
    """Returns batches by hours: the first and the last in which a line may start."""
    return [
        Batch(int(at_s // HOUR_S), int((at_s + slack_h * HOUR_S - RUN_S) // HOUR_S), LINES)
        for at_s, slack_h in drawn
    ]


def _policy(*, deferral: bool, margin: float) -> Policy:
    policy = batch_shifting.make_policy(HEARTBEAT_S)
    classes = tuple(
        msgspec.structs.replace(terms, green_hours=deferral and terms.green_hours)
        for terms in policy.classes
    )
    terms = msgspec.structs.replace(policy.deferral, margin=margin)
    return msgspec.structs.replace(policy, classes=classes, deferral=terms)


def _requests(drawn: Sequence[tuple[float, int]], start_at: float) -> list[Request]:
    output_tokens = int((RUN_S - INPUT_TOKENS / PREFILL_TOKENS_PER_S) / TPOT_S)
    requests: list[Request] = []
    for number, (at_s, slack_h) in enumerate(drawn):
        template = RequestTemplate(
            MODEL, job_class=JobClass.BATCH, kind=JobKind.KEPT, deadline_s=slack_h * HOUR_S
        )
        lines = [Arrival(at_s, "batch", INPUT_TOKENS, output_tokens)] * LINES
        requests += make_requests(
            lines, template, start_at=start_at, coops=("alpha",), name=f"batch-{number:04}"
        )
    return requests


def run_pool(
    series: IntensitySeries,
    visits: Sequence[Visits],
    drawn: Sequence[tuple[float, int]],
    forecasts: Sequence[PublishedForecast],
    *,
    deferral: bool,
    margin: float = Deferral().margin,
) -> PoolResult:
    """Returns what the core does with the batches, with or without deferral."""
    policy = _policy(deferral=deferral, margin=margin)
    records = JobRecords(policy)
    nodes = [_node(series.zone, number) for number in range(len(visits))]
    faults = [
        fault
        for number, machine in enumerate(visits)
        for begin, end in machine
        for fault in (
            Fault(begin, f"node-{number}", "refuse", reason="owner_active"),
            Fault(begin + 1.0, f"node-{number}", "give_back"),
            Fault(end, f"node-{number}", "take"),
        )
    ]
    world = World(
        Core(),
        start_at=series.start_at,
        policy=policy,
        nodes=nodes,
        grid=Grid([series], forecasts),
        faults=sorted(faults, key=lambda fault: fault.at),
        heartbeat_s=HEARTBEAT_S,
        progress_s=HEARTBEAT_S / 2.0,
        recorder=records,
    )
    end_at = series.start_at + (len(series.direct) - 1) * HOUR_S
    world.run(_requests(drawn, series.start_at), until=end_at)
    grams = float(records.column("carbon_g").sum())
    energy_wh = sum(
        float(records.column(name).sum()) for name in ("prefill_wh", "decode_wh", "wake_wh")
    )
    late = len(drawn) * LINES - int((records.column("promise") == 1).sum())
    return PoolResult(grams * 1_000.0 / energy_wh, late)


def _node(zone: str, number: int) -> NodeSpec:
    spec = batch_shifting.make_node(BATCH_SLOTS, zone)
    card = msgspec.structs.replace(spec.card, node=f"node-{number}", site=f"site-{number}")
    return msgspec.structs.replace(spec, card=card)
