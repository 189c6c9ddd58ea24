"""A chat front end from its package, pointed at a pool: a user signs in, asks and reads the answer.

Nothing stands in between: the server of Open WebUI, the pool with its real engine, and Chromium.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.clients.open_webui import (
    add_people,
    press_enter,
    running_open_webui,
    type_into,
    until,
)
from tests.clients.pool import QUESTION, TEXT_MODEL, ClientPool
from tests.sim import browser

pytestmark = [
    pytest.mark.engines,
    pytest.mark.clients,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]

ANSWER = (
    "document.querySelector('.chat-assistant')?.innerText.includes('.') &&"
    " document.querySelector('.chat-assistant').innerText"
)
EMAIL, PASSWORD = "jo@example.org", "un-autre-mot-9"


@pytest.mark.needs("chromium|google-chrome")
@pytest.mark.parametrize("client", ["open-webui"])
async def test_a_user_asks_in_the_page(client: str, pool: ClientPool, tmp_path: Path) -> None:
    """The page lists the pool's model, sends the question, and shows the pool's answer."""
    blank = tmp_path / "blank.html"
    blank.write_text("<title>blank</title>")
    async with running_open_webui(pool, tmp_path / "server") as url:
        await add_people(url, email=EMAIL, password=PASSWORD)
        async with browser.opened(blank, tmp_path / "browser") as page:
            await page.call("Page.navigate", url=f"{url}/auth")
            await type_into(page, "input[type=email]", EMAIL)
            await type_into(page, "input[type=password]", PASSWORD)
            await press_enter(page)
            await until(page, f"document.body.innerText.includes({TEXT_MODEL!r})")
            await type_into(page, "#chat-input", QUESTION)
            await press_enter(page)
            answer: Any = await until(page, ANSWER)

    assert "is 4." in answer
