"""States as tables: which step leads where, for jobs, leases, nodes, replicas and model orders.

All that can change the state of one of them stands here, as data; the diagrams in the
documentation are drawn from these same tables. Nothing here knows why a step is taken.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from entraide.types import JobState, NodeState


class LeaseState(StrEnum):
    """Where a lease stands."""

    OFFERED = "offered"  # the node has not answered yet
    ACTIVE = "active"  # the node has accepted
    STOPPING = "stopping"  # its job is over; the node's report is awaited
    OVER = "over"


class ModelLoadState(StrEnum):
    """Where a model stands that a node loads at the pool's word."""

    MAKING_ROOM = "making_room"  # others are unloaded there first
    LOADING = "loading"  # the node was told to, and does not serve it yet
    LOADED = "loaded"
    UNLOADING = "unloading"  # it gets no new work, and goes when its runs have ended
    OVER = "over"


class ReplicaState(StrEnum):
    """Whether a replica's runs end as they should."""

    SERVING = "serving"  # takes as many runs as it has slots
    RESTING = "resting"  # a run failed there: it takes none for a while
    PROBING = "probing"  # the rest is over: one run at a time, until one completes


State = TypeVar("State", JobState, NodeState, LeaseState, ModelLoadState, ReplicaState)
Table = Mapping[tuple[State, str], State]

JOB: Table[JobState] = MappingProxyType(
    {
        (JobState.QUEUED, "place"): JobState.OFFERED,
        (JobState.OFFERED, "accept"): JobState.ACTIVE,
        (JobState.OFFERED, "decline"): JobState.QUEUED,
        (JobState.ACTIVE, "decline"): JobState.QUEUED,  # given back before its first token
        (JobState.OFFERED, "expire"): JobState.QUEUED,
        (JobState.ACTIVE, "expire"): JobState.QUEUED,
        (JobState.OFFERED, "lose"): JobState.QUEUED,  # its node, or the run on it, is gone
        (JobState.ACTIVE, "lose"): JobState.QUEUED,
        (JobState.ACTIVE, "complete"): JobState.COMPLETED,
        (JobState.QUEUED, "cancel"): JobState.CANCELLED,
        (JobState.OFFERED, "cancel"): JobState.CANCELLED,
        (JobState.ACTIVE, "cancel"): JobState.CANCELLED,
        (JobState.QUEUED, "fail"): JobState.FAILED,
        (JobState.OFFERED, "fail"): JobState.FAILED,
        (JobState.ACTIVE, "fail"): JobState.FAILED,
    }
)
JOB_STARTS = (JobState.QUEUED, JobState.REFUSED)
JOB_ENDS = (JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED, JobState.REFUSED)

LEASE: Table[LeaseState] = MappingProxyType(
    {
        (LeaseState.OFFERED, "accept"): LeaseState.ACTIVE,
        (LeaseState.OFFERED, "stop"): LeaseState.STOPPING,
        (LeaseState.ACTIVE, "stop"): LeaseState.STOPPING,
        (LeaseState.OFFERED, "over"): LeaseState.OVER,
        (LeaseState.ACTIVE, "over"): LeaseState.OVER,
        (LeaseState.STOPPING, "over"): LeaseState.OVER,
    }
)
LEASE_STARTS = (LeaseState.OFFERED,)

