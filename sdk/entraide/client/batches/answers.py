"""Answers about batches, as frozen structs that do not depend on the transport."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

ENDED = frozenset({"failed", "completed", "expired", "cancelled"})


class BatchCounts(Struct, frozen=True):
    """How many lines a batch has, and of how many there is an answer or an error."""

    lines: int = 0
    completed: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """Number of lines with an answer or an error."""
        return self.completed + self.failed


class BatchFault(Struct, frozen=True):
    """A fault of a batch's file; ``line`` counts from 1 and is 0 for the file as a whole."""

    line: int
    code: str
    message: str
    param: str = ""


class BatchHour(Struct, frozen=True):
    """A part of a batch's lines in one hour of one zone.

    Attributes:
        zone: of the power grid.
        starts_at: beginning of the hour, seconds since the epoch.
        part: share of the lines, 0 to 1.
        g_per_kwh: expected intensity.
        signal: its source: ``actual``, ``forecast``, ``profile`` or ``default``.
    """

    zone: str
    starts_at: float
    part: float
    g_per_kwh: float
    signal: str = ""


class BatchExpectation(Struct, frozen=True):
    """When the lines that are left are expected to run, and why.

    Attributes:
        reason: ``later`` (they wait for greener hours), ``due`` (their deadline leaves none),
            ``short`` (the hours hardly hold the work) or ``unknown`` (later hours are not known).
        starts_at, ends_at: of the first and the last line, seconds since the epoch.
        energy_wh, g_planned: in these hours.
        g_at_once: if they ran at once.
        hours: by hour and zone.
        sentence: the same in words, in the client's language.
    """

    reason: str
    starts_at: float
    ends_at: float
    energy_wh: float
    g_planned: float
    g_at_once: float
    hours: tuple[BatchHour, ...] = ()
    sentence: str = ""


class BatchUsage(Struct, frozen=True):
    """Tokens of the lines of a batch that were answered."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


class Batch(Struct, frozen=True, kw_only=True):
    """A batch; times are seconds since the epoch, and 0 for what has not happened.

    Attributes:
        batch: identifier.
        state: ``validating``, ``in_progress``, ``finalizing`` or ``cancelling``; in the end
            ``completed``, ``failed`` (its file has faults), ``expired`` or ``cancelled``.
        endpoint, model: of its requests; no model before the file was checked.
        counts: of its lines.
        faults: why its file was refused.
        input_file, output_file, error_file: identifiers of its files; "" for one without lines.
        created_at, started_at, ended_at: when it was sent, began to run, and ended.
        deadline_at: when what has not ended expires.
        metadata: the caller's own names and values.
        expected: when the rest is expected to run; None before that is known, and at the end.
        usage: tokens of the answered lines; None before the end.
        energy_wh, carbon_gco2e, carbon_lifecycle_gco2e: what its lines used; None before the end.
        saved_g: grams that waiting saved; None where that is not known.
        saved_sentence: the same in words, in the client's language.
    """

    batch: str
    state: str
    endpoint: str
    model: str = ""
    counts: BatchCounts = BatchCounts()
    faults: tuple[BatchFault, ...] = ()
    input_file: str = ""
    output_file: str = ""
    error_file: str = ""
    created_at: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    deadline_at: float = 0.0
    metadata: dict[str, str] = {}
    expected: BatchExpectation | None = None
    usage: BatchUsage | None = None
    energy_wh: float | None = None
    carbon_gco2e: float | None = None
    carbon_lifecycle_gco2e: float | None = None
    saved_g: float | None = None
    saved_sentence: str = ""

    @property
    def ended(self) -> bool:
        """Whether the batch has reached a final state."""
        return self.state in ENDED

    def left_s(self, now: float) -> float | None:
        """Returns the time to the expected end, seconds; None where it is not known."""
        if self.ended or self.expected is None or self.expected.ends_at <= now:
            return None
        return self.expected.ends_at - now


class BatchError(Struct, frozen=True):
    """Why a line has no answer: a stable code of ``entraide.errors``, and a sentence."""

    code: str
    message: str


class BatchResult(Struct, frozen=True):
    """The answer to a line of a batch, or its error.

    Attributes:
        custom_id: the caller's name of the line.
        body: the answer, as the endpoint gives it; None for an error.
        error: None for an answer.
        job: identifier of the line's job.
    """

    custom_id: str
    body: dict[str, Any] | None = None
    error: BatchError | None = None
    job: str = ""

    @property
    def text(self) -> str:
        """The first text of the answer, whatever its endpoint; "" where there is none."""
        body = _read_body(self.body)
        if body.choices:
            choice = body.choices[0]
            return (choice.message and choice.message.content) or choice.text or ""
        parts = [*body.content, *(part for item in body.output for part in item.content)]
        return "".join(part.text for part in parts)

    @property
    def vectors(self) -> tuple[tuple[float, ...], ...]:
        """The embeddings of the answer as numbers, in the order of the inputs."""
        return tuple(each.embedding for each in _read_body(self.body).data)


class _Message(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    message: _Message | None = None
    text: str | None = None


class _Part(Struct, frozen=True):
    text: str = ""


class _Item(Struct, frozen=True):
    content: list[_Part] = []


class _Vector(Struct, frozen=True):
    embedding: tuple[float, ...]


class _Body(Struct, frozen=True):
    """The texts and numbers in the answers of all endpoints."""

    choices: list[_Choice] = []
    content: list[_Part] = []
    output: list[_Item] = []
    data: list[_Vector] = []


def _read_body(body: dict[str, Any] | None) -> _Body:
    """Returns an answer's texts and numbers; none if it has another form."""
    try:
        return msgspec.convert(body or {}, _Body)
    except msgspec.ValidationError:
        return _Body()


OnProgress = Callable[[Batch], object]
