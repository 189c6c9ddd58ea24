"""A scheduler in which all that can have a name has a hostile one, and browsers that visit it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.async_api import Browser
from tests.core.builders import entry, replica
from tests.integration.nats_support import running_pool
from tests.operations import operations_at_equal_priority
from tests.pages.support import Visit, Visitors, visitors
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide import catalogue as documents
from entraide.models import Catalogue
from entraide.types import Basis, Power
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.nats import Identity, new_user_key

BEACON = "http://beacon.example/x"
HEBREW = "\u05d0\u05d1\u05d2"
HUGE = "x" * 1_000_000
BEAT_S = 0.5
SENTENCES_MAX = 20_000  # characters of a view
SMALL = "petit-essai"
SMTP = '[smtp]\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\nfrom = "parc@example.coop"\n'


def hostile(field: str) -> str:
    """Markup that would run and ask for a picture, after a word from right to left and a number."""
    return f"{HEBREW} 12 {field} <img src={BEACON} onerror=ran=1>"


# Every name that a configuration may give: of the pool, and of a model of its catalogue.
CONFIG = f"pool = {json.dumps(hostile('pool'))}\n{SMTP}"
ENTRY = entry(SMALL, title=hostile("title"), licence=hostile("licence"))
COLLECT = """() => [...document.querySelectorAll('input, textarea, select')].map(
    each => (each.labels?.[0]?.textContent || each.id || each.name || '?').trim())"""
OPEN = """() => document.querySelectorAll('main button[aria-expanded=false], main summary')
    .forEach(each => each.click())"""
# Texts with letters from right to left that would reorder what stands beside them.
BARE = """() => {
    const found = [], walker = document.createTreeWalker(app, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode, parent = text.parentElement;
        if (parent.closest('bdi, [dir=auto], option, textarea, pre, code, .diff')) continue;
        if (/[\\u0590-\\u05ff]/.test(text.data.replace(/\\u2068[^\\u2069]*\\u2069/g, '')))
            found.push(`${parent.localName}.${parent.className}: ${text.data}`);
    }
    return found;
}"""


class Hostile(Struct):
    """A scheduler whose names are hostile, and browsers to visit it."""

    pool: RunningScheduler
    visitors: Visitors
    nodes: list[ScriptedNode]

    async def fill(self) -> None:
        """Stores a hostile text wherever the API takes one."""
        ask, coop = self.pool.operator.ask, "alpha"
        for role, field in (("person", "colleague"), ("coop_admin", "colleague")):
            name = hostile(field)
            added = admin_pb2.AddPersonRequest(coop=coop, name=name, role=role, project=name)
            await ask("AddPerson", added)
        key = admin_pb2.CreateKeyRequest(
            coop=coop, project=hostile("project"), label=hostile("label")
        )
        await ask("CreateKey", key)
        terms = admin_pb2.Quota(
            kind="tokens", limit=1_000_000, period="day", project=hostile("quota")
        )
        await ask("SetCoop", admin_pb2.Coop(coop=coop, shares=1.0, quotas=[terms]))
        await self.join()
        held = await ask("GetPolicy", admin_pb2.GetPolicyRequest())
        change = admin_pb2.ApplyPolicyRequest(
            document=held.document.replace(b'approval = "token"', b'approval = "hand"'),
            author=hostile("author"),
            reason=hostile("reason"),
        )
        await ask("ApplyPolicy", change)

    async def join(self) -> None:
        """A machine joins and says of itself what its card has room for."""
        seed, public = new_user_key()
        operator = self.pool.operator
        joined = await operator.join(
            await operator.token("alpha"), seed, node_name=hostile("node"), site=hostile("site")
        )
        identity = Identity(joined.jwt, seed, subjects.node_inbox(public))
        node = await self.pool.enter(joined.node, identity, list(joined.nats_urls))
        vouched = admin_pb2.VouchNodeRequest(
            node=joined.node, controlled_by="member", evidence="contract",
            document=hostile("document"),
        )  # fmt: skip
        await operator.ask("VouchNode", vouched)
        await node.send_hello(
            site=hostile("site"), agent=hostile("agent"), replicas=(replica(hostile("model")),),
            power=Power(hostile("device"), 10.0, 110.0, Basis.DECLARED),
        )  # fmt: skip
        await eventually(lambda: node.received(m.Welcome))
        self.nodes.append(node)

    async def beat(self) -> None:
        while True:
            for node in self.nodes:
                await node.send_heartbeat()
            await asyncio.sleep(BEAT_S)

    async def enter(self, role: str = "operator", **options: Any) -> Visit:
        """A page in which a person with a hostile name has signed in."""
        visit = await self.visitors.open(**options)
        person = admin_pb2.AddPersonRequest(coop="alpha", name=hostile("person"), role=role)
        added = await self.pool.operator.ask("AddPerson", person)
        link = admin_pb2.MakeSigninLinkRequest(person=added.person)
        made = await self.pool.operator.ask("MakeSigninLink", link)
        await visit.go(f"#/entrer/{made.link.rpartition('/')[2]}")
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()
        return visit


@contextlib.asynccontextmanager
async def hostile_pool(folder: Path, browser: Browser) -> AsyncIterator[Hostile]:
    """A scheduler with a bus, filled with hostile names, whose machine sends heartbeats."""
    (folder / "models.json").write_bytes(documents.write(Catalogue(1, 1.0, (ENTRY,))))
    async with contextlib.AsyncExitStack() as parts:
        parts.enter_context(operations_at_equal_priority())
        bus = await parts.enter_async_context(running_pool(folder))
        pool = await parts.enter_async_context(running_scheduler(folder, bus, CONFIG))
        guests = await parts.enter_async_context(visitors(browser, pool.gateway.url))
        opened = Hostile(pool, guests, [])
        await opened.fill()
        beating = asyncio.create_task(opened.beat())
        try:
            yield opened
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def has_run(visit: Visit) -> bool:
    """Whether a script that was written has run on the page as it is open now."""
    return bool(await visit.page.evaluate("'ran' in window"))


async def look(visit: Visit, route: str) -> None:
    """Opens a view anew, with all its forms, once it has loaded; nothing ran on the one before."""
    assert not await has_run(visit)
    await visit.anew(route)
    await visit.page.wait_for_load_state("networkidle" if route != "#/" else "load")
    if route == "#/":
        await visit.page.locator(".machines li").first.wait_for()
    await visit.page.evaluate(OPEN)


async def harm(visit: Visit) -> list[str]:
    """Whatever ran, was asked of somebody else, or broke the page."""
    ran = await has_run(visit)
    beacons = [url for url in visit.requested if "beacon" in url.partition("#")[0]]
    return [*(["ran"] if ran else []), *visit.foreign, *visit.errors, *beacons]


async def fields_of(visit: Visit) -> set[str]:
    """Labels of the fields of the view as it stands."""
    return {str(name) for name in await visit.page.evaluate(COLLECT)}