NODE: Table[NodeState] = MappingProxyType(
    {
        (NodeState.LIVE, "heard"): NodeState.LIVE,
        (NodeState.SUSPECT, "heard"): NodeState.LIVE,
        (NodeState.LOST, "heard"): NodeState.LIVE,
        (NodeState.LEFT, "heard"): NodeState.LEFT,  # it must say hello first
        (NodeState.LIVE, "hello"): NodeState.LIVE,
        (NodeState.SUSPECT, "hello"): NodeState.LIVE,
        (NodeState.LOST, "hello"): NodeState.LIVE,
        (NodeState.LEFT, "hello"): NodeState.LIVE,
        (NodeState.LIVE, "silent"): NodeState.SUSPECT,
        (NodeState.SUSPECT, "silent"): NodeState.LOST,
        (NodeState.LIVE, "restart"): NodeState.SUSPECT,  # the scheduler's: heard before work
        (NodeState.SUSPECT, "restart"): NodeState.SUSPECT,
        (NodeState.LOST, "restart"): NodeState.LOST,
        (NodeState.LEFT, "restart"): NodeState.LEFT,
        (NodeState.LIVE, "leave"): NodeState.LEFT,
        (NodeState.SUSPECT, "leave"): NodeState.LEFT,
        (NodeState.LOST, "leave"): NodeState.LEFT,
        (NodeState.LEFT, "leave"): NodeState.LEFT,
    }
)
NODE_STARTS = (NodeState.LIVE,)

REPLICA: Table[ReplicaState] = MappingProxyType(
    {
        (ReplicaState.SERVING, "fail"): ReplicaState.RESTING,
        (ReplicaState.RESTING, "fail"): ReplicaState.RESTING,  # a run that began before the rest
        (ReplicaState.PROBING, "fail"): ReplicaState.RESTING,
        (ReplicaState.RESTING, "rested"): ReplicaState.PROBING,
        (ReplicaState.RESTING, "restart"): ReplicaState.PROBING,  # its agent has started again
        (ReplicaState.SERVING, "complete"): ReplicaState.SERVING,
        (ReplicaState.RESTING, "complete"): ReplicaState.RESTING,
        (ReplicaState.PROBING, "complete"): ReplicaState.SERVING,
        (ReplicaState.RESTING, "forgive"): ReplicaState.SERVING,  # the job was to blame
        (ReplicaState.PROBING, "forgive"): ReplicaState.SERVING,
        (ReplicaState.SERVING, "forgive"): ReplicaState.SERVING,
    }
)
REPLICA_STARTS = (ReplicaState.SERVING,)

MODEL_LOAD: Table[ModelLoadState] = MappingProxyType(
    {
        (ModelLoadState.MAKING_ROOM, "ask"): ModelLoadState.LOADING,
        (ModelLoadState.LOADING, "serve"): ModelLoadState.LOADED,
        (ModelLoadState.LOADED, "unload"): ModelLoadState.UNLOADING,
        (ModelLoadState.MAKING_ROOM, "fail"): ModelLoadState.OVER,
        (ModelLoadState.LOADING, "fail"): ModelLoadState.OVER,
        (ModelLoadState.MAKING_ROOM, "gone"): ModelLoadState.OVER,  # its node has left
        (ModelLoadState.LOADING, "gone"): ModelLoadState.OVER,
        (ModelLoadState.LOADED, "gone"): ModelLoadState.OVER,  # the node does not serve it any more
        (ModelLoadState.UNLOADING, "gone"): ModelLoadState.OVER,
    }
)
MODEL_LOAD_STARTS = (ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING)


class InvalidTransition(Exception):
    """A step that its table does not hold; nothing was changed.

    Attributes:
        name: of the job, lease or node.
        state: where it stood.
        trigger: the step that was asked for.
        story: the steps that led there, oldest first.
    """

    def __init__(self, name: str, *, state: str, trigger: str, story: Sequence[str]) -> None:
        path = " > ".join(story) or "nothing yet"
        super().__init__(f"{name}: no step '{trigger}' from '{state}' (so far: {path})")
        self.name = name
        self.state = state
        self.trigger = trigger
        self.story = tuple(story)


def step(
    table: Table[State], state: State, trigger: str, *, name: str, story: Sequence[str] = ()
) -> State:
    """Returns the state that a step leads to.

    Raises:
        InvalidTransition: the table holds no such step.
    """
    next_state = table.get((state, trigger))
    if next_state is None:
        raise InvalidTransition(name, state=state, trigger=trigger, story=story)
    return next_state
