"""Load on a founded pool that is upgraded: a real node with the counting engine, and clients.

The counting engine writes the numbers after the one in the question, so that a client knows each
token of its answer. A client asks one request after the other over connections that it keeps, and
repeats none: what fails is noted.
"""

import asyncio
import itertools
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp
import tomli_w
from msgspec import Struct
from tests.chaos.pool import CONTEXT_TOKENS, MODEL, write_weights
from tests.chaos.streams import events
from tests.pool.support import HOST, RunningPool, admit_node, entraide, wait_until

from entraide import AsyncClient
from entraide.errors import EntraideError

ENGINE = Path(__file__).parents[1] / "chaos" / "counting_engine"
COOP, SLOTS, TOKEN_S = "boreale", 64, "0.1"
RPC = "rpc"
KINDS = {"long": 80, "short": 5, "whole": 3, RPC: 5}  # tokens of an answer
PAUSE_S = 0.2  # of a client, between two requests


class Asked(Struct, frozen=True):
    """One request.

    Attributes:
        kind: ``long`` or ``short`` stream, ``whole`` answer, or ``rpc``: whole, over gRPC.
        began_at, ended_at: on the monotonic clock, seconds.
        waited_s: until the first text, or the whole answer; 0 if none came.
        seams: how often another run went on with it.
        problem: what was wrong; "" for nothing.
    """

    kind: str
    began_at: float
    ended_at: float
    waited_s: float
    seams: int
    problem: str


class Load:
    """Clients of a pool, in a thread of their own, until ``end``.

    Args:
        pool: that they ask, each of its gateways in turn.
        clients: how many of each kind.

    Attributes:
        asked: their requests that have ended.
    """

    def __init__(self, pool: RunningPool, clients: int = 3) -> None:
        self.asked: list[Asked] = []
        made = entraide("keys", "create", "--coop", COOP, "--json", "--state", str(pool.state))
        assert made.returncode == 0, made
        self._key = json.loads(made.stdout)["secret"]
        self._ca = pool.ca
        http, further = pool.config.http, pool.config.gateways - 1
        self._ports = [http.port, *(http.gateway_port + number for number in range(further))]
        self._trust = ssl.create_default_context(cadata=self._ca)
        self._clients = clients
        self._starts = itertools.count(1_000, 1_000)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def wait_for(self, number: int) -> None:
        """Waits until so many requests have ended, of each kind at least one since the call."""
        since = len(self.asked)

        def have_ended() -> bool:
            return len(self.asked) >= number and {*KINDS} == {a.kind for a in self.asked[since:]}

        wait_until(have_ended, "requests have ended")

    async def _run(self) -> None:
        clients = [
            self._client(kind, self._ports[number % len(self._ports)])
            for kind in KINDS
            if kind != RPC
            for number in range(self._clients)
        ]
        await asyncio.gather(*clients, *(self._call_rpc(port) for port in self._ports))

    async def _client(self, kind: str, port: int) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0)  # the usual one of OpenAI's
        headers = {"authorization": f"Bearer {self._key}"}
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            await self._repeat(kind, partial(self._ask, session, port, kind))

    async def _call_rpc(self, port: int) -> None:
        """Asks over gRPC, by the pool's own client, which repeats what it may repeat."""
        url = f"https://localhost:{port}"
        async with AsyncClient(url, self._key, ca_pem=self._ca) as client:

            async def ask(answer: _Answer) -> None:
                question = f"Count from {answer.start}"
                reply = await client.chat(
                    question, model=MODEL, max_output_tokens=KINDS[RPC], temperature=0
                )
                answer.take_text(reply.text)

            await self._repeat(RPC, ask)

    async def _repeat(self, kind: str, ask: Callable[["_Answer"], Awaitable[None]]) -> None:
        tokens = KINDS[kind]
        while not self._is_over.is_set():
            began_at = time.monotonic()
            answer = _Answer(next(self._starts))
            try:
                await ask(answer)
            except (aiohttp.ClientError, EntraideError, OSError, ValueError) as problem:
                answer.problem = answer.problem or repr(problem)
            ended_at = time.monotonic()
            if not answer.problem and answer.tokens != tokens:
                answer.problem = f"{answer.tokens} of {tokens} tokens"
            waited_s = answer.first_at - began_at if answer.first_at else 0.0
            self.asked.append(
                Asked(kind, began_at, ended_at, waited_s, answer.seams, answer.problem)
            )
            await asyncio.sleep(PAUSE_S)

    async def _ask(
        self, session: aiohttp.ClientSession, port: int, kind: str, answer: "_Answer"
    ) -> None:
        body = {
            "model": MODEL, "stream": kind != "whole", "max_tokens": KINDS[kind], "temperature": 0,
            "messages": [{"role": "user", "content": f"Count from {answer.start}"}],
        }  # fmt: skip
        if kind != "whole":
            body["entraide"] = {"resume_events": True}
        url = f"https://{HOST}:{port}/v1/chat/completions"
        async with session.post(url, json=body, ssl=self._trust) as response:
            if response.status != 200:
                answer.problem = f"{response.status} {(await response.json())['error']['code']}"
            elif kind == "whole":
                answer.take_text((await response.json())["choices"][0]["message"]["content"])
            else:
                async for name, data in events(response):
                    answer.take(name, data)
                if not answer.is_done:
                    answer.problem = answer.problem or "the stream has no end"


