"""A state machine makes the steps of its table, and refuses every other."""

from enum import StrEnum

import pytest

from entraide.state_machine import IllegalTransition, StateMachine


class Light(StrEnum):
    """The state of a lamp."""

    OFF = "off"
    ON = "on"
    BROKEN = "broken"


LAMP = StateMachine(
    "lamp",
    {
        (Light.OFF, "press"): Light.ON,
        (Light.ON, "press"): Light.OFF,
        (Light.ON, "hit"): Light.BROKEN,
        (Light.OFF, "hit"): Light.BROKEN,
        (Light.OFF, "look"): Light.OFF,
        (Light.ON, "burn"): Light.BROKEN,
    },
    starts=(Light.OFF,),
    ends=(Light.BROKEN,),
)


def test_a_step_of_the_table_is_made() -> None:
    """A step leads to the state in the table, also if that is the same state."""
    assert Light.ON is LAMP.step(Light.OFF, "press", subject="kitchen")
    assert Light.OFF is LAMP.step(Light.OFF, "look", subject="kitchen")


def test_an_illegal_step_tells_its_story() -> None:
    """The error names the machine, the subject, its state, the event and the earlier steps."""
    with pytest.raises(IllegalTransition) as caught:
        LAMP.step(Light.BROKEN, "press", subject="kitchen", story=("press", "hit"))
    error = caught.value

    assert ("lamp", "kitchen", "broken", "press") == (
        error.machine, error.subject, error.state, error.event
    )  # fmt: skip
    assert "lamp kitchen: no step 'press' from 'broken' (so far: press > hit)" == str(error)


def test_an_illegal_step_without_a_story() -> None:
    """A subject whose steps are not recorded has an error without them."""
    with pytest.raises(IllegalTransition, match=r"^lamp kitchen: no step 'look' from 'on'$"):
        LAMP.step(Light.ON, "look", subject="kitchen")


def test_a_caller_can_ask_first() -> None:
    """A caller that ignores late messages asks whether the table has the step."""
    assert LAMP.allows(Light.ON, "burn")
    assert not LAMP.allows(Light.OFF, "burn")


def test_a_table_cannot_be_changed() -> None:
    """The table is read-only, and a copy of what it was made from."""
    table = {(Light.OFF, "press"): Light.ON}
    machine = StateMachine("lamp", table, starts=(Light.OFF,))
    table[(Light.ON, "press")] = Light.OFF

    assert not machine.allows(Light.ON, "press")
    with pytest.raises(TypeError):
        machine.table[(Light.ON, "press")] = Light.OFF  # type: ignore[index]


def test_the_diagram_has_every_step() -> None:
    """Mermaid's state diagram: first states, steps with the same ends on one line, last states."""
    expected = """stateDiagram-v2
    [*] --> off
    off --> on: press
    on --> off: press
    on --> broken: hit, burn
    off --> broken: hit
    off --> off: look
    broken --> [*]
"""

    assert expected == LAMP.diagram()
