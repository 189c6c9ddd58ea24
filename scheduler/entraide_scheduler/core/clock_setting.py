"""Clock setting: moves the times in a snapshot back, after the pool's clock has been ahead.

Input: a snapshot whose time is later than the right one. Output: the same state at the right time.
What was recorded by then keeps its time; what was recorded later counts as recorded now; what lies
ahead of the snapshot's time lies as far ahead of the right one. The order of times stays.

A field holds times if its name says so: ``at``, ``since``, ``until``, a name that ends in one of
them, or one of ``NAMES``. Hours of the day, which are counted from the epoch, are left: they follow
with the next value of their zone.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct, structs

from entraide.decoding import decode_msgpack
from entraide_scheduler.core.snapshot import Snapshot

SUFFIXES = ("_at", "_since", "_until")
NAMES = frozenset(
    {"at", "since", "until", "now", "last_seen", "ends", "deadlines", "alarms", "refusals",
     "asked_loads"}
)  # fmt: skip
KEPT = frozenset({"policy", "catalogue", "values"})  # hold no times of the pool's life


def set_clock(data: bytes, at: float) -> bytes:
    """Returns a snapshot moved back to a time, seconds since the epoch."""
    snapshot = decode_msgpack(data, type=Snapshot)
    was_at = snapshot.now
    if at >= was_at:
        return data

    def move(time: float) -> float:
        return min(time, at) if time < was_at else at + (time - was_at)

    return msgspec.msgpack.encode(_move_struct(snapshot, move))


def is_time(name: str) -> bool:
    """Whether a field of this name holds times, seconds since the epoch."""
    return name in NAMES or name.endswith(SUFFIXES)


def _move(value: Any, name: str, move: Callable[[float], float]) -> Any:
    match value:
        case float():
            return move(value) if is_time(name) else value
        case Struct():
            return _move_struct(value, move)
        case dict():
            return {key: _move(each, name, move) for key, each in value.items()}
        case list():
            return [_move(each, name, move) for each in value]
        case tuple():
            moved = [_move(each, name, move) for each in value]
            return type(value)(*moved) if hasattr(value, "_fields") else tuple(moved)
        case _:
            return value


def _move_struct(value: Any, move: Callable[[float], float]) -> Any:
    names = [name for name in value.__struct_fields__ if name not in KEPT]
    moved = {name: _move(getattr(value, name), name, move) for name in names}
    return structs.replace(value, **moved)
