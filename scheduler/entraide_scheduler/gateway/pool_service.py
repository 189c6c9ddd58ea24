"""Pool service: the gRPC codec of the pool API, equivalent to the HTTP one.

A live job becomes a stream of events, an error a status with ``google.rpc`` details.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn, TypeVar

import structlog

from entraide import i18n
from entraide.errors import CODES, EntraideError
from entraide.v1 import common_pb2, pool_pb2, pool_pb2_grpc
from entraide_scheduler.control.errors import Context, abort, language, metadata
from entraide_scheduler.gateway import pool_messages
from entraide_scheduler.gateway.answer_events import (
    AnswerPart,
    AnswerSeam,
    AnswerStarted,
    CompleteAnswer,
    TextReader,
)
from entraide_scheduler.gateway.answer_stream import AnswerStream
from entraide_scheduler.gateway.auth import Authenticator
from entraide_scheduler.gateway.metrics import Metrics
from entraide_scheduler.gateway.options import Caller
from entraide_scheduler.gateway.pages import Pages
from entraide_scheduler.gateway.pool_api import PoolApi
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, reply_of

RESERVED = frozenset({"context", "code", "job", "retry_after_s", "default_lang"})

Reply = TypeVar("Reply")


class PoolService(pool_pb2_grpc.PoolServicer):
    """The servicer; the contract names its methods."""

    def __init__(
        self,
        api: PoolApi,
        *,
        authenticator: Authenticator,
        pages: Pages,
        metrics: Metrics,
        lang: i18n.Lang,
    ) -> None:
        self._api = api
        self._authenticator = authenticator
        self._pages = pages
        self._metrics = metrics
        self._lang = lang
        self._log = structlog.get_logger("entraide.grpc")

    async def _authenticate(self, context: Context) -> Caller:
        return await self._authenticator.authenticate(metadata(context).get("authorization", ""))

    async def _answer(
        self, name: str, context: Context, make_reply: Callable[[Caller, str], Awaitable[Reply]]
    ) -> Reply:
        """Answers a call with one message; ``make_reply`` gets the caller and the language."""
        try:
            caller = await self._authenticate(context)
            reply = await make_reply(caller, language(context, self._lang))
        except Exception as problem:  # noqa: BLE001  (each error becomes a status)
            await self._refuse(context, name, problem)
        self._metrics.count_request(f"Pool/{name}", 200)
        return reply

    async def _refuse(self, context: Context, name: str, problem: Exception) -> NoReturn:
        if isinstance(problem, Refused | EntraideError):
            refusal = reply_of(problem)
        else:
            self._log.error("grpc.handler_failed", method=name, exc_info=problem)
            refusal = ErrorReply("internal")
        if isinstance(problem, Refused):
            refusal = pool_messages.rename_param(refusal)
        self._metrics.count_request(f"Pool/{name}", CODES[refusal.known_code].http)
        values = {key: value for key, value in refusal.values.items() if key not in RESERVED}
        await abort(
            context,
            refusal.known_code,
            job=refusal.job,
            retry_after_s=refusal.retry_after_s,
            default_lang=self._lang,
            **values,
        )

    async def Stream(  # noqa: N802  (the contract's name)
        self, request: pool_pb2.InferenceRequest, context: Context
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Runs a live job; ending the call cancels the job."""
        began_at = time.monotonic()
        events, reader = AnswerStream(), TextReader()
        texts: list[str] = []
        failure: ErrorReply | None = None
        lang = language(context, self._lang)
        try:
            caller = await self._authenticate(context)
            submission = pool_messages.read_submission(request, stream=True, began_at=began_at)
            job = self._api.stream(caller, submission, events)
        except Exception as problem:  # noqa: BLE001  (each error becomes a status)
            await self._refuse(context, "Stream", problem)
        try:
            async for event in events:
                match event:
                    case AnswerStarted():
                        yield pool_pb2.StreamEvent(started=pool_pb2.Started(job=event.job))
                    case AnswerPart():
                        texts.append(reader.read_part(event).text)
                        yield pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=texts[-1]))
                    case AnswerSeam():
                        yield pool_pb2.StreamEvent(resumed=pool_messages.resumed_message(event))
                    case CompleteAnswer():
                        last, finish_reason = reader.read_final(event.final)
                        if last.text:
                            yield pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=last.text))
                        text = "".join([*texts, last.text])
                        done = pool_messages.done_message(event, text, finish_reason, lang)
                        yield pool_pb2.StreamEvent(done=done)
                    case ErrorReply():
                        failure = event
        finally:
            self._api.end_stream(job)
        if failure is not None:
            await self._refuse(context, "Stream", Refused(failure))
        self._metrics.count_request("Pool/Stream", 200)

    async def Submit(  # noqa: N802
        self, request: pool_pb2.SubmitRequest, context: Context
    ) -> pool_pb2.Job:
        """Submits a kept job."""

        async def submit(caller: Caller, lang: str) -> pool_pb2.Job:
            submission = pool_messages.read_submission(
                request.request, stream=False, keep_s=request.keep_s
            )
            details = await self._api.submit(caller, submission, lang)
            return pool_messages.job_message(details.view, details.result)

        return await self._answer("Submit", context, submit)

    async def Get(  # noqa: N802
        self, request: pool_pb2.JobRequest, context: Context
    ) -> pool_pb2.Job:
        """Returns a job, with its result if it is completed."""

        async def get(caller: Caller, lang: str) -> pool_pb2.Job:
            details = await self._api.get(caller, request.job, lang)
            return pool_messages.job_message(details.view, details.result)

        return await self._answer("Get", context, get)

    async def Cancel(  # noqa: N802
        self, request: pool_pb2.JobRequest, context: Context
    ) -> pool_pb2.Job:
        """Cancels a job."""

        async def cancel(caller: Caller, lang: str) -> pool_pb2.Job:
            return pool_messages.job_message(await self._api.cancel(caller, request.job, lang))

        return await self._answer("Cancel", context, cancel)

    async def ListJobs(  # noqa: N802
        self, request: pool_pb2.ListJobsRequest, context: Context
    ) -> pool_pb2.ListJobsResponse:
        """Lists the caller's jobs, newest first."""

        async def list_jobs(caller: Caller, lang: str) -> pool_pb2.ListJobsResponse:
            views = await self._api.list_jobs(caller, request.limit, lang)
            return pool_pb2.ListJobsResponse(jobs=map(pool_messages.job_message, views))

        return await self._answer("ListJobs", context, list_jobs)

    async def Explain(  # noqa: N802
        self, request: pool_pb2.JobRequest, context: Context
    ) -> common_pb2.Explanation:
        """Returns the explanation of a job."""

        async def explain(caller: Caller, lang: str) -> common_pb2.Explanation:
            explanation = await self._api.explain(caller, request.job)
            return pool_messages.explanation_message(explanation, lang)

        return await self._answer("Explain", context, explain)

    async def ListModels(  # noqa: N802
        self,
        request: pool_pb2.ListModelsRequest,  # noqa: ARG002  (it is empty)
        context: Context,
    ) -> pool_pb2.ListModelsResponse:
        """Lists the models that clients may name."""

        async def list_models(_caller: Caller, _lang: str) -> pool_pb2.ListModelsResponse:
            cards = await self._pages.get_model_cards()
            return pool_pb2.ListModelsResponse(models=map(pool_messages.model_message, cards))

        return await self._answer("ListModels", context, list_models)
