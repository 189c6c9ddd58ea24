"""What the running pool finds, in a real browser: with its time, its remedy and its command."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.pages.operator_support import Operated, operated
from tests.pages.support import PHONE, WIDE
from tests.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[Operated]:
    async with operated(tmp_path, browser) as opened:
        yield opened


@pytest.mark.parametrize(
    ("lang", "size", "words"),
    [
        ("fr", WIDE, ("Machines dont le moteur s’est arrêté", "Depuis le", "Copier")),
        ("en", PHONE, ("Machines whose engine has stopped", "Since", "Copy")),
    ],
)
async def test_a_stopped_engine_is_told_with_its_time_and_its_command(
    used: Operated, lang: str, size: tuple[int, int], words: tuple[str, str, str]
) -> None:
    """The first part has it among what needs a hand, though the machine's own line has nothing."""
    (node,) = used.nodes
    used.nodes.clear()  # its heartbeats are this test's
    await node.send_heartbeat(reason="engine_down")
    await eventually(lambda: not used.pool.driver.core.nodes()[0].accepting)
    visit = await used.enter(lang=lang, size=size)
    await visit.go("#/exploitation")
    line = visit.page.locator(".finding", has_text=words[0])
    await line.wait_for()
    text = await line.inner_text()
    await line.get_by_role("button", name=words[2]).click()
    flaws = await visit.flaws()
    await visit.picture(f"operator-finding-{lang}")

    assert node.name in text
    assert words[1] in text
    assert "entraide node doctor" in text
    assert [] == flaws + visit.errors + visit.foreign


async def test_a_test_message_says_who_was_reached(used: Operated, tmp_path: Path) -> None:
    """The button names each recipient; one whose server is away, with the reason."""
    visit = await used.enter(lang="en")
    await visit.go("#/exploitation")
    button = visit.page.get_by_role("button", name="Send a test message")
    await button.click()
    await visit.page.get_by_text("Nobody is told").wait_for()
    (tmp_path / "key").write_text("A" * 40)
    (tmp_path / "notify.toml").write_text(
        '[[webhook]]\nurl = "http://127.0.0.1:1/secret-path"\nsecret_file = "key"\n'
    )
    await button.click()
    line = visit.page.locator(".notified li")
    await line.wait_for()
    text = await line.inner_text()

    assert text.startswith("127.0.0.1:1: ")
    assert "secret-path" not in text
    assert [] == await visit.flaws() + visit.errors + visit.foreign
