"""Answers: whether the end of a run is an answer that a client can be given. Pure.

A node may send anything as the end of a run. An answer that is used is one JSON object within the
largest size; the last chunk of a stream stands on one line, so that it stays one event.
"""

import msgspec

from entraide.decoding import JsonDecoder
from entraide.types import Usage
from entraide.wire.messages import RunEnded
from entraide_scheduler.node_validation.bounds import ANSWER_MAX_BYTES

_object = JsonDecoder[dict[str, msgspec.Raw]](dict[str, msgspec.Raw])


def is_valid_answer(message: RunEnded, size: int, *, stream: bool) -> bool:
    """Returns whether a completed run brought an answer that can be handed on.

    Args:
        message: the end of the run.
        size: bytes that a whole answer may have.
        stream: whether the answer was streamed.
    """
    if not stream:
        return len(message.body) <= size and _is_object(message.body)
    last = message.final.strip()
    return not last or (b"\n" not in last and b"\r" not in last and _is_object(last))


def replace_usage(body: bytes, usage: Usage) -> bytes:
    """Returns a whole answer whose own usage is replaced; nothing of a stream is changed."""
    if not body:
        return body
    document: dict[str, object] = dict(_object.decode(body))
    document["usage"] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    return msgspec.json.encode(document)


def _is_object(data: bytes) -> bool:
    if len(data) > ANSWER_MAX_BYTES:
        return False
    try:
        _object.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    return True
