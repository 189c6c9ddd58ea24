"""Sandboxed data: a policy may keep a class of data from machines whose engines have no sandbox."""

from tests.core.builders import Pool, card, of

from entraide.types import DataClass, Sandbox
from entraide_scheduler.core import commands


def test_the_policy_keeps_internal_data_from_engines_without_a_sandbox() -> None:
    """Such a machine runs public jobs; an internal one waits for another card or another policy."""
    pool = Pool(sandboxed=(DataClass.INTERNAL,))
    pool.join(card("n1"))
    (refuse,) = pool.ask("j1")
    (public,) = of(pool.ask("j2", data_class=DataClass.PUBLIC), commands.Place)
    pool.join(card("n1", sandbox=Sandbox.LANDLOCK))
    (boxed,) = of(pool.ask("j3"), commands.Place)

    (exclusion,) = refuse.explanation.excluded
    assert ("no_node_serves", "not_sandboxed") == (refuse.code, exclusion.rule)
    assert {"data_class": "internal"} == exclusion.values
    assert ["n1", "n1"] == [public.node, boxed.node]


def test_without_the_key_no_sandbox_is_asked_for() -> None:
    """The default policy gives internal data to any machine whose owner takes it."""
    pool = Pool()
    pool.join(card("n1"))
    (place,) = of(pool.ask("j1"), commands.Place)

    assert "n1" == place.node
