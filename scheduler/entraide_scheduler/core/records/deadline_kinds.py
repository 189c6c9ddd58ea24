"""Deadline kinds: what the core has to do at a time, and whose deadline it is."""

from enum import StrEnum


class DeadlineKind(StrEnum):
    """What is due at a deadline; the values are part of the formats of snapshot and journal.

    A deadline of a job or a lease has the job's name, that of a node the node's, that of a batch
    the batch's, and a deadline of the whole pool has no name.
    """

    JOB_EXPIRY = "job"  # the job's own deadline has passed
    LEASE_EXPIRY = "lease"  # the node did not renew the lease
    NODE_SILENCE = "node"  # the node sent no message; it becomes suspect or lost
    NODE_FORGETTING = "gone"  # the record of a node that left is deleted
    SURPLUS_EXPIRY = "surplus"  # the node's renewable status is out of date
    PAUSE_END = "pause"  # the node's paused replicas take work again
    BACKOFF_END = "rest"  # a back-off of one of the node's replicas is over
    GREENER_HOUR = "green"  # deferred jobs are tried again
    MODEL_PLAN = "models"  # models are to be loaded or unloaded
    SKIPPED_SHAPES = "looks"  # an event has left searches undone
    BLOCKED_JOBS = "recalls"  # all blocked jobs are checked again
    RESUME_EXPIRY = "resume"  # no node has continued the part of an answer that its client has
    WAIT_LIMIT = "wait"  # no node would accept the waiting job for as long as its limit allows
    BATCH_EXPIRY = "batch"  # the batch's deadline has passed; its stated work is deleted


# Their names are of jobs.
JOB_DEADLINES = (
    DeadlineKind.JOB_EXPIRY, DeadlineKind.LEASE_EXPIRY, DeadlineKind.RESUME_EXPIRY,
    DeadlineKind.WAIT_LIMIT,
)  # fmt: skip
