"""``client.batches`` for asyncio: many requests from a file or a program, run as one batch."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Unpack

from entraide.client._constants import BATCHES_LIMIT, BATCHES_LIMIT_MAX
from entraide.client._retries_aio import call_with_retries_async
from entraide.client.batches import calls
from entraide.client.batches._prepare_aio import prepare_in_thread
from entraide.client.batches.answers import Batch, BatchResult, OnProgress
from entraide.client.batches.calls import BatchOptions
from entraide.client.batches.input import EMBEDDINGS, InputOptions, Requests
from entraide.client.batches.waiting import Wait
from entraide.client.http import WebRequest
from entraide.client.transport import AsyncTransport
from entraide.errors import EntraideError


class AsyncBatches:
    """The batches of a client's co-op; ``AsyncClient.batches``."""

    def __init__(
        self,
        transport: AsyncTransport,
        *,
        timeout_s: float,
        retries: int,
        lang: str,
        first_model: Callable[[bool], Awaitable[str]],
    ) -> None:
        """Creates them; ``first_model`` returns the default model, for embeddings or not."""
        self._transport = transport
        self._timeout_s, self._retries, self._lang = timeout_s, retries, lang
        self._first_model = first_model

    async def create(
        self,
        requests: Requests,
        *,
        endpoint: str = "",
        model: str = "",
        max_output_tokens: int = 0,
        defaults: Mapping[str, Any] | None = None,
        until: dt.datetime | str | None = None,
        completion_window: str = calls.COMPLETION_WINDOW,
        metadata: Mapping[str, str] | None = None,
        keep_s: float = 0.0,
        wait: bool = False,
        on_progress: OnProgress | None = None,
        **options: Unpack[BatchOptions],
    ) -> Batch:
        """Sends requests as a batch, which then runs in the pool, whatever this program does.

        The requests are checked before anything is sent. A lost reply makes no second batch.

        Args:
            requests: the path of a file: JSON lines in OpenAI's form or as requests alone, or
                plain text with one prompt per line. Or prompts and requests themselves: a list,
                or by ``custom_id``. What has no ``custom_id`` gets ``line-NUMBER``.
            endpoint: HTTP path of all requests; "" for the one that they show, else that of chats.
            model: of the requests that name none; "" for the first that the pool serves.
            max_output_tokens: maximum length of an answer, where a request does not say it.
            defaults: other fields of the requests that do not have them.
            until: when what has not ended expires; a text as ISO 8601 writes it. Without it and
                without ``deadline_s``, in 24 hours; 31 days at most.
            completion_window: OpenAI's; ``24h`` only.
            metadata: names and values that the batch keeps; at most 16.
            keep_s: retention of the results after the end, seconds, one hour to 30 days; 0 for 30
                days.
            wait: whether to wait for the end, as ``wait`` does; ``results`` then reads the answers.
            on_progress: called with the batch after each look, while waiting.
            **options: see ``BatchOptions``.

        Raises:
            RequestError: ``invalid_request`` with each fault and its line, or ``file_unreadable``:
                nothing was sent.
            EntraideError: the pool refused the batch, or cannot be reached.
        """
        calls.check_window(completion_window, self._lang)
        input_options = InputOptions(endpoint, model, max_output_tokens, defaults or {})
        content = await prepare_in_thread(
            requests, input_options, choose_model=self._choose_model, lang=self._lang
        )
        with content:
            file = calls.read_file(await self._call(calls.upload(content)), self._lang)
        request = calls.create(
            file, content.endpoint, until=until, metadata=metadata, keep_s=keep_s, options=options,
            lang=self._lang,
        )  # fmt: skip
        batch = await self._create_once(request, file)
        return await self.wait(batch, on_progress=on_progress) if wait else batch

    async def get(self, batch: str) -> Batch:
        """Returns a batch."""
        return calls.read_batch(await self._call(calls.get(batch)), self._lang)

    retrieve = get  # OpenAI's name

    async def list(self, limit: int = BATCHES_LIMIT) -> list[Batch]:
        """Returns the co-op's batches, newest first."""
        latest: list[Batch] = []
        has_more = True
        while has_more and len(latest) < limit:
            size = min(limit - len(latest), BATCHES_LIMIT_MAX)
            after = latest[-1].batch if latest else ""
            page, has_more = calls.read_page(await self._call(calls.page(after, size)), self._lang)
            latest += page
        return latest

    async def cancel(self, batch: str | Batch) -> Batch:
        """Begins to cancel a batch; what was answered before stays."""
        return calls.read_batch(await self._call(calls.cancel(calls.name_of(batch))), self._lang)

    async def wait(
        self,
        batch: str | Batch,
        *,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Batch:
        """Waits until a batch has ended, and returns it; the errors of lines raise nothing.

        A cancellation leaves the batch running, and its traceback says how to go on.

        Args:
            batch: identifier, or the batch.
            timeout_s: longest wait, seconds; None to wait for the end.
            on_progress: called with the batch after each look.

        Raises:
            PoolError: ``deadline_exceeded`` if the batch has not ended within ``timeout_s``.
        """
        name = calls.name_of(batch)
        waiting = Wait(name, now=time.monotonic(), timeout_s=timeout_s, lang=self._lang)
        latest: Batch | EntraideError
        try:
            while True:
                try:
                    latest = await self.get(name)
                except EntraideError as problem:
                    latest = problem
                if isinstance(latest, Batch):
                    if on_progress is not None:
                        on_progress(latest)
                    if latest.ended:
                        return latest
                await asyncio.sleep(waiting.pause_s(latest, time.monotonic()))
        except asyncio.CancelledError as problem:
            waiting.note_interruption(problem)
            raise

    async def results(self, batch: str | Batch) -> AsyncIterator[BatchResult]:
        """Yields the answers of a batch, then its errors, each with its ``custom_id``.

        They come in the order in which the lines ended, and no more than a line of them is in
        memory. While the batch runs, they are those that exist so far. If the connection breaks,
        reading goes on after the last line.

        Raises:
            NotFoundError: the batch or its results were deleted.
        """
        latest = calls.as_ended(batch) or await self.get(calls.name_of(batch))
        for file in (latest.output_file, latest.error_file):
            if file:
                async for result in self._read_lines(file):
                    yield result

    async def _read_lines(self, file: str) -> AsyncIterator[BatchResult]:
        resumed = calls.ResumedRead(self._retries, self._lang)
        while not resumed.is_complete:
            try:
                pieces = self._transport.http(
                    calls.content(file), timeout_s=self._timeout_s, lang=self._lang
                )
                async for piece in pieces:
                    for result in resumed.feed(piece):
                        yield result
                resumed.end()
            except EntraideError as problem:
                await asyncio.sleep(resumed.pause_s(problem))

    async def _create_once(self, request: WebRequest, file: str) -> Batch:
        """Creates a batch; after a lost reply, looks whether it was created.

        Its file was just sent and is that of no other batch.
        """
        try:
            return calls.read_batch(await self._send(request, self._timeout_s), self._lang)
        except EntraideError as problem:
            if not calls.may_have_arrived(problem):
                raise
            for batch in await self.list():
                if batch.input_file == file:
                    return batch
            return calls.read_batch(await self._send(request, self._timeout_s), self._lang)

    async def _choose_model(self, endpoint: str) -> str:
        return await self._first_model(endpoint == EMBEDDINGS)

    async def _call(self, request: WebRequest) -> bytes:
        body: bytes = await call_with_retries_async(
            partial(self._send, request), timeout_s=self._timeout_s, retries=self._retries
        )
        return body

    async def _send(self, request: WebRequest, timeout_s: float) -> bytes:
        pieces = self._transport.http(request, timeout_s=timeout_s, lang=self._lang)
        return b"".join([piece async for piece in pieces])
