"""What an operator starts: a policy or more demand tried on the past; and the doctor's findings."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from tests.integration.nats_support import running_pool
from tests.operations import operations_at_equal_priority
from tests.scheduler.pool_support import HONEST, RunningScheduler, running_scheduler
from tests.waiting import eventually

from entraide.v1 import admin_pb2
from entraide_scheduler.operations.operation_runner import FOLDER_PREFIX

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
OPERATION_WITHIN_S = 120.0
JOBS = 5


async def serve_jobs(pool: RunningScheduler) -> None:
    """A machine joins, and answers some requests of alpha."""
    node = await pool.join("n1")
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")
    async with pool.session(await pool.operator.key("alpha")) as session:
        for number in range(JOBS):
            body = {
                "model": "petit",
                "messages": [{"role": "user", "content": f"Bonjour {number}"}],
            }
            asking = session.post("/v1/chat/completions", json=body)
            answering = _answer(pool, node, number)
            answer, _ = await asyncio.gather(asking, answering)
            assert 200 == answer.status, await answer.text()


async def _answer(pool: RunningScheduler, node: Any, number: int) -> None:
    await eventually(lambda: len(node.runs) > number)
    await node.finish(node.runs[number], **HONEST)


async def end_of(pool: RunningScheduler, kind: str) -> Any:
    """The operation of a kind once it has ended."""
    request = admin_pb2.GetOperationRequest(kind=kind, report=True)
    async with asyncio.timeout(OPERATION_WITHIN_S):
        while True:
            operation = await pool.operator.ask("GetOperation", request)
            if operation.state != "running":
                return operation
            await asyncio.sleep(0.2)


@pytest.fixture(autouse=True)
def equal_priority() -> Iterator[None]:
    """Gives replays and the doctor their share of a busy machine."""
    with operations_at_equal_priority():
        yield


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[RunningScheduler]:
    """A scheduler whose journal has some answered requests."""
    async with running_pool(tmp_path) as bus, running_scheduler(tmp_path, bus) as running:
        await serve_jobs(running)
        yield running


async def test_more_demand_is_tried_beside_the_running_pool(pool: RunningScheduler) -> None:
    """The recorded requests twice over; the figures of both runs, the report, and no file left."""
    growth = admin_pb2.StartOperationRequest(kind="demand", growth_percent=100)
    started = await pool.operator.ask("StartOperation", growth)
    with pytest.raises(grpc.aio.AioRpcError) as busy:
        await pool.operator.ask("StartOperation", growth)
    operation = await end_of(pool, "demand")

    assert ("running", "done", "") == (started.state, operation.state, operation.fault)
    total, alpha = operation.replayed.coops
    assert grpc.StatusCode.FAILED_PRECONDITION == busy.value.code()
    assert ("", "alpha") == (total.coop, alpha.coop)
    assert (JOBS, 2 * JOBS) == (total.before.jobs, total.after.jobs)
    assert (JOBS, JOBS) == (operation.replayed.recorded.served, operation.replayed.simulated.served)
    assert total.after.energy_wh > total.before.energy_wh > 0.0
    assert b"<html" in operation.report
    assert [] == list(pool.home.glob(f"{FOLDER_PREFIX}*"))


async def test_a_proposed_policy_is_tried_and_a_faulty_one_refused(pool: RunningScheduler) -> None:
    """Its version and figures by co-op; a fault of the text is named as on applying it."""
    ask = pool.operator.ask
    held = (await ask("GetPolicy", admin_pb2.GetPolicyRequest())).document
    wrong = held.replace(b'approval = "token"', b'approval = "nobody"')
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask("StartOperation", admin_pb2.StartOperationRequest(kind="policy", document=wrong))
    proposed = held.replace(b'version = "1"', b'version = "vote"')
    await ask("StartOperation", admin_pb2.StartOperationRequest(kind="policy", document=proposed))
    operation = await end_of(pool, "policy")

    assert "approval" in str(refused.value.details())
    assert ("done", "vote", "vote") == (
        operation.state,
        operation.about,
        operation.replayed.proposed_policy,
    )
    assert operation.replayed.coops[0].before == operation.replayed.coops[0].after
    assert 0 == operation.replayed.coops[0].moved


async def test_an_operation_is_cancelled_and_leaves_nothing(pool: RunningScheduler) -> None:
    """Its processes end at once; another operation may start."""
    growth = admin_pb2.StartOperationRequest(kind="demand", growth_percent=10)
    await pool.operator.ask("StartOperation", growth)
    await eventually(lambda: psutil.Process().children(recursive=True)[1:])  # beside the bus
    cancelled = await pool.operator.ask(
        "CancelOperation", admin_pb2.CancelOperationRequest(kind="demand")
    )
    again = await pool.operator.ask("StartOperation", growth)
    await pool.operator.ask("CancelOperation", admin_pb2.CancelOperationRequest(kind="demand"))

    assert ("cancelled", "running") == (cancelled.state, again.state)
    assert [] == list(pool.home.glob(f"{FOLDER_PREFIX}*"))


async def test_what_cannot_be_tried_is_refused_with_its_field(pool: RunningScheduler) -> None:
    """An unknown kind or model, no growth, days beyond any journal."""
    for wish, field in (
        ({"kind": "other"}, "kind"),
        ({"kind": "demand"}, "growth_percent"),
        ({"kind": "demand", "growth_percent": float("inf")}, "growth_percent"),
        ({"kind": "demand", "growth_percent": 5, "days": 4_000}, "days"),
        ({"kind": "pin", "model": "nothing"}, "model"),
        ({"kind": "pin", "model": "qwen3-0.6b", "revision": "--help"}, "revision"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await pool.operator.ask("StartOperation", admin_pb2.StartOperationRequest(**wish))

        assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
        assert field in str(refused.value.details())


async def test_the_doctor_speaks_the_callers_language(pool: RunningScheduler) -> None:
    """What it warns of comes first; this pool was not founded, so it cannot be backed up."""
    french, english = [
        await pool.operator.ask("ListFindings", admin_pb2.ListFindingsRequest(), lang=lang)
        for lang in ("fr", "en")
    ]

    assert ("warn", "config-unfounded") == (french.findings[0].level, french.findings[0].code)
    assert "entraide pool create" in french.findings[0].remedy
    assert "pas de pool.toml" in french.findings[0].sentence
    assert "no pool.toml" in english.findings[0].sentence
    assert ("disk-ok", "ok") == (english.findings[-1].code, english.findings[-1].level)
    assert 0.0 == english.backup_at
