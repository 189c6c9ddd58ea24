"""A machine whose agent was killed is told once when it is lost and once when it is back, to the
operator and its lender, whatever kills the scheduler meanwhile; and no message has a word of a
question. Another machine, which the test plays, answers the questions and stays."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.integration.killed_scheduler import PlayedNode, SchedulerProcess, killable
from tests.integration.nats_support import NatsPool
from tests.scheduler.people_support import Browser
from tests.scheduler.test_new_start_letters import ask_letter, confirm
from tests.scheduler.test_signin_letters import Letters, mail_server
from tests.waiting import eventually, until_read

from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide_node.join import JoinOptions, join_pool

pytestmark = pytest.mark.engines  # starts the scheduler five times

WORD = "quetzal"  # stands in each question, and wherever a machine may write
LENDER, OPERATOR = "ada@beta.coop", "op@example.coop"
RUN = """
import sys
from msgspec import structs
from entraide_scheduler.findings import KINDS
from entraide_scheduler.notifications import notifier
from entraide_scheduler.__main__ import main

sys.argv.pop(1)
notifier.STEP_S = 0.2
for code in ("node-lost", "node-refused"):  # are told at once
    KINDS[code] = structs.replace(KINDS[code], alert_after="0m")
main()
"""


class Sink:
    """A program that gets the requests; it may kill the sender before it answers."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.kills: set[str] = set()
        self.scheduler: SchedulerProcess | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.received.append((request.headers["webhook-id"], body))
        for part in ("begun", "ended"):
            if part in self.kills and lost_in(body, part):
                assert self.scheduler is not None
                self.kills.remove(part)
                self.scheduler.process.kill()
                await self.scheduler.process.wait()
        return web.Response()

    def identifiers(self, part: str) -> list[str]:
        """Returns the identifiers of the messages that tell of the machine."""
        return [identifier for identifier, body in self.received if lost_in(body, part)]


def lost_in(body: dict[str, Any], part: str) -> bool:
    return any(each["code"] == "node-lost" for each in body["data"].get(part, ()))


def letters_to(letters: Letters, address: str, sentence: str) -> dict[str, str]:
    """Returns the letters to an address with a sentence, by identifier."""
    return {
        str(each["Message-ID"]): each.get_content()
        for each in letters.received
        if each["To"].addresses[0].addr_spec == address and sentence in each.get_content()
    }


