"""Resumption: continues the answer of a lost run by another run, from the text that was sent. Pure.

In: the parts that were forwarded, and the placement of the next run. Out: the request with that
text at its end, or nothing if the answer cannot be continued exactly; then it ends with
``stream_broken``. Only the gateway has prompt and answer. ``docs/concepts/resuming.md`` says which
answers are resumed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from entraide.decoding import JsonDecoder
from entraide.resuming import lost_options
from entraide.types import JobKind, Receipt, Terms, Usage
from entraide.wire.cards import EarlierRun
from entraide.wire.messages import RESUMED_MAX, JobPlaced, Resume, StartRun
from entraide_scheduler.core.accounting import DeliveredRun, bill_resumed
from entraide_scheduler.core.carbon import (
    make_receipt,
    make_resumed_receipt,
    settle,
    settle_resumed,
    total_usage,
)
from entraide_scheduler.gateway.answers import EVENT_PREFIX
from entraide_scheduler.gateway.chat import AssistantMessage, ChatRequest, CompletionRequest
from entraide_scheduler.gateway.requests import ParsedRequest, encode_for_engine

UNKNOWN_REVISION = "unknown"
UNREAD_BYTES_MAX = 64 * 1024  # of events that are not yet read for their text
RESUMABLE_FEATURES = frozenset({"logprobs"})
NEUTRAL: tuple[Any, ...] = (None, 0, False, [], {})


class _Choice(Struct, frozen=True):
    index: int = 0
    delta: dict[str, Any] = {}
    text: str = ""
    finish_reason: str | None = None


class _Chunk(Struct, frozen=True):
    choices: list[_Choice] = []
    created: int = 0


_CHUNK = JsonDecoder[_Chunk](_Chunk)


class EmittedAnswer:
    """The part of an answer that was forwarded to its client.

    Attributes:
        created: of the answer's events, seconds since the epoch; 0 before the first.
    """

    __slots__ = ("_is_text", "_texts", "_unread", "_unread_bytes", "created")

    def __init__(self) -> None:
        self.created = 0
        self._is_text = True
        self._texts: list[str] = []
        self._unread: list[bytes] = []
        self._unread_bytes = 0

    def add(self, data: bytes) -> None:
        """Adds forwarded events; they are read later, several at a time."""
        self._unread.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > UNREAD_BYTES_MAX:
            self._read()

    def text(self) -> str | None:
        """Returns the text so far; None if there is more than text, or an unreadable event."""
        self._read()
        if not self._is_text:
            return None
        text = "".join(self._texts)
        self._texts = [text]
        return text

    def _read(self) -> None:
        data, self._unread, self._unread_bytes = b"".join(self._unread), [], 0
        for line in data.split(b"\n") if self._is_text else ():
            if line.startswith(EVENT_PREFIX):
                try:
                    self._add_chunk(_CHUNK.decode(line[len(EVENT_PREFIX) :]))
                except (msgspec.DecodeError, RecursionError):
                    self._is_text = False

    def _add_chunk(self, chunk: _Chunk) -> None:
        if not self.created and 0 < chunk.created <= RESUMED_MAX:
            self.created = chunk.created
        for choice in chunk.choices:
            content = choice.delta.get("content") or ""
            others = choice.delta.keys() - {"role", "content"}
            if (
                choice.index
                or choice.finish_reason
                or not isinstance(content, str)
                or any(choice.delta[name] for name in others)
            ):
                self._is_text = False
                return
            self._texts.append(content + choice.text)


def is_resumable(parsed: ParsedRequest, kind: JobKind) -> bool:
    """Tells whether the answer to a request may be continued by another run."""
    return (
        kind is JobKind.LIVE
        and parsed.stream
        and parsed.choices == 1
        and RESUMABLE_FEATURES.issuperset(parsed.features)
        and not parsed.thinking.effort.thinks
        and with_answer(parsed, "") is not None
    )


def with_answer(parsed: ParsedRequest, text: str) -> ParsedRequest | None:
    """Returns a request with a part of its answer at its end; None if there is no place for it."""
    request = parsed.request
    if isinstance(request, ChatRequest):
        last = request.messages[-1]
        if not isinstance(last, AssistantMessage):
            messages = [*request.messages, AssistantMessage(text)]
        elif isinstance(last.content, str):
            messages = [*request.messages[:-1], replace(last, content=last.content + text)]
        else:
            return None
        return replace(parsed, request=replace(request, messages=messages))
    if isinstance(request, CompletionRequest):
        prompt = request.prompt
        alone = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
        if isinstance(alone, str):
            return replace(parsed, request=replace(request, prompt=alone + text))
    return None


def continue_run(
    parsed: ParsedRequest,
    emitted: EmittedAnswer,
    before: Terms,
    placed: JobPlaced,
    *,
    sent_tokens: int,
    gateway: str,
) -> StartRun | None:
    """Returns the run that continues an answer at its new node; None if none can do so exactly.

    Args:
        parsed: the request.
        emitted: what its client has of the answer.
        before: terms of the last run.
        placed: the placement.
        sent_tokens: output tokens that were forwarded.
        gateway: identifier of this gateway.
    """
    terms, text = placed.terms, emitted.text()
    request = None if text is None else with_answer(parsed, text)
    tokens_left = placed.output_tokens_max - sent_tokens
    if request is None or text is None or tokens_left < 1:
        return None
    if (terms.model, terms.revision) != (before.model, before.revision):
        return None
    if terms.revision == UNKNOWN_REVISION or lost_options(terms.engine, set_options(parsed)):
        return None
    return StartRun(
        placed.job,
        placed.epoch,
        gateway,
        parsed.path,
        terms.model,
        True,
        encode_for_engine(request, tokens_left, model=terms.model, stream=True, how=terms.thinking),
        own=terms.borrower == terms.lender,
        resume=Resume(sent_tokens, emitted.created, len(text)),
        joins=True,
    )


def set_options(parsed: ParsedRequest) -> frozenset[str]:
    """Returns the names of a request's fields that have more than their neutral value."""
    return frozenset(name for name, value in asdict(parsed.request).items() if value not in NEUTRAL)


