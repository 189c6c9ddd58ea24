"""Line jobs: the kept job of a batch's line, and its identifier. Pure.

The identifier is made of the batch's, the line's number and the number of the attempt, so that a
line that is requested again after a crash is the same job. A job that the core refused, so that it
never ran, gets the next attempt.
"""

from collections.abc import Iterable
from types import MappingProxyType

from msgspec import structs

from entraide.types import JobKind, RequestFacts
from entraide_scheduler.gateway.batches.input_lines import BatchLine
from entraide_scheduler.gateway.batches.way import read_passed
from entraide_scheduler.gateway.chat import PoolFields
from entraide_scheduler.gateway.jobs import BATCH_PREFIX, KEPT_PREFIX, Caller, FactsBuilder, Options
from entraide_scheduler.line_window import remaining_facts
from entraide_scheduler.store.batches import LINE_DIGITS
from entraide_scheduler.store.rows import BatchRow

NUMBER_DIGITS = 5  # hexadecimal, of a line; the other ``LINE_DIGITS`` are the attempt's
ATTEMPTS_MAX = 16 ** (LINE_DIGITS - NUMBER_DIGITS) - 1
JOB_CLASS = "batch"


def job_prefix(batch: str) -> str:
    """Returns what the identifiers of a batch's jobs begin with."""
    return KEPT_PREFIX + batch.removeprefix(BATCH_PREFIX)


def job_of_line(batch: str, number: int, attempt: int = 0) -> str:
    """Returns the identifier of a line's job.

    >>> job_of_line("batch_0123456789abcdef012345", 17)
    'kept-0123456789abcdef01234500000011'
    """
    digits = LINE_DIGITS - NUMBER_DIGITS
    return f"{job_prefix(batch)}{attempt:0{digits}x}{number:0{NUMBER_DIGITS}x}"


def next_attempt(job: str) -> str | None:
    """Returns the identifier of a job's next attempt; None after the last.

    >>> next_attempt("kept-0123456789abcdef01234500000011")
    'kept-0123456789abcdef01234500100011'
    """
    start, line, number = job[:-LINE_DIGITS], job[-LINE_DIGITS:], job[-NUMBER_DIGITS:]
    attempt = int(line[:-NUMBER_DIGITS], 16) + 1
    if attempt > ATTEMPTS_MAX:
        return None
    return f"{start}{attempt:0{LINE_DIGITS - NUMBER_DIGITS}x}{number}"


def caller_of(row: BatchRow) -> Caller:
    """Returns who sent a batch."""
    return Caller(row.key, row.coop, row.project)


def options_of(fields: PoolFields) -> Options:
    """Returns the options of a batch for each of its lines; the deadline is the batch's own."""
    names = {name: f"entraide.{name}" for name in PoolFields.__struct_fields__}
    return Options(
        job_class=JOB_CLASS,
        data_class=fields.data_class or "",
        jurisdiction=fields.jurisdiction or "",
        controlled_by=fields.controlled_by or "",
        max_gco2e=fields.max_gco2e,
        task=fields.task or "",
        language=fields.language or "",
        openness=fields.openness or "",
        prefix=fields.prefix or "",
        names=MappingProxyType({"keep_s": "keep_s", "idempotency": "idempotency", **names}),
    )


def build_line_facts(
    builder: FactsBuilder, row: BatchRow, line: BatchLine, options: Options
) -> RequestFacts:
    """Returns the facts of a line's job; its deadline is the batch's, or its own if earlier.

    Raises:
        Refused: an option of the line is invalid, or contradicts the batch's.
    """
    facts = builder.build_facts(line.request, caller_of(row), options, JobKind.KEPT)
    own = facts.deadline_at
    deadline_at = row.deadline_at if own is None else min(own, row.deadline_at)
    job = job_of_line(row.batch, line.number)
    places = tuple(dict.fromkeys((*facts.places, *read_passed(row.places))))
    return structs.replace(facts, job=job, deadline_at=deadline_at, idempotency="", places=places)


def answer_tokens(facts: RequestFacts) -> int:
    """Returns the most tokens of a line's answers; an answer without a limit counts none."""
    return (facts.output_tokens_max or 0) * facts.choices


def remaining_facts_of(row: BatchRow, left: int) -> RequestFacts | None:
    """Returns the facts of a typical line of those that are left; None before the input's check."""
    progress = row.progress
    if progress.facts is None:
        return None
    return remaining_facts(
        progress.facts,
        input_tokens=progress.input_tokens,
        output_tokens=progress.output_tokens,
        left=left,
    )


def as_typical(facts: RequestFacts, batch: str, features: Iterable[str]) -> RequestFacts:
    """Returns the facts of a line as those that stand for all lines of its batch.

    Args:
        facts: of any line.
        batch: identifier of the batch.
        features: features that any line needs.
    """
    return structs.replace(
        facts,
        job=batch,
        choices=1,
        features=tuple(sorted(features)),
        session="",
        prefix_keys=(),
        longest_input_est=0,
    )
