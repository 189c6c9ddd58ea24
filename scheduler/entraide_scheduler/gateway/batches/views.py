"""Views: a batch as clients see it, in OpenAI's form with the pool's own fields. Pure."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from entraide import i18n
from entraide.decoding import decode_json, decode_msgpack
from entraide.relative_time import Clock, format_time
from entraide.units import UG_PER_G, UWH_PER_WH, g_from_ug, wh_from_uwh
from entraide_scheduler.core.carbon import HOUR_S, ShiftReason
from entraide_scheduler.gateway.answers import Sentences, in_both
from entraide_scheduler.gateway.batches.outcome import BatchOutcome, Expected, read_expected
from entraide_scheduler.gateway.batches.results import make_file_id
from entraide_scheduler.gateway.batches.states import BatchState
from entraide_scheduler.gateway.batches.validation import LineFault
from entraide_scheduler.gateway.jobs import Sealer
from entraide_scheduler.gateway.refusals import ErrorReply, refusals
from entraide_scheduler.store.rows import BatchRow

COMPLETION_WINDOW = "24h"


class BatchFault(Struct, frozen=True):
    """A fault of a batch's file; ``line`` counts from 1 and is null for the file as a whole."""

    code: str
    message: str
    param: str | None
    line: int | None
    message_fr: str | UnsetType = UNSET


class BatchFaults(Struct, frozen=True):
    """The faults of a batch's file."""

    data: list[BatchFault]
    object: Literal["list"] = "list"


class RequestCounts(Struct, frozen=True):
    """How many lines a batch has, and of how many there is an answer or an error."""

    total: int
    completed: int
    failed: int


class BatchCachedTokens(Struct, frozen=True):
    """A part of the input tokens."""

    cached_tokens: int


class BatchReasoningTokens(Struct, frozen=True):
    """A part of the output tokens: the models' thoughts."""

    reasoning_tokens: int = 0


class BatchUsage(Struct, frozen=True):
    """Tokens of the settled lines of a batch, in OpenAI's form."""

    input_tokens: int
    input_tokens_details: BatchCachedTokens
    output_tokens: int
    total_tokens: int
    output_tokens_details: BatchReasoningTokens = BatchReasoningTokens()


class BatchHour(Struct, frozen=True):
    """A part of a batch's lines in one hour of one zone; ``g_per_kwh`` is expected."""

    zone: str
    starts_at: int
    part: float
    g_per_kwh: float
    signal: str


class RunExpectation(Struct, frozen=True):
    """When the lines that are left are expected to run, and why.

    Attributes:
        at: when this was computed, seconds since the epoch.
        reason: ``later`` (they wait for greener hours), ``due`` (their deadline leaves none),
            ``short`` (the hours hardly hold all the work), ``unknown`` (no later hour is known).
        starts_at, ends_at: of the first and the last line, seconds since the epoch.
        hours: by hour and zone.
        energy_wh, g_planned: in these hours.
        g_at_once: if they ran at once.
        basis: source of most of the intensities: ``actual``, ``forecast``, ``profile``,
            ``default``.
        sentence: the same in words.
    """

    at: int
    reason: str
    starts_at: int
    ends_at: int
    hours: list[BatchHour]
    energy_wh: float
    g_planned: float
    g_at_once: float
    basis: str
    sentence: Sentences


class BatchPoolFields(Struct, frozen=True):
    """The pool's own fields of a batch.

    Attributes:
        deadline_at: when what has not ended expires, seconds since the epoch.
        expected: when the rest is expected to run; null before that is known, and at the end.
        energy_wh, carbon_gco2e, carbon_lifecycle_gco2e: what its lines used; null before its end.
        at_once_g_per_kwh: intensity that was expected at once when the batch began.
        saved_g: grams that waiting saved: this energy at that intensity, less the grams settled.
        saved_sentence: the same in words.
    """

    deadline_at: float
    expected: RunExpectation | None = None
    energy_wh: float | None = None
    carbon_gco2e: float | None = None
    carbon_lifecycle_gco2e: float | None = None
    at_once_g_per_kwh: float | None = None
    saved_g: float | None = None
    saved_sentence: Sentences | None = None


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
    usage: BatchUsage | None
    entraide: BatchPoolFields


class BatchList(Struct, frozen=True):
    """A page of batches; the next page begins after ``last_id``."""

    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = field(default="list")


def describe_batch(row: BatchRow, sealer: Sealer | None, lang: str, clock: Clock) -> BatchObject:
    """Returns a batch as its owner sees it.

    Args:
        row: the batch.
        sealer: decrypts its metadata and its faults; None leaves them out, as they must not pass
            this gateway.
        lang: language of the sentences about its faults.
        clock: the pool's.
    """
    metadata = (
        b"null" if sealer is None else sealer.unseal(row.batch, "metadata", row.sealed_metadata)
    )
    facts = row.progress.facts
    return BatchObject(
        id=row.batch,
        endpoint=row.endpoint,
        model=facts.model if facts is not None else None,
        errors=_describe_faults(row, sealer, lang),
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
        usage=_describe_usage(row),
        entraide=_describe_pool_fields(row, clock),
    )


