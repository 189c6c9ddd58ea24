"""CPU time of HTTP servers under the gateway's load: our own server and three ASGI servers.

Each server runs in its own process and does a gateway's work for a request: look up the SHA-256 of
the bearer key, decode JSON, submit the job, notice a client that disconnects, and answer with JSON
or server-sent events when the job's results arrive in the event loop. The job takes one turn of the
loop per token. The servers get the same load in turn, round by round. uvicorn, hypercorn and
granian are measured where they can be imported; they are not dependencies of the project.

    python -m benchmarks.http_servers [--json] [--rounds N] [--secs S]

Rows: ``server, version, cpu_us_per_request`` (JSON answers, 64 connections), ``cpu_us_per_token``
(streams of 64 tokens, 64 connections), ``cpu_us_per_stream`` (streams of 8 tokens) and ``errors``.
ADR 0004 uses them.
"""

import argparse
import asyncio
import hashlib
import importlib
import importlib.util
import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from benchmarks.support.common import make_parser, markdown_table
from benchmarks.support.load_targets import (
    Phase,
    Sample,
    Target,
    compiled,
    load,
    process,
    until_ready,
)
from msgspec import Struct

from entraide_scheduler.config import UNREAD_MAX_BYTES, HttpLimits
from entraide_scheduler.gateway.http import Exchange, HttpServer
from entraide_scheduler.gateway.refusals import ErrorReply, error_body
from entraide_scheduler.gateway.refusals.refusals import http_status
from entraide_scheduler.gateway.signin import Authenticator, KeyCheck
from entraide_scheduler.nats.config import free_port
from entraide_scheduler.store.rows import KeyRow

