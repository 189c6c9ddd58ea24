"""Batches over HTTP against a gateway with a real core and store, whose nodes the test answers."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.scheduler.gateway_support import CHAT, KEY_A, WAIT_S, Pool, ask

from entraide_scheduler import line_window

FILES, BATCHES = "/v1/files", "/v1/batches"


def line(name: str, body: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A line of a batch that asks for its own name."""
    request = body or ask(f"Question {name}", max_tokens=5)
    return {"custom_id": name, "method": "POST", "url": CHAT, "body": request} | changes


def lines(count: int) -> list[dict[str, Any]]:
    return [line(f"ligne-{number}") for number in range(count)]


def jsonl(*entries: Any) -> bytes:
    return b"".join(
        (entry if isinstance(entry, bytes) else json.dumps(entry).encode()) + b"\n"
        for entry in entries
    )


async def send_file(pool: Pool, content: bytes, key: str = KEY_A) -> str:
    """Uploads a file for a batch; returns its identifier."""
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", io.BytesIO(content), filename="lot.jsonl")
    headers = {"authorization": f"Bearer {key}"}
    async with pool.session.post(FILES, data=form, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["id"])


async def create(
    pool: Pool, content: bytes | str, *, key: str = KEY_A, **fields: Any
) -> tuple[int, dict[str, Any]]:
    """Creates a batch of a file's content, or of a file; returns status and reply."""
    file = content if isinstance(content, str) else await send_file(pool, content, key)
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"} | fields
    headers = {"Accept_Language": "en"}
    async with pool.send(body, key=key, path=BATCHES, **headers) as answer:
        return answer.status, await answer.json()


async def get(pool: Pool, batch: str) -> dict[str, Any]:
    """Returns a batch."""
    status, reply = await pool.call("GET", f"{BATCHES}/{batch}", Accept_Language="en")
    assert status == 200, reply
    return dict(reply)


async def until(pool: Pool, batch: str, *states: str) -> dict[str, Any]:
    """Waits until a batch is in one of some states."""
    view: dict[str, Any] = {}
    try:
        async with asyncio.timeout(WAIT_S):
            while view.get("status") not in states:
                await asyncio.sleep(0.01)
                view = await get(pool, batch)
    except TimeoutError:
        pytest.fail(f"{WAIT_S:.0f} s without {states}: {view}, {pool.driver.core.jobs()}")
    return view


async def read_lines(pool: Pool, file: str) -> list[dict[str, Any]]:
    """Returns the lines of a file."""
    headers = {"authorization": f"Bearer {KEY_A}"}
    async with pool.session.get(f"{FILES}/{file}/content", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return [json.loads(text) for text in (await answer.read()).splitlines()]


@asynccontextmanager
async def answering_nodes(pool: Pool) -> AsyncIterator[list[str]]:
    """Nodes that answer every run with its question; yields the questions so far."""
    asked: list[str] = []

    async def answer() -> None:
        while True:
            node, start = await pool.nodes.runs.get()
            run = pool.run_of(node, start)
            question = run.body["messages"][-1]["content"]
            asked.append(question)
            run.finish(question.removeprefix("Question "))

    task = asyncio.get_running_loop().create_task(answer())
    try:
        yield asked
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def small_window(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Has few lines of a co-op requested at once."""
    monkeypatch.setattr(line_window, "WINDOW", size)
    monkeypatch.setattr(line_window, "REFILL_LEAST", 1)
