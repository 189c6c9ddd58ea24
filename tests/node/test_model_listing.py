"""What servers list, which program they show themselves to be, and finding those that run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from entraide import i18n
from entraide_node.engines.commands import find_command
from entraide_node.engines.discovery import DiscoveredServer, discover_servers
from entraide_node.engines.model_listing import ListedModel, dialect_of, parse_listing

# As each program lists its models, shortened.
LISTINGS: dict[str, tuple[dict[str, Any], str, int]] = {
    "llama.cpp": ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}, "llama.cpp", 2048),
    "vllm": ({"id": "m", "owned_by": "vllm", "max_model_len": 1024}, "vllm", 1024),
    "ollama": ({"id": "m", "object": "model", "owned_by": "library"}, "ollama", 0),
    "lm-studio": (
        {"id": "m", "owned_by": "organization_owner", "loaded_context_length": 4096},
        "lm-studio",
        4096,
    ),
    "mlx-lm": ({"id": "m", "object": "model", "created": 1}, "openai", 0),
    "one of tomorrow": ({"id": "m", "owned_by": "x", "max_model_len": "many"}, "openai", 0),
}


@pytest.mark.parametrize(("entry", "program", "context"), LISTINGS.values(), ids=LISTINGS)
def test_each_program_is_known_by_its_listing(
    entry: dict[str, Any], program: str, context: int
) -> None:
    """The owner that a program names tells which it is, and its model's context where it says."""
    listing = parse_listing(msgspec.json.encode({"object": "list", "data": [entry]}))

    assert (program, (ListedModel("m", context),)) == (listing.program, listing.models)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"data":3}', b'{"data":[3,{"id":4}]}'])
def test_what_is_no_listing_lists_nothing(payload: bytes) -> None:
    """Anything else than a list of named models is an empty one."""
    assert ("openai", ()) == (parse_listing(payload).program, parse_listing(payload).models)


def test_dialects_keep_prompts_apart() -> None:
    """Where a program can keep one run's prompt from the next it is told to."""
    assert dialect_of("llama.cpp").extra["cache_prompt"] is False
    assert (True, True) == (dialect_of("vllm").salted, dialect_of("vllm").counted_each_event)
    assert ({}, False) == (dialect_of("ollama").extra, dialect_of("ollama").salted)


@asynccontextmanager
async def server(answer: web.Response) -> AsyncIterator[str]:
    """A server that answers ``/v1/models`` with this."""

    async def models(_: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


ANSWERS = {
    "one that lists a model": (
        web.json_response, {"data": {"data": [{"id": "m", "owned_by": "vllm"}]}},
        ("vllm", (ListedModel("m", 0),), False),
    ),
    "one that lists none": (web.json_response, {"data": {"data": []}}, ("openai", (), False)),
    "one that answers nothing": (web.Response, {}, ("openai", (), False)),
    "one that wants a key": (web.Response, {"status": 401}, ("openai", (), True)),
    "a page of something else": (web.Response, {"text": "<html>"}, None),
    "one that knows no models": (web.Response, {"status": 404}, None),
    "one that sends elsewhere": (
        web.Response, {"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, None
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "fields", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_servers_are_found(
    make: Any, fields: dict[str, Any], expected: tuple[str, tuple[ListedModel, ...], bool] | None
) -> None:
    """Whoever answers as an engine does is found, with its models; others are not."""
    async with server(make(**fields)) as url:
        servers = await discover_servers([f"{url}/v1/", "http://127.0.0.1:9"])

    assert (() if expected is None else (DiscoveredServer(url, *expected),)) == servers


async def test_a_key_is_shown() -> None:
    """A key that is given is shown to every server that is asked."""
    shown: list[str | None] = []

    async def models(request: web.Request) -> web.Response:
        shown.append(request.headers.get("Authorization"))
        return web.json_response({"data": []})

    app = web.Application()
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    await discover_servers([f"http://{host}:{port}"], key="secret")
    await runner.cleanup()

    assert ["Bearer secret"] == shown


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_person_is_told_that_none_runs(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing answers that is said, and the command fails."""
    status = find_command(lang=lang, urls=("http://127.0.0.1:9",))

    assert 1 == status
    assert i18n.text("node-engine-none-found", lang) in capsys.readouterr().out


async def test_a_person_is_told_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """What runs is told with its address and its models."""
    async with server(web.json_response({"data": [{"id": "m", "owned_by": "vllm"}]})) as url:
        status = await asyncio.to_thread(find_command, lang="en", urls=(url,))

    assert 0 == status
    assert f"{url}: vllm serves m." in capsys.readouterr().out
