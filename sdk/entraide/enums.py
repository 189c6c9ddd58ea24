"""Enumerations: the stable codes in the vocabulary's structs.

Each value is sent, stored and looked up in the message catalogue, so it never changes. ``types``
exports them too, so that the vocabulary has one place to import from.
"""

from enum import StrEnum


class JobClass(StrEnum):
    """Latency class: its objective is a TTFT, a completion time or a deadline, respectively."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class DataClass(StrEnum):
    """Machines that may process the content of a job."""

    PUBLIC = "public"
    INTERNAL = "internal"  # approved members' nodes; the default
    RESTRICTED = "restricted"  # the co-op's own nodes only


class Control(StrEnum):
    """Who controls the organisation that runs a node, as the operator vouches; closest first.

    As a wish of a request, each value admits itself and those before it.
    """

    MEMBER = "member"  # a member co-op
    CANADIAN = "canadian"  # another Canadian organisation
    OTHER = "other"  # any organisation
    UNSTATED = ""  # a node: counts as other; a request: the policy's default


class Sandbox(StrEnum):
    """What closes a node's engines in, as the node states; the weakest of them counts."""

    NONE = "none"
    LANDLOCK = "landlock"  # Linux: Landlock, and a filter of system calls
    BUBBLEWRAP = "bubblewrap"  # Linux: namespaces
    SEATBELT = "seatbelt"  # macOS


class SurplusEvidence(StrEnum):
    """What backs the renewable surplus that a node reports, as the operator vouches.

    The market-based instruments of the GHG Protocol's Scope 2 Guidance (2015, chapter 6), and
    generation that is metered on site. ``docs/concepts/energy.md`` explains each.
    """

    CERTIFICATE = "certificate"  # energy attribute certificates, such as RECs
    CONTRACT = "contract"  # a power purchase agreement, or a supplier's renewable offer
    METER = "meter"  # a meter of the site's own generation; backs measured values only
    INVENTED = "invented"  # of the demonstration: nobody saw anything
    NONE = ""  # the operator vouches for nothing


class Lending(StrEnum):
    """Whose jobs a node accepts now, by its owner's policy."""

    ALL = "all"
    OWN_FIRST = "own_first"  # one slot stays free for its own co-op, if the node has several
    OWN_ONLY = "own_only"


class JobKind(StrEnum):
    """How a job was accepted: a live job ends with its connection, a kept job is stored."""

    LIVE = "live"
    KEPT = "kept"


class Basis(StrEnum):
    """How a number was obtained."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    DECLARED = "declared"
    DEFAULT = "default"


class Task(StrEnum):
    """The kind of a question, by which the quality of a model's answers is measured."""

    ANSWER = "answer"
    EXTRACT = "extract"
    CLASSIFY = "classify"
    SUMMARISE = "summarise"
    REWRITE = "rewrite"
    TRANSLATE = "translate"
    COMPUTE = "compute"


class Outcome(StrEnum):
    """How a run, or a whole job, ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class NodeState(StrEnum):
    """Liveness of a node in the fleet view."""

    LIVE = "live"
    SUSPECT = "suspect"  # no heartbeat for a while: gets no new runs
    LOST = "lost"  # no heartbeat for too long: its leases have ended
    LEFT = "left"  # signed off, or its access was revoked


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
    NONE = "none"  # the class has no latency objective, or no token was produced
