"""Commands: all outputs of the core.

``cause`` is the id of the event that led to a command. The live driver executes commands over NATS,
gRPC and HTTP; the simulator executes them in virtual time.
"""

from msgspec import Struct

from entraide.types import Explanation, JobState, NodeState, Settlement, Terms, Usage


class BaseCommand(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Fields of every command."""

    cause: int


class Place(BaseCommand, frozen=True, tag="place"):
    """Offer a job to a node: the job's gateway sends the body there.

    Attributes:
        job, epoch, node: identify the lease.
        gateway: the gateway that holds the body.
        output_tokens_max: limit to write into the forwarded request.
        terms: terms of the lease.
        explanation: why the node was selected.
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
        values: values for the message of the code.
        retry_after_s: time after which the same request may be admitted; None if never.
    """

    job: str
    gateway: str
    code: str
    values: dict[str, str | int | float]
    retry_after_s: float | None
    explanation: Explanation


class CancelRun(BaseCommand, frozen=True, tag="cancel-run"):
    """Stop a run on a node; its output is not used."""

    job: str
    epoch: int
    node: str


class EndJob(BaseCommand, frozen=True, tag="end-job"):
    """A job has ended. Its gateway tells the client, unless the client knows already.

    Attributes:
        state: completed, cancelled or failed.
        code: stable error code, or "".
        epoch: epoch of the run that ended the job; 0 if the job never ran.
        values: values for the message of the code.
    """

    job: str
    gateway: str
    state: JobState
    code: str
    epoch: int
    values: dict[str, str | int | float]


class EndStalledJob(BaseCommand, frozen=True, tag="end-stalled"):
    """A job has ended because no node would accept it for as long as it may wait.

    Attributes:
        state, code, epoch, values: as in ``EndJob``.
        coop: whose job it was.
        retry_after_s: time after which the same request may be accepted; None if never.
        explanation: why no node took it.
    """

    job: str
    gateway: str
    state: JobState
    code: str
    epoch: int
    values: dict[str, str | int | float]
    coop: str
    retry_after_s: float | None
    explanation: Explanation


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One entry of the double-entry ledger.

    Attributes:
        account: name of the co-op.
        unit: ``tokens``, ``energy_uwh`` or ``carbon_ug``.
        amount: positive if the account gave, negative if it received.
    """

    account: str
    unit: str
    amount: int


class Settle(BaseCommand, frozen=True, tag="settle"):
    """Write the settlement of one job to the ledger, once.

    Attributes:
        terms, usage, settlement: terms, usage and settlement of the run.
        state: the job's final state.
        entries: their sum is zero in each unit.
    """

    job: str
    terms: Terms
    usage: Usage
    settlement: Settlement
    state: JobState
    entries: tuple[Entry, ...]


class SettledRun(Struct, frozen=True, array_like=True, gc=False):
    """One run of a resumed answer, as it is settled.

    Attributes:
        terms, usage, settlement: terms, billed usage and settlement of the run; the settlement of
            the last run has the job's latency and promise.
        code: stable code of why it ended; "" if it ended the answer.
        entries: their sum is zero in each unit.
    """

    terms: Terms
    usage: Usage
    settlement: Settlement
    code: str
    entries: tuple[Entry, ...]


class SettleResumed(BaseCommand, frozen=True, tag="settle-resumed"):
    """Write the settlements of all runs of a job to the ledger, once.

    Attributes:
        runs: oldest first.
        state: the job's final state.
    """

    job: str
    runs: tuple[SettledRun, ...]
    state: JobState


class PostCorrection(BaseCommand, frozen=True, tag="post-correction"):
    """Write a correction to the ledger, once.

    Attributes:
        correction: identifier.
        reason: why the members correct the ledger.
        entries: their sum is zero in each unit.
    """

    correction: str
    reason: str
    entries: tuple[Entry, ...]


class AckUsage(BaseCommand, frozen=True, tag="ack-usage"):
    """Acknowledge a node's usage report, even one that was dropped."""

    node: str
    job: str
    epoch: int


class NodeTurned(BaseCommand, frozen=True, tag="node-turned"):
    """A node's state in the fleet view changed."""

    node: str
    state: NodeState


class NodeMarked(BaseCommand, frozen=True, tag="node-marked"):
    """Log and count a node's violation of the protocol."""

    node: str
    reason: str


class FalseAlarm(BaseCommand, frozen=True, tag="false-alarm"):
    """Log and count that a node is there whose runs were lost by the short limits of silence."""

    node: str


class LoadModel(BaseCommand, frozen=True, tag="load-model"):
    """Have a node load a model that it offers; its next card or ``LoadFailed`` is the answer."""

    node: str
    model: str


class UnloadModel(BaseCommand, frozen=True, tag="unload-model"):
    """Have a node unload a model after its runs have ended; its next card is the answer."""

    node: str
    model: str


class Dropped(BaseCommand, frozen=True, tag="dropped"):
    """A message was not used, such as one of an old epoch or an unknown job; it is counted.

    Attributes:
        what: code of the message or of the reason.
    """

    what: str
    job: str
    node: str


Command = (
    Place
    | Refuse
    | CancelRun
    | EndJob
    | EndStalledJob
    | Settle
    | SettleResumed
    | PostCorrection
    | AckUsage
    | NodeTurned
    | NodeMarked
    | FalseAlarm
    | LoadModel
    | UnloadModel
    | Dropped
)

# Commands that write to the ledger; repeating one changes nothing.
Posting = Settle | SettleResumed | PostCorrection