def delivered_runs(
    earlier: Sequence[EarlierRun], sent: Mapping[int, int]
) -> tuple[tuple[int, int], ...]:
    """Returns for each earlier run its epoch and the tokens that its client has of it.

    Args:
        earlier: the runs as the scheduler knows them.
        sent: forwarded tokens by epoch.
    """
    return tuple((run.terms.epoch, sent.get(run.terms.epoch, 0)) for run in earlier)


def state_receipt(
    earlier: Sequence[EarlierRun],
    sent: Mapping[int, int],
    terms: Terms,
    usage: Usage | None,
    *,
    at: float,
) -> tuple[Receipt, Usage]:
    """Returns the unsigned receipt of an answer that has ended, and its whole usage.

    Args:
        earlier: the runs before the last, oldest first.
        sent: forwarded tokens by epoch; a run of which the client has nothing does not count.
        terms: of the last run.
        usage: of the last run; None if the runs before it had delivered the whole answer.
        at: now, seconds since the epoch.
    """
    billed = [run for run in earlier if sent.get(run.terms.epoch, 0)]
    if not billed:
        assert usage is not None, "an answer without a run"
        settlement = settle(terms, usage)
        return make_receipt(terms, usage, settlement, settled=False, issued_at=at), usage
    delivered = [DeliveredRun(run.usage, sent[run.terms.epoch]) for run in billed]
    ends = [(run.terms, run.code) for run in billed]
    if usage is not None:
        ends.append((terms, ""))
    usages = bill_resumed(delivered, usage)
    runs = settle_resumed(
        [(terms, usage, code) for (terms, code), usage in zip(ends, usages, strict=True)]
    )
    return make_resumed_receipt(runs, settled=False, issued_at=at), total_usage(runs)
