"""Connection server: what a connection asks of the server, and what the server permits it."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from msgspec import Struct

from entraide_scheduler.config import HttpLimits
from entraide_scheduler.gateway.http.bus_tunnel import BusTunnels
from entraide_scheduler.gateway.http.exchange import Exchange, HttpRequest
from entraide_scheduler.gateway.http.incoming import IncomingRequest
from entraide_scheduler.gateway.refusals import ErrorReply

C_contra = TypeVar("C_contra", contravariant=True)  # the kind of connection


class Permit(Struct, frozen=True):
    """Permission to send a body and to be answered.

    Attributes:
        body_max: maximum bytes of the body.
        key: identifier of the API key, or "".
        streamed: whether the request is answered while its body arrives.
        coop: of the key, or "".
    """

    body_max: int
    key: str = ""
    streamed: bool = False
    coop: str = ""


HeadDecision = Permit | ErrorReply


class Server(Protocol[C_contra]):
    """The interface of the server for its connections."""

    loop: asyncio.AbstractEventLoop
    limits: HttpLimits
    ending: bool
    tunnels: BusTunnels | None

    def add_connection(self, connection: C_contra) -> bool:
        """Registers a connection; returns False if there are too many."""

    def remove_connection(self, connection: C_contra) -> None:
        """Removes a connection."""

    def set_idle(self, connection: C_contra, *, idle: bool) -> None:
        """Records whether a connection is between two requests."""

    def get_client_address(self, connection: C_contra, headers: dict[str, str]) -> str:
        """Returns the client's address."""

    def check_head(
        self, connection: C_contra, head: HttpRequest
    ) -> HeadDecision | Awaitable[HeadDecision]:
        """Decides by a request's head whether its body may be sent."""

    def await_decision(
        self, connection: C_contra, incoming: IncomingRequest, verdict: Awaitable[HeadDecision]
    ) -> None:
        """Awaits a decision and passes it to the connection."""

    def release(self, admission: Permit) -> None:
        """Releases a permit: its exchange has ended."""

    def handle(self, exchange: Exchange) -> None:
        """Starts to answer a request."""

    def refuse(self, exchange: Exchange, refusal: ErrorReply) -> None:
        """Answers with an error."""

    def count(self, reason: str) -> None:
        """Counts a refusal or a closed connection, by reason."""
