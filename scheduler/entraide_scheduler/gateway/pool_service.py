"""Pool service: the gRPC service ``Pool``, equivalent to the HTTP API.

A live job becomes a stream of events, an error a status with ``google.rpc`` details.
Authentication, parsing and limits are those of the HTTP API.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import NoReturn

import structlog
from msgspec import Struct

from entraide import i18n
from entraide.decoding import JsonDecoder
from entraide.errors import CODES, EntraideError
from entraide.types import JobKind
from entraide.v1 import common_pb2, pool_pb2, pool_pb2_grpc
from entraide_scheduler.control.errors import Context, abort, language, metadata
from entraide_scheduler.gateway import openai, pool_messages
from entraide_scheduler.gateway.answer_listener import CompleteAnswer
from entraide_scheduler.gateway.auth import Authenticator
from entraide_scheduler.gateway.coop_jobs import CoopJobs
from entraide_scheduler.gateway.kept_jobs import KeptJobs
from entraide_scheduler.gateway.metrics import Metrics
from entraide_scheduler.gateway.options import Caller, FactsBuilder
from entraide_scheduler.gateway.pages import Pages
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refused
from entraide_scheduler.gateway.running_jobs import RunningJobs

UNREAD_MAX_BYTES = 4 * 1024 * 1024
EVENT_PREFIX = b"data: "
RESERVED = frozenset({"context", "code", "job", "retry_after_s", "default_lang"})


class _Delta(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    index: int = 0
    delta: _Delta = _Delta()
    text: str = ""
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] = []


_CHUNK = JsonDecoder[_Chunk](_Chunk)


def chunk_text(chunk: bytes) -> tuple[str, str]:
    """Returns the text of the first choice in a chunk, and its finish reason."""
    for choice in _CHUNK.decode(chunk).choices:
        if choice.index == 0:
            return (choice.delta.content or "") + choice.text, choice.finish_reason or ""
    return "", ""


def events_text(events: bytes) -> str:
    """Returns the text of the first choice in server-sent events."""
    lines = (line for line in events.split(b"\n") if line.startswith(EVENT_PREFIX))
    return "".join(chunk_text(line[len(EVENT_PREFIX) :])[0] for line in lines)


class _EventBuffer:
    """A listener that buffers parts of an answer until the call sends them, up to a limit."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self.end: CompleteAnswer | ErrorReply | None = None
        self.first_at = 0.0

    def on_tokens(self, data: bytes) -> bool:
        self.first_at = self.first_at or time.monotonic()
        self._parts.append(data)
        self._bytes += len(data)
        self._woken.set()
        return self._bytes < UNREAD_MAX_BYTES

    def on_answer(self, answer: CompleteAnswer) -> None:
        self.end = answer
        self._woken.set()

    def on_error(self, refusal: ErrorReply) -> None:
        self.end = refusal
        self._woken.set()

    async def take_parts(self) -> bytes:
        """Waits for parts and returns them joined; returns nothing after the end."""
        while not self._parts and self.end is None:
            self._woken.clear()
            await self._woken.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self._bytes = 0
        return data


