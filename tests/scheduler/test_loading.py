"""Models that the scheduler loads, over a real bus, with a scripted node."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from tests.core.builders import GB, entry, loadable, replica
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide import catalogue as documents
from entraide import i18n
from entraide.models import Catalogue, ModelSize
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide_scheduler.core import events as e
from entraide_scheduler.core.models.model_aliases import FAILURES_MAX
from entraide_scheduler.core.policy.policy import ModelTerms

SMALL, LARGE = "gros-petit", "tres-grand"
OFFERS = (loadable(SMALL, memory_bytes=GB), loadable(LARGE, memory_bytes=3 * GB))
ROOM: dict[str, Any] = {"loadable": OFFERS, "models_bytes": 3 * GB, "replicas": ()}


@pytest.fixture
async def pool(tmp_path: Path, bus: NatsPool) -> AsyncIterator[RunningScheduler]:
    """A scheduler whose catalogue has a small model and a large one."""
    models = (
        entry(SMALL, energy_wh_per_1k_tokens=0.1),
        entry(
            LARGE,
            ModelSize.LARGE,
            parameters=30 * GB,
            active_parameters=30 * GB,
            energy_wh_per_1k_tokens=1.0,
        ),
    )
    (tmp_path / "models.json").write_bytes(documents.write(Catalogue(1, 1.0, models)))
    async with running_scheduler(tmp_path, bus) as running:
        yield running


async def ask(pool: RunningScheduler, model: str) -> tuple[int, Any]:
    """Asks for an answer of a model, over HTTP."""
    body = {"model": model, "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}
    async with pool.session(await pool.operator.key()) as session:
        answer = await session.post("/v1/chat/completions", json=body)
        return answer.status, await answer.json()


async def offering(pool: RunningScheduler) -> ScriptedNode:
    """A node that serves nothing and could load either model."""
    return await pool.join_live(**ROOM)


async def test_model_that_nobody_serves_is_loaded_and_answers(pool: RunningScheduler) -> None:
    """A size is asked for; a node is told to load the model that it means, and runs the job."""
    node = await offering(pool)
    pending = asyncio.ensure_future(ask(pool, "petit"))
    await eventually(lambda: node.received(m.LoadModel))
    await node.send_hello(**ROOM | {"loading": (SMALL,)})
    await node.send_hello(**ROOM | {"replicas": (replica(SMALL),)})
    await eventually(lambda: node.runs)
    run = node.runs[0]
    await node.finish(run)
    status, answer = await pending

    assert [m.LoadModel(SMALL)] == node.received(m.LoadModel)
    assert (SMALL, SMALL) == (run.model, msgspec.json.decode(run.body)["model"])
    assert (200, SMALL) == (status, answer["entraide"]["model"])
    assert answer["entraide"]["smaller"] is None


async def test_receipt_says_what_a_smaller_model_would_have_taken(pool: RunningScheduler) -> None:
    """A job that ran on a large model is told of the small one, on the answer and in the books."""
    node = await pool.join_live(**ROOM | {"replicas": (replica(SMALL), replica(LARGE))})
    pending = asyncio.ensure_future(ask(pool, "grand"))
    await eventually(lambda: node.runs)
    placed_at = pool.driver.now()
    await eventually(lambda: pool.driver.now() > placed_at + 0.5)  # its energy can be believed
    await node.finish(node.runs[0], energy_decode_uwh=10_000_000)
    _, answer = await pending
    receipt = answer["entraide"]
    smaller = receipt["smaller"]

    assert (LARGE, SMALL) == (receipt["model"], smaller["model"])
    assert 0.0 < smaller["energy_wh"] < receipt["energy_wh"]
    assert "estimated" == smaller["basis"]


async def test_failure_to_load_is_told_to_whoever_waits(pool: RunningScheduler) -> None:
    """A node that cannot load a model says why; who asked is told once it has tried enough."""
    policy = pool.driver.core._state.policy
    hasty = msgspec.structs.replace(policy, models=ModelTerms(retry_s=0.05, retry_most_s=60.0))
    pool.driver.feed(e.PolicyChanged(*e.UNNUMBERED, policy=hasty))
    node = await offering(pool)
    pending = asyncio.ensure_future(ask(pool, SMALL))
    for tries in range(FAILURES_MAX):
        await eventually(lambda tries=tries: len(node.received(m.LoadModel)) == tries + 1)
        await node.send(m.LoadFailed(SMALL, "load_no_room", {"room_gb": 0.0}))
    status, answer = await pending
    (listed,) = (await pool.operator.ask("ListNodes", admin_pb2.ListNodesRequest())).nodes
    refused = [(refusal.model, refusal.code) for refusal in listed.load_refusals]

    assert (503, "model_failed") == (status, answer["error"]["code"])
    assert [(SMALL, "load_no_room")] == refused
    assert listed.load_refusals[0].at > 0
    assert (
        FAILURES_MAX == pool.driver.counts["model.load_failed"] == len(node.received(m.LoadModel))
    )


async def test_list_of_models_tells_what_could_be_had(pool: RunningScheduler) -> None:
    """Models that a node could load are listed as not loaded, and sizes with what they mean."""
    await offering(pool)
    async with pool.session(await pool.operator.key()) as session:
        listed = (await (await session.get("/v1/models")).json())["data"]
    models = {card["id"]: (card["loaded"], card.get("means")) for card in listed}

    assert {
        SMALL: (False, None),
        LARGE: (False, None),
        "petit": (False, SMALL),
        "small": (False, SMALL),
        "grand": (False, LARGE),
        "large": (False, LARGE),
        "auto": (False, SMALL),
    } == models


async def test_operator_looks_places_and_unloads(pool: RunningScheduler) -> None:
    """A preview changes nothing; a placement reaches the node, and an unload does after it."""
    node = await offering(pool)
    nothing = await pool.operator.ask("PlanModels", admin_pb2.ModelOnNode())
    best = await pool.operator.ask("PlanModels", admin_pb2.ModelOnNode(model=SMALL))
    before = list(node.received(m.LoadModel))
    pending = admin_pb2.ModelOnNode(model=SMALL, node="n1")
    placed = await pool.operator.ask("PlaceModel", pending)
    await eventually(lambda: node.received(m.LoadModel))
    await node.send_hello(**ROOM | {"replicas": (replica(SMALL),)})
    await eventually(lambda: pool.driver.core.model_loads()[0].state == "loaded")
    unloaded = await pool.operator.ask("UnloadModel", pending)
    await eventually(lambda: node.received(m.UnloadModel))

    assert ([], []) == (list(nothing.steps), list(nothing.orders))
    assert [("n1", SMALL, "operator")] == [(s.node, s.model, s.reason) for s in best.steps]
    assert [] == before
    assert [("n1", SMALL, "loading")] == [(o.node, o.model, o.state) for o in placed.orders]
    assert ["unloading"] == [order.state for order in unloaded.orders]
    assert [m.UnloadModel(SMALL)] == node.received(m.UnloadModel)


REFUSED = {
    "PlaceModel": (
        ("absent", "n1", "not_in_catalogue"),
        (SMALL, "n9", "unknown_node"),
        ("absent", "", "not_in_catalogue"),
    ),
    "PlanModels": (("absent", "n1", "not_in_catalogue"),),
    "UnloadModel": ((SMALL, "n1", "not_ours"),),
}


async def test_a_model_that_a_machine_serves_is_said_to_be_loaded(pool: RunningScheduler) -> None:
    """It is loaded already, and no other machine could load it."""
    node = await offering(pool)
    await node.send_hello(**ROOM | {"replicas": (replica(SMALL),)})
    await eventually(lambda: pool.driver.core.nodes()[0].card.replicas)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pool.operator.ask("PlaceModel", admin_pb2.ModelOnNode(model=SMALL))

    why = {"model": SMALL, "why": "already_served"}
    assert i18n.error("placement_refused", "fr", why) == refused.value.details()


async def test_what_cannot_be_placed_is_refused_with_its_reason(pool: RunningScheduler) -> None:
    """The operator is told why a model cannot be loaded, or unloaded, there."""
    await offering(pool)
    for method, cases in REFUSED.items():
        for model, node, why in cases:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await pool.operator.ask(method, admin_pb2.ModelOnNode(model=model, node=node))
            error = i18n.error("placement_refused", "fr", {"model": model, "why": why})

            assert grpc.StatusCode.FAILED_PRECONDITION == refused.value.code()
            assert error == refused.value.details()
