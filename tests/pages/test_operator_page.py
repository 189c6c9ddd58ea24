"""The operator's view in a real browser, on a scheduler with a bus."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.pages.operator_support import PARTS, Operated, operated, read_text
from tests.pages.support import LOOKS, PHONE, WIDE, Visit
from tests.scheduler.gateway_processes import running_gateway
from tests.scheduler.pool_support import MODEL
from tests.waiting import eventually

from entraide import __version__
from entraide.v1 import admin_pb2

pytestmark = [pytest.mark.engines, pytest.mark.needs("chromium|google-chrome")]

TABS_MAX = 60


@pytest_asyncio.fixture(loop_scope="session")
async def used(tmp_path: Path, browser: Browser) -> AsyncIterator[Operated]:
    async with operated(tmp_path, browser) as opened:
        yield opened


async def tab_to(visit: Visit, name: str) -> None:
    """Presses Tab until the element with this name has the focus."""
    for _ in range(TABS_MAX):
        await visit.page.keyboard.press("Tab")
        focused = await visit.page.evaluate(
            "(e => e.getAttribute('aria-label') || e.textContent.trim())(document.activeElement)"
        )
        if focused == name:
            return
    pytest.fail(f"Tab does not reach {name!r}")


async def test_a_machine_is_approved_by_the_keyboard_alone(used: Operated) -> None:
    """From the menu to the approval and the revocation of a node with Tab, Enter and Escape."""
    await used.approve_by_hand()
    await used.join("serre", "CA-ON")
    before = (await used.pool.operator.node("serre")).approval
    visit = await used.enter()
    await visit.go("#/")
    await tab_to(visit, "Exploitation")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".finding.node-waiting").wait_for()
    flaws = await visit.flaws()
    await visit.picture("operator-waiting")
    await tab_to(visit, "Approuver serre")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".finding.node-waiting").wait_for(state="detached")
    said = await visit.page.inner_text(".notice.good")
    approved = (await used.pool.operator.node("serre")).approval
    await tab_to(visit, "Machines")
    await visit.page.keyboard.press("Enter")
    await tab_to(visit, "Révoquer serre")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator("dialog").wait_for()
    flaws += await visit.flaws()
    await visit.picture("operator-revoke", full=False)
    await visit.page.keyboard.press("Escape")
    await visit.page.locator("dialog").wait_for(state="detached")
    kept = (await used.pool.operator.node("serre")).approval
    await visit.page.keyboard.press("Enter")
    await visit.page.locator("dialog").wait_for()
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".state-revoked").wait_for()

    assert [] == flaws + visit.errors + visit.foreign
    assert ("waiting", "approved", "approved") == (before, approved, kept)
    assert "revoked" == (await used.pool.operator.node("serre")).approval
    assert "serre est approuvée" in said


@pytest.mark.parametrize(("lang", "size", "scheme"), LOOKS)
async def test_each_part_is_read_by_everybody(
    used: Operated, lang: str, size: tuple[int, int], scheme: str
) -> None:
    """Every part stands in both languages, widths and colours, and axe-core finds no flaw."""
    await used.approve_by_hand()
    await used.join("serre", "CA-ON")
    visit = await used.enter(lang=lang, size=size, scheme=scheme)
    flaws: list[str] = []
    for part in PARTS:
        await visit.go(f"#/exploitation{part}")
        await visit.page.locator("h2").first.wait_for()
        await visit.settled()
        flaws += await visit.flaws()
        await visit.picture(f"operator{part}-{scheme}")

    assert [] == flaws
    assert [] == visit.errors
    assert [] == visit.foreign


@pytest.mark.parametrize(
    ("lang", "size", "words"),
    [
        ("fr", WIDE, ("En ligne, sans requête", "Sans nouvelles depuis", "Arrêtée dans les")),
        ("en", PHONE, ("Live, with no request", "Silent since", "Stopped on")),
    ],
)
async def test_gateways_beside_the_schedulers_own_are_shown(
    used: Operated, tmp_path: Path, lang: str, size: tuple[int, int], words: tuple[str, str, str]
) -> None:
    """Each with its state and version; none in a pool whose others have stopped in good order."""
    live, silent, stopped = words

    def states() -> list[str]:
        return [each.state for each in used.pool.gateways.list_gateways()]

    visit = await used.enter(lang=lang, size=size)
    shown: list[list[str]] = []
    flaws: list[str] = []

    async def look(name: str) -> None:
        await visit.go("#/")
        await visit.go("#/exploitation")
        await visit.page.locator("#op-doctor").wait_for()
        await visit.settled()
        cards = visit.page.locator("section[aria-labelledby=op-gateways] li")
        shown.append(await cards.all_inner_texts())
        flaws.extend(await visit.flaws())
        await visit.picture(f"operator-gateways-{name}")

    await look("none")
    async with running_gateway(tmp_path, used.bus, used.pool, "est") as east:
        async with running_gateway(tmp_path, used.bus, used.pool, "ouest"):
            await eventually(lambda: states() == ["live", "live"])
            await look("live")
        await eventually(lambda: states() == ["live", "stopped"])
        east.process.kill()
        await eventually(lambda: states() == ["silent", "stopped"])
        await look("silent")
    async with running_gateway(tmp_path, used.bus, used.pool, "est"):
        await eventually(lambda: states() == ["live", "stopped"])
    await eventually(lambda: states() == ["stopped", "stopped"])
    await look("stopped")

    assert [] == flaws + visit.errors + visit.foreign
    assert [0, 2, 2, 0] == [len(cards) for cards in shown]
    assert all(live in card and f"Version {__version__}" in card for card in shown[1])
    assert [True, True] == [silent in shown[2][0], stopped in shown[2][1]]


async def test_a_policy_is_changed_compared_and_rolled_back(used: Operated) -> None:
    """The page shows the lines that change, names faults, applies with a reason, and returns."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/politique")
    held = await page.locator("textarea").input_value()
    await page.locator("textarea").fill(held.replace('approval = "token"', 'approval = "nobody"'))
    await page.get_by_role("button", name="Vérifier").click()
    await page.locator(".notice.bad li").wait_for()
    await visit.picture("operator-faults")
    flaws = await visit.flaws()
    await page.get_by_role("button", name="Reprendre le texte en vigueur").click()
    taken_back = await page.locator("textarea").input_value()
    await page.locator("textarea").fill(held.replace('approval = "token"', 'approval = "hand"'))
    changed = [await page.locator(f".diff .{mark}").first.inner_text() for mark in ("gone", "new")]
    await page.get_by_role("button", name="Vérifier").click()
    await page.get_by_label("Raison", exact=True).fill("assemblée du 12 janvier")
    await page.get_by_role("button", name="Appliquer").click()
    await page.get_by_text("Toutes les versions").wait_for()
    await page.locator(".rows li").nth(1).wait_for()
    await visit.picture("operator-versions")
    flaws += await visit.flaws()
    applied = (await used.pool.operator.ask("GetPolicy", admin_pb2.GetPolicyRequest())).document
    await page.get_by_label("Raison d’un retour").fill("trop d’attente")
    await page.get_by_role("button", name="Revenir à").click()
    await page.locator("dialog .danger").click()
    await page.locator(".rows li").nth(2).wait_for()
    back = await used.pool.operator.ask("GetPolicy", admin_pb2.GetPolicyRequest())

    assert [] == flaws + visit.errors
    assert held == taken_back
    assert 'approval = "token"' in changed[0]
    assert 'approval = "hand"' in changed[1]
    assert b'approval = "hand"' in applied
    assert ("trop d’attente", True) == (back.reason, b'approval = "token"' in back.document)


