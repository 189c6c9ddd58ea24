"""``Client``: the synchronous client of a pool."""

# Made from `aio.py` by `make sync-client`; no hand touches it.

import contextlib
import itertools
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Self, Unpack

from google.protobuf.message import Message

from entraide import explanations, i18n
from entraide.client import _convert
from entraide.client._address import pool_address_and_key, read_authority
from entraide.client._constants import (
    CANCEL_TIMEOUT_S,
    JOBS_LIMIT,
    POLL_MAX_S,
    POLL_MIN_S,
    RECONNECT_S,
    RETRIES,
    TIMEOUT_S,
)
from entraide.client._reconnection import Reconnections, explain_end
from entraide.client._request import (
    AnswerBuilder,
    NoticeOptions,
    OnReconnecting,
    OnWaiting,
    Prompt,
    RequestOptions,
    build_embedding_request,
    build_request,
    continue_request,
    first_model,
    retry_delay_s,
)
from entraide.client._retries import call_with_retries
from entraide.client.answers import (
    Answer,
    Embeddings,
    Job,
    JobExplanation,
    ModelInfo,
    Seam,
    TokenUsage,
)
from entraide.client.batches.sync import Batches
from entraide.client.failover import open_transport
from entraide.client.transport import Transport
from entraide.errors import EntraideError, error_for
from entraide.types import Receipt
from entraide.v1 import pool_pb2


