"""Commands: all that the core ever asks for.

Each carries ``cause``, the id of the event that led to it. The live driver carries them out over
NATS, gRPC and HTTP; a simulator carries them out in its own world.
"""

from msgspec import Struct

from entraide.types import Explanation, JobState, NodeState, Settlement, Terms, Usage


class BaseCommand(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """What every command carries (a common head, no behaviour)."""

    cause: int


class Place(BaseCommand, frozen=True, tag="place"):
    """Offer a job to a node: its gateway sends the body there.

    Attributes:
        job, epoch, node, gateway: the lease, and who holds the body.
        output_tokens_max: limit to write into the forwarded request.
        terms: what was fixed.
        explanation: why there.
    """

    job: str
    epoch: int
    node: str
    gateway: str
    output_tokens_max: int
    terms: Terms
    explanation: Explanation


class Refuse(BaseCommand, frozen=True, tag="refuse"):
    """A job was not admitted.

    Attributes:
        code: stable error code.
        values: the numbers in its sentence.
        retry_after_s: when the same request may be admitted; None when never.
    """

    job: str
    gateway: str
    code: str
    values: dict[str, str | int | float]
    retry_after_s: float | None
    explanation: Explanation


class CancelRun(BaseCommand, frozen=True, tag="cancel-run"):
    """Stop a run on a node; nothing of it will be used."""

    job: str
    epoch: int
    node: str


class EndJob(BaseCommand, frozen=True, tag="end-job"):
    """A job is over. Its gateway tells the client, unless the client knows already.

    Attributes:
        state: completed, cancelled or failed.
        code: stable error code, or "".
        epoch: of the run that ended it; 0 when it never ran.
        values: the numbers in the code's sentence.
    """

    job: str
    gateway: str
    state: JobState
    code: str
    epoch: int
    values: dict[str, str | int | float]


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One line of the double-entry ledger.

    Attributes:
        account: a co-op.
        unit: ``tokens``, ``energy_uwh`` or ``carbon_ug``.
        amount: positive for what the account gave, negative for what it received.
    """

    account: str
    unit: str
    amount: int


class Settle(BaseCommand, frozen=True, tag="settle"):
    """Write the books for one job, once.

    Attributes:
        terms, usage, settlement: the facts.
        state: how the job ended.
        entries: their sum is zero in each unit.
    """

    job: str
    terms: Terms
    usage: Usage
    settlement: Settlement
    state: JobState
    entries: tuple[Entry, ...]


class PostCorrection(BaseCommand, frozen=True, tag="post-correction"):
    """Write a correction into the books, once.

    Attributes:
        correction, reason: what the members call it, and why.
        entries: their sum is zero in each unit.
    """

    correction: str
    reason: str
    entries: tuple[Entry, ...]


class AckUsage(BaseCommand, frozen=True, tag="ack-usage"):
    """Tell a node that its usage report is in the books (or was not wanted)."""

    node: str
    job: str
    epoch: int


class NodeTurned(BaseCommand, frozen=True, tag="node-turned"):
    """A node's state in the fleet view changed."""

    node: str
    state: NodeState


class NodeMarked(BaseCommand, frozen=True, tag="node-marked"):
    """A node did what no honest node does; counted and logged, and nothing more."""

    node: str
    reason: str


class LoadModel(BaseCommand, frozen=True, tag="load-model"):
    """Have a node load a model that it offered; its next card, or ``LoadFailed``, answers."""

    node: str
    model: str


class UnloadModel(BaseCommand, frozen=True, tag="unload-model"):
    """Have a node unload a model once its runs there have ended; its next card answers."""

    node: str
    model: str


class Dropped(BaseCommand, frozen=True, tag="dropped"):
    """A message was not used: an old epoch, an unknown job. Counted, never fatal."""

    what: str
    job: str
    node: str


Command = (
    Place
    | Refuse
    | CancelRun
    | EndJob
    | Settle
    | PostCorrection
    | AckUsage
    | NodeTurned
    | NodeMarked
    | LoadModel
    | UnloadModel
    | Dropped
)
