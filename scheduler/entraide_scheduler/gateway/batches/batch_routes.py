"""Batch routes: the HTTP codec of batches, in OpenAI's forms."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from entraide_scheduler.gateway.batches.use_cases import Batches, BatchRequest
from entraide_scheduler.gateway.http import RouteCall, RouteHandler, read_limit, read_query
from entraide_scheduler.gateway.jobs import Caller, options_from_headers
from entraide_scheduler.gateway.refusals import convert, read_object
from entraide_scheduler.gateway.signin import Callers

BATCHES = "/v1/batches"
LIST_DEFAULT = 20
BATCHES_MAX = 100


class BatchRoutes:
    """Handles the requests for batches.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(self, batches: Batches, callers: Callers) -> None:
        self._batches = batches
        self._callers = callers
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {
                "create_batch": self._create,
                "list_batches": self._list,
                "get_batch": self._get,
                "cancel_batch": self._cancel,
            }
        )

    async def _authenticate(self, call: RouteCall) -> Caller:
        return await self._callers.authenticate(call.exchange.request)

    async def _create(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        request = call.exchange.request
        fields = {
            name: value for name, value in read_object(request.body).items() if value is not None
        }
        batch = await self._batches.create(
            caller,
            convert(fields, BatchRequest),
            options_from_headers(request.headers),
            call.error_langs,
        )
        call.respond(msgspec.json.encode(batch))

    async def _list(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        query = read_query(call.exchange.request.query)
        limit = read_limit(query, default=LIST_DEFAULT, most=BATCHES_MAX)
        page = await self._batches.list_batches(
            caller, after=query.get("after", ""), limit=limit, lang=call.error_langs
        )
        call.respond(msgspec.json.encode(page))

    async def _get(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        call.respond(
            msgspec.json.encode(await self._batches.get(caller, call.name, call.error_langs))
        )

    async def _cancel(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        call.respond(
            msgspec.json.encode(await self._batches.cancel(caller, call.name, call.error_langs))
        )
