"""The headers of a browser's defences, by name, on every kind of answer that a pool gives."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.scheduler.gateway_support import KEY_A, Pool, ask, open_pool
from tests.scheduler.people_support import Browser, add_person, open_people, signed_in

from entraide_scheduler.config import HttpConfig
from entraide_scheduler.gateway import Settings
from entraide_scheduler.gateway.http import PageAssets
from entraide_scheduler.gateway.routes import PATHS

ORIGIN = "https://chat.example.org"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
STATEMENT = "/v1/statement"
OF_ALL = {
    "x-content-type-options": "nosniff", "x-frame-options": "DENY",
    "referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin",
}  # fmt: skip
OF_DATA = {
    **OF_ALL,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
OF_STREAMS = {**OF_DATA, "cache-control": "no-cache"}
OF_PAGES = {
    **OF_ALL,
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; worker-src 'self'",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}
OF_ASSETS = {**OF_PAGES, "cache-control": "public, max-age=31536000, immutable"}
NAMES = (*OF_PAGES, "strict-transport-security")
SCRIPT, STYLE, PICTURE = (
    next(f"/assets/{name}" for name in PageAssets().names if name.endswith(ending))
    for ending in (".js", ".css", ".svg")
)
Head = tuple[int, dict[str, str]]


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    settings = Settings(http=HttpConfig(cors_origins=(ORIGIN,)))
    async with open_pool(tmp_path, settings=settings) as opened:
        yield opened


def security(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a browser's defences read."""
    named = {name.lower(): value for name, value in headers.items()}
    return {name: named[name] for name in NAMES if name in named}


async def fetch(pool: Pool, method: str, path: str, **options: Any) -> Head:
    """Status and security headers of an answer."""
    async with (
        aiohttp.ClientSession(pool.gateway.url) as session,
        session.request(method, path, allow_redirects=False, **options) as answer,
    ):
        return answer.status, security(answer.headers)


async def raw(pool: Pool, request: bytes) -> Head:
    """Status and security headers of the answer to bytes that no client would send."""
    place = urlsplit(pool.gateway.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(request)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    writer.close()
    return int(lines[0].split()[1]), security(
        dict(line.split(": ", 1) for line in lines[1:] if line)
    )


WITH_KEY: dict[str, Any] = {"headers": {"authorization": f"Bearer {KEY_A}"}}
KINDS: dict[str, tuple[str, str, dict[str, Any], int, dict[str, str]]] = {
    "the page": ("GET", "/", {}, 200, OF_PAGES),
    "the page, head only": ("HEAD", "/", {}, 200, OF_PAGES),
    "a script": ("GET", SCRIPT, {}, 200, OF_ASSETS),
    "a style": ("GET", STYLE, {}, 200, OF_ASSETS),
    "a picture": ("GET", PICTURE, {}, 200, OF_ASSETS),
    "public JSON": ("GET", "/status.json", {}, 200, OF_DATA),
    "the document of the API": ("GET", "/openapi.json", {}, 200, OF_DATA),
    "metrics": ("GET", "/metrics", {}, 200, OF_DATA),
    "JSON for a key": ("GET", "/v1/models", WITH_KEY, 200, OF_DATA),
    "a month's books": ("GET", STATEMENT, WITH_KEY, 200, OF_DATA),
    "a table": (
        "GET", STATEMENT, {"headers": {**WITH_KEY["headers"], "accept": "text/csv"}}, 200, OF_DATA,
    ),
    "a PDF": (
        "GET", STATEMENT, {"headers": {**WITH_KEY["headers"], "accept": "application/pdf"}}, 200,
        OF_DATA,
    ),
    "the script of the installation": (
        "GET", "/install.sh", {}, 200, {**OF_DATA, "cache-control": "no-cache"},
    ),
    "a preflight": (
        "OPTIONS", "/v1/models",
        {"headers": {"origin": ORIGIN, "access-control-request-method": "GET"}}, 200, OF_DATA,
    ),
    "no key": ("GET", "/v1/models", {}, 401, OF_DATA),
    "a wrong key": (
        "GET", "/v1/models", {"headers": {"authorization": "Bearer ent_x"}}, 401, OF_DATA,
    ),
    "an unknown path": ("GET", "/<script>alert(1)</script>", {}, 404, OF_DATA),
    "an unknown asset": ("GET", "/assets/nope.js", {}, 404, OF_DATA),
    "an unknown wheel": ("GET", "/install/wheels/nope.whl", {}, 404, OF_DATA),
    "another method": ("PATCH", "/status.json", {}, 405, OF_DATA),
    "no JSON": ("POST", "/v1/chat/completions", {**WITH_KEY, "data": b"{"}, 400, OF_DATA),
    "no form": ("POST", "/v1/files", {**WITH_KEY, "data": b"x"}, 400, OF_DATA),
    "a wrong link": ("POST", "/v1/session", {"json": {"token": "x"}}, 401, OF_DATA),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_answer_has_its_headers(pool: Pool, kind: str) -> None:
    """A page runs its own scripts only; all else runs, loads and keeps nothing."""
    method, path, options, status, expected = KINDS[kind]

    assert (status, expected) == await fetch(pool, method, path, **options)


async def test_the_page_of_the_installation_has_them_too(pool: Pool) -> None:
    """Its one style stands in the page, and is allowed by its digest."""
    status, headers = await fetch(pool, "GET", "/install")
    policy = headers.pop("content-security-policy")

    assert 200 == status
    assert {k: v for k, v in OF_PAGES.items() if k != "content-security-policy"} == headers
    assert "style-src 'sha256-" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"POST /v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n", 413),
        (b"GET /nope HTTP/1.0\r\n\r\n", 404),
    ],
)
async def test_a_refused_connection_has_them(pool: Pool, request_bytes: bytes, status: int) -> None:
    """Also the answer to what is no request, or too large a one."""
    assert (status, OF_DATA) == await raw(pool, request_bytes)


