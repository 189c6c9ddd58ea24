"""A client that comes back to its answer, for tests of a gateway."""

import asyncio
import json
import re
from typing import Any

import aiohttp
from tests.scheduler.gateway_support import KEY_A, NodeRun, Pool, chunk

from entraide_scheduler.gateway.requests import openai

LAST = "Last-Event-ID"
SAID = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}], "stream": True}
BODIES: dict[str, dict[str, Any]] = {
    openai.CHAT: {**SAID, "stream_options": {"include_usage": True}},
    openai.COMPLETION: {"model": "petit", "prompt": "Il", "stream": True},
    openai.RESPONSES: {"model": "petit", "input": "Bonjour", "stream": True},
    openai.MESSAGES: {**SAID, "max_tokens": 50},
}
LONG_S = 100.0
WORDS = [f" mot-{number} é" for number in range(40)]


def kept(path: str = openai.CHAT, reconnect_s: float = LONG_S) -> dict[str, Any]:
    """A request whose client may come back."""
    return {**BODIES[path], "entraide": {"reconnect_s": reconnect_s}}


async def begin(pool: Pool, *words: str, **options: Any) -> tuple[aiohttp.ClientResponse, NodeRun]:
    """Sends a request whose node has begun to answer."""
    path = options.pop("path", openai.CHAT)
    pending = asyncio.ensure_future(pool.send(kept(path, **options), path=path))
    run = await pool.placed()
    run.accept()
    run.tokens(*words)
    return await pending, run


def finish(run: NodeRun, *words: str) -> None:
    run.tokens(*words)
    run.end(final=chunk("", "stop"))
    run.report()


def come_back(
    pool: Pool, job: str, last: int | None = None, *, key: str = KEY_A, path: str = ""
) -> Any:
    """Asks for the rest of a stream: by a GET, or by the POST to a path once more."""
    headers = {"authorization": f"Bearer {key}"}
    if last is not None:
        headers[LAST] = f"{job}/{last}"
    if path:
        return pool.session.post(path, headers=headers, json={"anything": 1})
    return pool.session.get(f"/v1/jobs/{job}/stream", headers=headers)


async def until(answer: aiohttp.ClientResponse, number: int) -> bytes:
    """Reads until an event has come whole; returns what came until its end."""
    data, last = b"", b"/%d\n" % number
    while last not in data or not data[data.index(last) :].count(b"\n\n"):
        data += await answer.content.readany()
    start = data.index(last)
    return data[: data.index(b"\n\n", start) + 2]


def numbers(stream: bytes) -> list[str]:
    """The identifiers of the events."""
    lines = stream.decode().split("\n")
    return [line.removeprefix("id: ") for line in lines if line.startswith("id:")]


def like(stream: bytes, job: bytes) -> bytes:
    """A stream without its job and its time."""
    return re.sub(rb'"created_at":[0-9]+', b"", stream.replace(job, b"JOB"))


def written(word: str) -> bytes:
    return json.dumps(word)[1:-1].encode()


def without_comments(stream: bytes) -> bytes:
    blocks = stream.split(b"\n\n")
    return b"\n\n".join(block for block in blocks if not block.startswith(b":"))
