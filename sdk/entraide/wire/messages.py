"""Messages on NATS, as tagged MessagePack arrays; ``docs/reference/protocol.md`` explains them.

Compatibility: a field is only added at the end, with a default, and a tag never changes its
meaning. A message has at most ``MESSAGE_BYTES_MAX`` bytes. ``sent_at`` is on the sender's clock and
serves only to correct the other times of the same message.
"""

from msgspec import field

from entraide.types import (
    UNKNOWN_PLACE,
    Explanation,
    JobState,
    Receipt,
    RequestFacts,
    ServerPlace,
    Terms,
    Usage,
)
from entraide.wire.cards import EarlierRun, JobWait, ModelCard, QuotaLeft
from entraide.wire.enrolment import JoinRequest, JoinResponse
from entraide.wire.node_messages import (
    BEAT_RUNS_MAX,
    BODY_BYTES_MAX,
    LEFT,
    MESSAGE_BYTES_MAX,
    OWNER_BYTES,
    PARTITION_BYTES,
    PARTS_MAX,
    PREFIX_HELD_MAX,
    PREFIX_KEEP_S_MAX,
    PROTOCOL,
    RESUMED_MAX,
    Accept,
    ApprovalPending,
    CancelRun,
    CatalogueReply,
    CatalogueRequest,
    Decline,
    ForgetPartition,
    Goodbye,
    Heartbeat,
    Hello,
    HelloRequest,
    IdentityRenewed,
    JoinedParts,
    LoadFailed,
    LoadModel,
    Message,
    NodeDownCtl,
    NodeIn,
    NodeOut,
    NodeUp,
    Progress,
    Resume,
    RunBeat,
    RunEnded,
    StartRun,
    StopRun,
    Tokens,
    UnloadModel,
    UsageAck,
    UsageReport,
    Welcome,
)
from entraide.wire.pool_state import PoolState

__all__ = [
    "BEAT_RUNS_MAX",
    "BODY_BYTES_MAX",
    "JOBS_HELD_MAX",
    "JOBS_WAITING_MAX",
    "LEFT",
    "MESSAGE_BYTES_MAX",
    "OWNER_BYTES",
    "PARTITION_BYTES",
    "PARTS_MAX",
    "PREFIX_HELD_MAX",
    "PREFIX_KEEP_S_MAX",
    "PROTOCOL",
    "RESUMED_MAX",
    "AbandonPlacement",
    "Accept",
    "AnswerReceived",
    "AnswerResumed",
    "AnswersSent",
    "ApprovalPending",
    "CancelJob",
    "CancelRun",
    "CatalogueReply",
    "CatalogueRequest",
    "Decline",
    "EnrolmentQuery",
    "EnrolmentReply",
    "ExplanationReply",
    "ExplanationRequest",
    "ForgetPartition",
    "GatewayDown",
    "GatewayGoodbye",
    "GatewayHeard",
    "GatewayHeartbeat",
    "GatewayUp",
    "Goodbye",
    "Heartbeat",
    "Hello",
    "HelloRequest",
    "IdentityRenewed",
    "JobEnded",
    "JobPlaced",
    "JobRefused",
    "JobUnknown",
    "JobUpdate",
    "JobsHeld",
    "JobsWaiting",
    "JoinedParts",
    "KeyRevoked",
    "LeaseExceeded",
    "LoadFailed",
    "LoadModel",
    "Message",
    "ModelsReply",
    "ModelsRequest",
    "NodeDownCtl",
    "NodeIn",
    "NodeOut",
    "NodeRevoked",
    "NodeUp",
    "PoolReply",
    "PoolRequest",
    "Progress",
    "Resume",
    "Revocation",
    "RunBeat",
    "RunEnded",
    "SigninEnded",
    "StartRun",
    "StopRun",
    "SubmitJob",
    "Tokens",
    "UnloadModel",
    "UsageAck",
    "UsageReport",
    "Welcome",
]

JOBS_HELD_MAX = 1_000  # job identifiers in one message
JOBS_WAITING_MAX = 1_000  # waiting jobs in one message, once a second

