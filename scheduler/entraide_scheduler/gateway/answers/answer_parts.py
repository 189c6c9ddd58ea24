"""Answer parts: a part of an answer that is streamed, and a complete answer. Pure.

Every format of an answer is written from these; ``answer_events`` has the sequence in which they
come.
"""

from msgspec import Struct

from entraide.types import Explanation, Receipt, Usage

EVENT_PREFIX = b"data: "


class AnswerPart(Struct, frozen=True, gc=False):
    """A part of a streamed answer.

    Attributes:
        token_offset: number of the answer's tokens before this part.
        data: server-sent events of the engine.
    """

    token_offset: int
    data: bytes


class CompleteAnswer(Struct, frozen=True):
    """The last event of a job that completed.

    Attributes:
        final: of a stream: JSON of the chunk with ``finish_reason``.
        body: of an answer that is not streamed: its JSON.
        usage: tokens, energy and times of the run.
        receipt: signed receipt, not settled yet; None if it could not be made.
        explanation: of the job's placement, if the client asked for it and it is known.
        epoch, node: the lease of the run.
    """

    final: bytes
    body: bytes
    usage: Usage
    receipt: Receipt | None
    explanation: Explanation | None = None
    epoch: int = 0
    node: str = ""
