"""Co-op routes: the HTTP codec of a co-op's own position, of its machines and statements."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from entraide.statements import CSV_KIND, to_csv
from entraide_scheduler.gateway.api.pool_api import PoolApi
from entraide_scheduler.gateway.api.statement_renderer import StatementRenderer
from entraide_scheduler.gateway.http import RouteCall, RouteHandler, read_query
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.signin import Callers
from entraide_scheduler.gateway.views import (
    PoolStates,
    choose_language,
    totals_only,
    view_coop,
    view_own_machines,
)
from entraide_scheduler.grid.annual import load_annual_averages
from entraide_scheduler.statement_pdf.render import PDF_KIND
from entraide_scheduler.store.person_rows import Role

COOP_PATHS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "/v1/coop": {"GET": "coop"},
        "/v1/machines": {"GET": "machines"},
        "/v1/statement": {"GET": "statement"},
    }
)
PDF_HEADERS = (("content-disposition", 'attachment; filename="statement.pdf"'),)


class CoopRoutes:
    """Handles the requests about the caller's own co-op.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(
        self, api: PoolApi, states: PoolStates, callers: Callers, statements: StatementRenderer
    ) -> None:
        self._api = api
        self._statements = statements
        self._states = states
        self._callers = callers
        self._averages = load_annual_averages()
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {
                "coop": self._get_coop,
                "machines": self._get_machines,
                "statement": self._get_statement,
            }
        )

    async def _authenticate(self, call: RouteCall) -> Caller:
        return await self._callers.authenticate(call.exchange.request)

    async def _get_coop(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        month = read_query(call.exchange.request.query).get("month", "")
        books = await self._api.read_month(caller, month)
        pool = await self._states.get(caller.coop)
        view = view_coop(books, pool, self._averages, lang=choose_language(call))
        if caller.role == Role.PERSON:
            view = totals_only(view)
        call.respond(msgspec.json.encode(view))

    async def _get_machines(self, call: RouteCall) -> None:
        request = call.exchange.request
        signed_in = await self._callers.find_signed_in(request)
        coop = read_query(request.query).get("coop", "")
        books = await self._api.read_machines(signed_in.caller, coop)
        pool = await self._states.get()
        view = view_own_machines(books, pool, lang=choose_language(call))
        call.respond(msgspec.json.encode(view))

    async def _get_statement(self, call: RouteCall) -> None:
        caller = await self._authenticate(call)
        request = call.exchange.request
        query = read_query(request.query)
        month, coop = query.get("month", ""), query.get("coop", "")
        accept = request.headers.get("accept", "")
        statement = await self._api.get_statement(caller, month, coop)
        if accept.startswith(PDF_KIND):
            pdf = await self._statements.render(statement, choose_language(call))
            if not call.exchange.is_over:
                call.exchange.respond(200, pdf, kind=PDF_KIND, headers=PDF_HEADERS)
            return
        if accept.startswith("text/csv"):
            if not call.exchange.is_over:
                call.exchange.respond(200, to_csv(statement).encode(), kind=CSV_KIND)
            return
        call.respond(msgspec.json.encode(statement))
