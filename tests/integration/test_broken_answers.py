"""Kill -9 of a pool in mid-answer: the command and both clients say so, and go on from there."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.builders import usage
from tests.cutting_proxy import CuttingProxy, cutting_proxy
from tests.integration.killed_scheduler import PlayedNode, SchedulerProcess, killable
from tests.integration.nats_support import NatsPool
from tests.waiting import eventually

from entraide.client import AsyncClient, Client
from entraide.errors import AnswerLost, ConnectionCut, EntraideError
from entraide.types import Outcome
from entraide.wire import codec, subjects
from entraide.wire import messages as m

pytestmark = pytest.mark.engines  # starts a scheduler twice

USED = usage(output_tokens=1)
Parts = tuple[SchedulerProcess, PlayedNode, str, CuttingProxy]


@pytest.fixture
async def parts(tmp_path: Path, nats_pool: NatsPool) -> AsyncIterator[Parts]:
    """A pool's process, a live node, a key, and the way to the pool, which stays the same."""
    async with (
        killable(tmp_path, nats_pool) as (scheduler, played, key),
        cutting_proxy(grpc_port(scheduler)) as proxy,
    ):
        yield scheduler, played, key, proxy


def grpc_port(scheduler: SchedulerProcess) -> int:
    return int(scheduler.said("scheduler.ready")[0]["grpc"])


async def restart(scheduler: SchedulerProcess, played: PlayedNode, proxy: CuttingProxy) -> None:
    await scheduler.start()
    proxy.target = grpc_port(scheduler)
    await played.come()


async def say(played: PlayedNode, run: m.StartRun, word: str) -> None:
    """Sends one token of an answer."""
    data = json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}).encode()
    await publish(played, run, m.Tokens(run.job, run.epoch, 0, 1, b"data: %s\n\n" % data))


async def end(played: PlayedNode, run: m.StartRun) -> None:
    """Ends an answer, and reports it."""
    final = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()
    done = m.RunEnded(run.job, run.epoch, Outcome.COMPLETED, "", {}, 1, final, b"", USED)
    await publish(played, run, done)
    await played.node.report(run, USED)


async def publish(played: PlayedNode, run: m.StartRun, message: Any) -> None:
    subject = subjects.node_out(played.node.key, run.gateway)
    await played.node.connection.publish(subject, codec.encode(message))
    await played.node.connection.flush()


async def test_the_command_goes_on_after_a_kill(parts: Parts) -> None:
    """The pool is killed in mid-answer and comes back without the answer: the command says that
    the connection is lost, then that the answer is, and goes on from what it has printed."""
    scheduler, played, key, proxy = parts
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "entraide.cli", "--lang", "fr"),
        *("chat", "Bonjour", "--model", "petit", "--go-on"),
        env={**os.environ, "ENTRAIDE_URL": f"127.0.0.1:{proxy.port}", "ENTRAIDE_KEY": key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert command.stdout is not None
    await say(played, await played.next_run(), "Il")
    first = await command.stdout.readexactly(2)
    await scheduler.end()
    await restart(scheduler, played, proxy)
    run = await played.next_run()
    await say(played, run, " était")
    await end(played, run)
    out, err = await asyncio.wait_for(command.communicate(), 60)
    lost, stops, why, going = err.decode().splitlines()
    messages = json.loads(run.body)["messages"]

    assert (0, b"Il") == (command.returncode, first)
    assert "\n était\n" == out.decode()[:8]
    assert "La connexion est coupée. Nouvelle tentative…" == lost
    assert "La réponse s’arrête ici. Ce qui est arrivé est affiché ci-dessus." == stops
    assert why.startswith("Le parc a perdu cette réponse")
    assert why.endswith("Ce qui est arrivé est gardé, et vous pouvez poursuivre à partir de là.")
    assert "La réponse se poursuit à partir de là…" == going
    assert ["Bonjour", "Il", "Continue ta réponse là où elle s’est arrêtée."] == [
        message["content"] for message in messages
    ]


async def test_both_clients_tell_a_pool_that_stays_away_from_one_that_forgot(parts: Parts) -> None:
    """While the pool is away the connection is lost; a pool that is back has lost the answer. Both
    errors have what came, and the rest is asked for from there."""
    scheduler, played, key, proxy = parts
    address = f"127.0.0.1:{proxy.port}"
    came: list[str] = []

    def ask() -> EntraideError:
        with Client(address, key, lang="en") as client:
            stream = client.stream("Bonjour", model="petit", reconnect_s=1.0)
            with pytest.raises(ConnectionCut) as raised, stream:
                came.extend(stream)
            return raised.value

    async def read(client: AsyncClient) -> None:
        async with client.stream("Bonjour", model="petit", reconnect_s=60.0) as stream:
            async for text in stream:
                came.append(text)  # noqa: PERF401  (as it comes)

    async def ask_async(client: AsyncClient) -> EntraideError:
        with pytest.raises(AnswerLost) as raised:
            await read(client)
        return raised.value

    async with AsyncClient(address, key, lang="en") as client:
        asked = [asyncio.ensure_future(asyncio.to_thread(ask))]
        await say(played, await played.next_run(), "Il")
        asked.append(asyncio.ensure_future(ask_async(client)))
        await say(played, await played.next_run(), "Il")
        await eventually(lambda: came == ["Il", "Il"])
        await scheduler.end()
        away = await asyncio.wait_for(asked[0], 60)
        await restart(scheduler, played, proxy)
        forgot = await asyncio.wait_for(asked[1], 60)
        rest = asyncio.ensure_future(client.go_on(away).answer())
        run = await played.next_run()
        await say(played, run, " était")
        await end(played, run)
        whole = await asyncio.wait_for(rest, 60)

    assert ("connection_cut", "gateway_lost") == (away.code, forgot.code)
    assert ("Il", "Il", "Il était") == (away.text, forgot.text, whole.text)
