"""What holds whatever a node's models go through."""

from hypothesis import given
from hypothesis import strategies as st
from tests.node.model_support import Node

from entraide_node.core.model_manager import LoadLimits, ModelActionKind
from entraide_node.core.model_records import IN_MEMORY, ModelState

S = ModelState

MODELS = st.sampled_from("abcdef")
DEEDS = st.one_of(
    st.tuples(st.just("load"), MODELS, st.integers(1, 12), st.booleans()),
    st.tuples(st.just("let go"), MODELS),
    st.tuples(st.just("took"), MODELS, st.integers(0, 2)),
    st.tuples(st.just("respond"), MODELS, st.sampled_from(["", "engine_exited"])),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 31.0, 500.0])),
    st.tuples(st.just("finish"), st.booleans()),
    st.tuples(st.just("allow"), st.sampled_from(["", "owner_busy"])),
)


@given(st.lists(DEEDS, max_size=60))
def test_whatever_happens(deeds: list[tuple[object, ...]]) -> None:
    """Memory is never exceeded, one loads at a time; what is fixed, or runs and responds, stays."""
    node = Node(LoadLimits(models_bytes=12, unload_idle_s=200.0))
    node.is_slow = True
    node.manager.add_fixed("f")
    for deed, *args in deeds:
        responding = [r for r in node.manager.records() if r.down_since is None]
        runs = {record.model: record.runs for record in responding}
        done = len(node.done)
        match deed, args:
            case "load", (str(model), int(size), bool(fetch)):
                node.load(model, size, fetch=fetch)
            case "let go", (str(model),):
                node.pool_lets_go(model)
            case "took", (str(model), int(count)):
                if node.manager.state_of(model) in (S.SERVING, S.DRAINING):
                    runs[model] = count
                    node.set_run_count(model, count)
            case "respond", (str(model), str(code)):
                node.respond(model, code)
            case "wait", (float(seconds),):
                node.wait(seconds)
            case "finish", (bool(fails),):
                finish_one(node, fails=fails)
            case "allow", (str(reason),):
                node.allow(12, 200.0, reason)
        check(node, runs, node.done[done:])
    node.allow(12, 0.0)
    settle(node)

    assert () == node.manager.loading_models()


def finish_one(node: Node, *, fails: bool) -> None:
    """The oldest order that still stands comes to its end."""
    if node.held:
        order = node.held.pop(0)
        dropped = (
            order.do is not ModelActionKind.UNLOAD
            and node.manager.state_of(order.model) is S.UNLOADING
        )
        if not dropped:
            node.finish(
                order, fails="boum" if fails and order.do is not ModelActionKind.UNLOAD else ""
            )
        node.look()


def settle(node: Node) -> None:
    """Everything that was begun comes to its end, and no run is left."""
    for _ in range(200):
        for record in node.manager.records():
            if record.runs:
                node.set_run_count(record.model, 0)
        if not node.held:
            return
        finish_one(node, fails=False)


def check(node: Node, runs: dict[str, int], done: list[str]) -> None:
    """What must hold after each deed."""
    record = node.manager.records()
    states = [entry.state for entry in record]
    unloaded = [what.removeprefix("unload ") for what in done if what.startswith("unload ")]

    assert sum(entry.memory_bytes for entry in record if entry.state in IN_MEMORY) <= 12
    assert states.count(S.LOADING) <= 1
    assert states.count(S.FETCHING) <= 1
    assert S.SERVING is node.manager.state_of("f")
    assert [] == [model for model in unloaded if runs.get(model)]
