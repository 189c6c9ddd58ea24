"""Which models a node loads and unloads: situations in plain English."""

from collections.abc import Callable

import pytest
from tests.cases import all_cases
from tests.node.model_support import Node

from entraide.state_machine import IllegalTransition
from entraide_node.core.model_manager import (
    BACKING_OFF,
    DOWN_HIDDEN_S,
    DOWN_LOST_S,
    EVICTION_IDLE_S,
    NO_ROOM,
    NOT_NOW,
    REQUESTS_MAX,
    TOO_MANY,
    UNKNOWN,
    LoadLimits,
)
from entraide_node.core.model_records import (
    MODEL,
    ModelEvent,
    ModelRecord,
    ModelState,
    apply_model_event,
    load_backoff_s,
)

S, E = ModelState, ModelEvent


def loads_and_unloads(node: Node) -> None:
    node.load("a")
    node.pool_lets_go("a")


def fetches_first(node: Node) -> None:
    node.load("a", fetch=True)


def twice(node: Node) -> None:
    node.load("a")
    node.load("a")


def busy_is_kept(node: Node) -> None:
    node.load("a")
    node.set_run_count("a", 2)
    node.pool_lets_go("a")
    node.set_run_count("a", 1)


def busy_then_gone(node: Node) -> None:
    busy_is_kept(node)
    node.set_run_count("a", 0)


def recalled(node: Node) -> None:
    node.load("a")
    node.set_run_count("a", 1)
    node.pool_lets_go("a")
    node.load("a")
    node.set_run_count("a", 0)


def room_by_idle(node: Node) -> None:
    node.load("a")
    node.wait(5)
    node.load("b")
    node.wait(EVICTION_IDLE_S)
    node.load("c")


def no_room_by_busy(node: Node) -> None:
    node.load("a", 6)
    node.set_run_count("a", 1)
    node.wait(EVICTION_IDLE_S)
    node.load("b", 6)


def no_room_by_fresh(node: Node) -> None:
    node.load("a", 6)
    node.load("b", 6)


def too_large(node: Node) -> None:
    node.load("a", 11)


def one_at_a_time(node: Node) -> None:
    node.is_slow = True
    node.load("a")
    node.load("b")


def then_the_other(node: Node) -> None:
    one_at_a_time(node)
    node.release_held()


def fetch_beside_load(node: Node) -> None:
    node.is_slow = True
    node.load("a", fetch=True)
    node.load("b")


def waits_for_what_leaves(node: Node) -> None:
    node.load("a", 6)
    node.set_run_count("a", 1)
    node.pool_lets_go("a")
    node.load("b", 6)
    node.set_run_count("a", 0)


def idle_by_owner(node: Node) -> None:
    node.allow(unload_idle_s=300.0)
    node.load("a")
    node.wait(299)
    node.load("b")
    node.wait(1)


def owner_takes_memory(node: Node) -> None:
    node.load("a")
    node.load("b")
    node.set_run_count("a", 1)
    node.allow(models_bytes=4)


def owner_takes_all(node: Node) -> None:
    owner_takes_memory(node)
    node.allow(models_bytes=0)
    node.set_run_count("a", 0)


def owner_comes_back(node: Node) -> None:
    node.is_slow = True
    node.load("a")
    node.load("b", fetch=True)
    node.load("c", 2)
    node.allow(reason="owner_busy")
    node.load("d")


def fixed_stays(node: Node) -> None:
    node.manager.add_fixed("a")
    node.allow(models_bytes=0, unload_idle_s=1.0)
    node.pool_lets_go("a")
    node.wait(1_000)


def dropped(node: Node) -> None:
    node.is_slow = True
    node.load("a")
    node.load("b")
    node.pool_lets_go("a")
    node.pool_lets_go("b")


def fetch_given_up(node: Node) -> None:
    node.is_slow = True
    node.load("a", 9, fetch=True)
    node.pool_lets_go("a")
    node.load("b", 9)


