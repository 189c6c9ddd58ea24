"""Event observer: notes what an event says of a part that ended unasked, or was cut off.

In: each event that is fed, before the core handles it. Out: occurrences. A recovery from the
journal feeds none, so that a restart repeats no occurrence.
"""

from entraide_scheduler.core import events as e
from entraide_scheduler.findings import Occurrences, Sort

ENGINE_DOWN = "engine_down"  # a node's code why it accepts no work
ENGINE_EXITED = "engine_exited"  # a run's code


class EventObserver:
    """Notes occurrences from events."""

    def __init__(self, occurrences: Occurrences) -> None:
        self._occurrences = occurrences
        self._boots: dict[str, str] = {}
        self._engines_down: set[str] = set()

    def observe(self, event: e.Event) -> None:
        """Notes what an event says."""
        match event:
            case e.RunReported(node=node, code=code) if code == ENGINE_EXITED:
                self._occurrences.add(Sort.ENGINE, node)
            case e.NodeChanged(node=node, reason=reason):
                self._note_engine(node, reason)
            case e.NodeJoined():
                self._note_join(event)
            case e.NodeLeft(node=node):
                self._boots.pop(node, None)
                self._engines_down.discard(node)
            case e.BusLost():
                self._occurrences.add(Sort.BUS)
            case _:
                pass

    def _note_join(self, event: e.NodeJoined) -> None:
        node = event.card.node
        boot = self._boots.get(node, event.boot)
        if boot != event.boot:  # it said no goodbye
            self._occurrences.add(Sort.NODE, node)
        self._boots[node] = event.boot
        self._note_engine(node, event.reason)

    def _note_engine(self, node: str, reason: str) -> None:
        if reason != ENGINE_DOWN:
            self._engines_down.discard(node)
        elif node not in self._engines_down:
            self._engines_down.add(node)
            self._occurrences.add(Sort.ENGINE, node)
