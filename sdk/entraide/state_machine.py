"""State machine: a transition table, the refusal of every other step, and the table's diagram.

A machine maps (state, event) to the next state. A pair that the table does not contain is an
illegal step: ``step`` raises ``IllegalTransition`` and changes nothing. An event that is legal at
any time, such as a signal or a late message, has a row for each state, from the state to itself
where it has no effect; or the caller asks ``allows`` before it applies the event. So no message of
another program can raise here. The diagrams in the documentation are made from these tables.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=str)


class IllegalTransition(AssertionError):
    """A step that the table does not contain; nothing has changed.

    Attributes:
        machine: name of the machine.
        subject: the object whose state it is.
        state: its state.
        event: the refused event.
        story: the subject's earlier steps, oldest first; empty if they are not recorded.
    """

    def __init__(
        self, machine: str, subject: str, *, state: str, event: str, story: Sequence[str]
    ) -> None:
        path = f" (so far: {' > '.join(story)})" if story else ""
        super().__init__(f"{machine} {subject}: no step '{event}' from '{state}'{path}")
        self.machine = machine
        self.subject = subject
        self.state = state
        self.event = event
        self.story = tuple(story)


class StateMachine(Generic[State, Event]):
    """A transition table.

    Attributes:
        name: of the machine, in errors and diagrams.
        table: the next state by (state, event).
        starts: the states in which a subject begins.
        ends: the states that no step leaves.
    """

    def __init__(
        self,
        name: str,
        table: Mapping[tuple[State, Event], State],
        *,
        starts: Sequence[State],
        ends: Sequence[State] = (),
    ) -> None:
        self.name = name
        self.table: Mapping[tuple[State, Event], State] = MappingProxyType(dict(table))
        self.starts = tuple(starts)
        self.ends = tuple(ends)

    def allows(self, state: State, event: Event) -> bool:
        """Tells whether the table contains a step."""
        return (state, event) in self.table

    def step(self, state: State, event: Event, *, subject: str, story: Sequence[str] = ()) -> State:
        """Returns the next state.

        Args:
            state: of the subject.
            event: that happens to it.
            subject: name of the object whose state it is, for the error.
            story: its earlier steps, for the error.

        Raises:
            IllegalTransition: the table does not contain the step.
        """
        next_state = self.table.get((state, event))
        if next_state is None:
            raise IllegalTransition(self.name, subject, state=state, event=event, story=story)
        return next_state

    def diagram(self) -> str:
        """Returns the table as a Mermaid state diagram; steps between two states share a line."""
        events: dict[tuple[str, str], list[str]] = {}
        for (state, event), next_state in self.table.items():
            events.setdefault((state.value, next_state.value), []).append(event)
        lines = ["stateDiagram-v2", *(f"    [*] --> {state.value}" for state in self.starts)]
        lines += [
            f"    {old} --> {new}: {', '.join(names)}" for (old, new), names in events.items()
        ]
        lines += [f"    {state.value} --> [*]" for state in self.ends]
        return "\n".join(lines) + "\n"
