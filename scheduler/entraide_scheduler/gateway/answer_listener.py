"""Answer listener: the interface through which a running job hands on its answer or its failure.

The HTTP writers, the gRPC service and the kept jobs implement it.
"""

from typing import Protocol

from msgspec import Struct

from entraide.types import Receipt, Usage
from entraide_scheduler.gateway.refusals import ErrorReply


class CompleteAnswer(Struct, frozen=True):
    """A whole answer.

    Attributes:
        final: streamed: JSON of the chunk that bears ``finish_reason``.
        body: not streamed: JSON of the answer.
        usage: what it used.
        receipt: signed, not settled yet; None when none could be made.
    """

    final: bytes
    body: bytes
    usage: Usage
    receipt: Receipt | None


class AnswerListener(Protocol):
    """Whoever wants the answer; called in the event loop, must not block."""

    def on_tokens(self, data: bytes) -> bool:
        """Takes server-sent events of a streamed answer; False when it can hold no more."""

    def on_answer(self, answer: CompleteAnswer) -> None:
        """The answer is whole. Nothing comes after it."""

    def on_error(self, refusal: ErrorReply) -> None:
        """The job has failed, or was refused. Nothing comes after it."""