async def test_a_key_is_shown_once_and_a_scenario_can_be_simulated(used: Operated) -> None:
    """The secret is gone when the page is opened again; the simulator reads the saved scenario."""
    visit = await used.enter()
    page = visit.page
    await visit.go("#/exploitation/cooperatives")
    await page.get_by_label("À quoi elle sert").fill("courriel")
    await page.get_by_role("button", name="Créer une clé").click()
    secret = await page.locator(".made code").inner_text()
    await page.get_by_role("button", name="Changer alpha").click()
    await page.get_by_role("button", name="Ajouter un quota").click()
    flaws = await visit.flaws()
    await visit.picture("operator-key")
    await page.get_by_role("button", name="Enregistrer").click()
    await page.locator(".notice.good").wait_for()
    await visit.go("#/exploitation/simulation")
    await page.get_by_text("Sur un autre ordinateur").click()
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Enregistrer le scénario").click()
    scenario = read_text(await (await saving.value).path())
    await page.get_by_text("Lire le scénario").click()
    flaws += await visit.flaws()
    await visit.picture("operator-scenario")
    (alpha, _) = (await used.pool.operator.ask("ListCoops", admin_pb2.ListCoopsRequest())).coops
    await visit.go("#/exploitation/cooperatives")
    await page.get_by_role("button", name="Révoquer courriel").wait_for()

    assert [] == flaws + visit.errors
    assert secret.startswith("ent_")
    assert secret not in await page.content()
    assert [("tokens", 1_000_000)] == [(quota.kind, quota.limit) for quota in alpha.quotas]
    assert "atelier-1" in scenario


