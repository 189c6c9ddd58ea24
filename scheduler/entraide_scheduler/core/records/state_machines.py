"""State machines: transition tables of jobs, leases, nodes, replicas and model loads.

The handlers check each message of a node or a gateway against the record's state before they apply
a trigger, so an illegal step is a fault of the core. What may come at any time has a row for each
state: a node's message, hello, leave and restart; a replica's failed or completed run.
"""

from enum import StrEnum

from entraide.state_machine import StateMachine
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
    PROBING = "probing"  # half-open: one run at a time until one answers


JOB = StateMachine(
    "job",
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
        (JobState.QUEUED, "complete"): JobState.COMPLETED,  # by a run that was given up
        (JobState.QUEUED, "cancel"): JobState.CANCELLED,
        (JobState.OFFERED, "cancel"): JobState.CANCELLED,
        (JobState.ACTIVE, "cancel"): JobState.CANCELLED,
        (JobState.QUEUED, "fail"): JobState.FAILED,
        (JobState.OFFERED, "fail"): JobState.FAILED,
        (JobState.ACTIVE, "fail"): JobState.FAILED,
    },
    starts=(JobState.QUEUED, JobState.REFUSED),
    ends=(JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED, JobState.REFUSED),
)

LEASE = StateMachine(
    "lease",
    {
        (LeaseState.OFFERED, "accept"): LeaseState.ACTIVE,
        (LeaseState.OFFERED, "stop"): LeaseState.STOPPING,
        (LeaseState.ACTIVE, "stop"): LeaseState.STOPPING,
        (LeaseState.OFFERED, "over"): LeaseState.OVER,
        (LeaseState.ACTIVE, "over"): LeaseState.OVER,
        (LeaseState.STOPPING, "over"): LeaseState.OVER,
    },
    starts=(LeaseState.OFFERED,),
    ends=(LeaseState.OVER,),
)

NODE = StateMachine(
    "node",
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
    },
    starts=(NodeState.LIVE,),
)

REPLICA = StateMachine(
    "replica",
    {
        (ReplicaState.SERVING, "fail"): ReplicaState.RESTING,
        (ReplicaState.RESTING, "fail"): ReplicaState.RESTING,  # a run that began before the pause
        (ReplicaState.PROBING, "fail"): ReplicaState.RESTING,
        (ReplicaState.RESTING, "rested"): ReplicaState.PROBING,
        (ReplicaState.RESTING, "restart"): ReplicaState.PROBING,  # the agent restarted
        (ReplicaState.PROBING, "answer"): ReplicaState.SERVING,  # a first token
        (ReplicaState.SERVING, "complete"): ReplicaState.SERVING,
        (ReplicaState.RESTING, "complete"): ReplicaState.RESTING,
        (ReplicaState.PROBING, "complete"): ReplicaState.SERVING,
        (ReplicaState.RESTING, "forgive"): ReplicaState.SERVING,  # the job was at fault
        (ReplicaState.PROBING, "forgive"): ReplicaState.SERVING,
        (ReplicaState.SERVING, "forgive"): ReplicaState.SERVING,
    },
    starts=(ReplicaState.SERVING,),
)

MODEL_LOAD = StateMachine(
    "model_load",
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
    },
    starts=(ModelLoadState.MAKING_ROOM, ModelLoadState.LOADING),
    ends=(ModelLoadState.OVER,),
)
