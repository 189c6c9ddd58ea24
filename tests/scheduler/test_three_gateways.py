"""Several gateways share a pool: one is killed, stopped or cut off, the others notice nothing."""

import asyncio
import json
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from tests.integration.nats_support import NatsPool
from tests.scheduler.gateway_processes import (
    GatewayProcess,
    LivelyNode,
    ask,
    cut_gateway,
    lively_node,
    running_gateway,
)
from tests.scheduler.pool_support import RunningScheduler
from tests.waiting import eventually, until_read

from entraide.types import JobState
from entraide.wire import messages as m

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

WORDS = [f"mot{number} " for number in range(30)]


def words_in(text: str) -> list[str]:
    """The words of a streamed answer, in the order in which they came."""
    lines = re.findall(r"^data: (\{.*\})$", text, re.M)
    choices = [json.loads(line).get("choices") or [{}] for line in lines]
    return [word for each in choices if (word := each[0].get("delta", {}).get("content"))]


async def say_all(node: LivelyNode, run: m.StartRun, words: list[str]) -> None:
    for word in words:
        await node.say(run, word)


def code_of(pool: RunningScheduler, job: str) -> str:
    view = pool.driver.core.job(job)
    return "" if view is None or not view.ended_at else view.code


async def keep(gateway: GatewayProcess) -> str:
    """Asks for a kept job; returns its identifier."""
    async with gateway.session.post("/v1/jobs", json={"request": ask()}) as answer:
        assert 202 == answer.status
        return str((await answer.json())["id"])


async def kept_text(gateway: GatewayProcess, job: str) -> str:
    view = await until_read(
        lambda: gateway.fetch(f"/v1/jobs/{job}"), lambda got: got.get("state") == "completed"
    )
    return str(view["result"]["text"])


async def open_gateways(
    stack: AsyncExitStack, folder: Path, bus: NatsPool, pool: RunningScheduler, *names: str
) -> list[GatewayProcess]:
    """Starts gateways side by side, and stops them with the stack."""
    return await asyncio.gather(
        *(stack.enter_async_context(running_gateway(folder, bus, pool, name)) for name in names)
    )


