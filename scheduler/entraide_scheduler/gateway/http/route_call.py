"""Route call: a matched request as the handlers of the routes receive it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct

from entraide_scheduler.gateway.http.exchange import Exchange
from entraide_scheduler.gateway.refusals import refused, show_value

LIMIT_DIGITS_MAX = 9


class RouteCall(Struct, frozen=True):
    """A request.

    Attributes:
        exchange: its exchange.
        name: the name in its path.
        lang: language of what people read.
        error_langs: languages of errors, see ``entraide.language.error_langs``.
    """

    exchange: Exchange
    name: str
    lang: str
    error_langs: str

    def respond(self, body: bytes, status: int = 200) -> None:
        """Sends a JSON response, unless the client has left."""
        if not self.exchange.is_over:
            self.exchange.respond(status, body)


RouteHandler = Callable[[RouteCall], Awaitable[None]]


class RouteGroup(Protocol):
    """A part of the routes, by whose names its handlers are found."""

    @property
    def handlers(self) -> Mapping[str, RouteHandler]:
        """The handlers, by the name of the route."""


def read_query(query: str) -> dict[str, str]:
    """Returns the values of a query string by name; a name without a value has ""."""
    return dict(part.partition("=")[::2] for part in query.split("&"))


def read_switch(values: Mapping[str, str], name: str) -> bool:
    """Returns a parameter of a query that is true or false; without it, false.

    Raises:
        Refused: ``invalid_request``: it is neither.
    """
    text = values.get(name, "false")
    if text not in ("true", "false"):
        raise refused(
            "invalid_request", param=name, fault="not_one_of", choices="true, false",
            found=show_value(text),
        )  # fmt: skip
    return text == "true"


def read_limit(values: Mapping[str, str], *, default: int, most: int) -> int:
    """Returns the parameter ``limit`` of a query, from 1 to ``most``.

    Raises:
        Refused: ``invalid_request``: the parameter is no number in that range.
    """
    limit = values.get("limit", "")
    if not limit:
        return default
    is_number = limit.isascii() and limit.isdigit() and len(limit) <= LIMIT_DIGITS_MAX
    if not is_number or not 1 <= int(limit) <= most:
        raise refused(
            "invalid_request", param="limit", fault="limit_list", limit=most,
            found=show_value(limit),
        )  # fmt: skip
    return int(limit)
