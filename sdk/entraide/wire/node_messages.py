"""Messages between a node and the scheduler, and between a node and a gateway.

``messages`` has the rules of compatibility, and the messages of gateways.
"""

from typing import Annotated

from msgspec import Meta, Struct

from entraide.types import EnergyStatus, Lending, NodeCard, Outcome, Usage

PROTOCOL = 1  # version; two sides speak the lower one of theirs
MESSAGE_BYTES_MAX = 8 * 1024 * 1024
BODY_BYTES_MAX = 4 * 1024 * 1024
PARTS_MAX = 1_024  # parts of answers in one message
BEAT_RUNS_MAX = 1_024  # runs in one heartbeat; a node reports the progress of others by itself
PARTITION_BYTES = 32  # of a run's partition; the first ``OWNER_BYTES`` are the same for its sender
OWNER_BYTES = 16
PREFIX_KEEP_S_MAX = 86_400.0  # time for which a node keeps what an engine read, seconds
PREFIX_HELD_MAX = 64  # runs of which a node says that it holds what was read
RESUMED_MAX = 2**40  # largest number in ``Resume``; larger ones are no figures of an answer
LEFT = "left"  # reason of the goodbye of a node that leaves the pool


class Message(Struct, frozen=True, array_like=True, tag=True):
    """Base of every message: encoding options, no fields."""


# Node to scheduler: ctl.


class Hello(Message, frozen=True, tag="hello"):
    """First message of an agent, sent again whenever its card changes.

    Attributes:
        card: the node's own card; the pool ignores its ``coop`` and uses the enrolled one.
        boot: identifier of this process of the agent; ``seq`` restarts with it.
        seq: number of this ctl message.
        sent_at: sender's clock.
        accepting, reason: whether the node takes jobs, else the stable code why not.
        running: the runs that the node still holds, or whose usage reports are not acknowledged,
            as (job, epoch).
        protocol: highest protocol version that the agent speaks.
        lending: whose jobs the node takes.
    """

    card: NodeCard
    boot: str
    seq: int
    sent_at: float
    accepting: bool
    reason: str
    running: tuple[tuple[str, int], ...]
    protocol: int
    lending: Lending = Lending.ALL


class RunBeat(Struct, frozen=True, array_like=True):
    """State of a run in a heartbeat; renews the run's lease.

    Attributes:
        job, epoch: the lease.
        output_tokens: output tokens so far.
        input_tokens: prompt tokens that its engine has read; 0 if the engine does not tell.
        engine: stable code of why its engine does not respond; "" if it does.
    """

    job: str
    epoch: int
    output_tokens: int
    input_tokens: int = 0
    engine: str = ""


class Heartbeat(Message, frozen=True, tag="beat"):
    """Sent in the periods of ``Welcome``.

    Attributes:
        boot, seq, sent_at, accepting, reason, lending: as in ``Hello``.
        running: number of runs.
        energy: renewable status of the site.
        runs: the runs, at most ``BEAT_RUNS_MAX``.
        prefix_held: the last run of each partition of which the node's engines hold what they read,
            the newest first; None if it is as in the heartbeat before, and after a hello: nothing.
    """

    boot: str
    seq: int
    sent_at: float
    accepting: bool
    reason: str
    running: int
    energy: EnergyStatus | None
    lending: Lending = Lending.ALL
    runs: tuple[RunBeat, ...] = ()
    prefix_held: Annotated[tuple[str, ...], Meta(max_length=PREFIX_HELD_MAX)] | None = None


class Accept(Message, frozen=True, tag="accept"):
    """The node accepts the run."""

    job: str
    epoch: int


class Decline(Message, frozen=True, tag="decline"):
    """The node declines the run; ``code`` is the reason as a stable code."""

    job: str
    epoch: int
    code: str
    values: dict[str, str | int | float]


class Progress(Message, frozen=True, tag="progress"):
    """Progress of a run: output tokens so far; renews the lease.

    Sent with the first token; also once a second if the run is in no heartbeat.
    """

    job: str
    epoch: int
    output_tokens: int


class UsageReport(Message, frozen=True, tag="usage"):
    """A run has ended; sent again until ``UsageAck``.

    Attributes:
        job, epoch: the lease.
        outcome, code: how the run ended; ``engine_exited`` when the engine's process ended by
            itself.
        delivered: whether part of the answer had been sent.
        usage: usage of the run.
        beside: with ``engine_exited``, number of other runs in the engine at that time.
    """

    job: str
    epoch: int
    outcome: Outcome
    code: str
    delivered: bool
    usage: Usage
    beside: int = 0


class Goodbye(Message, frozen=True, tag="goodbye"):
    """The agent stops after its runs have ended; the reason ``LEFT`` revokes its identity."""

    reason: str


class LoadFailed(Message, frozen=True, tag="load-failed"):
    """A model that the pool asked the node to load could not be loaded; ``code`` says why."""

    model: str
    code: str
    values: dict[str, str | int | float]


