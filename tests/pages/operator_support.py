"""The operator's page on a scheduler with a bus: who visits it, and the machines that it shows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.async_api import Browser
from tests.integration.nats_support import NatsPool, running_pool
from tests.operations import operations_at_equal_priority
from tests.pages.support import Visit, Visitors, visitors
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide.v1 import admin_pb2
from entraide.wire import messages as m

PARTS = ("", "/machines", "/cooperatives", "/modeles", "/reseau", "/politique", "/simulation")
BEAT_S = 0.5


class Operated(Struct):
    """A scheduler on its bus, and browsers to visit it."""

    bus: NatsPool
    pool: RunningScheduler
    visitors: Visitors
    nodes: list[ScriptedNode]

    async def join(self, name: str, zone: str = "CA-QC", **card: Any) -> ScriptedNode:
        """A machine joins, says hello until it is answered, and then sends heartbeats."""
        node = await self.pool.join(name, zone=zone)
        await node.send_hello(**card)
        await eventually(lambda: node.received(m.Welcome) or node.received(m.ApprovalPending))
        self.nodes.append(node)
        return node

    async def beat(self) -> None:
        """Sends the heartbeats of all machines, however slow the browser is."""
        while True:
            for node in self.nodes:
                if node.received(m.Welcome):
                    await node.send_heartbeat()
            await asyncio.sleep(BEAT_S)

    async def enter(self, role: str = "operator", **options: Any) -> Visit:
        """A page in which a person of a role has signed in."""
        visit = await self.visitors.open(**options)
        ask = self.pool.operator.ask
        added = await ask(
            "AddPerson", admin_pb2.AddPersonRequest(coop="alpha", name="Solène Roy", role=role)
        )
        made = await ask("MakeSigninLink", admin_pb2.MakeSigninLinkRequest(person=added.person))
        await visit.go(f"#/entrer/{made.link.rpartition('/')[2]}")
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()
        return visit

    async def approve_by_hand(self) -> None:
        """Puts a policy into force under which a machine with an invitation waits."""
        held = await self.pool.operator.ask("GetPolicy", admin_pb2.GetPolicyRequest())
        document = held.document.replace(b'approval = "token"', b'approval = "hand"')
        request = admin_pb2.ApplyPolicyRequest(
            document=document, author="Solène", reason="assembly of 12 January"
        )
        await self.pool.operator.ask("ApplyPolicy", request)


@contextlib.asynccontextmanager
async def operated(folder: Path, browser: Browser) -> AsyncIterator[Operated]:
    """A scheduler with a machine at work."""
    async with contextlib.AsyncExitStack() as parts:
        parts.enter_context(operations_at_equal_priority())
        bus = await parts.enter_async_context(running_pool(folder))
        pool = await parts.enter_async_context(running_scheduler(folder, bus))
        guests = await parts.enter_async_context(visitors(browser, pool.gateway.url))
        used = Operated(bus, pool, guests, [])
        await used.join("atelier-1")
        beating = asyncio.create_task(used.beat())
        try:
            yield used
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)


def read_text(path: Path) -> str:
    """What a saved file holds."""
    return path.read_text("utf-8")
