"""Answers: whether the end of a run is an answer that a client can be given. Pure.

A node may send anything as the end of a run. An answer that is used is one JSON object within the
largest size; the last chunk of a stream stands on one line, so that it stays one event.
"""

import msgspec

from entraide.wire.messages import End
from entraide_scheduler.node_validation.bounds import ANSWER_MAX_BYTES

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_whole(message: End, *, stream: bool) -> bool:
    """Returns whether a completed run brought an answer that can be handed on."""
    if not stream:
        return _is_object(message.body)
    last = message.final.strip()
    return not last or (b"\n" not in last and b"\r" not in last and _is_object(last))


def _is_object(data: bytes) -> bool:
    if len(data) > ANSWER_MAX_BYTES:
        return False
    try:
        _object.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    return True