async def test_answers_of_models_and_events_have_them(pool: Pool) -> None:
    """A whole answer, a streamed one, and the events of the pool."""
    heads = []
    for stream in (False, True):
        sending = asyncio.ensure_future(pool.send(ask(stream=stream)))
        (await pool.placed()).finish()
        async with await sending as answer:
            heads.append((answer.status, security(answer.headers)))
    async with pool.session.get("/v1/pool/events", **WITH_KEY) as listening:
        heads.append((listening.status, security(listening.headers)))

    assert [(200, OF_DATA), (200, OF_STREAMS), (200, OF_STREAMS)] == heads


async def test_a_file_of_a_member_has_them(pool: Pool) -> None:
    """What somebody uploads comes back as data, never as a page of the pool."""
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", b"<script>alert(1)</script>", filename="<b>.html")
    async with pool.session.post("/v1/files", data=form, **WITH_KEY) as answer:
        name = (await answer.json())["id"]
    async with pool.session.get(f"/v1/files/{name}/content", **WITH_KEY) as answer:
        status, headers, kind = answer.status, security(answer.headers), answer.content_type

    assert (200, OF_DATA) == (status, headers)
    assert "html" not in kind


async def answers_of(pool: Pool, browser: Browser | None) -> dict[str, dict[str, str]]:
    """The security headers of every route by method, for a stranger or for somebody signed in."""
    answers = {}
    for path in PATHS:
        address = path.partition("{")[0] + "x" if "{" in path else path
        for method in METHODS:
            if browser is None:
                answers[f"{method} {path}"] = (await fetch(pool, method, address))[1]
            elif (method, path) not in {("DELETE", "/v1/session"), ("GET", "/v1/pool/events")}:
                answer = await browser.call(method, address)
                answers[f"{method} {path}"] = security(answer.headers)
    return answers


@pytest.mark.parametrize("role", ["", "operator"])
async def test_no_route_answers_without_them(pool: Pool, role: str) -> None:
    """Every path with every method: whatever it answers, the headers of all answers are there."""
    browser = None
    if role:
        people = await open_people(pool)
        browser = await signed_in(pool, people, await add_person(people, role=role))
    answers = await answers_of(pool, browser)
    lacking = {
        what: sorted({*OF_DATA} - {*headers})
        for what, headers in answers.items()
        if not {*OF_DATA} <= {*headers} or not OF_ALL.items() <= headers.items()
    }

    assert {} == lacking
    assert len(answers) > 500


async def test_a_public_pool_is_asked_by_tls_only(tmp_path: Path) -> None:
    """A pool with a public certificate says so on all answers; no other pool does."""
    http = HttpConfig(public="https://parc.example", plain=True)
    async with open_pool(tmp_path, settings=Settings(http=http)) as pool:
        paths = ("/", SCRIPT, "/status.json", "/nope")
        heads = [(await fetch(pool, "GET", path))[1] for path in paths]

    assert ["max-age=31536000"] * 4 == [head["strict-transport-security"] for head in heads]
