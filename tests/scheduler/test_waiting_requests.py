"""What a caller is notices while no machine would take a request, over a real bus."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.builders import facts
from tests.integration.nats_support import NatsPool
from tests.scheduler.gateway_processes import running_gateway
from tests.scheduler.pool_support import MODEL, RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide.client import AsyncClient, Waiting
from entraide.errors import EntraideError
from entraide.units import UWH_PER_WH
from entraide.v1 import admin_pb2
from entraide_scheduler.core.policy import Period, QuotaKind

pytestmark = pytest.mark.engines  # seconds of waiting

QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}


@pytest.fixture
async def pool(tmp_path: Path, bus: NatsPool) -> AsyncIterator[RunningScheduler]:
    """A scheduler that tells gateways each second why jobs wait."""
    async with running_scheduler(tmp_path, bus) as running:
        yield running


async def paused_node(pool: RunningScheduler) -> ScriptedNode:
    """A node that serves the model and that its owner has paused."""
    node = await pool.join_live()
    await node.send_heartbeat(reason="paused")
    await eventually(lambda: not pool.driver.core.nodes()[0].accepting)
    return node


async def read_events(pool: RunningScheduler, key: str, events: list[Any], **options: Any) -> None:
    """Asks for a stream; adds each event as it comes."""
    body = {**QUESTION, "stream": True, "entraide": options}
    async with pool.session(key) as session:
        answer = await session.post("/v1/chat/completions", json=body)
        assert 200 == answer.status
        async for line in answer.content:
            name, _, data = line.partition(b": ")
            if name == b"data" and data.strip() != b"[DONE]":
                events.append(msgspec.json.decode(data))


async def ask_whole(
    pool: RunningScheduler,
    key: str,
    path: str = "/v1/chat/completions",
    max_tokens: int = 9,
    **options: Any,
) -> tuple[int, Any, Any, Any]:
    """Asks for a whole answer; returns status, headers, error and its explanation."""
    async with pool.session(key) as session:
        body = {**QUESTION, "max_tokens": max_tokens, "entraide": options}
        answer = await session.post(path, json=body)
        error = (await answer.json())["error"]
        why = await session.get(error["explanation"])
        return answer.status, answer.headers, error, await why.json()


async def test_each_interface_says_why_a_request_waits_and_then_that_it_waited_too_long(
    pool: RunningScheduler,
) -> None:
    """With all machines paused, reason and place reach stream and client first; then
    ``waited_too_long`` ends the stream, the client's call, and with a status a whole answer."""
    await paused_node(pool)
    key = await pool.operator.key()
    notices: list[Waiting] = []
    streamed: list[Any] = []

    async def ask_client() -> EntraideError:
        address = f"127.0.0.1:{pool.service.grpc.port}"
        async with AsyncClient(address, key, lang="en") as client:
            with pytest.raises(EntraideError) as raised:
                await client.chat(
                    "Bonjour",
                    model=MODEL,
                    max_wait_s=5.0,
                    on_waiting=notices.append,
                )
        return raised.value

    _, from_client, (status, headers, error, why), anthropics = await asyncio.gather(
        read_events(pool, key, streamed, waiting_events=True, max_wait_s=5.0),
        ask_client(),
        ask_whole(pool, key, max_wait_s=1.0),
        ask_whole(pool, key, "/v1/messages", max_wait_s=1.0),
    )

    first = streamed[0]
    assert ("no_node_live", None) == (first["reason"], first["retry_after_s"])
    assert first["position"] >= 1
    assert ("paused" in first["message"], "en pause" in first["message_fr"]) == (True, True)
    last = streamed[-1]["error"]
    assert "waited_too_long" == last["code"]
    assert f"/v1/jobs/{last['job']}/explanation" == last["explanation"]
    assert ("no_node_live", True) == (notices[0].reason, "paused" in notices[0].message)
    assert ("waited_too_long", 30.0) == (from_client.code, from_client.retry_after_s)
    assert (503, "waited_too_long", "30") == (status, error["code"], headers["retry-after"])
    assert "false" == headers["x-should-retry"]  # or OpenAI's clients wait as long again, twice
    assert (503, "waited_too_long") == (anthropics[0], anthropics[2]["code"])
    for explained in (why, anthropics[3]):  # each error has the address of its explanation
        assert ["not_accepting"] == [each["rule"] for each in explained["excluded"]]


