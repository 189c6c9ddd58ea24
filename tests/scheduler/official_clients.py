"""Chunks of engines for the tests with official clients, and what a test's node answers."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

from tests.scheduler.gateway_support import MODEL, WAIT_S, NodeRun, Pool, chunk

Answer = TypeVar("Answer")

WEATHER = {
    "type": "object",
    "properties": {"ville": {"type": "string"}},
    "required": ["ville"],
}


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """Returns a chunk of a chat with any delta."""
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    return json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode()


def event(finish: str | None = None, **fields: Any) -> bytes:
    """Returns it as an event of a stream."""
    return b"data: %s\n\n" % delta(finish, **fields)


def call(index: int, *, name: str = "", arguments: str = "") -> bytes:
    """Returns an event with a piece of a call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    named = {"id": f"call-{index}", "type": "function"} if name else {}
    return event(tool_calls=[{"index": index, "function": function, **named}])


def document(finish: str = "stop", **message: Any) -> bytes:
    """Returns a whole answer of a chat."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"object": "chat.completion", "choices": [choice]}).encode()


CALLS = [
    {"id": "call-0", "type": "function", "function": {"name": "meteo", "arguments": text}}
    for text in ('{"ville": "Lévis"}', "pas de JSON")
]


async def answered(
    pool: Pool, asking: Awaitable[Answer], *events: bytes, finish: str = "stop", body: bytes = b""
) -> tuple[NodeRun, Answer]:
    """Answers the request that comes; returns its run and what the client got."""
    pending = asyncio.ensure_future(asking)
    run = await pool.placed()
    run.accept()
    for data in events:
        run.raw(data)
    run.end(final=chunk("", finish) if run.run.stream else b"", body=body)
    run.report()
    return run, await asyncio.wait_for(pending, WAIT_S)


__all__ = ["CALLS", "MODEL", "WEATHER", "answered", "call", "delta", "document", "event"]
