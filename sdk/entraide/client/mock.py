"""Mock transports, with which a program that uses a client is tested without a pool.

    client = Client(transport=MockTransport())

Without a script every request is answered: a chat with its last message, a text with a small
embedding; a batch with the answers of ``answer_line``. A script has a list of answers for a method,
one per call, which come instead: a message for ``Pool/ListModels``; a list of events for
``Pool/Stream`` (``text_events``, ``embedding_events``); bytes for ``GET /v1/batches``. An answer or
an event that is an exception is raised.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from entraide.client.http import WebRequest
from entraide.client.mock_batches import AnswerLine, MockBatches, echo
from entraide.v1 import common_pb2, pool_pb2

Script = Mapping[str, Sequence[Any]]
JOB = "job-1"
MODELS = pool_pb2.ListModelsResponse(
    models=[
        pool_pb2.Model(model="mock", context_tokens=8_192, replicas=1),
        pool_pb2.Model(
            model="mock-embeddings", features=["embeddings", "embeddings_only"], replicas=1
        ),
    ]
)


def text_events(*pieces: str) -> list[pool_pb2.StreamEvent]:
    """Returns the events of an answer that comes in pieces."""
    deltas = [pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=piece)) for piece in pieces]
    usage = common_pb2.Usage(input_tokens=1, output_tokens=len(pieces), basis="estimated")
    done = pool_pb2.Done(text="".join(pieces), finish_reason="stop", usage=usage)
    return [_started(), *deltas, pool_pb2.StreamEvent(done=done)]


def embedding_events(*vectors: Sequence[float]) -> list[pool_pb2.StreamEvent]:
    """Returns the events of an answer with embeddings, one for each input."""
    done = pool_pb2.Done(
        usage=common_pb2.Usage(input_tokens=len(vectors), basis="estimated"),
        embeddings=[pool_pb2.Embedding(values=vector) for vector in vectors],
    )
    return [_started(), pool_pb2.StreamEvent(done=done)]


def _started() -> pool_pb2.StreamEvent:
    return pool_pb2.StreamEvent(started=pool_pb2.Started(job=JOB))


class MockTransport:
    """Transport for ``Client`` that answers by itself, or from a script.

    Attributes:
        requests: calls received, as (method, request), in order; HTTP as ``GET /v1/batches``.
        languages: the language of each call, in order.
        batches: the files and batches that it serves.
        closed: whether the client has closed it.
    """

    def __init__(self, script: Script | None = None, *, answer_line: AnswerLine = echo) -> None:
        """Creates a transport; ``answer_line`` answers the body of a batch's line, or raises."""
        self._answers = {method: list(answers) for method, answers in (script or {}).items()}
        self.requests: list[tuple[str, Message | WebRequest]] = []
        self.languages: list[str] = []
        self.batches = MockBatches(answer_line)
        self.closed = False

    def _next(self, method: str, request: Message | WebRequest, lang: str) -> Any:
        self.requests.append((method, request))
        self.languages.append(lang)
        if method not in self._answers:
            return self._default(method, request)
        assert self._answers[method], f"the script has no answer left for {method}"
        answer = self._answers[method].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _default(self, method: str, request: Message | WebRequest) -> Any:
        if isinstance(request, WebRequest):
            return self.batches.answer(request)
        if isinstance(request, pool_pb2.InferenceRequest):
            if request.inputs:
                return embedding_events(*([float(len(text)), 1.0] for text in request.inputs))
            return text_events(request.messages[-1].content)
        assert method == "Pool/ListModels", f"the script has no answer for {method}"
        return MODELS

    def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Returns the next answer to this method."""
        assert timeout_s > 0
        return self._next(method, request, lang)

    def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Yields the events of the next answer."""
        assert timeout_s > 0
        for event in self._next("Pool/Stream", request, lang):
            if isinstance(event, BaseException):
                raise event
            yield event

    def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Yields the events of the next answer to a client that comes back."""
        assert timeout_s > 0
        for event in self._next("Pool/Reconnect", request, lang):
            if isinstance(event, BaseException):
                raise event
            yield event

    def read(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Iterator[Any]:
        """Yields the parts of the next answer to this method."""
        assert timeout_s > 0
        yield from self._next(method, request, lang)

    def http(self, request: WebRequest, *, timeout_s: float, lang: str) -> Iterator[bytes]:
        """Yields the answer to an HTTP request, in pieces if the script has several."""
        assert timeout_s > 0
        answer = self._next(f"{request.method} {request.path}", request, lang)
        for piece in [answer] if isinstance(answer, bytes) else answer:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def close(self) -> None:
        """Records that the client has closed it."""
        self.closed = True


class AsyncMockTransport:
    """Transport for ``AsyncClient``; ``mock`` is the ``MockTransport`` that answers."""

    def __init__(self, script: Script | None = None, *, answer_line: AnswerLine = echo) -> None:
        """Creates a transport; see ``MockTransport``."""
        self.mock = MockTransport(script, answer_line=answer_line)

    async def call(self, method: str, request: Message, *, timeout_s: float, lang: str) -> Any:
        """Returns the next answer to this method."""
        return self.mock.call(method, request, timeout_s=timeout_s, lang=lang)

    async def stream(
        self, request: pool_pb2.InferenceRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Yields the events of the next answer."""
        for event in self.mock.stream(request, timeout_s=timeout_s, lang=lang):
            yield event

    async def reconnect(
        self, request: pool_pb2.ReconnectRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[pool_pb2.StreamEvent]:
        """Yields the events of the next answer to a client that comes back."""
        for event in self.mock.reconnect(request, timeout_s=timeout_s, lang=lang):
            yield event

    async def http(
        self, request: WebRequest, *, timeout_s: float, lang: str
    ) -> AsyncIterator[bytes]:
        """Yields the answer to an HTTP request in pieces."""
        for piece in self.mock.http(request, timeout_s=timeout_s, lang=lang):
            yield piece

    async def close(self) -> None:
        """Records that the client has closed it."""
        self.mock.close()