def engine_is_lost(node: Node) -> None:
    node.load("a", 6)
    node.respond("a", "engine_exited")
    node.wait(DOWN_LOST_S - 1)
    node.is_slow = True
    node.wait(1)
    node.load("a", 6)
    node.load("b", 6)
    node.release_held()


def engine_comes_back(node: Node) -> None:
    node.load("a")
    node.respond("a", "engine_silent")
    node.wait(DOWN_LOST_S - 1)
    node.respond("a")
    node.respond("a", "engine_silent")
    node.wait(DOWN_LOST_S - 1)


def fixed_is_down(node: Node) -> None:
    node.manager.add_fixed("a")
    node.respond("a", "engine_exited")
    node.wait(DOWN_LOST_S)


def order_is_kept(node: Node) -> None:
    node.load("a", 6)
    node.set_run_count("a", 1)
    node.pool_lets_go("a")
    node.load("b", 8)
    node.load("c", 2)
    node.set_run_count("a", 0)


SITUATIONS: dict[str, tuple[Callable[[Node], None], str]] = {
    "a model is loaded, then unloaded": (loads_and_unloads, "load a, unload a"),
    "weights that are not here are fetched first": (fetches_first, "fetch a, load a"),
    "asked for twice it is loaded once": (twice, "load a"),
    "what runs is not unloaded": (busy_is_kept, "load a"),
    "once its last run ends it is": (busy_then_gone, "load a, unload a"),
    "asked for again while it drains it stays": (recalled, "load a"),
    "the longest idle makes room": (room_by_idle, "load a, load b, unload a, load c"),
    "what runs makes no room": (no_room_by_busy, "load a"),
    "what was just loaded makes no room": (no_room_by_fresh, "load a"),
    "a model larger than all the memory": (too_large, ""),
    "one is loaded at a time": (one_at_a_time, "load a"),
    "then comes the next": (then_the_other, "load a, load b"),
    "one is fetched while another loads": (fetch_beside_load, "fetch a, load b"),
    "a model waits for one that leaves": (waits_for_what_leaves, "load a, unload a, load b"),
    "the owner's idle time unloads": (idle_by_owner, "load a, load b, unload a"),
    "the owner takes memory: the idle one goes": (owner_takes_memory, "load a, load b, unload b"),
    "the owner takes all: the busy one ends first": (
        owner_takes_all, "load a, load b, unload b, unload a",
    ),
    "the owner is back: what loads is given up": (
        owner_comes_back, "load a, fetch b, unload a, unload b",
    ),
    "what the owner put there stays": (fixed_stays, ""),
    "let go before it served": (dropped, "load a, unload a, load b, unload b"),
    "a fetch that is given up takes no memory": (fetch_given_up, "fetch a, unload a, load b"),
    "an engine is lost: its memory is free once it has stopped": (
        engine_is_lost, "load a, unload a, load b",
    ),
    "an engine that comes back in time is kept": (engine_comes_back, "load a"),
    "the owner's engine is never given up": (fixed_is_down, ""),
    "a small one does not overtake a large one": (
        order_is_kept, "load a, unload a, load b, load c",
    ),
}  # fmt: skip


@all_cases("name", SITUATIONS)
def test_situations(name: str) -> None:
    """The node fetches, loads and unloads as the situation asks for."""
    live, expected = SITUATIONS[name]
    node = Node()
    live(node)

    assert expected == ", ".join(node.done)