class _Answer:
    """What a client has of an answer."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.tokens = self.seams = 0
        self.first_at = 0.0
        self.problem = ""
        self.is_done = False

    def take(self, name: str, data: str) -> None:
        """Takes an event of a stream."""
        if data == "[DONE]":
            self.is_done = True
            return
        event: dict[str, Any] = json.loads(data)
        if name == "entraide.resumed":
            self.seams += 1
        elif "error" in event:
            self.problem = event["error"]["code"]
        elif choices := event.get("choices"):
            self.take_text(choices[0].get("delta", {}).get("content") or "")

    def take_text(self, text: str) -> None:
        """Takes numbers, which must follow each other."""
        if text:
            self.first_at = self.first_at or time.monotonic()
        for word in text.split():
            self.tokens += 1
            if word != str(self.start + self.tokens):
                self.problem = self.problem or f"{word} instead of {self.start + self.tokens}"


@contextmanager
def counting_node(pool: RunningPool, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A machine that has joined the pool and runs the counting engine."""
    home, weights = folder / "node", folder / "weights" / f"{MODEL}.gguf"
    weights.parent.mkdir()
    write_weights(weights)
    admit_node(pool, home, "compteuse")
    path = home / "node.toml"
    config = tomllib.loads(path.read_text("utf-8"))
    # The engine's library lies in a folder that no sandbox of an engine shows.
    config |= {
        "engine": {"kind": "llama.cpp", "threads": 1, "model": str(weights), "alias": MODEL,
                   "slots": SLOTS, "context_tokens": CONTEXT_TOKENS, "sandbox": False},
        "models": {"memory_gb": 0.0},
    }  # fmt: skip
    path.write_text(tomli_w.dumps(config))
    folders = (str(ENGINE), os.environ.get("PYTHONPATH", ""))
    env = {
        **os.environ, "COUNTING_TOKEN_S": TOKEN_S,
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
    }  # fmt: skip
    command = [sys.executable, "-m", "entraide_node", "run", "--dir", str(home)]
    with (folder / "node.log").open("wb") as log:
        node = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        try:
            yield node
        finally:
            node.terminate()
            node.wait()


def wait_for_model(pool: RunningPool) -> None:
    """Waits until the pool has a machine with the model."""
    listed = ("models", "list", "--json", "--state", str(pool.state))
    wait_until(lambda: MODEL in entraide(*listed).stdout, "the machine serves its model")