# Gateway to scheduler, and back.


class GatewayHeartbeat(Message, frozen=True, tag="gw-beat"):
    """Heartbeat of a gateway, once a second, which ``GatewayHeard`` answers.

    Attributes:
        boot: random identifier of one life of the process.
        version, url: of the gateway, for the operator.
        sent_at: by its clock, seconds since the epoch; 0 from an older gateway.
    """

    boot: str
    version: str
    url: str
    sent_at: float = 0.0


class GatewayGoodbye(Message, frozen=True, tag="gw-bye"):
    """A gateway stops in order; its live jobs have ended."""

    boot: str


class JobsHeld(Message, frozen=True, tag="jobs-held"):
    """Live jobs that a gateway holds, at most ``JOBS_HELD_MAX``.

    The scheduler answers for each one that has ended (``JobEnded``) or that it does not know
    (``JobUnknown``).
    """

    jobs: tuple[str, ...]


class SubmitJob(Message, frozen=True, tag="submit"):
    """A gateway submits a job."""

    facts: RequestFacts


class CancelJob(Message, frozen=True, tag="cancel-job"):
    """The client disconnected or cancelled; ``reason`` is an error code."""

    job: str
    reason: str


class AbandonPlacement(Message, frozen=True, tag="abandon"):
    """The gateway cannot use a placement."""

    job: str
    epoch: int
    code: str


class LeaseExceeded(Message, frozen=True, tag="exceeded"):
    """A node sent more tokens than its lease grants; the client's answer was ended normally.

    Attributes:
        job, epoch, node: the lease.
        reason: stable code.
        output_tokens: the gateway's own estimate of the answer, from its bytes.
    """

    job: str
    epoch: int
    node: str
    reason: str
    output_tokens: int


class AnswerResumed(Message, frozen=True, tag="resumed"):
    """The gateway sent a run that continues an answer, or begins it again.

    Attributes:
        job, epoch: the placement.
        delivered: for each earlier run, its epoch and the output tokens that the client has of it.
    """

    job: str
    epoch: int
    delivered: tuple[tuple[int, int], ...]


class AnswerReceived(Message, frozen=True, tag="answered"):
    """The gateway has the whole answer of a run; a node's lost usage report changes nothing then.

    Attributes:
        job, epoch, node: the lease.
        usage: of the run, as the answer's end had it.
        delivered: as in ``AnswerResumed``, which may have been lost.
    """

    job: str
    epoch: int
    node: str
    usage: Usage
    delivered: tuple[tuple[int, int], ...] = ()


class AnswersSent(Message, frozen=True, tag="sent"):
    """What clients have of the streams of a gateway, once a second; it counts if that is lost.

    Attributes:
        runs: job, epoch and output tokens of each run, at most ``JOBS_HELD_MAX``.
        is_first: whether the list begins anew.
    """

    runs: tuple[tuple[str, int, int], ...]
    is_first: bool = True


class ExplanationRequest(Message, frozen=True, tag="ask-explanation"):
    """Requests the explanation of a job of a person, or of the co-op's keys (request-reply)."""

    job: str
    coop: str
    person: str = ""


class SigninEnded(Message, frozen=True, tag="signin-ended"):
    """A session of a person has ended, or all: the gateway ends its live jobs and refuses it."""

    person: str
    session: str = ""


class ModelsRequest(Message, frozen=True, tag="ask-models"):
    """Requests the models that are served (request-reply, answered by ``ModelsReply``)."""


class PoolRequest(Message, frozen=True, tag="ask-pool"):
    """Requests the pool's state, with the position of a ``coop`` (request-reply)."""

    coop: str = ""


class EnrolmentQuery(Message, frozen=True, tag="enrol"):
    """A machine asks to join the pool; refused requests are counted by its ``address``."""

    request: JoinRequest
    address: str