async def test_an_auditor_reads_all_and_changes_nothing(used: Operated) -> None:
    """The same parts without a button or a field that would change the pool."""
    visit = await used.enter("auditor")
    buttons: set[str] = set()
    for part in PARTS:
        await visit.go(f"#/exploitation{part}")
        await visit.page.locator("h2").first.wait_for()
        await visit.settled()
        buttons |= set(await visit.page.locator("main button:visible").all_inner_texts())

    assert {"Copier", "Vérifier de nouveau"} == buttons
    assert [] == visit.errors


async def test_the_first_part_says_why_requests_wait(used: Operated) -> None:
    """With the only machine paused, the number of waiting requests and the reason come by
    themselves, and go when a machine takes them."""
    (node,) = used.nodes
    used.nodes.clear()  # its heartbeats are this test's
    await node.send_heartbeat(reason="paused")
    await eventually(lambda: not used.pool.driver.core.nodes()[0].accepting)
    visit = await used.enter()
    await visit.go("#/exploitation")
    question = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}
    async with used.pool.session(await used.pool.operator.key()) as session:
        asking = asyncio.create_task(session.post("/v1/chat/completions", json=question))
        line = visit.page.locator(".waiting li")
        await line.wait_for()
        said = await line.inner_text()
        flaws = await visit.flaws()
        await visit.picture("operator-requests-wait")
        await node.send_heartbeat()
        await eventually(lambda: node.runs)
        await line.wait_for(state="detached")
        asking.cancel()

    assert (True, []) == (
        said.startswith("1") and "aucune de celles qui conviennent" in said,
        flaws,
    )


ENGLISH = re.compile(  # names of classes and states in the code, that no French word equals
    r"(?i)\b(standard|batch|background|realtime|internal|restricted|confidential|live|paused|lost"
    r"|unseen|waiting|approved|revoked|ready|draining|queued|offered|running|completed|failed)\b"
)


async def test_a_page_in_french_has_no_english_name(used: Operated) -> None:
    """With requests of each class that wait for a paused machine, and machines in other states,
    chat, co-op, pool and operation name classes and states in French. The policy is a file, and
    has the words of files."""
    (node,) = used.nodes
    await used.approve_by_hand()
    await used.join("serre", "CA-ON")
    used.nodes.remove(node)  # its heartbeats are this test's
    await node.send_heartbeat(reason="paused")
    await eventually(lambda: not used.pool.driver.core.nodes()[0].accepting)
    visit = await used.enter()
    question = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}
    classes = ("interactive", "standard", "batch")
    parts = (f"#/exploitation{part}" for part in PARTS if part != "/politique")
    texts = {}
    async with used.pool.session(await used.pool.operator.key()) as session:
        for name in classes:
            body = {"path": "/v1/chat/completions", "request": question}
            kept = await session.post("/v1/jobs", json=body, headers={"X-Entraide-Class": name})
            assert 202 == kept.status, await kept.text()
        for part in ("#/", "#/chat", "#/coop", *parts):
            await visit.go(part)
            await visit.page.locator("h2, #question").first.wait_for()
            await visit.settled()
            texts[part] = await visit.page.inner_text("body")

    waiting = {job.job_class for job in used.pool.driver.core.jobs("alpha")}
    words = {part: ENGLISH.findall(text) for part, text in texts.items()}
    assert set(classes) == waiting
    assert {part: [] for part in texts} == words
    assert "une différée" in texts["#/"]
