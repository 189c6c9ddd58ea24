"""Pool service: the gRPC codec of the pool API, equivalent to the HTTP one.

A live job becomes a stream of events, an error a status with ``google.rpc`` details.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import NoReturn, TypeVar

import structlog

from entraide import i18n
from entraide.errors import CODES, EntraideError
from entraide.v1 import common_pb2, pool_pb2, pool_pb2_grpc
from entraide_scheduler.control.convert import model_message
from entraide_scheduler.control.errors import Context, abort, error_languages, language, metadata
from entraide_scheduler.gateway.api import PoolApi
from entraide_scheduler.gateway.jobs import Caller, Metrics, ReconnectableStream
from entraide_scheduler.gateway.pages import Pages
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, clean_text, refused, reply_of
from entraide_scheduler.gateway.requests import AnswerStream
from entraide_scheduler.gateway.rpc import pool_messages
from entraide_scheduler.gateway.rpc.stream_messages import StreamMessages
from entraide_scheduler.gateway.signin import Authenticator

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
        sent = metadata(context)
        for name in sent:  # it would restrict nothing here, against its sender's wish
            if name.startswith("x-entraide-"):
                raise refused("invalid_request", param=clean_text(name), fault="unknown_field")
        return await self._authenticator.authenticate(sent.get("authorization", ""))

    async def _answer(
        self,
        name: str,
        context: Context,
        make_reply: Callable[[Caller, str], Awaitable[Reply]],
        read_language: Callable[[Context, str], str] = language,
    ) -> Reply:
        """Answers a call with one message; ``make_reply`` gets the caller and the language."""
        try:
            caller = await self._authenticate(context)
            reply = await make_reply(caller, read_language(context, self._lang))
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

    async def Stream(
        self, request: pool_pb2.InferenceRequest, context: Context
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Runs a live job; ending the call cancels the job, unless its client may come back."""
        began_at = time.monotonic()
        lang = language(context, self._lang)
        try:
            caller = await self._authenticate(context)
            submission = pool_messages.read_submission(request, stream=True, began_at=began_at)
            await self._api.wait_for_tables()
            prepared = self._api.prepare(caller, submission)
            messages = StreamMessages(lang, prepared.reconnect_s)
            if prepared.reconnect_s:
                stream = self._api.stream_reconnectably(prepared, messages)
                sending = self._send_events("Stream", context, stream, 0)
            else:
                events = AnswerStream()
                job = self._api.stream(prepared, events)
                sending = self._send_answer(context, job, events, messages)
        except Exception as problem:  # noqa: BLE001  (each error becomes a status)
            await self._refuse(context, "Stream", problem)
        async with aclosing(sending):
            async for message in sending:
                yield message

    async def _send_answer(
        self, context: Context, job: str, events: AnswerStream, messages: StreamMessages
    ) -> AsyncGenerator[pool_pb2.StreamEvent, None]:
        """Sends an answer that ends with its call."""
        failure: ErrorReply | None = None
        try:
            async for event in events:
                for message in messages.write(event):
                    yield message
                failure = event if isinstance(event, ErrorReply) else None
        finally:
            self._api.end_stream(job, events)
        await self._end("Stream", context, failure)

    async def Reconnect(
        self, request: pool_pb2.ReconnectRequest, context: Context
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Goes on with the stream of a client that comes back."""
        try:
            caller = await self._authenticate(context)
            stream = self._api.reconnect(caller, request.job, request.offset, StreamMessages)
        except Exception as problem:  # noqa: BLE001  (each error becomes a status)
            await self._refuse(context, "Reconnect", problem)
        sending = self._send_events("Reconnect", context, stream, request.offset)
        async with aclosing(sending):
            async for message in sending:
                yield message

    async def _send_events(
        self, name: str, context: Context, stream: ReconnectableStream, start: int
    ) -> AsyncGenerator[pool_pb2.StreamEvent, None]:
        """Sends the events of a stream whose client may come back, from a number on."""
        reader = stream.attach(lambda: None, start)  # another reader ends ``read``
        stream.is_known = True
        try:
            async for events in stream.read(reader):
                for number, event in enumerate(events, reader.number - len(events)):
                    message = pool_pb2.StreamEvent.FromString(event)
                    message.number = number
                    yield message
                if not events:
                    yield pool_pb2.StreamEvent()  # a sign of life
            is_over = stream.has_ended and reader.number == len(stream.log)
        finally:
            stream.leave(reader)
        await self._end(
            name, context, stream.failure if is_over else ErrorReply("stream_taken_over")
        )

    async def _end(self, name: str, context: Context, failure: ErrorReply | None) -> None:
        if failure is not None:
            await self._refuse(context, name, Refused(failure))
        self._metrics.count_request(f"Pool/{name}", 200)

    async def Submit(self, request: pool_pb2.SubmitRequest, context: Context) -> pool_pb2.Job:
        """Submits a kept job."""

        async def submit(caller: Caller, langs: str) -> pool_pb2.Job:
            submission = pool_messages.read_submission(
                request.request, stream=False, keep_s=request.keep_s
            )
            details = await self._api.submit(caller, submission, langs)
            return pool_messages.job_message(details.view, details.result)

        return await self._answer("Submit", context, submit, error_languages)

    async def Get(self, request: pool_pb2.JobRequest, context: Context) -> pool_pb2.Job:
        """Returns a job, with its result if it is completed."""

        async def get(caller: Caller, langs: str) -> pool_pb2.Job:
            details = await self._api.get(caller, request.job, langs)
            return pool_messages.job_message(details.view, details.result)

        return await self._answer("Get", context, get, error_languages)

    async def Cancel(self, request: pool_pb2.CancelRequest, context: Context) -> pool_pb2.Job:
        """Cancels a job, or erases it."""

        async def cancel(caller: Caller, langs: str) -> pool_pb2.Job:
            end = self._api.erase if request.erase else self._api.cancel
            return pool_messages.job_message(await end(caller, request.job, langs))

        return await self._answer("Cancel", context, cancel, error_languages)

    async def ListJobs(
        self, request: pool_pb2.ListJobsRequest, context: Context
    ) -> pool_pb2.ListJobsResponse:
        """Lists the caller's jobs, newest first."""

        async def list_jobs(caller: Caller, langs: str) -> pool_pb2.ListJobsResponse:
            views = await self._api.list_jobs(caller, request.limit, langs)
            return pool_pb2.ListJobsResponse(jobs=map(pool_messages.job_message, views))

        return await self._answer("ListJobs", context, list_jobs, error_languages)

    async def Explain(
        self, request: pool_pb2.JobRequest, context: Context
    ) -> common_pb2.Explanation:
        """Returns the explanation of a job."""

        async def explain(caller: Caller, lang: str) -> common_pb2.Explanation:
            explanation = await self._api.explain(caller, request.job)
            return pool_messages.explanation_message(explanation, lang)

        return await self._answer("Explain", context, explain)

    async def ListModels(
        self,
        request: pool_pb2.ListModelsRequest,  # noqa: ARG002  (it is empty)
        context: Context,
    ) -> pool_pb2.ListModelsResponse:
        """Lists the models that clients may name."""

        async def list_models(_caller: Caller, _lang: str) -> pool_pb2.ListModelsResponse:
            cards = await self._pages.get_model_cards()
            return pool_pb2.ListModelsResponse(models=map(model_message, cards))

        return await self._answer("ListModels", context, list_models)
