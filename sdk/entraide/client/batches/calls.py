"""Calls: the HTTP requests of batches, and their replies as structs. Without I/O."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide.client._constants import RESULT_LINE_BYTES_MAX
from entraide.client._request import retry_delay_s
from entraide.client.batches.answers import (
    Batch,
    BatchCounts,
    BatchError,
    BatchExpectation,
    BatchFault,
    BatchHour,
    BatchResult,
    BatchUsage,
)
from entraide.client.batches.input import BatchInput
from entraide.client.http import WebRequest
from entraide.decoding import JsonDecoder, decode_json
from entraide.errors import EntraideError, error_for

FILES, BATCHES = "/v1/files", "/v1/batches"
COMPLETION_WINDOW = "24h"
UPLOAD_PIECE_BYTES = 256 * 1024
JSON_KIND = "application/json"


class BatchOptions(TypedDict, total=False):
    """The pool's own options of a batch, for all its lines; see ``RequestOptions``.

    Attributes:
        data_class: ``public``, ``internal`` or ``restricted``.
        jurisdiction: prefix of the zones where the lines may run (``CA``, ``CA-QC``).
        controlled_by: who must control the machines: ``member``, ``canadian`` or ``other``.
        max_gco2e: cap on the emissions of each line, gCO2e.
        deadline_s: latest acceptable end, seconds from now; ``until`` names it as a moment.
        task, language: kind of the questions, and their language, ``fr`` or ``en``.
        openness: class that the model must reach, as of a request.
        prefix: ``off`` so that engines keep nothing of the lines, as of a request.
    """

    data_class: str | None
    jurisdiction: str | None
    controlled_by: str | None
    max_gco2e: float
    deadline_s: float
    task: str
    language: str
    openness: str | None
    prefix: str | None


class _File(Struct, frozen=True):
    id: str


class _Counts(Struct, frozen=True):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Fault(Struct, frozen=True):
    code: str = ""
    message: str = ""
    param: str | None = None
    line: int | None = None


class _Faults(Struct, frozen=True):
    data: list[_Fault] = []


class _Expected(Struct, frozen=True):
    reason: str
    starts_at: float
    ends_at: float
    energy_wh: float = 0.0
    g_planned: float = 0.0
    g_at_once: float = 0.0
    hours: list[BatchHour] = []
    sentence: dict[str, str] = {}


class _PoolFields(Struct, frozen=True):
    deadline_at: float = 0.0
    expected: _Expected | None = None
    energy_wh: float | None = None
    carbon_gco2e: float | None = None
    carbon_lifecycle_gco2e: float | None = None
    saved_g: float | None = None
    saved_sentence: dict[str, str] | None = None


class _Cached(Struct, frozen=True):
    cached_tokens: int = 0


class _Usage(Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _Cached = _Cached()


class _Batch(Struct, frozen=True):
    """A batch in OpenAI's form, with the pool's own fields."""

    id: str
    status: str
    endpoint: str
    input_file_id: str = ""
    model: str | None = None
    errors: _Faults | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: float = 0.0
    in_progress_at: float | None = None
    expires_at: float | None = None
    completed_at: float | None = None
    failed_at: float | None = None
    expired_at: float | None = None
    cancelled_at: float | None = None
    request_counts: _Counts = _Counts()
    metadata: dict[str, str] | None = None
    usage: _Usage | None = None
    entraide: _PoolFields = _PoolFields()


class _Page(Struct, frozen=True):
    data: list[_Batch]
    has_more: bool = False


class _Error(Struct, frozen=True):
    code: str | None = ""
    message: str = ""


class _ErrorBody(Struct, frozen=True):
    error: _Error = _Error()


class _Response(Struct, frozen=True):
    status_code: int
    body: dict[str, Any]
    request_id: str = ""


class _ResultLine(Struct, frozen=True):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


_result_line = JsonDecoder[_ResultLine](_ResultLine)


class _Form:
    """The form of an upload as pieces, in which no piece is large; each iteration begins anew."""

    def __init__(self, content: BatchInput) -> None:
        self._content = content
        self.boundary = f"entraide-{content.digest}"
        self._head = (
            f"--{self.boundary}\r\n"
            'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f"--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{content.name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{self.boundary}--\r\n".encode()
        self.bytes = len(self._head) + content.bytes + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        file = self._content.file
        file.seek(0)
        yield self._head
        while piece := file.read(UPLOAD_PIECE_BYTES):
            yield piece
        yield self._tail


def upload(content: BatchInput) -> WebRequest:
    """Returns the upload of a file with requests."""
    form = _Form(content)
    kind = f"multipart/form-data; boundary={form.boundary}"
    return WebRequest("POST", FILES, form, form.bytes, kind)


def create(
    file: str, endpoint: str, *, until: dt.datetime | str | None,
    metadata: Mapping[str, str] | None, keep_s: float, options: Mapping[str, Any], lang: str,
) -> WebRequest:  # fmt: skip
    """Returns the creation of a batch of a file.

    Raises:
        RequestError: ``until`` and ``deadline_s`` contradict each other.
    """
    own = {name: value for name, value in options.items() if value is not None}
    deadline_s = own.pop("deadline_s", None)
    if until and deadline_s is not None:
        values = {"fault": "differs", "param": "until", "other": "deadline_s"}
        sentence = i18n.error("invalid_request", lang, values)
        raise error_for("invalid_request", sentence, values=values)
    if isinstance(until, dt.datetime):
        own["deadline"] = until.astimezone(dt.UTC).isoformat()
    elif until or deadline_s is not None:
        own["deadline"] = until or deadline_s
    fields: dict[str, Any] = {
        "input_file_id": file,
        "endpoint": endpoint,
        "completion_window": COMPLETION_WINDOW,
    }
    if metadata:
        fields["metadata"] = dict(metadata)
    if keep_s:
        fields["output_expires_after"] = {"anchor": "created_at", "seconds": round(keep_s)}
    if own:
        fields["entraide"] = own
    body = msgspec.json.encode(fields)
    return WebRequest("POST", BATCHES, (body,), len(body), JSON_KIND)


def get(batch: str) -> WebRequest:
    """Returns the query for a batch."""
    return WebRequest("GET", f"{BATCHES}/{_quote(batch)}")


def cancel(batch: str) -> WebRequest:
    """Returns the cancellation of a batch."""
    return WebRequest("POST", f"{BATCHES}/{_quote(batch)}/cancel")


def page(after: str, limit: int) -> WebRequest:
    """Returns the query for a page of batches, newest first."""
    query = {"limit": limit} | ({"after": after} if after else {})
    return WebRequest("GET", f"{BATCHES}?{urlencode(query)}")


def content(file: str) -> WebRequest:
    """Returns the query for the content of a file."""
    return WebRequest("GET", f"{FILES}/{_quote(file)}/content")


def _quote(name: str) -> str:
    return quote(name, safe="")


def read_file(body: bytes, lang: str) -> str:
    """Returns the identifier of a file that the pool took."""
    try:
        return decode_json(body, type=_File).id
    except msgspec.MsgspecError as problem:
        raise _unreadable(lang) from problem


def read_batch(body: bytes, lang: str) -> Batch:
    """Returns a batch from the pool's reply.

    Raises:
        PoolError: the reply is not a batch.
    """
    try:
        return _batch(decode_json(body, type=_Batch), lang)
    except msgspec.MsgspecError as problem:
        raise _unreadable(lang) from problem


def read_page(body: bytes, lang: str) -> tuple[list[Batch], bool]:
    """Returns the batches of a page, and whether there is a next page."""
    try:
        reply = decode_json(body, type=_Page)
    except msgspec.MsgspecError as problem:
        raise _unreadable(lang) from problem
    return [_batch(each, lang) for each in reply.data], reply.has_more


def read_result(line: bytes, lang: str) -> BatchResult:
    """Returns the result in a line of a file."""
    try:
        reply = _result_line.decode(line)
        if reply.response is None:
            error = reply.error or _Error()
            return BatchResult(reply.custom_id, error=BatchError(error.code or "", error.message))
        job = reply.response.request_id
        if reply.response.status_code == 200:
            return BatchResult(reply.custom_id, body=reply.response.body, job=job)
        error = msgspec.convert(reply.response.body, _ErrorBody).error
        return BatchResult(
            reply.custom_id, error=BatchError(error.code or "", error.message), job=job
        )
    except msgspec.MsgspecError as problem:
        raise _unreadable(lang) from problem


def _unreadable(lang: str) -> Exception:
    return error_for("internal", i18n.text("client-batch-unreadable", lang))


def name_of(batch: str | Batch) -> str:
    """Returns the identifier of a batch."""
    return batch.batch if isinstance(batch, Batch) else batch


def as_ended(batch: str | Batch) -> Batch | None:
    """Returns a batch that has ended, of which nothing changes any more; None for any other."""
    return batch if isinstance(batch, Batch) and batch.ended else None


def check_window(window: str, lang: str) -> None:
    """Checks OpenAI's ``completion_window``.

    Raises:
        RequestError: it is not the only one that there is.
    """
    if window != COMPLETION_WINDOW:
        values = {"fault": "not_one_of", "param": "completion_window", "choices": COMPLETION_WINDOW}
        sentence = i18n.error("invalid_request", lang, values)
        raise error_for("invalid_request", sentence, values=values)


def may_have_arrived(problem: EntraideError) -> bool:
    """Whether a request that failed may have been carried out: no refusal came back."""
    return problem.code in ("pool_unreachable", "connection_cut", "internal")


class ResumedRead:
    """Reads the results in a file, which may need several attempts.

    Attributes:
        is_complete: whether the end of the file was read.
    """

    def __init__(self, retries: int, lang: str) -> None:
        self.is_complete = False
        self._retries, self._lang = retries, lang
        self._read = 0  # lines that were handed out
        self._skipped = 0  # of them, in this attempt
        self._attempt = 0
        self._splitter = LineSplitter(lang)

    def feed(self, piece: bytes) -> Iterator[BatchResult]:
        """Yields the results that a piece completes, without those of earlier attempts."""
        for line in self._splitter.feed(piece):
            if self._skipped < self._read:
                self._skipped += 1
                continue
            self._read += 1
            self._skipped += 1
            self._attempt = 0
            yield read_result(line, self._lang)

    def end(self) -> None:
        """Notes the end of the file."""
        self.is_complete = True

    def pause_s(self, problem: EntraideError) -> float:
        """Returns the time before the next attempt, seconds, which begins anew.

        Raises:
            EntraideError: the problem itself, if another attempt does not help.
        """
        wait_s = retry_delay_s(
            problem, attempt=self._attempt, retries=self._retries, left_s=math.inf
        )
        if wait_s is None:
            raise problem
        self._attempt += 1
        self._skipped = 0
        self._splitter = LineSplitter(self._lang)
        return wait_s


class LineSplitter:
    """Splits the pieces of a content into lines."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """Returns the lines that a piece completes.

        Raises:
            PoolError: a line has more than ``RESULT_LINE_BYTES_MAX``.
        """
        self._rest += piece
        if b"\n" in piece:
            *lines, self._rest = self._rest.split(b"\n")
            return [bytes(line) for line in lines if line.strip()]
        if len(self._rest) > RESULT_LINE_BYTES_MAX:
            raise _unreadable(self._lang)
        return []


def _batch(reply: _Batch, lang: str) -> Batch:
    own, errors = reply.entraide, reply.errors or _Faults()
    ends = (reply.completed_at, reply.failed_at, reply.expired_at, reply.cancelled_at)
    return Batch(
        batch=reply.id,
        state=reply.status,
        endpoint=reply.endpoint,
        model=reply.model or "",
        counts=BatchCounts(
            reply.request_counts.total, reply.request_counts.completed, reply.request_counts.failed
        ),
        faults=tuple(
            BatchFault(fault.line or 0, fault.code, fault.message, fault.param or "")
            for fault in errors.data
        ),
        input_file=reply.input_file_id,
        output_file=reply.output_file_id or "",
        error_file=reply.error_file_id or "",
        created_at=reply.created_at,
        started_at=reply.in_progress_at or 0.0,
        ended_at=max(at or 0.0 for at in ends),
        deadline_at=own.deadline_at or reply.expires_at or 0.0,
        metadata=reply.metadata or {},
        expected=_expectation(own.expected, lang) if own.expected is not None else None,
        usage=_usage(reply.usage) if reply.usage is not None else None,
        energy_wh=own.energy_wh,
        carbon_gco2e=own.carbon_gco2e,
        carbon_lifecycle_gco2e=own.carbon_lifecycle_gco2e,
        saved_g=own.saved_g,
        saved_sentence=(own.saved_sentence or {}).get(i18n.lang_of(lang), ""),
    )


def _expectation(reply: _Expected, lang: str) -> BatchExpectation:
    return BatchExpectation(
        reason=reply.reason,
        starts_at=reply.starts_at,
        ends_at=reply.ends_at,
        energy_wh=reply.energy_wh,
        g_planned=reply.g_planned,
        g_at_once=reply.g_at_once,
        hours=tuple(reply.hours),
        sentence=reply.sentence.get(i18n.lang_of(lang), ""),
    )


def _usage(reply: _Usage) -> BatchUsage:
    cached_tokens = reply.input_tokens_details.cached_tokens
    return BatchUsage(reply.input_tokens, cached_tokens, reply.output_tokens)