async def test_a_cap_that_no_machine_keeps_ends_the_wait_and_names_itself(
    pool: RunningScheduler,
) -> None:
    """A free machine that emits more than the request allows: 503 with that reason, not a hang. A
    cap that it would not keep at its best either is refused at once, with what it would emit."""
    await pool.join_live()
    key = await pool.operator.key()
    async with pool.session(key) as session:
        body = {**QUESTION, "max_tokens": 900, "entraide": {"max_gco2e": 1e-9}}
        refused = (await (await session.post("/v1/chat/completions", json=body)).json())["error"]
        path = f"/v1/jobs/{refused['job']}/explanation"
        best = await (await session.get(path)).json()
    cap_g = 1.2 * best["values"]["carbon_g"]  # kept in a full batch, not by a request alone
    status, headers, error, why = await ask_whole(
        pool, key, max_gco2e=cap_g, max_wait_s=1.0, max_tokens=900
    )
    assert ("no_node_serves", "over_carbon_cap") == (refused["code"], best["values"]["rule"])

    assert (503, "waited_too_long", "30") == (status, error["code"], headers["retry-after"])
    assert "none keeps the cap on emissions" in error["message"]
    assert "le plafond d’émissions" in error["message_fr"]
    assert ["over_carbon_cap"] == [each["rule"] for each in why["excluded"]]
    assert ("waiting", "carbon_cap") == (why["decision"], why["reason"])


async def test_a_quota_that_does_not_suffice_ends_the_wait_as_a_refusal(
    pool: RunningScheduler,
) -> None:
    """What is left of the day's energy is too little: 429 with the quota's code, what is left, and
    the end of the day; a stream says the same, and before that why it waits."""
    await pool.join_live()
    key, streamed = await pool.operator.key(), list[Any]()
    quota = admin_pb2.Quota(kind="energy_wh", limit=1_000, period="day")
    terms = {"coop": "alpha", "shares": 1.0, "lend": admin_pb2.Lend(part=1.0), "quotas": [quota]}
    await pool.operator.ask("SetCoop", admin_pb2.Coop(**terms, author="test", reason="test"))
    await eventually(lambda: pool.driver.core.quota_left("alpha"))
    quotas = pool.driver.core._state.quotas
    holds = quotas.reserve_at_placement(facts("used", "alpha"), 0, 0)
    quotas.settle("alpha", holds, {QuotaKind.ENERGY_WH: 1_000 * UWH_PER_WH - 10})
    (status, headers, error, why), _ = await asyncio.gather(
        ask_whole(pool, key, max_wait_s=1.0),
        read_events(pool, key, streamed, waiting_events=True, max_wait_s=4.0),
    )
    end_s = quotas.ends[Period.DAY] - time.time()

    assert (429, "quota_energy", "false") == (status, error["code"], headers["x-should-retry"])
    assert end_s == pytest.approx(float(headers["retry-after"]), abs=30.0)
    assert "does not suffice" in error["message"]
    assert ("quota_energy", "over_energy_quota") == (why["reason"], why["excluded"][0]["rule"])
    first, last = streamed[0], streamed[-1]["error"]
    assert ("quota_energy", True) == (first["reason"], first["retry_after_s"] >= end_s - 30.0)
    assert "quota_energy" == last["code"]
    assert f"/v1/jobs/{last['job']}/explanation" == last["explanation"]


async def test_a_request_that_is_placed_in_the_end_says_so(pool: RunningScheduler) -> None:
    """A machine that takes work again ends the wait: the stream says that it reads the question."""
    node = await paused_node(pool)
    key = await pool.operator.key()
    events: list[Any] = []
    options = {"waiting_events": True, "reconnect_s": 9.0}
    reading = asyncio.create_task(read_events(pool, key, events, **options))
    await eventually(lambda: events)
    await node.send_heartbeat()
    await eventually(lambda: node.runs)
    for job in pool.driver.core.open_jobs():
        pool.gateway._running_jobs.cancel(job.job, "cancelled")
    await reading

    assert ["no_node_live", "placed"] == [event["reason"] for event in events if "reason" in event]


async def test_a_client_that_did_not_ask_gets_comments_only(pool: RunningScheduler) -> None:
    """Without ``waiting_events`` no named event comes that a client might not know."""
    await paused_node(pool)
    key = await pool.operator.key()
    events: list[Any] = []
    await read_events(pool, key, events, max_wait_s=3.0)

    assert ["waited_too_long"] == [event["error"]["code"] for event in events]


async def test_a_gateway_of_its_own_is_told_over_the_bus(
    pool: RunningScheduler, tmp_path: Path, bus: NatsPool
) -> None:
    """A gateway in another process says why a request waits, too."""
    async with running_gateway(tmp_path, bus, pool, "east") as gateway:
        await paused_node(pool)
        body = {**QUESTION, "stream": True, "entraide": {"waiting_events": True, "max_wait_s": 4}}
        async with gateway.session.post("/v1/chat/completions", json=body) as answer:
            lines = [line async for line in answer.content if line.startswith(b"data: ")]
    first, last = (msgspec.json.decode(lines[place][6:]) for place in (0, -1))

    assert ("no_node_live", "waited_too_long") == (first["reason"], last["error"]["code"])
