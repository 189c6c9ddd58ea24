"""Snapshot: encodes the core's whole state as bytes, and decodes it.

Only facts that cannot be derived from others are written; indices, counts and heaps are rebuilt.
The bytes are one frozen struct in MessagePack. Its first field is the version of the format;
``read`` refuses another version.
"""

from collections import OrderedDict
from typing import Any

import msgspec
from msgspec import Struct

from entraide.decoding import decode_msgpack
from entraide.models import Catalogue
from entraide.types import JobState
from entraide_scheduler.core import dispatch, evaluation, fair_queue
from entraide_scheduler.core.accounting import Gift, QuotasState
from entraide_scheduler.core.carbon import ZoneIntensity, ZoneSignals
from entraide_scheduler.core.estimation import LengthPredictorState
from entraide_scheduler.core.fair_queue import QueueState
from entraide_scheduler.core.models import DemandState
from entraide_scheduler.core.policy import IntensityBasis, Policy
from entraide_scheduler.core.records import (
    Changes,
    DeadlineKind,
    Job,
    KeyExits,
    Lease,
    Node,
    Probation,
    Quarantine,
    SenderKind,
    StatedBatch,
)
from entraide_scheduler.core.state import State, SweepState

VERSION = 7


class Snapshot(Struct, frozen=True, array_like=True):
    """The state in its encoded form."""

    version: int
    now: float
    incarnation: int
    arrivals: int
    placements: int
    policy: Policy
    grid: dict[str, ZoneIntensity]
    nodes: dict[str, Node]
    queue: QueueState
    quotas: QuotasState
    balances: dict[str, dict[str, int]]
    corrections: list[str]
    credits: dict[str, Gift]
    habits: LengthPredictorState
    prefixes: tuple[list[Any], list[Any]]  # unused: what nodes hold is no longer state
    outlook: dict[IntensityBasis, dict[str, ZoneSignals]]
    deadlines: list[tuple[DeadlineKind, str, float]]
    jobs: list[Job]
    ended: list[Job]
    explained: list[str]
    leases: list[Lease]
    catalogue: Catalogue
    demand: DemandState
    quarantines: dict[SenderKind, dict[str, Quarantine]]
    key_exits: dict[str, KeyExits]
    batches: list[StatedBatch]
    has_established: bool = False
    probations: dict[str, Probation] = {}
    job_sweep: SweepState = SweepState()
    alias_sweep: SweepState = SweepState()
    changes: Changes = msgspec.field(default_factory=Changes)


class _Head(Struct, frozen=True, array_like=True):
    """The first field of a snapshot, which can be decoded in every version."""

    version: int


def write(state: State) -> bytes:
    """Encodes the state."""
    return msgspec.msgpack.encode(
        Snapshot(
            version=VERSION,
            now=state.now,
            incarnation=state.incarnation,
            arrivals=state.arrivals,
            placements=state.placements,
            policy=state.policy,
            grid=state.fleet.replica_index.grid,
            nodes=state.fleet.nodes,
            queue=fair_queue.dump(state.queue),
            quotas=state.quotas.dump(),
            balances=state.ledger.balances,
            corrections=list(state.ledger.corrections),
            credits=state.credits.gifts,
            habits=state.length_predictor.dump(),
            prefixes=([], []),
            outlook=state.shift_planner.forecast.dump(),
            deadlines=state.deadlines.listed(),
            jobs=list(state.jobs.values()),
            ended=list(state.ended.values()),
            explained=list(state.explained),
            leases=list(state.leases.values()),
            catalogue=state.model_aliases.catalogue,
            demand=state.demand.dump(),
            quarantines=state.quarantines.senders,
            key_exits=state.key_exits,
            batches=list(state.batches.values()),
            has_established=state.has_established,
            probations=state.probations,
            job_sweep=state.job_sweep.dump(),
            alias_sweep=state.alias_sweep.dump(),
            changes=state.changes,
        )
    )


def read(data: bytes) -> State:
    """Decodes the state.

    Raises:
        msgspec.DecodeError: the bytes are not a snapshot.
        msgspec.ValidationError: the snapshot is of another version.
    """
    if decode_msgpack(data, type=_Head).version != VERSION:
        raise msgspec.ValidationError(f"not a snapshot of version {VERSION}")
    snapshot = decode_msgpack(data, type=Snapshot)
    state = State()
    state.now, state.incarnation = snapshot.now, snapshot.incarnation
    state.arrivals, state.placements = snapshot.arrivals, snapshot.placements
    state.quotas.load(snapshot.quotas)
    state.quarantines.senders = snapshot.quarantines
    state.apply_policy(snapshot.policy)
    state.fleet.replica_index.grid.update(snapshot.grid)
    state.fleet.restore(snapshot.nodes, snapshot.now)
    state.model_aliases.set_catalogue(snapshot.catalogue)
    state.demand.load(snapshot.demand)
    state.ledger.balances = snapshot.balances
    state.ledger.corrections = dict.fromkeys(snapshot.corrections)
    state.credits.gifts = snapshot.credits
    state.length_predictor.load(snapshot.habits)
    state.shift_planner.forecast.load(snapshot.outlook)
    for kind, name, at in snapshot.deadlines:
        state.deadlines.set(kind, name, at)
    for job in snapshot.jobs:
        state.add_job(job)
    state.ended = OrderedDict((job.facts.job, job) for job in snapshot.ended)
    state.explained = OrderedDict.fromkeys(snapshot.explained)
    state.restore_begun_answers()
    state.leases = {lease.terms.job: lease for lease in snapshot.leases}
    state.has_established, state.probations = snapshot.has_established, snapshot.probations
    state.key_exits = snapshot.key_exits
    evaluation.restore_batches(state, snapshot.batches)
    evaluation.restore_exclusive(state)
    waiting = [job for job in snapshot.jobs if job.state is JobState.QUEUED]
    for job in waiting:
        state.shift_planner.add_job(job)
    runs = [(lease.bill, lease.shape) for lease in snapshot.leases]
    fair_queue.load(state.queue, snapshot.queue, waiting, runs)
    dispatch.update_own_slots(state)
    state.job_sweep.load(snapshot.job_sweep)
    state.alias_sweep.load(snapshot.alias_sweep)
    state.changes.load(snapshot.changes)
    return state
