"""A new machine's part of others' text: a real scheduler and bus, and two real agents."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.nats_support import NatsPool
from tests.node.support import MODEL, ScriptedEngine, end, serving
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.waiting import eventually

from entraide_node.config import NodeConfig
from entraide_node.engines.base import EngineEnd, EngineRequest
from entraide_node.engines.engine_client import ChunkReceiver
from entraide_node.join import JoinOptions, join_pool

pytestmark = pytest.mark.engines  # a whole pool

RUNS, PART = 4, 0.25
POLICY = {
    "version": "1",
    "coops": [{"coop": name} for name in ("alpha", "beta", "gamma")],
    "newcomer": {"runs": RUNS, "internal_part": PART},
}
ANSWER = b'{"choices":[{"message":{"content":"Salut"}}],"usage":{"prompt_tokens":7}}'


class AnsweringEngine(ScriptedEngine):
    """An engine that answers at once, and knows what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Answers each run."""
        self.texts.append(json.loads(request.body)["messages"][0]["content"])
        return end(body=ANSWER)


async def join(pool: RunningScheduler, folder: Path, name: str, coop: str, zone: str) -> NodeConfig:
    """Joins a machine of a co-op, in a zone that the operator names."""
    token = await pool.operator.token(coop, zone=zone)
    url, options = pool.gateway.url, JoinOptions(name=name)
    joined = await asyncio.to_thread(join_pool, url, token, folder=folder / name, options=options)
    return joined.config


async def ask(
    pool: RunningScheduler, session: aiohttp.ClientSession, number: int, data_class: str
) -> dict[str, Any]:
    """Asks one question, and returns what the pool says of it once the books have it."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"Question {number:02}"}]}
    headers = {"x-entraide-data-class": data_class}
    async with session.post("/v1/chat/completions", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        facts = dict((await answer.json())["entraide"])
    await eventually(lambda: not pool.driver.core.count_running())
    return facts


async def test_a_new_machine_gets_its_part_until_it_is_known(
    nats_pool: NatsPool, tmp_path: Path
) -> None:
    """A greener machine comes to a pool where another is known: of another co-op's internal text
    it reads a quarter, also after its agent has started again; once it has ended its runs, all. Its
    own co-op's text is not bounded."""
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(POLICY))
    async with (
        running_scheduler(tmp_path, nats_pool, f'policy_file = "{path}"') as pool,
        AsyncExitStack() as agents,
        pool.session(await pool.operator.key("gamma")) as gamma,
        pool.session(await pool.operator.key("alpha")) as alpha,
    ):
        old = await join(pool, tmp_path, "known", "beta", "CA-AB")
        known, new = AnsweringEngine(), AnsweringEngine()
        await agents.enter_async_context(serving(old, known))
        await eventually(lambda: pool.state(old.node) == "live")
        for number in range(RUNS):
            await ask(pool, gamma, number, "internal")
        config = await join(pool, tmp_path, "new", "alpha", "CA-QC")
        answers, own = [], []
        for numbers in (range(10, 16), range(16, 28)):  # the agent starts twice
            async with serving(config, new):
                await eventually(lambda: pool.state(config.node) == "live")
                answers += [await ask(pool, gamma, number, "internal") for number in numbers]
                own.append((await ask(pool, alpha, 50, "internal"))["node"])
            await eventually(lambda: pool.state(config.node) != "live")
        async with gamma.get(f"/v1/jobs/{answers[0]['job']}/explanation") as answer:
            explained = await answer.json()

    places = [each["node"] for each in answers]
    bounded = RUNS * round(1 / PART) - 2  # with the last of these it has ended its runs
    assert [("new", "newcomer")] == [(x["node"], x["rule"]) for x in explained["excluded"]]
    for number in range(1, bounded + 1):
        assert places[:number].count("new") <= PART * number + 1
    assert (RUNS, "new") == (places[:bounded].count("new"), places[bounded - 1])
    assert {"new"} == {*places[bounded:], *own}
    read = [f"Question {number + 10:02}" for number, node in enumerate(places) if node == "new"]
    assert read == [text for text in new.texts if text != "Question 50"]
