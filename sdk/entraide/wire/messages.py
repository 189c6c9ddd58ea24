"""Messages: what travels over NATS, as tagged MessagePack arrays.

Fields are only ever added at the end, with a default; a tag is never used for another meaning.
A message is at most ``MESSAGE_BYTES_MAX`` long. Times ``sent_at`` are on the sender's clock and
serve only to correct the other times of the same message.
"""

from msgspec import Struct

from entraide.types import (
    EnergyStatus,
    Explanation,
    JobState,
    Lending,
    NodeCard,
    Outcome,
    Receipt,
    RequestFacts,
    Terms,
    Usage,
)

PROTOCOL = 1
MESSAGE_BYTES_MAX = 8 * 1024 * 1024
BODY_BYTES_MAX = 4 * 1024 * 1024
LEFT = "left"  # a goodbye for good


class Message(Struct, frozen=True, array_like=True, tag=True):
    """What every message is (settings only, no fields)."""


# Node to scheduler: ctl.


class Hello(Message, frozen=True, tag="hello"):
    """First message of an agent, and again whenever its card changes.

    Attributes:
        card: itself; ``coop`` is ignored, the pool knows it.
        boot: identifier of this run of the agent; ``seq`` restarts with it.
        seq: number of this ctl message.
        sent_at: sender's clock.
        accepting, reason: whether it takes work, else the stable code why not.
        running: the runs it still holds, or whose usage reports are not acknowledged, as
            (job, epoch).
        protocol: highest protocol it speaks.
        lending: for whose work it takes jobs.
    """

    card: NodeCard
    boot: str
    seq: int
    sent_at: float
    accepting: bool
    reason: str
    running: tuple[tuple[str, int], ...]
    protocol: int = PROTOCOL
    lending: Lending = Lending.ALL


class Heartbeat(Message, frozen=True, tag="beat"):
    """Once a second."""

    boot: str
    seq: int
    sent_at: float
    accepting: bool
    reason: str
    running: int
    energy: EnergyStatus | None
    lending: Lending = Lending.ALL


class Accept(Message, frozen=True, tag="accept"):
    """The node runs it."""

    job: str
    epoch: int


class Decline(Message, frozen=True, tag="decline"):
    """The node does not run it, with the reason as a stable code."""

    job: str
    epoch: int
    code: str
    values: dict[str, str | int | float]


class Progress(Message, frozen=True, tag="progress"):
    """Sign of life of a run, about once a second: output tokens so far."""

    job: str
    epoch: int
    output_tokens: int


class UsageReport(Message, frozen=True, tag="usage"):
    """A run is over; sent again until ``UsageAck``.

    Attributes:
        job, epoch: the lease.
        outcome, code: how it ended; ``engine_exited`` when the engine's process ended by itself.
        delivered: whether some of its answer had been sent.
        usage: what it used.
        beside: with ``engine_exited``, how many other runs were in the engine then.
    """

    job: str
    epoch: int
    outcome: Outcome
    code: str
    delivered: bool
    usage: Usage
    beside: int = 0


class Goodbye(Message, frozen=True, tag="goodbye"):
    """The agent stops, after its runs ended; with the reason ``LEFT`` its identity is revoked."""

    reason: str


class LoadFailed(Message, frozen=True, tag="load-failed"):
    """A model that the pool asked for could not be loaded; the reason is a stable code."""

    model: str
    code: str
    values: dict[str, str | int | float]


class CatalogueRequest(Message, frozen=True, tag="ask-catalogue"):
    """The node wants the pool's catalogue of models.

    Attributes:
        digest: of the one that it has, sha256 in hexadecimal; "" for none.
    """

    digest: str


NodeUp = (
    Hello
    | Heartbeat
    | Accept
    | Decline
    | Progress
    | UsageReport
    | Goodbye
    | LoadFailed
    | CatalogueRequest
)


# Scheduler to node: ctl.


class Welcome(Message, frozen=True, tag="welcome"):
    """Answer to Hello: how often to beat, and which of its runs are still wanted.

    Attributes:
        heartbeat_s: seconds between two heartbeats.
        keep: the runs that are still wanted, as (job, epoch).
        protocol: the one to speak.
        pool_version: of the pool's Entraide; "" when it does not say.
        sent_at: sender's clock; 0 when it does not say.
    """

    heartbeat_s: float
    keep: tuple[tuple[str, int], ...]
    protocol: int = PROTOCOL
    pool_version: str = ""
    sent_at: float = 0.0


class HelloRequest(Message, frozen=True, tag="say-hello"):
    """The scheduler does not know this node (any more): say hello again."""


class UsageAck(Message, frozen=True, tag="usage-ack"):
    """The report is in the books: forget it."""

    job: str
    epoch: int


class StopRun(Message, frozen=True, tag="stop"):
    """Stop a run: its lease is over."""

    job: str
    epoch: int


class IdentityRenewed(Message, frozen=True, tag="renewed"):
    """A new identity token, before the old one expires."""

    jwt: str


class LoadModel(Message, frozen=True, tag="load"):
    """Load a model of the node's ``loadable``; it appears among the card's replicas."""

    model: str


class UnloadModel(Message, frozen=True, tag="unload"):
    """Unload a model once its runs have ended; it takes no new ones from now on."""

    model: str


class CatalogueReply(Message, frozen=True, tag="catalogue"):
    """The pool's catalogue of models, signed.

    Attributes:
        document: JSON of ``entraide.models.Catalogue``.
        signature: Ed25519 over it by the pool's signing key.
    """

    document: bytes
    signature: bytes


