"""People of two co-ops at the pages of the pool that the founding guide makes.

The pool, both sites and the people's computer are hosts of the testbed; the commands are those of
the French guides. The people's browser is a real Chromium, which trusts the pool's authority as the
guide says; the engines and the model are real.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error
from tests.browser import CHROMIUM, NEEDS, chromium
from tests.pages.support import Visit, Visitors, visitors
from tests.testbed.federation import COOP, LIVE_S, Federation
from tests.testbed.guides import POOL
from tests.testbed.hosts import Host, running_testbed

pytestmark = [
    pytest.mark.engines,
    pytest.mark.needs(NEEDS, "certutil"),
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

QUESTIONS = ("Bonjour", "Qui es-tu ?", "Et ensuite ?", "Pourquoi ?", "Merci")
LONG = "Write a long story about a cat."  # the small model answers it at length
MARKS = ("azur-7319", "ocre-4826")  # of each person's questions; no model writes the other's
ANSWER_MS = 180_000.0
QUIET_READINGS = 10  # of an engine's processor time, a poll of the testbed apart, without a change
BUSY_S = 0.3  # processor time that an engine has used on an answer under way
OUT = "Il faut entrer d’abord"


class People:
    """The founded pool, its engines, and what the guide gives to people.

    Attributes:
        links: the fragments of the one-time links that the operator's commands printed.
    """

    def __init__(self, federation: Federation, folder: Path) -> None:
        self.federation = federation
        self.client = federation.client
        self._program = folder / "chromium-of-client"
        namespace = federation.bed.network.namespace(self.client.name)
        self._program.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} {CHROMIUM} "$@"\n')
        self._program.chmod(0o755)
        printed = federation.founding.run("people", federation.pool).out
        self.links = [f"#/{word.partition('#/')[2]}" for word in printed.split() if "#/" in word]
        federation.founding.run("trust", self.client)

    @asynccontextmanager
    async def browser(self, home: Path) -> AsyncIterator[Browser]:
        """A browser on the people's computer, which trusts the authorities of a home folder."""
        async with chromium(program=str(self._program), home=str(home)) as opened:
            yield opened

    def link(self, coop: str, name: str) -> str:
        """The fragment of a link for one more person, added by the operator's command."""
        command = f"entraide people add {coop} '{name}' --json --state ~/parc"
        made = json.loads(self.federation.pool.run(command).out)
        return f"#/{made['link'].partition('#/')[2]}"

    async def until(self, condition: Any, what: str, within_s: float = LIVE_S) -> None:
        """Waits until a condition holds, while the browser goes on."""
        await asyncio.to_thread(self.federation.bed.until, condition, what, within_s)

    def is_ready(self) -> bool:
        """Whether the pool accepts requests."""
        asked = f"curl --silent --fail --cacert parc.pem {POOL}/readyz"
        return self.client.run(asked, check=False).status == 0

    def running(self) -> int:
        """Requests on machines, as the pool's status says."""
        return int(self.federation.status()["running"])

    def engines_s(self) -> float:
        """Processor time of all engines of both sites, seconds."""
        used_s = 0.0
        for host in self.federation.sites.values():
            for process in processes_of(self.federation, host):
                if "llamacpp_child" in " ".join(process.cmdline()):
                    times = process.cpu_times()
                    used_s += times.user + times.system
        return used_s

    async def until_idle(self) -> None:
        """Waits until no request runs, and no engine has computed for a while."""
        readings: list[float] = []

        def is_quiet() -> bool:
            readings.append(self.engines_s())
            return len(readings) > QUIET_READINGS and readings[-1] == readings[-QUIET_READINGS]

        await self.until(lambda: self.running() == 0, "no request runs")
        await self.until(is_quiet, "the engines are idle")


