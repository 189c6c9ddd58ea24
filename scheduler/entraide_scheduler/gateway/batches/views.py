"""Views: a batch as clients see it, in OpenAI's form with the pool's own fields. Pure."""

from typing import Literal

from msgspec import Struct, field

from entraide.decoding import decode_json, decode_msgpack
from entraide.units import g_from_ug, wh_from_uwh
from entraide_scheduler.gateway import refusals
from entraide_scheduler.gateway.batches.outcome import BatchOutcome
from entraide_scheduler.gateway.batches.results import make_file_id
from entraide_scheduler.gateway.batches.states import BatchState
from entraide_scheduler.gateway.batches.validation import LineFault
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.sealer import Sealer
from entraide_scheduler.store.rows import BatchRow

COMPLETION_WINDOW = "24h"


class BatchFault(Struct, frozen=True):
    """A fault of a batch's file; ``line`` counts from 1 and is null for the file as a whole."""

    code: str
    message: str
    param: str | None
    line: int | None


class BatchFaults(Struct, frozen=True):
    """The faults of a batch's file."""

    data: list[BatchFault]
    object: Literal["list"] = "list"


class RequestCounts(Struct, frozen=True):
    """How many lines a batch has, and of how many there is an answer or an error."""

    total: int
    completed: int
    failed: int


class BatchPoolFields(Struct, frozen=True, omit_defaults=True):
    """The pool's own fields of a batch.

    Attributes:
        deadline_at: when what has not ended expires, seconds since the epoch.
        energy_wh, carbon_gco2e, carbon_lifecycle_gco2e: what its lines used, once it has ended.
    """

    deadline_at: float
    energy_wh: float | None = None
    carbon_gco2e: float | None = None
    carbon_lifecycle_gco2e: float | None = None


class BatchObject(Struct, frozen=True, kw_only=True):
    """A batch in OpenAI's form; times are whole seconds since the epoch."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None
    errors: BatchFaults | None
    input_file_id: str
    completion_window: str = COMPLETION_WINDOW
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str] | None
    entraide: BatchPoolFields


class BatchList(Struct, frozen=True):
    """A page of batches; the next page begins after ``last_id``."""

    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = field(default="list")


def describe_batch(row: BatchRow, sealer: Sealer, lang: str) -> BatchObject:
    """Returns a batch as its owner sees it.

    Args:
        row: the batch.
        sealer: decrypts its metadata.
        lang: language of the sentences.
    """
    metadata = sealer.unseal(row.batch, "metadata", row.sealed_metadata)
    facts = row.progress.facts
    return BatchObject(
        id=row.batch,
        endpoint=row.endpoint,
        model=facts.model if facts is not None else None,
        errors=_describe_faults(row, lang),
        input_file_id=row.input_file,
        status=row.state,
        output_file_id=make_file_id(row.batch, failed=False) if row.completed else None,
        error_file_id=make_file_id(row.batch, failed=True) if row.failed else None,
        created_at=int(row.created_at),
        in_progress_at=_time(row.started_at),
        expires_at=int(row.deadline_at),
        finalizing_at=_time(row.finalizing_at),
        completed_at=_end_time(row, BatchState.COMPLETED),
        failed_at=_end_time(row, BatchState.FAILED),
        expired_at=_end_time(row, BatchState.EXPIRED),
        cancelling_at=_time(row.cancelling_at),
        cancelled_at=_end_time(row, BatchState.CANCELLED),
        request_counts=RequestCounts(row.lines, row.completed, row.failed),
        metadata=decode_json(metadata, type=dict[str, str] | None),
        entraide=_describe_pool_fields(row),
    )


def _describe_faults(row: BatchRow, lang: str) -> BatchFaults | None:
    if not row.faults:
        return None
    faults = decode_msgpack(row.faults, type=list[LineFault])
    return BatchFaults(
        [
            BatchFault(
                code=fault.openai_code,
                message=refusals.error_sentence(ErrorReply(fault.code, fault.values), lang),
                param=str(fault.values["param"]) if "param" in fault.values else None,
                line=fault.line or None,
            )
            for fault in faults
        ]
    )


def _describe_pool_fields(row: BatchRow) -> BatchPoolFields:
    if not row.outcome:
        return BatchPoolFields(row.deadline_at)
    outcome = decode_msgpack(row.outcome, type=BatchOutcome)
    return BatchPoolFields(
        row.deadline_at,
        energy_wh=wh_from_uwh(outcome.energy_uwh),
        carbon_gco2e=g_from_ug(outcome.carbon_direct_ug),
        carbon_lifecycle_gco2e=g_from_ug(outcome.carbon_lifecycle_ug),
    )


def _time(at: float) -> int | None:
    return int(at) or None


def _end_time(row: BatchRow, state: BatchState) -> int | None:
    return int(row.ended_at) if row.state == state else None