class EnrolmentReply(Message, frozen=True, tag="enrolled"):
    """Answer to ``EnrolmentQuery``; without a ``response``, a refusal with a stable code."""

    response: JoinResponse | None
    code: str = ""
    values: dict[str, str | int | float] = field(default_factory=dict)
    retry_after_s: float | None = None


GatewayUp = (
    GatewayHeartbeat
    | GatewayGoodbye
    | JobsHeld
    | SubmitJob
    | CancelJob
    | AbandonPlacement
    | LeaseExceeded
    | AnswerResumed
    | AnswerReceived
    | AnswersSent
    | ExplanationRequest
    | ModelsRequest
    | EnrolmentQuery
    | PoolRequest
    | SigninEnded
)


class JobPlaced(Message, frozen=True, tag="placed"):
    """A job was placed: send the body to the node.

    ``peak_w`` bounds the energy on the receipt; ``quotas`` has what is left to the job's sender;
    ``earlier`` has the runs of which the client may have a part of the answer, oldest first, if
    the node can continue it. ``prefix_keep_s`` is how long the node may keep what its engine reads,
    seconds; 0 where it must keep nothing and use nothing that it has kept.
    """

    job: str
    epoch: int
    node: str
    output_tokens_max: int
    terms: Terms
    peak_w: float = 0.0
    quotas: tuple[QuotaLeft, ...] = ()
    earlier: tuple[EarlierRun, ...] = ()
    prefix_keep_s: float = 0.0


class JobRefused(Message, frozen=True, tag="refused"):
    """A job was not admitted; ``quotas`` as in ``JobPlaced``."""

    job: str
    code: str
    values: dict[str, str | int | float]
    retry_after_s: float | None
    quotas: tuple[QuotaLeft, ...] = ()


class JobEnded(Message, frozen=True, tag="ended"):
    """A job has ended; ``retry_after_s`` says when the same request may be accepted, if known."""

    job: str
    state: JobState
    code: str
    epoch: int
    values: dict[str, str | int | float]
    retry_after_s: float | None = None


class JobsWaiting(Message, frozen=True, tag="jobs-waiting"):
    """Why live jobs of a gateway wait now, at most ``JOBS_WAITING_MAX``; it may be lost."""

    waits: tuple[JobWait, ...]


class JobUnknown(Message, frozen=True, tag="job-unknown"):
    """The scheduler does not know a job that a gateway holds: its submission was lost."""

    job: str


class GatewayHeard(Message, frozen=True, tag="gw-heard"):
    """Answer to a heartbeat.

    Attributes:
        boot: of the heartbeat.
        incarnation: of the scheduler.
        is_new: whether the gateway was unknown, or counted as lost, until this heartbeat.
        jobs: the gateway's live jobs if ``is_new``, at most ``JOBS_HELD_MAX`` a message; the
            gateway cancels those that it does not hold.
        place: of the pool's server.
    """

    boot: str
    incarnation: int
    is_new: bool = False
    jobs: tuple[str, ...] = ()
    place: ServerPlace = UNKNOWN_PLACE


class KeyRevoked(Message, frozen=True, tag="key-revoked"):
    """An API key was revoked: the gateway ends its live jobs and refuses the key."""

    key: str


class NodeRevoked(Message, frozen=True, tag="node-revoked"):
    """A node was revoked: the gateway ends the answers that the node is streaming."""

    node: str


Revocation = KeyRevoked | NodeRevoked | SigninEnded
JobUpdate = JobPlaced | JobRefused | JobEnded
GatewayDown = JobUpdate | Revocation | GatewayHeard | JobUnknown | JobsWaiting


class ExplanationReply(Message, frozen=True, tag="explained"):
    """Answer to ``ExplanationRequest``; None when the job is unknown or another co-op's."""

    explanation: Explanation | None
    receipt: Receipt | None = None
    sender: str = ""  # of the explained job: the start says which sessions may read it


class ModelsReply(Message, frozen=True, tag="models"):
    """Answer to ``ModelsRequest``."""

    models: tuple[ModelCard, ...]


class PoolReply(Message, frozen=True, tag="pool"):
    """Answer to ``PoolRequest``."""

    state: PoolState
