"""The scheduler service: start, stop, restart, and refusals."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.core.builders import usage
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import (
    MODEL,
    RunningScheduler,
    ScriptedNode,
    running_scheduler,
    write_config,
)
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide.wire import messages as m
from entraide_scheduler.service import Service

CHAT = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}
ANSWER = b'{"choices":[{"message":{"content":"Salut"}}],"usage":{"prompt_tokens":90}}'


async def submit(pool: RunningScheduler, key: str) -> str:
    """Submits a kept job over HTTP."""
    body = {"path": "/v1/chat/completions", "request": CHAT}
    async with pool.session(key) as session, session.post("/v1/jobs", json=body) as answer:
        assert answer.status == 202, await answer.text()
        return (await answer.json())["id"]


async def job(pool: RunningScheduler, key: str, name: str) -> Any:
    """Returns a job as its owner sees it over HTTP."""
    async with pool.session(key) as session, session.get(f"/v1/jobs/{name}") as answer:
        return await answer.json()


async def live_node(pool: RunningScheduler) -> ScriptedNode:
    """Joins a node and waits until it is live."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")
    return node


async def test_chat_goes_through_to_a_node_and_back_with_a_receipt(pool: RunningScheduler) -> None:
    """A chat over HTTP reaches a node over the bus and comes back with a signed receipt."""
    node, key = await live_node(pool), await pool.operator.key("alpha")
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=CHAT))
        await eventually(lambda: node.runs)
        await node.finish(node.runs[0], ANSWER)
        answer = await pending
        body = await answer.json()

    assert 200 == answer.status
    assert "Salut" == body["choices"][0]["message"]["content"]
    assert ("beta", "CA-QC") == (body["entraide"]["node_coop"], body["entraide"]["province"])
    assert body["entraide"]["signature"]


async def test_kept_job_survives_the_scheduler_and_is_billed_once(
    tmp_path: Path, bus: NatsPool
) -> None:
    """A kept job that runs as the scheduler stops runs again after its start, billed once."""
    async with running_scheduler(tmp_path, bus) as pool:
        node, key = await live_node(pool), await pool.operator.key("alpha")
        name = await submit(pool, key)
        await eventually(lambda: node.runs)
        lost = node.runs[0]
    async with running_scheduler(tmp_path, bus) as pool:
        node = await pool.enter("n1", node.identity, [bus.url])
        await node.send_heartbeat()
        await eventually(lambda: node.received(m.HelloRequest))
        await node.send_hello(running=((lost.job, lost.epoch),))
        await eventually(lambda: node.runs)
        await node.finish(lost, ANSWER)
        await node.finish(node.runs[0], ANSWER)
        await eventually(lambda: len(node.acknowledged()) == 2)
        done = await job(pool, key, name)
        books = await pool.service.parts.store.get_balances()

        assert () == node.received(m.Welcome)[0].keep
        assert ("completed", "Salut") == (
            done["state"],
            done["result"]["choices"][0]["message"]["content"],
        )
        assert 1 == await pool.service.parts.store.count_settled()
        assert {0} == {sum(b[unit] for b in books.values()) for unit in books["alpha"]}


async def reported_kept_job(pool: RunningScheduler) -> tuple[ScriptedNode, m.StartRun, str, str]:
    """A kept job whose node has reported its usage before its answer: node, run, key and job."""
    node, key = await live_node(pool), await pool.operator.key("alpha")
    name = await submit(pool, key)
    await eventually(lambda: node.runs)
    run = node.runs[0]
    await node.send(m.Accept(run.job, run.epoch))
    await node.report(run, usage())
    return node, run, key, name


