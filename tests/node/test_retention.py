"""What an attached server is found to keep of prompts: scripted servers, honest and strange."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from entraide.models import PUBLIC_ONLY
from entraide_node.engines import retention
from entraide_node.engines.attached_engine import AttachConfig, AttachedEngine
from entraide_node.engines.retention import PromptRetention

SLOTS = 2


class Server:
    """A server with OpenAI's API, and with what one of two programs adds.

    Attributes:
        owner: by which it is recognised.
        keeps: whether it finds a prompt again that it has answered before.
        slots, props: what it says of itself.
        is_up: whether it answers at all.
        prompts: that it was sent, with the cache asked for.
        chats: bodies of the chats that it was sent.
        delta: returns what a chat's answer says, by its body.
    """

    def __init__(self, owner: str = "llamacpp", *, keeps: bool = False) -> None:
        self.owner, self.keeps, self.is_up = owner, keeps, True
        self.slots: Any = [{"id": n} for n in range(SLOTS)]
        self.props: Any = {"total_slots": SLOTS}
        self.timings: Callable[[int, int], Any] = lambda read, kept: {
            "prompt_n": read, "cache_n": kept,
        }  # fmt: skip
        self.prompts: list[tuple[str, bool]] = []
        self.hits = 0
        self.chats: list[dict[str, Any]] = []
        self.delta: Callable[[dict[str, Any]], dict[str, str]] = lambda _: {}

    async def answer(self, request: web.Request) -> web.Response:
        """Answers any request."""
        if not self.is_up:
            return web.Response(status=503)
        body = await request.json() if request.can_read_body else {}
        match request.path:
            case "/v1/models":
                model = {"id": "m", "owned_by": self.owner, "meta": {"n_ctx": 512}}
                return web.json_response({"data": [model]})
            case "/slots":
                return web.json_response(self.slots)
            case "/props":
                return web.json_response(self.props)
            case "/metrics":
                return web.Response(text=f'vllm:prefix_cache_hits_total{{a="b"}} {self.hits}.0\n')
            case "/completion":
                return web.json_response(self._complete(body))
            case "/v1/completions":
                self.hits += 64 if self.keeps and self.prompts else 0
                self.prompts.append((body["prompt"], body["cache_salt"]))
                return web.json_response({"choices": []})
            case "/v1/chat/completions":
                self.chats.append(body)
                parts = [
                    {"choices": [{"index": 0, "delta": self.delta(body), "finish_reason": None}]},
                    {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
                ]
                events = "".join(f"data: {json.dumps(part)}\n\n" for part in parts)
                return web.Response(text=f"{events}data: [DONE]\n\n")
        return web.Response(status=404)

    def _complete(self, body: dict[str, Any]) -> Any:
        known = body["prompt"] in [prompt for prompt, _ in self.prompts]
        self.prompts.append((body["prompt"], body["cache_prompt"]))
        kept = 200 if self.keeps and known and body["cache_prompt"] else 2
        return {"timings": self.timings(202 - kept, kept)}


@asynccontextmanager
async def attached(server: Server, **options: Any) -> AsyncIterator[AttachedEngine]:
    """An engine that is attached to a server."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    engine = AttachedEngine(AttachConfig(url=f"http://{host}:{port}", model="m", **options))
    try:
        yield engine
    finally:
        await engine.stop()
        await runner.cleanup()


def changed(**changes: Any) -> Server:
    server = Server()
    for name, value in changes.items():
        setattr(server, name, value)
    return server


VERDICTS: dict[str, tuple[Callable[[], Server], PromptRetention]] = {
    "llama-server without a cache": (Server, PromptRetention.NOTHING),
    "llama-server with one": (lambda: Server(keeps=True), PromptRetention.CACHED),
    "slots that show prompts": (
        lambda: changed(slots=[{"id": 0, "prompt": "secret"}]), PromptRetention.LISTED,
    ),
    "slots that nobody may see": (lambda: changed(slots={"error": 501}), PromptRetention.NOTHING),
    "no number of slots": (lambda: changed(props={}), PromptRetention.UNSHOWN),
    "endless slots": (lambda: changed(props={"total_slots": 10**9}), PromptRetention.UNSHOWN),
    "no counts": (lambda: changed(timings=lambda *_: None), PromptRetention.UNSHOWN),
    "counts that are no numbers": (
        lambda: changed(timings=lambda *_: {"prompt_n": [], "cache_n": "9" * 9_999}),
        PromptRetention.UNSHOWN,
    ),
    "vLLM with salts": (lambda: Server("vllm"), PromptRetention.NOTHING),
    "vLLM that finds a prompt again": (lambda: Server("vllm", keeps=True), PromptRetention.CACHED),
    "Ollama": (lambda: Server("library"), PromptRetention.UNSHOWN),
    "a program that nobody knows": (lambda: Server("x"), PromptRetention.UNSHOWN),
}  # fmt: skip


@pytest.mark.parametrize("case", VERDICTS)
async def test_only_what_was_shown_counts(case: str) -> None:
    """A server is believed to keep nothing only if its own counts show it; else it is marked."""
    make, expected = VERDICTS[case]
    server = make()
    async with attached(server) as engine:
        problem = await engine.start()

        assert problem is None
        assert (expected, expected is not PromptRetention.NOTHING) == (
            engine.retention, PUBLIC_ONLY in engine.facts.features
        )  # fmt: skip


async def test_every_slot_gets_another_prompt_in_between() -> None:
    """The first prompt is in no slot any more when it is sent again, with the cache allowed."""
    server = Server()
    async with attached(server) as engine:
        await engine.start()
    first, *others, again = server.prompts

    assert (first[0], True) == again
    assert SLOTS == len({prompt for prompt, _ in others} - {first[0]})
    assert [False] * (1 + SLOTS) == [cached for _, cached in (first, *others)]


async def test_a_server_that_comes_back_is_looked_at_again() -> None:
    """Its owner started it again with a cache: it is marked before it gets a run."""
    server = Server()
    async with attached(server) as engine:
        await engine.start()
        before = engine.facts.features
        server.is_up = False
        away = await engine.ready()
        server.is_up = server.keeps = True
        back = await engine.ready()

        assert PUBLIC_ONLY not in before
        assert (True, None) == (away is not None, back)
        assert PUBLIC_ONLY in engine.facts.features


@pytest.mark.parametrize(
    "option",
    ["--slot-save-path", "--verbose", "--enable-log-requests", "--enable_log_requests=true",
     "--log-prompts-dir", "-lv", "--verbosity"],
)  # fmt: skip
async def test_options_that_write_prompts_count(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that can be seen to write prompts down is not believed, whatever it counts."""
    monkeypatch.setattr(retention, "_options_of", lambda _url: ["llama-server", option, "x"])
    async with attached(Server()) as engine:
        await engine.start()

        assert PromptRetention.WRITTEN is engine.retention