def _describe_faults(row: BatchRow, sealer: Sealer | None, lang: str) -> BatchFaults | None:
    if sealer is None or not row.sealed_faults:
        return None
    unsealed = sealer.unseal(row.batch, "faults", row.sealed_faults)
    faults = decode_json(unsealed, type=list[LineFault])
    return BatchFaults(
        [
            BatchFault(
                code=fault.openai_code,
                **refusals.error_messages(ErrorReply(fault.code, fault.values), lang),
                param=str(fault.values["param"]) if "param" in fault.values else None,
                line=fault.line or None,
            )
            for fault in faults
        ]
    )


def _describe_usage(row: BatchRow) -> BatchUsage | None:
    if not row.outcome:
        return None
    outcome = decode_msgpack(row.outcome, type=BatchOutcome)
    return BatchUsage(
        input_tokens=outcome.input_tokens,
        input_tokens_details=BatchCachedTokens(outcome.cached_tokens),
        output_tokens=outcome.output_tokens,
        total_tokens=outcome.input_tokens + outcome.output_tokens,
        output_tokens_details=BatchReasoningTokens(outcome.reasoning_tokens),
    )


def _describe_pool_fields(row: BatchRow, clock: Clock) -> BatchPoolFields:
    if not row.outcome:
        expected = read_expected(row.expected)
        if expected is None:
            return BatchPoolFields(row.deadline_at)
        return BatchPoolFields(row.deadline_at, expected=_describe_expected(expected, clock))
    outcome = decode_msgpack(row.outcome, type=BatchOutcome)
    return BatchPoolFields(
        row.deadline_at,
        energy_wh=wh_from_uwh(outcome.energy_uwh),
        carbon_gco2e=g_from_ug(outcome.carbon_direct_ug),
        carbon_lifecycle_gco2e=g_from_ug(outcome.carbon_lifecycle_ug),
        at_once_g_per_kwh=outcome.at_once_g_per_kwh,
        saved_g=outcome.saved_g,
        saved_sentence=_saved_sentence(outcome),
    )


def _describe_expected(expected: Expected, clock: Clock) -> RunExpectation:
    now = expected.now
    hours = [
        BatchHour(hour.zone, hour.hour * HOUR_S, hour.part, hour.g_per_kwh, hour.signal)
        for hour in now.hours
    ]
    planned_g, at_once_g = now.planned_ug / UG_PER_G, now.at_once_ug / UG_PER_G
    main = max(now.hours, key=lambda hour: hour.part)

    def sentence(lang: str) -> str:
        times = {
            name: format_time(time, lang, at=expected.at, clock=clock)
            for name, time in (("starts_at", now.starts_at), ("ends_at", now.ends_at))
        }
        return i18n.text(
            f"batch-{_sentence_name(expected)}", lang, where=i18n.zone_in(main.zone, lang),
            planned_g=planned_g, at_once_g=at_once_g, **times,
        )  # fmt: skip

    return RunExpectation(
        at=int(expected.at),
        reason=now.reason,
        starts_at=int(now.starts_at),
        ends_at=int(now.ends_at),
        hours=hours,
        energy_wh=now.planned_uwh / UWH_PER_WH,
        g_planned=planned_g,
        g_at_once=at_once_g,
        basis=main.signal,
        sentence=in_both(sentence),
    )


def _sentence_name(expected: Expected) -> str:
    """Returns the reason; ``greenest`` where the cheapest hours are those from now on."""
    now = expected.now
    hours = {hour.hour for hour in now.hours}
    is_unbroken = len(hours) == max(hours) - min(hours) + 1
    if now.reason is ShiftReason.LATER and now.starts_at <= expected.at and is_unbroken:
        return "greenest"
    return now.reason


def _saved_sentence(outcome: BatchOutcome) -> Sentences | None:
    if outcome.saved_g is None or outcome.at_once_g_per_kwh is None:
        return None
    values = {
        "energy_wh": wh_from_uwh(outcome.energy_uwh),
        "at_once_g_per_kwh": outcome.at_once_g_per_kwh,
        "at_once_g": outcome.saved_g + outcome.used_g,
        "used_g": outcome.used_g,
    }
    return in_both(lambda lang: i18n.text("batch-saved", lang, **values))


def _time(at: float) -> int | None:
    return int(at) or None


def _end_time(row: BatchRow, state: BatchState) -> int | None:
    return int(row.ended_at) if row.state == state else None
