"""Export routes: all that the pool holds of the person who asks, texts included, as JSON."""

from collections.abc import Mapping
from types import MappingProxyType

from entraide_scheduler.gateway.http import RouteCall, RouteHandler
from entraide_scheduler.gateway.refusals import refused
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.person_export import MayPass, Unseal, export_person
from entraide_scheduler.store.store import Store

EXPORT = "/v1/session/export"
FILE = ("content-disposition", 'attachment; filename="entraide.json"')


class ExportRoutes:
    """Handles the requests of persons for what is held of them.

    Args:
        callers: authenticates persons.
        store: the pool's store.
        unseal: opens a text of an object, sealed for a purpose.
        may_pass: whether the texts of an object may pass this gateway, by section and name.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(self, callers: Callers, store: Store, unseal: Unseal, may_pass: MayPass) -> None:
        self._callers = callers
        self._store = store
        self._unseal = unseal
        self._may_pass = may_pass
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType({"export": self._export})

    async def _export(self, call: RouteCall) -> None:
        exchange = call.exchange
        signed_in = await self._callers.find_signed_in(exchange.request)
        if signed_in.start.is_new:  # what was sent before is closed to this session
            raise refused("session_new_start")
        self._callers.streams.add(exchange, signed_in.caller)
        caller = signed_in.caller
        if exchange.request.method == "HEAD":
            exchange.respond(200, b"", headers=[FILE])
            return
        async for part in export_person(
            self._store,
            caller.person,
            lang=call.lang,
            senders=caller.readable,
            unseal=self._unseal,
            may_pass=self._may_pass,
        ):
            if exchange.is_over:
                return
            if not exchange.has_begun:
                exchange.begin(200, kind="application/json", headers=[FILE])
            exchange.write(part)
            await exchange.wait_until_read()
        if not exchange.is_over:
            exchange.end()
