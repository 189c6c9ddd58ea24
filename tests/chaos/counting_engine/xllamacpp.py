"""Counting engine: stands in the place of llama.cpp's library, and writes numbers.

A node whose ``PYTHONPATH`` has this folder starts its engine's process as always; only the library
that the process loads is this one. It answers over the same socket in llama.cpp's dialect. Its
"model" writes the numbers that follow the last number of the conversation, one token each, at a
fixed pace. So each reader knows which token comes next, whichever engine writes it, and a run that
continues an answer is exact without any state. Its environment may name defects that a run has to
find (``defects``).
"""

import asyncio
import json
import os
import re
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from defects import ENGINE, install

TOKEN_S = float(os.environ.get("COUNTING_TOKEN_S", "0.25"))
ANSWER_TOKENS = 16
CREATED = 1_700_000_000
NUMBER = re.compile(r"\d+")
HEAD_END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: "


class CommonParams(SimpleNamespace):
    """Takes every setting of llama.cpp."""

    def __init__(self) -> None:
        super().__init__(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        )


class ggml_backend_dev_type:  # noqa: N801 - as llama.cpp names it
    """Kinds of devices."""

    GGML_BACKEND_DEVICE_TYPE_GPU, GGML_BACKEND_DEVICE_TYPE_IGPU = 1, 2


class llama_flash_attn_type:  # noqa: N801 - as llama.cpp names it
    """Kinds of attention."""

    LLAMA_FLASH_ATTN_TYPE_DISABLED = 0


def get_device_info() -> list[dict[str, Any]]:
    """No device but the processor."""
    return []


class Server:
    """Serves until its process ends."""

    def __init__(self, params: CommonParams) -> None:
        self._params = params
        (self._path,) = params.hostnames
        self.listening_address = f"unix://{self._path}"
        self._running = 0
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()
        install(ENGINE)

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_unix_server(self._answer, self._path, limit=2**23)
        ready.set()
        await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(HEAD_END)).decode("latin-1")
            size = re.search(r"(?im)^content-length: *(\d+)", head)
            body = await reader.readexactly(int(size[1])) if size else b""
            await self._route(head.split()[1], body, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the agent has closed the connection
        finally:
            writer.close()

    async def _route(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == "/v1/chat/completions":
            self._running += 1
            try:
                await self._count(json.loads(body), writer)
            finally:
                self._running -= 1
            return
        documents: dict[str, Any] = {
            "/health": {"status": "ok"},
            "/props": {"default_generation_settings": {"n_ctx": self._params.n_ctx}},
        }
        if path == "/apply-template":
            texts = [message["content"] for message in json.loads(body)["messages"]]
            documents[path] = {"prompt": "".join(texts)}
        if path == "/metrics":
            text = f"llamacpp:requests_processing {self._running}\nllamacpp:requests_deferred 0\n"
            writer.write(OK + b"text/plain" + HEAD_END + text.encode())
        elif path in documents:
            writer.write(OK + b"application/json" + HEAD_END + json.dumps(documents[path]).encode())
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async def _count(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Writes one answer."""
        text = " ".join(str(message["content"]) for message in request["messages"])
        number = int(NUMBER.findall(f"0 {text}")[-1])
        prompt = len(text.split())
        tokens = int(request.get("max_tokens") or ANSWER_TOKENS)
        began = time.monotonic()
        writer.write(OK + b"text/event-stream" + HEAD_END)
        for count in range(tokens + 1):
            took_ms = 1_000 * (time.monotonic() - began)
            timings = {"cache_n": 0, "prompt_n": prompt, "prompt_ms": 1.0, "predicted_n": count,
                       "predicted_ms": took_ms}  # fmt: skip
            delta = (
                {"content": f" {number + count}"} if count else {"role": "assistant", "content": ""}
            )
            send_event(writer, choices=[choice(delta)], timings=timings)
            await writer.drain()
            await asyncio.sleep(TOKEN_S if count < tokens else 0)
        send_event(writer, choices=[choice({}, "length")])
        usage = {"completion_tokens": tokens, "prompt_tokens": prompt,
                 "total_tokens": tokens + prompt}  # fmt: skip
        send_event(writer, choices=[], usage=usage, timings=timings)
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()


def choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    """The only choice of an event."""
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def send_event(writer: asyncio.StreamWriter, **fields: Any) -> None:
    """Sends an event of an answer."""
    event = {"id": "count", "object": "chat.completion.chunk", "created": CREATED, "model": "count"}
    writer.write(b"data: " + json.dumps(event | fields).encode() + b"\n\n")