KEY = "ent_benchmark"
KEYS = {hashlib.sha256(KEY.encode()).hexdigest(): "boreale"}
OURS = "entraide"
SERVERS = (OURS, "uvicorn", "hypercorn", "granian")
PHASES = (
    Phase("request", 64, stream=False),
    Phase("token", 64, tokens=64),
    Phase("stream", 8, tokens=8),
)
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "mock",
    "choices": [{"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "lorem ipsum " * 16}}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 16, "total_tokens": 27},
}  # fmt: skip
EVENT = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock",\
"choices":[{"index":0,"delta":{"content":"T1"},"finish_reason":null}]}\n\n'
LAST = b"data: [DONE]\n\n"
OPEN = {"/": b" " * 30_000, "/healthz": b"{}"}  # paths that need no key

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Ask(Struct):
    """The fields of a chat request that the load sets."""

    model: str
    messages: list[dict[str, str]]
    max_tokens: int = 16
    stream: bool = False


_ASK = msgspec.json.Decoder(Ask)


def authorised(authorization: str) -> bool:
    """Returns whether a bearer key is known."""
    scheme, _, secret = authorization.partition(" ")
    return scheme == "Bearer" and hashlib.sha256(secret.encode()).hexdigest() in KEYS


def run_job(ask: Ask, on_data: Callable[[bytes], object], on_end: Callable[[], None]) -> None:
    """Simulates a job: its results arrive in later turns of the loop, one token per turn."""
    loop = asyncio.get_running_loop()
    left = ask.max_tokens if ask.stream else 1

    def step() -> None:
        nonlocal left
        left -= 1
        wanted = on_data(EVENT if ask.stream else msgspec.json.encode(ANSWER)) is not False
        if left and wanted:
            loop.call_soon(step)
        else:
            on_end()

    loop.call_soon(step)


async def handle_exchange(exchange: Exchange) -> None:
    """The application on our own server."""
    request = exchange.request
    if request.path in OPEN:
        exchange.respond(200 if request.method in ("GET", "HEAD") else 405, OPEN[request.path])
        return
    if not authorised(request.headers.get("authorization", "")):
        exchange.respond(401, b"{}")
        return
    ask = _ASK.decode(request.body)
    exchange.on_client_left = lambda: None
    if ask.stream:
        exchange.begin(200, kind="text/event-stream")

        def end() -> None:
            exchange.write(LAST)
            exchange.end()

        run_job(ask, exchange.write, end)
    else:
        run_job(ask, lambda data: exchange.respond(200, data), lambda: None)


async def handle_asgi(scope: Message, receive: Receive, send: Send) -> None:
    """The same application on an ASGI server."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["path"] in OPEN:
        known = scope["method"] in ("GET", "HEAD")
        await _send_whole(send, 200 if known else 405, OPEN[scope["path"]])
        return
    await _answer_asgi(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    event = ""
    while event != "lifespan.shutdown":
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})


async def _answer_asgi(scope: Message, receive: Receive, send: Send) -> None:
    shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    if not authorised(shown.decode("latin-1")):
        await _send_whole(send, 401, b"{}")
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    ask = _ASK.decode(b"".join(parts))
    waiting: list[bytes] = []
    changed = asyncio.Event()
    ended = False

    def on_data(data: bytes) -> bool:
        waiting.append(data)
        changed.set()
        return sum(map(len, waiting)) < UNREAD_MAX_BYTES

    def on_end() -> None:
        nonlocal ended
        ended = True

    leaving = asyncio.ensure_future(receive())  # http.disconnect: the job must be cancelled
    run_job(ask, on_data, on_end)
    begun = False
    while not (ended and not waiting):
        await changed.wait()
        changed.clear()
        data = b"".join(waiting)
        waiting.clear()
        if not begun:
            begun = True
            await send(_start(ask, data))
        done = ended and not waiting
        tail = LAST if ask.stream and done else b""
        await send({"type": "http.response.body", "body": data + tail, "more_body": not done})
    leaving.cancel()


async def _send_whole(send: Send, code: int, content: bytes) -> None:
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _start(ask: Ask, content: bytes) -> Message:
    kind = b"text/event-stream" if ask.stream else b"application/json"
    headers = [(b"content-type", kind)]
    if not ask.stream:
        headers.append((b"content-length", str(len(content)).encode()))
    return {"type": "http.response.start", "status": 200, "headers": headers}


class KnownKeys:
    """Replaces the store of a gateway's keys."""

    async def find_key(self, key_hash: str) -> KeyRow | None:
        """Returns the only key."""
        coop = KEYS.get(key_hash)
        return KeyRow("key-1", coop, "main", coop) if coop else None


def refuse(exchange: Exchange, refusal: ErrorReply) -> None:
    """Answers with an error on our own server."""
    exchange.respond(http_status(refusal), error_body(refusal, "en"))


async def serve_ours(port: int) -> None:
    """Runs our own server."""
    limits = HttpLimits()

    def count(_reason: str) -> None:
        """Counts nothing."""

    check = KeyCheck(Authenticator(KnownKeys()), limits, count)
    server = HttpServer(
        handle_exchange, refuse, check=check, limits=limits, proxies=(), count=count
    )
    await server.start("127.0.0.1", port)
    await asyncio.Event().wait()


async def serve_uvicorn(port: int) -> None:
    """Runs uvicorn inside a running loop, as a gateway would."""
    uvicorn = importlib.import_module("uvicorn")
    config = uvicorn.Config(
        handle_asgi, port=port, http="httptools", ws="none", log_config=None, access_log=False,
        timeout_keep_alive=75,
    )  # fmt: skip
    await uvicorn.Server(config).serve()


async def serve_hypercorn(port: int) -> None:
    """Runs hypercorn inside a running loop."""
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 10**9
    config.read_timeout = 30
    await importlib.import_module("hypercorn.asyncio").serve(handle_asgi, config)


async def serve_granian(port: int) -> None:
    """Runs granian's embedded server inside a running loop."""
    embed = importlib.import_module("granian.server.embed")
    options = {"address": "127.0.0.1", "port": port, "interface": "asgi", "log_enabled": False}
    constants = importlib.import_module("granian.constants")
    options["interface"] = constants.Interfaces.ASGI
    await embed.Server(handle_asgi, **options, websockets=False, backlog=1_024).serve()


SERVE = {
    OURS: serve_ours,
    "uvicorn": serve_uvicorn,
    "hypercorn": serve_hypercorn,
    "granian": serve_granian,
}


@contextmanager
def served(name: str, home: Path) -> Iterator[Target]:
    """Runs one server in a process of its own within a context."""
    port = free_port("127.0.0.1")
    argv = [sys.executable, "-m", "benchmarks.http_servers", "--serve", name, "--port", str(port)]
    with process(argv, home / f"{name}.log") as pid:
        yield Target(port, KEY, {"server": (pid,)})


def figure(samples: list[Sample], count: str) -> float:
    """Returns the median CPU time for each request or token, microseconds."""
    return round(
        statistics.median(s.costs["server"].cpu_s / s.seen[count] * 1e6 for s in samples), 1
    )


def row(name: str, samples: dict[tuple[str, str], list[Sample]]) -> dict[str, Any]:
    """Returns the measurements of one server."""
    by_phase = {phase.name: samples[phase.name, name] for phase in PHASES}
    return {
        "benchmark": "http_servers",
        "server": name,
        "version": version(name),
        "cpu_us_per_request": figure(by_phase["request"], "reqs"),
        "cpu_us_per_token": figure(by_phase["token"], "toks"),
        "cpu_us_per_stream": figure(by_phase["stream"], "reqs"),
        "errors": sum(s.seen["err"] for figures in by_phase.values() for s in figures),
    }


async def measured(home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Starts every installed server and loads them in turn."""
    compiled(home)
    names = [name for name in SERVERS if name == OURS or importlib.util.find_spec(name)]
    samples: dict[tuple[str, str], list[Sample]] = {}
    with ExitStack() as stack:
        targets = {name: stack.enter_context(served(name, home)) for name in names}
        for target in targets.values():
            await until_ready(target)
            await load(home, target, Phase("warm", 8), 0.5)
        for number in range(1, options.rounds + 1):
            for phase in PHASES:
                for name, target in targets.items():
                    sample = await load(home, target, phase, options.secs)
                    samples.setdefault((phase.name, name), []).append(sample)
            print(f"round {number} of {options.rounds}", file=sys.stderr)
    return [row(name, samples) for name in names]


def main() -> int:
    """Entry point; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--secs", type=float, default=2.0, help="of each load")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(SERVE[options.serve](options.port))
        return 0
    with tempfile.TemporaryDirectory(prefix="entraide-bench-", ignore_cleanup_errors=True) as home:
        rows = asyncio.run(measured(Path(home), options))
    print(json.dumps(rows) if options.json else markdown_table(rows, list(rows[0])[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
