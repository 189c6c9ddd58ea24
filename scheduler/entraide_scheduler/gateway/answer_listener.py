"""Answer listener: the interface that receives a job's answer or its failure.

The HTTP writers, the gRPC service and the kept jobs implement it.
"""

from typing import Protocol

from msgspec import Struct

from entraide.types import Receipt, Usage
from entraide_scheduler.gateway.refusals import ErrorReply


class CompleteAnswer(Struct, frozen=True):
    """A complete answer.

    Attributes:
        final: of a stream: JSON of the chunk with ``finish_reason``.
        body: of an answer that is not streamed: its JSON.
        usage: tokens, energy and times of the run.
        receipt: signed receipt, not settled yet; None if it could not be made.
    """

    final: bytes
    body: bytes
    usage: Usage
    receipt: Receipt | None


class AnswerListener(Protocol):
    """Receives the answer of one job; called in the event loop, must not block."""

    def on_tokens(self, data: bytes) -> bool:
        """Handles server-sent events of an answer; returns False if its buffer is full."""

    def on_answer(self, answer: CompleteAnswer) -> None:
        """Handles the complete answer, which is the last call."""

    def on_error(self, refusal: ErrorReply) -> None:
        """Handles the job's failure or refusal, which is the last call."""
