"""Answer stream: the events of one answer, buffered for a caller that reads at its own pace."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from entraide_scheduler.config import UNREAD_MAX_BYTES
from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.refusals import ErrorReply
from entraide_scheduler.gateway.requests.answer_events import AnswerEvent


class AnswerStream:
    """An ``AnswerSink`` that holds up to ``UNREAD_MAX_BYTES``; iterate over it for the events."""

    def __init__(self) -> None:
        self._events: deque[AnswerEvent] = deque()
        self._bytes = 0
        self._not_empty = asyncio.Event()

    def __call__(self, event: AnswerEvent) -> bool:
        """Buffers an event."""
        self._events.append(event)
        if isinstance(event, AnswerPart):
            self._bytes += len(event.data)
        self._not_empty.set()
        return self._bytes < UNREAD_MAX_BYTES

    async def __aiter__(self) -> AsyncIterator[AnswerEvent]:
        """Yields each event until the last one; buffered parts that follow each other as one."""
        while True:
            while not self._events:
                self._not_empty.clear()
                await self._not_empty.wait()
            event = self._events.popleft()
            yield self._join_parts(event) if isinstance(event, AnswerPart) else event
            if isinstance(event, CompleteAnswer | ErrorReply):
                return

    def _join_parts(self, first: AnswerPart) -> AnswerPart:
        data = [first.data]
        while self._events and isinstance(part := self._events[0], AnswerPart):
            data.append(part.data)
            self._events.popleft()
        self._bytes = 0
        return AnswerPart(first.token_offset, b"".join(data))
