"""A pool with people who use its pages, whose machines the test answers for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.async_api import Browser
from tests.pages.support import Visit, Visitors, visitors
from tests.scheduler.gateway_support import NodeRun, Pool, chunk, open_pool
from tests.scheduler.people_support import add_person, open_people

from entraide_scheduler.core import events as e
from entraide_scheduler.people import OPERATOR, People

BEAT_S = 0.5


class UsedPool(Struct):
    """A pool, its people, and browsers to visit it."""

    pool: Pool
    people: People
    visitors: Visitors

    async def link(self, name: str = "Ada", coop: str = "gamma", **fields: str) -> str:
        """The fragment of a one-time link for a new person."""
        person = await add_person(self.people, coop=coop, name=name, **fields)
        return await self.link_of(person.person)

    async def link_of(self, person: str) -> str:
        """The fragment of a one-time link for a person."""
        return f"#/entrer/{(await self.people.make_link(OPERATOR, person)).token}"

    async def enter(
        self, name: str = "Ada", coop: str = "gamma", *, role: str = "person", **options: Any
    ) -> Visit:
        """A page in which a new person has signed in."""
        visit = await self.visitors.open(**options)
        await visit.go(await self.link(name, coop, role=role))
        await visit.page.locator("main button").click()
        await visit.page.locator(".who").wait_for()
        return visit

    async def chat(self, name: str = "Ada", coop: str = "gamma", **options: Any) -> Visit:
        """A page on which a new person is about to write a question."""
        visit = await self.enter(name, coop, **options)
        await visit.go("#/chat")
        await visit.page.locator("#model option").first.wait_for(state="attached")
        return visit

    async def asked(self, visit: Visit, question: str) -> NodeRun:
        """Asks a question on the page; returns the run that a machine was given for it."""
        await visit.page.fill("#question", question)
        await visit.page.keyboard.press("Enter")
        run = await self.pool.placed()
        run.accept()
        return run

    async def answered(self, visit: Visit, question: str, *parts: str) -> NodeRun:
        """Asks a question and answers it; returns once the receipt is on the page."""
        before = await visit.page.locator(".receipt-line").count()
        run = await self.asked(visit, question)
        finish(run, *parts)
        await visit.page.locator(".receipt-line").nth(before).wait_for()
        return run


def finish(run: NodeRun, *parts: str) -> None:
    """Answers a run that was accepted, in these parts."""
    if parts:
        run.tokens(*parts)
    run.end(final=chunk("", "stop"))
    run.report()


@contextlib.asynccontextmanager
async def used_pool(folder: Path, browser: Browser, **options: Any) -> AsyncIterator[UsedPool]:
    """A pool whose machines send heartbeats, however slow its visitors' browser is."""
    async with open_pool(folder, **options) as pool:
        names = tuple(sorted(node.node for node in options.get("joined", ())) or ("n1", "n2"))

        async def beat() -> None:
            while True:
                pool.driver.feed(e.NodesSeen(*e.UNNUMBERED, nodes=names))
                for run in pool.runs:
                    if not run.is_reported:
                        run.progress()
                await asyncio.sleep(BEAT_S)

        beating = asyncio.create_task(beat())
        try:
            async with visitors(browser, pool.gateway.url) as guests:
                yield UsedPool(pool, await open_people(pool), guests)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
