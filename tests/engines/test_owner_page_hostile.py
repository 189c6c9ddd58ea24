"""Hostile text on the owner's page in a real browser: from its forms, the pool and the machine.

The pool here is one that lies: it answers the machine's question with names that no pool should
have. Chromium's own requests and complaints are the witness.
"""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser
from tests.browser import NEEDS, Visit, visit

from entraide.statements import NODE_PATH, Amounts, NodeShare, NodeStatement
from entraide.wire.nats import new_user_key
from entraide_node import keys
from entraide_node.config import NodeConfig
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file
from entraide_node.page.server import HOST, OwnerPage
from entraide_node.pool_address import save_pool_address

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300), pytest.mark.needs(NEEDS)]

BEACON = "http://beacon.example/x"
HEBREW = "\u05d0\u05d1\u05d2"
MARKUP = f"<img src={BEACON} onerror=ran=1>"
TEXTS = ("a", MARKUP, f"'\"><script>ran=1</script>{HEBREW} 12 {{{{ 7 * 7 }}}}", "x" * 1_000)
HUGE = "x" * 1_000_000
FIELDS = "input:is(:not([type]), [type=text], [type=time]), textarea"
# The terms' form takes the texts as they are: no browser's own bound is in their way.
WRITE = """(form, text) => {
    for (const field of form.querySelectorAll('input, textarea')) {
        if (['hidden', 'checkbox', 'radio'].includes(field.type)) continue;
        if (field.localName === 'input') field.type = 'text';
        field.removeAttribute('maxlength');
        field.value = text;
    }
    form.noValidate = true;
}"""


def harm(opened: Visit) -> list[str]:
    """What was asked of somebody else, and complaints but those of a form that is refused."""
    own = opened.page.url.split("/")[2]
    return [
        *(url for url in opened.requested if url.split("/")[2] != own),
        *(text for text in opened.complaints if "Failed to load resource" not in text),
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def lying_pool(tmp_path: Path) -> AsyncIterator[None]:
    """A pool to which the machine of this folder belongs, and whose statement is hostile."""
    amounts = Amounts(jobs=1, tokens=2)
    names = (MARKUP, f"{HEBREW} {BEACON}", "a\u202egnp.exe", "m" * 100_000)
    shares = tuple(NodeShare(name, amounts) for name in names)
    statement = NodeStatement("mini", MARKUP, MARKUP, MARKUP, amounts, amounts, shares)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(statement), content_type="application/json")

    app = web.Application()
    app.add_routes([web.get(NODE_PATH, answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    seed, _ = new_user_key()
    keys.save_identity(tmp_path, keys.StoredIdentity("mini", "jwt", seed))
    url = f"http://{HOST}:{runner.addresses[0][1]}"
    save_pool_address(tmp_path, url, public_certificate=False)
    yield
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def page(tmp_path: Path) -> AsyncIterator[OwnerPage]:
    """The page of a node that does not run."""
    config = NodeConfig(
        node="mini", coop="boreale", zone="CA-QC", nats_urls=(), dir=str(tmp_path), lang="fr"
    )
    page = OwnerPage(config)
    await page.open()
    yield page
    await page.close()


async def test_whatever_is_written_in_the_form_stays_text(
    page: OwnerPage, browser: Browser, tmp_path: Path
) -> None:
    """Markup in every field comes back there with a sentence; a megabyte is refused whole."""
    async with visit(browser, page.url) as opened:
        await opened.page.locator("[name=hours_mode][value=only]").check(force=True)
        await opened.page.locator("#f-add").click()
        counted, kept = await opened.page.locator(FIELDS).count(), []
        for text in (*TEXTS, HUGE):
            form = opened.page.locator("main form[action^=save]")
            await form.evaluate(WRITE, text)
            await opened.page.locator(".save").click()
            await opened.page.locator(".notice.bad").first.wait_for()
            kept.append(await opened.page.locator("[name=programs]").input_value())
            ran = await opened.page.evaluate("'ran' in window")

            assert [] == [*harm(opened), *(["ran"] if ran else [])]
        refused = await opened.page.inner_text(".notice.bad")

    assert counted > 10
    assert [*TEXTS, ""] == kept
    assert "64" in refused
    assert not (tmp_path / terms_file.TERMS_NAME).exists()


async def test_what_the_pool_and_the_machine_tell_is_shown_as_text(
    lying_pool: None, page: OwnerPage, browser: Browser, tmp_path: Path
) -> None:
    """Co-ops, models and reasons with markup are words: nothing runs, is fetched or overflows."""
    del lying_pool
    me = psutil.Process(os.getpid())
    running = owner_files.NodeStatus(
        node="mini", coop="boreale", zone="CA-QC", pool=MARKUP, pid=me.pid,
        started_at=me.create_time(), state="program_open", values={"program": MARKUP},
        written_at=time.time() + 600.0, pool_version=MARKUP,
        models=tuple(
            owner_files.ModelStatus(name, "serving") for name in (MARKUP, HEBREW, "m" * 100_000)
        ),
    )  # fmt: skip
    owner_files.write_status(tmp_path, running)
    async with visit(browser, page.url) as opened:
        coops = await opened.page.locator("tbody th").all_inner_texts()
        facts = await opened.page.inner_text(".facts")
        first = await opened.page.inner_text(".first")
        overflow_px = await opened.overflow_px()
        owner_files.write_stopped(
            tmp_path,
            owner_files.StopReason("identity_refused", {"file": MARKUP, "problem": MARKUP}),
        )
        await opened.page.reload()
        stopped = await opened.page.inner_text(".now")
        ran = await opened.page.evaluate("'ran' in window")

        assert [] == [*harm(opened), *(["ran"] if ran else [])]

    assert 4 == len(coops)
    assert MARKUP == coops[0].partition("\n")[0].removesuffix(" (le vôtre)").strip()[: len(MARKUP)]
    assert all(len(name) < 100 for name in coops)
    assert "\u202e" not in coops[2]
    assert MARKUP in facts
    assert MARKUP in first
    assert MARKUP in stopped
    assert overflow_px <= 0
