"""New-start routes: how a person opens what is closed to a session, or erases it.

A new start is a session that somebody else's link began; see ``store.signin_starts``.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from entraide_scheduler.gateway.http import RouteCall, RouteHandler
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.refusals import convert, read_object
from entraide_scheduler.gateway.signin.callers import Callers
from entraide_scheduler.gateway.signin.session_views import SessionViews
from entraide_scheduler.gateway.signin.sessions import SignedIn
from entraide_scheduler.gateway.signin.signin_routes import EmailRequest

EraseClosed = Callable[[Caller], Awaitable[None]]


class NewStartRoutes:
    """Handles the requests about new starts, and about the address that may open one.

    Args:
        callers: authenticates persons.
        views: sends sessions.
        erase_closed: erases what a person sent and the caller may not read.

    Attributes:
        handlers: by the name of the route.
    """

    def __init__(self, callers: Callers, views: SessionViews, erase_closed: EraseClosed) -> None:
        self._callers = callers
        self._sessions = callers.sessions
        self._views = views
        self._erase_closed = erase_closed
        self.handlers: Mapping[str, RouteHandler] = MappingProxyType(
            {
                "ask_opening": self._ask_opening,
                "open_session": self._open_session,
                "erase_earlier": self._erase_earlier,
                "confirm_email": self._confirm_email,
            }
        )

    async def _find(self, call: RouteCall) -> SignedIn:
        return await self._callers.find_signed_in(call.exchange.request)

    async def _ask_opening(self, call: RouteCall) -> None:
        signed_in = await self._find(call)
        if signed_in.start.is_new:
            await self._sessions.ask_opening(signed_in)
        await self._views.send_session(call)

    async def _open_session(self, call: RouteCall) -> None:
        await self._sessions.open(await self._find(call), call.name)
        await self._views.send_sessions(call)

    async def _erase_earlier(self, call: RouteCall) -> None:
        signed_in = await self._find(call)
        if signed_in.start.is_new:
            await self._erase_closed(signed_in.caller)
            await self._sessions.keep_only(signed_in)
            await self._erase_closed(signed_in.caller)  # what came until the sessions had ended
        await self._views.send_session(call)

    async def _confirm_email(self, call: RouteCall) -> None:
        signed_in = await self._find(call)
        email = convert(read_object(call.exchange.request.body), EmailRequest).email
        await self._sessions.confirm_email(signed_in, email)
        await self._views.send_session(call)
