"""Hostile sign-in links, and the names that machines, co-ops and pools cannot or can have."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.browser import NEEDS
from tests.pages.hostile_support import (
    BARE,
    HUGE,
    SENTENCES_MAX,
    Hostile,
    harm,
    has_run,
    hostile,
    hostile_pool,
)
from tests.pages.support import PHONE

from entraide.v1 import admin_pb2
from entraide.wire.nats import new_user_key
from entraide.wire.subjects import ID_PATTERN

pytestmark = [pytest.mark.engines, pytest.mark.needs(NEEDS), pytest.mark.timeout(300)]

MARKUP = "<script>window.ran=1</script><img src=x onerror=ran=1>"
TOKENS = {
    "markup": MARKUP,
    "markup in its encoding": quote(hostile("token"), safe=""),
    "an address that runs": "javascript:ran=1",
    "letters from right to left": "\u05d0\u05d1\u05d2\u202egnp.exe",
    "an encoding of nothing": "%E0%A4%A",
    "zero bytes": "%00%00",
    "a path": "..%2F..%2Fv1%2Fsession",
    "another question": "a?fault=<img src=x onerror=ran=1>",
    "a megabyte": HUGE,
}
NO_NAMES = (
    hostile("name"), MARKUP, "\u05d0\u05d1\u05d2", "a\u202eb", 'a"b', "a b", "a.b", "a>b", "a*",
    "A", "-a", "\u0430", "a\n", "x" * 64,
)  # fmt: skip
LONGEST = "m" * 63


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[Hostile]:
    async with hostile_pool(tmp_path, browser) as opened:
        yield opened


async def test_no_sign_in_link_runs_or_is_shown(used: Hostile) -> None:
    """A token of any kind is refused in one sentence; it is on no page and in no address asked."""
    visit = await used.visitors.open()
    said, shown, asked = [], [], []
    for name, token in TOKENS.items():
        await visit.page.goto("about:blank")
        await visit.go(f"#/entrer/{token}")
        await visit.page.locator("main button.large").click()
        await visit.page.locator("main .notice.bad").first.wait_for()
        text = await visit.page.inner_text("body")
        said += await visit.page.locator("main .notice.bad").all_inner_texts()
        plain = ("\u05d0", "ran=1", "xxxx", "%E0", "javascript")
        shown += [name for each in plain if each in text.replace(hostile("pool"), "")]
        asked += [name for url in visit.requested if token in url.partition("#")[0]]

        assert not await has_run(visit)
        assert [] == await visit.page.evaluate(BARE)
        assert SENTENCES_MAX > len(text)

    assert [] == await harm(visit)
    assert ([], []) == (shown, asked)
    assert all(said)
    assert not await visit.page.context.cookies()


async def is_refused(asking: Any) -> bool:
    """Whether the pool refuses a call as it stands, with a sentence."""
    try:
        await asking
    except grpc.aio.AioRpcError as refused:
        return refused.code() in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        ) and bool(refused.details())
    return False


async def test_no_machine_or_co_op_has_a_hostile_name(used: Hostile) -> None:
    """A co-op's name of other signs is refused; a machine is given a plain name for its own."""
    operator = used.pool.operator
    given, taken = [], []
    for name in (*NO_NAMES, HUGE):
        seed, _ = new_user_key()
        join = operator.join(await operator.token("alpha"), seed, node_name=name)
        if name is not HUGE:
            given.append((await join).node)
        elif not await is_refused(join):
            taken.append("machine")
        coop = admin_pb2.Coop(coop=name, shares=1.0)
        if not await is_refused(operator.ask("SetCoop", coop)):
            taken.append(name[:80])
    coops = await operator.ask("ListCoops", admin_pb2.ListCoopsRequest())
    visit = await used.enter()
    await visit.go("#/exploitation/machines")
    await visit.page.locator(".nodes li").nth(len(NO_NAMES)).wait_for()
    headings = await visit.page.locator(".nodes .what bdi").all_inner_texts()

    assert [] == taken
    assert ["alpha", "beta"] == [each.coop for each in coops.coops]
    assert [] == [name for name in given if not ID_PATTERN.fullmatch(name)]
    assert set(given) < set(headings)
    assert [] == await harm(visit)


async def test_the_longest_names_fit(used: Hostile) -> None:
    """A machine and a co-op with names of 63 letters leave each view as wide as a phone."""
    operator = used.pool.operator
    await operator.ask("SetCoop", admin_pb2.Coop(coop=LONGEST, shares=1.0))
    node = await used.pool.join(LONGEST, coop=LONGEST)
    await node.send_hello()
    visit = await used.enter(size=PHONE)
    wide = []
    for route in ("#/", "#/coop", "#/exploitation/machines", "#/exploitation/cooperatives"):
        await visit.go(route)
        await visit.page.wait_for_load_state("load" if route == "#/" else "networkidle")
        if await visit.overflow_px() > 0:
            wide.append(route)
    headings = await visit.page.locator(".what bdi").all_inner_texts()
    title = await visit.page.title()

    assert [] == wide
    assert LONGEST in headings
    assert hostile("pool") in title
    assert [] == await harm(visit)


async def test_the_page_that_installs_shows_the_pools_name_as_text(used: Hostile) -> None:
    """The pool's name is markup to nobody on the page that a new machine's owner opens."""
    visit = await used.visitors.open()
    await visit.page.goto(f"{visit.url}/install")
    heading = await visit.page.inner_text("h1")

    assert "<img src=" in heading
    assert [] == await harm(visit)
