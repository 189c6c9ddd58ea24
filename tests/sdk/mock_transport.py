"""Mock transports: a client of the SDK gets its answers from a script.

    transport = MockTransport({"Pool/ListModels": [pool_pb2.ListModelsResponse()]})
    client = Client(transport=transport)

The script has a list of answers for each method, one per call. An answer that is an exception is
raised. For ``Pool/Stream`` an answer is a list of events, and an event may be an exception.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from entraide.v1 import pool_pb2

Script = Mapping[str, Sequence[Any]]


class MockTransport:
    """Transport for ``Client`` that answers from a script.

    Attributes:
        requests: calls received, as (method, request), in order.
        languages: the language of each call, in order.
        closed: whether the client has closed it.
    """

    def __init__(self, script: Script) -> None:
        self._answers = {method: list(answers) for method, answers in script.items()}
        self.requests: list[tuple[str, Message]] = []
        self.languages: list[str] = []
        self.closed = False

    def _next(self, method: str, request: Message, lang: str) -> Any:
        self.requests.append((method, request))
        self.languages.append(lang)
        assert self._answers.get(method), f"the script has no answer left for {method}"
        answer = self._answers[method].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Returns the script's next answer for this method."""
        assert timeout_s > 0
        return self._next(method, request, lang)

    def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Yields the events of the script's next answer for ``Pool/Stream``."""
        assert timeout_s > 0
        for event in self._next("Pool/Stream", request, lang):
            if isinstance(event, BaseException):
                raise event
            yield event

    def close(self) -> None:
        """Records that the client has closed it."""
        self.closed = True


class AsyncMockTransport:
    """Transport for ``AsyncClient`` that answers from a script; ``mock`` has the calls received."""

    def __init__(self, script: Script) -> None:
        self.mock = MockTransport(script)

    async def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Returns the script's next answer for this method."""
        return self.mock.call(method, request, timeout_s=timeout_s, lang=lang)

    async def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Yields the events of the script's next answer for ``Pool/Stream``."""
        for event in self.mock.stream(request, timeout_s=timeout_s, lang=lang):
            yield event

    async def close(self) -> None:
        """Records that the client has closed it."""
        self.mock.close()
