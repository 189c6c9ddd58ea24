"""Stream messages: the events of one answer as gRPC's ``StreamEvent``; an ``Encoder``. Pure."""

from collections.abc import Iterator

from entraide.v1 import pool_pb2
from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.requests import (
    AnswerEvent,
    AnswerSeam,
    AnswerStarted,
    AnswerWaiting,
    TextReader,
)
from entraide_scheduler.gateway.rpc import pool_messages


class StreamMessages:
    """Writes the events of one answer.

    Args:
        lang: language of the explanation.
        reconnect_s: for how long the stream goes on without its client, seconds.
    """

    def __init__(self, lang: str, reconnect_s: float = 0.0) -> None:
        self._lang = lang
        self._reconnect_s = reconnect_s
        self._reader = TextReader()
        self._texts: list[str] = []

    def write(self, event: AnswerEvent) -> Iterator[pool_pb2.StreamEvent]:
        """Yields the messages of an event; an error is no message, but the status of the call."""
        match event:
            case AnswerStarted():
                started = pool_pb2.Started(job=event.job, reconnect_s=self._reconnect_s)
                yield pool_pb2.StreamEvent(started=started)
            case AnswerPart():
                self._texts.append(self._reader.read_part(event).text)
                yield pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=self._texts[-1]))
            case AnswerSeam():
                yield pool_pb2.StreamEvent(resumed=pool_messages.resumed_message(event))
            case AnswerWaiting():
                yield pool_pb2.StreamEvent(waiting=pool_messages.waiting_message(event, self._lang))
            case CompleteAnswer():
                last, finish_reason = self._reader.read_final(event.final)
                if last.text:
                    yield pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=last.text))
                text = "".join([*self._texts, last.text])
                done = pool_messages.done_message(event, text, finish_reason, self._lang)
                yield pool_pb2.StreamEvent(done=done)

    def encode(self, event: AnswerEvent) -> list[bytes]:
        """Returns the messages of an event, serialised."""
        return [message.SerializeToString() for message in self.write(event)]
