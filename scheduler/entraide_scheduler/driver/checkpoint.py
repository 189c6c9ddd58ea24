"""Checkpoint: a snapshot of the core and the events after it, in memory, to rebuild the core.

If ``Core.handle`` raises, the core's state may be inconsistent. The core is then discarded and
rebuilt from the checkpoint. The commands of the repeated events are dropped: they were carried out.
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
    """The core could not be rebuilt, or it raises too often."""


class Checkpoint:
    """A snapshot and the encoded events after it.

    Args:
        state: ``Core.snapshot()``.
        events: encoded events that the core has handled since the snapshot.
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
            RecoveryFailed: there are more than ``EVENTS_MAX`` events.
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
    """Pauses the garbage collector, which would scan the objects of a large state many times."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
