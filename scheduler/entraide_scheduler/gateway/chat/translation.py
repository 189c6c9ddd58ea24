"""Translation: a request of another interface as a chat, and its errors in that one's words. Pure.

In: a request for ``/v1/responses`` or ``/v1/messages``. Out: a ``ChatRequest``, which is checked,
placed, counted and settled as any other; and the names by which the client knows its fields.
"""

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from entraide_scheduler.gateway.chat.fields import ChatRequest
from entraide_scheduler.gateway.refusals import ErrorReply

_MESSAGE = re.compile(r"messages\[(\d+)\]")


class Translation(Struct, frozen=True):
    """A request as a chat.

    Attributes:
        chat: the chat.
        places: of each of its messages, the client's field that it came from.
        names: the client's name of a field of the chat, if it differs.
    """

    chat: ChatRequest
    places: tuple[str, ...]
    names: Mapping[str, str]

    def rename(self, refusal: ErrorReply) -> ErrorReply:
        """Returns an error that names the client's own field."""
        param = refusal.values.get("param")
        if not isinstance(param, str):
            return refusal
        return replace(refusal, values={**refusal.values, "param": self._name(param)})

    def _name(self, param: str) -> str:
        if message := _MESSAGE.match(param):
            return self.places[int(message[1])]
        for name, renamed in self.names.items():
            if param == name or param.startswith((f"{name}.", f"{name}[")):
                return renamed + param[len(name) :].replace(".function", "")
        return param