REFUSALS: dict[str, tuple[Callable[[Node], str], str]] = {
    "a model that this node cannot load": (lambda n: n.load("x", known=False), UNKNOWN),
    "a model larger than the memory": (lambda n: n.load("x", 11), NO_ROOM),
    "the memory is taken by what runs": (
        lambda n: n.load("a", 8) or n.set_run_count("a", 1) or n.wait(99) or n.load("x"), NO_ROOM,
    ),
    "the memory is promised": (
        lambda n: setattr(n, "is_slow", True) or n.load("a", 8) or n.load("x"), NO_ROOM,
    ),
    "its owner is there": (lambda n: n.allow(reason="owner_busy") or n.load("x"), NOT_NOW),
    "its owner lends no memory": (lambda n: n.allow(models_bytes=0) or n.load("x"), NO_ROOM),
    "it served already": (lambda n: n.load("x") or n.load("x", known=False), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    """What cannot be had is refused at once, with its code."""
    ask, expected = REFUSALS[name]

    assert expected == ask(Node())


def test_too_many() -> None:
    """No more models wait than may."""
    node = Node(LoadLimits(models_bytes=1_000))
    node.is_slow = True
    codes = [node.load(f"m{n}", 1) for n in range(REQUESTS_MAX + 1)]

    assert ["", TOO_MANY] == codes[-2:]


def test_a_failed_model_rests() -> None:
    """A model that failed is refused until it has rested, longer after each failure."""
    node = Node()
    node.is_slow = True
    node.load("a")
    node.release_held(fails="model_damaged")
    refused = node.load("a")
    node.wait(load_backoff_s(1))
    again = node.load("a")
    node.release_held(fails="model_damaged")
    node.wait(load_backoff_s(1))
    still = node.load("a")

    assert (BACKING_OFF, "", BACKING_OFF) == (refused, again, still)
    assert S.FAILED is node.manager.state_of("a")


def test_a_model_whose_engine_is_down() -> None:
    """It takes no run at once, leaves the card later, and is refused as failed once it is lost."""
    node = Node()
    node.load("a")
    node.respond("a", "engine_exited")
    down = node.manager.is_ready("a"), node.manager.listed_models(node.now)
    node.wait(DOWN_HIDDEN_S + 1)
    hidden = node.manager.listed_models(node.now)
    due = node.manager.next_deadline(node.limits)
    node.wait(DOWN_LOST_S)

    assert (False, ("a",)) == down
    assert () == hidden
    assert 1_000.0 + DOWN_LOST_S == due
    assert [("a", "engine_exited")] == node.refused
    assert (S.FAILED, BACKING_OFF) == (node.manager.state_of("a"), node.load("a"))


def test_a_long_service_pays_off() -> None:
    """An engine that fails after it served for long rests as after a first failure."""
    failed = apply_model_event(ModelRecord("a", S.LOADING, failures=4), E.FAIL, at=1.0)
    served = apply_model_event(
        ModelRecord("a", S.SERVING, failures=4, up_since=0.0), E.LOSE, at=700.0
    )

    assert (5, 1) == (failed.failures, served.failures)


def test_what_waits_is_told() -> None:
    """The models on their way are told in the order in which they will come."""
    node = Node()
    node.is_slow = True
    for model in ("a", "b", "c"):
        node.load(model, 3)

    assert ("a", "b", "c") == node.manager.loading_models()


def test_it_wakes_when_a_model_has_been_idle() -> None:
    """The shell is told when the next model will have been idle for long enough."""
    node = Node(LoadLimits(models_bytes=10, unload_idle_s=60.0))
    before = node.manager.next_deadline(node.limits)
    node.load("a")
    node.wait(10)
    node.load("b")

    assert (None, 1_060.0) == (before, node.manager.next_deadline(node.limits))


@all_cases("state", ModelState)
@all_cases("event", ModelEvent)
def test_the_table_is_all(state: ModelState, event: ModelEvent) -> None:
    """A step that the table does not foresee raises and changes nothing."""
    record = ModelRecord("a", state)
    expected = MODEL.table.get((state, event))
    if expected is None:
        with pytest.raises(IllegalTransition, match="model a: no step"):
            apply_model_event(record, event, at=1.0)
    else:
        assert expected is apply_model_event(record, event, at=1.0).state
