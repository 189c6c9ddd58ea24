"""Limits hold for the pool, whichever of several gateways a request or a batch comes through."""

import asyncio
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.batch_support import BATCHES, FILES, jsonl, small_window
from tests.scheduler.gateway_processes import (
    GatewayProcess,
    LivelyNode,
    ask,
    lively_node,
    running_gateway,
)
from tests.scheduler.gateway_support import CHAT
from tests.scheduler.pool_support import RunningScheduler
from tests.waiting import eventually, until_read

from entraide.types import JobKind
from entraide.v1 import admin_pb2

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

NAMES = ("une", "deux", "trois")
WAIT_S = 120.0  # a guard: an admitted job would wait for the node
WINDOW = 4
LINES = 12  # of each batch


@asynccontextmanager
async def three_gateways(
    folder: Path, bus: NatsPool, pool: RunningScheduler
) -> AsyncIterator[tuple[LivelyNode, list[GatewayProcess]]]:
    """Three gateways beside the scheduler, each with a client of alpha, and a node."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        opened = [
            stack.enter_async_context(running_gateway(folder, bus, pool, name)) for name in NAMES
        ]
        yield node, await asyncio.gather(*opened)


async def set_quota(pool: RunningScheduler, quota: str) -> None:
    """Has the operator limit alpha."""
    document = f'version = "2"\n[[coops]]\ncoop = "alpha"\nquotas = [{{ {quota} }}]\n'
    document += '[[coops]]\ncoop = "beta"\n'
    request = admin_pb2.ApplyPolicyRequest(
        document=document.encode(), overwrite=True, author="Ana", reason="essai"
    )
    await pool.operator.ask("ApplyPolicy", request)


def code_in(answer: tuple[int, str]) -> str:
    """The error's code in an answer; "" for none."""
    error = json.loads(answer[1]).get("error") or {}
    return str(error.get("code", ""))


async def answer_all(node: LivelyNode, asked: list[str]) -> None:
    """Answers the node's runs one after the other, and notes their jobs."""
    while True:
        await eventually(lambda: node.node.runs)
        run = await node.take(node.node.runs[0].gateway)
        asked.append(run.job)
        await node.finish(run)


async def test_requests_over_three_gateways_use_one_quota(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """Of nine requests at the same time over three gateways, as many are answered as the quota
    allows, and the others are refused with its code."""
    await set_quota(pool, 'kind = "requests", limit = 5, period = "month"')
    async with three_gateways(tmp_path, bus, pool) as (node, gateways):
        asked: list[str] = []
        answering = asyncio.create_task(answer_all(node, asked))
        sent = [gateway.ask() for gateway in gateways for _ in range(3)]
        answers = await asyncio.gather(*sent)
        late = await asyncio.gather(*(gateway.ask() for gateway in gateways))
        answering.cancel()

    assert Counter({(200, ""): 5, (429, "quota_requests"): 4}) == Counter(
        (answer[0], code_in(answer)) for answer in answers
    )
    assert [(429, "quota_requests")] * 3 == [(answer[0], code_in(answer)) for answer in late]
    assert 5 == len(set(asked)) == len(asked)


async def test_jobs_in_flight_over_three_gateways_are_one_quota(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """With one job under way at each of two gateways the third refuses, until one has ended; what a
    killed gateway had under way counts no more."""
    await set_quota(pool, 'kind = "jobs_in_flight", limit = 2')
    async with three_gateways(tmp_path, bus, pool) as (node, gateways):
        first, second, third = gateways
        pending = [first.ask(), second.ask()]
        runs = [await node.take(gateway.name) for gateway in (first, second)]
        refused = await asyncio.wait_for(third.ask(), WAIT_S)
        await node.finish(runs[0])
        answered = await pending[0]
        await eventually(lambda: len(pool.driver.core.open_jobs()) == 1)  # its end is reported
        waiting = third.ask()
        await node.finish(await node.take("trois"))
        admitted = await waiting
        second.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await pending[1]
        await eventually(lambda: not pool.driver.core.open_jobs())
        node.running.pop(runs[1].job)
        pending = [first.ask(), third.ask()]
        for gateway in (first, third):
            await node.finish(await node.take(gateway.name))
        after = await asyncio.gather(*pending)

    assert (429, "quota_jobs") == (refused[0], code_in(refused))
    assert [200] * 4 == [answer[0] for answer in (answered, admitted, *after)]


def count_requested(pool: RunningScheduler) -> int:
    """Number of kept jobs that the core knows and that have not ended."""
    views = pool.driver.core.jobs()
    return sum(view.kind is JobKind.KEPT and not view.ended_at for view in views)


async def send_batch(gateway: GatewayProcess, name: str) -> str:
    """Uploads a file of lines to a gateway, creates its batch there; returns its identifier."""
    entries = [
        {"custom_id": f"{name}-{n}", "method": "POST", "url": CHAT, "body": ask(max_tokens=5)}
        for n in range(LINES)
    ]
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", io.BytesIO(jsonl(*entries)), filename="lot.jsonl")
    async with gateway.session.post(FILES, data=form) as answer:
        file = (await answer.json())["id"]
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    async with gateway.session.post(BATCHES, json=body) as answer:
        assert 200 == answer.status
        return str((await answer.json())["id"])


async def results_of(gateway: GatewayProcess, batch: str) -> list[str]:
    """Waits for a batch at a gateway; returns the names of its answered lines, sorted."""
    view: dict[str, Any] = await until_read(
        lambda: gateway.fetch(f"{BATCHES}/{batch}"), lambda got: got["status"] == "completed"
    )
    async with gateway.session.get(f"{FILES}/{view['output_file_id']}/content") as answer:
        answered = [json.loads(each) for each in (await answer.read()).splitlines()]
    return sorted(each["custom_id"] for each in answered)


async def test_lines_of_batches_of_several_gateways_share_one_window(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batches of a co-op come through two gateways, which are killed: the lines of both are
    answered once each, never more at once than one co-op's window, and the third gateway has all
    results."""
    small_window(monkeypatch, WINDOW)
    async with three_gateways(tmp_path, bus, pool) as (node, (first, second, third)):
        batches = [await send_batch(first, "une"), await send_batch(second, "deux")]
        for gateway in (first, second):
            gateway.process.kill()
        most, asked = 0, []
        for _ in range(2 * LINES):
            await eventually(lambda: node.node.runs)
            most = max(most, count_requested(pool))
            run = await node.take("main")
            asked.append(run.job)
            await node.finish(run)
        results = [await results_of(third, batch) for batch in batches]
        late = list(node.node.runs)

    assert WINDOW == most
    assert [sorted(f"{name}-{n}" for n in range(LINES)) for name in NAMES[:2]] == results
    assert (2 * LINES, []) == (len(set(asked)), late)