async def test_report_of_a_kept_job_waits_for_its_answer(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books of a kept job are closed when its answer is there, and not before."""
    monkeypatch.setattr("entraide_scheduler.nodes.usage_reports.RESULT_TIMEOUT_S", 3_600.0)
    node, run, key, name = await reported_kept_job(pool)
    await node.send(m.Progress(run.job, run.epoch, 7))
    await eventually(lambda: pool.driver.core.job(name).output_tokens == 7)
    between = pool.driver.core.job(name)
    await node.answer(run, ANSWER, usage())
    await eventually(lambda: node.received(m.UsageAck))

    assert between is not None
    assert "active" == between.state
    assert "completed" == (await job(pool, key, name))["state"]


async def test_kept_job_whose_answer_does_not_come_runs_again_and_is_billed_once(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose answer is lost is acknowledged and not billed; the job runs again."""
    monkeypatch.setattr("entraide_scheduler.nodes.usage_reports.RESULT_TIMEOUT_S", 0.0)
    node, lost, key, name = await reported_kept_job(pool)
    await eventually(lambda: node.received(m.UsageAck))
    await eventually(lambda: len(node.runs) == 2)
    settled = await pool.service.parts.store.count_settled()
    monkeypatch.undo()
    await node.finish(node.runs[1], ANSWER)
    await eventually(lambda: len(node.acknowledged()) == 2)
    done = await job(pool, key, name)

    assert 0 == settled
    assert lost.epoch < node.runs[1].epoch
    assert ("completed", "Salut") == (
        done["state"],
        done["result"]["choices"][0]["message"]["content"],
    )
    assert 1 == await pool.service.parts.store.count_settled()


async def test_live_request_whose_answer_is_lost_runs_again_and_is_billed_once(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of a node whose answer never came is not billed; the client waits for a new run."""
    monkeypatch.setattr("entraide_scheduler.nodes.usage_reports.RESULT_TIMEOUT_S", 0.0)
    node, key = await live_node(pool), await pool.operator.key("alpha")
    question = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=question))
        await eventually(lambda: node.runs)
        lost = node.runs[0]
        await node.send(m.Accept(lost.job, lost.epoch))
        await node.report(lost, usage())
        await eventually(lambda: len(node.runs) == 2)
        settled = await pool.service.parts.store.count_settled()
        monkeypatch.undo()
        await node.finish(node.runs[1], ANSWER)
        async with await pending as answer:
            status, body = answer.status, await answer.json()
    await eventually(lambda: pool.driver.counts["settled"])

    assert (0, 200, "Salut") == (settled, status, body["choices"][0]["message"]["content"])
    assert lost.epoch < node.runs[1].epoch
    assert 1 == await pool.service.parts.store.count_settled()


async def test_start_after_a_stop_keeps_policy_nodes_and_incarnation(
    tmp_path: Path, bus: NatsPool
) -> None:
    """What the operator and the nodes did is there after a restart."""
    async with running_scheduler(tmp_path, bus) as pool:
        await live_node(pool)
        first = pool.driver.incarnation
        snapshot = pool.driver.core.snapshot
    async with running_scheduler(tmp_path, bus) as pool:
        assert (first + 1, "1") == (pool.driver.incarnation, pool.driver.policy_version)
        assert "suspect" == pool.state("n1")
        assert snapshot()


async def test_second_scheduler_in_one_directory_is_refused(
    pool: RunningScheduler, tmp_path: Path, bus: NatsPool
) -> None:
    """Two schedulers never share a state directory."""
    second = Service(write_config(tmp_path, bus.url))
    with pytest.raises(PoolError) as refused:
        await second.start()

    assert "already_running" == refused.value.code


async def test_scheduler_speaks_tls_with_the_pools_own_authority(
    tmp_path: Path, bus: NatsPool
) -> None:
    """With [tls], HTTP and gRPC are served under the pool's CA, and join tokens name it."""
    import ssl

    import aiohttp
    import grpc

    from entraide.v1 import admin_pb2, admin_pb2_grpc

    config = write_config(tmp_path, bus.url, more='tls.hosts = ["localhost", "127.0.0.1"]')
    service = Service(config)
    await service.start()
    try:
        ca_pem = (tmp_path / "tls" / "ca.pem").read_text()
        context = ssl.create_default_context(cadata=ca_pem)
        async with aiohttp.ClientSession() as session:
            page = await session.get(
                f"{service.parts.gateway.url}/.well-known/entraide", ssl=context
            )
            announced = await page.json()
        credentials = grpc.ssl_channel_credentials(ca_pem.encode())
        async with grpc.aio.secure_channel(announced["grpc"], credentials) as channel:
            token = await admin_pb2_grpc.AdminStub(channel).CreateJoinToken(
                admin_pb2.CreateJoinTokenRequest(coop="beta"),
                metadata=(("authorization", "Bearer ent_operator"),),
            )
    finally:
        await service.stop()

    assert (True, ca_pem) == (announced["tls"], announced["ca_pem"])
    assert 64 == len(token.token.partition(".")[2])
