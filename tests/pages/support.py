"""Real Chromium on the pages of a real gateway: visitors, each with a profile of its own."""

import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests import browser

SCREENSHOTS = os.environ.get("ENTRAIDE_SCREENSHOTS", "")  # a folder, for whoever will look at them
WAIT_MS = 60_000.0  # a guard: other tests' pools may share two slow cores
TOKENS_MAX = 48  # the toy model sometimes repeats a word up to the pool's limit
WIDE, PHONE = (browser.WIDE, 800), (browser.PHONE, 844)
LOOKS = (  # each two of a language, a window and colours stand together once
    ("fr", WIDE, "light"), ("fr", PHONE, "dark"), ("en", WIDE, "dark"), ("en", PHONE, "light"),
)  # fmt: skip
VIEWS = (("fr", PHONE), ("en", WIDE))  # French is the longer language


class Visit(browser.Visit):
    """A page of a pool, with all that it asked for and complained of."""

    def __init__(self, page: Page, url: str) -> None:
        super().__init__(page)
        self.url = url

    async def go(self, fragment: str) -> None:
        """Opens the page at a fragment, as from a link in a message."""
        await self.page.goto(f"{self.url}/{fragment}")
        await self.page.wait_for_selector("h1", state="attached")

    async def anew(self, fragment: str) -> None:
        """Opens the page at a fragment in a new document; the focus is at its start.

        From a page of the pool it is loaded again, since a browser that leaves a pool's page for a
        blank one and comes back starts two processes.
        """
        if self.page.url.startswith(self.url):
            await self.page.evaluate("to => history.replaceState(null, '', to)", fragment)
            await self.page.reload()
            await self.page.wait_for_selector("h1", state="attached")
        else:
            await self.go(fragment)

    async def settled(self) -> None:
        """Waits until nothing of the view is still being read."""
        await expect(self.page.locator("main .loading")).to_have_count(0, timeout=WAIT_MS)

    async def answers_are_short(self) -> None:
        """Limits the length of the answers to this page's questions, which the page does not."""

        async def limit(route: Route) -> None:
            body = json.loads(route.request.post_data or "{}")
            await route.continue_(post_data=json.dumps({**body, "max_tokens": TOKENS_MAX}))

        await self.page.route("**/v1/chat/completions", limit)

    @property
    def foreign(self) -> list[str]:
        """What was asked of any other host."""
        own = urlsplit(self.url).netloc
        return [
            address
            for address in self.requested
            if urlsplit(address).scheme not in ("data", "blob") and urlsplit(address).netloc != own
        ]

    @property
    def errors(self) -> list[str]:
        """Complaints but refusals of the pool, which the browser's console notes by itself."""
        return [text for text in self.complaints if "Failed to load resource" not in text]

    async def flaws(self) -> list[str]:
        """What axe-core finds on the page as it is, and whether it is wider than the window."""
        findings, wider_px = await self.accessibility_findings(), await self.overflow_px()
        return findings + ([f"{wider_px} px too wide"] if wider_px > 0 else [])

    async def picture(self, name: str, *, full: bool = True) -> None:
        """Keeps a screenshot where the environment names a folder for them."""
        if SCREENSHOTS:
            lang = await self.page.evaluate("document.documentElement.lang")
            width = await self.page.evaluate("innerWidth")
            path = Path(SCREENSHOTS) / f"{re.sub(r'[^a-z0-9]+', '-', name)}-{lang}-{width}.png"
            await self.page.screenshot(path=path, full_page=full)


class Visitors:
    """Opens pages of one pool, each in a profile of its own, as different people have."""

    def __init__(self, opened: Browser, url: str) -> None:
        self._browser, self._url = opened, url
        self._profiles: list[BrowserContext] = []

    async def open(
        self,
        *,
        lang: str = "fr",
        size: tuple[int, int] = WIDE,
        scheme: Any = "light",
        **options: Any,
    ) -> Visit:
        """Opens a blank page with a reader's language, size of window and colours."""
        context = await self._browser.new_context(
            locale=f"{lang}-CA", viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme, reduced_motion="reduce", **options,
        )  # fmt: skip
        self._profiles.append(context)
        context.set_default_timeout(WAIT_MS)
        return Visit(await context.new_page(), self._url)

    async def leave(self) -> None:
        """Closes all pages and forgets their profiles."""
        for context in self._profiles:
            await context.close()


@contextlib.asynccontextmanager
async def visitors(opened: Browser, url: str) -> AsyncIterator[Visitors]:
    """Visitors of one pool in a browser; their pages and profiles end with the block."""
    guests = Visitors(opened, url.rstrip("/"))
    try:
        yield guests
    finally:
        await guests.leave()
