"""Pool routes: the HTTP codec of what members see of the pool and of the grid's next hours."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from entraide import i18n
from entraide_scheduler.gateway.http import RouteCall, RouteHandler, read_query
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.requests import EVENT_STREAM, STREAM_HEADERS
from entraide_scheduler.gateway.signin import Callers
from entraide_scheduler.gateway.views.grid_view import view_grid
from entraide_scheduler.gateway.views.pool_events import PoolEvents
from entraide_scheduler.gateway.views.pool_view import view_pool

POOL = "/v1/pool"
POOL_PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        POOL: {"GET": "pool"},
        f"{POOL}/events": {"GET": "pool_events"},
        "/v1/grid": {"GET": "grid"},
    }
)


class PoolRoutes:
    """Handles the requests about the pool.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(self, events: PoolEvents, callers: Callers, *, pool: str) -> None:
        self._states = events.states
        self._events = events
        self._callers = callers
        self._pool = pool
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {"pool": self._get_pool, "pool_events": self._listen, "grid": self._get_grid}
        )

    async def _authenticate(self, call: RouteCall) -> Caller:
        return await self._callers.authenticate(call.exchange.request)

    async def _get_pool(self, call: RouteCall) -> None:
        coop = (await self._authenticate(call)).coop
        state, lang = await self._states.get(), choose_language(call)
        view = view_pool(state, pool=self._pool, lang=lang, coop=coop)
        call.respond(msgspec.json.encode(view))

    async def _get_grid(self, call: RouteCall) -> None:
        await self._authenticate(call)
        view = view_grid(await self._states.get(), lang=choose_language(call))
        call.respond(msgspec.json.encode(view))

    async def _listen(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        if call.exchange.request.method == "HEAD":
            call.exchange.respond(200, b"", kind=EVENT_STREAM, headers=STREAM_HEADERS)
            return
        await self._events.listen(
            call.exchange,
            caller=caller,
            lang=choose_language(call),
            recheck=lambda: self._authenticate(call),
        )


def choose_language(call: RouteCall) -> str:
    """Returns the language of the query (``lang``), else that of the request's headers."""
    requested = read_query(call.exchange.request.query).get("lang")
    return i18n.lang_of(requested) if requested else call.lang