class CatalogueRequest(Message, frozen=True, tag="ask-catalogue"):
    """The node requests the pool's catalogue of models.

    Attributes:
        digest: SHA-256 of the node's catalogue, hexadecimal; "" where it has none.
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
    """Answer to ``Hello``: the heartbeat intervals, and the runs to continue.

    Attributes:
        heartbeat_s: seconds between two heartbeats of a node without runs.
        keep: the runs to continue, as (job, epoch); the node stops the others.
        protocol: protocol version to speak.
        pool_version: version of Entraide in the pool.
        sent_at: sender's clock.
        busy_heartbeat_s: seconds between two heartbeats of a node with runs, which list the runs.
        zone: the node's zone by the pool's record; "" while the operator has named none, so that
            the node is in no jurisdiction; None from an older pool.
    """

    heartbeat_s: float
    keep: tuple[tuple[str, int], ...]
    protocol: int
    pool_version: str
    sent_at: float
    busy_heartbeat_s: float
    zone: str | None = None


class HelloRequest(Message, frozen=True, tag="say-hello"):
    """The scheduler does not know this boot: the node must send ``Hello`` again."""


class UsageAck(Message, frozen=True, tag="usage-ack"):
    """Reports are in the ledger: the node may delete them.

    Attributes:
        job, epoch: the run of the first report.
        more: the runs of the others, as (job, epoch).
    """

    job: str
    epoch: int
    more: tuple[tuple[str, int], ...] = ()


class StopRun(Message, frozen=True, tag="stop"):
    """Stop a run: its lease has ended."""

    job: str
    epoch: int


class IdentityRenewed(Message, frozen=True, tag="renewed"):
    """A new identity token, before the old one expires."""

    jwt: str


class LoadModel(Message, frozen=True, tag="load"):
    """Load a model of the card's ``loadable``; it then appears among the card's replicas."""

    model: str


class UnloadModel(Message, frozen=True, tag="unload"):
    """Unload a model after its runs have ended; it takes no new runs from now on."""

    model: str


class CatalogueReply(Message, frozen=True, tag="catalogue"):
    """The pool's catalogue of models, signed.

    Attributes:
        document: JSON of ``entraide.models.Catalogue``.
        signature: Ed25519 over it by the pool's signing key.
    """

    document: bytes
    signature: bytes


class ApprovalPending(Message, frozen=True, tag="waiting"):
    """Answer to a node that the operator has not approved yet: it keeps saying hello."""


NodeDownCtl = (
    Welcome
    | HelloRequest
    | UsageAck
    | StopRun
    | IdentityRenewed
    | LoadModel
    | UnloadModel
    | CatalogueReply
    | ApprovalPending
)


# Gateway to node: in.


Resumed = Annotated[int, Meta(ge=0, le=RESUMED_MAX)]


class Resume(Struct, frozen=True, array_like=True):
    """The part of an answer that the client already has, which a run continues.

    The text itself is in the body: at the end of the last message, an assistant's, or at the end of
    the prompt.

    Attributes:
        tokens: output tokens that were sent to the client; the run's messages count from here.
        created: ``created`` of the answer's events, seconds since the epoch.
        characters: Unicode characters of that text.
    """

    tokens: Resumed
    created: Resumed
    characters: Resumed


class StartRun(Message, frozen=True, tag="run"):
    """Run a request.

    Attributes:
        job, epoch: the lease.
        gateway: gateway that receives the answer.
        path: ``/v1/chat/completions``, ``/v1/completions`` or ``/v1/embeddings``.
        model: public model name.
        stream: whether tokens are sent as they are produced.
        body: the request, as one opaque field.
        sealed: how the body is encrypted; "" where it is not.
        own: whether the job is the node's own co-op's.
        resume: if the run continues an answer that an earlier run began: where; else None.
        joins: whether the gateway reads ``JoinedParts``.
        partition: ``PARTITION_BYTES`` that only runs of the same sender have, on this node and on
            this day: the engine may use what it read for a run with the same partition, and for
            no other. Empty: the run uses nothing of another run, and nothing of it is kept.
        prefix_keep_s: time after the run for which the node may keep what the engine read,
            seconds.
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
    resume: Resume | None = None
    joins: bool = False
    partition: Annotated[bytes, Meta(max_length=PARTITION_BYTES)] = b""
    prefix_keep_s: Annotated[float, Meta(ge=0, le=PREFIX_KEEP_S_MAX)] = 0.0


class CancelRun(Message, frozen=True, tag="cancel"):
    """The client disconnected or cancelled: stop the engine at once."""

    job: str
    epoch: int


class ForgetPartition(Message, frozen=True, tag="forget"):
    """Erase all that engines read for one sender: their person is erased or their access ended.

    Attributes:
        owner: the first ``OWNER_BYTES`` of the partitions.
    """

    owner: Annotated[bytes, Meta(min_length=OWNER_BYTES, max_length=OWNER_BYTES)]


NodeIn = StartRun | CancelRun | ForgetPartition


# Node to gateway: out.


class Tokens(Message, frozen=True, tag="tokens"):
    """Part of a streamed answer.

    Attributes:
        job, epoch: the lease.
        first: number of output tokens sent before this message.
        n: output tokens in it.
        data: server-sent events, ready for the client.
    """

    job: str
    epoch: int
    first: int
    n: int
    data: bytes


class RunEnded(Message, frozen=True, tag="end"):
    """A run has ended; sent to the gateway, while ``UsageReport`` goes to the scheduler.

    Attributes:
        job, epoch: the lease.
        outcome, code, values: how the run ended.
        first: number of output tokens sent before.
        final: where streamed, JSON of the chunk that has ``finish_reason``.
        body: where not streamed, JSON of the whole answer.
        usage: usage of the run.
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


class JoinedParts(Message, frozen=True, tag="parts"):
    """Parts of several answers for one gateway that were ready together.

    Attributes:
        parts: each is an encoded ``NodeOut``; at most ``PARTS_MAX``.
    """

    parts: Annotated[tuple[bytes, ...], Meta(max_length=PARTS_MAX)]