NodeDownCtl = (
    Welcome
    | HelloRequest
    | UsageAck
    | StopRun
    | IdentityRenewed
    | LoadModel
    | UnloadModel
    | CatalogueReply
)


# Gateway to node: in.


class StartRun(Message, frozen=True, tag="run"):
    """Run this request.

    Attributes:
        job, epoch: the lease.
        gateway: where the answer goes.
        path: ``/v1/chat/completions`` or ``/v1/completions``.
        model: public model name.
        stream: whether tokens are wanted as they come.
        body: the request, one opaque field.
        sealed: how the body is sealed; "" for not.
        own: whether the job is the node's own co-op's.
    """

    job: str
    epoch: int
    gateway: str
    path: str
    model: str
    stream: bool
    body: bytes
    sealed: str = ""
    own: bool = False


class CancelRun(Message, frozen=True, tag="cancel"):
    """The client went away, or cancelled: stop the engine at once."""

    job: str
    epoch: int


NodeIn = StartRun | CancelRun


# Node to gateway: out.


class Tokens(Message, frozen=True, tag="tokens"):
    """Part of a streamed answer.

    Attributes:
        job, epoch: the lease.
        first: number of output tokens sent before this message.
        n: output tokens in it.
        data: server-sent events, ready to be sent on.
    """

    job: str
    epoch: int
    first: int
    n: int
    data: bytes


class RunEnded(Message, frozen=True, tag="end"):
    """A run is over; goes to the gateway, as ``UsageReport`` goes to the scheduler.

    Attributes:
        job, epoch: the lease.
        outcome, code, values: how it ended.
        first: number of output tokens sent before.
        final: streamed: JSON of the chunk that bears ``finish_reason``.
        body: not streamed: JSON of the whole answer.
        usage: what it used.
    """

    job: str
    epoch: int
    outcome: Outcome
    code: str
    values: dict[str, str | int | float]
    first: int
    final: bytes
    body: bytes
    usage: Usage


NodeOut = Tokens | RunEnded


# Gateway to scheduler, and back.


class GatewayHeartbeat(Message, frozen=True, tag="gw-beat"):
    """A gateway is there; once a second."""

    boot: str


class SubmitJob(Message, frozen=True, tag="submit"):
    """A gateway asks for a job."""

    facts: RequestFacts


class CancelJob(Message, frozen=True, tag="cancel-job"):
    """The client left or cancelled (``reason`` is an error code)."""

    job: str
    reason: str


class AbandonPlacement(Message, frozen=True, tag="abandon"):
    """The gateway cannot use a placement."""

    job: str
    epoch: int
    code: str


class LeaseExceeded(Message, frozen=True, tag="exceeded"):
    """A node sent more of a run than its lease grants; the client's answer has ended well.

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


class ExplanationRequest(Message, frozen=True, tag="ask-explanation"):
    """Why is this job where it is (request-reply, answered by ``ExplanationReply``)."""

    job: str
    coop: str


class ModelsRequest(Message, frozen=True, tag="ask-models"):
    """Which models are served (request-reply, answered by ``ModelsReply``)."""


GatewayUp = (
    GatewayHeartbeat
    | SubmitJob
    | CancelJob
    | AbandonPlacement
    | LeaseExceeded
    | ExplanationRequest
    | ModelsRequest
)


class JobPlaced(Message, frozen=True, tag="placed"):
    """A job has its node: send the body there; ``peak_w`` limits what its receipt believes."""

    job: str
    epoch: int
    node: str
    output_tokens_max: int
    terms: Terms
    peak_w: float = 0.0


class JobRefused(Message, frozen=True, tag="refused"):
    """A job was not admitted."""

    job: str
    code: str
    values: dict[str, str | int | float]
    retry_after_s: float | None


class JobEnded(Message, frozen=True, tag="ended"):
    """A job is over."""

    job: str
    state: JobState
    code: str
    epoch: int
    values: dict[str, str | int | float]


class KeyRevoked(Message, frozen=True, tag="key-revoked"):
    """An API key was revoked: the gateway ends its live jobs and no longer believes the key."""

    key: str


class NodeRevoked(Message, frozen=True, tag="node-revoked"):
    """A node was revoked: the gateway ends the answers that the node had begun to stream."""

    node: str


Revocation = KeyRevoked | NodeRevoked
JobUpdate = JobPlaced | JobRefused | JobEnded
GatewayDown = JobPlaced | JobRefused | JobEnded | KeyRevoked | NodeRevoked


class ExplanationReply(Message, frozen=True, tag="explained"):
    """Answer to ``ExplanationRequest``; None when the job is unknown or another co-op's."""

    explanation: Explanation | None
    receipt: Receipt | None = None


class ModelCard(Struct, frozen=True, array_like=True):
    """A model that may be asked for.

    Attributes:
        model: its public name, or the name of a size.
        revisions: checksums of the weights.
        context_tokens: the longest context offered.
        features: what it can do beyond text.
        replicas: how many nodes serve it.
        loaded: whether any does; else one loads it when it is asked for.
        means: of a size, the model that it means now; else "".
    """

    model: str
    revisions: tuple[str, ...]
    context_tokens: int
    features: tuple[str, ...]
    replicas: int
    loaded: bool = True
    means: str = ""


class ModelsReply(Message, frozen=True, tag="models"):
    """Answer to ``ModelsRequest``."""

    models: tuple[ModelCard, ...]