def processes_of(federation: Federation, host: Host) -> list[psutil.Process]:
    """The processes in a host's namespace."""
    command = ["ip", "netns", "pids", federation.bed.network.namespace(host.name)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    pids = [int(pid) for pid in listed.stdout.split()]
    return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """A pool with a live machine at each site, and people of both co-ops."""
    with running_testbed(has_bare=False) as bed:
        federation = Federation(bed)
        federation.found()
        federation.join("b")
        federation.install("a")
        federation.until_live(*COOP)
        yield People(federation, tmp_path_factory.mktemp("browser"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusting(people: People) -> AsyncIterator[Browser]:
    """The browser of the people's computer, which trusts the pool."""
    async with people.browser(people.client.home) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def guests(trusting: Browser) -> AsyncIterator[Visitors]:
    """Visitors of the pool; they leave with the test."""
    async with visitors(trusting, POOL) as opened:
        yield opened


async def enter(guests: Visitors, fragment: str) -> Visit:
    """A page on which the person of a link has signed in, ready for a question."""
    visit = await guests.open(lang="fr")
    await visit.go(fragment)
    await visit.page.get_by_role("button", name="Entrer", exact=True).click()
    await visit.page.locator("#model option").first.wait_for(state="attached")
    return visit


async def invited(admin: Visit, name: str) -> str:
    """The fragment of the link that a co-op's admin gets on the page for a colleague."""
    await admin.go("#/coop")
    await admin.page.locator("form.add input[name=name]").first.fill(name)
    await admin.page.get_by_role("button", name="Inviter", exact=True).click()
    link = await admin.page.locator("#once").input_value()
    return f"#/{link.partition('#/')[2]}"


async def ask_at_length(people: People, visit: Visit) -> None:
    """Asks for a long answer; returns while an engine writes it."""
    before_s = people.engines_s()
    shown = await visit.page.locator(".answer-text").count()
    await visit.page.fill("#question", LONG)
    await visit.page.keyboard.press("Enter")
    await visit.page.locator(".answer-text").nth(shown).wait_for(timeout=ANSWER_MS)
    await people.until(lambda: people.engines_s() > before_s + BUSY_S, "an engine computes")


async def jobs_of(visit: Visit) -> dict[str, str]:
    """State of each of the person's requests, as the page's own calls see them."""
    listed = await visit.page.evaluate("fetch('/v1/jobs').then(answer => answer.json())")
    return {job["id"]: job["state"] for job in listed["data"]}


async def test_without_the_guides_step_the_browser_warns(people: People, tmp_path: Path) -> None:
    """A browser that does not trust the pool's authority does not open its page."""
    async with people.browser(tmp_path) as opened, visitors(opened, POOL) as guests:
        visit = await guests.open()
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            await visit.go("#/")


async def test_two_people_of_two_coops_talk_at_once(people: People, guests: Visitors) -> None:
    """One added by the operator, one by her co-op's admin: five turns each, over HTTPS; each sees
    and reaches the own conversation only."""
    zoe, ada = [await enter(guests, link) for link in people.links]
    eve = await enter(guests, await invited(ada, "Ève Gagnon"))
    pair = (zoe, eve)
    for visit in pair:
        await visit.answers_are_short()
    for turn, question in enumerate(QUESTIONS):
        for mark, visit in zip(MARKS, pair, strict=True):
            await visit.page.fill("#question", f"{question} ({mark})")
            await visit.page.keyboard.press("Enter")
        for visit in pair:
            line = visit.page.locator(".receipt-line").nth(turn)
            await line.wait_for(timeout=ANSWER_MS)
    counts = [await visit.page.locator(".messages > li").count() for visit in pair]
    notices = [await visit.page.locator(".notice.bad").count() for visit in pair]
    texts = [await visit.page.locator(".messages").inner_text() for visit in pair]
    jobs = [await jobs_of(visit) for visit in pair]
    others = [
        await visit.page.evaluate("id => fetch(`/v1/jobs/${id}`).then(a => a.status)", job)
        for visit, theirs in zip(pair, reversed(jobs), strict=True)
        for job in theirs
    ]
    (cookie,) = await zoe.page.context.cookies()
    wrong = [text for visit in (*pair, ada) for text in visit.errors + visit.foreign]

    assert [2 * len(QUESTIONS)] * 2 == counts
    assert [0, 0] == notices
    assert [{"completed"}] * 2 == [set(states.values()) for states in jobs]
    assert [len(QUESTIONS)] * 2 == [len(states) for states in jobs]
    assert {404} == set(others)
    assert [[True, False], [False, True]] == [[mark in text for mark in MARKS] for text in texts]
    assert ("__Host-entraide", True) == (cookie["name"], cookie["secure"])
    assert [] == wrong


async def test_stop_ends_the_engine(people: People, guests: Visitors) -> None:
    """After the button nothing runs in the pool, and the engine computes no more."""
    link = await asyncio.to_thread(people.link, "boreale", "Ida")
    ida = await enter(guests, link)
    await ask_at_length(people, ida)
    await ida.page.get_by_role("button", name="Arrêter").click()
    await ida.page.get_by_text("Arrêtée à votre demande").wait_for()
    await people.until_idle()
    ended = await jobs_of(ida)

    assert ["cancelled"] == list(ended.values())


async def test_the_chat_goes_on_after_the_scheduler_was_killed(
    people: People, guests: Visitors
) -> None:
    """The broken answer has a sentence; the next question is answered on the same page, and the
    page of the pool is live again by itself."""
    pool_file = people.federation.pool.home / "parc/pool.json"
    links = [await asyncio.to_thread(people.link, "tournesol", name) for name in ("Léa", "Noé")]
    lea, noe = [await enter(guests, link) for link in links]
    await noe.go("#/")
    await noe.page.locator(".live").wait_for()
    await ask_at_length(people, lea)
    before = json.loads(pool_file.read_text())["pids"]["scheduler"]
    os.kill(before, signal.SIGKILL)
    # Together: the chat page tries to get its answer back until long after the pool is there.
    marked, sentence = await asyncio.gather(marked_late(noe), sentence_of_the_break(lea))
    await people.until(lambda: is_replaced(pool_file, before), "another scheduler")
    await people.until(people.is_ready, "the pool is ready")
    await asyncio.to_thread(people.federation.until_live, *COOP)
    await noe.page.locator(".live").wait_for(timeout=ANSWER_MS)
    await lea.page.fill("#question", "Bonjour")
    await lea.page.keyboard.press("Enter")
    await lea.page.locator(".receipt-line").wait_for(timeout=ANSWER_MS)
    notices = await lea.page.locator(".notice.bad").count()
    await people.until_idle()

    assert "Le parc a perdu cette réponse" in sentence
    assert 0 == marked
    assert 1 == notices


async def marked_late(visit: Visit) -> int:
    """Waits until the page of the pool says that it is late; returns how many marks say "live"."""
    await visit.page.get_by_text("Ce que vous voyez date de").wait_for(timeout=ANSWER_MS)
    return await visit.page.locator(".live").count()


async def sentence_of_the_break(visit: Visit) -> str:
    """What the chat page says of the answer that broke."""
    await visit.page.locator(".notice.bad").wait_for(timeout=ANSWER_MS)
    return await visit.page.inner_text(".notice.bad")


def is_replaced(pool_file: Path, before: int) -> bool:
    """Whether another scheduler runs."""
    return bool(json.loads(pool_file.read_text())["pids"].get("scheduler", before) != before)


@pytest.mark.parametrize("how", ["sign out", "disable"])
async def test_the_end_of_a_session_ends_its_answer_at_once(
    people: People, guests: Visitors, how: str
) -> None:
    """Signing out in another tab, or the guide's command for who leaves: the page is out, the
    engine idle, and the session counts no more."""
    name = f"Max {how.replace(' ', '-')}"
    link = await asyncio.to_thread(people.link, "boreale", name)
    founding, pool = people.federation.founding, people.federation.pool
    listed = json.loads(pool.run("entraide people list --json --state ~/parc").out)
    person = next(each["person"] for each in listed if each["name"] == name)
    leaving = await enter(guests, link)
    await ask_at_length(people, leaving)
    if how == "sign out":
        tab = await leaving.page.context.new_page()
        await tab.goto(f"{POOL}/#/sessions")
        await tab.get_by_role("button", name="Sortir").click()
    else:
        await asyncio.to_thread(founding.run, "disable", pool, **{"person-0123456789ab": person})
    await leaving.page.get_by_role("heading", name=OUT).wait_for()
    await people.until_idle()
    status = await leaving.page.evaluate("fetch('/v1/session').then(a => a.status)")

    assert 401 == status
