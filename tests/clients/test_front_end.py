"""A chat front end from its package, pointed at a pool: a user signs in, asks and reads the answer.

Nothing stands in between: the server of Open WebUI, the pool with its real engine, and Chromium.
"""

from pathlib import Path

import pytest
from tests.browser import NEEDS, chromium, visit
from tests.clients.open_webui import add_people, running_open_webui
from tests.clients.pool import QUESTION, TEXT_MODEL, ClientPool

pytestmark = [
    pytest.mark.engines,
    pytest.mark.clients,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]

ANSWER_MS = 240_000.0  # of a small machine, Open WebUI's own start included
EMAIL, PASSWORD = "jo@example.org", "un-autre-mot-9"


@pytest.mark.needs(NEEDS)
@pytest.mark.parametrize("client", ["open-webui"])
async def test_a_user_asks_in_the_page(client: str, pool: ClientPool, tmp_path: Path) -> None:
    """The page lists the pool's model, sends the question, and shows the pool's answer."""
    async with running_open_webui(pool, tmp_path / "server") as url:
        await add_people(url, email=EMAIL, password=PASSWORD)
        async with chromium() as browser, visit(browser, f"{url}/auth", lang="en-CA") as opened:
            page = opened.page
            page.set_default_timeout(ANSWER_MS)
            await page.fill("input[type=email]", EMAIL)
            await page.fill("input[type=password]", PASSWORD)
            await page.keyboard.press("Enter")
            await page.get_by_text(TEXT_MODEL).first.wait_for()
            await page.fill("#chat-input", QUESTION)
            await page.keyboard.press("Enter")
            answer = await page.locator(".chat-assistant", has_text=".").first.inner_text()

    assert "is 4." in answer
