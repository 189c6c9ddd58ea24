"""A real Chromium on the pages of a real gateway, and what a test notes of it."""

import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SCREENSHOTS = os.environ.get(
    "ENTRAIDE_SCREENSHOTS", ""
)  # a folder, where somebody will look at them
WAIT_MS = 20_000.0
WIDE, PHONE = (1280, 800), (390, 844)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
# The rules of WCAG 2.2 AA, and what axe-core's authors hold for good practice.
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


class Visit:
    """A page in a browser of its own, with all that it asked for and all that went wrong in it.

    Attributes:
        page: the page.
        requests: addresses that the browser asked for, in order.
        errors: what the page threw or its console called an error.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._on_console)

    def _on_console(self, message: Any) -> None:
        # A refusal of the pool is an answer that the page handles; the console notes it by itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    async def go(self, fragment: str) -> None:
        """Opens the page at a fragment, as from a link in a message."""
        await self.page.goto(f"{self.url}/{fragment}")
        await self.page.wait_for_selector("h1")

    @property
    def foreign(self) -> list[str]:
        """What was asked of any other host."""
        own = ("", urlsplit(self.url).netloc)
        return [address for address in self.requests if urlsplit(address).netloc not in own]

    async def flaws(self) -> list[str]:
        """What axe-core finds on the page as it is now, and whether it is wider than the window."""
        violations = (await Axe().run(self.page, options=AXE)).response["violations"]
        flaws = [
            f"{flaw['id']}: {flaw['help']}: {node['html'][:120]} {node.get('failureSummary', '')}"
            for flaw in violations
            for node in flaw["nodes"]
        ]
        width = await self.page.evaluate("document.documentElement.scrollWidth")
        return flaws + ([f"{width} px wide"] if width > self.page.viewport_size["width"] else [])

    async def picture(self, name: str, *, full: bool = True) -> None:
        """Keeps a screenshot where the environment names a folder for them."""
        if SCREENSHOTS:
            lang = await self.page.evaluate("document.documentElement.lang")
            width = self.page.viewport_size["width"]
            path = Path(SCREENSHOTS) / f"{re.sub(r'[^a-z0-9]+', '-', name)}-{lang}-{width}.png"
            await self.page.screenshot(path=path, full_page=full)


class Visitors:
    """Opens pages of one pool, each in a browser context of its own, as different people have."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url

    async def open(
        self,
        *,
        lang: str = "fr",
        size: tuple[int, int] = WIDE,
        scheme: Any = "light",
        **options: Any,
    ) -> Visit:
        """Opens a blank page with a reader's language, size of window and colours."""
        context: BrowserContext = await self._browser.new_context(
            locale=f"{lang}-CA", viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme, reduced_motion="reduce", **options,
        )  # fmt: skip
        context.set_default_timeout(WAIT_MS)
        return Visit(await context.new_page(), self._url)


@contextlib.asynccontextmanager
async def visitors(url: str) -> AsyncIterator[Visitors]:
    """A browser; it and all its pages end with the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield Visitors(browser, url.rstrip("/"))
        finally:
            await browser.close()