async def test_killed_gateway_ends_its_live_jobs_only(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """Of three gateways one is killed: its stream ends, all other work goes on without a gap."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        first, second, third = await open_gateways(
            stack, tmp_path, bus, pool, "une", "deux", "trois"
        )
        streams = [gateway.ask(stream=True) for gateway in (first, second)]
        lost, whole = [await node.take(name) for name in ("une", "deux")]
        await node.say(lost, WORDS[0])
        telling = asyncio.create_task(say_all(node, whole, WORDS))
        kept = await keep(first)
        first.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await streams[0]
        await eventually(lambda: code_of(pool, lost.job))
        await eventually(lambda: node.node.received(m.StopRun))
        stopped = node.node.received(m.StopRun)
        node.running.pop(lost.job)
        await node.finish(await node.take("main"))
        answer = third.ask()
        await node.finish(await node.take("trois"))
        await telling
        await node.end(whole)
        status, text = await streams[1]
        texts = [await kept_text(gateway, kept) for gateway in (second, third)]
        await eventually(lambda: pool.driver.counts["settled"] >= 3)
        states = {each.gateway: each.state for each in pool.gateways.list_gateways()}

        assert "gateway_lost" == code_of(pool, lost.job)
        assert {lost.job} == {stop.job for stop in stopped}  # again for each late progress
        assert (200, WORDS) == (status, words_in(text))
        assert 200 == (await answer)[0]
        assert ["Enfin", "Enfin"] == texts
        assert {"une": "silent", "deux": "live", "trois": "live"} == states


@pytest.mark.parametrize("away", ["stopped", "cut", "reset"])
async def test_gateway_that_comes_back_says_that_its_jobs_are_over(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler, away: str
) -> None:
    """A gateway that was stopped or cut off ends its streams with a code, and serves again."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        gateway, link = await stack.enter_async_context(cut_gateway(tmp_path, bus, pool, "une"))
        stream = gateway.ask(stream=True)
        run = await node.take("une")
        await node.say(run, WORDS[0])
        await eventually(lambda: WORDS[0].encode() in gateway.received)
        if away == "stopped":
            gateway.process.send_signal(signal.SIGSTOP)
        else:
            link.hold()
        if away == "reset":
            link.cut()
        await eventually(lambda: code_of(pool, run.job))
        node.running.pop(run.job)
        if away == "stopped":
            gateway.process.send_signal(signal.SIGCONT)
        elif away == "reset":
            link.heal()
        status, text = await asyncio.wait_for(stream, 60.0)
        link.heal()
        await until_read(
            lambda: gateway.fetch("/readyz"), lambda got: got["ready"] and not got["reasons"]
        )
        answer = gateway.ask()
        await node.finish(await node.take("une"))

        assert (200, WORDS[:1]) == (status, words_in(text))
        assert "gateway_lost" in text
        assert "gateway_lost" == code_of(pool, run.job)
        assert 200 == (await answer)[0]


async def test_started_again_under_its_name_a_gateway_ends_its_former_jobs(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """Nobody waits for the jobs of a gateway's former life, and the new one's go on."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        async with running_gateway(tmp_path, bus, pool, "une") as first:
            stream = first.ask(stream=True)
            lost = await node.take("une")
            first.process.kill()
            with pytest.raises(aiohttp.ClientError):
                await stream
        second = await stack.enter_async_context(running_gateway(tmp_path, bus, pool, "une"))
        await eventually(lambda: code_of(pool, lost.job))
        node.running.pop(lost.job)
        answer = second.ask(stream=True)
        run = await node.take("une")
        await say_all(node, run, WORDS)
        await node.end(run)

        assert (200, WORDS) == ((await answer)[0], words_in((await answer)[1]))
        assert "gateway_lost" == code_of(pool, lost.job)


async def test_kept_job_of_a_gateway_that_died_before_it_submitted_it_is_run(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """A job in the store that the scheduler never heard of is found there."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        gateway, link = await stack.enter_async_context(cut_gateway(tmp_path, bus, pool, "une"))
        link.hold()
        job = await keep(gateway)
        gateway.process.kill()
        run = await node.take("main")
        await node.finish(run)
        await eventually(lambda: pool.driver.core.job(job).state is JobState.COMPLETED)

        assert job == run.job


async def test_idempotency_key_of_a_live_request_holds_at_every_gateway(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """A repeated request is refused elsewhere, also after its end, unless its gateway died; one of
    other demands is refused everywhere, as another request."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        first, second = await open_gateways(stack, tmp_path, bus, pool, "une", "deux")
        headers = {**first.session.headers, "idempotency-key": "k"}

        async def send(gateway: GatewayProcess, **demand: str) -> tuple[int, str]:
            answering = gateway.session.post(
                "/v1/chat/completions", json=ask(), headers={**headers, **demand}
            )
            async with answering as answer:
                return answer.status, await answer.text()

        begun = asyncio.create_task(send(first))
        run = await node.take("une")
        refused = await send(second)
        restricted = {"x-entraide-data-class": "restricted"}
        others = [await send(each, **restricted) for each in (first, second)]
        await node.finish(run)
        whole = await begun
        await eventually(lambda: not pool.driver.core.open_jobs())  # its end is reported
        repeated, held = await send(second), await send(first)
        others += [await send(each, **restricted) for each in (first, second)]
        headers["idempotency-key"] = "k2"
        lost = asyncio.create_task(send(first))
        running = await node.take("une")
        first.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await lost
        node.running.pop(running.job)
        again = asyncio.create_task(until_read(lambda: send(second), lambda got: got[0] == 200))
        await node.finish(await node.take("deux"))

        errors = [json.loads(text)["error"] for _, text in (refused, repeated)]
        assert [(409, "answer_not_held", run.job)] * 2 == [
            (status, error["code"], error["job"])
            for (status, _), error in zip((refused, repeated), errors, strict=True)
        ]
        assert [(409, "idempotency_mismatch", run.job)] * 4 == [
            (status, error["code"], error["job"])
            for status, error in ((status, json.loads(text)["error"]) for status, text in others)
        ]
        assert whole == held
        assert [200, 200] == [whole[0], (await again)[0]]