class RealAgent:
    """A machine of the co-op ``beta``: an agent's process, which has no engine."""

    def __init__(self, folder: Path, node: str) -> None:
        self.folder, self.node = folder, node
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the agent."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entraide_node", "run", "--dir", str(self.folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        """Ends it by SIGKILL: it says goodbye to nobody."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def joined_agent(folder: Path, scheduler: SchedulerProcess) -> AsyncIterator[RealAgent]:
    """An agent that has joined as its owner would, and is live."""
    operator = scheduler.operator
    assert operator is not None
    token = await operator.token("beta")
    options = JoinOptions(name="atelier")
    joined = await asyncio.to_thread(
        join_pool, scheduler.url, token, folder=folder, options=options
    )
    agent = RealAgent(folder, joined.config.node)
    await agent.start()
    try:
        await until_read(lambda: operator.node(agent.node), lambda node: node.state == "live")
        yield agent
    finally:
        await agent.kill()


async def ask_for_letters(scheduler: SchedulerProcess, letters: Letters) -> None:
    """A co-op's admin confirms the own address, and asks for letters about its machines."""
    assert scheduler.operator is not None
    request = admin_pb2.AddPersonRequest(
        coop="beta", name="Ada", email=LENDER, role="coop_admin", lang="en"
    )
    await scheduler.operator.ask("AddPerson", request)
    async with aiohttp.ClientSession(scheduler.url) as session:
        browser = Browser(SimpleNamespace(session=session))  # type: ignore[arg-type]
        await browser.sign_in(await ask_letter(letters, browser, LENDER))
        await confirm(browser, LENDER)
        chosen = await browser.call("PATCH", "/v1/session", {"machine_mail": True})
    assert chosen.json["machine_mail"] is True


async def ask_questions(scheduler: SchedulerProcess, played: PlayedNode, key: str) -> None:
    """Questions by chat and batch, answered and refused; the machine repeats their word."""
    question = {"model": "petit", "messages": [{"role": "user", "content": WORD}], "max_tokens": 9}
    answer = {"choices": [{"message": {"content": WORD}}], "usage": {"prompt_tokens": 90}}
    url, form = "/v1/chat/completions", aiohttp.FormData()
    line = {"custom_id": WORD, "method": "POST", "url": url, "body": question}
    form.add_field("purpose", "batch")
    form.add_field("file", json.dumps(line), filename=f"{WORD}.jsonl")
    async with scheduler.session(key) as session:
        for wrong in (question | {"model": WORD}, question | {WORD: 1}):
            async with session.post(url, json=wrong) as refused:
                assert 400 <= refused.status < 500
        async with session.post("/v1/files", data=form) as sent:
            file = (await sent.json())["id"]
        batch = {"input_file_id": file, "endpoint": url, "completion_window": "24h"}
        async with session.post("/v1/batches", json=batch) as made:
            assert 200 == made.status, await made.text()
        body = {"path": url, "request": question}
        async with session.post("/v1/jobs", json=body) as submitted:
            assert 202 == submitted.status
        for _ in range(2):
            run = await played.next_run()
            await played.node.finish(run, json.dumps(answer).encode(), output_tokens=5)
    await played.node.send(m.LoadFailed("petit", WORD, {"detail": WORD}))


async def test_a_lost_machine_is_told_once_over_kills(
    tmp_path: Path, nats_pool: NatsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler is killed between each delivery and its note, and between begin and end: each
    message comes at most twice, with one identifier, and none is lost."""
    monkeypatch.setattr(SchedulerProcess, "program", RUN)
    sink, letters, app = Sink(), Letters(), web.Application()
    sentences = {
        LENDER: "The machine atelier is lost.",
        OPERATOR: "La machine atelier est hors ligne.",
    }
    app.router.add_post("/", sink.handle)
    (tmp_path / "key").write_text(base64.b64encode(bytes(32)).decode())

    async def restart() -> None:
        await scheduler.end()
        await scheduler.start()
        await played.come(restarted=True)

    async with mail_server(letters) as port, TestServer(app) as server:
        smtp = f'[smtp]\nhost = "127.0.0.1"\nport = {port}\nfrom = "p@x.coop"\nsecurity = "none"\n'
        (tmp_path / "notify.toml").write_text(
            f'end_after_s = 15\n[[mail]]\nto = "{OPERATOR}"\n'
            f'[[webhook]]\nurl = "{server.make_url("/")}"\nsecret_file = "key"\n'
        )
        async with (
            killable(tmp_path, nats_pool, smtp) as (scheduler, played, key),
            joined_agent(tmp_path / "atelier", scheduler) as agent,
        ):
            sink.scheduler = scheduler
            await ask_for_letters(scheduler, letters)
            await ask_questions(scheduler, played, key)
            sink.kills = {"begun"}
            await agent.kill()
            await eventually(lambda: sink.identifiers("begun"))
            await restart()
            await eventually(lambda: len(sink.identifiers("begun")) > 1)
            await eventually(lambda: letters_to(letters, LENDER, sentences[LENDER]))
            await restart()  # between begin and end
            sink.kills = {"ended"}
            await agent.start()
            await eventually(lambda: sink.identifiers("ended"))
            await restart()
            await eventually(lambda: len(sink.identifiers("ended")) > 1)
            for address, lost in sentences.items():  # by identifier: begin and end
                await eventually(lambda: len(letters_to(letters, address, lost)) > 1)  # noqa: B023
            assert scheduler.operator is not None
            await restart()
            await scheduler.operator.ask("SendTestMessages", admin_pb2.SendTestMessagesRequest())

    begun, ended = sink.identifiers("begun"), sink.identifiers("ended")
    assert ([2, 2], 2) == ([len(begun), len(ended)], len({*begun, *ended}))
    assert "entraide.test" == sink.received[-1][1]["type"]
    assert [2, 2] == [len(letters_to(letters, *each)) for each in sentences.items()]
    said = [each.as_string() + each.get_content() for each in letters.received]
    said += [str(sink.received), (tmp_path / "notify-state.json").read_text()]
    assert "node-refused" in str(sink.received)
    assert not [text for text in said if WORD in text]
