"""Forgotten nodes: what the core holds under the name of a node that the operator forgot."""

import pytest
from tests.core.builders import Pool, card, of, replica

from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.records import SenderKind

NAME, NUMBER = "portable-de-zoe", "node-0123456789ab"
BEFORE = {
    "live": lambda pool: pool.tell(events.Woke),
    "left": lambda pool: pool.tell(events.NodeLeft, NAME, "goodbye"),
    "lost": lambda pool: pool.wait(600.0, seen=("n2",)),
    "quarantined": lambda pool: pool.tell(
        events.SenderQuarantined, SenderKind.NODE, NAME, "event_raised", "", False
    ),
}


@pytest.mark.parametrize("state", BEFORE)
def test_nothing_has_the_name_of_a_forgotten_node(pool: Pool, state: str) -> None:
    """No byte of the state has it, whatever became of the node before; explanations have the
    number, and its run goes on elsewhere."""
    pool.join(card(NAME, replicas=(replica(slots=1),)))
    (first,) = of(pool.ask("j1"), commands.Place)
    pool.accept(first)
    pool.join(card("n2", "beta"))
    (other,) = of(pool.ask("j2"), commands.Place)
    BEFORE[state](pool)
    before = pool.core.snapshot()
    pool.tell(events.NodeForgotten, NAME, NUMBER)
    data = pool.core.snapshot()
    explained = pool.core.explain("j2", pool.now)

    assert (NAME, "n2") == (first.node, other.node)
    assert NAME.encode() in before
    assert NAME.encode() not in data
    assert ["n2"] == [view.card.node for view in Core.restore(data).nodes()]
    assert NUMBER in {each.node for each in (*explained.candidates, *explained.excluded)}


def test_a_node_that_is_not_known_is_forgotten_in_silence(pool: Pool) -> None:
    """A machine that never said hello has nothing to forget."""
    pool.join(card("n1"))
    before = pool.core.nodes()

    assert [] == pool.tell(events.NodeForgotten, NAME, NUMBER)
    assert before == pool.core.nodes()
