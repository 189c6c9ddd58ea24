"""Web pages of the origins that the operator names, and of others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.cases import all_cases
from tests.scheduler.gateway_support import CHAT, KEY_A, Pool, open_pool

from entraide_scheduler.config import HttpConfig
from entraide_scheduler.config.config import is_origin
from entraide_scheduler.gateway import Settings

PAGE, OTHER = "https://chat.example.org", "https://elsewhere.example.org"
ALLOW = "access-control-allow-origin"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-entraide-class",
}


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    settings = Settings(http=HttpConfig(cors_origins=(PAGE,)), drain_s=0.0)
    async with open_pool(tmp_path, settings=settings) as opened:
        yield opened


async def test_page_of_a_named_origin_may_ask_and_read(pool: Pool) -> None:
    """A browser's question needs no key; answers and refusals name the page's origin."""
    asked = {"origin": PAGE, **PREFLIGHT}
    key = {"authorization": f"Bearer {KEY_A}", "origin": PAGE}
    async with pool.session.options(CHAT, headers=asked) as preflight:
        allowed = preflight.headers
    async with pool.session.get("/v1/models", headers=key) as models:
        exposed = models.headers["access-control-expose-headers"]
    async with pool.session.post(CHAT, headers={"origin": PAGE}) as refused:
        pass

    assert (200, PAGE) == (preflight.status, allowed[ALLOW])
    assert PREFLIGHT["access-control-request-headers"] == allowed["access-control-allow-headers"]
    assert "POST" in allowed["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in allowed
    assert (200, PAGE, "origin") == (models.status, models.headers[ALLOW], models.headers["vary"])
    assert "x-ratelimit-remaining-tokens" in exposed
    assert (401, PAGE) == (refused.status, refused.headers[ALLOW])


async def test_other_pages_may_not(pool: Pool) -> None:
    """A page of another origin gets no permission, nor does a request without an origin."""
    key = {"authorization": f"Bearer {KEY_A}"}
    async with pool.session.options(CHAT, headers={"origin": OTHER, **PREFLIGHT}) as preflight:
        pass
    async with pool.session.get("/v1/models", headers={**key, "origin": OTHER}) as models:
        pass

    assert 401 == preflight.status
    assert (200, "origin") == (models.status, models.headers["vary"])
    assert not [name for name in (*preflight.headers, *models.headers) if ALLOW in name.lower()]


async def test_it_is_off_unless_an_origin_is_named(tmp_path: Path) -> None:
    """Without a named origin, no answer says anything to a browser."""
    async with open_pool(tmp_path) as pool:
        async with pool.session.options(CHAT, headers={"origin": PAGE, **PREFLIGHT}) as preflight:
            pass
        async with pool.session.get("/status.json", headers={"origin": PAGE}) as status:
            pass

    assert 401 == preflight.status
    assert ALLOW not in status.headers
    assert "vary" not in status.headers


@all_cases(
    "text", ["*", "null", "chat.coop", "https://chat.coop/", "https://*.coop", "HTTPS://chat.coop",
             "https://u@chat.coop", "https://chat.coop:x", "ftp://chat.coop", "https://", ""]
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    """An origin is written as a browser sends it; ``*`` is none."""
    assert not is_origin(text)
    fault = HttpConfig(cors_origins=(PAGE, text)).fault
    assert fault is not None
    assert (("http", "cors_origins"), "no_origin") == (fault.path, fault.fault)
    assert text == fault.values["value"]
