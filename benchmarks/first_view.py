"""Time until the first view of a pool's pages shows its content, on a slow line.

    python -m benchmarks.first_view [--repeat N]

Starts the demonstration, and opens `/` in the system's Chromium N times, each in a fresh profile,
at 10 Mbit/s and 40 ms of round trip (the browser's own throttling,
``Network.emulateNetworkConditions``). Prints JSON: the seconds until the machines are on the page,
median and longest, and the bytes that came, compressed. The limit is 1.5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

LIMIT_S = 1.5
BYTES_PER_S = 10_000_000 / 8
ROUND_TRIP_MS = 40
CONTENT = ".machines li"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")  # fmt: skip


def entraide(state: Path, *words: str) -> None:
    """Runs an ``entraide`` command on the pool of a folder."""
    command = [sys.executable, "-m", "entraide.cli", *words, "--state", str(state)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)


async def view_once(browser: Browser, url: str) -> tuple[float, int]:
    """Opens the page once; returns the seconds until its content stands, and the bytes received."""
    context = await browser.new_context(locale="fr-CA")
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    await session.send("Network.enable")
    await session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": ROUND_TRIP_MS, "downloadThroughput": BYTES_PER_S,
         "uploadThroughput": BYTES_PER_S},
    )  # fmt: skip
    await page.goto(url, wait_until="commit")
    await page.locator(CONTENT).first.wait_for(state="attached")
    took_ms = await page.evaluate("performance.now()")  # since the navigation began
    await context.close()
    return took_ms / 1_000, int(sum(received))


async def measure(url: str, repeat: int) -> dict[str, Any]:
    """Opens the page several times, after once that warms the browser."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        await view_once(browser, url)
        views = [await view_once(browser, url) for _ in range(repeat)]
        await browser.close()
    times = [seconds for seconds, _ in views]
    return {
        "limit_s": LIMIT_S,
        "content_median_s": round(statistics.median(times), 3),
        "content_longest_s": round(max(times), 3),
        "bytes_compressed": max(size for _, size in views),
        "views": repeat,
    }


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=9)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "pool"
        try:
            entraide(state, "up", "--detach", "--nodes", "2")
            url = json.loads((state / "pool.json").read_bytes())["http"]
            summary = asyncio.run(measure(url, repeat))
        finally:
            entraide(state, "down")
    print(json.dumps(summary, indent=2))
    return 0 if summary["content_median_s"] < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
