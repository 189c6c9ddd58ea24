"""Snapshot: the whole state as bytes, and back.

Only what cannot be made again from the rest is written: indices, counts and heaps are rebuilt. The
bytes are MessagePack of one frozen struct; the version stands first, and another one is refused.
"""

import msgspec
from msgspec import Struct

from entraide.types import JobState
from entraide_scheduler.core.carbon import ZoneIntensity
from entraide_scheduler.core.fairqueue import Level, Line
from entraide_scheduler.core.habits import HabitsState
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.quotas import QuotasState
from entraide_scheduler.core.records import Job, Lease, Node, Shape
from entraide_scheduler.core.state import State

VERSION = 2


class LevelState(Struct, frozen=True, array_like=True):
    """One level of the fair queue."""

    lines: list[Line]
    last: str
    floor: float


class Snapshot(Struct, frozen=True, array_like=True):
    """The state as it is written."""

    version: int
    now: float
    incarnation: int
    arrivals: int
    policy: Policy
    grid: dict[str, ZoneIntensity]
    nodes: dict[str, Node]
    coops: LevelState
    projects: dict[str, LevelState]
    stuck: list[Shape]
    quotas: QuotasState
    balances: dict[str, dict[str, int]]
    corrections: list[str]
    habits: HabitsState
    deadlines: list[tuple[str, str, float]]
    jobs: list[Job]
    ended: list[Job]
    explained: list[str]
    leases: list[Lease]


def write(state: State) -> bytes:
    """Returns the state as bytes."""
    queue = state.queue
    return msgspec.msgpack.encode(
        Snapshot(
            version=VERSION,
            now=state.now,
            incarnation=state.incarnation,
            arrivals=state.arrivals,
            policy=state.policy,
            grid=state.grid,
            nodes=state.fleet.nodes,
            coops=_level(queue.coops),
            projects={coop: _level(level) for coop, level in queue.projects.items()},
            stuck=list(queue.stuck),
            quotas=state.quotas.dump(),
            balances=state.ledger.balances,
            corrections=list(state.ledger.corrections),
            habits=state.habits.dump(),
            deadlines=state.deadlines.listed(),
            jobs=list(state.jobs.values()),
            ended=list(state.ended.values()),
            explained=list(state.explained),
            leases=list(state.leases.values()),
        )
    )


def read(data: bytes) -> State:
    """Returns the state that was written.

    Raises:
        msgspec.DecodeError: the bytes are no snapshot.
        msgspec.ValidationError: they are one of another version.
    """
    head = msgspec.msgpack.decode(data)
    if not isinstance(head, list) or not head or head[0] != VERSION:
        raise msgspec.ValidationError(f"not a snapshot of version {VERSION}")
    kept = msgspec.msgpack.decode(data, type=Snapshot)
    state = State()
    state.now = kept.now
    state.incarnation = kept.incarnation
    state.arrivals = kept.arrivals
    state.quotas.load(kept.quotas)
    state.obey(kept.policy)
    state.grid = kept.grid
    state.fleet.restore(kept.nodes)
    state.ledger.balances = kept.balances
    state.ledger.corrections = dict.fromkeys(kept.corrections)
    state.habits.load(kept.habits)
    for kind, name, at in kept.deadlines:
        state.deadlines.set(kind, name, at)
    state.jobs = {job.facts.job: job for job in kept.jobs}
    state.ended = {job.facts.job: job for job in kept.ended}
    state.explained = dict.fromkeys(kept.explained)
    state.leases = {lease.terms.job: lease for lease in kept.leases}
    _restore_queue(state, kept)
    return state


def _restore_queue(state: State, kept: Snapshot) -> None:
    queue = state.queue
    queue.coops = _restored(kept.coops)
    queue.projects = {coop: _restored(level) for coop, level in kept.projects.items()}
    for job in kept.jobs:
        if job.state is JobState.QUEUED:
            queue.place(job)
    queue.stuck = dict.fromkeys(kept.stuck)


def _level(level: Level) -> LevelState:
    return LevelState(list(level.lines.values()), level.last, level.floor)


def _restored(kept: LevelState) -> Level:
    level = Level()
    level.lines = {line.name: line for line in kept.lines}
    level.last, level.floor = kept.last, kept.floor
    return level
