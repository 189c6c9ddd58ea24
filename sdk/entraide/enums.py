"""Enumerations: the stable codes in the vocabulary's structs.

Each value is sent, stored and looked up in the message catalogue, so it never changes. ``types``
exports them too, so that the vocabulary has one place to import from.
"""

from enum import StrEnum


class JobClass(StrEnum):
    """Latency class: the promise is a time to first token, a time to completion, or a deadline."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class DataClass(StrEnum):
    """Machines that may process the content of a job."""

    PUBLIC = "public"
    INTERNAL = "internal"  # approved members' nodes; the default
    RESTRICTED = "restricted"  # the co-op's own nodes only


class Lending(StrEnum):
    """Whose jobs a node takes now, by its owner's policy."""

    ALL = "all"
    OWN_FIRST = "own_first"  # one slot stays free for its own co-op, if the node has several
    OWN_ONLY = "own_only"


class JobKind(StrEnum):
    """How a job was accepted: a live job ends with its gateway, a kept job is stored."""

    LIVE = "live"
    KEPT = "kept"


class Basis(StrEnum):
    """How a number was obtained."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    DECLARED = "declared"
    DEFAULT = "default"


class Outcome(StrEnum):
    """How a run, or a whole job, ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class NodeState(StrEnum):
    """Liveness of a node in the fleet view."""

    LIVE = "live"
    SUSPECT = "suspect"  # silent for a while: gets no new work
    LOST = "lost"  # silent for too long: its leases are over
    LEFT = "left"  # said goodbye, or was revoked


class JobState(StrEnum):
    """State of a job."""

    QUEUED = "queued"
    OFFERED = "offered"  # placed; the node has not answered yet
    ACTIVE = "active"  # the node has accepted
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    REFUSED = "refused"  # never admitted


class Promise(StrEnum):
    """Whether the class's latency objective was met."""

    KEPT = "kept"
    MISSED = "missed"
    NONE = "none"  # the class has no latency objective, or nothing was produced
