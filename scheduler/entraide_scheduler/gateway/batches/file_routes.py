"""File routes: the HTTP codec of files, in OpenAI's forms."""

import time
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import msgspec

from entraide_scheduler.config import UPLOAD_PATH
from entraide_scheduler.gateway.batches.files import (
    ORDERS,
    FileDeletion,
    FileList,
    FileObject,
    Files,
)
from entraide_scheduler.gateway.batches.states import UNENDED
from entraide_scheduler.gateway.batches.use_cases import Batches
from entraide_scheduler.gateway.http import (
    BodyStream,
    RouteCall,
    RouteHandler,
    read_limit,
    read_query,
)
from entraide_scheduler.gateway.jobs import Caller, check_options, options_from_headers
from entraide_scheduler.gateway.refusals import refused, show_value
from entraide_scheduler.gateway.signin import Callers

FILES = UPLOAD_PATH
FILES_MAX = 10_000
CONTENT_KIND = "application/jsonl"


class FileRoutes:
    """Handles the requests for files.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(self, files: Files, batches: Batches, callers: Callers) -> None:
        self._files = files
        self._batches = batches
        self._callers = callers
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {
                "upload_file": self._upload,
                "list_files": self._list,
                "get_file": self._get,
                "delete_file": self._delete,
                "file_content": self._send_content,
            }
        )

    async def _authenticate(self, call: RouteCall) -> Caller:
        return await self._callers.authenticate(call.exchange.request)

    def _check_way(self, call: RouteCall) -> None:
        """Checks what the headers name against the servers that the content passes."""
        options = options_from_headers(call.exchange.request.headers)
        check_options(options, time.time())
        self._batches.way.check(options)

    async def _upload(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        exchange = call.exchange
        assert isinstance(exchange.body, BodyStream), "the head check permits it to be streamed"
        kind = exchange.request.headers.get("content-type", "")
        self._check_way(call)
        passed = self._batches.way.encode_passed()
        uploaded = await self._files.upload(caller, kind, exchange.body, passed)
        call.respond(msgspec.json.encode(uploaded))

    async def _list(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        query = read_query(call.exchange.request.query)
        limit = read_limit(query, default=FILES_MAX, most=FILES_MAX)
        order, purpose = query.get("order") or "desc", query.get("purpose", "")
        if order not in ORDERS:
            raise refused(
                "invalid_request", param="order", fault="not_one_of", choices=", ".join(ORDERS),
                found=show_value(order),
            )  # fmt: skip
        listed = await self._files.list_files(caller) + await self._batches.list_files(caller)
        listed.sort(key=lambda file: (file.created_at, file.id), reverse=True)
        chosen = [file for file in listed if purpose in ("", file.purpose)]
        if order == "asc":
            chosen.reverse()
        call.respond(encode_page(chosen, after=query.get("after", ""), limit=limit))

    async def _get(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        results = await self._batches.find_results(caller, call.name)
        if results is None:
            call.respond(msgspec.json.encode(await self._files.get(caller, call.name)))
            return
        row, file = results
        described = await self._batches.results.describe(row, failed=file.failed)
        call.respond(msgspec.json.encode(described))

    async def _delete(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        results = await self._batches.find_results(caller, call.name)
        if results is None:
            await self._files.delete(caller, call.name, UNENDED)
        else:
            await self._batches.delete_results(*results)
        call.respond(msgspec.json.encode(FileDeletion(call.name)))

    async def _send_content(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        self._callers.streams.add(call.exchange, caller)
        self._check_way(call)
        results = await self._batches.find_results(caller, call.name)
        if results is None:
            file = await self._files.find(caller, call.name)
            await _stream(call, self._files.read(file.file))
            return
        row, result_file = results
        self._batches.way.check_answers(row)
        await self._batches.results.describe(row, failed=result_file.failed)  # refuses an empty one
        await _stream(call, self._batches.results.read(row, failed=result_file.failed))


async def _stream(call: RouteCall, pieces: AsyncIterator[bytes]) -> None:
    """Sends a content piece by piece, as fast as the client reads."""
    exchange = call.exchange
    async for content in pieces:
        if exchange.is_over:
            return
        if not exchange.has_begun:
            exchange.begin(200, kind=CONTENT_KIND)
        exchange.write(content)
        await exchange.wait_until_read()
    if not exchange.is_over:
        exchange.end()


def encode_page(files: list[FileObject], *, after: str, limit: int) -> bytes:
    """Returns a page of a list as JSON: the files after one of them; all if it is not listed."""
    place = next((place for place, file in enumerate(files) if file.id == after), -1)
    page = files[place + 1 : place + 1 + limit]
    return msgspec.json.encode(
        FileList(
            data=page,
            first_id=page[0].id if page else None,
            last_id=page[-1].id if page else None,
            has_more=place + 1 + limit < len(files),
        )
    )
