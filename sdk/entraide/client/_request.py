"""Requests, streamed answers and retries: the logic that both clients share, without I/O.

Builds requests from the caller's options, assembles answers from the events of a stream, and
decides whether and when a failed call is retried.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from google.protobuf import json_format, struct_pb2

from entraide import explanations, i18n
from entraide.client import _convert
from entraide.client._constants import (
    RETRY_AFTER_MAX_S,
    RETRY_DELAY_MAX_S,
    RETRY_DELAY_MIN_S,
)
from entraide.client.answers import (
    Answer,
    Embeddings,
    JobExplanation,
    ModelInfo,
    Seam,
    TokenUsage,
    Waiting,
)
from entraide.errors import CODES, EntraideError, error_for
from entraide.models import EMBEDDINGS, EMBEDDINGS_ONLY
from entraide.types import Receipt
from entraide.v1 import pool_pb2

Prompt = str | Sequence[Mapping[str, str]]
OnWaiting = Callable[[Waiting], object]
OnReconnecting = Callable[[], object]


class NoticeOptions(TypedDict, total=False):
    """What a client tells while it waits for an answer.

    Attributes:
        on_waiting: is told why the request waits, and its place in line, each time that changes.
        on_reconnecting: is told, without an argument, each time that the connection is lost and the
            client tries to come back to the answer.
    """

    on_waiting: OnWaiting
    on_reconnecting: OnReconnecting


class RequestOptions(NoticeOptions, total=False):
    """Options of a request; the pool's defaults apply to omitted options and to None.

    An empty data class, jurisdiction, control, openness or prefix is refused: it would restrict
    nothing.

    Any other field of an OpenAI request may be given as a keyword and is sent unchanged; the usual
    ones are declared here for type checkers.

    Attributes:
        job_class: ``interactive``, ``standard`` or ``batch``.
        data_class: ``public``, ``internal`` or ``restricted``.
        jurisdiction: prefix of the zones where the job may run (``CA``, ``CA-QC``).
        controlled_by: who must control the machine: ``member`` (a member co-op), ``canadian`` (any
            Canadian organisation) or ``other`` (any).
        deadline_s: latest acceptable completion, seconds from now.
        max_gco2e: cap on the job's emissions, gCO2e.
        max_output_tokens: maximum length of the answer.
        session: conversation identifier.
        explain: whether the answer comes with the explanation of its job.
        resume_events: whether a stream says where another machine continues the answer.
        reconnect_s: how long the pool lets a stream go on after a lost connection, while the client
            connects again by itself, seconds; 0 for not at all.
        idempotency_key: a request with the same key returns the same job.
        max_wait_s: how long the request waits while no machine would accept it, seconds, at most as
            long as its class allows; then ``waited_too_long``.
        waiting_events: whether the pool says why the request waits; ``on_waiting`` asks for it.
        think: whether the model thinks before its answer, or how long: ``none``, ``low``,
            ``medium``, ``high``; the pool's policy decides where it is omitted.
        thinking_budget_tokens: largest thought, tokens.
        task: kind of the question, by which ``petit``, ``moyen``, ``grand`` and ``auto`` choose
            among models: ``answer``, ``extract``, ``classify``, ``summarise``, ``rewrite``,
            ``translate`` or ``compute``.
        language: language of the question, ``fr`` or ``en``, for the same choice.
        openness: class that the model must reach by the Model Openness Framework: ``open-model``,
            ``open-tooling`` or ``open-science``.
        prefix: ``off`` so that the engine keeps nothing of the prompt and uses nothing that it has
            kept.
    """

    job_class: str
    data_class: str | None
    jurisdiction: str | None
    controlled_by: str | None
    deadline_s: float
    max_gco2e: float
    max_output_tokens: int
    session: str
    explain: bool
    resume_events: bool
    reconnect_s: float
    idempotency_key: str
    max_wait_s: float
    waiting_events: bool
    think: bool | str
    thinking_budget_tokens: int
    task: str
    language: str
    openness: str | None
    prefix: str | None
    temperature: float
    top_p: float
    seed: int
    stop: str | list[str]
    frequency_penalty: float
    presence_penalty: float
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any]
    response_format: dict[str, Any]
    dimensions: int


_JOB_OPTIONS = frozenset(
    {
        "job_class",
        "data_class",
        "jurisdiction",
        "controlled_by",
        "deadline_s",
        "max_gco2e",
        "session",
        "explain",
        "resume_events",
        "reconnect_s",
        "idempotency_key",
        "max_wait_s",
        "waiting_events",
        "task",
        "language",
        "openness",
        "prefix",
    }
)


RESTRICTIONS = ("data_class", "jurisdiction", "controlled_by", "openness", "prefix")


def build_request(
    prompt: Prompt, *, model: str, options: Mapping[str, Any], lang: str = i18n.DEFAULT_LANG
) -> pool_pb2.InferenceRequest:
    """Builds a request; a plain string becomes a chat of one message.

    Raises:
        RequestError: a message has no text, or a field cannot be written as JSON.
    """
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    try:
        request = pool_pb2.InferenceRequest(
            model=model,
            messages=[pool_pb2.ChatMessage(role=m["role"], content=m["content"]) for m in messages],
        )
        return _with_options(request, options)
    except _UNREADABLE as problem:
        param = _invalid_message(messages) or _invalid_option(options)
        raise _invalid_request(param, lang) from problem


def continue_request(
    request: pool_pb2.InferenceRequest, text: str, lang: str
) -> pool_pb2.InferenceRequest:
    """Returns the request that goes on from a part of its answer; the same one without a part."""
    if not text:
        return request
    more = pool_pb2.InferenceRequest()
    more.CopyFrom(request)
    more.messages.add(role="assistant", content=text)
    more.messages.add(role="user", content=i18n.text("chat-continue-question", lang))
    more.options.idempotency_key = ""  # it stands for the request without this part
    return more


def build_embedding_request(
    texts: str | Sequence[str],
    *,
    model: str,
    options: Mapping[str, Any],
    lang: str = i18n.DEFAULT_LANG,
) -> pool_pb2.InferenceRequest:
    """Builds a request for the embeddings of one text or several.

    Raises:
        RequestError: an input is no text, or a field cannot be written as JSON.
    """
    inputs: Sequence[Any] = [texts] if isinstance(texts, str) else texts
    try:
        return _with_options(pool_pb2.InferenceRequest(model=model, inputs=inputs), options)
    except _UNREADABLE as problem:
        faults = (n for n, text in enumerate(inputs) if not _is_text(text))
        place = next(faults, None)
        param = _invalid_option(options) if place is None else f"inputs[{place}]"
        raise _invalid_request(param, lang) from problem


_UNREADABLE = (KeyError, TypeError, ValueError, json_format.ParseError)


def _with_options(
    request: pool_pb2.InferenceRequest, options: Mapping[str, Any]
) -> pool_pb2.InferenceRequest:
    job_options, extra = _split_options(options)
    if any(job_options.get(name) == "" for name in RESTRICTIONS):
        raise ValueError("an empty value, of an unset variable, would restrict nothing")
    request.max_output_tokens = options.get("max_output_tokens") or 0
    request.options.CopyFrom(pool_pb2.JobOptions(**job_options))
    if extra:
        json_format.ParseDict(extra, request.extra)
    return request


def _split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the pool's own options, and the fields of an OpenAI request."""
    job_options = {key: value for key, value in options.items() if key in _JOB_OPTIONS}
    if options.get("on_waiting") is not None:
        job_options["waiting_events"] = True
    typed = _JOB_OPTIONS | {"max_output_tokens", "on_waiting", "on_reconnecting"}
    return job_options, {key: value for key, value in options.items() if key not in typed}


