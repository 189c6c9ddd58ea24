"""Batch work: what waiting batch jobs, and lines that are still to come, add to the backlog."""

from msgspec import Struct

from entraide.types import RequestFacts


class BatchWork(Struct, frozen=True, array_like=True, gc=False):
    """The work that one job, or the lines of a batch, add to the backlog.

    It is stated in tokens: how long they take is learned while they wait.

    Attributes:
        due: the deadline, in quarters of an hour since the epoch, rounded down.
        lines: number of jobs.
        input_tokens: expected prompt tokens of all.
        output_tokens_max: limit on the answer tokens of all, one answer each: the answers of a job
            are made side by side.
    """

    due: int
    lines: int = 1
    input_tokens: int = 0
    output_tokens_max: int = 0


class StatedBatch(Struct, frozen=True, gc=False):
    """The lines of a batch that are not yet requested.

    Attributes:
        facts: of a typical line, with an alias resolved; ``job`` is the batch's identifier.
        lines: number of lines.
        work: their share of the batch backlog; None if they may not wait for greener hours.
    """

    facts: RequestFacts
    lines: int
    work: BatchWork | None = None
