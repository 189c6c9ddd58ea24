"""A maintained scanner finds nothing above informational on a real pool, but what is named here."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.integration.local_pool import RunningPool, up
from tests.scanner.environment import findings, scan

pytestmark = [pytest.mark.engines, pytest.mark.long, pytest.mark.timeout(900)]

EXPECTED = {
    "Unencrypted Channels": "the demonstration listens on loopback, without TLS",
    "Resource consumption": "an answer of a model takes longer than the scanner waits",
}
SQL = "SQL Injection"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    running = up(tmp_path_factory.mktemp("pool"), "--nodes", "1")
    yield running
    running.entraide("down")


@pytest.fixture
async def careless() -> AsyncIterator[TestServer]:
    """A page that writes what it is asked, without one header of defence."""

    async def page(request: web.Request) -> web.Response:
        asked = request.query.get("name", "")
        form = '<form action="/"><input name="name"><button>Ok</button></form>'
        return web.Response(
            text=f"<html><body>{form}{asked}</body></html>", content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/", page)
    async with TestServer(app) as server:
        yield server


def sign_in(pool: RunningPool) -> dict[str, str]:
    """The headers with which the page of an operator asks."""
    made = pool.entraide("people", "add", "boreale", "Op", "--role", "operator", "--json")
    token = made["link"].rpartition("/")[2]
    status, headers, view = pool.http("/v1/session", {"token": token})
    assert status == 200, view
    return {
        "Cookie": headers["set-cookie"].partition(";")[0],
        "X-Entraide-Csrf": view["csrf"],
    }


async def is_refused_by_its_form(
    pool: RunningPool, finding: dict[str, Any], headers: dict[str, str]
) -> bool:
    """Whether the pool refuses a request before it asks its store.

    The refusal quotes the value, which the scanner may take for another page.
    """
    body = finding["http_request"].partition("\n\n")[2].encode()
    sent = {**headers, "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(pool.file.http, headers=sent) as session,
        session.request(finding["method"], finding["path"], data=body) as answer,
    ):
        code = (await answer.json())["error"]["code"] if answer.status == 400 else ""
    return code in ("invalid_request", "invalid_json")


async def test_the_scanner_finds_nothing_in_a_pool(pool: RunningPool) -> None:
    """As a stranger and as the operator, over the page and every path of the API's document."""
    headers = await asyncio.to_thread(sign_in, pool)
    url = f"{pool.file.http}/"
    document = ("--swagger", f"{pool.file.http}/openapi.json")
    reports = await asyncio.gather(scan(url, *document), scan(url, *document, headers=headers))
    left = [
        ": ".join(
            str(finding[name]) for name in ("category", "method", "path", "parameter", "info")
        )
        for report in reports
        for finding in findings(report)
        if finding["category"] not in EXPECTED
        and not (
            finding["category"] == SQL and await is_refused_by_its_form(pool, finding, headers)
        )
    ]
    status, _, _ = await asyncio.to_thread(pool.http, "/v1/models")

    assert [] == left
    assert min(report["infos"]["crawled_pages_nbr"] for report in reports) > 50
    assert 200 == status


async def test_the_scanner_would_find_it(careless: TestServer) -> None:
    """On a careless page the same scan finds what runs, and the headers that are not there."""
    report = await scan(str(careless.make_url("/")))
    categories = {finding["category"] for finding in findings(report)}

    assert {"Reflected Cross Site Scripting", "Clickjacking Protection"} <= categories, json.dumps(
        report
    )
