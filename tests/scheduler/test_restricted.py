"""A restricted question on a running scheduler: whose machines may see it."""

import asyncio
from pathlib import Path

from tests.core.builders import MODEL
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import running_scheduler
from tests.waiting import eventually

ASK = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "Bonjour"}]}
CHAT = "/v1/chat/completions"
RESTRICTED = {"x-entraide-data-class": "restricted"}


async def test_it_reaches_no_machine_of_another_co_op(tmp_path: Path, bus: NatsPool) -> None:
    """Another co-op's machine gets none, idle as it is; the co-op's own gets each."""
    async with running_scheduler(tmp_path, bus) as pool:
        theirs = await pool.join_live("theirs")
        async with pool.session(await pool.operator.key("alpha")) as session:
            for _ in range(3):
                async with session.post(CHAT, json=ASK, headers=RESTRICTED) as refused:
                    assert 400 <= refused.status, await refused.text()
            own = await pool.join("own", "alpha")
            await own.send_hello()
            await eventually(lambda: pool.state("own") == "live")
            for number in range(3):
                asked = asyncio.ensure_future(session.post(CHAT, json=ASK, headers=RESTRICTED))
                await eventually(lambda number=number: len(own.runs) > number)
                await own.finish(own.runs[number])
                (await asked).release()

    assert [] == theirs.runs
    assert 3 == len(own.runs)
