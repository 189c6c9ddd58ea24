"""State machines: transition tables of jobs, leases, nodes, replicas and model loads.

A table maps (state, trigger) to the next state; ``step`` looks it up and raises on any other pair.
The diagrams in the documentation are generated from these tables.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from entraide.types import JobState, NodeState


class LeaseState(StrEnum):
    """State of a lease."""

    OFFERED = "offered"  # the node has not answered yet
    ACTIVE = "active"  # the node has accepted
    STOPPING = "stopping"  # its job has ended; the node's report is awaited
    OVER = "over"


class ModelLoadState(StrEnum):
    """State of a model that a node loads on the pool's instruction."""

    MAKING_ROOM = "making_room"  # other models are unloaded there first
    LOADING = "loading"  # instructed, not served yet
    LOADED = "loaded"
    UNLOADING = "unloading"  # no new work; unloaded when its runs have ended
    OVER = "over"


class ReplicaState(StrEnum):
    """State of a replica's circuit breaker."""

    SERVING = "serving"  # closed: takes as many runs as it has slots
    RESTING = "resting"  # open: a run failed, no runs for a pause
    PROBING = "probing"  # half-open: one run at a time until one completes


State = TypeVar("State", JobState, NodeState, LeaseState, ModelLoadState, ReplicaState)
Table = Mapping[tuple[State, str], State]

JOB: Table[JobState] = MappingProxyType(
    {
        (JobState.QUEUED, "place"): JobState.OFFERED,
        (JobState.OFFERED, "accept"): JobState.ACTIVE,
        (JobState.OFFERED, "decline"): JobState.QUEUED,
        (JobState.ACTIVE, "decline"): JobState.QUEUED,  # returned before its first token
        (JobState.OFFERED, "expire"): JobState.QUEUED,
        (JobState.ACTIVE, "expire"): JobState.QUEUED,
        (JobState.OFFERED, "lose"): JobState.QUEUED,  # the node or the run is lost
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
        (
            NodeState.LIVE,
            "restart",
        ): NodeState.SUSPECT,  # of the scheduler: no work before a heartbeat
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
        (ReplicaState.RESTING, "fail"): ReplicaState.RESTING,  # a run that began before the pause
        (ReplicaState.PROBING, "fail"): ReplicaState.RESTING,
        (ReplicaState.RESTING, "rested"): ReplicaState.PROBING,
        (ReplicaState.RESTING, "restart"): ReplicaState.PROBING,  # the agent restarted
        (ReplicaState.SERVING, "complete"): ReplicaState.SERVING,
        (ReplicaState.RESTING, "complete"): ReplicaState.RESTING,
        (ReplicaState.PROBING, "complete"): ReplicaState.SERVING,
        (ReplicaState.RESTING, "forgive"): ReplicaState.SERVING,  # the job was at fault
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
        (ModelLoadState.LOADED, "gone"): ModelLoadState.OVER,  # the node no longer serves it
        (ModelLoadState.UNLOADING, "gone"): ModelLoadState.OVER,
    }
)
MODEL_LOAD_STARTS = (ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING)


class InvalidTransition(Exception):
    """A transition that the table does not contain; nothing was changed.

    Attributes:
        name: of the object.
        state: its state.
        trigger: the refused trigger.
        story: its earlier triggers, oldest first.
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
    """Returns the next state.

    Raises:
        InvalidTransition: the table has no such transition.
    """
    next_state = table.get((state, trigger))
    if next_state is None:
        raise InvalidTransition(name, state=state, trigger=trigger, story=story)
    return next_state
