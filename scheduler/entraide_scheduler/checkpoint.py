"""Checkpoint: the core as bytes and the events since, in memory, to rebuild it from.

It is what makes an event reversible: a core that raised may be half changed, so it is thrown away
and rebuilt. What the events since led to was carried out already: their commands are dropped.
"""

import contextlib
import gc
from collections.abc import Iterator, Sequence

from entraide.decoding import MsgpackDecoder
from entraide_scheduler.core.events import Event
from entraide_scheduler.core.machine import Core

EVENTS_MAX = 200_000  # about 30 MB; reached only while no new checkpoint can be encoded

_decoder: MsgpackDecoder[Event] = MsgpackDecoder(Event)


class RecoveryFailed(Exception):
    """The core could not be rebuilt, or it raises too often for that to help."""


class Checkpoint:
    """A snapshot and the encoded events after it.

    Args:
        state: ``Core.snapshot()``.
        events: those that the core has handled since, encoded.
    """

    def __init__(self, state: bytes, events: Sequence[bytes] = ()) -> None:
        self._state = state
        self._events: list[bytes] | None = list(events)

    def append_event(self, event: bytes) -> None:
        """Adds an event that the core has handled."""
        if self._events is None:
            return
        self._events.append(event)
        if len(self._events) > EVENTS_MAX:
            self._events = None

    def rebuild(self) -> Core:
        """Returns a core that has handled exactly these events.

        Raises:
            RecoveryFailed: the events are more than are kept in memory.
        """
        if self._events is None:
            raise RecoveryFailed(f"more than {EVENTS_MAX} events since the last checkpoint")
        with _paused_collector():
            core = Core.restore(self._state)
            for event in self._events:
                core.handle(_decoder.decode(event))
        return core


@contextlib.contextmanager
def _paused_collector() -> Iterator[None]:
    """Pauses the garbage collector: it would scan each new object of a large state many times."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
