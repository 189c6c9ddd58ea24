"""Kill -9 of a gateway's process while Python clients read an answer: what each is told."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from openai import APIConnectionError, AsyncOpenAI
from tests.integration.nats_support import NatsPool
from tests.scheduler.gateway_processes import GatewayProcess, LivelyNode, ask, lively_node
from tests.scheduler.pool_support import MODEL, RunningScheduler
from tests.scheduler.test_three_gateways import open_gateways
from tests.waiting import eventually

from entraide.client import AsyncClient, Client
from entraide.errors import ConnectionCut

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

Told = tuple[ConnectionCut, str]  # the error, and the whole text of the answer that went on


class Readers:
    """Clients that read one answer each, and go on after its end; ``came`` is what has come."""

    def __init__(self, first: GatewayProcess, second: GatewayProcess, key: str) -> None:
        self.addresses, self.key = f"{first.url},{second.url}", key
        self.openais = [
            AsyncOpenAI(api_key=key, base_url=f"{each.url}/v1", max_retries=0)
            for each in (first, second)
        ]
        self.came: list[str] = []
        self.may_go_on, self.go_on = Event(), asyncio.Event()

    def read_sync(self) -> Told:
        """Reads by the client that waits; called in a thread."""
        with Client(self.addresses, self.key, lang="en") as client:
            stream = client.stream("Bonjour", model=MODEL, reconnect_s=1.0)
            with pytest.raises(ConnectionCut) as raised, stream:
                self.came.extend(stream)
            self.may_go_on.wait()
            return raised.value, client.go_on(raised.value).answer().text

    async def read_async(self) -> Told:
        """Reads by the client for asyncio."""
        async with AsyncClient(self.addresses, self.key, lang="en") as client:
            with pytest.raises(ConnectionCut) as raised:
                await self._take_async(client)
            await self.go_on.wait()
            return raised.value, (await client.go_on(raised.value).answer()).text

    async def _take_async(self, client: AsyncClient) -> None:
        async with client.stream("Bonjour", model=MODEL, reconnect_s=1.0) as stream:
            async for text in stream:
                self.came.append(text)

    async def read_openai(self) -> tuple[APIConnectionError, str]:
        """Reads by OpenAI's client, and asks the other gateway the same."""
        first, second = (client.chat.completions for client in self.openais)
        with pytest.raises(APIConnectionError) as raised:
            await self._take_openai(await first.create(**ask(stream=True)))
        await self.go_on.wait()
        again = await second.create(**ask(stream=True))
        words = [each.choices[0].delta.content or "" async for each in again if each.choices]
        return raised.value, "".join(words)

    async def _take_openai(self, stream: Any) -> None:
        async for chunk in stream:
            self.came += [choice.delta.content or "" for choice in chunk.choices]

    async def close(self) -> None:
        """Closes OpenAI's clients."""
        for client in self.openais:
            await client.close()


async def answer_all(node: LivelyNode, gateway: str, count: int) -> list[list[str]]:
    """Ends some answers of a gateway with one more word; returns the messages of each request."""
    asked = []
    for _ in range(count):
        run = await node.take(gateway)
        await node.say(run, " était")
        await node.end(run)
        asked.append([message["content"] for message in json.loads(run.body)["messages"]])
    return sorted(asked, key=len)


async def test_clients_of_a_killed_gateway_are_told_so_and_go_on_at_another(
    tmp_path: Path, bus: NatsPool, pool: RunningScheduler
) -> None:
    """Both clients raise ``connection_cut`` with what came, in words that are true of it; the rest
    comes from the gateway that is left. OpenAI's client calls it a connection error."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(lively_node(pool))
        first, second = await open_gateways(stack, tmp_path, bus, pool, "une", "deux")
        readers = Readers(first, second, await pool.operator.key())
        stack.push_async_callback(readers.close)
        reading = [
            asyncio.ensure_future(asyncio.to_thread(readers.read_sync)),
            asyncio.ensure_future(readers.read_async()),
            asyncio.ensure_future(readers.read_openai()),
        ]
        lost = [await node.take("une") for _ in reading]
        for run in lost:
            await node.say(run, "Il")
        await eventually(lambda: readers.came.count("Il") == len(reading))
        first.process.kill()
        await first.process.wait()
        for run in lost:
            node.running.pop(run.job)
        readers.may_go_on.set()
        readers.go_on.set()
        asked = await asyncio.wait_for(answer_all(node, "deux", len(reading)), 120)
        ends = await asyncio.wait_for(asyncio.gather(*reading), 60)

    (sync, sync_text), (aio, aio_text), (openais, again) = ends
    rest = ["Bonjour", "Il", "Continue your answer from where it stopped."]
    assert [["Bonjour"], rest, rest] == asked
    assert ("Il était", "Il était", " était") == (sync_text, aio_text, again)
    for problem in (sync, aio):
        assert ("connection_cut", "Il") == (problem.code, problem.text)
        assert problem.message.startswith("The connection to the pool has been lost for 1.0")
        assert problem.message.endswith("What came so far is kept, and you can go on from there.")
    assert "Connection error." == openais.message
