"""Words: the stable codes that facts are told in, as enumerations.

Each value is what travels, is stored and is looked up in the message catalogue; it never changes.
``types`` gives them all on, so that the vocabulary is imported from one place.
"""

from enum import StrEnum


class JobClass(StrEnum):
    """What a job is promised: a first token, a completion, or a deadline."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class DataClass(StrEnum):
    """Where the content of a job may go."""

    PUBLIC = "public"
    INTERNAL = "internal"  # approved members' nodes; the default
    RESTRICTED = "restricted"  # the co-op's own nodes only


class Lending(StrEnum):
    """For whose work a node takes jobs now, by its owner's word."""

    ALL = "all"
    OWN_FIRST = "own_first"  # one slot stays free for its own co-op, where there is another
    OWN_ONLY = "own_only"


class JobKind(StrEnum):
    """How a job was accepted: with its gateway, or in the store."""

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
    """What the fleet view holds of a node's liveness."""

    LIVE = "live"
    SUSPECT = "suspect"  # silent for a while: gets no new work
    LOST = "lost"  # silent for too long: its leases are over
    LEFT = "left"  # said goodbye, or was revoked


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    OFFERED = "offered"  # placed, and the node has not answered yet
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
