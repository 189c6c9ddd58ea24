"""A real browser, spoken to over its own debugging protocol, for pages that are files."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DEADLINE_S = 60.0
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", "--remote-debugging-port=0")  # fmt: skip


class Page:
    """One page of a browser; ``heard`` are the events that it sent, by name."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def call(self, method: str, **params: Any) -> Any:
        """Calls a method of the protocol and returns its result."""
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]
            self.heard.append((message["method"], message["params"]))

    async def evaluate(self, expression: str) -> Any:
        """Returns what an expression of JavaScript comes to."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def resize(self, *, width: int, height: int) -> None:
        """Shows the page as a phone of this size does, in CSS pixels."""
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=1, mobile=True)  # fmt: skip

    async def open(self, path: Path) -> None:
        """Opens a file, and returns once it is loaded."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=path.as_uri())
        while not any(name == "Page.loadEventFired" for name, _ in self.heard):
            message = await self._socket.receive_json()
            if "method" in message:
                self.heard.append((message["method"], message["params"]))


@contextlib.asynccontextmanager
async def opened(file: Path, home: Path) -> AsyncIterator[Page]:
    """A browser with a file open; it and all its children end with the block."""
    assert CHROMIUM is not None
    process = subprocess.Popen(  # noqa: ASYNC220  # started at once; nothing waits on it
        [CHROMIUM, *FLAGS, f"--user-data-dir={home}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
            port = await _port(home / "DevToolsActivePort")
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [tab for tab in await answer.json() if tab["type"] == "page"]
            address = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                await page.open(file)
                yield page
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _port(file: Path) -> int:
    """The port that the browser chose, once it has told it."""
    while True:
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(file.read_text().splitlines()[0])  # noqa: ASYNC240  # two lines
        await asyncio.sleep(0.05)