class PoolService(pool_pb2_grpc.PoolServicer):
    """The servicer; the contract names its methods."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        facts_builder: FactsBuilder,
        running_jobs: RunningJobs,
        kept_jobs: KeptJobs,
        coop_jobs: CoopJobs,
        pages: Pages,
        metrics: Metrics,
        lang: i18n.Lang,
    ) -> None:
        self._authenticator = authenticator
        self._facts_builder = facts_builder
        self._running_jobs = running_jobs
        self._kept_jobs = kept_jobs
        self._coop_jobs = coop_jobs
        self._pages = pages
        self._metrics = metrics
        self._lang = lang
        self._log = structlog.get_logger("entraide.grpc")
        self.stopping = False

    def _read_credentials(self, context: Context) -> tuple[str, str]:
        """Returns the authorization and the language of a call."""
        return metadata(context).get("authorization", ""), language(context, self._lang)

    async def _refuse(self, context: Context, name: str, problem: Exception, lang: str) -> NoReturn:
        if isinstance(problem, Refused):
            refusal = pool_messages.rename_param(problem.refusal)
        elif isinstance(problem, EntraideError):
            refusal = ErrorReply(problem.code, problem.values, problem.retry_after_s, problem.job)
        else:
            self._log.error("grpc.handler_failed", method=name, exc_info=problem)
            refusal = ErrorReply("internal")
        self._metrics.count_request(f"Pool/{name}", CODES[refusal.known_code].http)
        values = {key: value for key, value in refusal.values.items() if key not in RESERVED}
        await abort(
            context,
            refusal.known_code,
            job=refusal.job,
            retry_after_s=refusal.retry_after_s,
            default_lang=lang,
            **values,
        )

    async def Stream(  # noqa: N802  (the contract's name)
        self, request: pool_pb2.InferenceRequest, context: Context
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Runs a live job; ending the call cancels the job."""
        authorization, lang = self._read_credentials(context)
        began_at = time.monotonic()
        events = _EventBuffer()
        try:
            caller = await self._authenticator.authenticate(authorization)
            job = self._start_job(request, caller, events)
        except Exception as problem:  # noqa: BLE001  (each error becomes a status)
            await self._refuse(context, "Stream", problem, lang)
        try:
            yield pool_pb2.StreamEvent(started=pool_pb2.Started(job=job))
            parts: list[str] = []
            while data := await events.take_parts():
                if not parts:
                    self._metrics.observe_ttft(events.first_at - began_at)
                parts.append(events_text(data))
                yield pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=parts[-1]))
            end = events.end
            if isinstance(end, CompleteAnswer):
                last, finish_reason = chunk_text(end.final) if end.final else ("", "")
                if last:
                    yield pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=last))
                done = pool_pb2.Done(
                    text="".join([*parts, last]),
                    finish_reason=finish_reason,
                    usage=pool_messages.usage_message(end.usage),
                    receipt=pool_messages.receipt_message(end.receipt) if end.receipt else None,
                )
                yield pool_pb2.StreamEvent(done=done)
        finally:
            self._running_jobs.cancel(job, "client_gone")
        if isinstance(end, ErrorReply):
            await self._refuse(context, "Stream", Refused(end), lang)
        self._metrics.count_request("Pool/Stream", 200)

    def _start_job(
        self, request: pool_pb2.InferenceRequest, caller: Caller, events: _EventBuffer
    ) -> str:
        if self.stopping:
            raise refused("shutting_down")
        path, body = pool_messages.build_request_body(request, stream=True)
        options = pool_messages.read_options(request.options, time.time())
        parsed = openai.parse_request(path, body)
        facts = self._facts_builder.build_facts(parsed, caller, options, JobKind.LIVE)
        if facts.idempotency and self._running_jobs.has_idempotency_key(
            facts.coop, facts.idempotency
        ):
            raise refused("already_exists", name="idempotency_key")
        if not self._running_jobs.has_room:
            raise Refused(ErrorReply("queue_full", retry_after_s=1.0))
        self._running_jobs.start(facts, parsed, events)
        return facts.job

    async def Submit(  # noqa: N802
        self, request: pool_pb2.SubmitRequest, context: Context
    ) -> pool_pb2.Job:
        """Submits a kept job."""
        authorization, lang = self._read_credentials(context)
        try:
            caller = await self._authenticator.authenticate(authorization)
            if self.stopping:
                raise refused("shutting_down")
            path, body = pool_messages.build_request_body(request.request, stream=False)
            options = pool_messages.read_options(request.request.options, time.time())
            row = await self._kept_jobs.submit(caller, path, body, options, request.keep_s)
            details = await self._coop_jobs.find_job(caller, row.job, lang)
            self._metrics.count_request("Pool/Submit", 200)
            return pool_messages.job_message(details.view, details.result)
        except Exception as problem:  # noqa: BLE001  (each error becomes a status)
            await self._refuse(context, "Submit", problem, lang)

    async def Get(  # noqa: N802
        self, request: pool_pb2.JobRequest, context: Context
    ) -> pool_pb2.Job:
        """Returns a job, with its result if it is completed."""
        authorization, lang = self._read_credentials(context)
        try:
            caller = await self._authenticator.authenticate(authorization)
            details = await self._coop_jobs.find_job(caller, request.job, lang)
            self._metrics.count_request("Pool/Get", 200)
            return pool_messages.job_message(details.view, details.result)
        except Exception as problem:  # noqa: BLE001
            await self._refuse(context, "Get", problem, lang)

    async def Cancel(  # noqa: N802
        self, request: pool_pb2.JobRequest, context: Context
    ) -> pool_pb2.Job:
        """Cancels a job."""
        authorization, lang = self._read_credentials(context)
        try:
            caller = await self._authenticator.authenticate(authorization)
            view = await self._coop_jobs.cancel_job(caller, request.job, lang)
            self._metrics.count_request("Pool/Cancel", 200)
            return pool_messages.job_message(view)
        except Exception as problem:  # noqa: BLE001
            await self._refuse(context, "Cancel", problem, lang)

    async def ListJobs(  # noqa: N802
        self, request: pool_pb2.ListJobsRequest, context: Context
    ) -> pool_pb2.ListJobsResponse:
        """Lists the caller's jobs, newest first."""
        authorization, lang = self._read_credentials(context)
        try:
            caller = await self._authenticator.authenticate(authorization)
            views = await self._coop_jobs.list_jobs(caller, request.limit, lang)
            self._metrics.count_request("Pool/ListJobs", 200)
            return pool_pb2.ListJobsResponse(
                jobs=[pool_messages.job_message(view) for view in views]
            )
        except Exception as problem:  # noqa: BLE001
            await self._refuse(context, "ListJobs", problem, lang)

    async def Explain(  # noqa: N802
        self, request: pool_pb2.JobRequest, context: Context
    ) -> common_pb2.Explanation:
        """Returns the explanation of a job."""
        authorization, lang = self._read_credentials(context)
        try:
            caller = await self._authenticator.authenticate(authorization)
            explanation = await self._coop_jobs.get_explanation(caller, request.job)
            self._metrics.count_request("Pool/Explain", 200)
            return pool_messages.explanation_message(explanation, lang)
        except Exception as problem:  # noqa: BLE001
            await self._refuse(context, "Explain", problem, lang)

    async def ListModels(  # noqa: N802
        self,
        request: pool_pb2.ListModelsRequest,  # noqa: ARG002  (it is empty)
        context: Context,
    ) -> pool_pb2.ListModelsResponse:
        """Lists the models that clients may name."""
        authorization, lang = self._read_credentials(context)
        try:
            await self._authenticator.authenticate(authorization)
            cards = await self._pages.get_model_cards()
            self._metrics.count_request("Pool/ListModels", 200)
            return pool_pb2.ListModelsResponse(
                models=[pool_messages.model_message(card) for card in cards]
            )
        except Exception as problem:  # noqa: BLE001
            await self._refuse(context, "ListModels", problem, lang)