class Stream:
    """A streamed answer: a context manager, and an iterator of pieces of text.

    If the connection is lost, the stream goes on by another one where the pool allows it
    (``reconnect_s``). Another transient failure is retried, but only before any text has arrived.
    An error has the text so far; ``go_on`` of the client goes on from there.
    """

    def __init__(
        self,
        transport: Transport,
        prepare: Callable[[], pool_pb2.InferenceRequest],
        *,
        timeout_s: float,
        retries: int,
        lang: str,
        on_waiting: OnWaiting | None = None,
        on_reconnecting: OnReconnecting | None = None,
        before: str = "",
    ) -> None:
        self._transport, self._prepare = transport, prepare
        self._on_waiting, self._on_reconnecting = on_waiting, on_reconnecting
        self._timeout_s, self._retries, self._lang = timeout_s, retries, lang
        self._before = before
        self._builder = AnswerBuilder(lang, before=before)
        self._texts = self._run()

    def _run(self) -> Generator[str, None, None]:
        request: pool_pb2.InferenceRequest | None = None
        try:
            request = self._prepare()
            sent = continue_request(request, self._before, self._lang)
            with contextlib.closing(self._attempts(sent)) as texts:
                yield from texts
        except EntraideError as problem:
            last = explain_end(problem, self._builder, request, self._lang)
            last.text, last.job = self._builder.text, last.job or self._builder.job
            last.request = request if request and request.messages else None
            raise last from problem.__cause__ if last is problem else problem

    def _attempts(self, request: pool_pb2.InferenceRequest) -> Generator[str, None, None]:
        """Yields the text of one job, or of another where the first has failed before any text."""
        ends_at = time.monotonic() + self._timeout_s
        for attempt in itertools.count():
            self._builder = AnswerBuilder(self._lang, self._on_waiting, self._before)
            try:
                with contextlib.closing(self._read(request, ends_at)) as texts:
                    yield from texts
                return
            except EntraideError as problem:
                wait_s = retry_delay_s(
                    problem,
                    attempt=attempt,
                    retries=0 if self._builder.parts else self._retries,
                    left_s=ends_at - time.monotonic(),
                )
                if wait_s is None:
                    raise
            time.sleep(wait_s)

    def _read(
        self, request: pool_pb2.InferenceRequest, ends_at: float
    ) -> Generator[str, None, None]:
        """Yields the text of one job, over as many connections as it takes."""
        builder, reconnections = self._builder, Reconnections(self._lang, self._on_reconnecting)
        wait_s: float | None = 0.0
        while wait_s is not None:
            time.sleep(wait_s)
            events = self._connect(request, builder, max(0.001, ends_at - time.monotonic()))
            try:
                for event in events:
                    if text := builder.add_event(event):
                        yield text
                builder.answer()  # raises unless it is complete
                return
            except EntraideError as problem:
                wait_s = reconnections.next_delay_s(problem, builder, now=time.monotonic())
                if wait_s is None or time.monotonic() + wait_s > ends_at:
                    self._cancel_job()
                    raise
            except (GeneratorExit, KeyboardInterrupt):
                self._cancel_job()
                raise
            finally:
                if isinstance(events, Generator):
                    events.close()

    def _connect(
        self, request: pool_pb2.InferenceRequest, builder: AnswerBuilder, left_s: float
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Asks for the stream, or for the rest of it."""
        if not builder.reconnect_s:
            return self._transport.stream(request, timeout_s=left_s, lang=self._lang)
        rest = pool_pb2.ReconnectRequest(job=builder.job, offset=builder.next_number)
        return self._transport.reconnect(rest, timeout_s=left_s, lang=self._lang)

    def _cancel_job(self) -> None:
        """Cancels a job that would go on without its client."""
        if self._builder.reconnect_s and self._builder.done is None:
            request = pool_pb2.CancelRequest(job=self._builder.job)
            with contextlib.suppress(EntraideError):
                self._transport.call(
                    "Pool/Cancel", request, timeout_s=CANCEL_TIMEOUT_S, lang=self._lang
                )

    def __iter__(self) -> Iterator[str]:
        return self._texts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancels the rest of the answer."""
        self._texts.close()

    @property
    def job(self) -> str:
        """The job's identifier; "" before the pool has sent it."""
        return self._builder.job

    @property
    def text(self) -> str:
        """The text received so far; with what had come before ``go_on``."""
        return self._builder.text

    @property
    def seams(self) -> tuple[Seam, ...]:
        """Where another machine continued the answer, so far; with ``resume_events`` only."""
        return tuple(self._builder.seams)

    @property
    def finish_reason(self) -> str:
        """Why the model stopped; "" while the answer is incomplete."""
        return self._builder.done.finish_reason if self._builder.done else ""

    @property
    def usage(self) -> TokenUsage | None:
        """The tokens; None until the answer is complete."""
        return self._builder.usage

    @property
    def receipt(self) -> Receipt | None:
        """The receipt; None until the answer is complete."""
        return self._builder.receipt

    @property
    def explanation(self) -> JobExplanation | None:
        """Why the job ran where it did; None until the answer is complete, or if not asked for."""
        return self._builder.explanation

    def answer(self) -> Answer:
        """Reads the rest, and returns the whole answer."""
        end = self.read_end()
        return end.answer()

    def read_end(self) -> AnswerBuilder:
        """Reads the rest, and returns all that arrived."""
        for _ in self._texts:
            pass
        return self._builder


class Client:
    """Synchronous client of a pool.

    Args:
        url: the pool's web address, or ``host:port`` of its gRPC service; by default
            ``ENTRAIDE_URL``. Several, separated by commas: the next is used where one is dead.
        key: an API key of a co-op; by default ``ENTRAIDE_KEY``.
        timeout_s: time limit of a call, retries included, seconds.
        retries: maximum number of attempts after the first, on transient failures.
        ca_pem: certificate authority of the pool, PEM; by default that in the file of
            ``ENTRAIDE_CA``, else the one that the pool names, else the system's.
        web: the pool's web address, for ``batches``, where ``url`` is not one itself.
        lang: language of errors and explanations, ``fr`` or ``en``.
        transport: transport of the calls; by default gRPC, and HTTP for ``batches``.

    Attributes:
        batches: the co-op's batches.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        ca_pem: str = "",
        web: str = "",
        lang: str = i18n.DEFAULT_LANG,
        transport: Transport | None = None,
    ) -> None:
        self._timeout_s, self._retries, self._lang = timeout_s, retries, lang
        if transport is None:
            transport = open_transport(
                *pool_address_and_key(url, key, lang),
                ca_pem=ca_pem or read_authority(lang),
                web=web,
            )
        self._transport = transport
        self._models: dict[bool, str] = {}  # by default, for text and for embeddings
        self.batches = Batches(
            transport,
            timeout_s=timeout_s,
            retries=retries,
            lang=lang,
            first_model=lambda embeddings: self._first_model(embeddings=embeddings),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def chat(self, prompt: Prompt, *, model: str = "", **options: Unpack[RequestOptions]) -> Answer:
        """Sends a chat request and returns the whole answer.

        Args:
            prompt: a question, or messages as ``{"role": …, "content": …}``.
            model: public model name; "" for the first model that the pool serves.
            **options: see ``RequestOptions``.

        Raises:
            EntraideError: the subclass that fits, with ``code``, ``job`` and ``retryable``.
        """
        with self.stream(prompt, model=model, **options) as stream:
            return stream.answer()

    def stream(
        self, prompt: Prompt, *, model: str = "", **options: Unpack[RequestOptions]
    ) -> Stream:
        """Sends a chat request and streams the answer; see ``chat`` and ``Stream``."""
        options.setdefault("reconnect_s", RECONNECT_S)

        def prepare() -> pool_pb2.InferenceRequest:
            name = model or self._first_model()
            return build_request(prompt, model=name, options=options, lang=self._lang)

        return self._open_stream(prepare, options)

    def go_on(self, problem: EntraideError, **options: Unpack[NoticeOptions]) -> Stream:
        """Asks again after an error of ``chat`` or ``stream``, and goes on from what had come.

        The stream yields the new text; its ``text`` and its answer have the whole text. The pool
        gets the same request, followed by the text that had come and a sentence that asks to
        continue it; where no text had come, the same request alone.

        Args:
            problem: the error; it has the request and the text.
            **options: ``on_waiting`` and ``on_reconnecting`` of ``RequestOptions``.

        Raises:
            ValueError: the error is not one of a chat.
        """
        request: pool_pb2.InferenceRequest | None = problem.request
        if request is None:
            raise ValueError("the error has no request of a chat")

        def prepare() -> pool_pb2.InferenceRequest:
            return request

        return self._open_stream(prepare, options, problem.text)

    def _open_stream(
        self,
        prepare: Callable[[], pool_pb2.InferenceRequest],
        options: NoticeOptions,
        before: str = "",
    ) -> Stream:
        return Stream(
            self._transport,
            prepare,
            timeout_s=self._timeout_s,
            retries=self._retries,
            lang=self._lang,
            on_waiting=options.get("on_waiting"),
            on_reconnecting=options.get("on_reconnecting"),
            before=before,
        )

    def embeddings(
        self,
        texts: str | Sequence[str],
        *,
        model: str = "",
        **options: Unpack[RequestOptions],
    ) -> Embeddings:
        """Computes the embeddings of one text or several, as one job.

        Args:
            texts: what to embed; none is empty.
            model: public model name; "" for the first model of the pool that computes embeddings.
            **options: see ``RequestOptions``; also ``dimensions``, where the model can.

        Raises:
            EntraideError: as for ``chat``.
        """

        def prepare() -> pool_pb2.InferenceRequest:
            name = model or self._first_model(embeddings=True)
            return build_embedding_request(texts, model=name, options=options, lang=self._lang)

        with self._open_stream(prepare, options) as stream:
            end = stream.read_end()
            return end.embeddings()

    def submit(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        keep_s: float = 0.0,
        **options: Unpack[RequestOptions],
    ) -> Job:
        """Submits a kept job: the pool stores it, so that it survives any restart or disconnection.

        Args:
            prompt: as in ``chat``.
            model: as in ``chat``.
            **options: as in ``chat``.
            keep_s: retention of the result after the job's end, seconds; 0 for the pool's 24 hours.
        """
        # The same key on each attempt: after a lost reply, the retry must not create a second job.
        options.setdefault("idempotency_key", uuid.uuid4().hex)
        request = build_request(
            prompt, model=model or self._first_model(), options=options, lang=self._lang
        )
        message = pool_pb2.SubmitRequest(request=request, keep_s=keep_s)
        return _convert.job(self._call("Submit", message))

    def get(self, job: str) -> Job:
        """Returns a job, with its result when it has one."""
        return _convert.job(self._call("Get", pool_pb2.JobRequest(job=job)))

    def wait(self, job: str, *, timeout_s: float | None = None) -> Job:
        """Waits until a job has ended, and returns it; a failed job raises nothing.

        Raises:
            PoolError: ``deadline_exceeded`` if the job has not ended within ``timeout_s``.
        """
        ends_at = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        poll_s = POLL_MIN_S
        while not (current := self.get(job)).ended:
            if time.monotonic() + poll_s > ends_at:
                sentence = i18n.error("deadline_exceeded", self._lang)
                raise error_for("deadline_exceeded", sentence, job=job)
            time.sleep(poll_s)
            poll_s = min(POLL_MAX_S, poll_s * 2)
        return current

    def cancel(self, job: str, *, erase: bool = False) -> Job:
        """Cancels a job.

        Args:
            job: its identifier.
            erase: whether the request and the answer that the pool keeps of it are erased at once,
                even if the job has ended.
        """
        request = pool_pb2.CancelRequest(job=job, erase=erase)
        return _convert.job(self._call("Cancel", request))

    def explain(self, job: str, lang: str | None = None) -> JobExplanation:
        """Returns why a job was placed, waits or was refused, as text and as a struct."""
        lang = lang or self._lang
        message = self._call("Explain", pool_pb2.JobRequest(job=job), lang=lang)
        explanation = _convert.explanation(message)
        return JobExplanation(explanations.render(explanation, lang), explanation)

    def models(self) -> list[ModelInfo]:
        """Returns the models that requests may name: the loaded ones first, the aliases last."""
        answer = self._call("ListModels", pool_pb2.ListModelsRequest())
        return [_convert.model(message) for message in answer.models]

    def jobs(self, limit: int = JOBS_LIMIT) -> list[Job]:
        """Returns the caller's jobs, newest first."""
        answer = self._call("ListJobs", pool_pb2.ListJobsRequest(limit=limit))
        return [_convert.job(message) for message in answer.jobs]

    def _first_model(self, *, embeddings: bool = False) -> str:
        if embeddings not in self._models:
            served = self.models()
            self._models[embeddings] = first_model(served, self._lang, embeddings=embeddings)
        return self._models[embeddings]

    def _call(self, name: str, request: Message, *, lang: str | None = None) -> Any:
        return call_with_retries(
            lambda left_s: self._transport.call(
                f"Pool/{name}", request, timeout_s=left_s, lang=lang or self._lang
            ),
            timeout_s=self._timeout_s,
            retries=self._retries,
        )
