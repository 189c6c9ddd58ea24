"""A real Chromium, driven by Playwright: what tests of pages open, read and check with axe-core.

The browser is the system's own; Playwright fetches none.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Literal

import psutil
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NEEDS = "chromium|google-chrome"  # of the marker `needs`
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, PHONE = 1_280, 390  # CSS pixels
CLOSE_S = 30.0  # a busy machine closes a browser in less
# Only violations are looked at: describing each element that passes takes most of axe-core's time.
FIND_VIOLATIONS = """async tags => {
    const options = {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']};
    return (await axe.run(options)).violations;
}"""
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@contextlib.asynccontextmanager
async def chromium(*, program: str | None = None, home: str = "") -> AsyncIterator[Browser]:
    """A browser that ends with the block.

    Args:
        program: what starts it; None for the system's own.
        home: home folder, which has the certificate authorities that it trusts; "" for ours.
    """
    env: dict[str, str | float | bool] = {**os.environ, **({"HOME": home} if home else {})}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program or CHROMIUM, args=list(FLAGS), timeout=60_000, env=env
        )
        try:
            yield browser
        finally:
            await _close(browser)


async def _close(browser: Browser) -> None:
    """Closes a browser; one that does not answer any more is killed, with Playwright's driver."""
    closing = asyncio.ensure_future(browser.close())
    done, _ = await asyncio.wait((closing,), timeout=CLOSE_S)
    if done:
        await closing
        return
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "chrom" in process.name() or "node" in process.name():
                process.kill()
    with contextlib.suppress(Exception):  # the driver that would tell is gone
        await asyncio.wait_for(closing, CLOSE_S)


class Visit:
    """A page of a fresh profile, and what it asked for and complained of.

    Attributes:
        page: Playwright's page.
        requested: address of each request, in order.
        complaints: errors of scripts, of the console and of the content security policy.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text) if message.type == "error" else None
            ),
        )

    async def accessibility_findings(self) -> list[str]:
        """Returns what axe-core finds in the page as it is: rule, help and elements."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE_SCRIPT)
        violations = await self.page.evaluate(FIND_VIOLATIONS, list(WCAG))
        return [
            f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes']]}"
            for each in violations
        ]

    async def overflow_px(self) -> int:
        """Returns how many pixels the page is wider than its window."""
        width = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return int(width)

    async def focused(self) -> str:
        """Returns the name, else the identifier, else the text of the element with the focus."""
        text = await self.page.evaluate(
            "(e => e.name || e.id || e.textContent.trim())(document.activeElement)"
        )
        return str(text)

    async def is_focus_covered(self) -> bool:
        """Whether something else lies over the middle of the element with the focus."""
        covered = await self.page.evaluate(
            """() => {
                const focused = document.activeElement, box = focused.getBoundingClientRect();
                const top = document.elementFromPoint(
                    box.x + box.width / 2, box.y + box.height / 2);
                return !top || !(focused.contains(top) || top.contains(focused));
            }"""
        )
        return bool(covered)

    async def tab_to(self, name: str, *, presses_max: int = 200) -> None:
        """Presses Tab until ``focused`` is a name; fails if that never happens."""
        for _ in range(presses_max):
            if await self.focused() == name:
                return
            await self.page.keyboard.press("Tab")
        msg = f"Tab does not reach {name!r}"
        raise AssertionError(msg)


@contextlib.asynccontextmanager
async def visit(
    browser: Browser,
    url: str,
    *,
    lang: Literal["fr-CA", "en-CA"] = "fr-CA",
    width: int = WIDE,
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> AsyncIterator[Visit]:
    """A page opened in a fresh profile, without cookies.

    Args:
        browser: of ``chromium``.
        url: address of the page.
        lang: the browser's language.
        width: of the window, CSS pixels.
        scheme: whether the reader prefers light or dark.
        scripts: whether the browser runs scripts.
    """
    context = await browser.new_context(
        locale=lang, viewport={"width": width, "height": 900}, color_scheme=scheme,
        java_script_enabled=scripts, is_mobile=width == PHONE, has_touch=width == PHONE,
    )  # fmt: skip
    try:
        opened = Visit(await context.new_page())
        await opened.page.goto(url)
        yield opened
    finally:
        await context.close()
