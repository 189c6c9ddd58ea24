"""Answer validation: checks the end of a run before a client receives it. Pure.

A valid answer is one JSON object within the maximum size. The last chunk of a stream is one line,
so that it is one server-sent event.
"""

import msgspec

from entraide.decoding import JsonDecoder
from entraide.types import Usage
from entraide.wire.messages import RunEnded
from entraide_scheduler.gateway.embeddings.embeddings import holds_embeddings

_object = JsonDecoder[dict[str, msgspec.Raw]](dict[str, msgspec.Raw])


def is_valid_answer(message: RunEnded, size: int, *, stream: bool, inputs: int = 0) -> bool:
    """Returns whether a completed run has a valid answer.

    Args:
        message: end of the run.
        size: maximum bytes of an answer.
        stream: whether the answer was streamed.
        inputs: number of inputs of a request for embeddings; 0 for a request for text.
    """
    if inputs:
        return len(message.body) <= size and holds_embeddings(message.body, inputs)
    if not stream:
        return len(message.body) <= size and _is_object(message.body)
    last = message.final.strip()
    return not last or (b"\n" not in last and b"\r" not in last and _is_object(last))


def replace_usage(body: bytes, usage: Usage) -> bytes:
    """Returns an answer with its ``usage`` replaced; an empty body (of a stream) is unchanged."""
    if not body:
        return body
    document: dict[str, object] = dict(_object.decode(body))
    counts: dict[str, object] = {"prompt_tokens": usage.input_tokens}
    if "choices" in document:  # embeddings have no output
        counts["completion_tokens"] = usage.output_tokens
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    document["usage"] = counts | {"total_tokens": usage.input_tokens + usage.output_tokens}
    return msgspec.json.encode(document)


def _is_object(data: bytes) -> bool:
    try:
        _object.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    return True
