"""``gateway run``: a gateway in a process of its own, over a real bus with a real scheduler."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.core.builders import usage
from tests.integration.nats_support import NatsPool
from tests.ports import free_port
from tests.scheduler.pool_support import MODEL, RunningScheduler, ScriptedNode
from tests.waiting import eventually

from entraide.errors import PoolError
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide_scheduler.gateway.jobs.scheduler_watch import CALLERS_EVERY_S
from entraide_scheduler.gateway_run import load_gateway_config
from entraide_scheduler.people import OPERATOR

WAIT_S = 180.0  # a guard: a process that starts on a busy machine takes its time


async def is_ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def gateway_process(
    folder: Path, bus: NatsPool, name: str = "porte", *, bus_url: str = ""
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Runs a gateway beside the scheduler of a folder, until it is ready."""
    port = free_port()
    config = folder / f"{name}.toml"
    config.write_text(
        f'gateway = "{name}"\ndir = "{folder}"\ndrain_s = 0.0\n[http]\nport = {port}\n'
        f'[nats]\nurls = ["{bus_url or bus.url}"]\n'
    )
    command = (sys.executable, "-m", "entraide_scheduler", "gateway", "--config", str(config))
    with (folder / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, stderr=log)
    try:
        async with asyncio.timeout(WAIT_S):
            while not await is_ready(f"http://127.0.0.1:{port}"):
                assert process.returncode is None
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), WAIT_S)


@asynccontextmanager
async def used_gateway(
    folder: Path, bus: NatsPool, pool: RunningScheduler
) -> AsyncIterator[tuple[aiohttp.ClientSession, asyncio.subprocess.Process]]:
    """Runs a gateway beside the scheduler, for a client with a new key."""
    headers = {"authorization": f"Bearer {await pool.operator.key()}"}
    async with (
        gateway_process(folder, bus) as (url, process),
        aiohttp.ClientSession(url, headers=headers) as session,
    ):
        yield session, process


async def there(pool: RunningScheduler, node: ScriptedNode) -> None:
    """Brings a node to the pool's notice only now: it would be suspect after a slow start."""
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")


async def next_run(node: ScriptedNode) -> Any:
    await eventually(lambda: node.runs)
    return node.runs.pop(0)


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}], **fields}


@pytest.mark.engines
async def test_gateway_of_its_own_serves_like_the_inner_one(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """Models, a whole answer, its explanation, its receipt and the pool, over the bus."""
    node = await pool.join()
    key = await pool.operator.key()
    headers = {"authorization": f"Bearer {key}"}
    async with (
        gateway_process(tmp_path, bus) as (url, _),
        aiohttp.ClientSession(url, headers=headers) as session,
    ):
        await there(pool, node)
        async with session.get("/v1/models") as answer:
            models = await answer.json()
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=ask()))
        run = await next_run(node)
        await node.finish(run)
        async with await pending as answer:
            body = await answer.json()
        await eventually(lambda: pool.driver.counts["settled"])
        async with session.get(f"/v1/jobs/{run.job}/receipt") as answer:
            settled = await answer.json()
        async with session.get(f"/v1/jobs/{run.job}/explanation") as answer:
            explanation = await answer.json()
        async with session.get("/v1/pool") as answer:
            view = await answer.json()

    machine = view["provinces"][0]["sites"][0]["machines"][0]
    assert (1, "n1", "ready") == (view["machines"], machine["node"], machine["state"])
    assert [MODEL, "auto"] == [card["id"] for card in models["data"]]
    assert "porte" == run.gateway
    assert (run.job, False) == (body["entraide"]["job"], body["entraide"]["settled"])
    assert (run.job, True) == (settled["job"], settled["settled"])
    assert body["entraide"]["key"] == settled["key"]
    assert "n1" == explanation["node"]


@pytest.mark.engines
@pytest.mark.parametrize("signs_out_at", ["inner", "own"])
async def test_a_session_that_ends_at_one_gateway_ends_its_streams_at_the_other(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler, signs_out_at: str
) -> None:
    """One cookie at two gateways; Admin over HTTP is only at the scheduler's own."""
    node = await pool.join()
    people = pool.gateway.signin.people
    row = await people.add(OPERATOR, coop="alpha", name="Ada", role="operator")
    token = (await people.make_link(OPERATOR, row.person)).token
    async with gateway_process(tmp_path, bus) as (url, _):
        await there(pool, node)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/v1/session", json={"token": token}) as answer,
        ):
            csrf = (await answer.json())["csrf"]
            cookie = answer.headers["set-cookie"].partition(";")[0]
        headers = {"cookie": cookie, "x-entraide-csrf": csrf}
        async with aiohttp.ClientSession(headers=headers) as session:
            ends, streams = [url, pool.gateway.url][:: 1 if signs_out_at == "own" else -1]
            chat = f"{streams}/v1/chat/completions"
            pending = asyncio.ensure_future(session.post(chat, json=ask(stream=True)))
            run = await next_run(node)
            await node.send(m.Accept(run.job, run.epoch))
            elsewhere = await session.post(f"{url}/v1/admin/ListKeys", json={})
            refused = (await elsewhere.json())["error"]["code"]
            async with session.delete(f"{ends}/v1/session") as ended:
                assert ended.status == 200
            async with await pending as answer:
                text = await asyncio.wait_for(answer.text(), WAIT_S)
            async with session.get(f"{streams}/v1/session") as answer:
                after = answer.status

    assert "not_signed_in" in text
    assert ("admin_elsewhere", 401) == (refused, after)


