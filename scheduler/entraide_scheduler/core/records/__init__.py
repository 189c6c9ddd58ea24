# mypy: implicit-reexport
"""Records: the plain data of jobs, leases, nodes and senders, and their state machines.

Input: none; the package only declares. Output: mutable structs that the packages above change, and
one transition table for each kind of record. A transition that a table does not list raises
``IllegalTransition`` and changes nothing.

A snapshot encodes the records as they are. Their field names are therefore part of the snapshot's
format: a field is added at the end, with a default, and never renamed. Records hold no references
to each other; they name each other by identifier.

``state_machines`` holds the tables, from which the documentation's diagrams are drawn; ``records``
jobs, leases and nodes; ``batch_work`` batches and the work that waits for greener hours;
``changes`` what an event has changed so far; ``deadline_kinds``
what is due at a deadline; ``charges`` what a run is charged in the fair share; ``own_kinds`` the
kinds of replicas by which a co-op's own capacity is counted; ``probation`` what new nodes have
shown; ``quarantine`` the senders whose messages do not count.
"""

from entraide_scheduler.core.records.batch_work import BatchWork, StatedBatch
from entraide_scheduler.core.records.changes import Changes
from entraide_scheduler.core.records.charges import RunCharge
from entraide_scheduler.core.records.deadline_kinds import JOB_DEADLINES, DeadlineKind
from entraide_scheduler.core.records.own_kinds import OwnKind, kind_of_replica
from entraide_scheduler.core.records.probation import Probation
from entraide_scheduler.core.records.quarantine import (
    ENGINES_ENDED,
    EVENT_RAISED,
    Quarantine,
    Quarantines,
    Sender,
    SenderKind,
)
from entraide_scheduler.core.records.records import (
    Backoff,
    EarlierRun,
    ExclusiveReplica,
    ExpectedRun,
    Hold,
    Job,
    KeyExits,
    Lease,
    Load,
    LoadBackoff,
    ModelLoad,
    Node,
    Shape,
    context_input_est,
    is_leaving,
    is_loading,
)
from entraide_scheduler.core.records.state_machines import LeaseState, ModelLoadState, ReplicaState