def _invalid_request(param: str, lang: str) -> EntraideError:
    values = {"param": param, "fault": "unreadable"}
    return error_for("invalid_request", i18n.error("invalid_request", lang, values), values=values)


def _invalid_message(messages: Sequence[Mapping[str, str]]) -> str:
    """Returns the first field of a message that is no text; "" if all are."""
    for position, message in enumerate(messages):
        for name in ("role", "content"):
            if not _is_text(dict(message).get(name)):
                return f"messages[{position}].{name}"
    return ""


def _is_text(value: object) -> bool:
    """Tells whether a value is a text that protobuf can hold: one without lone surrogates."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid_option(options: Mapping[str, Any]) -> str:
    """Returns the first option that the request's protobuf message cannot hold."""
    job_options, extra = _split_options(options)
    for name, value in job_options.items():
        if name in RESTRICTIONS and value == "":
            return name
        try:
            pool_pb2.JobOptions(**{name: value})
        except (TypeError, ValueError):
            return name
    for name, value in extra.items():
        try:
            json_format.ParseDict({name: value}, struct_pb2.Struct())
        except (TypeError, ValueError, json_format.ParseError):
            return name
    return "max_output_tokens"


class AnswerBuilder:
    """Assembles an answer from the events of a stream; tells ``on_waiting`` why it waits.

    ``before`` is the part of the answer that an earlier stream brought.
    """

    def __init__(
        self,
        lang: str = i18n.DEFAULT_LANG,
        on_waiting: OnWaiting | None = None,
        before: str = "",
    ) -> None:
        self._lang, self._on_waiting, self._before = lang, on_waiting, before
        self.job = ""
        self.parts: list[str] = []
        self.seams: list[Seam] = []
        self.done: pool_pb2.Done | None = None
        self.reconnect_s = 0.0  # for which the pool lets the stream go on without its client
        self.next_number = 0  # of such a stream: that of the event after those that have arrived

    def add_event(self, event: pool_pb2.StreamEvent) -> str:
        """Adds one event; returns its new text, or "".

        Raises:
            PoolError: an event of a numbered stream is missing (``stream_broken``).
        """
        kind = event.WhichOneof("event")
        if kind is None:  # a sign of life
            return ""
        if kind == "started":
            self.reconnect_s = event.started.reconnect_s
        if self.reconnect_s:
            if event.number < self.next_number:
                return ""
            if event.number > self.next_number:
                raise self._broken()
            self.next_number += 1
        match kind:
            case "started":
                self.job = event.started.job
            case "delta":
                return self._add_text(event.delta.text)
            case "resumed":
                seam = event.resumed
                self.seams.append(
                    Seam(seam.token_offset, seam.node_before, seam.node_after, seam.code)
                )
            case "waiting" if self._on_waiting is not None:
                self._on_waiting(_convert.waiting(event.waiting))
            case "done":
                self.done = event.done
                # The last event has the complete text: add the part that has not arrived yet.
                received = "".join(self.parts)
                text = event.done.text
                return self._add_text(text[len(received) :]) if text.startswith(received) else ""
        return ""

    def _broken(self) -> EntraideError:
        return error_for("stream_broken", i18n.error("stream_broken", self._lang), job=self.job)

    def _add_text(self, text: str) -> str:
        if text:
            self.parts.append(text)
        return text

    @property
    def text(self) -> str:
        """The text that has arrived, with that of the earlier stream."""
        return self._before + "".join(self.parts)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt, once the answer is complete."""
        return _convert.receipt(self.done.receipt) if self.done else None

    @property
    def usage(self) -> TokenUsage | None:
        """The tokens, once the answer is complete."""
        return _convert.usage(self.done.usage) if self.done else None

    @property
    def explanation(self) -> JobExplanation | None:
        """The explanation, once the answer is complete, if the request asked for it."""
        if self.done is None or not self.done.HasField("explanation"):
            return None
        explanation = _convert.explanation(self.done.explanation)
        return JobExplanation(explanations.render(explanation, self._lang), explanation)

    def answer(self) -> Answer:
        """The complete answer.

        Raises:
            PoolError: the stream ended before the answer was complete (``stream_broken``).
        """
        if self.done is None:
            raise self._broken()
        return Answer(
            text=self.text,
            finish_reason=self.done.finish_reason,
            usage=_convert.usage(self.done.usage),
            receipt=self.receipt,
            job=self.job,
            explanation=self.explanation,
        )

    def embeddings(self) -> Embeddings:
        """The complete answer to a request for embeddings.

        Raises:
            PoolError: the stream ended before the answer was complete (``stream_broken``).
        """
        if self.done is None:
            raise self._broken()
        return Embeddings(
            vectors=tuple(tuple(each.values) for each in self.done.embeddings),
            model=self.done.receipt.model,
            usage=_convert.usage(self.done.usage),
            receipt=self.receipt,
            job=self.job,
            explanation=self.explanation,
        )


def first_model(models: Sequence[ModelInfo], lang: str, *, embeddings: bool = False) -> str:
    """Returns the model of a request that names none: the first that can answer it.

    Args:
        models: the models of the pool, in its order.
        lang: language of the error.
        embeddings: whether embeddings are requested; a model that computes nothing else comes
            before one that also writes text.

    Raises:
        RequestError: the pool's models compute no embeddings (``feature_unsupported``).
        PoolError: the pool has no model (``no_node_live``).
    """
    if embeddings:
        fitting = [model for model in models if EMBEDDINGS in model.features and not model.means]
        fitting.sort(key=lambda model: EMBEDDINGS_ONLY not in model.features)
    else:
        fitting = [model for model in models if EMBEDDINGS_ONLY not in model.features]
    if fitting:
        return fitting[0].model
    code, values = ("feature_unsupported", {"features": EMBEDDINGS}) if models and embeddings else (
        "no_node_live", {}
    )  # fmt: skip
    raise error_for(code, i18n.error(code, lang, values), values=values)


def retry_delay_s(
    error: EntraideError, *, attempt: int, retries: int, left_s: float
) -> float | None:
    """Returns the wait before the next attempt, seconds; None if the call must not be retried.

    Args:
        error: error of the last attempt.
        attempt: number of attempts before the last one.
        retries: maximum number of attempts after the first.
        left_s: time left for the call with all its attempts, seconds.
    """
    facts = CODES.get(error.code)
    # 499: the request was cancelled; one that waited for as long as it may is not sent again.
    has_waited = error.code == "waited_too_long" or "waited_s" in error.values
    final = facts is None or facts.http == 499 or has_waited
    if final or not error.retryable or attempt >= retries:
        return None
    if error.retry_after_s is not None:
        wait_s = error.retry_after_s if error.retry_after_s <= RETRY_AFTER_MAX_S else left_s
    else:
        wait_s = min(RETRY_DELAY_MAX_S, RETRY_DELAY_MIN_S * 2**attempt)
        wait_s *= random.uniform(0.75, 1.0)  # noqa: S311 - jitter, not a secret
    return wait_s if wait_s < left_s else None