@pytest.mark.engines
async def test_a_revoked_key_stops_at_a_gateway_of_its_own(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """The key is revoked at the scheduler: its stream at the other gateway ends with the reason,
    and so does its next request; another key goes on there."""
    node = await pool.join()
    async with used_gateway(tmp_path, bus, pool) as (session, _):
        other = {"authorization": f"Bearer {await pool.operator.key('beta')}"}
        await there(pool, node)
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=ask(stream=True)))
        run = await next_run(node)
        await node.send(m.Accept(run.job, run.epoch))
        keys = (await pool.operator.ask("ListKeys", admin_pb2.ListKeysRequest())).keys
        name = next(key.key for key in keys if key.coop == "alpha")
        await pool.operator.ask("RevokeKey", admin_pb2.RevokeKeyRequest(key=name))
        async with await pending as answer:  # the gateway looks by itself later only
            text = await asyncio.wait_for(answer.text(), CALLERS_EVERY_S / 2.0)
        async with session.get("/v1/models") as refused:
            assert 401 == refused.status
        async with session.get("/v1/models", headers=other) as served:
            assert 200 == served.status

    assert '"unauthorised"' in text


@pytest.mark.engines
async def test_answer_at_a_gateway_of_its_own_is_settled_without_its_report(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """A node that dies after the end of its answer is billed: the gateway says what has come."""
    node = await pool.join()
    async with used_gateway(tmp_path, bus, pool) as (session, _):
        await there(pool, node)
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=ask()))
        run = await next_run(node)
        await node.send(m.Accept(run.job, run.epoch))
        await node.answer(run, b'{"choices":[]}', usage(output_tokens=5))
        async with await pending as answer:
            status = answer.status
        await eventually(lambda: pool.driver.counts["settled"])
        receipt = await pool.service.parts.store.get_receipt(run.job)

    assert 200 == status
    assert receipt is not None
    assert (5, "n1") == (receipt.receipt.output_tokens, receipt.receipt.node)


@pytest.mark.engines
async def test_kept_job_outlives_the_gateway_that_took_it(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """A kept job that a gateway of its own took is run by the scheduler's, and found there."""
    key = await pool.operator.key()
    headers = {"authorization": f"Bearer {key}"}
    node = await pool.join()
    async with (
        gateway_process(tmp_path, bus) as (url, _),
        aiohttp.ClientSession(url, headers=headers) as session,
    ):
        await there(pool, node)
        async with session.post("/v1/jobs", json={"request": ask()}) as answer:
            job = (await answer.json())["id"]
    run = await next_run(node)
    await node.finish(run, json.dumps({"choices": [], "text": "Enfin"}).encode())
    await eventually(lambda: pool.driver.counts["settled"])
    async with pool.session(key) as session, session.get(f"/v1/jobs/{job}") as got:
        view = await got.json()

    assert (202, job) == (answer.status, run.job)
    assert "main" == run.gateway
    assert ("completed", "Enfin") == (view["state"], view["result"]["text"])


@pytest.mark.engines
async def test_client_that_leaves_stops_the_node_over_the_bus(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """A disconnect at a gateway of its own ends the job in the core."""
    node = await pool.join()
    async with used_gateway(tmp_path, bus, pool) as (session, _):
        await there(pool, node)
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=ask()))
        run = await next_run(node)
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await eventually(lambda: pool.driver.core.job(run.job).state == "cancelled")

    assert "client_gone" == pool.driver.core.job(run.job).code


@pytest.mark.engines
async def test_killed_gateway_ends_its_live_jobs(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """When a gateway dies its client sees the connection close, and the core ends the job."""
    node = await pool.join()
    async with used_gateway(tmp_path, bus, pool) as (session, process):
        await there(pool, node)
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=ask()))
        run = await next_run(node)
        process.kill()
        with pytest.raises(aiohttp.ClientError):
            await pending
        async with asyncio.timeout(WAIT_S):
            while pool.driver.core.job(run.job).ended_at == 0.0:
                await node.send_heartbeat()

    assert "gateway_lost" == pool.driver.core.job(run.job).code


@pytest.mark.parametrize(
    "text",
    [
        'gateway = "Porte!"\ndir = "."\n',
        'gateway = "main"\ndir = "."\n',
        'gateway = "porte"\ndir = "."\nsurprise = 1\n',
        'gateway = "porte"\ndir = "."\n[http]\nhost = "0.0.0.0"\n',
    ],
)
def test_wrong_config_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """A config that cannot be meant is refused, with the file's name."""
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    with pytest.raises(PoolError) as caught:
        load_gateway_config(path)

    assert "config_refused" == caught.value.code
    assert str(path) in caught.value.message
